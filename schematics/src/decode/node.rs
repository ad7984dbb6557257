//! A document as a tree.

use super::error::Position;
use super::resolve::{self, Kind};

/// The index of a node in its [`Document`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NodeId(pub(super) usize);

/// One node, where it is, and the tag that was written on it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) tag: Option<String>,
    pub(super) content: Content,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Content {
    Scalar { text: String, quoted: bool },
    List(Vec<NodeId>),
    Map(Vec<(NodeId, NodeId)>),
    Alias { name: String, target: NodeId },
}

impl Content {
    /// An empty scalar, which is null.
    pub(super) const fn empty() -> Self {
        Self::Scalar { text: String::new(), quoted: false }
    }
}

/// The nodes of a document.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) nodes: Vec<Node>,
}

impl Document {
    pub(super) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0)
    }

    /// The node behind aliases.
    pub(super) fn behind_aliases(&self, id: NodeId) -> Option<&Node> {
        let mut node = self.get(id)?;
        while let Content::Alias { target, .. } = &node.content {
            node = self.get(*target)?;
        }
        Some(node)
    }
}

impl Node {
    /// Whether quotes, block style or a tag say that it is a text.
    pub(super) fn is_indicated_string(&self) -> bool {
        match (&self.content, self.tag.as_deref()) {
            (Content::Scalar { .. }, Some("!!str")) => true,
            (Content::Scalar { quoted, .. }, None | Some("!")) => *quoted,
            _ => false,
        }
    }

    /// Its tag, as written or else as its content implies.
    pub(super) fn short_tag(&self) -> &str {
        match (self.tag.as_deref(), &self.content) {
            (None, Content::Scalar { text, quoted: false }) => resolve::kind_of(text).tag(),
            (None | Some("!"), Content::Scalar { .. }) => Kind::String.tag(),
            (None | Some("!"), Content::List(_)) => "!!seq",
            (None | Some("!"), Content::Map(_)) => "!!map",
            (None | Some("!"), Content::Alias { .. }) => "",
            (Some(tag), _) => tag,
        }
    }

    /// Whether it is a merge key.
    pub(super) fn is_merge(&self) -> bool {
        matches!(self.content, Content::Scalar { .. }) && self.short_tag() == Kind::Merge.tag()
    }
}
