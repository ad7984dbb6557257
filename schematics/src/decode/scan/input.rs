//! Characters and where they are.

use crate::decode::error::Position;

/// The characters of a text, one after the other. Behind the end there is nothing but NUL, which no text contains.
#[derive(Debug)]
pub(super) struct Input {
    chars: Vec<char>,
    next: usize,
    at: Position,
}

impl Input {
    pub(super) fn new(text: &str) -> Self {
        Self { chars: text.chars().collect(), next: 0, at: Position { line: 1, column: 1 } }
    }

    /// Where the next character is.
    pub(super) const fn at(&self) -> Position {
        self.at
    }

    /// The character that is `ahead` characters behind the next one.
    pub(super) fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.next + ahead).copied().unwrap_or('\0')
    }

    pub(super) fn is_end(&self) -> bool {
        self.next >= self.chars.len()
    }

    pub(super) fn is_break(&self, ahead: usize) -> bool {
        matches!(self.peek(ahead), '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
    }

    pub(super) fn is_blank(&self) -> bool {
        matches!(self.peek(0), ' ' | '\t')
    }

    /// Whether there is a break or the end.
    pub(super) fn is_break_or_end(&self) -> bool {
        self.is_break(0) || self.peek(0) == '\0'
    }

    /// Whether there is a blank, a break or the end.
    pub(super) fn is_blank_or_break(&self, ahead: usize) -> bool {
        matches!(self.peek(ahead), ' ' | '\t' | '\0') || self.is_break(ahead)
    }

    /// Whether the line begins with a marker of three characters that stands alone.
    pub(super) fn is_document_marker(&self, marker: &str) -> bool {
        self.at.column == 1
            && marker.chars().enumerate().all(|(ahead, c)| self.peek(ahead) == c)
            && self.is_blank_or_break(3)
    }

    /// Passes a character that is no break.
    pub(super) fn skip(&mut self) {
        if !self.is_end() {
            self.next += 1;
            self.at.column += 1;
        }
    }

    /// Takes a character that is no break.
    pub(super) fn take(&mut self) -> char {
        let c = self.peek(0);
        self.skip();
        c
    }

    /// Passes a break, if there is one.
    pub(super) fn skip_line(&mut self) {
        self.take_line();
    }

    /// Takes a break, if there is one, as the character it stands for.
    pub(super) fn take_line(&mut self) -> Option<char> {
        if !self.is_break(0) {
            return None;
        }
        let c = self.peek(0);
        self.next += if c == '\r' && self.peek(1) == '\n' { 2 } else { 1 };
        self.at = Position { line: self.at.line + 1, column: 1 };
        Some(if matches!(c, '\u{2028}' | '\u{2029}') { c } else { '\n' })
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank() {
            self.skip();
        }
    }

    /// Passes a comment, if there is one, up to its break.
    pub(super) fn skip_comment(&mut self) {
        if self.peek(0) == '#' {
            while !self.is_break_or_end() {
                self.skip();
            }
        }
    }

    /// At the end of the text: goes to a line of its own.
    pub(super) fn end_line(&mut self) {
        if self.at.column != 1 {
            self.at = Position { line: self.at.line + 1, column: 1 };
        }
    }
}

/// What is between two lines of a scalar: the blanks before the first break, it, and those that follow.
#[derive(Debug, Default)]
pub(super) struct Gap {
    pub(super) blanks: String,
    pub(super) first: Option<char>,
    pub(super) more: String,
}

impl Gap {
    /// Takes blanks and breaks. Whether a tab stands in front of column `indent` on a continued line.
    pub(super) fn take(&mut self, input: &mut Input, mut broken: bool, indent: usize) -> bool {
        loop {
            if input.is_blank() {
                if broken && input.at().column < indent && input.peek(0) == '\t' {
                    return true;
                }
                let blank = input.take();
                if !broken {
                    self.blanks.push(blank);
                }
            } else if let Some(c) = input.take_line() {
                if broken {
                    self.more.push(c);
                } else {
                    self.blanks.clear();
                    self.first = Some(c);
                    broken = true;
                }
            } else {
                return false;
            }
        }
    }

    /// Adds what the gap stands for: one break is a blank, of several the first is dropped.
    pub(super) fn fold_into(self, text: &mut String) {
        match self.first {
            Some('\n') if self.more.is_empty() => text.push(' '),
            Some('\n') => {}
            Some(other) => text.push(other),
            None => text.push_str(&self.blanks),
        }
        text.push_str(&self.more);
    }
}
