use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use builder::store::MemoryStore;
use builder::tree::Node;
use extensions::contents::Contents;
use extensions::oci::Document;
use extensions::releases::{Releases, VersionRules};
use extensions::source::RegistryOptions;
use extensions::{ImageRef, ImageSource, LayoutSource, Limits, SourceSpec, catalog, overlays, pull_tree};
use fs_err as fs;
use signing::cosign;

use super::*;

/// The head of a PE image.
fn pe(arch: Arch) -> Vec<u8> {
    let mut bytes = vec![0; 0x200];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[0x3c] = 0x80;
    bytes[0x80..0x84].copy_from_slice(b"PE\0\0");
    let machine: u16 = if arch == Arch::Amd64 { 0x8664 } else { 0xaa64 };
    bytes[0x84..0x86].copy_from_slice(&machine.to_le_bytes());
    bytes
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

/// Files of a release with one extension and one overlay.
fn files(dir: &Path, version: &str) -> Files {
    let mut files = Files {
        version: version.parse().unwrap(),
        artifacts: BTreeMap::new(),
        installer_base: BTreeMap::new(),
        extensions: vec![("siderolabs/hello".parse().unwrap(), dir.join("hello"))],
        overlays: vec![("a_board".to_owned(), dir.join("board"))],
        talosctl: Some(dir.join("talosctl")),
    };
    for arch in Arch::ALL {
        let artifacts = dir.join(format!("artifacts-{arch}"));
        for name in ["vmlinuz", "systemd-stub.efi", "systemd-boot.efi"] {
            write(&artifacts.join(name), &[pe(arch), name.into()].concat());
        }
        write(&artifacts.join("initramfs.xz"), b"\x28\xb5\x2f\xfdinitramfs");
        files.artifacts.insert(arch, artifacts);
        let installer = dir.join(format!("installer-{arch}"));
        write(&installer.join("usr/bin/installer"), b"#!/bin/sh\n");
        fs::set_permissions(installer.join("usr/bin/installer"), std::fs::Permissions::from_mode(0o755))
            .unwrap();
        drop(symlink("usr/bin", installer.join("bin")));
        files.installer_base.insert(arch, installer);
        let hello = dir.join("hello").join(arch.name());
        let manifest = "version: v1alpha1\nmetadata:\n  name: hello\n  version: 1.0.0\n  author: Me\n  \
                        description: 'Says: hello'\n";
        write(&hello.join("manifest.yaml"), manifest.as_bytes());
        write(&hello.join("rootfs/usr/local/share/hello"), arch.name().as_bytes());
        write(&dir.join("board").join(arch.name()).join("installers/a_board"), b"#!/bin/sh\n");
    }
    write(&dir.join("talosctl/talosctl-linux-amd64"), b"talosctl");
    files
}

async fn published(files: &Files, layout: &Path, key: Option<SigningKey>) -> Vec<ImageName> {
    let place = SourceSpec::Layout(layout.to_owned());
    make(files, Target { place, options: RegistryOptions::default() }, key).await.unwrap()
}

async fn refused(files: &Files) -> String {
    let dir = tempfile::tempdir().unwrap();
    let place = SourceSpec::Layout(dir.path().join("layout"));
    let result = make(files, Target { place, options: RegistryOptions::default() }, None).await;
    assert!(!dir.path().join("layout").exists(), "nothing is published before everything was checked");
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn what_is_published_is_read_back_as_a_release() {
    let (dir, layout) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for version in ["v1.12.0", "v1.13.0"] {
        published(&files(dir.path(), version), layout.path(), None).await;
    }
    let source: Arc<dyn ImageSource> = Arc::new(LayoutSource::open(layout.path()).unwrap());
    let rules = VersionRules { minimum: "1.2.0".parse().unwrap(), broken: Vec::new() };
    let releases = Releases::new(Arc::clone(&source), "siderolabs/imager".parse().unwrap(), rules);
    assert_eq!(releases.latest().await.unwrap().to_string(), "v1.13.0");
    assert_eq!(releases.versions().await.unwrap().len(), 2);

    let contents = |name: &str| {
        let (source, repository) = (Arc::clone(&source), name.parse().unwrap());
        async move { Contents::pull(source.as_ref(), &repository, "v1.13.0", &Limits::default()).await.unwrap() }
    };
    let imager = contents("siderolabs/imager").await;
    for arch in Arch::ALL {
        for name in ["vmlinuz", "initramfs.xz", "systemd-stub.efi", "systemd-boot.efi"] {
            let made = imager.required(&format!("usr/install/{arch}/{name}")).await.unwrap();
            let given = fs::read(dir.path().join(format!("artifacts-{arch}")).join(name)).unwrap();
            assert_eq!(made, given);
        }
    }
    assert!(contents("siderolabs/talosctl-all").await.required("talosctl-linux-amd64").await.is_ok());

    let listed = contents("siderolabs/extensions").await;
    let digests = listed.required(catalog::DIGESTS_FILE).await.unwrap();
    let descriptions = listed.required(catalog::DESCRIPTIONS_FILE).await.unwrap();
    let [entry] = catalog::read(&digests, Some(&descriptions)).unwrap().try_into().unwrap();
    assert_eq!((entry.author.as_str(), entry.description.as_str()), ("Me", "Says: hello"));
    let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
    for arch in Arch::ALL {
        let pulled =
            pull_tree(source.as_ref(), &entry.image(), arch, &store, &Limits::default()).await.unwrap();
        let Some(Node::File(file)) = pulled.tree.get("rootfs/usr/local/share/hello") else {
            panic!("no file")
        };
        assert_eq!(file.content.read_all(&store, 100).await.unwrap(), arch.name().as_bytes());
    }
    let listed = contents("siderolabs/overlays").await.required(overlays::OVERLAYS_FILE).await.unwrap();
    let [overlay] = overlays::read(&listed).unwrap().try_into().unwrap();
    assert_eq!((overlay.name.as_str(), overlay.image.as_str()), ("a_board", "siderolabs/a_board"));
    let pulled = pull_tree(source.as_ref(), &overlay.image_ref(), Arch::Arm64, &store, &Limits::default())
        .await
        .unwrap();
    assert!(pulled.tree.get("installers/a_board").is_some());
}

#[tokio::test]
async fn installers_are_run_as_the_real_ones_are() {
    let (dir, layout) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    published(&files(dir.path(), "v1.13.0"), layout.path(), None).await;
    let source = LayoutSource::open(layout.path()).unwrap();
    let repository: Repository = "siderolabs/installer-base".parse().unwrap();
    let digest = source.resolve(&repository, "v1.13.0").await.unwrap();
    let blob =
        |digest: schematics::Digest| fs::read(layout.path().join("blobs/sha256").join(digest.hex())).unwrap();
    let Document::Index(index) = Document::decode(&blob(digest), digest).unwrap() else { panic!("no index") };
    for (entry, arch) in index.manifests.iter().zip(Arch::ALL) {
        assert_eq!(entry.platform.as_ref().unwrap().architecture, arch.name());
        let Document::Image(image) = Document::decode(&blob(entry.digest), entry.digest).unwrap() else {
            panic!("no image")
        };
        let config: serde_json::Value = serde_json::from_slice(&blob(image.config.digest)).unwrap();
        assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/bin/installer"]));
        assert_eq!(config["config"]["Env"][1], format!("TARGETARCH={arch}"));
        assert_eq!(config["config"]["Env"][2], "VERSION=v1.13.0");
        assert_eq!(config["config"]["Labels"]["alpha.talos.dev/version"], "v1.13.0");
    }
}

#[tokio::test]
async fn the_same_files_give_the_same_images() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let layouts = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = published(&files(one.path(), "v1.13.0"), layouts.0.path(), None).await;
    let second = published(&files(other.path(), "v1.13.0"), layouts.1.path(), None).await;
    assert_eq!(first, second);
    assert_eq!(
        first.last().unwrap().repository.as_str(),
        "siderolabs/imager",
        "what makes it visible is last"
    );
    assert_eq!(first.len(), 7);
    write(&other.path().join("hello/arm64/rootfs/usr/local/share/hello"), b"other");
    let third = published(&files(other.path(), "v1.12.0"), layouts.1.path(), None).await;
    assert_ne!(first, third);
}

#[tokio::test]
async fn every_image_is_signed_with_the_key() {
    let (dir, layout) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = SigningKey::generate().unwrap();
    let (public, other) = (key.public_key().clone(), SigningKey::generate().unwrap());
    let names = published(&files(dir.path(), "v1.13.0"), layout.path(), Some(key)).await;
    let source = LayoutSource::open(layout.path()).unwrap();
    for ImageName { repository, digest, .. } in names {
        let digest = digest.unwrap();
        let signature = source.resolve(&repository, &cosign::tag(&digest)).await.unwrap();
        let manifest = source.manifest(&repository, signature).await.unwrap();
        let Document::Image(image) = Document::decode(&manifest, signature).unwrap() else {
            panic!("no image")
        };
        let [layer] = image.layers.try_into().unwrap();
        assert_eq!(layer.media_type, cosign::MEDIA_TYPE);
        let payload = fs::read(layout.path().join("blobs/sha256").join(layer.digest.hex())).unwrap();
        let found =
            cosign::ImageSignature { payload, signature: layer.annotations[cosign::ANNOTATION].clone() };
        let claim = cosign::verify(&public, &digest, &found).unwrap();
        assert_eq!(claim.reference, format!("ghcr.io/{repository}"));
        assert!(cosign::verify(other.public_key(), &digest, &found).is_err());
    }
}

#[tokio::test]
async fn files_that_are_not_what_they_should_be_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let at = |name: &str| path(name).display().to_string();
    let swapped = "artifacts-arm64/vmlinuz";
    for (name, bytes, expected) in [
        (swapped, pe(Arch::Amd64), "is not a PE image (an EFI program) for arm64"),
        ("artifacts-amd64/vmlinuz", b"\x1f\x8bgzip".to_vec(), "is not a PE image (an EFI program) for amd64"),
        ("artifacts-amd64/systemd-stub.efi", b"MZ".to_vec(), "is not a PE image (an EFI program) for amd64"),
        (
            "artifacts-amd64/initramfs.xz",
            b"\xfd7zXZ\0".to_vec(),
            "is not compressed with zstd, as Talos does it since 1.8",
        ),
    ] {
        let files = files(dir.path(), "v1.13.0");
        write(&path(name), &bytes);
        assert_eq!(refused(&files).await, format!("{} {expected}", at(name)));
    }
    let release = files(dir.path(), "v1.13.0");
    fs::remove_file(path("artifacts-amd64/systemd-boot.efi")).unwrap();
    assert_eq!(refused(&release).await, format!("could not read {}", at("artifacts-amd64/systemd-boot.efi")));
    let release = files(dir.path(), "v1.13.0");
    write(&path("hello/amd64/manifest.yaml"), b"version: v2\n");
    assert_eq!(refused(&release).await, format!("could not use {}", at("hello/amd64/manifest.yaml")));
    let release = files(dir.path(), "v1.13.0");
    write(&path("hello/amd64/extra"), b"");
    let expected = "is not the root of an extension: exactly `manifest.yaml` and `rootfs`";
    assert_eq!(refused(&release).await, format!("{} {expected}", at("hello/amd64")));
}

