//! Lists in brackets and mappings in braces.

use super::{Composed, Composer, Content, Context, Kind, NodeId, problem};
use crate::decode::error::Position;

impl Composer {
    pub(super) fn flow_list(&mut self) -> Composed<Content> {
        let start = self.scanner.next()?.start;
        let mut items = Vec::new();
        while self.another(&Kind::FlowListEnd, items.is_empty(), start)? {
            items.push(match self.peek()? {
                Kind::Key => self.pair()?,
                _ => self.node(Context::Flow)?,
            });
        }
        Ok(Content::List(items))
    }

    /// A mapping of one pair that is an item of a list.
    fn pair(&mut self) -> Composed<NodeId> {
        let token = self.scanner.next()?;
        let id = self.add(token.start, None, Content::empty())?;
        let key = match self.peek()? {
            Kind::Value | Kind::FlowEntry | Kind::FlowListEnd => {
                // The library takes the token here, so `[? : b]` is an error and `[?]` is no end.
                let end = self.scanner.next()?.end;
                self.empty(end)?
            }
            _ => self.node(Context::Flow)?,
        };
        let value = self.flow_value(&Kind::FlowListEnd)?;
        if let Some(node) = self.nodes.get_mut(id.0) {
            node.content = Content::Map(vec![(key, value)]);
        }
        Ok(id)
    }

    pub(super) fn flow_map(&mut self) -> Composed<Content> {
        let start = self.scanner.next()?.start;
        let mut entries = Vec::new();
        while self.another(&Kind::FlowMapEnd, entries.is_empty(), start)? {
            let explicit = self.peek()? == &Kind::Key;
            if explicit {
                self.scanner.next()?;
            }
            let key = match self.peek()? {
                Kind::Value | Kind::FlowEntry | Kind::FlowMapEnd if explicit => {
                    let at = self.scanner.peek()?.start;
                    self.empty(at)?
                }
                _ => self.node(Context::Flow)?,
            };
            self.path.push(self.key_text(key));
            let value = if explicit {
                self.flow_value(&Kind::FlowMapEnd)?
            } else {
                let at = self.scanner.peek()?.start;
                self.empty(at)?
            };
            self.path.pop();
            entries.push((key, value));
        }
        Ok(Content::Map(entries))
    }

    /// Whether another item follows; takes the comma in front of it, or the end.
    fn another(&mut self, end: &Kind, first: bool, start: Position) -> Composed<bool> {
        if !first && self.peek()? != end {
            let token = self.scanner.peek()?;
            if token.kind != Kind::FlowEntry {
                let (context, message) = if *end == Kind::FlowListEnd {
                    ("while parsing a flow sequence", "did not find expected ',' or ']'")
                } else {
                    ("while parsing a flow mapping", "did not find expected ',' or '}'")
                };
                return Err(problem(Some((context, start)), message, token.start));
            }
            self.scanner.next()?;
        }
        if self.peek()? == end {
            self.scanner.next()?;
            return Ok(false);
        }
        Ok(true)
    }

    /// What is behind a colon, if there is one and if there is something.
    fn flow_value(&mut self, end: &Kind) -> Composed<NodeId> {
        let at = self.scanner.peek()?.start;
        if self.peek()? == &Kind::Value {
            self.scanner.next()?;
            let next = self.peek()?;
            if *next != Kind::FlowEntry && next != end {
                return self.node(Context::Flow);
            }
        }
        self.empty(at)
    }
}
