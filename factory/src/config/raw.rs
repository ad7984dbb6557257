//! What was written: file, environment and flags, before anything is understood.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::Value;

use super::Problem;
use super::keys::{KEYS, Key, Shape};

/// Who gave a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// The texts given for a key, and by whom.
#[derive(Debug, Clone)]
pub struct Given {
    /// The texts: exactly one, unless the key is a list.
    pub texts: Vec<String>,
    /// Who gave them.
    pub origin: Origin,
}

/// Everything that was written. Later layers replace what earlier ones said about a key.
#[derive(Debug, Clone, Default)]
pub struct Raw {
    given: BTreeMap<&'static str, Given>,
}

/// The longest configuration file.
const MAX_FILE: u64 = 1 << 20;

impl Raw {
    /// The built-in defaults.
    #[must_use]
    pub fn defaults() -> Self {
        let mut raw = Self::default();
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            raw.set(key, split(key, key.default), Origin::Default);
        }
        raw
    }

    /// What a key was given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Given> {
        self.given.get(name)
    }

    /// Says something about a key.
    pub fn set(&mut self, key: &'static Key, texts: Vec<String>, origin: Origin) {
        self.given.insert(key.name, Given { texts, origin });
    }

    /// Adds the environment: the variables of the keys, whatever else is in it.
    pub fn add_environment(&mut self, read: impl Fn(&str) -> Option<String>) {
        for key in KEYS {
            let variable = key.variable();
            if let Some(text) = read(&variable) {
                self.set(key, split(key, &text), Origin::Variable(variable));
            }
        }
    }

    /// Adds a YAML (or JSON) file. Keys it does not know are problems.
    ///
    /// # Errors
    /// Every problem in it, or that it cannot be read.
    pub fn add_file(&mut self, path: &Path) -> Result<(), Vec<Problem>> {
        let whole = |text: String| vec![Problem { key: None, origin: Origin::File(path.to_owned()), text }];
        let text = read_file(path).map_err(whole)?;
        let written: Option<BTreeMap<String, Value>> = serde_saphyr::from_str(&text)
            .map_err(|error| whole(format!("not a YAML mapping of keys: {error}")))?;
        let mut problems = Vec::new();
        for (name, value) in written.unwrap_or_default() {
            let origin = Origin::File(path.to_owned());
            let understood = match Key::find(&name) {
                None => Err(unknown(&name)),
                Some(key) => texts(key, &value).map(|texts| (key, texts)),
            };
            match understood {
                Ok((key, texts)) => self.set(key, texts, origin),
                Err(text) => problems.push(Problem { key: Some(name), origin, text }),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(error.to_string()),
        Ok(_) if text.len() as u64 > MAX_FILE => Err(format!("longer than {MAX_FILE} bytes")),
        Ok(_) => Ok(text),
    }
}

pub(super) fn unknown(name: &str) -> String {
    let close = |key: &&Key| key.name.replace('-', "") == name.replace(['-', '_', '.'], "").to_lowercase();
    match KEYS.iter().find(close) {
        Some(key) => format!("there is no such key; did you mean `{}`?", key.name),
        None => "there is no such key".to_owned(),
    }
}

fn texts(key: &Key, value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(items) if key.shape == Shape::List => items.iter().map(scalar).collect(),
        Value::Array(_) => Err("expected one value, not a list".to_owned()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            scalar(value).map(|text| split(key, &text))
        }
    }
}

fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(switch) => Ok(switch.to_string()),
        Value::Null => Err("expected a value; leave the key out for its default".to_owned()),
        Value::Array(_) | Value::Object(_) => Err("expected a plain value".to_owned()),
    }
}

/// The values in one text: lists are separated by commas.
pub(super) fn split(key: &Key, text: &str) -> Vec<String> {
    if key.shape == Shape::List {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    } else {
        vec![text.to_owned()]
    }
}
