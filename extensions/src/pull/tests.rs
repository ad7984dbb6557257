mod hostile;

use std::collections::BTreeMap;
use std::path::Path;

use builder::image::VirtualImage;
use builder::tree::Node;
use schematics::{Blame, Blamed as _};

use super::*;
use crate::fixtures::{image, publish, repository, store, tar};
use crate::publish::{Part, Publication};
use crate::source::LayoutSource;

/// Publishes layers of `(media type, bytes)` as `a/b:v1`, pulls them, and tells what came out.
async fn pull_layers(
    layers: Vec<(&str, Vec<u8>)>,
    limits: &Limits,
) -> Result<(Tree, Arc<dyn BlobStore>), PullError> {
    let (dir, store) = (tempfile::tempdir().unwrap(), store());
    let part = |(kind, bytes): (&str, Vec<u8>)| Part::new(kind, VirtualImage::from_bytes(bytes));
    let config = part(("application/vnd.oci.empty.v1+json", b"{}".to_vec()));
    let layers = layers.into_iter().map(part).collect();
    let built = Publication::image(config, layers, BTreeMap::new(), &store).await.unwrap();
    let image = publish(dir.path(), "a/b:v1", &built, &store).await;
    let source = LayoutSource::open(dir.path()).unwrap();
    let pulled = pull_tree(&source, &image, Arch::Amd64, &store, limits).await?;
    Ok((pulled.tree, store))
}

const TAR: &str = crate::oci::LAYER;
const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn paths(tree: &Tree) -> Vec<String> {
    tree.walk().into_iter().map(|(path, _)| path).collect()
}

async fn content(tree: &Tree, store: &Arc<dyn BlobStore>, path: &str) -> Vec<u8> {
    let Some(Node::File(file)) = tree.get(path) else { panic!("{path} is no file") };
    file.content.read_all(store, 1 << 20).await.unwrap().to_vec()
}

#[tokio::test]
async fn layers_lie_on_top_of_each_other_however_they_are_compressed() {
    let bottom = tar(&[("a", b"1"), ("d/x", b"2"), ("d/y", b"3"), ("o/old", b"4"), ("gone/z", b"5")]);
    // Two members, as gzip allows; a reader of the first one alone would miss half of the layer.
    let middle = tar(&[("a", b"6"), (".wh.gone", b""), ("o/.wh..wh..opq", b""), ("o/new", b"7")]);
    let (first, second) = middle.split_at(700);
    let middle = [gzip(first), gzip(second)].concat();
    let top = zstd::encode_all(&tar(&[("d/.wh.x", b""), ("d/.wh..wh.aufs", b"")])[..], 3).unwrap();
    let layers = vec![(TAR, bottom), (GZIP, middle), (ZSTD, top)];
    let (tree, store) = pull_layers(layers, &Limits::default()).await.unwrap();
    assert_eq!(paths(&tree), ["a", "d", "d/y", "o", "o/new"]);
    assert_eq!(content(&tree, &store, "a").await, b"6");
    assert_eq!(content(&tree, &store, "o/new").await, b"7");
}

#[tokio::test]
async fn a_layer_that_removes_and_adds_keeps_what_it_adds() {
    let bottom = tar(&[("d/old", b"1"), ("f", b"2")]);
    let top = tar(&[("d/new", b"3"), ("d/.wh..wh..opq", b""), ("f/g", b"4"), (".wh.f", b"")]);
    let (tree, _) = pull_layers(vec![(TAR, bottom), (TAR, top)], &Limits::default()).await.unwrap();
    assert_eq!(paths(&tree), ["d", "d/new", "f", "f/g"]);
}

fn header(kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(1000);
    header.set_mtime(1_700_000_000);
    header.set_size(0);
    header
}

