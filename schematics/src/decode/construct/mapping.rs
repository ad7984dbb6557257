//! Mappings: unique keys, known fields, merge keys.

use std::collections::{HashMap, HashSet};

use super::targets::Record;
use super::{Builder, Done, MAX_ISSUES, Target};
use crate::decode::error::{DecodeError, shown};
use crate::decode::node::{Content, Node, NodeId};
use crate::value::{Mapping, Value};

type Entries = [(NodeId, NodeId)];

/// What makes two keys the same: kind and spelling, not type.
#[derive(PartialEq, Eq, Hash)]
enum Spelling<'a> {
    Scalar(&'a str),
    Alias(&'a str),
    List,
    Map,
}

impl Builder<'_> {
    /// Makes a mapping into a record of known fields.
    pub(super) fn record<R: Record>(&mut self, record: &mut R, node: &Node, entries: &Entries) -> Done {
        if !self.keys_are_unique(entries) {
            return Ok(false);
        }
        let mut taken = self.merged.take();
        let mut merge = None;
        let mut name = String::new();
        let mut done: Vec<String> = Vec::new();
        for (key, value) in entries {
            let Some(key_node) = self.document.get(*key) else { continue };
            if key_node.is_merge() {
                merge = Some(*value);
                continue;
            }
            if !self.construct(*key, &mut name)? || is_taken(taken.as_mut(), &Value::String(name.clone())) {
                continue;
            }
            let Some(field) = record.field(&name) else {
                self.issue(key_node, format!("field {} not found in type {}", shown(&name), R::NAME), true);
                continue;
            };
            // Two spellings of one key, such as an alias of it.
            if done.contains(&name) {
                self.issue(key_node, format!("field {name} already set in type {}", R::NAME), true);
                continue;
            }
            self.construct_under(&name, *value, field)?;
            done.push(name.clone());
        }
        self.merged = taken;
        if let Some(merge) = merge {
            self.merge(merge, entries, record)?;
        }
        let _ = node;
        Ok(true)
    }

    /// Adds a mapping's entries to `mapping`, with keys made into texts or left as they are.
    pub(super) fn mapping(
        &mut self,
        mapping: &mut Mapping,
        textual: bool,
        node: &Node,
        entries: &Entries,
    ) -> Done {
        if !self.keys_are_unique(entries) {
            return Ok(false);
        }
        let mut taken = self.merged.take();
        let mut merge = None;
        for (key, value) in entries {
            let Some(key_node) = self.document.get(*key) else { continue };
            if key_node.is_merge() {
                merge = Some(*value);
                continue;
            }
            let Some(name) = self.key(*key, textual)? else { continue };
            if is_taken(taken.as_mut(), &name) {
                continue;
            }
            if matches!(name, Value::List(_) | Value::Map(_)) {
                return Err(self.unhashable(key_node));
            }
            let mut made = Value::Null;
            if self.construct_under(&key_text(&name), *value, &mut made)? {
                mapping.insert(name, made);
            }
        }
        self.merged = taken;
        if let Some(merge) = merge {
            let mut target = Merging { mapping, textual };
            self.merge(merge, entries, &mut target)?;
        }
        let _ = node;
        Ok(true)
    }

    /// Whether all keys are texts or merge keys, so that the mapping is one from texts.
    pub(super) fn has_only_text_keys(&self, entries: &Entries) -> bool {
        entries.iter().all(|(key, _)| {
            let tag = self.document.get(*key).map(|node| match node.content {
                Content::Alias { .. } => self.document.behind_aliases(*key).map_or("", Node::short_tag),
                _ => node.short_tag(),
            });
            matches!(tag, Some("!!str" | "!!merge"))
        })
    }

    fn key(&mut self, key: NodeId, textual: bool) -> Result<Option<Value>, DecodeError> {
        if textual {
            let mut text = String::new();
            return Ok(self.construct(key, &mut text)?.then_some(Value::String(text)));
        }
        let mut value = Value::Null;
        Ok(self.construct(key, &mut value)?.then_some(value))
    }

    /// Notes every key that is there twice.
    fn keys_are_unique(&mut self, entries: &Entries) -> bool {
        let mut places: HashMap<Spelling<'_>, Vec<usize>> = HashMap::new();
        let document = self.document;
        for (index, (key, _)) in entries.iter().enumerate() {
            let Some(node) = document.get(*key) else { continue };
            places.entry(spelling(node)).or_default().push(index);
        }
        if places.len() == entries.len() {
            return true;
        }
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for indices in places.values() {
            // Enough for all issues that are kept, whichever come first.
            let firsts = indices.iter().take(MAX_ISSUES).enumerate();
            pairs.extend(firsts.flat_map(|(nth, first)| {
                indices.iter().skip(nth + 1).take(MAX_ISSUES).map(move |second| (*first, *second))
            }));
        }
        pairs.sort_unstable();
        for (first, second) in pairs.into_iter().take(MAX_ISSUES) {
            let node_at = |index: usize| entries.get(index).and_then(|(key, _)| document.get(*key));
            let (Some(first), Some(second)) = (node_at(first), node_at(second)) else { continue };
            let key = match &second.content {
                Content::Scalar { text, .. } | Content::Alias { name: text, .. } => shown(text),
                _ => String::new(),
            };
            let problem = format!("mapping key {key:?} already defined at line {}", first.at.line);
            self.issue(second, problem, true);
        }
        false
    }

    /// Adds what a merge key stands for; keys of the mapping itself win.
    fn merge(&mut self, merge: NodeId, parent: &Entries, target: &mut dyn Target) -> Result<(), DecodeError> {
        let nested = self.merged.is_some();
        if !nested {
            self.merged = Some(self.own_keys(parent)?);
        }
        let Some(node) = self.document.get(merge) else { return Ok(()) };
        match &node.content {
            Content::Map(_) => {
                self.construct(merge, target)?;
            }
            Content::Alias { .. } => self.merge_one(merge, target)?,
            Content::List(items) => {
                for item in items {
                    self.merge_one(*item, target)?;
                }
            }
            Content::Scalar { .. } => return Err(self.not_a_map(node)),
        }
        // What an inner merge took stays taken for the rest of the outer one.
        if !nested {
            self.merged = None;
        }
        Ok(())
    }

    fn merge_one(&mut self, id: NodeId, target: &mut dyn Target) -> Result<(), DecodeError> {
        match self.document.behind_aliases(id) {
            Some(Node { content: Content::Map(_), .. }) => self.construct(id, target).map(|_| ()),
            Some(node) => Err(self.not_a_map(node)),
            None => Ok(()),
        }
    }

    fn own_keys(&mut self, entries: &Entries) -> Result<HashSet<KeyText>, DecodeError> {
        let mut keys = HashSet::new();
        for (key, _) in entries {
            let Some(node) = self.document.get(*key) else { continue };
            match self.key(*key, false)? {
                Some(Value::List(_) | Value::Map(_)) => return Err(self.unhashable(node)),
                Some(value) => {
                    keys.insert(KeyText::of(&value));
                }
                None => {}
            }
        }
        Ok(keys)
    }

    fn not_a_map(&self, node: &Node) -> DecodeError {
        self.fail(node, "map merge requires map or sequence of maps as the value".to_owned())
    }

    fn unhashable(&self, node: &Node) -> DecodeError {
        self.fail(node, "cannot use a list or a mapping as a map key".to_owned())
    }
}

