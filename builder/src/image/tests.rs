use std::sync::Arc;

use futures::TryStreamExt as _;
use proptest::prelude::*;
use schematics::Digest;

use super::{BlockingReader, ImageLayout, Source, VirtualImage};
use crate::store::{Blob, BlobStore, BlobStoreExt as _, MemoryStore};

#[derive(Debug, Clone)]
enum Piece {
    Bytes(Vec<u8>),
    Blob(u8, u16),
    Zeros(u16),
    Counter(u16, u16),
    Nested(Vec<Piece>),
    Part(Vec<Piece>, u16, u16),
}

fn piece() -> impl Strategy<Value = Piece> {
    let leaf = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Piece::Bytes),
        (any::<u8>(), 0..300_u16).prop_map(|(seed, len)| Piece::Blob(seed, len)),
        (0..50_u16).prop_map(Piece::Zeros),
        (0..300_u16, 0..40_u16).prop_map(|(first, count)| Piece::Counter(first, count)),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let pieces = prop::collection::vec(inner, 0..6);
        prop_oneof![
            pieces.clone().prop_map(Piece::Nested),
            (pieces, any::<u16>(), any::<u16>()).prop_map(|(pieces, a, b)| Piece::Part(pieces, a, b)),
        ]
    })
}

/// Lays the pieces out and writes the same bytes flat.
fn lay_out(pieces: &[Piece], layout: &mut ImageLayout, flat: &mut Vec<u8>, blobs: &mut Vec<Vec<u8>>) {
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => {
                layout.bytes(bytes.clone());
                flat.extend(bytes);
            }
            Piece::Blob(seed, len) => {
                let content: Vec<u8> = (0..*len).map(|n| n.to_le_bytes()[0] ^ seed).collect();
                layout.blob(Blob { digest: Digest::of(&content), size: u64::from(*len) });
                flat.extend(&content);
                blobs.push(content);
            }
            Piece::Zeros(len) => {
                layout.zeros(u64::from(*len));
                flat.resize(flat.len() + usize::from(*len), 0);
            }
            Piece::Counter(first, count) => {
                let (first, end) = (u32::from(*first), u32::from(*first) + u32::from(*count));
                layout.counter(first, end);
                (first..end).for_each(|number| flat.extend(number.to_le_bytes()));
            }
            Piece::Nested(inner) => {
                let mut nested = ImageLayout::default();
                lay_out(inner, &mut nested, flat, blobs);
                layout.image(&nested.finish());
            }
            Piece::Part(inner, a, b) => {
                let (mut nested, mut bytes) = (ImageLayout::default(), Vec::new());
                lay_out(inner, &mut nested, &mut bytes, blobs);
                let start = usize::from(*a.min(b)) % (bytes.len() + 1);
                let end = (start + usize::from(*a.max(b)) % 200).min(bytes.len());
                layout.image(&nested.finish().part(start as u64..end as u64));
                flat.extend(&bytes[start..end]);
            }
        }
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn check_invariants(image: &VirtualImage) {
    let mut at = 0;
    for extent in image.extents() {
        assert_eq!(extent.at(), at);
        assert!(extent.len() > 0);
        at = extent.end();
    }
    assert_eq!(at, image.len());
}

proptest! {
    #[test]
    fn any_slice_is_the_same_slice_of_the_flat_bytes(
        pieces in prop::collection::vec(piece(), 0..8),
        ranges in prop::collection::vec((any::<u16>(), any::<u16>()), 1..8),
    ) {
        let (mut layout, mut flat, mut blobs) = (ImageLayout::default(), Vec::new(), Vec::new());
        lay_out(&pieces, &mut layout, &mut flat, &mut blobs);
        let image = layout.finish();
        check_invariants(&image);
        prop_assert_eq!(image.len(), flat.len() as u64);
        let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
        run(async {
            for blob in blobs {
                store.put(blob.into()).await.unwrap();
            }
            for (a, b) in ranges {
                let start = usize::from(a) % (flat.len() + 1);
                let end = start + usize::from(b) % (flat.len() - start + 1);
                let pieces: Vec<_> =
                    image.read(Arc::clone(&store), start as u64..end as u64).try_collect().await.unwrap();
                assert_eq!(pieces.concat(), &flat[start..end]);
            }
        });
        let manifest = image.to_manifest();
        prop_assert_eq!(VirtualImage::from_manifest(&manifest).unwrap(), image);
    }

    #[test]
    fn no_bytes_make_the_manifest_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(VirtualImage::from_manifest(&bytes));
        let framed = [b"factory image\n\x01".as_slice(), &bytes].concat();
        drop(VirtualImage::from_manifest(&framed));
    }
}

#[test]
fn a_nested_blob_stays_one_extent() {
    let kernel = Blob { digest: Digest::of(b"kernel"), size: 100 };
    let mut uki = ImageLayout::default();
    uki.bytes("header").blob(kernel).align(512);
    let mut fat = ImageLayout::default();
    fat.zeros(4096).image(&uki.finish());
    let mut iso = ImageLayout::default();
    iso.zeros(32768).image(&fat.finish()).align(2048);
    let iso = iso.finish();
    let blobs: Vec<_> = iso.extents().iter().filter(|e| matches!(e.source(), Source::Blob { .. })).collect();
    assert_eq!(blobs.len(), 1);
    assert_eq!(blobs[0].len(), 100);
}

#[test]
fn a_damaged_manifest_is_refused() {
    let mut layout = ImageLayout::default();
    layout.bytes("head").blob(Blob { digest: Digest::of(b"x"), size: 1 }).zeros(9);
    let manifest = layout.finish().to_manifest();
    for len in 0..manifest.len() {
        assert!(VirtualImage::from_manifest(&manifest[..len]).is_err());
    }
    let mut newer = manifest.to_vec();
    newer[14] = 9;
    assert_eq!(VirtualImage::from_manifest(&newer), Err(super::ManifestError::Version { found: 9 }));
    assert!(VirtualImage::from_manifest(&[manifest.as_ref(), b"x"].concat()).is_err());
}

#[test]
fn a_manifest_of_lengths_that_overflow_is_refused() {
    let varint = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let zeros = [[0].as_slice(), &varint].concat();
    let manifest = [b"factory image\n\x01\x00\x03".as_slice(), &zeros, &zeros, &zeros].concat();
    let error = VirtualImage::from_manifest(&manifest).unwrap_err();
    assert_eq!(error.to_string(), "the image manifest is damaged: the image would be too long");
}

#[test]
fn a_blocking_reader_gives_all_bytes_and_reports_what_is_missing() {
    use std::io::Read as _;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
    let blob = runtime.block_on(store.put(vec![7; 1000].into())).unwrap();
    let mut layout = ImageLayout::default();
    layout.bytes("ab").blob(blob).counter(1, 3);
    let mut bytes = Vec::new();
    let image = layout.finish();
    BlockingReader::new(&image, Arc::clone(&store), runtime.handle().clone())
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!(bytes, [b"ab".as_slice(), &[7; 1000], &[1, 0, 0, 0, 2, 0, 0, 0]].concat());
    let missing = VirtualImage::from_blob(Blob { digest: Digest::of(b"gone"), size: 4 });
    assert!(BlockingReader::new(&missing, store, runtime.handle().clone()).read_to_end(&mut bytes).is_err());
}