#[tokio::test]
async fn directories_and_names_are_checked_before_anything_is_published() {
    let dir = tempfile::tempdir().unwrap();
    let change = |change: &dyn Fn(&mut Files)| {
        let mut release = files(dir.path(), "v1.13.0");
        change(&mut release);
        release
    };
    let at = |name: &str| dir.path().join(name).display().to_string();
    let file = dir.path().join("talosctl/talosctl-linux-amd64");
    let none = change(&|files| files.artifacts.clear());
    assert_eq!(refused(&none).await, "a release needs `--artifacts` of at least one architecture");
    let not_a_directory = change(&|files| {
        files.artifacts.insert(Arch::Amd64, file.clone());
    });
    assert_eq!(refused(&not_a_directory).await, format!("{} is not a directory", file.display()));
    let one_installer = change(&|files| {
        files.installer_base.remove(&Arch::Arm64);
    });
    assert!(refused(&one_installer).await.contains("same architectures"));
    let twice = change(&|files| files.overlays.push(("hello".to_owned(), dir.path().join("board2"))));
    write(&dir.path().join("board2/amd64/installers/hello"), b"");
    write(&dir.path().join("board2/arm64/installers/hello"), b"");
    assert_eq!(refused(&twice).await, "there would be two images named siderolabs/hello");
    let wrong_name = change(&|files| files.overlays = vec![("UP".to_owned(), dir.path().join("board"))]);
    assert_eq!(refused(&wrong_name).await, "`siderolabs/UP` cannot be the name of an image");
    let no_program = change(&|files| files.overlays = vec![("b".to_owned(), dir.path().join("board"))]);
    assert!(refused(&no_program).await.starts_with(&at("board/amd64/installers/b")));
    write(&dir.path().join("talosctl/readme"), b"");
    assert!(refused(&files(dir.path(), "v1.13.0")).await.starts_with(&at("talosctl/readme")));
}

#[tokio::test]
async fn older_versions_have_their_own_shape() {
    let (dir, layout) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let release = files(dir.path(), "v1.7.0");
    let error = refused(&release).await;
    assert!(error.ends_with("is not compressed with xz, as Talos did it before 1.8"), "{error}");
    for arch in Arch::ALL {
        write(&dir.path().join(format!("artifacts-{arch}/initramfs.xz")), b"\xfd7zXZ\0");
    }
    published(&release, layout.path(), None).await;
    let source = LayoutSource::open(layout.path()).unwrap();
    let resolved = source.resolve(&"siderolabs/installer".parse().unwrap(), "v1.7.0").await;
    let image = ImageRef { repository: "siderolabs/installer".parse().unwrap(), digest: resolved.unwrap() };
    let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
    let pulled = pull_tree(&source, &image, Arch::Amd64, &store, &Limits::default()).await.unwrap();
    let Some(Node::File(file)) = pulled.tree.get("usr/bin/installer") else { panic!("no installer") };
    assert_eq!(file.meta.mode, 0o755);
    assert!(matches!(pulled.tree.get("bin"), Some(Node::Symlink(link)) if link.target == "usr/bin"));
}
