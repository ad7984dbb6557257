//! Scalars without quotes.

use super::input::Gap;
use super::{Kind, Scanned, Scanner};

impl Scanner {
    pub(super) fn plain_scalar(&mut self) -> Scanned<()> {
        // Behind the top level there is no column that continued lines have to reach.
        let indent = self.indent.map_or(0, |indent| indent + 1);
        let start = self.input.at();
        let mut end = start;
        let mut text = String::new();
        let mut gap = Gap::default();
        while !(self.input.is_document_marker("---")
            || self.input.is_document_marker("...")
            || self.input.peek(0) == '#')
        {
            while !self.input.is_blank_or_break(0) && !self.ends_plain_scalar() {
                std::mem::take(&mut gap).fold_into(&mut text);
                text.push(self.input.take());
                end = self.input.at();
            }
            if !(self.input.is_blank() || self.input.is_break(0)) {
                break;
            }
            let broken = gap.first.is_some();
            if gap.take(&mut self.input, broken, indent) {
                let problem = "found a tab character that violates indentation";
                return Err(self.problem("while scanning a plain scalar", start, problem));
            }
            if self.flow_level == 0 && self.input.at().column < indent {
                break;
            }
        }
        if gap.first.is_some() {
            self.key_allowed = true;
        }
        self.push(Kind::Scalar { text, quoted: false }, start);
        if let Some(token) = self.queue.back_mut() {
            token.end = end;
        }
        Ok(())
    }

    /// Whether the next character belongs to what follows the scalar.
    fn ends_plain_scalar(&self) -> bool {
        let flow = self.flow_level > 0;
        match self.input.peek(0) {
            ':' => self.input.is_blank_or_break(1) || (flow && matches!(self.input.peek(1), ',' | ']' | '}')),
            ',' | '[' | ']' | '{' | '}' => flow,
            '?' => flow && self.input.is_blank_or_break(1),
            _ => false,
        }
    }
}
