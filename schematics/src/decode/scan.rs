//! From characters to tokens, with the habits of the Go library: YAML 1.1 in what breaks a line, lenient about indentation
//! inside quotes and brackets, and with keys that only a later colon makes keys.

mod block;
mod directive;
mod input;
mod plain;
mod quoted;
mod structure;
mod tag;

use std::collections::VecDeque;

use super::error::{Position, Problem};
use input::Input;
use structure::SimpleKey;

/// A token and where it is.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: Position,
    pub(super) end: Position,
}

/// What a token is.
#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    StreamEnd,
    /// `%YAML`, with the version.
    Version(u8, u8),
    /// `%TAG`, with handle and prefix.
    TagDirective(String, String),
    DocumentStart,
    DocumentEnd,
    BlockListStart,
    BlockMapStart,
    BlockEnd,
    FlowListStart,
    FlowListEnd,
    FlowMapStart,
    FlowMapEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(String),
    Anchor(String),
    /// Handle and suffix.
    Tag(String, String),
    Scalar {
        text: String,
        quoted: bool,
    },
}

/// How many tokens are made ahead of the one that is looked at. The library does so for its comments; it shows in which
/// errors behind the first document it still sees.
const AHEAD: usize = 3;

/// Makes tokens of a text.
#[derive(Debug)]
pub(super) struct Scanner {
    input: Input,
    queue: VecDeque<Token>,
    /// How many tokens were taken from the queue.
    taken: usize,
    /// Whether the last token begins an item of a flow list.
    last_taken_begins_item: bool,
    /// The column of the current block; none at the top.
    indent: Option<usize>,
    indents: Vec<Option<usize>>,
    flow_level: usize,
    key_allowed: bool,
    key: SimpleKey,
    keys: Vec<SimpleKey>,
}

/// What went well, or what is wrong with the text.
type Scanned<T> = Result<T, Box<Problem>>;

impl Scanner {
    pub(super) fn new(text: &str) -> Self {
        Self {
            input: Input::new(text),
            queue: VecDeque::new(),
            taken: 0,
            last_taken_begins_item: false,
            indent: None,
            indents: Vec::new(),
            flow_level: 0,
            key_allowed: true,
            key: SimpleKey::default(),
            keys: Vec::new(),
        }
    }

