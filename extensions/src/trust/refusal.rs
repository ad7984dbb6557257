//! Why an image is not trusted.

use std::fmt;

use schematics::Digest;

use super::policy::Rule;
use crate::reference::ImageRef;

/// The longest part of a foreign text that is repeated.
const MAX_QUOTED: usize = 200;
/// How many findings are told.
const MAX_TOLD: usize = 4;

/// An image that the policy does not let be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{image} is refused: {}", told(policy.as_deref(), found))]
pub struct Untrusted {
    /// The image, or the blob.
    pub image: ImageRef,
    /// What the policy asks for, if anything.
    pub policy: Option<String>,
    /// What was found instead.
    pub found: Vec<Finding>,
}

/// Something that was found where a good signature was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A signature with a key the policy does not name; its id where the signature tells it.
    UnknownKey(Option<Digest>),
    /// A good signature, but of something else.
    OtherImage(String),
    /// A good signature by somebody else.
    OtherIdentity {
        /// Who.
        identity: String,
        /// Who says so.
        issuer: String,
    },
    /// A signature with a certificate, and the policy accepts none.
    Certificate,
    /// A statement about the image that is no signature of it.
    Statement(String),
    /// Something that cannot be used.
    Unusable(String),
    /// The blob belongs to no image that is trusted.
    Loose,
}

impl Untrusted {
    pub(super) fn new(image: &ImageRef, rule: Option<&Rule>, found: Vec<Finding>) -> Self {
        Self { image: image.clone(), policy: rule.map(ToString::to_string), found }
    }
}

fn told(policy: Option<&str>, found: &[Finding]) -> String {
    let Some(policy) = policy else { return "no rule of the policy covers it".to_owned() };
    let mut distinct: Vec<String> = Vec::new();
    for text in found.iter().map(ToString::to_string) {
        if !distinct.contains(&text) {
            distinct.push(text);
        }
    }
    let more = distinct.len().saturating_sub(MAX_TOLD);
    distinct.truncate(MAX_TOLD);
    let found = match (distinct.is_empty(), more) {
        (true, _) => "no signature".to_owned(),
        (false, 0) => distinct.join("; "),
        (false, more) => format!("{}; and {more} more", distinct.join("; ")),
    };
    format!("{policy}, but what was found is {found}")
}

/// A foreign text, made harmless: short, and on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_QUOTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.escape_debug().to_string()
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(Some(key)) => {
                write!(f, "a signature with key {key}, which the policy does not know")
            }
            Self::UnknownKey(None) => f.write_str("a signature with a key the policy does not know"),
            Self::OtherImage(other) => write!(f, "a signature of another digest, `{}`", quoted(other)),
            Self::OtherIdentity { identity, issuer } => {
                write!(f, "a signature by identity `{}` of issuer `{}`", quoted(identity), quoted(issuer))
            }
            Self::Certificate => {
                f.write_str("a signature with a certificate, of which the policy accepts none")
            }
            Self::Statement(kind) => write!(f, "a statement `{}`, which is no signature", quoted(kind)),
            Self::Unusable(why) => write!(f, "a signature that cannot be used ({})", quoted(why)),
            Self::Loose => f.write_str("no trusted image it belongs to"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_texts_stay_short_and_on_one_line() {
        let image = ImageRef { repository: "a/b".parse().unwrap(), digest: Digest::of(b"x") };
        let finding = |text: String| Finding::OtherIdentity { identity: text, issuer: "i".to_owned() };
        let long: Vec<Finding> = (0..9).map(|at| finding(format!("{at}\n{}", "x".repeat(9999)))).collect();
        let error = Untrusted { image, policy: Some("the rule".to_owned()), found: long };
        let text = error.to_string();
        assert!(text.len() < 2000 && !text.contains('\n') && text.ends_with("; and 5 more"), "{text}");
    }
}
