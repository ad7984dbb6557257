//! From the parser's events to the tree of the first document.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::error::{DecodeError, Position};
use super::node::{Content, Document, Node, NodeId, anchor_name};

/// How deep lists and mappings may nest.
pub const MAX_DEPTH: usize = 100;

/// How many scalars, lists and mappings a document may have.
pub const MAX_NODES: usize = 50_000;

/// How many lone dashes in flow lists are tolerated.
const MAX_DASHES: usize = 64;

/// The tree of the first document, and its root; nothing when there is no document.
pub(super) fn compose(text: &str) -> Result<Option<(Document, NodeId)>, DecodeError> {
    let mut text = text.to_owned();
    let mut dashes = 0;
    loop {
        let mut composer = Composer::new(&text);
        match composer.document() {
            Ok(root) => {
                let nodes = composer.nodes;
                return Ok(root.map(|root| (Document { nodes, text }, root)));
            }
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::LoneDash(_, error)) if dashes == MAX_DASHES => return Err(error),
            Err(Stop::LoneDash(at, _)) => text = with_quoted_dash(&text, at),
        }
        dashes += 1;
    }
}

/// The text with the dash that is its character `at` in quotes.
///
/// YAML 1.2 refuses `[-]`, and so does the parser; for the Go library it is a list with a dash, and there are ids of it.
fn with_quoted_dash(text: &str, at: usize) -> String {
    let mut chars = text.chars();
    let before: String = chars.by_ref().take(at).collect();
    let after: String = chars.skip(1).collect();
    format!("{before}'-'{after}")
}

/// What ends composing.
enum Stop {
    Error(DecodeError),
    /// A dash alone in a flow list, the character of that index; and what to say if that is too much.
    LoneDash(usize, DecodeError),
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Error(error)
    }
}

struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    text: &'a str,
    nodes: Vec<Node>,
    /// What the parser's anchor numbers stand for. An anchor stands for its node from its start on.
    anchors: HashMap<usize, NodeId>,
    /// The keys on the way to what is being read, for errors.
    keys: Vec<String>,
}

impl<'a> Composer<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            parser: Parser::new_from_str(text),
            text,
            nodes: Vec::new(),
            anchors: HashMap::new(),
            keys: Vec::new(),
        }
    }

    /// The root of the first document.
    fn document(&mut self) -> Result<Option<NodeId>, Stop> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::Nothing, _) => {}
                (Event::DocumentStart(_), _) => break,
                _ => return Ok(None),
            }
        }
        let first = self.next()?;
        let root = self.node(first, 0)?;
        self.next()?;
        Ok(Some(root))
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn syntax(&self, error: &ScanError) -> Stop {
        let at = position(error.marker());
        let field = self.keys.join(".");
        if error.info().contains("unknown anchor") {
            return DecodeError::UnknownAnchor { name: anchor_name(self.text, at), at, field }.into();
        }
        let syntax = DecodeError::Syntax { problem: error.info().to_owned(), at, field };
        if error.info().contains("cannot start with '-' followed by") {
            return Stop::LoneDash(error.marker().index(), syntax);
        }
        syntax.into()
    }

    fn node(&mut self, (event, span): (Event<'a>, Span), depth: usize) -> Result<NodeId, Stop> {
        let at = position(&span.start);
        if depth > MAX_DEPTH {
            return Err(DecodeError::TooDeep { at, field: self.keys.join(".") }.into());
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = style != ScalarStyle::Plain;
                let content = Content::Scalar { text: text.into_owned(), quoted };
                self.add(at, tag_text(tag.as_deref()), anchor, content)
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor).copied() else {
                    let (name, field) = (anchor_name(self.text, at), self.keys.join("."));
                    return Err(DecodeError::UnknownAnchor { name, at, field }.into());
                };
                self.add(at, None, 0, Content::Alias { anchor, target })
            }
            Event::SequenceStart(anchor, tag) => {
                let id = self.add(at, tag_text(tag.as_deref()), anchor, Content::List(Vec::new()))?;
                let items = self.items(depth)?;
                self.fill(id, Content::List(items));
                Ok(id)
            }
            Event::MappingStart(anchor, tag) => {
                let id = self.add(at, tag_text(tag.as_deref()), anchor, Content::Map(Vec::new()))?;
                let entries = self.entries(depth)?;
                self.fill(id, Content::Map(entries));
                Ok(id)
            }
            // The parser never sends anything else inside a document; if it did, it would stand for nothing.
            _ => self.add(at, None, 0, Content::Scalar { text: String::new(), quoted: false }),
        }
    }

    fn items(&mut self, depth: usize) -> Result<Vec<NodeId>, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, _) => return Ok(items),
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(NodeId, NodeId)>, Stop> {
        let mut entries = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd | Event::StreamEnd, _) => return Ok(entries),
                event => self.node(event, depth + 1)?,
            };
            self.keys.push(self.key_text(key));
            let value = self.next()?;
            entries.push((key, self.node(value, depth + 1)?));
            self.keys.pop();
        }
    }

    fn key_text(&self, key: NodeId) -> String {
        match self.nodes.get(key.0).map(|node| &node.content) {
            Some(Content::Scalar { text, .. }) => super::error::shown(text),
            _ => "?".to_owned(),
        }
    }

    fn add(
        &mut self,
        at: Position,
        tag: Option<String>,
        anchor: usize,
        content: Content,
    ) -> Result<NodeId, Stop> {
        if self.nodes.len() >= MAX_NODES {
            return Err(DecodeError::TooManyNodes { at, field: self.keys.join(".") }.into());
        }
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node { at, tag, content });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        Ok(id)
    }

    fn fill(&mut self, id: NodeId, content: Content) {
        if let Some(node) = self.nodes.get_mut(id.0) {
            node.content = content;
        }
    }
}

fn position(marker: &saphyr_parser::Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

/// A tag in its short form; nothing when there is none.
fn tag_text(tag: Option<&Tag>) -> Option<String> {
    const CORE: &str = "tag:yaml.org,2002:";
    let tag = tag?;
    let full = format!("{}{}", tag.handle, tag.suffix);
    Some(match full.strip_prefix(CORE) {
        Some(name) => format!("!!{name}"),
        None => full,
    })
}
