//! `Content-Disposition`, as RFC 6266 writes it.

use axum::http::HeaderValue;

/// The longest file name handed out, in bytes.
const MAX_NAME: usize = 255;

/// `attachment` with a file name that is safe whatever it says: no directory, no control characters, no way out of the
/// quotes. A name beyond ASCII is given twice, plainly and in UTF-8.
#[must_use]
pub(super) fn attachment(name: &str) -> HeaderValue {
    let name = file_name(name);
    let mut text = String::from("attachment; filename=\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            _ => text.push('_'),
        }
    }
    text.push('"');
    if !name.is_ascii() {
        text.push_str("; filename*=UTF-8''");
        percent_encode(&name, &mut text);
    }
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

/// The last component of a path, without control characters, of bounded length; never empty, `.` or `..`.
fn file_name(name: &str) -> String {
    let mut clean = String::new();
    for c in name.rsplit(['/', '\\']).next().unwrap_or_default().chars().filter(|c| !c.is_control()) {
        if clean.len() + c.len_utf8() > MAX_NAME {
            break;
        }
        clean.push(c);
    }
    if matches!(clean.trim(), "" | "." | "..") { "download".to_owned() } else { clean }
}

/// The `ext-value` of RFC 8187: everything but `attr-char` is escaped.
fn percent_encode(name: &str, text: &mut String) {
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_quoted_and_stay_inside_the_quotes() {
        let long = "a".repeat(300);
        let long_kept = format!("attachment; filename=\"{}\"", "a".repeat(255));
        for (name, header) in [
            ("custom-filename.iso", "attachment; filename=\"custom-filename.iso\""),
            ("with space.iso", "attachment; filename=\"with space.iso\""),
            ("a\"; filename=\"b", "attachment; filename=\"a\\\"; filename=\\\"b\""),
            ("../../etc/passwd", "attachment; filename=\"passwd\""),
            ("c:\\boot.ini", "attachment; filename=\"boot.ini\""),
            ("a\r\nSet-Cookie: x", "attachment; filename=\"aSet-Cookie: x\""),
            ("", "attachment; filename=\"download\""),
            ("..", "attachment; filename=\"download\""),
            ("größe.iso", "attachment; filename=\"gr__e.iso\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.iso"),
            (long.as_str(), long_kept.as_str()),
        ] {
            assert_eq!(attachment(name), header, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_name_makes_one_header(name in any::<String>()) {
            let header = attachment(&name);
            let text = header.to_str().unwrap();
            prop_assert!(text.starts_with("attachment; filename=\""), "{}", text);
        }
    }
}
