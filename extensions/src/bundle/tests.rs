use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use builder::{Blob, BlobStore, VirtualImage};
use fs_err as fs;

use super::*;
use crate::fixtures::{Registry, image, publish, repository, run, store};
use crate::oci::CONFIG;
use crate::publish::{Part, Publication, RegistryPusher};
use crate::reference::ImageRef;
use crate::source::{ImageSource, LayoutSource, PullError, RegistryOptions, RegistrySource};
use crate::{Limits, pull_tree};

const SCHEMATIC: &str = "customization: {}\n";

/// A layout with an image for both architectures that is signed as cosign does, and others nobody wants.
async fn origin(dir: &Path, store: &Arc<dyn BlobStore>) -> ImageRef {
    let amd64 = image(Arch::Amd64, &[&[("amd", b"x86")]], store).await;
    let arm64 = image(Arch::Arm64, &[&[("arm", b"64")]], store).await;
    let index = Publication::index(vec![(Arch::Amd64, amd64), (Arch::Arm64, arm64)]).unwrap();
    let found = publish(dir, "siderolabs/imager:v1.13.0", &index, store).await;
    let layer = Part::new("application/vnd.dev.cosign.simplesigning.v1+json", VirtualImage::from_bytes("{}"));
    let config = Part::new(CONFIG, VirtualImage::from_bytes("{}"));
    let signature = Publication::image(config, vec![layer], BTreeMap::new(), store).await.unwrap();
    publish(dir, &format!("siderolabs/imager:{}", signing::cosign::tag(&found.digest)), &signature, store)
        .await;
    let other = image(Arch::Amd64, &[&[("other", b"1")]], store).await;
    publish(dir, "siderolabs/imager:v1.12.0", &other, store).await;
    found
}

async fn gather(source: &dyn ImageSource, image: &ImageRef, platforms: &Platforms) -> Bundle {
    let mut collector = Collector::new(source);
    collector.add(image, Some("v1.13.0"), platforms).await.unwrap();
    collector.schematic(&repository("siderolabs/image-factory/schematics"), SCHEMATIC.into()).unwrap();
    collector.note("factory.bundle.versions", "v1.13.0");
    collector.finish()
}

fn only(arch: Arch) -> Platforms {
    Platforms::Only(BTreeSet::from([arch]))
}

async fn has(source: &dyn ImageSource, image: &ImageRef, arch: Arch) -> bool {
    match pull_tree(source, image, arch, &store(), &Limits::default()).await {
        Ok(_) => true,
        Err(error) => {
            assert!(error.is_left_out(), "{error}");
            assert!(error.to_string().contains("siderolabs/imager is missing at the bundle oci:"), "{error}");
            false
        }
    }
}

#[tokio::test]
async fn directory_and_archive_have_what_is_wanted_and_nothing_else() {
    let (dir, store) = (tempfile::tempdir().unwrap(), store());
    let image = origin(dir.path(), &store).await;
    let source = LayoutSource::open(dir.path()).unwrap();
    let bundle = gather(&source, &image, &only(Arch::Amd64)).await;
    for name in ["bundle", "bundle.tar"] {
        let path = dir.path().join(name);
        write(&bundle, &source, &path, &|_| ()).await.unwrap();
        let read = LayoutSource::open(&path).unwrap();
        assert!(read.is_bundle() && !source.is_bundle());
        let tag = signing::cosign::tag(&image.digest);
        let mut tags = read.tags(&image.repository).await.unwrap();
        tags.sort();
        assert_eq!(tags, [tag.as_str(), "v1.13.0"]);
        let signed = source.resolve(&image.repository, &tag).await.unwrap();
        assert_eq!(read.resolve(&image.repository, &tag).await.unwrap(), signed);
        assert!(has(&read, &image, Arch::Amd64).await && !has(&read, &image, Arch::Arm64).await);
        let schematic = Blob { digest: Digest::of(SCHEMATIC.as_bytes()), size: SCHEMATIC.len() as u64 };
        let schematics = repository("siderolabs/image-factory/schematics");
        assert!(read.blob(&schematics, schematic).await.is_ok());
        assert!(read.resolve(&schematics, &schematic.digest.hex().to_string()).await.is_ok());
        assert!(!fs::exists(dir.path().join(format!("{name}.partial"))).unwrap());
    }
    // What the archive has is what the directory has.
    let unpacked = dir.path().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let archive = dir.path().join("bundle.tar").display().to_string();
    run("tar", &["-xf", &archive, "-C", &unpacked.display().to_string()]);
    run("diff", &["-r", &unpacked.display().to_string(), &dir.path().join("bundle").display().to_string()]);
    let inspected =
        run("skopeo", &["inspect", "--raw", &format!("oci-archive:{archive}:siderolabs/imager:v1.13.0")]);
    assert_eq!(Digest::of(inspected.as_bytes()), image.digest);
}

