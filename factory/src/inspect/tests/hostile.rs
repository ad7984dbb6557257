//! What is no medium, and media that were damaged: errors, and nothing worse.

use proptest::prelude::*;

use super::super::*;
use super::fixture::Fixture;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn refused(location: &str) -> InspectError {
    inspect(location, Depth::Contents).await.unwrap_err()
}

#[tokio::test]
async fn what_is_no_medium_is_refused_with_a_hint() {
    let fixture = Fixture::new().await;
    for (begin, hint) in [
        (&b"\x28\xb5\x2f\xfd...."[..], "zstd"),
        (b"\xfd7zXZ\0...", "xz"),
        (b"\x1f\x8b......", "gzip"),
        (b"QFI\xfb....", "qcow2"),
        (b"plain text", "neither an EFI program nor an ISO"),
        (b"", "neither"),
    ] {
        let error = refused(&fixture.save("x", begin)).await;
        assert!(error.to_string().contains(hint), "{error}");
        assert_eq!(error.blame(), Blame::Caller);
    }
    assert!(matches!(refused("/nowhere/at/all").await, InspectError::Read(_)));
    assert!(matches!(refused(fixture.dir.path().to_str().unwrap()).await, InspectError::NoFile { .. }));
    assert!(matches!(refused("http://[").await, InspectError::Url { .. }));
    assert!(matches!(refused(&fixture.save("x", b"MZ")).await, InspectError::Program { .. }));
}

#[tokio::test]
async fn a_medium_that_was_cut_is_refused() {
    let fixture = Fixture::new().await;
    let (esp, iso, uki) =
        (fixture.file_system().await, fixture.iso().await, fixture.bytes(&fixture.uki).await);
    for bytes in [&esp, &iso, &uki] {
        let error = refused(&fixture.save("cut", &bytes[..bytes.len() / 2])).await;
        assert_eq!(error.blame(), Blame::Upstream, "{error}");
    }
    // An MBR whose partitions are all of other kinds.
    let mut disk = vec![0; 4096];
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    assert!(matches!(refused(&fixture.save("disk", &disk)).await, InspectError::NoEsp));
}

#[tokio::test]
async fn a_chain_that_has_no_end_is_refused() {
    let fixture = Fixture::new().await;
    let mut esp = fixture.file_system().await;
    let reserved = usize::from(u16::from_le_bytes([esp[14], esp[15]])) * 512;
    // The first cluster of a FAT16 follows itself; the root directory is not in clusters.
    esp[reserved + 4..reserved + 6].copy_from_slice(&[2, 0]);
    let error = refused(&fixture.save("loop", &esp)).await;
    assert!(matches!(error, InspectError::Damaged { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_damage_does_worse_than_an_error(
        which in 0..3_usize,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        early in any::<bool>(),
    ) {
        static MEDIA: std::sync::OnceLock<(Fixture, [Vec<u8>; 3])> = std::sync::OnceLock::new();
        let (fixture, media) = MEDIA.get_or_init(|| block_on(async {
            let fixture = Fixture::new().await;
            let media = [
                fixture.file_system().await,
                fixture.iso().await,
                fixture.bytes(&fixture.uki).await,
            ];
            (fixture, media)
        }));
        let mut bytes = media[which].clone();
        // Most of what can be damaged to effect lies at the beginning.
        let reach = if early { bytes.len().min(if which == 1 { 64 << 10 } else { 2048 }) } else { bytes.len() };
        for (place, value) in damage {
            bytes[place.index(reach)] = value;
        }
        let path = fixture.save("damaged", &bytes);
        if let Ok(report) = block_on(inspect(&path, Depth::Contents)) {
            prop_assert!(!text(&report).is_empty());
        }
    }
}
