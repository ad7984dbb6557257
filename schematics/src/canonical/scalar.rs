//! Scalars: which style one gets, and how each style is written.

mod analysis;
mod write;

use std::borrow::Cow;

use base64::Engine as _;

use super::writer::Writer;
use crate::decode::resolve::{Kind, kind_of};
use analysis::Analysis;

/// The longest key that stands in front of its value, in bytes.
const MAX_SIMPLE_KEY: usize = 128;

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// A scalar, its tag where it needs one, and the style it would like to have.
#[derive(Debug)]
pub(super) struct Scalar<'a> {
    text: Cow<'a, str>,
    tag: Option<&'static str>,
    wanted: Style,
}

impl<'a> Scalar<'a> {
    /// A word of ours that needs no quotes.
    pub(super) const fn plain(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), tag: None, wanted: Style::Plain }
    }

    /// The text of a number.
    pub(super) const fn number(text: String) -> Self {
        Self { text: Cow::Owned(text), tag: None, wanted: Style::Plain }
    }

    /// A point in time, tagged if its text does not say that it is one.
    pub(super) fn timestamp(text: &'a str) -> Self {
        let tag = (kind_of(text) != Kind::Timestamp).then_some("!!timestamp");
        Self { text: Cow::Borrowed(text), tag, wanted: Style::Plain }
    }

    /// A text, quoted if it would stand for something else, in YAML 1.2 or 1.1.
    pub(super) fn string(text: &'a str) -> Self {
        Self { text: Cow::Borrowed(text), tag: None, wanted: string_style(text) }
    }

    /// Bytes that are no text, in base 64.
    pub(super) fn binary(bytes: &[u8]) -> Self {
        let text = base64_lines(bytes);
        let wanted = if text.contains('\n') { Style::Literal } else { Style::Plain };
        Self { text: Cow::Owned(text), tag: Some("!!binary"), wanted }
    }

    /// Whether it can stand in front of its value when it is a key.
    pub(super) fn is_simple_key(&self) -> bool {
        let length = self.text.len() + self.tag.map_or(0, str::len);
        length <= MAX_SIMPLE_KEY && !Analysis::of(&self.text).multiline
    }

    /// Writes it as a value; `column` is where continued lines begin.
    pub(super) fn write(&self, writer: &mut Writer, column: usize) {
        self.write_in(self.style(false), writer, column);
    }

    /// Writes it as a key in front of its value.
    pub(super) fn write_as_key(&self, writer: &mut Writer) {
        self.write_in(self.style(true), writer, 0);
    }

    fn write_in(&self, style: Style, writer: &mut Writer, column: usize) {
        if let Some(tag) = self.tag {
            writer.indicator(tag, true);
        }
        match style {
            Style::Plain => write::plain(writer, &self.text, column),
            Style::Single => write::single_quoted(writer, &self.text, column),
            Style::Double => write::double_quoted(writer, &self.text),
            Style::Literal => write::literal(writer, &self.text, column),
        }
    }

    /// The style wanted, or the next one that can hold the text.
    fn style(&self, key: bool) -> Style {
        let analysis = Analysis::of(&self.text);
        let mut style = self.wanted;
        if key && analysis.multiline {
            style = Style::Double;
        }
        if style == Style::Plain && (!analysis.plain || (self.text.is_empty() && key)) {
            style = Style::Single;
        }
        if style == Style::Single && !analysis.single {
            style = Style::Double;
        }
        if style == Style::Literal && (!analysis.literal || key) {
            style = Style::Double;
        }
        style
    }
}

fn string_style(text: &str) -> Style {
    if text.contains('\n') {
        let visible = text.chars().any(|c| !c.is_whitespace());
        return if text.len() >= 2 && visible { Style::Literal } else { Style::Double };
    }
    if old_bool(text).is_some() || is_base_60(text) || text == "<<" {
        return Style::Single;
    }
    if kind_of(text) == Kind::String { Style::Plain } else { Style::Double }
}

/// The boolean of YAML 1.1 that a word stands for.
pub(crate) fn old_bool(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// Whether YAML 1.1 took it for a number of base 60, such as `12:30:45`.
fn is_base_60(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let mut groups = whole.split(':');
    let first = groups.next().unwrap_or_default();
    let mut rest = groups.peekable();
    first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && rest.peek().is_some()
        && rest.all(is_sixtieth)
        && fraction.is_none_or(|fraction| fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_'))
}

fn is_sixtieth(group: &str) -> bool {
    match group.as_bytes() {
        [one] => one.is_ascii_digit(),
        [ten, one] => (b'0'..=b'5').contains(ten) && one.is_ascii_digit(),
        _ => false,
    }
}

/// Base 64, broken into lines of 70 when it is longer than one.
fn base64_lines(bytes: &[u8]) -> String {
    const LINE: usize = 70;
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    if encoded.len() < LINE {
        return encoded;
    }
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / LINE + 1);
    for (index, c) in encoded.chars().enumerate() {
        if index > 0 && index % LINE == 0 {
            lines.push('\n');
        }
        lines.push(c);
    }
    lines.push('\n');
    lines
}
