//! Characters on lines: where breaks and blanks go between what is written.

/// The text so far, and what the next piece has to know about its end.
///
/// The rules are those of libyaml's emitter, which go-yaml keeps: blanks are written lazily, by whoever needs one in front.
#[derive(Debug)]
pub(super) struct Writer {
    text: String,
    column: usize,
    /// The last character was a blank that separates, or nothing is needed in front of the next piece.
    whitespace: bool,
    /// Nothing but indentation and block indicators is on the line.
    indention: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self { text: String::new(), column: 0, whitespace: true, indention: true }
    }
}

impl Writer {
    /// The whole text, its last line ended.
    pub(super) fn finish(mut self) -> String {
        self.indent(0);
        self.text
    }

    /// Goes to `column`, on a new line unless this one holds only indentation up to there.
    pub(super) fn indent(&mut self, column: usize) {
        if !self.indention || self.column > column || (self.column == column && !self.whitespace) {
            self.line_break('\n');
        }
        while self.column < column {
            self.put(' ');
        }
        self.whitespace = true;
    }

    /// An indicator inside a line.
    pub(super) fn indicator(&mut self, indicator: &str, needs_blank: bool) {
        self.separated(indicator, needs_blank);
        self.indention = false;
    }

    /// An indicator that begins a block, behind which another block may begin on the same line.
    pub(super) fn block_indicator(&mut self, indicator: &str) {
        self.separated(indicator, true);
    }

    fn separated(&mut self, text: &str, needs_blank: bool) {
        if needs_blank && !self.whitespace {
            self.put(' ');
        }
        self.put_all(text);
        self.whitespace = false;
    }

    /// Writes a blank unless the last character separates already.
    pub(super) fn blank(&mut self) {
        if !self.whitespace {
            self.put(' ');
        }
    }

    /// One character of content.
    pub(super) fn content(&mut self, c: char) {
        self.put(c);
        self.indention = false;
    }

    /// One character of content that leaves the rest as it is: blanks.
    pub(super) fn put(&mut self, c: char) {
        self.text.push(c);
        self.column += 1;
    }

    /// Several characters, none of them a break.
    pub(super) fn put_all(&mut self, text: &str) {
        for c in text.chars() {
            self.put(c);
        }
    }

    /// A character that ends the line.
    pub(super) fn line_break(&mut self, c: char) {
        self.text.push(c);
        self.column = 0;
        self.indention = true;
    }

    /// The end of a scalar: the next piece needs a blank in front.
    pub(super) fn end_scalar(&mut self) {
        self.whitespace = false;
        self.indention = false;
    }

    /// The next piece needs no blank in front: the text of a block scalar begins.
    pub(super) fn begin_block(&mut self) {
        self.line_break('\n');
        self.whitespace = true;
    }
}
