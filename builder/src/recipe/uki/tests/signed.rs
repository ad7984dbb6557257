//! Images with PCR signatures, and what is measured of both kinds.

use signing::{HashAlgorithm, RsaKey, Signer as _};

use super::*;
use crate::format::pe::SectionName;
use crate::judge::block_on;
use crate::measure::{BankDigests, Meter, Prediction};

fn key() -> RsaKey {
    RsaKey::generate(2048).unwrap()
}

pub(super) struct Signed {
    pub(super) inputs: Inputs,
    pub(super) key: RsaKey,
    pub(super) measured: Vec<ProfileMeasurement>,
    signatures: Vec<PcrSignatures>,
    image: VirtualImage,
}

impl Signed {
    pub(super) fn new(inputs: Inputs) -> Self {
        let key = key();
        let meter = Meter::new(inputs.blobs.0.clone());
        let (measured, signatures, image) = inputs.with(|inputs| {
            block_on(async {
                let measured = measure_signed(inputs, key.public_key(), &meter).await.unwrap();
                let mut signatures = Vec::new();
                for profile in &measured {
                    let values = profile.prediction.value().as_array();
                    signatures.push(PcrSignatures::sign(&key, values).await.unwrap());
                }
                let image = lay_out_signed(inputs, key.public_key(), &signatures).unwrap();
                (measured, signatures, image)
            })
        });
        Self { inputs, key, measured, signatures, image }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.inputs.blobs.flatten(&self.image)
    }

    pub(super) fn profiles(&self) -> Vec<Sections> {
        profiles(&self.bytes())
    }
}

/// Sections with their contents.
pub(super) type Sections = Vec<(String, Vec<u8>)>;

/// The sections of an image, read back from its bytes.
fn sections(image: &[u8]) -> Sections {
    let content = |section: &pe::SectionHeader| {
        let range = section.content();
        image[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].to_vec()
    };
    let sections = pe::sections(image).unwrap();
    sections.iter().map(|section| (section.name.to_string(), content(section))).collect()
}

/// What counts for each profile of an image by the rules of the UKI specification: what is in front of the first
/// `.profile`, but the profile's own where it has some.
pub(super) fn profiles(image: &[u8]) -> Vec<Sections> {
    let sections = sections(image);
    let starts: Vec<usize> = (0..sections.len()).filter(|at| sections[*at].0 == ".profile").collect();
    let shared = &sections[..starts.first().copied().unwrap_or(sections.len())];
    if starts.is_empty() {
        return vec![shared.to_vec()];
    }
    let ends = starts.iter().skip(1).copied().chain([sections.len()]);
    let merge = |(start, end): (&usize, usize)| {
        let own = &sections[*start..end];
        let rest = shared.iter().filter(|(name, _)| own.iter().all(|(taken, _)| taken != name));
        own.iter().chain(rest).cloned().collect()
    };
    starts.iter().zip(ends).map(merge).collect()
}

pub(super) fn predict(sections: &Sections) -> Prediction {
    let digests =
        |(name, content): &(String, Vec<u8>)| (SectionName::new(name).unwrap(), BankDigests::of(content));
    Prediction::of(&sections.iter().map(digests).collect::<Vec<_>>())
}

pub(super) fn pcrsig(sections: &Sections) -> &[u8] {
    &sections.iter().find(|(name, _)| name == ".pcrsig").unwrap().1
}

#[test]
fn signatures_are_where_talos_has_them() {
    let names = |version, profiles: &[&'static str]| -> Vec<String> {
        let image = Signed::new(Inputs::new(version, profiles)).bytes();
        sections(&image).into_iter().skip(3).map(|(name, _)| name).collect()
    };
    let shared = [".osrel", ".cmdline", ".uname", ".splash", ".pcrpkey", ".linux", ".initrd"];
    let main = [".profile", ".pcrsig"];
    let other = [".profile", ".cmdline", ".pcrsig"];
    assert_eq!(names("v1.9.5", &[]), [&shared[..], &[".pcrsig"]].concat());
    assert_eq!(names("v1.10.0", &[]), [&shared[..], &main].concat());
    assert_eq!(names("v1.13.0", &["reset", "b"]), [&shared[..], &main, &other, &other].concat());
}

#[test]
fn each_profile_carries_the_signatures_of_what_it_measures() {
    for inputs in [Inputs::new("v1.9.5", &[]), Inputs::new("v1.13.0", &["reset", "b"])] {
        let signed = Signed::new(inputs);
        let profiles = signed.profiles();
        assert_eq!(profiles.len(), signed.measured.len());
        for (sections, measured) in profiles.iter().zip(&signed.measured) {
            assert_eq!(predict(sections), measured.prediction, "{}", measured.profile);
            let found = PcrSignatures::from_json(pcrsig(sections)).unwrap();
            for (bank, signature) in HashAlgorithm::ALL.into_iter().zip(found.as_slice()) {
                signature.verify(signed.key.public_key()).unwrap();
                for other in &signed.measured {
                    let covered = signature.covers(other.prediction.value().get(bank));
                    assert_eq!(covered, other.profile == measured.profile);
                }
            }
            assert!(
                sections.iter().any(|(_, content)| *content == signed.key.public_key().to_pem().into_bytes())
            );
        }
    }
}

#[test]
fn an_unsigned_image_measures_no_key() {
    let inputs = Inputs::new("v1.13.0", &["reset"]);
    let meter = Meter::new(inputs.blobs.0.clone());
    let key = key();
    let (plain, signed) = inputs.with(|inputs| {
        block_on(async {
            (
                measure(inputs, &meter).await.unwrap(),
                measure_signed(inputs, key.public_key(), &meter).await.unwrap(),
            )
        })
    });
    let ids = |found: &[ProfileMeasurement]| -> Vec<&str> { found.iter().map(|one| one.profile).collect() };
    assert_eq!(ids(&plain), [MAIN_PROFILE, "reset"]);
    assert_eq!(ids(&signed), ids(&plain));
    let names = |found: &ProfileMeasurement| -> Vec<String> {
        found.prediction.events().iter().map(|event| format!("{:?}", event.measured)).collect()
    };
    let with_key = names(&signed[0]);
    let without: Vec<String> = with_key.iter().filter(|name| !name.contains("pcrpkey")).cloned().collect();
    assert_eq!(with_key.len(), without.len() + 2);
    assert_eq!(names(&plain[0]), without);
}

#[test]
fn a_set_of_signatures_for_other_profiles_is_refused() {
    let signed = Signed::new(Inputs::new("v1.13.0", &["reset"]));
    let refused = |signatures: &[PcrSignatures]| {
        signed.inputs.with(|inputs| lay_out_signed(inputs, signed.key.public_key(), signatures).unwrap_err())
    };
    assert!(matches!(refused(&signed.signatures[..1]), UkiError::Signatures { profiles: 2, signatures: 1 }));
    assert!(matches!(refused(&[]), UkiError::Signatures { profiles: 2, signatures: 0 }));
}

#[test]
fn what_cannot_be_read_is_not_measured() {
    let inputs = Inputs::new("v1.13.0", &[]);
    let empty = Meter::new(Blobs::default().0);
    let error = inputs.with(|inputs| block_on(measure(inputs, &empty))).unwrap_err();
    assert!(matches!(&error, UkiMeasureError::Section { .. }), "{error}");
    let mut inputs = Inputs::new("v1.13.0", &[]);
    inputs.stub = Bytes::from_static(b"no stub");
    let error = inputs.with(|inputs| block_on(measure(inputs, &empty))).unwrap_err();
    assert_eq!(error.blame(), Blame::Upstream);
}
