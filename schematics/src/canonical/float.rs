//! Floating-point numbers, with the fewest digits that read back as the same number.

/// The text of `float` as Go's `%g` with the shortest precision, and YAML's words for what is not a number.
pub(super) fn text(float: f64) -> String {
    if float.is_nan() {
        return ".nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let shortest = format!("{float:e}");
    let Some((mantissa, exponent)) = shortest.split_once('e') else { return shortest };
    match exponent.parse::<i32>() {
        // From a million up and below a ten-thousandth: an exponent of at least two digits.
        Ok(exponent) if !(-4..6).contains(&exponent) => with_exponent(mantissa, exponent),
        Ok(_) => format!("{float}"),
        Err(_) => shortest,
    }
}

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn numbers_have_the_fewest_digits_and_a_two_digit_exponent() {
        for (float, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (100_000.5, "100000.5"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1e6, "1e+06"),
            (1_234_567.5, "1.2345675e+06"),
            (1e300, "1e+300"),
            (f64::NAN, ".nan"),
            (f64::NEG_INFINITY, "-.inf"),
        ] {
            assert_eq!(text(float), expected);
        }
    }
}
