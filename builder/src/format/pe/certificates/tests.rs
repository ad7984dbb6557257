use proptest::prelude::*;

use super::super::sample::stub;
use super::*;
use crate::judge::Blobs;

/// Where things are in the sample: its headers, its directory of signatures, its section headers.
const OPTIONAL: usize = 0x78 + 24;
const PLACE: usize = OPTIONAL + 112 + 4 * 8;
const TABLE: usize = OPTIONAL + 240;

fn image(bytes: &[u8]) -> VirtualImage {
    VirtualImage::from_bytes(bytes.to_vec())
}

fn signed(bytes: &[u8]) -> Result<Vec<u8>, PeError> {
    signed_bytes(&image(bytes), bytes).map(|image| Blobs::default().flatten(&image))
}

fn attach(bytes: &[u8], table: &[u8]) -> Result<Vec<u8>, PeError> {
    attach_certificates(&image(bytes), bytes, table.to_vec()).map(|image| Blobs::default().flatten(&image))
}

#[test]
fn all_but_three_places_is_signed() {
    let bytes = [stub(), vec![7; 5]].concat();
    let expected =
        [&bytes[..OPTIONAL + 64], &bytes[OPTIONAL + 68..PLACE], &bytes[PLACE + 8..], &[0; 3]].concat();
    assert!(signed(&bytes).unwrap() == expected);
    let attached = attach(&bytes, &[9; 13]).unwrap();
    assert_eq!(attached.len(), bytes.len() + 3 + 16);
    assert!(signed(&attached).unwrap() == expected);
    let place = certificates(&attached, attached.len() as u64).unwrap().unwrap();
    assert_eq!(place, 0xc08..0xc18);
    assert_eq!(attached[0xc08..], [[9; 13].as_slice(), &[0; 3]].concat());
    assert_eq!(certificates(&bytes, bytes.len() as u64), Ok(None));
    assert_eq!(attach(&attached, &[9; 13]), Err(PeError::SignedImage));
}

#[test]
fn sections_are_signed_in_the_order_of_their_data_and_gaps_at_the_end() {
    // The first section moves behind the third, which leaves a gap where it was.
    let mut bytes = [stub(), vec![5; 0x400]].concat();
    bytes[TABLE + 20..TABLE + 24].copy_from_slice(&0xc00_u32.to_le_bytes());
    let found = signed(&bytes).unwrap();
    let headers = 0x400 - 12;
    assert!(found[headers..headers + 0x800] == bytes[0x800..]);
    // Firmware goes on behind as many bytes as it has hashed.
    assert!(found[headers + 0x800..] == bytes[0xc00..]);
}

#[test]
fn images_whose_layout_readers_would_dispute_are_refused() {
    let change = |at: usize, value: u32| {
        let mut bytes = stub();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let refused = signed(&bytes).unwrap_err();
        assert!(attach(&bytes, &[1]).is_err());
        refused
    };
    let size_of_headers = OPTIONAL + 60;
    assert!(matches!(change(size_of_headers, 0x100), PeError::Field { field: "size of headers", .. }));
    assert!(matches!(change(size_of_headers, 0x10_0000), PeError::Field { field: "size of headers", .. }));
    assert!(matches!(change(size_of_headers, 0x600), PeError::Overlap { .. }));
    assert!(matches!(change(TABLE + 20, 0x600), PeError::Overlap { .. }));
    assert!(matches!(change(TABLE + 20, 0xffff_fff0), PeError::DataOutside { .. }));
    assert!(matches!(change(TABLE + 16, 0x10_0000), PeError::DataOutside { .. }));
}

#[test]
fn a_section_without_data_lies_nowhere() {
    let mut bytes = stub();
    // No bytes, but a place far behind the file: loaders never look there.
    bytes[TABLE + 16..TABLE + 24].copy_from_slice(&[0, 0, 0, 0, 0, 2, 0, 0x40]);
    let attached = attach(&bytes, &[9; 21]).unwrap();
    assert_eq!(certificates(&attached, attached.len() as u64), Ok(Some(0xc00..0xc18)));
    assert_eq!(signed(&attached), signed(&bytes));
}

#[test]
fn images_without_a_place_for_signatures_are_refused() {
    let mut bytes = stub();
    bytes[0x78 + 4 + 16] = 112 + 4 * 8;
    bytes[OPTIONAL + 108] = 4;
    bytes.drain(PLACE..TABLE);
    bytes.splice(0x400 - (TABLE - PLACE)..0x400 - (TABLE - PLACE), vec![0; TABLE - PLACE]);
    assert_eq!(Headers::read(&bytes).unwrap().sections.len(), 3);
    assert!(matches!(signed(&bytes), Err(PeError::Field { field: "number of directories", .. })));
    assert!(matches!(attach(&bytes, &[1]), Err(PeError::Field { field: "number of directories", .. })));
    assert_eq!(certificates(&bytes, bytes.len() as u64), Ok(None));
}

#[test]
fn tables_must_lie_behind_the_sections_and_end_with_the_file() {
    let bytes = attach(&stub(), &[1; 16]).unwrap();
    let len = u32::try_from(bytes.len()).unwrap();
    let (start, misplaced) = (len - 16, |found| matches!(found, Err(PeError::Certificates { .. })));
    for (place, size) in [
        (start - 8, 24),
        (start, 8),
        (start, 24),
        (start + 4, 12),
        (start, 0),
        (0, 16),
        (u32::MAX, u32::MAX),
        (len, 0),
    ] {
        let mut changed = bytes.clone();
        changed[PLACE..PLACE + 4].copy_from_slice(&place.to_le_bytes());
        changed[PLACE + 4..PLACE + 8].copy_from_slice(&size.to_le_bytes());
        assert!(misplaced(certificates(&changed, len.into())), "{place} {size}");
        assert!(signed(&changed).is_err(), "{place} {size}");
    }
    let huge = VirtualImage::from_blob(crate::store::Blob {
        digest: schematics::Digest::of(b""),
        size: (1 << 32) - 4,
    });
    assert!(matches!(attach_certificates(&huge, &stub(), vec![]), Err(PeError::Certificates { .. })));
}

proptest! {
    #[test]
    fn no_change_to_an_image_makes_it_panic(
        changes in prop::collection::vec((0..0x300_usize, any::<u8>()), 0..12),
        cut in 0..0xd00_usize,
    ) {
        let mut bytes = stub();
        changes.into_iter().for_each(|(at, value)| bytes[at] = value);
        bytes.truncate(cut);
        let before = signed(&bytes);
        if let Ok(attached) = attach(&bytes, &[3; 21]) {
            prop_assert_eq!(signed(&attached), before);
            prop_assert!(certificates(&attached, attached.len() as u64).unwrap().is_some());
        }
    }
}
