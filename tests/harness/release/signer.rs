//! Who signs the pretend release.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use builder::BlobStore;
use builder::store::MemoryStore;
use extensions::{LayoutWriter, Publication, Publisher as _};
use fs_err as fs;
use schematics::Digest;
use signing::{SigningKey, cosign};

use crate::server::Anything;

/// A key that guards nothing.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----\n\
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbWkFAXej4zTDPLT3\n\
yYzPi5Pn8o9pss1NxZykGODsDT+hRANCAAR3p2WXaNCUj1oJMI8Y2tn277zblkr5\n\
CazsGwomySZ68Z4wsdjqwlGLNjPjMQ+PPAAJ4tfgt+2LpBa1fifJBiGn\n\
-----END PRIVATE KEY-----\n\
";

/// The key that signs every image of the release.
///
/// # Errors
/// Never: it is one.
pub fn signing_key() -> Result<SigningKey, Anything> {
    Ok(SigningKey::from_pem(KEY)?)
}

/// A file with its public key, as `trust` wants it; the same for all tests of this process.
///
/// # Errors
/// When it cannot be written.
pub fn public_key() -> Result<PathBuf, Anything> {
    static FILE: OnceLock<Result<(tempfile::TempDir, PathBuf), String>> = OnceLock::new();
    let written = FILE.get_or_init(|| write().map_err(|error| error.to_string()));
    Ok(written.as_ref().map_err(Clone::clone)?.1.clone())
}

fn write() -> Result<(tempfile::TempDir, PathBuf), Anything> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("cosign.pub");
    fs::write(&path, signing_key()?.public_key().to_pem())?;
    Ok((dir, path))
}

/// Puts a signature of an image beside it.
///
/// # Errors
/// When it cannot be written.
pub async fn sign(
    layout: &LayoutWriter,
    repository: &str,
    image: Digest,
    key: &SigningKey,
) -> Result<(), Anything> {
    let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
    let signature = cosign::sign(key, &image, &format!("ghcr.io/{repository}"))?;
    let signature = Publication::signature(signature, &store).await?;
    layout.publish(&repository.parse()?, &cosign::tag(&image), &signature, &store).await?;
    Ok(())
}
