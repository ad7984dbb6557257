//! PEM, RFC 7468: labelled base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The longest PEM text that is read, in bytes; keys have a few hundred.
pub(crate) const MAX_PEM: usize = 64 * 1024;
const LINE: usize = 64;

/// Bytes that are wiped from memory when dropped.
pub(crate) type SecretBytes = Zeroizing<Vec<u8>>;

/// The first block of `text` that has one of `labels`: its label and its bytes.
///
/// Text between blocks, and blocks with other labels, are skipped, as PEM files often carry more than one thing. `None`
/// when there is no such block, it is damaged, or the text is longer than [`MAX_PEM`].
pub(crate) fn find<'a>(text: &str, labels: &[&'a str]) -> Option<(&'a str, SecretBytes)> {
    if text.len() > MAX_PEM {
        return None;
    }
    let mut lines = text.lines().map(str::trim);
    let label = loop {
        let line = lines.next()?;
        let found = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"));
        if let Some(label) = labels.iter().find(|label| Some(**label) == found) {
            break *label;
        }
    };
    // As long as it can get, so that growing does not leave a copy behind.
    let mut encoded = Zeroizing::new(String::with_capacity(text.len()));
    let end = format!("-----END {label}-----");
    loop {
        let line = lines.next()?;
        if line == end {
            break;
        }
        encoded.push_str(line);
    }
    Some((label, Zeroizing::new(STANDARD.decode(encoded.as_bytes()).ok()?)))
}

/// A block with this label, ending with a newline.
pub(crate) fn write(label: &str, bytes: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(STANDARD.encode(bytes));
    let mut text = Zeroizing::new(String::with_capacity(encoded.len() * 2 + label.len() * 2 + 64));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, others) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = others;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_among_others() {
        let bytes: Vec<u8> = (0..200).collect();
        let text = format!("note\n{}{}", *write("EC PARAMETERS", b"x"), *write("KEY", &bytes));
        let (label, found) = find(&text, &["OTHER", "KEY"]).unwrap();
        assert_eq!((label, found.as_slice()), ("KEY", bytes.as_slice()));
        assert!(find(&text.replace('\n', "\r\n"), &["KEY"]).is_some());
        assert!(find(&text, &["OTHER"]).is_none());
    }

    #[test]
    fn damaged_blocks_are_refused() {
        let text = write("KEY", &[7; 100]);
        for damaged in [
            text.replace("-----END KEY-----", ""),
            text.replace("-----END KEY-----", "-----END OTHER-----"),
            text.replacen("Bw", "B!", 1),
            format!("{}{}", " ".repeat(MAX_PEM), *text),
            String::new(),
        ] {
            assert!(find(&damaged, &["KEY"]).is_none());
        }
    }
}
