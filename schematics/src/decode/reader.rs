//! From bytes to characters.

use std::borrow::Cow;

use super::error::{DecodeError, Position};

/// The text: UTF-8, or UTF-16 with a byte order mark, without characters that YAML does not allow.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, DecodeError> {
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)?),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)?),
        [0xEF, 0xBB, 0xBF, rest @ ..] => Cow::Borrowed(utf8(rest)?),
        _ => Cow::Borrowed(utf8(bytes)?),
    };
    match text.char_indices().find(|(_, c)| !is_allowed(*c)) {
        None => Ok(text),
        Some((at, c)) => Err(DecodeError::Characters {
            problem: format!("control characters are not allowed (value: {})", u32::from(c)),
            at: position(text.get(..at).unwrap_or_default()),
        }),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        DecodeError::Characters {
            problem: "invalid UTF-8".to_owned(),
            at: position(&String::from_utf8_lossy(before)),
        }
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, DecodeError> {
    let wrong =
        |before: &str| DecodeError::Characters { problem: "invalid UTF-16".to_owned(), at: position(before) };
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::new();
    for c in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        text.push(c.map_err(|_| wrong(&text))?);
    }
    if rest.is_empty() { Ok(text) } else { Err(wrong(&text)) }
}

/// Where what follows `before` is.
fn position(before: &str) -> Position {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position { line, column }
}

const fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{1_0000}'..)
}
