//! The two names of an entry: the long one, which keeps case, and the short one of eight and three characters.

use std::collections::{BTreeMap, BTreeSet};

use super::FatError;

/// A short name as it is stored: eight and three characters, padded with spaces.
pub(super) type ShortName = [u8; 11];

/// Both names of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// In UTF-16, when the short one does not say it all.
    pub(super) long: Option<Vec<u16>>,
    pub(super) short: ShortName,
}

/// Characters of a long name, in UTF-16 units.
const MAX_LONG: usize = 255;
const STEM: usize = 8;
const EXTENSION: usize = 3;

/// Names for the entries of one directory, in their order.
pub(super) fn assign<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Result<Vec<Names>, FatError> {
    let mut folded = BTreeMap::new();
    for name in names.clone() {
        check(name)?;
        if let Some(other) = folded.insert(name.to_uppercase(), name) {
            return Err(FatError::Same { name: name.to_owned(), other: other.to_owned() });
        }
    }
    // Names that need no tail keep theirs, whoever comes first.
    let mut taken: BTreeSet<ShortName> = names.clone().filter_map(exact).collect();
    let mut tails = BTreeMap::new();
    names
        .map(|name| {
            let short = match exact(name) {
                Some(short) => short,
                None => with_tail(name, &mut taken, &mut tails)?,
            };
            let spelled = spell(&short) == name;
            Ok(Names { long: (!spelled).then(|| name.encode_utf16().collect()), short })
        })
        .collect()
}

fn check(name: &str) -> Result<(), FatError> {
    let forbidden = |c: char| u32::from(c) < 0x20 || c == '\x7f' || "\"*/:<>?\\|".contains(c);
    let trimmed_away = name.ends_with(['.', ' ']) || name.starts_with(' ');
    if name.is_empty()
        || trimmed_away
        || name.chars().any(forbidden)
        || name.encode_utf16().count() > MAX_LONG
    {
        return Err(FatError::Name { name: name.to_owned() });
    }
    Ok(())
}

/// The name in upper case, when that is a short name and nothing but case is lost.
fn exact(name: &str) -> Option<ShortName> {
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    let fits = (1..=STEM).contains(&stem.len())
        && extension.len() <= EXTENSION
        && stem.chars().chain(extension.chars()).all(is_short);
    fits.then(|| join(&stem.to_ascii_uppercase(), &extension.to_ascii_uppercase()))
}

/// Whether a character may be in a short name once it is in upper case.
fn is_short(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'()-@^_`{}~".contains(c)
}

/// A short name made up by the usual rule: what is left of the name, `~` and a number.
fn with_tail(
    name: &str,
    taken: &mut BTreeSet<ShortName>,
    tails: &mut BTreeMap<(String, String), u32>,
) -> Result<ShortName, FatError> {
    let bare = name.trim_start_matches('.');
    let (stem, extension) = bare.rsplit_once('.').unwrap_or((bare, ""));
    let basis = (basis(stem, STEM), basis(extension, EXTENSION));
    let last = tails.entry(basis.clone()).or_insert(0);
    while *last < 999_999 {
        *last += 1;
        let tail = format!("~{last}");
        let kept: String = basis.0.chars().take(STEM - tail.len()).collect();
        let short = join(&format!("{kept}{tail}"), &basis.1);
        if taken.insert(short) {
            return Ok(short);
        }
    }
    Err(FatError::Name { name: name.to_owned() })
}

/// The first characters of `part` as a short name has them.
fn basis(part: &str, len: usize) -> String {
    let kept = part.chars().filter(|c| !matches!(c, ' ' | '.'));
    kept.take(len).map(|c| if is_short(c) { c.to_ascii_uppercase() } else { '_' }).collect()
}

fn join(stem: &str, extension: &str) -> ShortName {
    let mut short = [b' '; STEM + EXTENSION];
    let (left, right) = short.split_at_mut(STEM);
    left.iter_mut().zip(stem.bytes()).for_each(|(to, from)| *to = from);
    right.iter_mut().zip(extension.bytes()).for_each(|(to, from)| *to = from);
    short
}

/// A short name as it is written.
pub(super) fn spell(short: &ShortName) -> String {
    let text = String::from_utf8_lossy(short);
    let (stem, extension) = text.split_at_checked(STEM).unwrap_or((&text, ""));
    match extension.trim_end() {
        "" => stem.trim_end().to_owned(),
        extension => format!("{}.{extension}", stem.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(names: &[&str]) -> Vec<(String, bool)> {
        let names = assign(names.iter().copied()).unwrap();
        names.iter().map(|names| (spell(&names.short), names.long.is_some())).collect()
    }

    #[test]
    fn only_an_upper_case_short_name_goes_without_a_long_one() {
        let cases = [
            ("BOOTX64.EFI", "BOOTX64.EFI", false),
            ("BOOTX64.efi", "BOOTX64.EFI", true),
            ("loader", "LOADER", true),
            ("random-seed", "RANDOM~1", true),
            ("loader.conf", "LOADER~1.CON", true),
            ("Talos-v1.13.0.efi", "TALOS-~1.EFI", true),
            (".hidden", "HIDDEN~1", true),
            ("a.b.c", "AB~1.C", true),
            ("a+b", "A_B~1", true),
            ("ü.efi", "_~1.EFI", true),
            ("with space", "WITHSP~1", true),
        ];
        for (name, short, long) in cases {
            assert_eq!(spelled(&[name]), [(short.to_owned(), long)], "{name}");
        }
    }

    #[test]
    fn short_names_differ_in_their_tails() {
        let shorts = spelled(&["LONGNA~1", "longname-a", "longname-b", "longname-c"]);
        let shorts: Vec<&str> = shorts.iter().map(|(short, _)| short.as_str()).collect();
        assert_eq!(shorts, ["LONGNA~1", "LONGNA~2", "LONGNA~3", "LONGNA~4"]);
        let many: Vec<String> = (0..1200).map(|n| format!("same name {n:04}")).collect();
        let shorts: BTreeSet<ShortName> =
            assign(many.iter().map(String::as_str)).unwrap().iter().map(|names| names.short).collect();
        assert_eq!(shorts.len(), many.len());
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        for name in ["a:b", "a\\b", "a\tb", "dot.", "space ", " space", "a?", &"x".repeat(256)] {
            assert_eq!(assign([name].into_iter()), Err(FatError::Name { name: name.to_owned() }));
        }
        assert!(matches!(assign(["EFI", "efi"].into_iter()), Err(FatError::Same { .. })));
        assert!(matches!(assign(["Ä", "ä"].into_iter()), Err(FatError::Same { .. })));
    }
}
