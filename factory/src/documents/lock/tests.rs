use super::{
    Lock, LockError, LockedImage, LockedSchematic, LockedSettings, LockedSigner, Program, Recipe, Role,
    SCHEMA,
};
use schematics::{Digest, SchematicId};

/// A lock with something in every field.
pub(in crate::documents) fn lock() -> Lock {
    let text = "customization: {}\n";
    let image = |role, repository: &str, tag: &str| LockedImage {
        role,
        repository: repository.to_owned(),
        tag: Some(tag.to_owned()),
        digest: Digest::of(repository.as_bytes()),
    };
    Lock {
        schema: SCHEMA,
        asset: "metal-amd64-secureboot.iso".to_owned(),
        version: "v1.13.0".to_owned(),
        arch: "amd64".to_owned(),
        schematic: LockedSchematic { id: SchematicId::of_canonical(text), text: text.to_owned() },
        plan: Digest::of(b"plan"),
        recipe: Recipe { kind: "iso-uefi".to_owned(), revision: 1, cmdline: "console=ttyS0".to_owned() },
        sources: vec![
            image(Role::Release, "siderolabs/imager", "v1.13.0"),
            image(Role::ExtensionCatalogue, "siderolabs/extensions", "v1.13.0"),
            image(Role::Extension, "siderolabs/gvisor", "20250505.0"),
        ],
        settings: LockedSettings {
            external_url: "https://factory.example".to_owned(),
            epoch: 1,
            compression_level: 9,
            compressors: "zstd 1.5.7".to_owned(),
            depmod: Some("kmod version 30".to_owned()),
            grub: vec![Digest::of(b"core")],
            lockdown: false,
        },
        signer: Some(LockedSigner {
            identity: Digest::of(b"identity"),
            certificate: Digest::of(b"certificate"),
            pcr_key: Digest::of(b"pcr"),
        }),
        factory: Program { name: "factory".to_owned(), version: "0.1.0".to_owned() },
    }
}

#[test]
fn a_lock_is_read_as_it_was_written() {
    let text = lock().to_json().unwrap();
    let again = Lock::read(text.as_bytes()).unwrap();
    assert_eq!(again, lock());
    assert_eq!(again.to_json().unwrap(), text);
    let mut later: serde_json::Value = serde_json::from_str(&text).unwrap();
    later["somethingNew"] = true.into();
    assert_eq!(Lock::read(later.to_string().as_bytes()).unwrap(), lock());
}

#[test]
fn a_lock_that_contradicts_itself_is_refused() {
    let text = lock().to_json().unwrap();
    let other = text.replace("customization: {}", "customization: []");
    assert!(matches!(Lock::read(other.as_bytes()), Err(LockError::Schematic { .. })));
    let later = text.replace("\"schema\": 1", "\"schema\": 2");
    assert!(matches!(Lock::read(later.as_bytes()), Err(LockError::Schema { found: 2 })));
    for broken in ["", "{}", &text.replace("sha256:", "sha1:")] {
        assert!(matches!(Lock::read(broken.as_bytes()), Err(LockError::Decode(_))), "{broken}");
    }
}

#[test]
fn every_field_that_decides_bytes_is_compared() {
    type Change = fn(&mut Lock);
    let other = Digest::of(b"other");
    assert_eq!(lock().differences(&lock()), []);
    let changes: [(&str, Change); 17] = [
        ("the asset", |lock| lock.asset.push('x')),
        ("the version", |lock| lock.version.push('1')),
        ("the processor", |lock| lock.arch = "arm64".to_owned()),
        ("the schematic", |lock| lock.schematic.id = SchematicId::of_canonical("")),
        ("the plan", |lock| lock.plan = Digest::of(b"other")),
        ("what is made", |lock| lock.recipe.kind.push('x')),
        ("the revision of the recipe", |lock| lock.recipe.revision += 1),
        ("the kernel command line", |lock| lock.recipe.cmdline.clear()),
        ("the image (release)", |lock| lock.sources[0].digest = Digest::of(b"other")),
        ("the image (extension)", |lock| drop(lock.sources.pop())),
        ("`external-url`", |lock| lock.settings.external_url.push('x')),
        ("the epoch", |lock| lock.settings.epoch += 1),
        ("`squashfs-level`", |lock| lock.settings.compression_level += 1),
        ("the compressors", |lock| lock.settings.compressors.push('x')),
        ("depmod", |lock| lock.settings.depmod = None),
        ("GRUB's core images", |lock| lock.settings.grub.clear()),
        ("`secureboot-lockdown`", |lock| lock.settings.lockdown = true),
    ];
    for (what, change) in changes {
        let mut here = lock();
        change(&mut here);
        let found: Vec<String> = lock().differences(&here).into_iter().map(|one| one.what).collect();
        assert_eq!(found, [what]);
    }
    let mut here = lock();
    here.signer.as_mut().unwrap().certificate = other;
    let told = lock().differences(&here)[0].to_string();
    assert!(told.starts_with("the certificate that signs: the lock says `sha256:"), "{told}");
    here.signer = None;
    assert_eq!(
        lock().differences(&here)[0].to_string(),
        "who signs: the lock says `somebody`, here it is `nobody`"
    );
    here = lock();
    here.factory.version.push('x');
    here.sources[0].tag = None;
    assert_eq!(lock().differences(&here), []);
}
