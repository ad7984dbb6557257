//! Which Talos versions an extension says it works with.
//!
//! The language is that of the Go library blang/semver, version 4 (`ParseRange`), with its habits: a `v` in front of a
//! digit is dropped, terms are separated by blanks, all terms of a group must hold, groups are separated by `||`, a lone
//! character between blanks is skipped, and a negated wildcard (`!1.x`) holds for no version at all.

use std::cmp::Ordering;

use schematics::TalosVersion;
use semver::Version;

/// The longest constraint, in bytes.
pub const MAX_CONSTRAINT: usize = 1024;

/// A constraint on versions. An empty one accepts every version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    groups: Vec<Vec<Comparison>>,
}

/// Why a text is not a constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConstraintError {
    /// The text is longer than [`MAX_CONSTRAINT`].
    #[error("a version constraint of {len} bytes is longer than the {MAX_CONSTRAINT} that are read")]
    TooLong {
        /// How long it is.
        len: usize,
    },
    /// There is nothing on one side of a `||`, or nothing at all.
    #[error("`{text}` is not a version constraint: expected terms on both sides of every `||`")]
    EmptyGroup {
        /// The constraint.
        text: String,
    },
    /// A term is no comparison with a version.
    #[error("`{term}` in the version constraint `{text}` is not a comparison like `>=1.3.0` or `1.3.x`")]
    Term {
        /// The constraint.
        text: String,
        /// The term.
        term: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Constraint {
    /// Reads a constraint.
    ///
    /// # Errors
    /// On everything blang/semver refuses. A wildcard in front of a number (`x.1.0`, `1.x.5`) is refused too; there the
    /// library gives accidental answers.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        if text.len() > MAX_CONSTRAINT {
            return Err(ConstraintError::TooLong { len: text.len() });
        }
        if text.is_empty() {
            return Ok(Self { groups: vec![Vec::new()] });
        }
        let mut groups = Vec::new();
        let mut group = Vec::new();
        let ended = |group: Vec<Comparison>| {
            let empty = || ConstraintError::EmptyGroup { text: text.to_owned() };
            if group.is_empty() { Err(empty()) } else { Ok(group) }
        };
        for term in terms(&without_v(text)) {
            if term == "||" {
                groups.push(ended(std::mem::take(&mut group))?);
                continue;
            }
            let wrong = || ConstraintError::Term { text: text.to_owned(), term: term.clone() };
            group.extend(comparisons(&term).ok_or_else(wrong)?);
        }
        groups.push(ended(group)?);
        Ok(Self { groups })
    }

    /// Whether it accepts `version`, of which only major, minor and patch count.
    #[must_use]
    pub fn accepts(&self, version: &TalosVersion) -> bool {
        let Version { major, minor, patch, .. } = version.semver();
        let core = Version::new(*major, *minor, *patch);
        self.groups.iter().any(|group| group.iter().all(|comparison| comparison.holds(&core)))
    }
}

impl Comparison {
    fn holds(&self, version: &Version) -> bool {
        let order = version.cmp_precedence(&self.version);
        match self.operator {
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual => order != Ordering::Equal,
            Operator::Less => order == Ordering::Less,
            Operator::LessOrEqual => order != Ordering::Greater,
            Operator::Greater => order == Ordering::Greater,
            Operator::GreaterOrEqual => order != Ordering::Less,
        }
    }
}

/// The text without each `v` that stands right before a digit.
fn without_v(text: &str) -> String {
    let mut following = text.chars().skip(1).map(|c| c.is_ascii_digit()).chain([false]);
    text.chars().filter(|c| !(following.next().unwrap_or(false) && *c == 'v')).collect()
}

/// The terms: what blanks separate, except after a comparison sign.
fn terms(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut last = ' ';
    for c in text.chars() {
        match (c, found.last_mut()) {
            (' ', _) if !matches!(last, '<' | '>' | '=') => found.push(String::new()),
            (' ', _) | (_, None) => {}
            (_, Some(term)) => {
                term.push(c);
                last = c;
            }
        }
    }
    found.retain(|term| term.len() > 1);
    found
}

/// The comparisons a term stands for: one, or two for a range.
fn comparisons(term: &str) -> Option<Vec<Comparison>> {
    let (sign, version) = term.split_at(term.find(|c: char| c.is_ascii_digit())?);
    let operator = match sign.trim() {
        "" | "=" | "==" => Operator::Equal,
        "!" | "!=" => Operator::NotEqual,
        "<" => Operator::Less,
        "<=" => Operator::LessOrEqual,
        ">" => Operator::Greater,
        ">=" => Operator::GreaterOrEqual,
        _ => return None,
    };
    match wildcard(version) {
        Some((first, behind)) => Some(wildcard_comparisons(operator, first, behind)),
        None => Some(vec![Comparison { operator, version: Version::parse(version).ok()? }]),
    }
}

/// The first version of a wildcard such as `1.x`, and the first one behind it.
fn wildcard(text: &str) -> Option<(Version, Version)> {
    let numbers = text.strip_suffix(".x")?;
    let numbers = numbers.strip_suffix(".x").map_or((numbers, true), |numbers| (numbers, false));
    // With so few dots in front, there is no room for a pre-release or a build.
    let parsed = |text: &str| Version::parse(text).ok();
    match numbers.0.split('.').count() {
        1 if numbers.1 => {
            let first = parsed(&format!("{}.0.0", numbers.0))?;
            let behind = Version::new(first.major.checked_add(1)?, 0, 0);
            Some((first, behind))
        }
        // `1.x.x` is read as `1.0.x`.
        count @ (1 | 2) => {
            let padding = if count == 1 { ".0" } else { "" };
            let first = parsed(&format!("{}{padding}.0", numbers.0))?;
            let behind = Version::new(first.major, first.minor.checked_add(1)?, 0);
            Some((first, behind))
        }
        _ => None,
    }
}

fn wildcard_comparisons(operator: Operator, first: Version, behind: Version) -> Vec<Comparison> {
    let at = |operator, version| Comparison { operator, version };
    match operator {
        Operator::Equal => vec![at(Operator::GreaterOrEqual, first), at(Operator::Less, behind)],
        Operator::NotEqual => vec![at(Operator::Less, first), at(Operator::GreaterOrEqual, behind)],
        Operator::Less | Operator::GreaterOrEqual => vec![at(operator, first)],
        Operator::LessOrEqual => vec![at(Operator::Less, behind)],
        Operator::Greater => vec![at(Operator::GreaterOrEqual, behind)],
    }
}

#[cfg(test)]
mod tests;
