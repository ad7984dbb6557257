//! Key pairs for the tests, made by openssl.

use std::path::{Path, PathBuf};

use crate::{Failure, tool};

/// An RSA key of 2048 bits with a certificate it signed itself, as PEM files.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// The private key, PKCS#8.
    pub key: PathBuf,
    /// The certificate.
    pub certificate: PathBuf,
    /// The public key alone.
    pub public: PathBuf,
}

impl KeyPair {
    /// Makes `<name>.key`, `<name>.crt` and `<name>.pub` in a directory; the certificate's common name is the name.
    ///
    /// # Errors
    /// When openssl is missing or refuses.
    pub fn make(dir: &Path, name: &str) -> Result<Self, Failure> {
        let file = |extension: &str| dir.join(format!("{name}.{extension}"));
        let pair = Self { key: file("key"), certificate: file("crt"), public: file("pub") };
        let (key, certificate, public) = (text(&pair.key), text(&pair.certificate), text(&pair.public));
        let subject = format!("/CN={name}");
        let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", &subject];
        let files = ["-keyout", &key, "-out", &certificate];
        tool::run("openssl", "openssl", request.into_iter().chain(files))?;
        tool::run("openssl", "openssl", ["pkey", "-in", &key, "-pubout", "-out", &public])?;
        Ok(pair)
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
