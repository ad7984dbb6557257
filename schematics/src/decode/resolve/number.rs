//! Integers in four bases and floating-point numbers.

use super::Resolved;

/// A number that begins with a sign or a digit. Underscores count for nothing.
pub(super) fn number(text: &str) -> Option<Resolved> {
    let plain = text.replace('_', "");
    signed(&plain)
        .map(Resolved::Int)
        .or_else(|| magnitude(&plain).map(Resolved::Uint))
        .or_else(|| is_decimal(&plain).then(|| finite(&plain)).flatten().map(Resolved::Float))
}

/// A number that begins with a point. Underscores may stand between digits.
pub(super) fn leading_point(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let misplaced = bytes.iter().enumerate().any(|(at, byte)| {
        let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        *byte == b'_' && !(digit(at.checked_sub(1)) && digit(Some(at + 1)))
    });
    let plain = text.replace('_', "");
    (!misplaced && is_decimal(&plain)).then(|| finite(&plain)).flatten()
}

fn signed(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(rest) => 0_i64.checked_sub_unsigned(magnitude(rest)?),
        None => magnitude(text.strip_prefix('+').unwrap_or(text))?.try_into().ok(),
    }
}

/// Digits without a sign, in the base that their prefix says.
fn magnitude(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (text.get(2..)?, 16),
        [b'0', b'o' | b'O', _, ..] => (text.get(2..)?, 8),
        [b'0', b'b' | b'B', _, ..] => (text.get(2..)?, 2),
        [b'0', _, ..] => (text.get(1..)?, 8),
        _ => (text, 10),
    };
    // Rust's own parser would allow one more sign here.
    if digits.bytes().all(|digit| digit.is_ascii_alphanumeric()) {
        u64::from_str_radix(digits, radix).ok()
    } else {
        None
    }
}

/// Whether `text` is a decimal number: a sign, digits around at most one point, an exponent.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa_is_number =
        all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_is_number = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    mantissa_is_number && exponent_is_number
}

/// The number, unless it is too large.
fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|float: &f64| float.is_finite())
}
