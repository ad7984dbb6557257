//! The order of mapping keys in canonical text: numbers by value, then texts with digit runs compared as numbers.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

use super::Value;

/// Whether `a` comes before `b`.
///
/// Follows the order of the Go library, which is not transitive for every odd set of keys; nothing here relies on that.
pub(super) fn less(a: &Value, b: &Value) -> bool {
    if let (Some(x), Some(y)) = (number(a), number(b)) {
        if x != y {
            return x < y;
        }
        if rank(a) != rank(b) {
            return rank(a) < rank(b);
        }
        return match (a, b) {
            (Value::Int(x), Value::Int(y)) => x < y,
            (Value::Uint(x), Value::Uint(y)) => x < y,
            _ => false,
        };
    }
    if let (Value::Timestamp(x), Value::Timestamp(y)) = (a, b) {
        // The library leaves their order to chance.
        return x < y;
    }
    match (text(a), text(b)) {
        (Some(x), Some(y)) => text_less(&x, &y),
        _ => rank(a) < rank(b),
    }
}

fn text(value: &Value) -> Option<Vec<char>> {
    match value {
        Value::String(text) => Some(text.chars().collect()),
        Value::Binary(bytes) => Some(String::from_utf8_lossy(bytes).chars().collect()),
        _ => None,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "keys are first compared as 64-bit floats, and exactly only after that"
)]
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(bool) => Some(f64::from(u8::from(*bool))),
        Value::Int(int) => Some(*int as f64),
        Value::Uint(uint) => Some(*uint as f64),
        Value::Float(float) => Some(*float),
        _ => None,
    }
}

/// The order of types among each other.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::Uint(_) => 3,
        Value::Float(_) => 4,
        Value::Null => 5,
        Value::Map(_) => 6,
        Value::List(_) => 7,
        Value::String(_) | Value::Binary(_) => 8,
        Value::Timestamp(_) => 9,
    }
}

fn text_less(a: &[char], b: &[char]) -> bool {
    let Some(at) = a.iter().zip(b).position(|(x, y)| x != y) else { return a.len() < b.len() };
    let (Some(&x), Some(&y)) = (a.get(at), b.get(at)) else { return a.len() < b.len() };
    let after_digit = at.checked_sub(1).and_then(|before| a.get(before)).is_some_and(|c| is_digit(*c));
    match (is_letter(x), is_letter(y)) {
        (true, true) => x < y,
        // Behind a digit run a letter ends the run, so it comes first; elsewhere letters come last.
        (true, false) => after_digit,
        (false, true) => !after_digit,
        (false, false) => digits_less(a, b, at),
    }
}

/// Compares from `at`, where neither side has a letter and the sides differ.
fn digits_less(a: &[char], b: &[char], at: usize) -> bool {
    let (Some(&x), Some(&y)) = (a.get(at), b.get(at)) else { return false };
    // Zeros inside a number that has begun count as digits, leading ones do not.
    let begun = (x == '0' || y == '0')
        && a.get(..at).unwrap_or_default().iter().rev().take_while(|c| is_digit(**c)).any(|c| *c != '0');
    let (x_value, x_len) = run(a, at, begun);
    let (y_value, y_len) = run(b, at, begun);
    if x_value != y_value {
        return x_value < y_value;
    }
    if x_len != y_len {
        return x_len < y_len;
    }
    x < y
}

/// The number that the digits from `at` on make, and their count. Overflow wraps, as it does in Go.
fn run(text: &[char], at: usize, begun: bool) -> (i64, usize) {
    let digits = text.get(at..).unwrap_or_default().iter().take_while(|c| is_digit(**c));
    digits.fold((i64::from(begun), 0), |(value, len), c| {
        let digit = i64::from(u32::from(*c)) - i64::from(u32::from('0'));
        (value.wrapping_mul(10).wrapping_add(digit), len + 1)
    })
}

fn is_digit(c: char) -> bool {
    c.general_category() == GeneralCategory::DecimalNumber
}

fn is_letter(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Letter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digit_runs_count_as_numbers_and_letters_come_last() {
        let sorted = ["", "_x", "1", "9", "10", "A", "Z", "a", "a1", "a9", "a10", "b"];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(less(&Value::from(*a), &Value::from(*b)), i < j, "{a:?} {b:?}");
            }
        }
    }
}
