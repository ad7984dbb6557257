//! The file that names the keys.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Deserialize;
use url::Url;

/// The longest file of keys.
const MAX_FILE: u64 = 1 << 20;

/// One set, as the file has it; paths are relative to the working directory again.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) name: String,
    pub(super) url: Option<Url>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) secureboot: PathBuf,
    pub(super) pcr: PathBuf,
    pub(super) enroll: Option<EnrolmentFiles>,
}

/// Enrolment variables that somebody else signed, all three or none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrolmentFiles {
    /// The platform key.
    pub pk: PathBuf,
    /// Who may change what is trusted.
    pub kek: PathBuf,
    /// What is trusted.
    pub db: PathBuf,
}

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read it")]
    Read(#[from] io::Error),
    /// It is not of the form.
    #[error("not a file of keys: {0}")]
    Form(String),
    /// Its sets contradict each other or themselves.
    #[error("{}", .0.join("; "))]
    Sets(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    sets: Vec<WrittenSet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSet {
    name: String,
    url: Option<String>,
    secureboot: WrittenSecureBoot,
    pcr: WrittenPcr,
    enroll: Option<EnrolmentFiles>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSecureBoot {
    signer: String,
    certificate: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPcr {
    signer: String,
}

pub(super) fn read(path: &Path) -> Result<Vec<Set>, KeyFileError> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(KeyFileError::Form(format!("it is longer than {MAX_FILE} bytes")));
    }
    let written: Written =
        serde_saphyr::from_str(&text).map_err(|error| KeyFileError::Form(error.to_string()))?;
    let dir = path.parent().unwrap_or(Path::new(""));
    let mut problems = Vec::new();
    if written.sets.is_empty() {
        problems.push("there is no set in it".to_owned());
    }
    let mut names = BTreeSet::new();
    for set in &written.sets {
        if !names.insert(set.name.clone()) {
            problems.push(format!("there are two sets `{}`", set.name));
        }
    }
    let sets = written.sets.into_iter().filter_map(|set| understand(set, dir, &mut problems)).collect();
    if problems.is_empty() { Ok(sets) } else { Err(KeyFileError::Sets(problems)) }
}

fn understand(set: WrittenSet, dir: &Path, problems: &mut Vec<String>) -> Option<Set> {
    let url = set.url.map(|text| (Url::parse(&text), text));
    let url = match url {
        Some((Ok(url), _)) if url.host().is_some() => Some(url),
        Some((_, text)) => {
            problems.push(format!("the url `{text}` of set `{}` is none", set.name));
            return None;
        }
        None => None,
    };
    let at = |signer: &str| dir.join(signer.strip_prefix("pem:").unwrap_or(signer));
    Some(Set {
        url,
        certificate: set.secureboot.certificate.map(|path| dir.join(path)),
        secureboot: at(&set.secureboot.signer),
        pcr: at(&set.pcr.signer),
        enroll: set.enroll.map(|files| EnrolmentFiles {
            pk: dir.join(files.pk),
            kek: dir.join(files.kek),
            db: dir.join(files.db),
        }),
        name: set.name,
    })
}
