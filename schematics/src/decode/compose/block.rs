//! Lists and mappings by indentation.

use super::{Composed, Composer, Content, Context, Kind, NodeId, problem};
use crate::decode::error::Position;

impl Composer {
    pub(super) fn block_list(&mut self) -> Composed<Content> {
        let start = self.scanner.next()?.start;
        let mut items = Vec::new();
        loop {
            let token = self.scanner.next()?;
            match token.kind {
                Kind::BlockEntry if matches!(self.peek()?, Kind::BlockEntry | Kind::BlockEnd) => {
                    items.push(self.empty(token.end)?);
                }
                Kind::BlockEntry => items.push(self.node(Context::Block)?),
                Kind::BlockEnd => return Ok(Content::List(items)),
                _ => {
                    let context = Some(("while parsing a block collection", start));
                    return Err(problem(context, "did not find expected '-' indicator", token.start));
                }
            }
        }
    }

    pub(super) fn indentless_list(&mut self) -> Composed<Content> {
        let mut items = Vec::new();
        while self.peek()? == &Kind::BlockEntry {
            let token = self.scanner.next()?;
            items.push(match self.peek()? {
                Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd => self.empty(token.end)?,
                _ => self.node(Context::Block)?,
            });
        }
        Ok(Content::List(items))
    }

    pub(super) fn block_map(&mut self) -> Composed<Content> {
        let start = self.scanner.next()?.start;
        let mut entries = Vec::new();
        loop {
            let token = self.scanner.next()?;
            match token.kind {
                Kind::Key => {
                    let key = self.block_map_node(token.end)?;
                    self.path.push(self.key_text(key));
                    let value = if self.peek()? == &Kind::Value {
                        let end = self.scanner.next()?.end;
                        self.block_map_node(end)?
                    } else {
                        let at = self.scanner.peek()?.start;
                        self.empty(at)?
                    };
                    self.path.pop();
                    entries.push((key, value));
                }
                Kind::BlockEnd => return Ok(Content::Map(entries)),
                _ => {
                    let context = Some(("while parsing a block mapping", start));
                    return Err(problem(context, "did not find expected key", token.start));
                }
            }
        }
    }

    /// A key or value, empty at `end` of its indicator if there is nothing.
    fn block_map_node(&mut self, end: Position) -> Composed<NodeId> {
        match self.peek()? {
            Kind::Key | Kind::Value | Kind::BlockEnd => self.empty(end),
            _ => self.node(Context::BlockMap),
        }
    }
}
