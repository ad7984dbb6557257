//! Writing a scalar in each of its styles.

use super::analysis::{is_break, is_printable};
use crate::canonical::writer::Writer;

/// Without quotes. The text has no breaks.
pub(super) fn plain(writer: &mut Writer, text: &str, column: usize) {
    if !text.is_empty() {
        writer.blank();
    }
    lines(writer, text, column);
    writer.end_scalar();
}

/// In single quotes.
pub(super) fn single_quoted(writer: &mut Writer, text: &str, column: usize) {
    writer.indicator("'", true);
    lines(writer, &text.replace('\'', "''"), column);
    writer.indicator("'", false);
    writer.end_scalar();
}

/// Characters as they are; behind a break the next line is indented.
fn lines(writer: &mut Writer, text: &str, column: usize) {
    let mut after_break = false;
    for c in text.chars() {
        if c == ' ' {
            writer.put(c);
        } else if is_break(c) {
            if c == '\n' && !after_break {
                writer.line_break('\n');
            }
            writer.line_break(c);
            after_break = true;
        } else {
            if after_break {
                writer.indent(column);
            }
            writer.content(c);
            after_break = false;
        }
    }
}

/// As a literal block.
pub(super) fn literal(writer: &mut Writer, text: &str, column: usize) {
    writer.indicator("|", true);
    if text.starts_with(' ') {
        // The library always says 4 here, although the text of a list item is indented by less: such a text cannot be
        // read back, but its id is what it is.
        writer.indicator("4", false);
    }
    let chomping = chomping(text);
    if !chomping.is_empty() {
        writer.indicator(chomping, false);
    }
    writer.begin_block();
    let mut after_break = true;
    for c in text.chars() {
        if is_break(c) {
            writer.line_break(c);
            after_break = true;
        } else {
            if after_break {
                writer.indent(column);
            }
            writer.content(c);
            after_break = false;
        }
    }
}

/// How a literal block says what follows its last line.
fn chomping(text: &str) -> &'static str {
    let mut backwards = text.chars().rev();
    if !backwards.next().is_some_and(is_break) {
        return "-";
    }
    if backwards.next().is_none_or(is_break) { "+" } else { "" }
}

/// In double quotes, with escapes.
pub(super) fn double_quoted(writer: &mut Writer, text: &str) {
    // The library asks of each character whether the *text* begins with a byte order mark.
    let escape_all = text.starts_with('\u{FEFF}');
    writer.indicator("\"", true);
    for c in text.chars() {
        if escape_all || !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
            escape(writer, c);
        } else {
            writer.put(c);
        }
    }
    writer.indicator("\"", false);
    writer.end_scalar();
}

fn escape(writer: &mut Writer, c: char) {
    let short = match c {
        '\0' => '0',
        '\u{07}' => 'a',
        '\u{08}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{0B}' => 'v',
        '\u{0C}' => 'f',
        '\r' => 'r',
        '\u{1B}' => 'e',
        '"' | '\\' => c,
        '\u{85}' => 'N',
        '\u{A0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => return writer.put_all(&numeric_escape(u32::from(c))),
    };
    writer.put('\\');
    writer.put(short);
}

fn numeric_escape(code: u32) -> String {
    match code {
        0..=0xFF => format!("\\x{code:02X}"),
        0x100..=0xFFFF => format!("\\u{code:04X}"),
        _ => format!("\\U{code:08X}"),
    }
}
