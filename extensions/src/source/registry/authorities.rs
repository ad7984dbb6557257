//! Certificate authorities that are trusted besides those of the system.

use oci_client::client::{Certificate, CertificateEncoding};

/// Certificates that registries may be vouched for by, besides those the system trusts.
#[derive(Debug, Clone, Default)]
pub struct Authorities {
    pem: Vec<Vec<u8>>,
}

/// Why a text holds no certificates.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// It is malformed.
    #[error("the certificates cannot be read")]
    Malformed(#[source] reqwest::Error),
    /// There is none in it.
    #[error("there is no certificate in it")]
    Empty,
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

impl Authorities {
    /// Reads certificates in PEM. What else is between them is passed over.
    ///
    /// # Errors
    /// When there is none, or one is malformed.
    pub fn from_pem(text: &str) -> Result<Self, AuthoritiesError> {
        let mut pem = Vec::new();
        for part in text.split(BEGIN).skip(1) {
            // One without an end is refused as what it is.
            let body = part.split_once(END).map_or(part, |(body, _)| body);
            let certificate = format!("{BEGIN}{body}{END}\n").into_bytes();
            let read = reqwest::Certificate::from_pem_bundle(&certificate);
            if read.map_err(AuthoritiesError::Malformed)?.is_empty() {
                return Err(AuthoritiesError::Empty);
            }
            pem.push(certificate);
        }
        if pem.is_empty() { Err(AuthoritiesError::Empty) } else { Ok(Self { pem }) }
    }

    /// What reading clients are told.
    pub(super) fn for_reading(&self) -> reqwest::Result<Vec<reqwest::Certificate>> {
        self.pem.iter().map(|pem| reqwest::Certificate::from_pem(pem)).collect()
    }

    /// What pushing clients are told.
    pub(crate) fn for_push(&self) -> Vec<Certificate> {
        let certificate =
            |pem: &Vec<u8>| Certificate { encoding: CertificateEncoding::Pem, data: pem.clone() };
        self.pem.iter().map(certificate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made for this test; its key is gone.
    const CERTIFICATE: &str = include_str!("authorities/test.pem");

    #[test]
    fn each_certificate_of_a_file_counts() {
        let two = format!("# ours\n{CERTIFICATE}\n# theirs\n{CERTIFICATE}");
        let authorities = Authorities::from_pem(&two).unwrap();
        assert_eq!((authorities.for_reading().unwrap().len(), authorities.for_push().len()), (2, 2));
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert!(matches!(Authorities::from_pem(""), Err(AuthoritiesError::Empty)));
        assert!(matches!(Authorities::from_pem("ghcr.io"), Err(AuthoritiesError::Empty)));
        let broken = CERTIFICATE.replacen('M', "!", 1);
        assert!(matches!(Authorities::from_pem(&broken), Err(AuthoritiesError::Malformed(_))));
    }
}
