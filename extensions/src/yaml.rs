//! The little YAML that extension metadata needs: reading bounded documents, writing texts that read back as themselves.

use std::fmt::Write as _;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

/// How deep a document may nest.
pub(crate) const MAX_DEPTH: usize = 16;
/// How many values and keys a document may have.
pub(crate) const MAX_NODES: usize = 4096;

/// A value in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// A scalar by its text; a plain null is the empty text, as for a Go string.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the document, each key once.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value of a key, when this is a mapping that has it.
    pub(crate) fn field(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::Text(_) | Self::List(_) => None,
        }
    }

    /// The text of a key.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.field(key)? {
            Self::Text(text) => Some(text),
            Self::List(_) | Self::Map(_) => None,
        }
    }
}

/// Why a text is not a document we read.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// It is not YAML.
    #[error("the document is not YAML")]
    Syntax(#[source] ScanError),
    /// It is not UTF-8.
    #[error("the document is not UTF-8")]
    Encoding,
    /// It is nested deeper than [`MAX_DEPTH`] or has more than [`MAX_NODES`] values.
    #[error("the document is nested deeper than {MAX_DEPTH} levels or has more than {MAX_NODES} values")]
    TooLarge,
    /// It has an alias, a key that is no text, or a tag: nothing that metadata needs.
    #[error("line {line} of the document has {what}, which is not read here")]
    Unsupported {
        /// Where.
        line: usize,
        /// What.
        what: &'static str,
    },
    /// A key is there twice.
    #[error("line {line} of the document repeats the key `{key}`")]
    Repeated {
        /// Where.
        line: usize,
        /// The key.
        key: String,
    },
}

/// An open collection.
enum Open {
    List(Vec<Node>),
    Map { entries: Vec<(String, Node)>, key: Option<String> },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    nodes: usize,
    root: Option<Node>,
}

/// The first document of `bytes`; `None` when there is none.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Node>, YamlError> {
    let text = std::str::from_utf8(bytes).map_err(|_| YamlError::Encoding)?;
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(YamlError::Syntax)?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        builder.event(event, span.start.line())?;
    }
    Ok(builder.root)
}

impl Builder {
    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), YamlError> {
        match event {
            Event::Alias(_) => Err(YamlError::Unsupported { line, what: "an alias" }),
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => Err(YamlError::Unsupported { line, what: "a tag" }),
            Event::Scalar(text, style, _, None) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "~" | "null" | "Null" | "NULL");
                let text = if null { String::new() } else { text.into_owned() };
                self.value(Node::Text(text), line)
            }
            Event::SequenceStart(_, None) => self.enter(Open::List(Vec::new()), line),
            Event::MappingStart(_, None) => self.enter(Open::Map { entries: Vec::new(), key: None }, line),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(items)) => self.value(Node::List(items), line),
                Some(Open::Map { entries, .. }) => self.value(Node::Map(entries), line),
                None => Ok(()),
            },
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn enter(&mut self, collection: Open, line: usize) -> Result<(), YamlError> {
        if matches!(self.open.last(), Some(Open::Map { key: None, .. })) {
            return Err(YamlError::Unsupported { line, what: "a key that is no text" });
        }
        self.open.push(collection);
        if self.open.len() > MAX_DEPTH { Err(YamlError::TooLarge) } else { Ok(()) }
    }

    fn value(&mut self, node: Node, line: usize) -> Result<(), YamlError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(YamlError::TooLarge);
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map { entries, key }) => match (key.take(), node) {
                (Some(name), node) => entries.push((name, node)),
                (None, Node::Text(name)) => {
                    if entries.iter().any(|(other, _)| *other == name) {
                        return Err(YamlError::Repeated { line, key: name });
                    }
                    *key = Some(name);
                }
                (None, Node::List(_) | Node::Map(_)) => {
                    return Err(YamlError::Unsupported { line, what: "a key that is no text" });
                }
            },
        }
        Ok(())
    }
}

/// `text` as a double-quoted scalar on one line: every reader gives back the same text, whatever is in it.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            ' '..='~' => quoted.push(c),
            _ => escape(&mut quoted, u32::from(c)),
        }
    }
    quoted.push('"');
    quoted
}

fn escape(quoted: &mut String, code: u32) {
    // Writing into a string cannot fail.
    let _: std::fmt::Result = match code {
        0..=0xff => write!(quoted, "\\x{code:02x}"),
        0x100..=0xffff => write!(quoted, "\\u{code:04x}"),
        _ => write!(quoted, "\\U{code:08x}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Node {
        Node::Text(text.to_owned())
    }

    #[test]
    fn a_document_becomes_a_tree_of_texts() {
        let read = read(b"a: 1.10\nb:\n  - ~\n  - \"~\"\nc: {}\n---\nd: 1\n").unwrap().unwrap();
        let expected = vec![
            ("a".to_owned(), text("1.10")),
            ("b".to_owned(), Node::List(vec![text(""), text("~")])),
            ("c".to_owned(), Node::Map(Vec::new())),
        ];
        assert_eq!(read, Node::Map(expected));
    }

    #[test]
    fn what_metadata_does_not_need_is_refused() {
        let deep = format!("{}1{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
        let many = format!("[{}]", "1,".repeat(MAX_NODES + 1));
        for bad in
            ["a: &x 1\nb: *x\n", "a: 1\na: 2\n", "? [a]\n: 1\n", "a: !!binary eA==\n", "a: [\n", &deep, &many]
        {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(matches!(read(b"\xff"), Err(YamlError::Encoding)));
        assert_eq!(read(b"# nothing\n").unwrap(), None);
    }

    #[test]
    fn quoted_texts_read_back() {
        for nasty in
            ["", "yes", "a: b", "\"\\", " x ", "\u{feff}\u{85}\u{2028}\u{0}\u{7f}é😀", "a\n\n b\t\r\n"]
        {
            let read = read(format!("k: {}\n", quoted(nasty)).as_bytes()).unwrap().unwrap();
            assert_eq!(read, Node::Map(vec![("k".to_owned(), text(nasty))]), "{nasty:?}");
        }
    }
}
