//! The file that names the keys, understood piece by piece so that all problems are found.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read as _};
use std::path::Path;

use fs_err as fs;
use serde_json::{Map, Value};

use super::{CertificateSpec, EnrolmentFiles, KeySets, SetSpec, lines, set};
use crate::signers::SignerSpec;

/// The longest file.
const MAX_FILE: u64 = 1 << 20;
const MAX_NAME: usize = 63;

/// Why a file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read it")]
    Read(#[from] io::Error),
    /// It is not of the form.
    #[error("not a file of keys: {0}")]
    Form(String),
    /// Its parts are not what they should be.
    #[error("the file of keys has problems:{}", lines(.0))]
    Problems(Vec<Problem>),
}

/// Something wrong in a file of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `sets[0].secureboot.signer`; empty when the whole file is meant.
    pub place: String,
    /// What is wrong, and what was expected.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => f.write_str(&self.text),
            place => write!(f, "`{place}`: {}", self.text),
        }
    }
}

pub(super) fn read(path: &Path) -> Result<KeySets, KeyFileError> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(KeyFileError::Form(format!("it is longer than {MAX_FILE} bytes")));
    }
    parse(&text, path.parent().unwrap_or(Path::new("")))
}

/// Understands a text whose paths start at `dir`.
pub(super) fn parse(text: &str, dir: &Path) -> Result<KeySets, KeyFileError> {
    let value: Value = serde_saphyr::from_str(text).map_err(|error| KeyFileError::Form(error.to_string()))?;
    let mut reader = Reader { dir, problems: Vec::new() };
    let sets = reader.file(&value);
    match sets {
        Some(sets) if reader.problems.is_empty() => Ok(KeySets { sets }),
        Some(_) | None => Err(KeyFileError::Problems(reader.problems)),
    }
}