/// What a merge key in a free-form mapping adds to.
struct Merging<'a> {
    mapping: &'a mut Mapping,
    textual: bool,
}

impl Target for Merging<'_> {
    fn type_name(&self) -> &'static str {
        "map[interface {}]interface {}"
    }

    fn scalar(&mut self, _: &super::Found<'_>) -> Result<(), super::Refused> {
        Err(super::Refused::WrongType)
    }

    fn map(&mut self, builder: &mut Builder<'_>, node: &Node, entries: &Entries) -> Done {
        builder.mapping(self.mapping, self.textual, node, entries)
    }
}

/// A key, such that keys of different types differ.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct KeyText(&'static str, String);

impl KeyText {
    fn of(key: &Value) -> Self {
        match key {
            Value::Null | Value::List(_) | Value::Map(_) => Self("null", String::new()),
            Value::Bool(bool) => Self("bool", bool.to_string()),
            Value::Int(int) => Self("int", int.to_string()),
            Value::Uint(uint) => Self("uint", uint.to_string()),
            Value::Float(float) => Self("float", float.to_string()),
            Value::Timestamp(time) => Self("time", time.clone()),
            Value::String(text) => Self("text", text.clone()),
            Value::Binary(bytes) => Self("bytes", format!("{bytes:?}")),
        }
    }
}

/// Whether a key is taken while merging; it is from now on.
fn is_taken(taken: Option<&mut HashSet<KeyText>>, key: &Value) -> bool {
    taken.is_some_and(|taken| !taken.insert(KeyText::of(key)))
}

fn spelling(node: &Node) -> Spelling<'_> {
    match &node.content {
        Content::Scalar { text, .. } => Spelling::Scalar(text),
        Content::Alias { name, .. } => Spelling::Alias(name),
        Content::List(_) => Spelling::List,
        Content::Map(_) => Spelling::Map,
    }
}

/// A key as paths in errors name it.
fn key_text(key: &Value) -> String {
    match key {
        Value::String(text) => shown(text),
        Value::Int(int) => int.to_string(),
        Value::Uint(uint) => uint.to_string(),
        Value::Bool(bool) => bool.to_string(),
        _ => "?".to_owned(),
    }
}
