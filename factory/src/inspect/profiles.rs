//! The profiles of a unified kernel image (UAPI.5, "Multi-Profile UKIs").

use builder::format::pe::SectionHeader;
use builder::measure::{BankDigests, Prediction};
use bytes::Bytes;

use super::report::Profile;

/// The sections that are text, or small and read here.
pub(super) const TEXTS: [&str; 8] =
    [".osrel", ".cmdline", ".uname", ".sbat", ".profile", ".pcrpkey", ".pcrsig", ".sdmagic"];

/// A section, and to whom it belongs.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) name: String,
    pub(super) header: SectionHeader,
    /// The profile, counted from 0; none for what all profiles share.
    pub(super) profile: Option<usize>,
    /// Its content, when it is one of [`TEXTS`] and not longer than a text is.
    pub(super) text: Option<Bytes>,
}

impl Owned {
    /// The text, without the NULs that pad it.
    pub(super) fn as_text(&self) -> Option<String> {
        let text = String::from_utf8_lossy(self.text.as_ref()?);
        Some(text.trim_end_matches('\0').to_owned())
    }
}

/// How many profiles there are; an image without any has one, which is all of it.
fn indices(sections: &[Owned]) -> Vec<Option<usize>> {
    match sections.iter().filter_map(|section| section.profile).max() {
        Some(last) => (0..=last).map(Some).collect(),
        None => vec![None],
    }
}

/// The sections a profile starts with: its own, and what all share.
fn sections_of(sections: &[Owned], profile: Option<usize>) -> impl Iterator<Item = (usize, &Owned)> {
    let own = sections.iter().enumerate().filter(move |(_, section)| section.profile == profile);
    let shared = sections
        .iter()
        .enumerate()
        .filter(move |(_, section)| profile.is_some() && section.profile.is_none());
    own.chain(shared)
}

/// The profiles, without their signatures.
pub(super) fn profiles(sections: &[Owned]) -> Vec<Profile> {
    let profile = |index| {
        let text =
            |name: &str| sections_of(sections, index).find(|(_, section)| section.name == name)?.1.as_text();
        let described = text(".profile").unwrap_or_default();
        let field = |key: &str| {
            let found = described.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            found.map(|value| value.trim_matches('"').to_owned())
        };
        let (id, title, cmdline) = (field("ID"), field("TITLE"), text(".cmdline"));
        Profile { id, title, cmdline, ..Profile::default() }
    };
    indices(sections).into_iter().map(profile).collect()
}

/// The section `.pcrsig` of each profile, in their order.
pub(super) fn policies(sections: &[Owned]) -> Vec<Option<&Bytes>> {
    let find = |index| sections_of(sections, index).find(|(_, section)| section.name == ".pcrsig");
    indices(sections).into_iter().map(|index| find(index)?.1.text.as_ref()).collect()
}

/// What PCR 11 will hold for each profile, from the digests of the sections.
pub(super) fn predictions(sections: &[Owned], digests: &[BankDigests]) -> Vec<Prediction> {
    let predict = |index| {
        let measured: Vec<_> = sections_of(sections, index)
            .filter_map(|(place, section)| Some((section.header.name, *digests.get(place)?)))
            .collect();
        Prediction::of(&measured)
    };
    indices(sections).into_iter().map(predict).collect()
}
