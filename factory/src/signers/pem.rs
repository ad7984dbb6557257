//! Keys in PEM files.

use std::path::Path;
use std::sync::Arc;

use fs_err as fs;
use signing::{RsaKey, Signer};
use zeroize::Zeroizing;

use super::OpenSignerError;

/// The longest key file, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// Reads the key of a file. The text is wiped afterwards.
pub(super) fn open(path: &Path) -> Result<Arc<dyn Signer>, OpenSignerError> {
    let signer = || format!("pem:{}", path.display());
    let text =
        read(path).map_err(|error| OpenSignerError::Unusable { signer: signer(), source: error.into() })?;
    let key = RsaKey::from_pem(&text).map_err(|source| OpenSignerError::Key { signer: signer(), source })?;
    Ok(Arc::new(key))
}

fn read(path: &Path) -> std::io::Result<Zeroizing<String>> {
    use std::io::Read as _;
    // Made long enough at once, so that growing does not leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(8192));
    fs::File::open(path)?.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

/// A certificate in PEM.
pub(super) fn certificate(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
