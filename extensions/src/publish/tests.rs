use std::collections::BTreeMap;

use schematics::Arch;
use serde_json::Value;

use super::*;
use crate::fixtures::{Registry, image, publish, repository, run, store};
use crate::reference::ImageRef;
use crate::source::{ImageSource, LayoutSource, RegistryOptions, RegistrySource};
use crate::{Limits, pull_tree};

const FILES: &[(&str, &[u8])] = &[("a", b"1"), ("b/c", b"2")];

async fn both(store: &std::sync::Arc<dyn BlobStore>) -> Publication {
    let amd64 = image(Arch::Amd64, &[FILES], store).await;
    let arm64 = image(Arch::Arm64, &[&[("arm", b"64")]], store).await;
    Publication::index(vec![(Arch::Amd64, amd64), (Arch::Arm64, arm64)]).unwrap()
}

#[tokio::test]
async fn skopeo_reads_what_the_layout_writer_wrote() {
    let (dir, store) = (tempfile::tempdir().unwrap(), store());
    let index = both(&store).await;
    publish(dir.path(), "siderolabs/imager:v1.13.0", &index, &store).await;
    let from = format!("oci:{}:siderolabs/imager:v1.13.0", dir.path().display());
    for (arch, layers) in [("amd64", 1), ("arm64", 1)] {
        let text = run("skopeo", &["--override-arch", arch, "inspect", &from]);
        let facts: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (facts["Architecture"].as_str(), facts["Layers"].as_array().unwrap().len()),
            (Some(arch), layers)
        );
    }
    let raw = run("skopeo", &["inspect", "--raw", &from]);
    assert_eq!(Digest::of(raw.as_bytes()), index.digest);
    let copy = dir.path().join("copy");
    let to = format!("oci:{}:a/b:c", copy.display());
    run("skopeo", &["--insecure-policy", "copy", "--all", "--preserve-digests", &from, &to]);
    assert_eq!(
        LayoutSource::open(copy).unwrap().resolve(&repository("a/b"), "c").await.unwrap(),
        index.digest
    );
}

#[tokio::test]
async fn writing_again_changes_nothing_and_keeps_the_others() {
    let (dir, store) = (tempfile::tempdir().unwrap(), store());
    let one = image(Arch::Amd64, &[FILES], &store).await;
    let two = image(Arch::Amd64, &[&[("x", b"y")]], &store).await;
    publish(dir.path(), "r/b:v2", &one, &store).await;
    publish(dir.path(), "r/a:v1", &one, &store).await;
    let index = fs_err::read(dir.path().join("index.json")).unwrap();
    publish(dir.path(), "r/b:v2", &one, &store).await;
    assert_eq!(fs_err::read(dir.path().join("index.json")).unwrap(), index);
    publish(dir.path(), "r/b:v2", &two, &store).await;
    let source = LayoutSource::open(dir.path()).unwrap();
    assert_eq!(source.resolve(&repository("r/b"), "v2").await.unwrap(), two.digest);
    assert_eq!(source.resolve(&repository("r/a"), "v1").await.unwrap(), one.digest);
    assert_eq!(source.tags(&repository("r/b")).await.unwrap(), ["v2"]);
    let names: Vec<_> = fs_err::read_dir(dir.path().join("blobs/sha256")).unwrap().collect();
    assert_eq!(names.len(), 6, "two images of three blobs, and nothing left over");
}

#[tokio::test]
async fn tags_that_are_none_are_refused() {
    let (dir, store) = (tempfile::tempdir().unwrap(), store());
    let one = image(Arch::Amd64, &[FILES], &store).await;
    let writer = LayoutWriter::open(dir.path()).unwrap();
    for tag in ["", "../x", "a b", "é"] {
        let result = writer.publish(&repository("r"), tag, &one, &store).await;
        assert!(matches!(result, Err(PublishError::Tag(_))), "{tag}");
    }
}

#[tokio::test]
async fn a_registry_takes_what_is_pushed() {
    let (registry, store) = (Registry::start().await, store());
    let options = RegistryOptions::default();
    let namespace = Some(repository("mirror"));
    let pusher = RegistryPusher::new(false, &registry.host, namespace.clone(), &options);
    let index = both(&store).await;
    let imager = repository("siderolabs/imager");
    for _ in 0..2 {
        pusher.publish(&imager, "v1.13.0", &index, &store).await.unwrap();
    }
    let layer = Part {
        annotations: BTreeMap::from([("dev.cosignproject.cosign/signature".to_owned(), "c2ln".to_owned())]),
        ..Part::new("application/vnd.dev.cosign.simplesigning.v1+json", VirtualImage::from_bytes("{}"))
    };
    let config = Part::new(crate::oci::CONFIG, VirtualImage::from_bytes("{}"));
    let signature = Publication::image(config, vec![layer], BTreeMap::new(), &store).await.unwrap();
    pusher.publish(&imager, &signing::cosign::tag(&index.digest), &signature, &store).await.unwrap();

    let at = format!("docker://{}/mirror/siderolabs/imager", registry.host);
    let text = run("skopeo", &["inspect", "--tls-verify=false", "--raw", &format!("{at}:v1.13.0")]);
    assert_eq!(Digest::of(text.as_bytes()), index.digest);
    let tag = format!("sha256-{}.sig", index.digest.hex());
    let text = run("skopeo", &["inspect", "--tls-verify=false", "--raw", &format!("{at}:{tag}")]);
    assert!(text.contains(r#""dev.cosignproject.cosign/signature":"c2ln""#), "{text}");

    let source = RegistrySource::new(false, &registry.host, namespace, options).unwrap();
    assert_eq!(source.tags(&imager).await.unwrap(), [tag.as_str(), "v1.13.0"]);
    let image = ImageRef { digest: source.resolve(&imager, "v1.13.0").await.unwrap(), repository: imager };
    let pulled = pull_tree(&source, &image, Arch::Arm64, &store, &Limits::default()).await.unwrap();
    assert!(pulled.tree.get("arm").is_some() && pulled.tree.get("a").is_none());
}