#[tokio::test]
async fn what_refers_to_an_image_comes_along() {
    let (dir, store) = (tempfile::tempdir().unwrap(), store());
    let image = origin(dir.path(), &store).await;
    let nothing = Digest::of(b"{}");
    let about = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": crate::oci::MANIFEST,
        "artifactType": "application/x.about",
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": nothing, "size": 2 },
        "layers": [],
        "subject": { "mediaType": INDEX, "digest": image.digest, "size": 1 },
    });
    let about = about.to_string();
    let referrer = Digest::of(about.as_bytes());
    fs::write(dir.path().join("blobs/sha256").join(referrer.hex()), &about).unwrap();
    let path = dir.path().join("index.json");
    let mut index: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let name = format!("siderolabs/imager@{referrer}");
    let entry = serde_json::json!({
        "mediaType": crate::oci::MANIFEST,
        "digest": referrer,
        "size": about.len(),
        "annotations": { REF_NAME: name },
    });
    index["manifests"].as_array_mut().unwrap().push(entry);
    fs::write(&path, index.to_string()).unwrap();
    let source = LayoutSource::open(dir.path()).unwrap();
    let bundle = gather(&source, &image, &only(Arch::Amd64)).await;
    assert!(bundle.names().any(|found| found == name));
    let written = dir.path().join("bundle.tar");
    write(&bundle, &source, &written, &|_| ()).await.unwrap();
    let read = LayoutSource::open(&written).unwrap();
    let referrers = read.referrers(&image.repository, image.digest).await.unwrap();
    assert_eq!(referrers.len(), 1);
    assert_eq!(referrers[0].digest, referrer);
    // Nothing refers to another image.
    assert!(read.referrers(&image.repository, nothing).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_same_images_give_the_same_archive() {
    let store = store();
    let mut archives = Vec::new();
    for _ in 0..2 {
        let dir = tempfile::tempdir().unwrap();
        let image = origin(dir.path(), &store).await;
        let source = LayoutSource::open(dir.path()).unwrap();
        let bundle = gather(&source, &image, &Platforms::All).await;
        let path = dir.path().join("b.tar");
        write(&bundle, &source, &path, &|_| ()).await.unwrap();
        assert!(has(&LayoutSource::open(&path).unwrap(), &image, Arch::Arm64).await);
        archives.push(fs::read(&path).unwrap());
    }
    assert!(archives[0] == archives[1]);
}

#[tokio::test]
async fn a_bundle_is_whole_or_not_there() {
    let (dir, store) = (tempfile::tempdir().unwrap(), store());
    let image = origin(dir.path(), &store).await;
    let source = LayoutSource::open(dir.path()).unwrap();
    let bundle = gather(&source, &image, &Platforms::All).await;
    let blobs = dir.path().join("blobs/sha256");
    let lost = bundle.blobs.iter().find(|(_, content)| matches!(content, Content::There { .. })).unwrap().0;
    let kept = fs::read(blobs.join(lost.hex())).unwrap();
    let mut damaged = kept.clone();
    damaged[0] ^= 1;
    fs::write(blobs.join(lost.hex()), damaged).unwrap();
    for name in ["bundle", "bundle.tar"] {
        let path = dir.path().join(name);
        let failed = write(&bundle, &source, &path, &|_| ()).await;
        assert!(
            matches!(failed, Err(WriteError::Pull { source: PullError::Mismatch { .. }, .. })),
            "{failed:?}"
        );
        assert!(!fs::exists(&path).unwrap());
    }
    fs::write(blobs.join(lost.hex()), kept).unwrap();
    // What an attempt for something else has left is not taken along.
    fs::write(dir.path().join("bundle.partial/blobs/sha256").join("stranger"), "x").unwrap();
    for name in ["bundle", "bundle.tar"] {
        let path = dir.path().join(name);
        let written = std::sync::atomic::AtomicU64::new(0);
        let count = |more| {
            written.fetch_add(more, std::sync::atomic::Ordering::Relaxed);
        };
        write(&bundle, &source, &path, &count).await.unwrap();
        assert_eq!(written.into_inner(), bundle.size());
        assert!(fs::metadata(path.join("blobs/sha256/stranger")).is_err());
        assert!(matches!(write(&bundle, &source, &path, &|_| ()).await, Err(WriteError::Exists { .. })));
    }
}

#[tokio::test]
async fn an_archive_that_is_none_is_refused() {
    let (dir, store) = (tempfile::tempdir().unwrap(), store());
    let image = origin(dir.path(), &store).await;
    let source = LayoutSource::open(dir.path()).unwrap();
    let path = dir.path().join("b.tar");
    write(&gather(&source, &image, &Platforms::All).await, &source, &path, &|_| ()).await.unwrap();
    let good = fs::read(&path).unwrap();
    let other = dir.path().join("other.tar");
    for bytes in [&b"no archive"[..], &[], &good[..good.len() / 2], &good[..512], &good[..1024]] {
        fs::write(&other, bytes).unwrap();
        let refused = LayoutSource::open(&other);
        assert!(matches!(refused, Err(PullError::File { .. })), "{refused:?}");
    }
    // A flipped byte is noticed when it is read.
    let layer = good.windows(3).position(|bytes| bytes == b"x86").unwrap();
    let mut flipped = good;
    flipped[layer] ^= 1;
    fs::write(&other, flipped).unwrap();
    let read = LayoutSource::open(&other).unwrap();
    let pulled = pull_tree(&read, &image, Arch::Amd64, &store, &Limits::default()).await;
    assert!(matches!(pulled, Err(PullError::Mismatch { .. })), "{pulled:?}");
}

#[tokio::test]
async fn a_registry_takes_a_bundle_and_what_it_has_is_passed_over() {
    let (registry, dir, store) = (Registry::start().await, tempfile::tempdir().unwrap(), store());
    let image = origin(dir.path(), &store).await;
    let source = LayoutSource::open(dir.path()).unwrap();
    let options = RegistryOptions::default();
    let namespace = Some(repository("mirror"));
    let there = RegistrySource::new(false, &registry.host, namespace.clone(), options.clone()).unwrap();
    let target = RegistryPusher::new(false, &registry.host, namespace, &options);
    for (name, platforms) in [("amd64.tar", only(Arch::Amd64)), ("all", Platforms::All)] {
        let path = dir.path().join(name);
        write(&gather(&source, &image, &platforms).await, &source, &path, &|_| ()).await.unwrap();
    }
    let pushed = async |name: &str| {
        let layout = LayoutSource::open(dir.path().join(name)).unwrap();
        push(&layout, (&there, &target), &image.repository, &|_, _| ()).await
    };
    // This registry wants all images of an index.
    let refused = pushed("amd64.tar").await.unwrap_err();
    assert!(matches!(refused, PushError::Partial { .. }), "{refused:?}");
    assert!(matches!(there.resolve(&image.repository, "v1.13.0").await, Err(PullError::NoTag { .. })));
    let first = pushed("all").await.unwrap();
    assert!(first.tags == 3 && first.present > 0, "{first:?}");
    let again = pushed("all").await.unwrap();
    assert_eq!((again.blobs, again.documents, again.tags), (0, 0, 0), "{again:?}");
    assert_eq!(there.resolve(&image.repository, "v1.13.0").await.unwrap(), image.digest);
    assert!(there.resolve(&image.repository, &signing::cosign::tag(&image.digest)).await.is_ok());
    assert!(pull_tree(&there, &image, Arch::Arm64, &store, &Limits::default()).await.is_ok());
}
