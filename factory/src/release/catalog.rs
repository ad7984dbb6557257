//! The files of the catalogues, in the form `extensions::catalog` and `extensions::overlays` read.

use std::fmt::Write as _;

use extensions::manifest::ExtensionManifest;
use extensions::reference::Repository;
use extensions::{Publication, catalog, overlays as overlay_catalog};
use schematics::Digest;

/// The registry in the lines of the catalogue. It stands for whichever registry the release is read from: readers put
/// their own in its place, and a copy of the release elsewhere stays the same release.
pub(super) const REGISTRY: &str = "ghcr.io";

/// An extension as it is listed.
pub(super) struct Described<'a> {
    /// Its line in `image-digests`.
    pub line: String,
    /// What it says about itself.
    pub manifest: &'a ExtensionManifest,
}

/// An overlay as it is listed.
pub(super) struct Overlay<'a> {
    /// Its name.
    pub name: &'a str,
    /// Repository and tag.
    pub image: String,
    /// Its image.
    pub digest: Digest,
}

/// The line of an image in `image-digests`.
pub(super) fn line(name: &Repository, tag: &str, image: &Publication) -> String {
    format!("{REGISTRY}/{name}:{tag}@{}", image.digest)
}

/// The files of the extension catalogue.
pub(super) fn extensions(described: &[Described<'_>]) -> Vec<(&'static str, String)> {
    let (mut digests, mut descriptions) = (String::new(), String::new());
    for Described { line, manifest } in described {
        // Writing into a string cannot fail.
        let _: std::fmt::Result = writeln!(digests, "{line}");
        let (author, description) = (quoted(&manifest.author), quoted(&manifest.description));
        let _: std::fmt::Result =
            writeln!(descriptions, "{}:\n    author: {author}\n    description: {description}", quoted(line));
    }
    if described.is_empty() {
        descriptions.push_str("{}\n");
    }
    vec![(catalog::DESCRIPTIONS_FILE, descriptions), (catalog::DIGESTS_FILE, digests)]
}

/// The file of the overlay catalogue.
pub(super) fn overlays(overlays: &[Overlay<'_>]) -> Vec<(&'static str, String)> {
    let mut text = String::from(if overlays.is_empty() { "overlays: []\n" } else { "overlays:\n" });
    for overlay in overlays {
        let (name, image) = (quoted(overlay.name), quoted(&format!("{REGISTRY}/{}", overlay.image)));
        let _: std::fmt::Result =
            writeln!(text, "    - name: {name}\n      image: {image}\n      digest: {}", overlay.digest);
    }
    vec![(overlay_catalog::OVERLAYS_FILE, text)]
}

/// A JSON string, which is a YAML scalar in double quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_of_catalogues_reads_them_whatever_they_say() {
        let manifest = ExtensionManifest {
            author: "O'Neil: \"x\" # y".to_owned(),
            description: "one\n two: - é\t\n".to_owned(),
            ..ExtensionManifest::default()
        };
        let line = format!("{REGISTRY}/siderolabs/hello:1.0.0@{}", Digest::of(b"x"));
        let files = extensions(&[Described { line, manifest: &manifest }]);
        let [(_, descriptions), (_, digests)] = files.try_into().unwrap();
        let entries = catalog::read(&digests.into(), Some(&descriptions.into())).unwrap();
        assert_eq!((entries.len(), entries[0].name.as_str()), (1, "siderolabs/hello"));
        assert_eq!(entries[0].author, manifest.author);
        assert_eq!(entries[0].description, manifest.description);

        let overlay =
            Overlay { name: "a_b", image: "siderolabs/a_b:v1.13.0".to_owned(), digest: Digest::of(b"y") };
        let [(_, text)] = overlays(&[overlay]).try_into().unwrap();
        let entries = overlay_catalog::read(&text.into()).unwrap();
        assert_eq!((entries[0].name.as_str(), entries[0].image.as_str()), ("a_b", "siderolabs/a_b"));
    }

    #[test]
    fn empty_catalogues_are_catalogues() {
        let [(_, descriptions), (_, digests)] = extensions(&[]).try_into().unwrap();
        assert_eq!(catalog::read(&digests.into(), Some(&descriptions.into())).unwrap(), []);
        let [(_, text)] = overlays(&[]).try_into().unwrap();
        assert_eq!(overlay_catalog::read(&text.into()).unwrap(), []);
    }
}
