use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use builder::VirtualImage;
use builder::store::{BlobStoreExt as _, DirRecords, DirStore};

use super::*;
use crate::cook::CookOptions;
use crate::fixtures::{publish, store, tar};
use crate::publish::{ContainerImage, Publication};
use crate::source::LayoutSource;

fn kitchen(dir: &Path) -> Kitchen {
    let one = NonZeroUsize::MIN;
    let options = CookOptions { level: 3, threads: one, parallel: one, work: dir.join("work") };
    let store = Arc::new(DirStore::open(dir.join("store")).unwrap());
    Kitchen::new(store, Arc::new(DirRecords::open(dir.join("records")).unwrap()), options)
}

/// A base with this many layers, published for both architectures.
async fn base(layout: &Path, layers: usize) -> ImageRef {
    let scratch = store();
    let mut images = Vec::new();
    for arch in Arch::ALL {
        let layer = |number: usize| {
            let path = format!("{arch}/{number}");
            VirtualImage::from_bytes(tar(&[(path.as_str(), b"tool")]))
        };
        let runtime = json!({ "Entrypoint": ["/bin/installer"], "Env": [format!("TARGETARCH={arch}")] });
        let Value::Object(runtime) = runtime else { panic!() };
        let image = ContainerImage { arch, layers: (0..layers).map(layer).collect(), runtime };
        images.push((arch, Publication::container(image, &scratch).await.unwrap()));
    }
    let name = format!("siderolabs/installer-base:v{layers}");
    publish(layout, &name, &Publication::index(images).unwrap(), &scratch).await
}

#[tokio::test]
async fn a_base_is_kept_as_it_is_and_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let (kitchen, limits) = (kitchen(dir.path()), Limits::default());
    let layout = dir.path().join("layout");
    let mut known = Vec::new();
    for (layers, kept) in [(1, 1), (2, 1), (3, 3)] {
        let image = base(&layout, layers).await;
        let source = LayoutSource::open(&layout).unwrap();
        let base = installer_base(&kitchen, &source, &limits, &image, Arch::Arm64).await.unwrap();
        assert_eq!(base.layers.len(), kept, "{layers}");
        for (number, layer) in base.layers.iter().enumerate() {
            let bytes = tar(&[(format!("arm64/{number}").as_str(), b"tool")]);
            assert_eq!((layer.media_type.as_str(), layer.diff_id), (LAYER, Digest::of(&bytes)));
            assert_eq!(kitchen.store.read_all(layer.blob.digest, 1 << 20).await.unwrap(), bytes);
        }
        assert_eq!(base.runtime["Env"], json!(["TARGETARCH=arm64"]));
        known.push((image, base));
    }
    let source = LayoutSource::open(&layout).unwrap();
    fs_err::remove_dir_all(layout.join("blobs")).unwrap();
    for (image, base) in &known {
        let again = installer_base(&kitchen, &source, &limits, image, Arch::Arm64).await.unwrap();
        assert_eq!(again, *base);
        // Only what was pulled is there without the source.
        let other = installer_base(&kitchen, &source, &limits, image, Arch::Amd64).await.unwrap_err();
        assert_eq!(other.blame(), Blame::Upstream);
    }
}

/// A layer as one gzip member.
async fn compressed(kitchen: &Kitchen, content: &[u8], diff_id: Digest) -> BaseLayer {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, content).unwrap();
    let blob = kitchen.store.put(encoder.finish().unwrap().into()).await.unwrap();
    BaseLayer { media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(), blob, diff_id }
}

#[tokio::test]
async fn a_layer_is_decompressed_once_and_only_to_what_it_should_be() {
    let dir = tempfile::tempdir().unwrap();
    let (kitchen, limits) = (kitchen(dir.path()), Limits::default());
    let content = tar(&[("a", b"content")]);
    let layer = compressed(&kitchen, &content, Digest::of(&content)).await;
    let (one, two) = tokio::join!(inflated(&kitchen, &limits, &layer), inflated(&kitchen, &limits, &layer));
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(kitchen.store.read_all(layer.diff_id, 1 << 20).await.unwrap(), content);
    let other = compressed(&kitchen, b"other", Digest::of(b"what it should be")).await;
    let plain = BaseLayer { blob: kitchen.store.put("no gzip".into()).await.unwrap(), ..other.clone() };
    let unknown = BaseLayer { media_type: "text/plain".to_owned(), ..other.clone() };
    for layer in [other, plain, unknown] {
        let refused = inflated(&kitchen, &limits, &layer).await;
        assert!(matches!(refused, Err(BaseError::Layer { .. })), "{refused:?}");
    }
    let small = Limits { content: 3, ..Limits::default() };
    let large = compressed(&kitchen, b"large", Digest::of(b"large")).await;
    assert!(inflated(&kitchen, &small, &large).await.unwrap_err().to_string().contains("3 bytes"));
}

#[tokio::test]
async fn a_base_that_is_no_container_is_refused() {
    let (dir, scratch) = (tempfile::tempdir().unwrap(), store());
    let layout = dir.path().join("layout");
    let part = crate::publish::Part::new("application/vnd.oci.empty.v1+json", VirtualImage::from_bytes("{}"));
    let layer = crate::publish::Part::new(LAYER, VirtualImage::from_bytes(tar(&[("a", b"b")])));
    let image =
        Publication::image(part, vec![layer], std::collections::BTreeMap::new(), &scratch).await.unwrap();
    let image = publish(&layout, "siderolabs/installer-base:v1", &image, &scratch).await;
    let source = LayoutSource::open(&layout).unwrap();
    let base = installer_base(&kitchen(dir.path()), &source, &Limits::default(), &image, Arch::Amd64).await;
    assert!(matches!(base, Err(BaseError::Config { .. })), "{base:?}");
}

#[test]
fn documents_name_the_layers_in_their_order() {
    let blob = |text: &str| Blob { digest: Digest::of(text.as_bytes()), size: 7 };
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip".to_owned();
    let below = BaseLayer { media_type: gzip.clone(), blob: blob("base"), diff_id: Digest::of(b"diff") };
    let Value::Object(runtime) = json!({ "Labels": { "b": "2", "a": "1" } }) else { panic!() };
    let base = InstallerBase { layers: vec![below], runtime };
    let made = InstallerDocuments::compose(
        &base,
        Arch::Arm64,
        &[blob("own"), blob("overlay")],
        "2019-06-01T21:34:52Z",
    );
    let made = made.unwrap();
    let manifest: Value = serde_json::from_slice(&made.manifest).unwrap();
    let types: Vec<&Value> =
        manifest["layers"].as_array().unwrap().iter().map(|layer| &layer["mediaType"]).collect();
    assert_eq!(types, [gzip.as_str(), LAYER, LAYER]);
    assert_eq!(manifest["config"]["digest"], json!(Digest::of(&made.config)));
    let config: Value = serde_json::from_slice(&made.config).unwrap();
    assert_eq!(
        config,
        json!({
            "architecture": "arm64",
            "os": "linux",
            "created": "2019-06-01T21:34:52Z",
            "config": { "Labels": { "b": "2", "a": "1" } },
            "rootfs": {
                "type": "layers",
                "diff_ids": [Digest::of(b"diff"), Digest::of(b"own"), Digest::of(b"overlay")],
            },
        })
    );
    let index = installer_index(&[(Arch::Amd64, blob("x")), (Arch::Arm64, blob_of(&made.manifest))]).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(index["manifests"][1]["platform"], json!({ "architecture": "arm64", "os": "linux" }));
}
