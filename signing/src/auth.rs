//! Authenticated updates of UEFI variables (UEFI 2.10 §8.2.6), as in `.auth` files.
//!
//! ```text
//! EFI_TIME                      16 bytes
//! WIN_CERTIFICATE_UEFI_GUID     u32 length, u16 revision, u16 type, GUID of PKCS#7, then
//!                               SignedData in DER, without a ContentInfo around it, about
//!                                 name (UTF-16) ‖ GUID of the vendor ‖ attributes ‖ EFI_TIME ‖ new content
//! new content                   signature lists
//! ```

mod time;

use std::fmt;

use schematics::{Blame, Blamed};
use uuid::{Uuid, uuid};

use crate::certificate::Certificate;
use crate::esl::{EslError, SignatureDatabase};
use crate::hash::HashAlgorithm;
use crate::key::VerifyError;
use crate::pkcs7::{self, Content, DATA, Detached, Pkcs7Error, Pkcs7ReadError};
use crate::signer::Signer;

pub use time::EfiTime;

const EFI_GLOBAL: Uuid = uuid!("8be4df61-93ca-11d2-aa0d-00e098032b8c");
const IMAGE_SECURITY: Uuid = uuid!("d719b2cb-3d3a-4596-a3bc-dad00e67656f");
/// The type of certificate that is PKCS#7.
const PKCS7: Uuid = uuid!("4aafd29d-68df-49ee-8aa9-347d375665a7");
/// Kept, for the boot and for the system, and changed by signed updates with a time only.
const ATTRIBUTES: u32 = 0x27;
const REVISION: u16 = 0x0200;
const UEFI_GUID: u16 = 0x0ef1;
const CERTIFICATE_HEADER: usize = 24;

/// A variable that decides what firmware believes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variable {
    /// The platform key: who may change KEK.
    Pk,
    /// The key exchange keys: who may change db.
    Kek,
    /// The certificates whose programs start.
    Db,
}

impl Variable {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pk, Self::Kek, Self::Db];

    /// Its name, which is that of its file too: `<name>.auth`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pk => "PK",
            Self::Kek => "KEK",
            Self::Db => "db",
        }
    }

    const fn vendor(self) -> Uuid {
        match self {
            Self::Pk | Self::Kek => EFI_GLOBAL,
            Self::Db => IMAGE_SECURITY,
        }
    }

    /// What an update of it signs.
    fn signed_bytes(self, time: EfiTime, content: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.name().encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.extend(self.vendor().to_bytes_le());
        bytes.extend(ATTRIBUTES.to_le_bytes());
        bytes.extend(time.to_bytes());
        bytes.extend(content);
        bytes
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Signs the update that gives `variable` this content, at [`EfiTime::FIXED`]: the bytes of an `.auth` file. The same
/// content, key and certificate have the same bytes.
///
/// # Errors
/// When the certificate is not about the signer's key, or the key does not sign.
pub async fn sign_update(
    signer: &dyn Signer,
    certificate: &Certificate,
    variable: Variable,
    content: &SignatureDatabase,
) -> Result<Vec<u8>, Pkcs7Error> {
    let (time, content) = (EfiTime::FIXED, content.to_bytes());
    let digest = HashAlgorithm::Sha256.hash(&variable.signed_bytes(time, &content));
    let about = Content { kind: DATA, embedded: None, digest: &digest };
    let signed = pkcs7::signed_data(signer, certificate, &about).await?;
    // A signature has a few thousand bytes.
    let len = u32::try_from(CERTIFICATE_HEADER + signed.len()).unwrap_or(u32::MAX);
    let mut bytes = time.to_bytes().to_vec();
    bytes.extend(len.to_le_bytes());
    bytes.extend(REVISION.to_le_bytes());
    bytes.extend(UEFI_GUID.to_le_bytes());
    bytes.extend(PKCS7.to_bytes_le());
    bytes.extend(signed);
    bytes.extend(content);
    Ok(bytes)
}

/// Why bytes are no authenticated update.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The bytes end too early.
    #[error("the update ends within its {part}")]
    Truncated {
        /// In which part.
        part: &'static str,
    },
    /// The time is none that firmware takes.
    #[error("the time of the update is not a valid date with all unused fields zero")]
    Time,
    /// Its certificate is of another form.
    #[error("the update is not signed by PKCS#7 in a WIN_CERTIFICATE_UEFI_GUID")]
    Certificate,
    /// Its signature cannot be read.
    #[error("the signature of the update cannot be read")]
    Signature(#[source] Pkcs7ReadError),
    /// Its content is something else than signature lists.
    #[error("the update does not hold signature lists")]
    Content(#[source] EslError),
}

impl Blamed for AuthError {
    fn blame(&self) -> Blame {
        Blame::Upstream
    }
}

/// An update that was read; nothing in it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    time: EfiTime,
    signature: Detached,
    signed: Vec<u8>,
    content: SignatureDatabase,
}

impl Update {
    /// Reads an `.auth` file. It does not say which variable it is about; only its signature does.
    ///
    /// # Errors
    /// When the bytes are none, or its signature is made in a way that cannot be checked here. No bytes make it panic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AuthError> {
        let (time, rest) = bytes.split_first_chunk().ok_or(AuthError::Truncated { part: "time" })?;
        let time = EfiTime::from_bytes(*time).ok_or(AuthError::Time)?;
        let (signature, content) = split_certificate(rest)?;
        Ok(Self {
            time,
            signature: pkcs7::read_detached(signature, DATA).map_err(AuthError::Signature)?,
            signed: content.to_vec(),
            content: SignatureDatabase::from_bytes(content).map_err(AuthError::Content)?,
        })
    }

    /// Its time. Firmware takes no update that is not later than what it has.
    #[must_use]
    pub const fn time(&self) -> EfiTime {
        self.time
    }

    /// What the variable would hold.
    #[must_use]
    pub const fn content(&self) -> &SignatureDatabase {
        &self.content
    }

    /// The certificate that is meant to be the signer's.
    #[must_use]
    pub const fn signer(&self) -> &Certificate {
        self.signature.signer()
    }

    /// Checks that its signer signed this content for `variable`, and for no other.
    ///
    /// # Errors
    /// When it did not.
    pub fn verify(&self, variable: Variable) -> Result<(), VerifyError> {
        self.signature.verify(&variable.signed_bytes(self.time, &self.signed))
    }
}

/// The signature, and what is behind it.
fn split_certificate(bytes: &[u8]) -> Result<(&[u8], &[u8]), AuthError> {
    let truncated = || AuthError::Truncated { part: "certificate" };
    let (len, rest) = bytes.split_first_chunk().ok_or_else(truncated)?;
    let (form, rest) = rest.split_first_chunk::<4>().ok_or_else(truncated)?;
    let (kind, rest) = rest.split_first_chunk().ok_or_else(truncated)?;
    let expected = [REVISION.to_le_bytes(), UEFI_GUID.to_le_bytes()].concat();
    if *form != *expected || Uuid::from_bytes_le(*kind) != PKCS7 {
        return Err(AuthError::Certificate);
    }
    let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
    let len = len.checked_sub(CERTIFICATE_HEADER).ok_or(AuthError::Certificate)?;
    rest.split_at_checked(len).ok_or_else(truncated)
}

#[cfg(test)]
mod tests;
