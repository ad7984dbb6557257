//! Files with keys: private ones are for their owner alone, and none is ever replaced.

use std::fs::DirBuilder;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use signing::{RsaKey, SigningKey};

use super::Failure;

/// What enrolling one's own keys may cost.
pub(super) const OPTION_ROMS: &str = "\
Before you enrol these keys: a machine whose PK, KEK and db hold only your own certificate starts nothing that Microsoft
signed. That includes the firmware on many graphics, network and storage cards (option ROMs): such a machine may come up
without picture, network or disks. `includeWellKnownCertificates: true` in a schematic, and `factory keys export
--microsoft`, enrol Microsoft's certificates beside yours.
";

const KEYS: &str = "keys.yaml";
const CERTIFICATE: &str = "secureboot.crt";
const SECUREBOOT: &str = "secureboot.key";
const PCR: &str = "pcr.key";
const SIGNING: &str = "signing.key";
const SIGNING_PUBLIC: &str = "signing.pub";

/// A directory that gets a key set.
pub(super) struct NewSet {
    dir: PathBuf,
}

impl NewSet {
    /// Makes the directory, for its owner alone, if there is none, and looks that nothing in it would be replaced.
    ///
    /// # Errors
    /// When one of the files is there already.
    pub(super) fn begin(dir: &Path) -> Result<Self, Failure> {
        prepare(dir, &[KEYS, CERTIFICATE, SECUREBOOT, PCR])?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Writes the set. The file that names the keys comes last, so it never names what is not there.
    ///
    /// # Errors
    /// When a file cannot be written, or came into being meanwhile.
    pub(super) fn write(&self, key: &RsaKey, certificate: &str, pcr: &RsaKey) -> Result<PathBuf, Failure> {
        create(&self.dir.join(SECUREBOOT), key.to_pem()?.as_bytes(), 0o600)?;
        create(&self.dir.join(CERTIFICATE), certificate.as_bytes(), 0o644)?;
        create(&self.dir.join(PCR), pcr.to_pem()?.as_bytes(), 0o600)?;
        let text = format!(
            "# The keys a factory signs with: `factory serve --keys FILE`. Paths start here.\n\
             sets:\n  - name: main\n    \
             secureboot: {{certificate: {CERTIFICATE}, signer: \"pem:{SECUREBOOT}\"}}\n    \
             pcr: {{signer: \"pem:{PCR}\"}}\n"
        );
        let file = self.dir.join(KEYS);
        create(&file, text.as_bytes(), 0o644)?;
        Ok(file)
    }
}

/// Makes a directory for its owner alone, if there is none, and looks that none of these names is taken in it.
fn prepare(dir: &Path, names: &[&str]) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    for name in names {
        let path = dir.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            return Err(format!("{} exists; keys are never overwritten", path.display()).into());
        }
    }
    Ok(())
}

/// Writes a key and its public half into a directory, and tells where.
///
/// # Errors
/// When one of the files is there already, or cannot be written.
pub(super) fn new_signing_key(dir: &Path, key: &SigningKey) -> Result<(PathBuf, PathBuf), Failure> {
    prepare(dir, &[SIGNING, SIGNING_PUBLIC])?;
    let (private, public) = (dir.join(SIGNING), dir.join(SIGNING_PUBLIC));
    create(&private, key.to_pem()?.as_bytes(), 0o600)?;
    create(&public, key.public_key().to_pem().as_bytes(), 0o644)?;
    Ok((private, public))
}

/// Writes a file that is not there yet, to disk.
///
/// # Errors
/// When there is one.
pub(super) fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
