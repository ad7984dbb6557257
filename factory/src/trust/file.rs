//! Rules in a file, for what does not fit on a line.
//!
//! ```yaml
//! rules:
//!   - images: siderolabs          # these repositories, and those below; all when left out
//!     signers:
//!       - talos: true
//!       - key: mine.pub           # paths start at this file
//!       - issuer: https://token.actions.githubusercontent.com
//!         identityPattern: https://github\.com/me/.*
//!         trustedRoot: root.json  # instead of Sigstore's
//!   - images: lab
//!     unsigned: true
//! ```

use std::path::Path;
use std::sync::Arc;

use extensions::Repository;
use extensions::reference::NameError;
use extensions::trust::{Matcher, MatcherError, TrustRoot};
use serde::Deserialize;

use super::{Signer, TrustError, TrustSpec, content, key, root};

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file is not of the form.
    #[error("it is not of the form: {0}")]
    Form(String),
    /// Repositories have another name.
    #[error("rule {rule} is for no repositories")]
    Images {
        /// The rule, counted from one.
        rule: usize,
        /// Why.
        #[source]
        source: NameError,
    },
    /// A rule says neither or both.
    #[error("rule {rule} needs either `signers` or `unsigned: true`")]
    Accepted {
        /// The rule, counted from one.
        rule: usize,
    },
    /// A signer is none, or several.
    #[error(
        "signer {signer} of rule {rule} is none: expected `key`, `talos: true`, or one of `issuer` and `issuerPattern` with one of `identity` and `identityPattern`"
    )]
    Signer {
        /// The rule, counted from one.
        rule: usize,
        /// The signer, counted from one.
        signer: usize,
    },
    /// A pattern is none.
    #[error("rule {rule} has a pattern that is none")]
    Pattern {
        /// The rule, counted from one.
        rule: usize,
        /// Why.
        #[source]
        source: MatcherError,
    },
    /// A file that a rule names is not what it should be.
    #[error("rule {rule} names a file that cannot be used")]
    Named {
        /// The rule, counted from one.
        rule: usize,
        /// Why.
        #[source]
        source: Box<TrustError>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rules: Vec<WrittenRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    images: Option<String>,
    signers: Option<Vec<WrittenSigner>>,
    #[serde(default)]
    unsigned: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenSigner {
    key: Option<String>,
    #[serde(default)]
    talos: bool,
    issuer: Option<String>,
    issuer_pattern: Option<String>,
    identity: Option<String>,
    identity_pattern: Option<String>,
    trusted_root: Option<String>,
}

pub(super) fn read(path: &Path) -> Result<Vec<TrustSpec>, TrustError> {
    let text = content(path)?;
    let dir = path.parent().unwrap_or(Path::new(""));
    parse(&text, dir).map_err(|source| TrustError::File { path: path.to_owned(), source: Box::new(source) })
}

/// Understands a text whose paths start at `dir`.
pub(super) fn parse(text: &str, dir: &Path) -> Result<Vec<TrustSpec>, FileError> {
    let written: Written =
        serde_saphyr::from_str(text).map_err(|error| FileError::Form(error.to_string()))?;
    let mut specs = Vec::new();
    for (at, written) in written.rules.into_iter().enumerate() {
        let rule = at + 1;
        let images: Option<Repository> = written
            .images
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|source| FileError::Images { rule, source })?;
        match (written.signers, written.unsigned) {
            (None, true) => specs.push(TrustSpec { images, accepted: Signer::Unsigned }),
            (Some(signers), false) if !signers.is_empty() => {
                for (at, signer) in signers.into_iter().enumerate() {
                    let accepted = signer.understand(dir, (rule, at + 1))?;
                    specs.push(TrustSpec { images: images.clone(), accepted });
                }
            }
            (Some(_) | None, _) => return Err(FileError::Accepted { rule }),
        }
    }
    Ok(specs)
}

impl WrittenSigner {
    fn understand(self, dir: &Path, (rule, signer): (usize, usize)) -> Result<Signer, FileError> {
        let named = |source| FileError::Named { rule, source: Box::new(source) };
        let issuer = either(self.issuer, self.issuer_pattern, rule)?;
        let identity = either(self.identity, self.identity_pattern, rule)?;
        let own: Option<Arc<TrustRoot>> =
            self.trusted_root.map(|path| root(&dir.join(path))).transpose().map_err(named)?;
        match (self.key, self.talos, issuer, identity, own) {
            (Some(path), false, Named::Not, Named::Not, None) => {
                key(&dir.join(path)).map(Signer::Key).map_err(named)
            }
            (None, true, Named::Not, Named::Not, None) => Ok(Signer::Talos),
            (None, false, Named::Once(issuer), Named::Once(identity), root) => {
                Ok(Signer::Keyless { identity, issuer, root })
            }
            _ => Err(FileError::Signer { rule, signer }),
        }
    }
}

/// How often something is given that may be given in two ways.
enum Named {
    Not,
    Once(Matcher),
    Twice,
}

fn either(exact: Option<String>, pattern: Option<String>, rule: usize) -> Result<Named, FileError> {
    match (exact, pattern) {
        (None, None) => Ok(Named::Not),
        (Some(exact), None) => Ok(Named::Once(Matcher::Exact(exact))),
        (None, Some(pattern)) => {
            Matcher::pattern(&pattern).map(Named::Once).map_err(|source| FileError::Pattern { rule, source })
        }
        (Some(_), Some(_)) => Ok(Named::Twice),
    }
}
