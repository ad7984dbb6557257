//! Keys a factory signs with, as files.

use std::path::{Path, PathBuf};

use fs_err as fs;
use signing::certificate::{Terms, self_signed};
use signing::{KeyAlgorithm, RsaKey, SigningKey};
use tempfile::TempDir;

use crate::server::Anything;

/// In seconds since 1970: 2024 to 2044.
const VALID: (u64, u64) = (1_704_067_200, 2_335_219_200);

/// A key that signs what a factory serves, as files; gone on drop.
#[derive(Debug)]
pub struct SigningKeyFiles {
    dir: TempDir,
}

impl SigningKeyFiles {
    /// A new key.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, Anything> {
        let files = Self { dir: tempfile::tempdir()? };
        let key = SigningKey::new(algorithm)?;
        fs::write(files.private(), key.to_pem()?.as_bytes())?;
        fs::write(files.public(), key.public_key().to_pem())?;
        Ok(files)
    }

    /// The file of the private key.
    #[must_use]
    pub fn private(&self) -> PathBuf {
        self.dir.path().join("signing.key")
    }

    /// The file of the public key.
    #[must_use]
    pub fn public(&self) -> PathBuf {
        self.dir.path().join("signing.pub")
    }
}

/// A directory with the keys of one or more sets and the file that names them; gone on drop.
#[derive(Debug)]
pub struct KeyFiles {
    dir: TempDir,
}

impl KeyFiles {
    /// New keys for one set.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn generate() -> Result<Self, Anything> {
        Self::of_sets(&[("main", None)])
    }

    /// New keys for each of these sets: a name, and the URL of requests that get it.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn of_sets(sets: &[(&str, Option<&str>)]) -> Result<Self, Anything> {
        let keys = Self { dir: tempfile::tempdir()? };
        let mut text = String::from("sets:\n");
        for (name, url) in sets {
            keys.write_set(name)?;
            text.push_str(&format!(
                "  - name: {name}\n    secureboot: {{certificate: {name}.crt, signer: \"pem:{name}.key\"}}\n    pcr: {{signer: \"pem:{name}-pcr.key\"}}\n"
            ));
            if let Some(url) = url {
                text.push_str(&format!("    url: {url}\n"));
            }
        }
        fs::write(keys.file(), text)?;
        Ok(keys)
    }

    fn write_set(&self, name: &str) -> Result<(), Anything> {
        let (secureboot, pcr) = (RsaKey::generate(2048)?, RsaKey::generate(2048)?);
        let common_name = format!("Keys of {name}");
        let (not_before, not_after) = VALID;
        let terms = Terms { common_name: &common_name, not_before, not_after, authority: false };
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let certificate = runtime.block_on(self_signed(&secureboot, &terms))?;
        let pem = signing::Signer::public_key(&pcr).to_pem();
        for (file, text) in [
            (format!("{name}.key"), secureboot.to_pem()?.as_str()),
            (format!("{name}.crt"), &certificate.to_pem()),
            (format!("{name}-pcr.key"), pcr.to_pem()?.as_str()),
            (format!("{name}-pcr.pub"), &pem),
        ] {
            fs::write(self.dir.path().join(file), text)?;
        }
        Ok(())
    }

    /// The file that names the keys, for the configuration.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("keys.yaml")
    }

    /// The certificate of the SecureBoot key of a set, in PEM.
    #[must_use]
    pub fn certificate(&self, set: &str) -> PathBuf {
        self.dir.path().join(format!("{set}.crt"))
    }

    /// The public half of the PCR key of a set, in PEM.
    #[must_use]
    pub fn pcr_public_key(&self, set: &str) -> PathBuf {
        self.dir.path().join(format!("{set}-pcr.pub"))
    }

    /// Where all of this is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}
