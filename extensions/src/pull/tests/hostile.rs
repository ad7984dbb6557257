//! Every layer below `tests/fixtures/hostile` is refused, each with its reason.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::path::PathBuf;

use super::*;

/// The fixture, and what it is refused with.
const REFUSED: [(&str, &str); 32] = [
    ("absolute.tar", "`/etc/passwd` leads out of the tree"),
    ("block-device.tar", "`dev/sda` has the entry type `4`: only files, directories and links are allowed"),
    ("bomb.tar.gz", "it decompresses to more than 200 times its size"),
    ("bomb.tar.zst", "it decompresses to more than 200 times its size"),
    ("checksum.tar", "it cannot be read as an archive"),
    ("deep.tar", "`d/d/d/"),
    ("device.tar", "`dev/mem` has the entry type `3`: only files, directories and links are allowed"),
    ("directory-content.tar", "`d` is no file and yet has 1024 bytes of content"),
    ("duplicate-directory.tar", "`etc` is there twice"),
    ("duplicate.tar", "`a` is there twice"),
    ("fifo.tar", "`run/fifo` has the entry type `6`: only files, directories and links are allowed"),
    ("gnu-sparse.tar", "`big` is a sparse file"),
    ("hardlink-missing.tar", "`a` is a hard link to `b`, which is not a file of this image"),
    ("hardlink-out.tar", "`shadow` is a hard link to `../../etc/shadow`, which is not a file of this image"),
    (
        "hardlink-through-symlink.tar",
        "`shadow` is a hard link to `d/shadow`, which is not a file of this image",
    ),
    ("long-name-huge.tar", "an extended header has 7516192768 bytes, more than the 131072 allowed"),
    ("long-name.tar", "`nnnn"),
    ("many.tar.gz", "there are more than 1000 entries"),
    ("not-utf8.tar", "`caf\u{fffd}` is not a path that can be kept"),
    ("parent.tar", "`a/../../etc/passwd` leads out of the tree"),
    ("pax-alone.tar", "the extended header of `` is malformed: nothing follows it"),
    ("pax-global.tar", "the extended header of `pax_global_header` is malformed: it says for all"),
    ("pax-huge.tar", "an extended header has 7516192768 bytes, more than the 131072 allowed"),
    (
        "pax-malformed.tar",
        "the extended header of `PaxHeaders/a` is malformed: the length of a record is wrong",
    ),
    ("pax-nul.tar", "`a\0b` is not a path that can be kept"),
    ("pax-size.tar", "the extended header of `outer` is malformed: its size is not the header's"),
    ("pax-sparse.tar", "`GNUSparseFile.0/big` is a sparse file"),
    ("through-file.tar", "`a/b` goes through `a`, which is not a directory"),
    ("through-symlink.tar", "`a/passwd` goes through `a`, which is not a directory"),
    ("truncated.tar", "it cannot be read as an archive"),
    ("truncated.tar.gz", "it cannot be read as an archive"),
    ("unknown-type.tar", "`odd` has the entry type `Z`: only files, directories and links are allowed"),
];

/// Fixtures with a test of their own in this file or beside it.
const ELSEWHERE: [&str; 5] = [
    "oversized.oci",
    "undersized.oci",
    "whiteout-parent.tar",
    "whiteout-through-symlink.tar",
    "wrong-digest.oci",
];

pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hostile").join(name)
}

async fn refused(layers: Vec<(&str, Vec<u8>)>) -> String {
    let mut limits = Limits::default();
    limits.layer.entries = 1000;
    let error = pull_layers(layers, &limits).await.err().unwrap();
    assert!(matches!(error, PullError::Hostile { .. }), "{error:?}");
    assert_eq!(error.blame(), Blame::Upstream);
    assert!(error.to_string().starts_with("layer sha256:"), "{error}");
    error.source().unwrap().to_string()
}

fn layer(name: &str) -> (&'static str, Vec<u8>) {
    let kind = match name.rsplit_once('.') {
        Some((_, "gz")) => GZIP,
        Some((_, "zst")) => ZSTD,
        _ => TAR,
    };
    (kind, fs_err::read(fixture(name)).unwrap())
}

#[tokio::test]
async fn hostile_layers_are_refused_with_the_reason() {
    for (name, reason) in REFUSED {
        let found = refused(vec![layer(name)]).await;
        assert!(found.starts_with(reason), "{name}: {found}");
    }
    assert_eq!(refused(vec![layer("whiteout-parent.tar")]).await, "`a/..` leads out of the tree");
}

#[tokio::test]
async fn links_of_lower_layers_are_not_followed() {
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_link(&mut header(tar::EntryType::Symlink, 0o777), "link", "/etc").unwrap();
    let below = (TAR, archive.into_inner().unwrap());
    let reason = "`link/passwd` goes through `link`, which is not a directory";
    let whiteout = vec![below.clone(), layer("whiteout-through-symlink.tar")];
    assert_eq!(refused(whiteout).await, reason);
    let reason = refused(vec![below.clone(), (TAR, tar(&[("link/passwd", b"x")]))]).await;
    assert_eq!(reason, "`link/passwd` goes through `link`, which is not a directory");
    // A directory of its own in the link's place is no way through it.
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header(tar::EntryType::Directory, 0o755), "link", &b""[..]).unwrap();
    let above = (TAR, archive.into_inner().unwrap());
    assert!(pull_layers(vec![below, above], &Limits::default()).await.is_ok());
}

#[tokio::test]
async fn the_size_of_an_image_is_bounded_over_its_layers() {
    let half = tar(&[("a", &[1; 4096])]);
    let other = tar(&[("b", &[2; 4096])]);
    let limits = Limits { content: 10 << 10, ..Limits::default() };
    assert!(pull_layers(vec![(TAR, half.clone())], &limits).await.is_ok());
    let error = pull_layers(vec![(TAR, half.clone()), (TAR, other)], &limits).await.err().unwrap();
    assert_eq!(error.source().unwrap().to_string(), "it decompresses to more than 10240 bytes");
    let limits = Limits { blob: 1 << 10, ..Limits::default() };
    assert!(matches!(pull_layers(vec![(TAR, half)], &limits).await, Err(PullError::TooLarge { .. })));
}

#[test]
fn every_fixture_is_named_here_and_has_its_script() {
    let entries = fs_err::read_dir(fixture("")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: BTreeSet<String> = entries.map(|name| name.into_string().unwrap()).collect();
    let named = REFUSED.iter().map(|(name, _)| *name).chain(ELSEWHERE);
    let expected: BTreeSet<String> = named
        .flat_map(|name| [name.to_owned(), format!("{name}.gen.py")])
        .chain(["README.md", "layer.py", "layout.py"].map(str::to_owned))
        .collect();
    let found: BTreeSet<String> = names.into_iter().filter(|name| name != "__pycache__").collect();
    assert_eq!(found, expected);
}
