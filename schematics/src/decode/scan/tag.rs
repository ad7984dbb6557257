//! Tags.

use super::{Kind, Scanned, Scanner};
use crate::decode::error::Position;

impl Scanner {
    pub(super) fn tag(&mut self) -> Scanned<()> {
        const CONTEXT: &str = "while scanning a tag";
        let start = self.input.at();
        let (handle, suffix) = if self.input.peek(1) == '<' {
            self.input.skip();
            self.input.skip();
            let suffix = self.tag_uri(TAG, true, "", start)?;
            if self.input.peek(0) != '>' {
                return Err(self.problem(CONTEXT, start, "did not find the expected '>'"));
            }
            self.input.skip();
            (String::new(), suffix)
        } else {
            self.tag_shorthand(start)?
        };
        if !self.input.is_blank_or_break(0) {
            return Err(self.problem(CONTEXT, start, "did not find expected whitespace or line break"));
        }
        self.push(Kind::Tag(handle, suffix), start);
        Ok(())
    }

    fn tag_shorthand(&mut self, start: Position) -> Scanned<(String, String)> {
        let handle = self.tag_handle(TAG, start)?;
        if handle.len() > 1 && handle.ends_with('!') {
            let suffix = self.tag_uri(TAG, false, "", start)?;
            return Ok((handle, suffix));
        }
        // What looked like the handle is the beginning of a local tag.
        let suffix = self.tag_uri(TAG, false, &handle, start)?;
        if suffix.is_empty() { Ok((String::new(), "!".to_owned())) } else { Ok(("!".to_owned(), suffix)) }
    }

    /// `!`, `!!` or `!name!`; outside directives also the beginning of a local tag.
    pub(super) fn tag_handle(&mut self, context: &'static str, start: Position) -> Scanned<String> {
        if self.input.peek(0) != '!' {
            return Err(self.problem(context, start, "did not find expected '!'"));
        }
        let mut handle = String::from(self.input.take());
        while is_word(self.input.peek(0)) {
            handle.push(self.input.take());
        }
        if self.input.peek(0) == '!' {
            handle.push(self.input.take());
        } else if context == DIRECTIVE && handle != "!" {
            return Err(self.problem(context, start, "did not find expected '!'"));
        }
        Ok(handle)
    }

    /// The rest of a tag behind `head`, of which the exclamation mark is dropped.
    pub(super) fn tag_uri(
        &mut self,
        context: &'static str,
        verbatim: bool,
        head: &str,
        start: Position,
    ) -> Scanned<String> {
        let mut uri = head.strip_prefix('!').unwrap_or(head).as_bytes().to_vec();
        let mut found = !head.is_empty();
        while is_uri(self.input.peek(0), verbatim) {
            if self.input.peek(0) == '%' {
                uri.push(self.escaped_octet(context, start)?);
            } else {
                uri.extend(self.input.take().to_string().into_bytes());
            }
            found = true;
        }
        let c = self.input.peek(0);
        if !verbatim && matches!(c, '!'..='~') {
            let problem = format!("found character '{c}' that is not allowed in a YAML tag");
            return Err(self.problem(context, start, &problem));
        }
        if !found {
            return Err(self.problem(context, start, "did not find expected tag URI"));
        }
        String::from_utf8(uri).map_err(|_| self.problem(context, start, "found an incorrect UTF-8 octet"))
    }

    fn escaped_octet(&mut self, context: &'static str, start: Position) -> Scanned<u8> {
        let digit = |scanner: &Self, ahead| scanner.input.peek(ahead).to_digit(16);
        let octet =
            digit(self, 1).zip(digit(self, 2)).and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
        let Some(octet) = octet else {
            return Err(self.problem(context, start, "did not find URI escaped octet"));
        };
        for _ in 0..3 {
            self.input.skip();
        }
        Ok(octet)
    }
}

/// The context of problems with a tag on a node.
pub(super) const TAG: &str = "while parsing a tag";

/// The context of problems with a tag in a directive.
pub(super) const DIRECTIVE: &str = "while parsing a %TAG directive";

/// Whether `c` can be in a name: a letter, a digit, `-` or `_`.
pub(super) const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

const fn is_uri(c: char, verbatim: bool) -> bool {
    match c {
        ',' | '[' | ']' | '{' | '}' => verbatim,
        ';' | '/' | '?' | ':' | '@' | '&' | '=' | '+' | '$' | '.' | '!' | '~' | '*' | '\'' | '(' | ')'
        | '%' => true,
        _ => is_word(c),
    }
}