#[tokio::test]
async fn entries_are_kept_as_talos_unpacks_them() {
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header(tar::EntryType::Directory, 0o055), "d/", &b""[..]).unwrap();
    let label: &[u8] = b"system_u:object_r:bin_t:s0";
    let records =
        [("SCHILY.xattr.security.selinux", label), ("SCHILY.xattr.security.capability", b"\x01\n\0")];
    archive.append_pax_extensions(records).unwrap();
    let mut file = header(tar::EntryType::Regular, 0o4755);
    file.set_size(4);
    archive.append_data(&mut file, "d/file", &b"body"[..]).unwrap();
    archive.append_link(&mut header(tar::EntryType::Link, 0o644), "d/hard", "d/file").unwrap();
    archive.append_link(&mut header(tar::EntryType::Symlink, 0o777), "soft", "/../anywhere").unwrap();
    let layer = archive.into_inner().unwrap();
    let (tree, store) = pull_layers(vec![(TAR, layer)], &Limits::default()).await.unwrap();

    assert_eq!(tree.dir("d").unwrap().meta.mode, 0o755, "directories get at least 0700");
    let Some(Node::File(file)) = tree.get("d/file") else { panic!() };
    assert_eq!((file.meta.mode, file.meta.uid, file.meta.mtime), (0o4755, 0, 0));
    assert_eq!(file.meta.xattrs, BTreeMap::from([("security.selinux".to_owned(), label.to_vec())]));
    let Some(Node::File(hard)) = tree.get("d/hard") else { panic!() };
    assert!(hard == file && file.link.is_some(), "a hard link is the same file");
    assert_eq!(content(&tree, &store, "d/hard").await, b"body");
    let Some(Node::Symlink(soft)) = tree.get("soft") else { panic!() };
    assert_eq!(soft.target, "/../anywhere");
}

#[tokio::test]
async fn the_image_of_the_architecture_is_chosen() {
    let (dir, store) = (tempfile::tempdir().unwrap(), store());
    let only = image(Arch::Arm64, &[&[("arm64", b"")]], &store).await;
    let index = Publication::index(vec![(Arch::Arm64, only.clone())]).unwrap();
    let image = publish(dir.path(), "a/b:v1", &index, &store).await;
    let source = LayoutSource::open(dir.path()).unwrap();
    let limits = Limits::default();
    let pulled = pull_tree(&source, &image, Arch::Arm64, &store, &limits).await.unwrap();
    assert_eq!(pulled.image_digest, only.digest);
    let error = pull_tree(&source, &image, Arch::Amd64, &store, &limits).await.unwrap_err();
    let text = format!("{} of a/b has no image for linux/amd64", index.digest);
    assert_eq!((error.to_string(), error.blame()), (text, Blame::Upstream));
}

#[tokio::test]
async fn only_what_is_wanted_is_judged() {
    let (dir, store) = (tempfile::tempdir().unwrap(), store());
    let bottom = fs_err::read(hostile::fixture("device.tar")).unwrap();
    let part = |bytes| Part::new(TAR, VirtualImage::from_bytes(bytes));
    let layers = vec![part(bottom), part(tar(&[("usr/install/amd64/vmlinuz", b"k"), ("etc/x", b"")]))];
    let config = Part::new("application/vnd.oci.empty.v1+json", VirtualImage::from_bytes("{}"));
    let built = Publication::image(config, layers, BTreeMap::new(), &store).await.unwrap();
    let image = publish(dir.path(), "a/b:v1", &built, &store).await;
    let source = LayoutSource::open(dir.path()).unwrap();
    let platform = platform_image(&source, &image, Arch::Amd64).await.unwrap();
    let limits = Limits::default();
    let pulled = pull_platform(&source, &platform, &store, &limits, Some("usr/install")).await.unwrap();
    assert_eq!(paths(&pulled.tree), ["usr", "usr/install", "usr/install/amd64", "usr/install/amd64/vmlinuz"]);
    assert!(pull_platform(&source, &platform, &store, &limits, None).await.is_err());
}

#[tokio::test]
async fn layouts_that_lie_about_their_blobs_are_refused() {
    let open = |name: &str| LayoutSource::open(hostile::fixture(name)).unwrap();
    let pull = async |source: LayoutSource| {
        let repository = repository("a/b");
        let digest = source.resolve(&repository, "v1").await.unwrap();
        let image = ImageRef { repository, digest };
        pull_tree(&source, &image, Arch::Amd64, &store(), &Limits::default()).await.unwrap_err()
    };
    let error = pull(open("wrong-digest.oci")).await;
    assert!(matches!(error, PullError::Mismatch { .. }) && error.blame() == Blame::Upstream, "{error:?}");
    for (name, size) in [("oversized.oci", 6144), ("undersized.oci", 1536)] {
        let error = pull(open(name)).await;
        assert!(
            matches!(error, PullError::Length { expected: 2048, found, .. } if found == size),
            "{error:?}"
        );
    }
    assert!(LayoutSource::open(Path::new("/nonexistent")).is_err());
}