struct Reader<'a> {
    dir: &'a Path,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem<T>(&mut self, place: &str, text: impl Into<String>) -> Option<T> {
        self.problems.push(Problem { place: place.to_owned(), text: text.into() });
        None
    }

    fn file(&mut self, value: &Value) -> Option<Vec<SetSpec>> {
        let map = self.mapping(value, "", &["sets"])?;
        let Some(Value::Array(items)) = map.get("sets") else {
            return self.problem("sets", "expected a list of key sets");
        };
        if items.is_empty() {
            return self.problem("sets", "expected at least one key set");
        }
        let sets: Vec<Option<SetSpec>> =
            items.iter().enumerate().map(|(at, item)| self.set(item, &format!("sets[{at}]"))).collect();
        let sets: Option<Vec<SetSpec>> = sets.into_iter().collect();
        self.distinct(sets.as_deref().unwrap_or_default());
        sets
    }

    fn distinct(&mut self, sets: &[SetSpec]) {
        let (mut names, mut hosts) = (BTreeSet::new(), BTreeSet::new());
        for (at, spec) in sets.iter().enumerate() {
            if !names.insert(&spec.name) {
                self.problem::<()>(
                    &format!("sets[{at}].name"),
                    format!("there are two sets `{}`", spec.name),
                );
            }
            if let Some(url) = &spec.url
                && !hosts.insert(set::host(url))
            {
                self.problem::<()>(&format!("sets[{at}].url"), format!("two sets have the host of {url}"));
            }
        }
    }

    fn set(&mut self, value: &Value, place: &str) -> Option<SetSpec> {
        let map = self.mapping(value, place, &["name", "url", "secureboot", "pcr", "enroll"])?;
        let at = |key: &str| format!("{place}.{key}");
        // Each part is read before anything is given up, so that all problems are found.
        let name = self.name(map, &at("name"));
        let url = self.optional(map, "url", &at("url"), Self::url);
        let secureboot = self.required(map, "secureboot", &at("secureboot"), Self::secureboot);
        let pcr = self.required(map, "pcr", &at("pcr"), Self::pcr);
        let enroll = self.optional(map, "enroll", &at("enroll"), Self::enroll);
        let (secureboot, certificate) = secureboot?;
        Some(SetSpec { name: name?, url: url?, secureboot, certificate, pcr: pcr?, enroll: enroll? })
    }

    fn name(&mut self, map: &Map<String, Value>, place: &str) -> Option<String> {
        let name = self.required(map, "name", place, Self::text)?;
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.len() > MAX_NAME || !name.chars().all(allowed) {
            return self.problem(
                place,
                format!("expected 1 to {MAX_NAME} lower-case letters, digits and `-`, but it is `{name}`"),
            );
        }
        Some(name)
    }

    fn url(&mut self, value: &Value, place: &str) -> Option<url::Url> {
        let text = self.text(value, place)?;
        match url::Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() && url.path() == "/" => {
                Some(url)
            }
            Ok(_) | Err(_) => {
                self.problem(place, format!("expected `https://HOST[:PORT]`, but it is `{text}`"))
            }
        }
    }

    fn secureboot(&mut self, value: &Value, place: &str) -> Option<(SignerSpec, Option<CertificateSpec>)> {
        let map = self.mapping(value, place, &["certificate", "signer"])?;
        let signer = self.required(map, "signer", &format!("{place}.signer"), Self::signer);
        let certificate =
            self.optional(map, "certificate", &format!("{place}.certificate"), Self::certificate)?;
        let signer = signer?;
        if certificate.is_none() && !keeps_certificates(&signer) {
            return self.problem(place, "expected a `certificate`: none is kept beside keys of this kind");
        }
        Some((signer, certificate))
    }

    fn pcr(&mut self, value: &Value, place: &str) -> Option<SignerSpec> {
        let map = self.mapping(value, place, &["signer"])?;
        self.required(map, "signer", &format!("{place}.signer"), Self::signer)
    }

    fn signer(&mut self, value: &Value, place: &str) -> Option<SignerSpec> {
        let text = self.text(value, place)?;
        match text.parse::<SignerSpec>() {
            Ok(spec) => Some(spec.relative_to(self.dir)),
            Err(error) => self.problem(place, error.to_string()),
        }
    }

    fn certificate(&mut self, value: &Value, place: &str) -> Option<CertificateSpec> {
        let text = self.text(value, place)?;
        match CertificateSpec::parse(&text, self.dir) {
            Ok(spec) => Some(spec),
            Err(expected) => self.problem(place, expected),
        }
    }

    fn enroll(&mut self, value: &Value, place: &str) -> Option<EnrolmentFiles> {
        let map = self.mapping(value, place, &["pk", "kek", "db"])?;
        let dir = self.dir;
        let mut file = |key: &str| self.required(map, key, &format!("{place}.{key}"), Self::text);
        let (pk, kek, db) = (file("pk"), file("kek"), file("db"));
        Some(EnrolmentFiles { pk: dir.join(pk?), kek: dir.join(kek?), db: dir.join(db?) })
    }

    fn text(&mut self, value: &Value, place: &str) -> Option<String> {
        match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            _ => self.problem(place, "expected a text"),
        }
    }

    fn mapping<'v>(
        &mut self,
        value: &'v Value,
        place: &str,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Value::Object(map) = value else {
            return self.problem(place, format!("expected a mapping with {}", listed(known)));
        };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let inner = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            self.problem::<()>(&inner, format!("there is no such key; expected {}", listed(known)));
        }
        Some(map)
    }

    fn required<T>(
        &mut self,
        map: &Map<String, Value>,
        key: &str,
        place: &str,
        read: fn(&mut Self, &Value, &str) -> Option<T>,
    ) -> Option<T> {
        match map.get(key) {
            Some(value) => read(self, value, place),
            None => self.problem(place, "it is missing"),
        }
    }

    /// `None` when it is wrong, `Some(None)` when it is not there.
    #[expect(clippy::option_option, reason = "wrong and absent are different things")]
    fn optional<T>(
        &mut self,
        map: &Map<String, Value>,
        key: &str,
        place: &str,
        read: fn(&mut Self, &Value, &str) -> Option<T>,
    ) -> Option<Option<T>> {
        match map.get(key) {
            Some(value) => read(self, value, place).map(Some),
            None => Some(None),
        }
    }
}

fn keeps_certificates(signer: &SignerSpec) -> bool {
    match signer {
        SignerSpec::Pkcs11(_) | SignerSpec::Azure { .. } | SignerSpec::Signerd(_) => true,
        SignerSpec::Pem(_) | SignerSpec::Aws { .. } | SignerSpec::Gcp(_) | SignerSpec::Vault { .. } => false,
    }
}

fn listed(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}