    /// The next token.
    pub(super) fn peek(&mut self) -> Scanned<&Token> {
        self.fill()?;
        self.queue.front().ok_or_else(|| Problem::at_end().into())
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> Scanned<Token> {
        self.fill()?;
        let token = self.queue.pop_front().ok_or_else(Problem::at_end)?;
        self.taken += 1;
        self.last_taken_begins_item = begins_item(&token.kind);
        Ok(token)
    }

    /// Makes tokens until the first one is sure not to become part of a key.
    fn fill(&mut self) -> Scanned<()> {
        while self.queue.len() < AHEAD || self.first_key() == Some(self.taken) {
            self.fetch()?;
        }
        Ok(())
    }

    fn first_key(&self) -> Option<usize> {
        match self.keys.first() {
            Some(key) => Some(key.token),
            None => self.key.possible.then_some(self.key.token),
        }
    }

    fn fetch(&mut self) -> Scanned<()> {
        self.skip_to_token();
        self.unroll(Some(self.input.at().column));
        if self.input.is_end() {
            return self.stream_end();
        }
        if self.input.at().column == 1 {
            if self.input.peek(0) == '%' {
                return self.directive();
            }
            if self.input.is_document_marker("---") {
                return self.document_marker(Kind::DocumentStart);
            }
            if self.input.is_document_marker("...") {
                return self.document_marker(Kind::DocumentEnd);
            }
        }
        self.content()
    }

    fn content(&mut self) -> Scanned<()> {
        let (c, next_blank) = (self.input.peek(0), self.input.is_blank_or_break(1));
        match c {
            '[' => self.flow_start(Kind::FlowListStart),
            '{' => self.flow_start(Kind::FlowMapStart),
            ']' => self.flow_end(Kind::FlowListEnd),
            '}' => self.flow_end(Kind::FlowMapEnd),
            ',' => self.flow_entry(),
            '-' if next_blank => self.block_entry(),
            '?' if next_blank => self.explicit_key(),
            ':' if next_blank || (self.flow_level > 0 && !self.at_item_start()) => self.value(),
            '*' | '&' => self.with_key(|scanner| scanner.anchor(c)),
            '!' => self.with_key(Self::tag),
            '|' | '>' if self.flow_level == 0 => {
                self.drop_key()?;
                self.key_allowed = true;
                self.block_scalar(c == '|')
            }
            '\'' | '"' => self.with_key(|scanner| scanner.quoted_scalar(c)),
            '-' | '?' | ':' => self.with_key(Self::plain_scalar),
            '#' | '|' | '>' | '%' | '@' | '`' | '\t' => Err(self.problem(
                "while scanning for the next token",
                self.input.at(),
                "found character that cannot start any token",
            )),
            _ => self.with_key(Self::plain_scalar),
        }
    }

    /// Skips blanks, comments and breaks.
    fn skip_to_token(&mut self) {
        loop {
            while self.input.peek(0) == ' '
                || (self.input.peek(0) == '\t' && (self.flow_level > 0 || !self.key_allowed))
            {
                self.input.skip();
            }
            self.input.skip_comment();
            if !self.input.is_break(0) {
                return;
            }
            self.input.skip_line();
            if self.flow_level == 0 {
                self.key_allowed = true;
            }
        }
    }

    /// Whether a flow list's item begins here, where a colon can begin a text.
    fn at_item_start(&self) -> bool {
        self.queue.back().map_or(self.last_taken_begins_item, |token| begins_item(&token.kind))
    }

    fn push(&mut self, kind: Kind, start: Position) {
        self.queue.push_back(Token { kind, start, end: self.input.at() });
    }

    /// Skips an indicator of one character and adds its token.
    fn push_indicator(&mut self, kind: Kind) {
        let start = self.input.at();
        self.input.skip();
        self.push(kind, start);
    }

    /// Inserts a token of no length before the one with the number `token`.
    fn insert(&mut self, kind: Kind, token: usize, at: Position) {
        let index = token.saturating_sub(self.taken).min(self.queue.len());
        self.queue.insert(index, Token { kind, start: at, end: at });
    }

    fn problem(&self, context: &'static str, start: Position, message: &str) -> Box<Problem> {
        Box::new(Problem {
            stage: "scanner",
            context: Some((context, start)),
            message: message.to_owned(),
            at: self.input.at(),
        })
    }

    fn plain_problem(&self, message: &str) -> Box<Problem> {
        Box::new(Problem {
            stage: "scanner",
            context: None,
            message: message.to_owned(),
            at: self.input.at(),
        })
    }

    fn stream_end(&mut self) -> Scanned<()> {
        self.input.end_line();
        self.unroll(None);
        self.drop_key()?;
        self.key = SimpleKey::default();
        self.keys.clear();
        self.key_allowed = false;
        self.push(Kind::StreamEnd, self.input.at());
        Ok(())
    }

    fn document_marker(&mut self, kind: Kind) -> Scanned<()> {
        self.unroll(None);
        self.drop_key()?;
        self.key_allowed = false;
        let start = self.input.at();
        for _ in 0..3 {
            self.input.skip();
        }
        self.push(kind, start);
        Ok(())
    }

    fn anchor(&mut self, indicator: char) -> Scanned<()> {
        let start = self.input.at();
        self.input.skip();
        let mut name = String::new();
        while is_anchor_char(self.input.peek(0)) {
            name.push(self.input.take());
        }
        let ends = self.input.is_blank_or_break(0)
            || matches!(self.input.peek(0), '?' | ':' | ',' | ']' | '}' | '%' | '@' | '`');
        if name.is_empty() || !ends {
            let context =
                if indicator == '&' { "while scanning an anchor" } else { "while scanning an alias" };
            return Err(self.problem(
                context,
                start,
                "did not find expected alphabetic or numeric character",
            ));
        }
        self.push(if indicator == '&' { Kind::Anchor(name) } else { Kind::Alias(name) }, start);
        Ok(())
    }
}

const fn begins_item(kind: &Kind) -> bool {
    matches!(kind, Kind::FlowEntry | Kind::FlowListStart)
}

const fn is_anchor_char(c: char) -> bool {
    matches!(c, '!'..='~') && !matches!(c, ':' | '[' | ']' | '{' | '}' | ',')
}
