//! Names of images.

use std::fmt;
use std::str::FromStr;

use schematics::Digest;

/// The longest repository name, in bytes (OCI distribution specification 1.1).
const MAX_REPOSITORY: usize = 255;
/// The longest tag, in bytes (OCI distribution specification 1.1).
const MAX_TAG: usize = 128;

/// A repository without its registry, such as `siderolabs/imager`.
///
/// Holds only names of the OCI distribution specification, so it is safe as a part of a URL or a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Repository(String);

/// One version of an image, for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    /// Where it is.
    pub repository: Repository,
    /// The digest of its manifest or index.
    pub digest: Digest,
}

/// A full image name: `[registry/]repository[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// The registry's host, where one is given.
    pub registry: Option<String>,
    /// The repository.
    pub repository: Repository,
    /// The tag, where one is given.
    pub tag: Option<String>,
    /// The digest, where one is given.
    pub digest: Option<Digest>,
}

/// Why a text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a repository.
    #[error("`{0}` is not a repository: expected lower-case words separated by `/`")]
    Repository(String),
    /// Not a tag.
    #[error("`{0}` is not a tag")]
    Tag(String),
    /// Not a digest.
    #[error("`{0}` has no digest: expected `@sha256:` and 64 hexadecimal digits at its end")]
    Digest(String),
}

/// Whether `text` may be a tag.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= MAX_TAG
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

/// Words of lower-case letters and digits, separated by `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.bytes().next().is_some_and(inner)
        && text.bytes().last().is_some_and(inner)
        && separators.filter(|separator| !separator.is_empty()).all(|separator| {
            matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
        })
}

/// Whether the first part of a name is a host: it has a dot or a port, or is `localhost`.
fn is_host(part: &str) -> bool {
    match part.split_once(':') {
        Some((_, port)) => !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()),
        None => part == "localhost" || part.contains('.'),
    }
}

impl Repository {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This repository below `namespace`.
    #[must_use]
    pub fn below(&self, namespace: Option<&Self>) -> Self {
        match namespace {
            Some(namespace) => Self(format!("{namespace}/{self}")),
            None => self.clone(),
        }
    }
}

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() <= MAX_REPOSITORY && text.split('/').all(is_component) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Repository(text.to_owned()))
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

impl FromStr for ImageName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                (name, Some(digest.parse().map_err(|_| NameError::Digest(text.to_owned()))?))
            }
            None => (text, None),
        };
        let (registry, rest) = match name.split_once('/') {
            Some((host, rest)) if is_host(host) => (Some(host.to_owned()), rest),
            _ => (None, name),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) if is_tag(tag) => (repository, Some(tag.to_owned())),
            Some((_, tag)) => return Err(NameError::Tag(tag.to_owned())),
            None => (rest, None),
        };
        Ok(Self { registry, repository: repository.parse()?, tag, digest })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(f, "{registry}/")?;
        }
        self.repository.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_follow_the_distribution_specification() {
        for text in ["siderolabs/imager", "a", "a.b/c-d/e__f", "x/a--b", "0/1"] {
            assert_eq!(text.parse::<Repository>().unwrap().to_string(), text);
        }
        let long = "a".repeat(256);
        for text in ["", "/", "a/", "/a", "a//b", "A", "a/..", "..", "a_-b", "-a", "a.", "a b", "é", &long] {
            assert!(text.parse::<Repository>().is_err(), "{text}");
        }
    }

    #[test]
    fn full_names_survive_a_round_trip() {
        let digest = Digest::of(b"x");
        for text in [
            "siderolabs/imager".to_owned(),
            "siderolabs/imager:v1.13.0".to_owned(),
            format!("ghcr.io/siderolabs/gvisor:20250505.0@{digest}"),
            format!("localhost:5000/a@{digest}"),
        ] {
            assert_eq!(text.parse::<ImageName>().unwrap().to_string(), text);
        }
        let hostless: ImageName = "siderolabs/imager:v1".parse().unwrap();
        assert_eq!(hostless.registry, None);
        for text in ["", "a:", "a:b:c", "a@sha256:00", "a:x/y", "ghcr.io/", ":v1", "a:../b"] {
            assert!(text.parse::<ImageName>().is_err(), "{text}");
        }
    }
}
