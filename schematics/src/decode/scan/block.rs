//! Block scalars, literal and folded.

use super::{Kind, Scanned, Scanner};
use crate::decode::error::Position;

const CONTEXT: &str = "while scanning a block scalar";

/// What becomes of the breaks at the end.
#[derive(Clone, Copy, PartialEq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl Scanner {
    pub(super) fn block_scalar(&mut self, literal: bool) -> Scanned<()> {
        let start = self.input.at();
        self.input.skip();
        let (chomping, increment) = self.block_header(start)?;
        // Columns count from 1, so a block at the top that is indented by n begins in column n + 1.
        let mut indent = increment.map(|increment| self.indent.unwrap_or(1) + increment);
        let (mut text, mut last, mut breaks) = (String::new(), None, String::new());
        let mut end = self.block_breaks(&mut indent, &mut breaks, start)?;
        let mut after_blank = false;
        while Some(self.input.at().column) == indent && !self.input.is_end() {
            let blank = self.input.is_blank();
            if !literal && !after_blank && !blank && last == Some('\n') {
                if breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.extend(last);
            }
            text.push_str(&breaks);
            breaks.clear();
            after_blank = blank;
            while !self.input.is_break_or_end() {
                text.push(self.input.take());
            }
            last = self.input.take_line();
            end = self.block_breaks(&mut indent, &mut breaks, start)?;
        }
        if chomping != Chomping::Strip {
            text.extend(last);
        }
        if chomping == Chomping::Keep {
            text.push_str(&breaks);
        }
        self.push(Kind::Scalar { text, quoted: true }, start);
        if let Some(token) = self.queue.back_mut() {
            token.end = end;
        }
        Ok(())
    }

    /// The indicators behind the bar or bracket, in either order, and the rest of the line.
    fn block_header(&mut self, start: Position) -> Scanned<(Chomping, Option<usize>)> {
        let mut chomping = self.chomping();
        let increment = self.increment(start)?;
        if chomping.is_none() && increment.is_some() {
            chomping = self.chomping();
        }
        self.input.skip_blanks();
        self.input.skip_comment();
        if !self.input.is_break_or_end() {
            return Err(self.problem(CONTEXT, start, "did not find expected comment or line break"));
        }
        self.input.skip_line();
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    fn chomping(&mut self) -> Option<Chomping> {
        let chomping = match self.input.peek(0) {
            '+' => Chomping::Keep,
            '-' => Chomping::Strip,
            _ => return None,
        };
        self.input.skip();
        Some(chomping)
    }

    fn increment(&mut self, start: Position) -> Scanned<Option<usize>> {
        let increment = match self.input.peek(0) {
            '0' => return Err(self.problem(CONTEXT, start, "found an indentation indicator equal to 0")),
            c @ '1'..='9' => c.to_digit(10).and_then(|digit| usize::try_from(digit).ok()),
            _ => return Ok(None),
        };
        self.input.skip();
        Ok(increment)
    }

    /// Takes breaks and the indentation in front of the next line, and finds out what the indentation is.
    ///
    /// Returns where the last break ended.
    fn block_breaks(
        &mut self,
        indent: &mut Option<usize>,
        breaks: &mut String,
        start: Position,
    ) -> Scanned<Position> {
        let mut end = self.input.at();
        let mut deepest = 0;
        loop {
            let inside = |column: usize| indent.is_none_or(|indent| column < indent);
            while inside(self.input.at().column) && self.input.peek(0) == ' ' {
                self.input.skip();
            }
            deepest = deepest.max(self.input.at().column);
            if inside(self.input.at().column) && self.input.peek(0) == '\t' {
                let problem = "found a tab character where an indentation space is expected";
                return Err(self.problem(CONTEXT, start, problem));
            }
            let Some(c) = self.input.take_line() else { break };
            breaks.push(c);
            end = self.input.at();
        }
        if indent.is_none() {
            *indent = Some(deepest.max(self.indent.map_or(0, |indent| indent + 1)).max(1));
        }
        Ok(end)
    }
}
