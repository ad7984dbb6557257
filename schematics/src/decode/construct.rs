//! From the tree to typed values, with the rules of the Go library: what fits what, what a null does, what merges.

mod any;
mod mapping;
mod scalar;
mod targets;

use super::error::{DecodeError, Issue};
use super::node::{Content, Document, Node, NodeId};
use std::collections::HashSet;

use mapping::KeyText;
pub(super) use scalar::Found;

/// How many nodes may be made into values, counting what aliases stand for each time.
pub const MAX_CONSTRUCTED: usize = 50_000;

/// How many issues one error lists.
pub const MAX_ISSUES: usize = 32;

/// How many items a list, or entries a mapping, may have.
pub const MAX_ITEMS: usize = 1024;

/// Something that a node can be made into.
///
/// Each method says whether there is a value now. If there is none, either an issue was noted or the node is one that
/// counts for nothing here, such as a null where the type knows no null.
pub(super) trait Target {
    /// The name of the type in errors: those the Go service has, which clients know.
    fn type_name(&self) -> &'static str;

    /// Takes a scalar that is not null.
    ///
    /// # Errors
    /// `Refused` when the scalar does not fit; the caller notes the issue.
    fn scalar(&mut self, found: &Found<'_>) -> Result<(), Refused>;

    /// Takes a null: whether it is a value here.
    fn null(&mut self) -> bool {
        false
    }

    /// Takes a list.
    fn list(&mut self, builder: &mut Builder<'_>, node: &Node, items: &[NodeId]) -> Done {
        let _ = items;
        self.refuse_collection(builder, node)
    }

    /// Takes a mapping.
    fn map(&mut self, builder: &mut Builder<'_>, node: &Node, entries: &[(NodeId, NodeId)]) -> Done {
        let _ = entries;
        self.refuse_collection(builder, node)
    }

    /// Notes that a list or mapping does not fit.
    fn refuse_collection(&mut self, builder: &mut Builder<'_>, node: &Node) -> Done {
        builder.wrong_type(node, node.short_tag(), self.type_name());
        Ok(false)
    }
}

/// Why a scalar does not fit its target.
pub(super) enum Refused {
    /// It has the wrong type.
    WrongType,
    /// The type is right and the value is not.
    Value(String),
    /// It counts for nothing.
    Silently,
}

/// Whether there is a value, or what ended construction.
pub(super) type Done = Result<bool, DecodeError>;

/// The state of construction.
pub(super) struct Builder<'a> {
    document: &'a Document,
    pub(super) issues: Vec<Issue>,
    /// Names of fields and indices of items on the way to the current node.
    path: Vec<String>,
    constructed: usize,
    from_aliases: usize,
    depth: usize,
    /// The aliases that are being followed.
    following: Vec<NodeId>,
    /// While merging: the keys that are taken.
    merged: Option<HashSet<KeyText>>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self {
            document,
            issues: Vec::new(),
            path: Vec::new(),
            constructed: 0,
            from_aliases: 0,
            depth: 0,
            following: Vec::new(),
            merged: None,
        }
    }

    /// Makes the node into `target`.
    pub(super) fn construct(&mut self, id: NodeId, target: &mut dyn Target) -> Done {
        let Some(node) = self.document.get(id) else { return Ok(false) };
        self.count(node)?;
        self.depth += 1;
        let done = self.construct_node(id, node, target);
        self.depth -= 1;
        done
    }

    fn construct_node(&mut self, id: NodeId, node: &Node, target: &mut dyn Target) -> Done {
        match &node.content {
            Content::Alias { name, target: behind } => {
                if self.following.contains(&id) {
                    let (name, at) = (super::error::shown(name), node.at);
                    return Err(DecodeError::SelfContained { name, at, field: self.field() });
                }
                self.follow(id, *behind, target)
            }
            Content::Scalar { text, .. } => self.scalar(node, text, target),
            Content::List(items) => {
                self.check_length(node, items.len())?;
                target.list(self, node, items)
            }
            Content::Map(entries) => {
                self.check_length(node, entries.len())?;
                target.map(self, node, entries)
            }
        }
    }

    /// Makes the node into `target`, which is under `name` in what is being made.
    pub(super) fn construct_under(&mut self, name: &str, id: NodeId, target: &mut dyn Target) -> Done {
        self.path.push(super::error::shown(name));
        let done = self.construct(id, target);
        self.path.pop();
        done
    }

    /// The path of the current field.
    pub(super) fn field(&self) -> String {
        self.path.join(".")
    }

    /// Notes an issue; the ones above the limit are not kept.
    pub(super) fn issue(&mut self, node: &Node, problem: String, names_field: bool) {
        if self.issues.len() < MAX_ISSUES {
            let field = (!names_field).then(|| self.field());
            self.issues.push(Issue { line: node.at.line, problem, field });
        }
    }

    /// Notes that a node has a wrong type.
    pub(super) fn wrong_type(&mut self, node: &Node, tag: &str, type_name: &str) {
        let tag = node.tag.as_deref().unwrap_or(tag);
        let value = match &node.content {
            Content::Scalar { text, .. } => format!(" `{}`", shortened(text)),
            _ if matches!(tag, "!!seq" | "!!map") => String::new(),
            _ => " ``".to_owned(),
        };
        self.issue(node, format!("cannot construct {tag}{value} into {type_name}"), false);
    }

    /// An error that ends construction.
    pub(super) fn fail(&self, node: &Node, problem: String) -> DecodeError {
        DecodeError::Construct { problem, at: node.at, field: self.field() }
    }

    fn count(&mut self, node: &Node) -> Result<(), DecodeError> {
        // Aliases can nest what the text does not; an alias and what it stands for are two levels.
        if self.depth > 2 * super::MAX_DEPTH {
            return Err(DecodeError::TooDeep { at: node.at, field: self.field() });
        }
        self.constructed += 1;
        if !self.following.is_empty() {
            self.from_aliases += 1;
        }
        // The ratio is the library's: nearly everything comes from aliases.
        let mostly_aliases = self.from_aliases > 100
            && self.constructed > 1000
            && self.from_aliases.saturating_mul(100) > self.constructed.saturating_mul(99);
        if mostly_aliases || self.constructed > MAX_CONSTRUCTED {
            return Err(DecodeError::TooManyAliases { at: node.at, field: self.field() });
        }
        Ok(())
    }

    fn follow(&mut self, id: NodeId, behind: NodeId, target: &mut dyn Target) -> Done {
        self.following.push(id);
        let done = self.construct(behind, target);
        self.following.pop();
        done
    }

    fn check_length(&self, node: &Node, length: usize) -> Result<(), DecodeError> {
        if length > MAX_ITEMS {
            return Err(self.fail(node, format!("{length} items are too many: expected at most {MAX_ITEMS}")));
        }
        Ok(())
    }
}

/// A value as errors repeat it: long ones are cut.
fn shortened(text: &str) -> String {
    const LONG: usize = 10;
    const KEPT: usize = 7;
    if text.len() <= LONG {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if kept.len() + c.len_utf8() > KEPT {
            break;
        }
        kept.push(c);
    }
    kept + "..."
}
