//! Scalars in quotes.

use super::input::Gap;
use super::{Kind, Scanned, Scanner};
use crate::decode::error::Position;

const CONTEXT: &str = "while scanning a quoted scalar";

impl Scanner {
    /// A scalar between two of `quote`.
    pub(super) fn quoted_scalar(&mut self, quote: char) -> Scanned<()> {
        let start = self.input.at();
        self.input.skip();
        let mut text = String::new();
        loop {
            if self.input.is_document_marker("---") || self.input.is_document_marker("...") {
                return Err(self.problem(CONTEXT, start, "found unexpected document indicator"));
            }
            if self.input.is_end() {
                return Err(self.problem(CONTEXT, start, "found unexpected end of stream"));
            }
            let joined = self.quoted_run(quote, start, &mut text)?;
            if self.input.peek(0) == quote {
                break;
            }
            let mut gap = Gap::default();
            gap.take(&mut self.input, joined, 0);
            if joined {
                gap.blanks.clear();
            }
            gap.fold_into(&mut text);
        }
        self.input.skip();
        self.push(Kind::Scalar { text, quoted: true }, start);
        Ok(())
    }

    /// Characters up to a blank, a break or the end of the scalar. Whether an escaped break joined two lines.
    fn quoted_run(&mut self, quote: char, start: Position, text: &mut String) -> Scanned<bool> {
        while !self.input.is_blank_or_break(0) {
            match (quote, self.input.peek(0)) {
                ('\'', '\'') if self.input.peek(1) == '\'' => {
                    self.input.skip();
                    text.push(self.input.take());
                }
                (quote, c) if c == quote => break,
                ('"', '\\') if self.input.is_break(1) => {
                    self.input.skip();
                    self.input.skip_line();
                    return Ok(true);
                }
                ('"', '\\') => text.push(self.escape(start)?),
                _ => text.push(self.input.take()),
            }
        }
        Ok(false)
    }

    fn escape(&mut self, start: Position) -> Scanned<char> {
        let c = match self.input.peek(1) {
            '0' => '\0',
            'a' => '\u{07}',
            'b' => '\u{08}',
            't' | '\t' => '\t',
            'n' => '\n',
            'v' => '\u{0B}',
            'f' => '\u{0C}',
            'r' => '\r',
            'e' => '\u{1B}',
            c @ (' ' | '"' | '\'' | '\\') => c,
            'N' => '\u{85}',
            '_' => '\u{A0}',
            'L' => '\u{2028}',
            'P' => '\u{2029}',
            'x' => return self.numeric_escape(2, start),
            'u' => return self.numeric_escape(4, start),
            'U' => return self.numeric_escape(8, start),
            _ => return Err(self.problem(CONTEXT, start, "found unknown escape character")),
        };
        self.input.skip();
        self.input.skip();
        Ok(c)
    }

    fn numeric_escape(&mut self, digits: usize, start: Position) -> Scanned<char> {
        self.input.skip();
        self.input.skip();
        let mut code = 0_u32;
        for ahead in 0..digits {
            let Some(digit) = self.input.peek(ahead).to_digit(16) else {
                return Err(self.problem(CONTEXT, start, "did not find expected hexadecimal number"));
            };
            code = code << 4 | digit;
        }
        let Some(c) = char::from_u32(code) else {
            return Err(self.problem(CONTEXT, start, "found invalid Unicode character escape code"));
        };
        for _ in 0..digits {
            self.input.skip();
        }
        Ok(c)
    }
}
