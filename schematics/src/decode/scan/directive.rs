//! Directives, in front of a document.

use super::tag::{DIRECTIVE, is_word};
use super::{Kind, Scanned, Scanner};
use crate::decode::error::Position;

const CONTEXT: &str = "while scanning a directive";

impl Scanner {
    pub(super) fn directive(&mut self) -> Scanned<()> {
        self.unroll(None);
        self.drop_key()?;
        self.key_allowed = false;
        let start = self.input.at();
        self.input.skip();
        let kind = match self.directive_name(start)?.as_str() {
            "YAML" => self.version(start)?,
            "TAG" => self.tag_directive(start)?,
            _ => return Err(self.problem(CONTEXT, start, "found unknown directive name")),
        };
        self.push(kind, start);
        self.input.skip_blanks();
        self.input.skip_comment();
        if !self.input.is_break_or_end() {
            return Err(self.problem(CONTEXT, start, "did not find expected comment or line break"));
        }
        self.input.skip_line();
        Ok(())
    }

    fn directive_name(&mut self, start: Position) -> Scanned<String> {
        let mut name = String::new();
        while is_word(self.input.peek(0)) {
            name.push(self.input.take());
        }
        if name.is_empty() {
            return Err(self.problem(CONTEXT, start, "could not find expected directive name"));
        }
        if !self.input.is_blank_or_break(0) {
            return Err(self.problem(CONTEXT, start, "found unexpected non-alphabetical character"));
        }
        Ok(name)
    }

    fn version(&mut self, start: Position) -> Scanned<Kind> {
        const CONTEXT: &str = "while scanning a %YAML directive";
        self.input.skip_blanks();
        let major = self.version_number(CONTEXT, start)?;
        if self.input.peek(0) != '.' {
            return Err(self.problem(CONTEXT, start, "did not find expected digit or '.' character"));
        }
        self.input.skip();
        Ok(Kind::Version(major, self.version_number(CONTEXT, start)?))
    }

    fn version_number(&mut self, context: &'static str, start: Position) -> Scanned<u8> {
        let mut digits = String::new();
        while self.input.peek(0).is_ascii_digit() {
            digits.push(self.input.take());
            if digits.len() > 2 {
                return Err(self.problem(context, start, "found extremely long version number"));
            }
        }
        digits.parse().map_err(|_| self.problem(context, start, "did not find expected version number"))
    }

    fn tag_directive(&mut self, start: Position) -> Scanned<Kind> {
        const CONTEXT: &str = "while scanning a %TAG directive";
        self.input.skip_blanks();
        let handle = self.tag_handle(DIRECTIVE, start)?;
        if !self.input.is_blank() {
            return Err(self.problem(CONTEXT, start, "did not find expected whitespace"));
        }
        self.input.skip_blanks();
        let prefix = self.tag_uri(DIRECTIVE, true, "", start)?;
        if !self.input.is_blank_or_break(0) {
            return Err(self.problem(CONTEXT, start, "did not find expected whitespace or line break"));
        }
        Ok(Kind::TagDirective(handle, prefix))
    }
}
