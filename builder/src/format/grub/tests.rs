use super::*;
use crate::judge::block_on_io;
use crate::store::MemoryStore;

/// Debian's directory, and the one with what Debian has for other architectures alone (`make setup`).
const OWN_AND_SYSTEM: [&str; 2] =
    ["/usr/lib/grub", concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/grub")];

fn tools() -> GrubTools {
    GrubTools { mkimage: "/usr/bin/grub-mkimage".into(), modules: OWN_AND_SYSTEM.map(PathBuf::from).to_vec() }
}

/// Whether it was a missing package that made the test impossible.
fn skipped<T>(cooked: &Result<T, GrubError>) -> bool {
    let missing = matches!(cooked, Err(GrubError::Modules { .. } | GrubError::Program { .. }));
    if let (true, Err(error)) = (missing, cooked) {
        println!("skipped: {error}");
    }
    missing
}

#[test]
fn cooking_twice_gives_the_same_bytes() {
    let store = MemoryStore::default();
    block_on_io(async {
        let first = tools().cook_bios(&store).await;
        if !skipped(&first) {
            let first = first.unwrap();
            assert_eq!(first, tools().cook_bios(&store).await.unwrap());
            assert!(first.load(&store).await.is_ok());
        }
        for arch in Arch::ALL {
            let first = tools().cook_efi(arch, &store).await;
            if !skipped(&first) {
                let first = first.unwrap();
                assert_eq!(first, tools().cook_efi(arch, &store).await.unwrap());
                assert!(store.read_all(first.digest, MAX_IMAGE).await.unwrap().starts_with(b"MZ"));
            }
        }
    });
}

#[test]
fn the_first_directory_that_has_the_modules_counts() {
    let root = tempfile::tempdir().unwrap();
    let place = |directory: &str| root.path().join(directory).join("arm64-efi");
    let modules = ["none", "empty", "first", "second"].map(|directory| root.path().join(directory)).to_vec();
    let tools = GrubTools { modules, ..tools() };
    fs_err::create_dir_all(place("empty")).unwrap();
    assert_eq!(tools.modules_for("arm64-efi"), None);
    for directory in ["second", "first"] {
        fs_err::create_dir_all(place(directory)).unwrap();
        fs_err::write(place(directory).join("moddep.lst"), "").unwrap();
        assert_eq!(tools.modules_for("arm64-efi"), Some(place(directory)));
    }
    assert_eq!(tools.modules_for("i386-pc"), None);
}

#[test]
fn what_is_missing_is_named_with_its_package() {
    let store = MemoryStore::default();
    let directory = tempfile::tempdir().unwrap();
    let missing = GrubTools { modules: vec![directory.path().to_owned()], ..tools() };
    let error = block_on_io(missing.cook_efi(Arch::Arm64, &store)).unwrap_err();
    assert!(error.to_string().ends_with("they are in the Debian package grub-efi-arm64-bin"), "{error}");
    fs_err::create_dir(directory.path().join("i386-pc")).unwrap();
    fs_err::write(directory.path().join("i386-pc/moddep.lst"), "").unwrap();
    let program = GrubTools { mkimage: directory.path().join("grub-mkimage"), ..missing };
    let error = block_on_io(program.cook_bios(&store)).unwrap_err();
    assert!(matches!(error, GrubError::Program { .. }), "{error}");
}

#[test]
fn an_image_may_have_eight_mebibytes_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("core.img");
    let file = fs_err::File::create(&path).unwrap();
    for (size, fits) in [(MAX_IMAGE, true), (MAX_IMAGE + 1, false)] {
        file.set_len(size).unwrap();
        match block_on_io(read(&path)) {
            Ok(bytes) => assert!(fits && bytes.len() as u64 == size, "{size}"),
            Err(error) => {
                assert!(!fits && matches!(error, GrubError::Size { size: found } if found == size), "{error}")
            }
        }
    }
    // What is in the store in place of one is not loaded either.
    let store = MemoryStore::default();
    block_on_io(async {
        let large = store.put(vec![0; usize::try_from(MAX_IMAGE).unwrap() + 1].into()).await.unwrap();
        let error = BiosImages { core: large, bootstrap: large }.load(&store).await.unwrap_err();
        let limit =
            matches!(&error, GrubError::Store(StoreError::TooLarge { limit, .. }) if *limit == MAX_IMAGE);
        assert!(limit, "{error:?}");
    });
}
