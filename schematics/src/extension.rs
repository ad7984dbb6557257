//! Names of system extensions.

use std::fmt;
use std::str::FromStr;

/// The name of a system extension in a catalogue, `owner/name`.
///
/// Both parts are path components of an OCI repository: lower-case letters and digits, joined by single `.`, `_`, a
/// double `_` or any number of `-`. So a name is safe in a repository path, a URL and a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtensionName {
    text: String,
    slash: usize,
}

/// Why a text is not the name of an extension.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not the name of an extension: expected `owner/name` of lower-case letters, digits, `.`, `_` and `-`"
)]
pub struct ExtensionNameError {
    text: String,
}

/// The longest name, in bytes: what the OCI distribution specification advises for a repository.
pub const MAX_EXTENSION_NAME: usize = 255;

impl ExtensionName {
    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Who publishes it: what is before the slash.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.text.get(..self.slash).unwrap_or_default()
    }

    /// Its name at the publisher: what is after the slash.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.get(self.slash + 1..).unwrap_or_default()
    }
}

impl FromStr for ExtensionName {
    type Err = ExtensionNameError;

    fn from_str(text: &str) -> Result<Self, ExtensionNameError> {
        let wrong = || ExtensionNameError { text: text.chars().take(MAX_EXTENSION_NAME).collect() };
        let (owner, name) = text.split_once('/').ok_or_else(wrong)?;
        if text.len() > MAX_EXTENSION_NAME || !is_component(owner) || !is_component(name) {
            return Err(wrong());
        }
        Ok(Self { text: text.to_owned(), slash: owner.len() })
    }
}

/// Whether `text` is one path component of a repository, by the grammar of the OCI distribution specification.
fn is_component(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separator = |between: &str| {
        matches!(between, "." | "_" | "__") || (!between.is_empty() && between.chars().all(|c| c == '-'))
    };
    text.starts_with(plain)
        && text.ends_with(plain)
        && text.split(plain).filter(|between| !between.is_empty()).all(separator)
}

impl fmt::Display for ExtensionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_an_owner_and_a_name() {
        let name: ExtensionName = "siderolabs/amd-ucode".parse().unwrap();
        assert_eq!(
            (name.owner(), name.name(), name.to_string().as_str()),
            ("siderolabs", "amd-ucode", "siderolabs/amd-ucode")
        );
        for good in ["a/b", "extension-testing/my-extension", "a.b/c__d", "a--b/c_d", "0/1"] {
            assert!(good.parse::<ExtensionName>().is_ok(), "{good}");
        }
    }

    #[test]
    fn what_is_no_repository_path_of_two_components_is_refused() {
        let long = format!("a/{}", "b".repeat(MAX_EXTENSION_NAME));
        for bad in [
            "", "a", "/", "a/", "/b", "a/b/c", "A/b", "a/..", "../a", "a/b:c", "a/b@c", "a b/c", "a/-b",
            "a/b..c", "a/b___c", &long,
        ] {
            assert!(bad.parse::<ExtensionName>().is_err(), "{bad}");
        }
    }
}
