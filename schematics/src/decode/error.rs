//! Why a text is not a schematic.

use std::fmt;

use crate::blame::{Blame, Blamed};

/// How much of a foreign text an error repeats, in characters.
const MAX_SHOWN: usize = 64;

/// A place in the text, both parts counted from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// Why a text is not YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which step found it, as the Go library names its steps.
    pub stage: &'static str,
    /// What was being read, and where that began.
    pub context: Option<(&'static str, Position)>,
    /// What was found or missed.
    pub message: String,
    /// Where.
    pub at: Position,
}

impl Problem {
    /// The text has ended.
    pub(super) fn at_end() -> Self {
        let message = "did not find expected token".to_owned();
        Self { stage: "parser", context: None, message, at: Position::default() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, context, message, at } = self;
        match context {
            None => write!(f, "{stage} at {at}: {message}"),
            Some((context, start)) if start == at => write!(f, "{stage} ({context}) at {at}: {message}"),
            Some((context, start)) if start.line == at.line => {
                write!(f, "{stage} ({context}) at {start}-C{}: {message}", at.column)
            }
            Some((context, start)) => write!(f, "{stage} ({context}) at {start}-{at}: {message}"),
        }
    }
}

/// Why a text is not a schematic.
///
/// The texts begin as those of the Go library, since clients print and compare them, and then name the field where the
/// library does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There is no document.
    #[error("EOF")]
    Empty,
    /// The text is no Unicode text, or has characters that YAML does not allow.
    #[error("go-yaml load error in reader at {at}: {problem} (line {})", at.line)]
    Characters {
        /// What was found.
        problem: String,
        /// Where.
        at: Position,
    },
    /// The text is not YAML.
    #[error("go-yaml load error in {problem} ({})", place(problem.at, field))]
    Syntax {
        /// What was found or missed.
        problem: Problem,
        /// The keys on the way there.
        field: String,
    },
    /// An alias of an anchor that is not there.
    #[error("go-yaml load error in composer at {at}: unknown anchor '{name}' referenced ({})", place(*at, field))]
    UnknownAnchor {
        /// The name.
        name: String,
        /// Where.
        at: Position,
        /// The keys on the way there.
        field: String,
    },
    /// An anchor that is inside itself.
    #[error("go-yaml load error in composer at {at}: anchor '{name}' value contains itself ({})", place(*at, field))]
    SelfContained {
        /// The name.
        name: String,
        /// Where.
        at: Position,
        /// The keys on the way there.
        field: String,
    },
    /// Lists and mappings nest too deeply.
    #[error("go-yaml load error in parser at {at}: exceeded max depth of {} ({})", super::MAX_DEPTH, place(*at, field))]
    TooDeep {
        /// Where.
        at: Position,
        /// The keys on the way there.
        field: String,
    },
    /// The document has too many nodes.
    #[error("go-yaml load error in parser at {at}: exceeded max of {} nodes ({})", super::MAX_NODES, place(*at, field))]
    TooManyNodes {
        /// Where.
        at: Position,
        /// The keys on the way there.
        field: String,
    },
    /// Aliases make the document too large.
    #[error("go-yaml load error in constructor at {at}: document contains excessive aliasing ({})", place(*at, field))]
    TooManyAliases {
        /// Where.
        at: Position,
        /// The keys on the way there.
        field: String,
    },
    /// Something that ends construction at once, such as a value that is not what its tag says.
    #[error("go-yaml load error in constructor at {at}: {problem} ({})", place(*at, field))]
    Construct {
        /// What was found and what was expected.
        problem: String,
        /// Where.
        at: Position,
        /// The field.
        field: String,
    },
    /// The document is not a schematic. There is at least one issue.
    #[error("yaml: construct errors: {}", Issues(.0))]
    Issues(Vec<Issue>),
}

impl Blamed for DecodeError {
    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

/// One thing that does not belong into a schematic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The line, counted from 1.
    pub line: usize,
    /// What was found and what was expected.
    pub problem: String,
    /// The field, where `problem` does not name it.
    pub field: Option<String>,
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)?;
        match self.field.as_deref() {
            None | Some("") => Ok(()),
            Some(field) => write!(f, " (field {field})"),
        }
    }
}

struct Issues<'a>(&'a [Issue]);

impl fmt::Display for Issues<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, issue) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{issue}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}.C{}", self.line, self.column)
    }
}

/// A place in words.
fn place(at: Position, field: &str) -> String {
    match field {
        "" => format!("line {}", at.line),
        field => format!("line {}, field {field}", at.line),
    }
}

/// As much of a foreign text as an error repeats.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}
