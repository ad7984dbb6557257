//! Statements about files and images: in-toto attestation framework, statement v1.

use std::collections::BTreeMap;

use schematics::{Blame, Blamed, Digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The payload type of statements in envelopes.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// What statements say they are.
const TYPE: &str = "https://in-toto.io/Statement/v1";
/// What older programs write, which has the same shape.
const TYPE_V0: &str = "https://in-toto.io/Statement/v0.1";
/// The only digest that is looked at.
const SHA256: &str = "sha256";

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// A name for people: that of a file, or the name of an image without tag.
    pub name: String,
    /// The SHA-256 of the file or manifest.
    pub digest: Digest,
}

/// A claim of one kind about some things.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// What it is about; at least one.
    pub subjects: Vec<Subject>,
    /// What kind of claim it is: the URI of a predicate type.
    pub predicate_type: String,
    /// The claim.
    pub predicate: Value,
}

/// Why a text is no statement.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// It is not of the shape.
    #[error("not an in-toto statement")]
    Shape(#[source] serde_json::Error),
    /// It is a statement of a kind that is not known.
    #[error("expected a statement of the type {TYPE}, but it is `{found}`")]
    Type {
        /// What it says it is.
        found: String,
    },
    /// It is about nothing, or about something without a SHA-256.
    #[error("the statement does not say what it is about by a SHA-256")]
    Subjects,
}

impl Blamed for StatementError {
    fn blame(&self) -> Blame {
        Blame::Upstream
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<WrittenSubject>,
    predicate_type: String,
    #[serde(default)]
    predicate: Value,
}

#[derive(Serialize, Deserialize)]
struct WrittenSubject {
    #[serde(default)]
    name: String,
    digest: BTreeMap<String, String>,
}

impl Statement {
    /// The statement as JSON. The same statement has the same bytes: members of the predicate are in the order of its
    /// [`Value`], which sorts them.
    ///
    /// # Errors
    /// Never in practice: when the predicate cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let subject = |subject: &Subject| WrittenSubject {
            name: subject.name.clone(),
            digest: BTreeMap::from([(SHA256.to_owned(), subject.digest.hex())]),
        };
        serde_json::to_vec(&Written {
            kind: TYPE.to_owned(),
            subject: self.subjects.iter().map(subject).collect(),
            predicate_type: self.predicate_type.clone(),
            predicate: self.predicate.clone(),
        })
    }

    /// Reads a statement, of version 1 or 0.1. The caller has bounded its length, and checked who signed it.
    ///
    /// # Errors
    /// When it is none, or does not name each subject by a SHA-256.
    pub fn decode(bytes: &[u8]) -> Result<Self, StatementError> {
        let written: Written = serde_json::from_slice(bytes).map_err(StatementError::Shape)?;
        if written.kind != TYPE && written.kind != TYPE_V0 {
            return Err(StatementError::Type { found: written.kind });
        }
        let subject = |subject: WrittenSubject| {
            let digest = Digest::from_hex(subject.digest.get(SHA256)?).ok()?;
            Some(Subject { name: subject.name, digest })
        };
        let subjects: Option<Vec<Subject>> = written.subject.into_iter().map(subject).collect();
        let subjects = subjects.filter(|subjects| !subjects.is_empty()).ok_or(StatementError::Subjects)?;
        let Written { predicate_type, predicate, .. } = written;
        Ok(Self { subjects, predicate_type, predicate })
    }

    /// Whether it is about the file or image with this digest.
    #[must_use]
    pub fn is_about(&self, digest: &Digest) -> bool {
        self.subjects.iter().any(|subject| subject.digest == *digest)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn statement() -> Statement {
        Statement {
            subjects: vec![Subject { name: "a.iso".to_owned(), digest: Digest::of(b"a") }],
            predicate_type: "https://example.org/p/v1".to_owned(),
            predicate: json!({"z": 1, "a": [2]}),
        }
    }

    #[test]
    fn a_statement_is_read_as_it_was_written() {
        let text = String::from_utf8(statement().encode().unwrap()).unwrap();
        let expected = format!(
            "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{{\"name\":\"a.iso\",\"digest\":{{\"sha256\":\
             \"{}\"}}}}],\"predicateType\":\"https://example.org/p/v1\",\"predicate\":{{\"a\":[2],\"z\":1}}}}",
            Digest::of(b"a").hex()
        );
        assert_eq!(text, expected);
        let read = Statement::decode(text.as_bytes()).unwrap();
        assert_eq!(read, statement());
        assert!(read.is_about(&Digest::of(b"a")) && !read.is_about(&Digest::of(b"b")));
        assert_eq!(
            Statement::decode(text.replace("Statement/v1", "Statement/v0.1").as_bytes()).unwrap(),
            read
        );
    }

    #[test]
    fn what_is_about_nothing_is_refused() {
        let text = String::from_utf8(statement().encode().unwrap()).unwrap();
        for (bad, expected) in [
            (text.replace("sha256", "sha1"), "by a SHA-256"),
            (text.replace(&Digest::of(b"a").hex(), "00"), "by a SHA-256"),
            (text.replace("Statement/v1", "Statement/v2"), "Statement/v2"),
            (text.replace("_type", "type"), "not an in-toto statement"),
            (text.replace("[{", "[],\"x\":[{"), "by a SHA-256"),
            (String::new(), "not an in-toto statement"),
        ] {
            let error = Statement::decode(bad.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}: {bad}");
        }
    }
}
