//! From tokens to the tree of the first document.

mod block;
mod flow;

use std::collections::HashMap;

use super::error::{DecodeError, Position, Problem, shown};
use super::node::{Content, Document, Node, NodeId};
use super::scan::{Kind, Scanner, Token};

/// How deep lists and mappings may nest.
pub const MAX_DEPTH: usize = 100;

/// How many scalars, lists and mappings a document may have.
pub const MAX_NODES: usize = 50_000;

/// The tree of the first document, and its root; nothing when there is no document.
pub(super) fn compose(text: &str) -> Result<Option<(Document, NodeId)>, DecodeError> {
    let mut composer = Composer {
        scanner: Scanner::new(text),
        nodes: Vec::new(),
        anchors: HashMap::new(),
        handles: HashMap::new(),
        path: Vec::new(),
        depth: 0,
    };
    match composer.document() {
        Ok(root) => Ok(root.map(|root| (Document { nodes: composer.nodes }, root))),
        Err(Stop::Problem(problem)) => {
            Err(DecodeError::Syntax { problem: *problem, field: composer.field() })
        }
        Err(Stop::Error(error)) => Err(error),
    }
}

/// What ends composing.
enum Stop {
    Problem(Box<Problem>),
    Error(DecodeError),
}

impl From<Box<Problem>> for Stop {
    fn from(problem: Box<Problem>) -> Self {
        Self::Problem(problem)
    }
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Error(error)
    }
}

type Composed<T> = Result<T, Stop>;

/// In which context a node stands.
#[derive(Clone, Copy, PartialEq)]
enum Context {
    /// In brackets or braces.
    Flow,
    /// In a block list or at the top.
    Block,
    /// In a block mapping, where a list needs no indentation of its own.
    BlockMap,
}

struct Composer {
    scanner: Scanner,
    nodes: Vec<Node>,
    /// An anchor stands for its node from its start on.
    anchors: HashMap<String, NodeId>,
    /// The prefixes that tag handles stand for.
    handles: HashMap<String, String>,
    /// The keys on the way to what is being read, for errors.
    path: Vec<String>,
    depth: usize,
}

impl Composer {
    fn field(&self) -> String {
        self.path.join(".")
    }

    fn document(&mut self) -> Composed<Option<NodeId>> {
        while self.peek()? == &Kind::DocumentEnd {
            self.scanner.next()?;
        }
        if self.peek()? == &Kind::StreamEnd {
            return Ok(None);
        }
        let implicit =
            !matches!(self.peek()?, Kind::Version(..) | Kind::TagDirective(..) | Kind::DocumentStart);
        self.directives()?;
        let root = if implicit { self.node(Context::Block)? } else { self.explicit_document()? };
        // The library looks for the end of the document, and so sees what is wrong right behind it.
        self.scanner.peek()?;
        Ok(Some(root))
    }

    fn explicit_document(&mut self) -> Composed<NodeId> {
        let token = self.scanner.next()?;
        if token.kind != Kind::DocumentStart {
            return Err(problem(None, "did not find expected <document start>", token.start));
        }
        match self.peek()? {
            Kind::Version(..)
            | Kind::TagDirective(..)
            | Kind::DocumentStart
            | Kind::DocumentEnd
            | Kind::StreamEnd => {
                let at = self.scanner.peek()?.start;
                self.empty(at)
            }
            _ => self.node(Context::Block),
        }
    }

    fn directives(&mut self) -> Composed<()> {
        let mut versions = 0;
        while matches!(self.peek()?, Kind::Version(..) | Kind::TagDirective(..)) {
            let token = self.scanner.next()?;
            match token.kind {
                Kind::Version(..) if versions > 0 => {
                    return Err(problem(None, "found duplicate %YAML directive", token.start));
                }
                Kind::Version(1, 1) => versions += 1,
                Kind::Version(..) => {
                    return Err(problem(None, "found incompatible YAML document", token.start));
                }
                Kind::TagDirective(handle, _) if self.handles.contains_key(&handle) => {
                    return Err(problem(None, "found duplicate %TAG directive", token.start));
                }
                Kind::TagDirective(handle, prefix) => {
                    self.handles.insert(handle, prefix);
                }
                _ => {}
            }
        }
        self.handles.entry("!".to_owned()).or_insert_with(|| "!".to_owned());
        self.handles.entry("!!".to_owned()).or_insert_with(|| "tag:yaml.org,2002:".to_owned());
        Ok(())
    }

