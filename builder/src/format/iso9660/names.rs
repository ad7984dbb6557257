//! The plain names of entries, for readers that know no Rock Ridge.

use std::collections::BTreeSet;

/// Characters of a plain name without its version.
const MAX_NAME: usize = 30;
const MAX_EXTENSION: usize = 8;

/// Plain names for the entries of one directory, in their order. Names of files end in `;1`.
pub(super) fn assign<'a>(entries: impl Iterator<Item = (&'a str, bool)>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    entries
        .map(|(name, is_dir)| {
            let (stem, extension) = split(name, is_dir);
            let mut plain = join(&stem, "", &extension, is_dir);
            let mut number = 0_u32;
            while !taken.insert(plain.clone()) {
                number += 1;
                plain = join(&stem, &number.to_string(), &extension, is_dir);
            }
            plain
        })
        .collect()
}

fn split(name: &str, is_dir: bool) -> (String, String) {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !is_dir && !stem.is_empty() => {
            (plain(stem), plain(extension).chars().take(MAX_EXTENSION).collect())
        }
        _ => (plain(name), String::new()),
    }
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

fn join(stem: &str, number: &str, extension: &str, is_dir: bool) -> String {
    let room = MAX_NAME.saturating_sub(number.len() + extension.len());
    let kept: String = stem.chars().take(room).collect();
    if is_dir { format!("{kept}{number}") } else { format!("{kept}{number}.{extension};1") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_upper_case_and_unique() {
        let entries = [
            ("Talos-v1.13.0.efi", false),
            ("talos_v1_13_0.efi", false),
            ("EFI", true),
            ("v1.0", true),
            ("random-seed", false),
            (".config", false),
            ("a name that is much longer than thirty characters.extension", false),
        ];
        let expected = [
            "TALOS_V1_13_0.EFI;1",
            "TALOS_V1_13_01.EFI;1",
            "EFI",
            "V1_0",
            "RANDOM_SEED.;1",
            "_CONFIG.;1",
            "A_NAME_THAT_IS_MUCH_LO.EXTENSIO;1",
        ];
        assert_eq!(assign(entries.into_iter()), expected);
        let same: Vec<String> = (0..120).map(|n| format!("{}{n}", "x".repeat(40))).collect();
        let names: BTreeSet<String> =
            assign(same.iter().map(|name| (name.as_str(), false))).into_iter().collect();
        assert_eq!(names.len(), 120);
        assert!(names.iter().all(|name| name.len() <= MAX_NAME + 3), "{names:?}");
    }
}
