//! What opens and closes collections, and what becomes a key.

use super::{Kind, Scanned, Scanner};
use crate::decode::error::Position;

/// Something that a colon behind it would make a key.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SimpleKey {
    pub(super) possible: bool,
    /// In block context, at the column of the keys: nothing but a key can stand there.
    pub(super) required: bool,
    pub(super) flow_level: usize,
    /// The number of its first token, counted from the start of the stream.
    pub(super) token: usize,
    pub(super) at: Position,
}

impl Scanner {
    /// Scans something that may become a key.
    pub(super) fn with_key(&mut self, scan: impl FnOnce(&mut Self) -> Scanned<()>) -> Scanned<()> {
        self.save_key()?;
        self.key_allowed = false;
        scan(self)
    }

    fn save_key(&mut self) -> Scanned<()> {
        if self.key_allowed {
            self.drop_key()?;
            let at = self.input.at();
            self.key = SimpleKey {
                possible: true,
                required: self.flow_level == 0 && self.indent == Some(at.column),
                flow_level: self.flow_level,
                token: self.taken + self.queue.len(),
                at,
            };
        }
        Ok(())
    }

    pub(super) fn drop_key(&mut self) -> Scanned<()> {
        if self.key.required {
            return Err(self.problem(
                "while scanning a simple key",
                self.key.at,
                "could not find expected ':'",
            ));
        }
        self.key.possible = false;
        Ok(())
    }

    /// Begins a block at `column` if that is further right than the current one.
    fn roll(&mut self, column: usize, start: Kind, token: usize, at: Position) {
        if self.flow_level == 0 && self.indent.is_none_or(|indent| indent < column) {
            self.indents.push(self.indent);
            self.indent = Some(column);
            self.insert(start, token, at);
        }
    }

    /// Ends the blocks that are further right than `column`; all of them when there is none.
    pub(super) fn unroll(&mut self, column: Option<usize>) {
        while self.flow_level == 0 && self.indent > column {
            self.push(Kind::BlockEnd, self.input.at());
            self.indent = self.indents.pop().flatten();
        }
    }

    pub(super) fn flow_start(&mut self, kind: Kind) -> Scanned<()> {
        self.save_key()?;
        self.flow_level += 1;
        if self.key.possible {
            self.keys.push(self.key);
        }
        self.key = SimpleKey::default();
        self.key_allowed = true;
        self.push_indicator(kind);
        Ok(())
    }

    pub(super) fn flow_end(&mut self, kind: Kind) -> Scanned<()> {
        self.drop_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(key) = self.keys.pop_if(|key| key.flow_level == self.flow_level) {
                self.key = key;
            }
        }
        self.key_allowed = false;
        self.push_indicator(kind);
        Ok(())
    }

    pub(super) fn flow_entry(&mut self) -> Scanned<()> {
        self.drop_key()?;
        self.key_allowed = true;
        self.push_indicator(Kind::FlowEntry);
        Ok(())
    }

    /// Begins a block for an indicator that has to be where a key may be.
    fn block_indicator(&mut self, start: Kind, refusal: &str) -> Scanned<()> {
        if self.flow_level > 0 {
            return Ok(());
        }
        if !self.key_allowed {
            return Err(self.plain_problem(refusal));
        }
        let at = self.input.at();
        self.roll(at.column, start, usize::MAX, at);
        Ok(())
    }

    pub(super) fn block_entry(&mut self) -> Scanned<()> {
        self.block_indicator(Kind::BlockListStart, "block sequence entries are not allowed in this context")?;
        self.drop_key()?;
        self.key_allowed = true;
        self.push_indicator(Kind::BlockEntry);
        Ok(())
    }

    pub(super) fn explicit_key(&mut self) -> Scanned<()> {
        self.block_indicator(Kind::BlockMapStart, "mapping keys are not allowed in this context")?;
        self.drop_key()?;
        self.key_allowed = self.flow_level == 0;
        self.push_indicator(Kind::Key);
        Ok(())
    }

    pub(super) fn value(&mut self) -> Scanned<()> {
        if self.key.possible && self.key.at.line == self.input.at().line {
            let key = self.key;
            self.insert(Kind::Key, key.token, key.at);
            self.roll(key.at.column, Kind::BlockMapStart, key.token, key.at);
            self.key.possible = false;
            self.key.required = false;
            self.key_allowed = false;
        } else {
            self.block_indicator(Kind::BlockMapStart, "mapping values are not allowed in this context")?;
            self.key_allowed = self.flow_level == 0;
        }
        self.push_indicator(Kind::Value);
        Ok(())
    }
}
