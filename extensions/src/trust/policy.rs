//! Whose signatures count, by repository.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use builder::plan::CanonicalWriter;
use schematics::Digest;
use signing::PublicKey;

use super::identity::Matcher;
use super::root::TrustRoot;
use crate::reference::Repository;

/// Who signs Talos: the issuer, and the identities, which have to fit whole.
const TALOS_ISSUER: &str = "https://accounts.google.com";
const TALOS_IDENTITIES: &str =
    r"[^@\s]+@siderolabs\.com|releasemgr-svc@talos-production\.iam\.gserviceaccount\.com";

/// Which images are accepted. What no rule covers is refused.
#[derive(Debug, Clone, Default)]
pub struct TrustPolicy {
    /// The most exact first.
    rules: Vec<Rule>,
}

/// What is accepted of some repositories.
#[derive(Debug, Clone)]
pub struct Rule {
    images: Option<Repository>,
    accepted: Accepted,
    id: Digest,
}

/// What is accepted.
#[derive(Debug, Clone)]
pub enum Accepted {
    /// Anything, signed or not.
    Unsigned,
    /// What one of these has signed.
    SignedBy(Vec<TrustedSigner>),
}

/// Somebody whose signature counts.
#[derive(Debug, Clone)]
pub enum TrustedSigner {
    /// Who has this key. A transparency log is not asked for.
    Key(PublicKey),
    /// Who can prove an identity.
    Keyless(Keyless),
}

/// An identity that somebody vouches for with a certificate.
#[derive(Debug, Clone)]
pub struct Keyless {
    /// The name in the certificate, such as an e-mail address or the address of a workflow.
    pub identity: Matcher,
    /// Who has checked the identity: an OpenID Connect issuer.
    pub issuer: Matcher,
    /// The authorities and logs that are believed.
    pub root: Arc<TrustRoot>,
}

/// Why rules make no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A rule accepts everything, and another one for the same repositories does not.
    #[error("{images}: unsigned images are accepted, and signers are named as well; say one of them")]
    Contradiction {
        /// The repositories.
        images: String,
    },
    /// A rule that nobody can fulfil.
    #[error("{images}: no signer is named")]
    Nobody {
        /// The repositories.
        images: String,
    },
}

impl Keyless {
    /// Those who sign Talos and what belongs to it, as Image Factory knows them.
    ///
    /// # Errors
    /// Never in practice: the pattern is one.
    pub fn talos(root: Arc<TrustRoot>) -> Result<Self, super::MatcherError> {
        let identity = Matcher::pattern(TALOS_IDENTITIES)?;
        Ok(Self { identity, issuer: Matcher::Exact(TALOS_ISSUER.to_owned()), root })
    }
}

impl TrustPolicy {
    /// A policy of rules, each for the repositories at and below a name, or for all. Signers for the same name add up; of
    /// several names the longest counts alone.
    ///
    /// # Errors
    /// When the rules for a name contradict each other, or name nobody.
    pub fn new(rules: Vec<(Option<Repository>, Accepted)>) -> Result<Self, PolicyError> {
        let mut merged: BTreeMap<Option<Repository>, Accepted> = BTreeMap::new();
        for (images, accepted) in rules {
            let both = match (merged.remove(&images), accepted) {
                (None, only) => only,
                (Some(Accepted::Unsigned), Accepted::Unsigned) => Accepted::Unsigned,
                (Some(Accepted::SignedBy(mut all)), Accepted::SignedBy(more)) => {
                    all.extend(more);
                    Accepted::SignedBy(all)
                }
                (Some(_), _) => return Err(PolicyError::Contradiction { images: covered(images.as_ref()) }),
            };
            if matches!(&both, Accepted::SignedBy(signers) if signers.is_empty()) {
                return Err(PolicyError::Nobody { images: covered(images.as_ref()) });
            }
            merged.insert(images, both);
        }
        let mut rules: Vec<Rule> =
            merged.into_iter().map(|(images, accepted)| Rule::new(images, accepted)).collect();
        rules.sort_by_key(|rule| {
            std::cmp::Reverse(rule.images.as_ref().map_or(0, |name| name.as_str().len()))
        });
        Ok(Self { rules })
    }

    /// The rules, the most exact first.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule for a repository.
    #[must_use]
    pub fn rule(&self, repository: &Repository) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.covers(repository))
    }
}

impl Rule {
    fn new(images: Option<Repository>, accepted: Accepted) -> Self {
        let mut id = CanonicalWriter::new("factory trust 1");
        match &accepted {
            Accepted::Unsigned => {
                id.text("unsigned");
            }
            Accepted::SignedBy(signers) => {
                for signer in signers {
                    signer.identify(&mut id);
                }
            }
        }
        let id = Digest::of(&id.finish());
        Self { images, accepted, id }
    }