    fn peek(&mut self) -> Composed<&Kind> {
        Ok(&self.scanner.peek()?.kind)
    }

    fn node(&mut self, context: Context) -> Composed<NodeId> {
        self.depth += 1;
        let at = self.scanner.peek()?.start;
        if self.depth > MAX_DEPTH + 1 {
            return Err(DecodeError::TooDeep { at, field: self.field() }.into());
        }
        let node = self.node_at(context, at);
        self.depth -= 1;
        node
    }

    fn node_at(&mut self, context: Context, at: Position) -> Composed<NodeId> {
        if matches!(self.peek()?, Kind::Alias(_)) {
            let token = self.scanner.next()?;
            return self.alias(token);
        }
        let (anchor, tag) = self.properties(at)?;
        let has_properties = anchor.is_some() || tag.is_some();
        let id = self.add(at, tag, Content::empty())?;
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
        let block = context != Context::Flow;
        let content = match self.peek()? {
            Kind::BlockEntry if context == Context::BlockMap => self.indentless_list()?,
            Kind::Scalar { .. } => match self.scanner.next()?.kind {
                Kind::Scalar { text, quoted } => Content::Scalar { text, quoted },
                _ => Content::empty(),
            },
            Kind::FlowListStart => self.flow_list()?,
            Kind::FlowMapStart => self.flow_map()?,
            Kind::BlockListStart if block => self.block_list()?,
            Kind::BlockMapStart if block => self.block_map()?,
            _ if has_properties => Content::empty(),
            _ => {
                let context = if block { "while parsing a block node" } else { "while parsing a flow node" };
                let found = self.scanner.peek()?.start;
                return Err(problem(Some((context, at)), "did not find expected node content", found));
            }
        };
        if let Some(node) = self.nodes.get_mut(id.0) {
            node.content = content;
        }
        Ok(id)
    }

    fn alias(&mut self, token: Token) -> Composed<NodeId> {
        let Kind::Alias(name) = token.kind else { return self.empty(token.start) };
        let Some(target) = self.anchors.get(&name).copied() else {
            return Err(DecodeError::UnknownAnchor {
                name: shown(&name),
                at: token.start,
                field: self.field(),
            }
            .into());
        };
        self.add(token.start, None, Content::Alias { name, target })
    }

    /// Anchor and tag, in either order.
    fn properties(&mut self, start: Position) -> Composed<(Option<String>, Option<String>)> {
        let (mut anchor, mut tag) = (None, None);
        loop {
            match self.peek()? {
                Kind::Anchor(_) if anchor.is_none() => {
                    if let Kind::Anchor(name) = self.scanner.next()?.kind {
                        anchor = Some(name);
                    }
                }
                Kind::Tag(..) if tag.is_none() => {
                    let token = self.scanner.next()?;
                    if let Kind::Tag(handle, suffix) = token.kind {
                        tag = Some(self.resolve_tag(&handle, &suffix, (start, token.start))?);
                    }
                }
                _ => return Ok((anchor, tag)),
            }
        }
    }

    fn resolve_tag(&self, handle: &str, suffix: &str, (start, at): (Position, Position)) -> Composed<String> {
        const CORE: &str = "tag:yaml.org,2002:";
        let prefix = match handle {
            "" => "",
            _ => self.handles.get(handle).ok_or_else(|| {
                problem(Some(("while parsing a node", start)), "found undefined tag handle", at)
            })?,
        };
        let full = format!("{prefix}{suffix}");
        Ok(full.strip_prefix(CORE).map(|name| format!("!!{name}")).unwrap_or(full))
    }

    fn empty(&mut self, at: Position) -> Composed<NodeId> {
        self.add(at, None, Content::empty())
    }

    fn key_text(&self, key: NodeId) -> String {
        match self.nodes.get(key.0).map(|node| &node.content) {
            Some(Content::Scalar { text, .. }) => shown(text),
            _ => "?".to_owned(),
        }
    }

    fn add(&mut self, at: Position, tag: Option<String>, content: Content) -> Composed<NodeId> {
        if self.nodes.len() >= MAX_NODES {
            return Err(DecodeError::TooManyNodes { at, field: self.field() }.into());
        }
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node { at, tag, content });
        Ok(id)
    }
}

fn problem(context: Option<(&'static str, Position)>, message: &str, at: Position) -> Stop {
    Stop::Problem(Box::new(Problem { stage: "parser", context, message: message.to_owned(), at }))
}
