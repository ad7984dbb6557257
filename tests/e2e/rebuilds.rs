//! Making an asset again from its lock: the same bytes, or a reason why not.

use std::path::Path;

use extensions::{LayoutWriter, Publication};
use factory::app::App;
use factory::config::{self, Config};
use factory::documents::lock::Lock;
use factory::images::Wanted;
use factory::rebuild::{RebuildError, Rebuilt, Workshop, is_of};
use schematics::Digest;
use tempfile::TempDir;
use tests::keys::KeyFiles;
use tests::release;
use tests::tool::GRUB_MODULES;
use tokio::runtime::Runtime;

use crate::site::{FULL, report};

/// A release, and configurations of factories on it.
struct Place {
    dir: TempDir,
    runtime: Runtime,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        release::lay_down(&dir.path().join("source")).unwrap();
        Self { dir, runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap() }
    }

    /// A factory with an empty data directory.
    fn config(&self, data: &str, keys: &[(&str, &str)]) -> Config {
        let source = format!("oci:{}", self.dir.path().join("source").display());
        let data = self.dir.path().join(data).display().to_string();
        let trust = format!("key:{}", release::public_key().unwrap().display());
        let mut all =
            vec![("data", data.as_str()), ("source", source.as_str()), ("grub-modules", GRUB_MODULES)];
        all.push(("trust", trust.as_str()));
        all.extend_from_slice(keys);
        config::of(&all).unwrap()
    }

    /// Makes an asset for the first time: its lock, and the digest of its bytes.
    fn first(&self, asset: &str, keys: &[(&str, &str)]) -> (Lock, Digest) {
        let (version, asset) = asset.split_once('/').unwrap();
        let mut all = vec![("external-url", "http://factory.example"), ("squashfs-level", "3")];
        all.extend_from_slice(keys);
        self.runtime.block_on(async {
            let app = App::open(self.config("first", &all)).await.unwrap();
            let stored = app.register.create(FULL.as_bytes()).await.unwrap();
            let (version, asset) = (version.parse().unwrap(), asset.parse().unwrap());
            let keys = app.keys.named(None).unwrap();
            let wanted = Wanted { stored: &stored, version: &version, asset: &asset, keys };
            let lock = app.images.lock(wanted).await.unwrap();
            let image = app.images.open(wanted).await.unwrap();
            (lock, image.layout.content_digest(&app.store).await.unwrap())
        })
    }

    /// Makes an asset again, with the differences that were told before.
    fn again(&self, lock: &Lock, keys: &[(&str, &str)]) -> Result<(Vec<String>, Rebuilt), RebuildError> {
        self.runtime.block_on(async {
            let workshop = Box::pin(Workshop::open(lock, self.config("again", keys))).await?;
            let told = workshop.differences.iter().map(ToString::to_string).collect();
            Ok((told, workshop.make().await?))
        })
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

#[test]
fn an_asset_is_the_same_when_it_is_made_again_from_its_lock() {
    let place = Place::new();
    for asset in ["v1.12.0/initramfs-amd64.xz", "v1.12.0/metal-arm64.iso", "v1.9.4/installer-amd64.tar"] {
        let (lock, expected) = place.first(asset, &[]);
        let lock = Lock::read(lock.to_json().unwrap().as_bytes()).unwrap();
        let (differences, made) = place.again(&lock, &[]).unwrap();
        assert_eq!(differences, Vec::<String>::new(), "{asset}");
        assert_eq!(made.digest, expected, "{asset}");
    }
}

#[test]
fn a_signed_asset_needs_its_keys_and_is_the_same_with_them() {
    let place = Place::new();
    let [own, other] = [(); 2].map(|()| KeyFiles::generate().unwrap());
    let files = [&own, &other].map(|keys| keys.file().display().to_string());
    let asset = "v1.13.0/metal-amd64-secureboot-uki.efi";
    let (lock, expected) = place.first(asset, &[("keys", &files[0])]);
    let (differences, made) = place.again(&lock, &[("keys", &files[0])]).unwrap();
    assert_eq!((differences, made.digest), (Vec::new(), expected));
    let certificate = lock.signer.as_ref().unwrap().certificate.to_string();
    for (keys, reason) in
        [(vec![], "give the keys"), (vec![("keys", files[1].as_str())], "in none of the sets")]
    {
        let error = place.again(&lock, &keys).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains(&certificate), "{error}");
    }
}

