//! Files, and what lies beside them.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use schematics::Digest;
use signing::bundle::{Bundle, BundleError, Content, MAX_BUNDLE};
use signing::in_toto::{PAYLOAD_TYPE, Statement};
use signing::{HashAlgorithm, PublicKey, Verification};

use super::{CheckError, Checked, Fact, MAX_TEXT};

/// How much of a file is read at a time.
const PIECE: usize = 256 * 1024;
/// The most files beside one that are looked at.
const MAX_BESIDE: usize = 100;

/// A file that somebody downloaded.
#[derive(Debug, Clone)]
pub struct FileToCheck<'a> {
    /// The file.
    pub file: &'a Path,
    /// Bundles about it; when there are none, those beside it that are called as it is, with more behind.
    pub bundles: &'a [PathBuf],
}

/// The digests of a file, and its signatures while they are checked.
struct Pass {
    sha256: Digest,
    sha512: String,
    signatures: Vec<Verification>,
}

/// Checks a file against its checksums and bundles.
///
/// # Errors
/// When one of them does not fit, or nothing is signed by the key.
pub fn check_file(key: &PublicKey, wanted: &FileToCheck<'_>) -> Result<Checked, CheckError> {
    let bundles = bundles(wanted)?;
    let signatures = bundles.iter().filter_map(|(_, bundle)| match &bundle.content {
        Content::Message(message) => Some(message.verification(key)),
        Content::Envelope(_) => None,
    });
    let pass = read(wanted.file, signatures.collect())?;
    let name = wanted.file.display().to_string();
    let mut facts = vec![Fact::Digest(pass.sha256)];
    for (suffix, hex) in [(".sha256", pass.sha256.hex()), (".sha512", pass.sha512)] {
        facts.extend(checksum(wanted.file, suffix, &hex)?);
    }
    let mut signatures = pass.signatures.into_iter();
    for (path, bundle) in &bundles {
        let place = path.display().to_string();
        facts.push(match &bundle.content {
            Content::Message(message) => {
                let done = signatures.next().map_or(Ok(()), |check| message.conclude(pass.sha256, check));
                done.map_err(|source| CheckError::Bundle { place: place.clone(), source })?;
                Fact::Signature(place, key.id())
            }
            Content::Envelope(_) => statement(key, bundle, place, pass.sha256)?,
        });
    }
    if bundles.is_empty() {
        let found = "no bundle is given, and none lies beside it".to_owned();
        return Err(CheckError::Unsigned { what: name, key: key.id(), found });
    }
    Ok(Checked { what: name, facts })
}

/// Checks a signed statement about what has this digest.
pub(super) fn statement(
    key: &PublicKey,
    bundle: &Bundle,
    place: String,
    about: Digest,
) -> Result<Fact, CheckError> {
    let text = bundle.text(key, PAYLOAD_TYPE);
    let text = text.map_err(|source| CheckError::Bundle { place: place.clone(), source })?;
    let statement = Statement::decode(text);
    let statement = statement.map_err(|source| CheckError::Statement { place: place.clone(), source })?;
    if !statement.is_about(&about) {
        return Err(CheckError::Other { place });
    }
    Ok(Fact::Statement(statement.predicate_type, place, key.id()))
}

fn read(file: &Path, mut signatures: Vec<Verification>) -> Result<Pass, CheckError> {
    let mut file = fs::File::open(file)?;
    let (mut sha256, mut sha512) = (HashAlgorithm::Sha256.hasher(), HashAlgorithm::Sha512.hasher());
    let mut piece = vec![0; PIECE];
    loop {
        let len = file.read(&mut piece)?;
        let Some(bytes) = piece.get(..len).filter(|bytes| !bytes.is_empty()) else { break };
        sha256.update(bytes);
        sha512.update(bytes);
        signatures.iter_mut().for_each(|signature| signature.update(bytes));
    }
    let mut short = [0; 32];
    short.copy_from_slice(sha256.finish().as_bytes());
    Ok(Pass { sha256: Digest::from_bytes(short), sha512: sha512.finish().hex(), signatures })
}

/// The checksum beside a file, if there is one.
fn checksum(file: &Path, suffix: &str, hex: &str) -> Result<Option<Fact>, CheckError> {
    let path = beside(file, suffix);
    if !path.is_file() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&bounded(&path, MAX_TEXT)?).into_owned();
    let told = text.split_ascii_whitespace().next().unwrap_or_default();
    if told.eq_ignore_ascii_case(hex) {
        return Ok(Some(Fact::Checksum(path.display().to_string())));
    }
    Err(CheckError::Checksum { path, file: file.display().to_string() })
}

/// The bundles that are given, all of which must be some; or those beside the file, where other JSON may lie as well.
fn bundles(wanted: &FileToCheck<'_>) -> Result<Vec<(PathBuf, Bundle)>, CheckError> {
    let given = !wanted.bundles.is_empty();
    let paths = if given { wanted.bundles.to_vec() } else { neighbours(wanted.file)? };
    let own = beside(wanted.file, ".sigstore.json");
    let mut found = Vec::new();
    for path in paths {
        match Bundle::decode(&bounded(&path, MAX_BUNDLE as u64)?) {
            Ok(bundle) => found.push((path, bundle)),
            // What is named as the signature has to be one.
            Err(BundleError::Shape(_)) if !given && path != own => {}
            Err(source) => return Err(CheckError::Bundle { place: path.display().to_string(), source }),
        }
    }
    Ok(found)
}

/// The files beside one whose names are its name and `.<more>.json`, in the order of their names.
fn neighbours(file: &Path) -> Result<Vec<PathBuf>, CheckError> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = beside(Path::new(file.file_name().unwrap_or_default()), ".");
    let prefix = prefix.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(&prefix) && name.ends_with(".json") && path.is_file() {
            found.push(file.with_file_name(name));
        }
    }
    found.sort();
    found.truncate(MAX_BESIDE);
    Ok(found)
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(suffix);
    path.into()
}

fn bounded(path: &Path, limit: u64) -> Result<Vec<u8>, CheckError> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(CheckError::TooLong { path: path.to_owned(), limit });
    }
    Ok(bytes)
}