    /// Whether it is for this repository.
    #[must_use]
    pub fn covers(&self, repository: &Repository) -> bool {
        let Some(images) = &self.images else { return true };
        let rest = repository.as_str().strip_prefix(images.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Who may sign; `None` when nobody has to.
    #[must_use]
    pub fn signers(&self) -> Option<&[TrustedSigner]> {
        match &self.accepted {
            Accepted::Unsigned => None,
            Accepted::SignedBy(signers) => Some(signers),
        }
    }

    /// The name under which it is remembered what this rule says of a digest.
    pub(super) fn key(&self, digest: Digest) -> Digest {
        let mut key = CanonicalWriter::new("factory trusted 1");
        key.digests(&[self.id, digest]);
        Digest::of(&key.finish())
    }
}

impl TrustedSigner {
    fn identify(&self, id: &mut CanonicalWriter) {
        match self {
            Self::Key(key) => {
                id.text("key").digests(&[key.id().digest()]);
            }
            Self::Keyless(keyless) => {
                id.text("keyless");
                for (kind, text) in [keyless.identity.parts(), keyless.issuer.parts()] {
                    id.text(kind).text(text);
                }
                id.digests(&[keyless.root.id()]);
            }
        }
    }
}

fn covered(images: Option<&Repository>) -> String {
    images.map_or_else(|| "all images".to_owned(), |images| format!("images of {images}"))
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&covered(self.images.as_ref()))?;
        match &self.accepted {
            Accepted::Unsigned => f.write_str(" need no signature"),
            Accepted::SignedBy(signers) => {
                f.write_str(" must be signed")?;
                for (at, signer) in signers.iter().enumerate() {
                    write!(f, "{} {signer}", if at == 0 { "" } else { " or" })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for TrustedSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "with key {}", key.id()),
            Self::Keyless(Keyless { identity, issuer, .. }) => {
                write!(f, "by identity {identity} of issuer {issuer}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use signing::SigningKey;

    use super::*;

    fn by(key: &SigningKey) -> Accepted {
        Accepted::SignedBy(vec![TrustedSigner::Key(key.public_key().clone())])
    }

    fn name(text: &str) -> Repository {
        text.parse().unwrap()
    }

    #[test]
    fn the_longest_name_counts_alone_and_ends_at_a_slash() {
        let (one, two) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let rules = vec![
            (Some(name("siderolabs")), by(&one)),
            (Some(name("siderolabs/imager")), by(&two)),
            (Some(name("lab")), Accepted::Unsigned),
        ];
        let policy = TrustPolicy::new(rules).unwrap();
        let said = |repository: &str| policy.rule(&name(repository)).map(ToString::to_string);
        let expected = format!("images of siderolabs must be signed with key {}", one.id());
        assert_eq!(said("siderolabs/gvisor"), Some(expected));
        assert!(said("siderolabs/imager").unwrap().contains(&two.id().to_string()));
        assert_eq!(said("lab/a/b"), Some("images of lab need no signature".to_owned()));
        for other in ["siderolabs2/imager", "labs", "other"] {
            assert_eq!(said(other), None, "{other}");
        }
        assert!(TrustPolicy::default().rule(&name("a")).is_none(), "refusing is the default");
    }

    #[test]
    fn signers_add_up_and_contradictions_are_refused() {
        let (one, two) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let policy = TrustPolicy::new(vec![(None, by(&one)), (None, by(&two))]).unwrap();
        assert_eq!(policy.rule(&name("a")).unwrap().signers().unwrap().len(), 2);
        let both = TrustPolicy::new(vec![(None, by(&one)), (None, Accepted::Unsigned)]);
        assert_eq!(both.unwrap_err().to_string().split(':').next(), Some("all images"));
        let nobody = TrustPolicy::new(vec![(Some(name("a")), Accepted::SignedBy(Vec::new()))]);
        assert!(matches!(nobody, Err(PolicyError::Nobody { .. })));
    }

    #[test]
    fn another_signer_asks_again() {
        let (one, two) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let key = |rules| TrustPolicy::new(rules).unwrap().rules()[0].key(Digest::of(b"image"));
        let alone = key(vec![(None, by(&one))]);
        assert_eq!(
            alone,
            key(vec![(Some(name("a")), by(&one))]),
            "the same signers, whatever the rule is for"
        );
        assert_ne!(alone, key(vec![(None, by(&two))]));
        assert_ne!(alone, key(vec![(None, by(&one)), (None, by(&two))]));
    }
}