#[test]
fn a_lock_that_was_tampered_with_is_noticed() {
    let place = Place::new();
    let (lock, expected) = place.first("v1.12.0/initramfs-amd64.xz", &[]);

    let mut other = lock.clone();
    other.sources[0].digest = Digest::of(b"another release");
    let error = chain(&place.again(&other, &[]).unwrap_err());
    assert!(error.contains("siderolabs/imager:v1.12.0 is sha256:"), "{error}");
    assert!(error.contains("is wanted"), "{error}");

    let mut other = lock.clone();
    other.sources.retain(|image| image.repository != "siderolabs/extensions");
    let error = chain(&place.again(&other, &[]).unwrap_err());
    assert!(error.contains("siderolabs/extensions:v1.12.0 is none of the images"), "{error}");

    let mut other = lock.clone();
    other.settings.compression_level += 1;
    let (differences, made) = place.again(&other, &[]).unwrap();
    assert!(differences.iter().any(|one| one.starts_with("the plan: ")), "{differences:?}");
    assert_ne!(made.digest, expected);

    let mut other = lock.clone();
    (other.recipe.revision, other.settings.depmod) = (99, Some("kmod version 1".to_owned()));
    let (differences, made) = place.again(&other, &[]).unwrap();
    assert!(differences[0].starts_with("the revision of the recipe: the lock says `99`"), "{differences:?}");
    assert!(differences[1].starts_with("depmod: the lock says `kmod version 1`"), "{differences:?}");
    assert_eq!(made.digest, expected);

    let text = lock.to_json().unwrap().replace("vga=", "vgb=").replace("quiet", "loud");
    assert!(Lock::read(text.as_bytes()).unwrap_err().to_string().contains("its text has the id"));
    let id = lock.schematic.id;
    is_of(&lock, &format!("{id}/v1.12.0/initramfs-amd64.xz")).unwrap();
    assert!(is_of(&lock, &format!("{id}/v1.12.0/initramfs-arm64.xz")).is_err());
}

#[test]
fn a_tag_that_was_moved_is_noticed() {
    let place = Place::new();
    let (lock, _) = place.first("v1.12.0/kernel-amd64", &[]);
    place.runtime.block_on(republish(&place.dir.path().join("source")));
    let error = chain(&place.again(&lock, &[]).unwrap_err());
    assert!(error.contains("siderolabs/imager:v1.12.0 is sha256:"), "{error}");
}

/// Prints how many faults a JSON document has under a schema.
const CHECK: &str = "import jsonschema, json, sys
jsonschema.Draft202012Validator.check_schema(json.load(open(sys.argv[1])))
validator = jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))
print(sum(1 for _ in validator.iter_errors(json.load(open(sys.argv[2])))))";

#[test]
fn a_lock_is_of_its_published_shape() {
    let place = Place::new();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../factory/docs/lock.schema.json");
    let faults = |text: &str| {
        let file = place.dir.path().join("lock.json");
        fs_err::write(&file, text).unwrap();
        report("python3", "python3-jsonschema", &[&"-c", &CHECK, &schema, &file])
    };
    let keys = KeyFiles::generate().unwrap();
    let file = keys.file().display().to_string();
    for asset in ["v1.12.0/metal-amd64-secureboot.iso", "v1.9.4/installer-arm64.tar", "v1.3.7/kernel-amd64"] {
        let (lock, _) = place.first(asset, &[("keys", &file)]);
        let text = lock.to_json().unwrap();
        let Some(found) = faults(&text) else { return };
        assert_eq!(found, "0\n", "{asset}: {text}");
        let broken =
            text.replace("\"release\"", "\"something\"").replace("\"revision\": 1", "\"revision\": 0");
        assert_eq!(faults(&broken).unwrap(), "2\n", "{asset}");
    }
}

/// Publishes an empty image as the release of a version.
async fn republish(layout: &Path) {
    use builder::store::MemoryStore;
    use extensions::publish::{ContainerImage, Publisher as _};
    let store: std::sync::Arc<dyn builder::BlobStore> = std::sync::Arc::new(MemoryStore::default());
    let image = ContainerImage {
        arch: schematics::Arch::Amd64,
        layers: vec![builder::VirtualImage::from_bytes(vec![0; 1024])],
        runtime: serde_json::Map::new(),
    };
    let image = Publication::container(image, &store).await.unwrap();
    let writer = LayoutWriter::open(layout).unwrap();
    let key = release::signing_key().unwrap();
    release::sign(&writer, "siderolabs/imager", image.digest, &key).await.unwrap();
    writer.publish(&"siderolabs/imager".parse().unwrap(), "v1.12.0", &image, &store).await.unwrap();
}
