//! Paths inside a layer.

use builder::tree::{MAX_NAME, MAX_PATH};

use crate::hostile::HostileError;

/// The deepest path, in names.
const MAX_DEPTH: usize = 128;

/// The path without what does not count: `./`, double and trailing slashes. Empty for the root.
pub(super) fn clean(raw: &[u8]) -> Result<String, HostileError> {
    let text = text(raw)?;
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if text.is_empty() || text.starts_with('/') || parts.contains(&"..") {
        return Err(HostileError::Traversal { path: text.to_owned() });
    }
    let long = text.len() > MAX_PATH || parts.len() > MAX_DEPTH;
    if long || parts.iter().any(|part| part.len() > MAX_NAME) {
        return Err(HostileError::Path { path: shown(raw) });
    }
    Ok(parts.join("/"))
}

/// UTF-8 without NUL.
pub(super) fn text(raw: &[u8]) -> Result<&str, HostileError> {
    match std::str::from_utf8(raw) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(HostileError::Path { path: shown(raw) }),
    }
}

/// A path for people, cut where it gets long.
pub(super) fn shown(raw: &[u8]) -> String {
    const SHOWN: usize = 256;
    String::from_utf8_lossy(raw.get(..SHOWN).unwrap_or(raw)).into_owned()
}

/// Whether `path` is `root` or below it. Everything is below the empty path.
pub(crate) fn is_below(path: &str, root: &str) -> bool {
    root.is_empty() || path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_paths_have_one_spelling() {
        for (raw, expected) in [("./a//b/", "a/b"), ("a/./b", "a/b"), ("./", ""), (".", ""), ("..a", "..a")] {
            assert_eq!(clean(raw.as_bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        for raw in ["", "/", "/a", "..", "a/..", "a/../../b", "./../a"] {
            assert!(matches!(clean(raw.as_bytes()), Err(HostileError::Traversal { .. })), "{raw}");
        }
        let name = "a".repeat(255);
        let long = format!("{name}a");
        let deep = "a/".repeat(129);
        let wide = format!("{name}/").repeat(16) + "b";
        // The longest name, depth and path that are allowed.
        for most in [name.as_str(), &deep[2..], &wide[..4096]] {
            assert!(clean(most.as_bytes()).is_ok(), "{most}");
        }
        for raw in [&b"a\xff"[..], b"a\0b", long.as_bytes(), deep.as_bytes(), wide.as_bytes()] {
            assert!(matches!(clean(raw), Err(HostileError::Path { .. })), "{}", shown(raw));
        }
    }

    #[test]
    fn below_means_whole_names() {
        assert!(is_below("usr/install/amd64", "usr/install"));
        assert!(is_below("usr", "usr") && is_below("usr", ""));
        assert!(!is_below("usr/installer", "usr/install"));
    }
}
