//! Identities in certificates, and what is wanted of them.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// The largest compiled pattern, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// What a name has to be.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// Exactly this.
    Exact(String),
    /// Something this pattern describes from its first to its last character.
    Pattern(Pattern),
}

/// A regular expression for a whole text.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    anchored: Regex,
}

/// A text is no regular expression.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{text}` is not a regular expression")]
pub struct MatcherError {
    /// The text.
    pub text: String,
    /// Why.
    #[source]
    pub source: regex::Error,
}

impl Matcher {
    /// A regular expression that has to describe the whole name: what stands around a match would be anybody's to choose.
    ///
    /// # Errors
    /// When it is none, or too large.
    pub fn pattern(text: &str) -> Result<Self, MatcherError> {
        // Compiled alone first, so that no unbalanced bracket can end the group around it.
        let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build();
        let anchored = compile(text).and_then(|_| compile(&format!(r"\A(?:{text})\z")));
        let anchored = anchored.map_err(|source| MatcherError { text: text.to_owned(), source })?;
        Ok(Self::Pattern(Pattern { text: text.to_owned(), anchored }))
    }

    /// Whether a name is what is wanted.
    #[must_use]
    pub fn accepts(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Pattern(pattern) => pattern.anchored.is_match(name),
        }
    }

    /// A word for the kind and the text, which together say all.
    pub(super) fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Exact(exact) => ("exact", exact),
            Self::Pattern(pattern) => ("pattern", &pattern.text),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => write!(f, "`{exact}`"),
            Self::Pattern(pattern) => write!(f, "/{}/", pattern.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_describes_the_whole_name() {
        let pattern = Matcher::pattern(r"[^@\s]+@siderolabs\.com|b").unwrap();
        assert!(pattern.accepts("a@siderolabs.com") && pattern.accepts("b"));
        for name in ["", "a@siderolabs.com.evil", "x\na@siderolabs.com", "ab", "a@siderolabsXcom", "b\n"] {
            assert!(!pattern.accepts(name), "{name:?}");
        }
        let anchored = Matcher::pattern("(^a$)").unwrap();
        assert!(anchored.accepts("a") && !anchored.accepts("ba"));
        assert!(!Matcher::Exact("a".to_owned()).accepts("ab"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["(", "a)|(b", "[", "x{1000000}"] {
            assert!(Matcher::pattern(text).is_err(), "{text}");
        }
    }
}
