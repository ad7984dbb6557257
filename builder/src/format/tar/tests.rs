use std::collections::BTreeMap;
use std::path::Path;

use super::{TarError, lay_out};
use crate::image::{ImageLayout, VirtualImage};
use crate::judge::{Blobs, noise, passes, run};
use crate::tree::{Dir, File, Meta, Node, Symlink, Tree};

fn file(meta: Meta, content: VirtualImage) -> Node {
    Node::File(File { meta, content, link: None })
}

/// Everything the format has, by path.
fn sample(blobs: &Blobs) -> Vec<(String, Node)> {
    let big = Meta { mode: 0o4755, uid: 3_000_000, gid: 70_000, mtime: u32::MAX, ..Meta::default() };
    let labels = BTreeMap::from([("security.selinux".to_owned(), b"system_u:object_r:x=y\n:s0".to_vec())]);
    let linked = |content: &str| File { content: blobs.put(content.to_owned()), link: Some(7), ..plain("") };
    let link = |target: &str| Node::Symlink(Symlink { meta: Meta::default(), target: target.to_owned() });
    vec![
        ("usr/install/amd64/systemd-boot.efi".to_owned(), file(Meta::default(), blobs.put(noise(1, 70_001)))),
        ("empty".to_owned(), file(Meta::with_mode(0o644), VirtualImage::default())),
        ("dir".to_owned(), Node::Dir(Dir { meta: Meta::with_mode(0o1750), ..Dir::default() })),
        ("dir/block".to_owned(), file(Meta::with_mode(0o600), blobs.put(noise(2, 512)))),
        ("big".to_owned(), file(big, blobs.put("big"))),
        ("label".to_owned(), file(Meta { xattrs: labels, ..Meta::with_mode(0o644) }, blobs.put("label"))),
        ("first".to_owned(), Node::File(linked("one file, two names"))),
        ("second".to_owned(), Node::File(linked("one file, two names"))),
        ("to".to_owned(), link("dir/block")),
        ("far".to_owned(), link(&"up/".repeat(60))),
        (
            format!("{}/{}", "p".repeat(150), "n".repeat(99)),
            file(Meta::with_mode(0o644), blobs.put("prefix")),
        ),
        (format!("d/{}", "n".repeat(200)), file(Meta::with_mode(0o644), blobs.put("pax"))),
        ("grüße/你好".to_owned(), file(Meta::with_mode(0o644), blobs.put("utf-8"))),
    ]
}

fn plain(content: &str) -> File {
    let content = VirtualImage::from_bytes(content.as_bytes().to_vec());
    File { meta: Meta::with_mode(0o644), content, link: None }
}

fn archive(entries: &[(String, Node)]) -> Result<VirtualImage, TarError> {
    lay_out(entries.iter().map(|(path, node)| (path.as_str(), node)))
}

#[test]
fn gnu_tar_and_bsdtar_list_the_same() {
    let blobs = Blobs::default();
    let entries = sample(&blobs);
    let bytes = blobs.flatten(&archive(&entries).unwrap());
    assert_eq!(bytes.len() % 512, 0);
    let expected: Vec<String> = entries
        .iter()
        .map(|(path, node)| if matches!(node, Node::Dir(_)) { format!("{path}/") } else { path.clone() })
        .collect();
    for (program, arguments) in [("tar", &["-t", "--quoting-style=literal"][..]), ("bsdtar", &["-tf", "-"])] {
        let Some(listed) = passes(program, arguments, Path::new("/"), &bytes) else { continue };
        assert_eq!(String::from_utf8(listed).unwrap().lines().collect::<Vec<_>>(), expected, "{program}");
    }
    let Some(long) = passes("tar", &["-tv", "--numeric-owner"], Path::new("/"), &bytes) else { return };
    let long = String::from_utf8(long).unwrap();
    for (path, fields) in [
        ("usr/install/amd64/systemd-boot.efi", ["----------", "0/0", "70001", "1970-01-01", "00:00"]),
        ("dir/", ["drwxr-x--T", "0/0", "0", "1970-01-01", "00:00"]),
        ("big", ["-rwsr-xr-x", "3000000/70000", "3", "2106-02-07", "06:28"]),
    ] {
        let line = long.lines().find(|line| line.split_whitespace().nth(5) == Some(path)).unwrap();
        assert_eq!(line.split_whitespace().take(5).collect::<Vec<_>>(), fields, "{path}");
    }
    assert!(long.contains("second link to first") && long.contains("to -> dir/block"), "{long}");
}

/// Prints a line for each entry, as another implementation understood it.
const PYTHON: &str = "import hashlib, sys, tarfile
with tarfile.open(fileobj=sys.stdin.buffer, mode='r|') as archive:
    for m in archive:
        data = hashlib.sha256(archive.extractfile(m).read()).hexdigest()[:8] if m.isreg() else '-'
        print(m.name, oct(m.mode), m.uid, m.gid, m.size, m.mtime, m.type.decode(), m.linkname, data,
              sorted(k + '=' + v for k, v in m.pax_headers.items() if 'xattr' in k))
";

#[test]
fn python_reads_back_every_field() {
    let blobs = Blobs::default();
    let entries = sample(&blobs);
    let bytes = blobs.flatten(&archive(&entries).unwrap());
    let Some(seen) = passes("python3", &["-c", PYTHON], Path::new("/"), &bytes) else { return };
    let seen = String::from_utf8(seen).unwrap();
    let hash = |bytes: &[u8]| schematics::Digest::of(bytes).hex()[..8].to_owned();
    let far = "up/".repeat(60);
    let expected = [
        format!("usr/install/amd64/systemd-boot.efi 0o0 0 0 70001 0 0  {} []", hash(&noise(1, 70_001))),
        format!("empty 0o644 0 0 0 0 0  {} []", hash(b"")),
        "dir 0o1750 0 0 0 0 5  - []".to_owned(),
        format!("dir/block 0o600 0 0 512 0 0  {} []", hash(&noise(2, 512))),
        format!("big 0o4755 3000000 70000 3 {} 0  {} []", u32::MAX, hash(b"big")),
        format!(
            "label 0o644 0 0 5 0 0  {} ['SCHILY.xattr.security.selinux=system_u:object_r:x=y\\n:s0']",
            hash(b"label")
        ),
        format!("first 0o644 0 0 19 0 0  {} []", hash(b"one file, two names")),
        "second 0o644 0 0 0 0 1 first - []".to_owned(),
        "to 0o777 0 0 0 0 2 dir/block - []".to_owned(),
        format!("far 0o777 0 0 0 0 2 {far} - []"),
        format!("{}/{} 0o644 0 0 6 0 0  {} []", "p".repeat(150), "n".repeat(99), hash(b"prefix")),
        format!("d/{} 0o644 0 0 3 0 0  {} []", "n".repeat(200), hash(b"pax")),
        format!("grüße/你好 0o644 0 0 5 0 0  {} []", hash(b"utf-8")),
    ];
    assert_eq!(seen.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_damaged_header_is_noticed() {
    let blobs = Blobs::default();
    let mut bytes = blobs.flatten(&archive(&sample(&blobs)).unwrap());
    bytes[0] ^= 1;
    for (program, arguments) in [("tar", &["-t"][..]), ("bsdtar", &["-tf", "-"])] {
        let Some(output) = run(program, arguments, Path::new("/"), &bytes) else { continue };
        assert!(!output.status.success(), "{program}");
    }
}

#[test]
fn contents_stay_the_blobs_they_are() {
    let blobs = Blobs::default();
    let kernel = blobs.put(noise(3, 100_000));
    let entries = [("vmlinuz".to_owned(), file(Meta::default(), kernel.clone()))];
    let layer = archive(&entries).unwrap();
    assert_eq!(layer.blobs(), kernel.blobs());
    assert_eq!(layer.extents().len(), 3, "a header, the kernel, zeros");
    assert_eq!(archive(&entries).unwrap(), layer);
}

#[test]
fn what_is_larger_than_eight_gibibytes_says_so_in_front() {
    let mut disk = ImageLayout::default();
    disk.zeros(9 << 30);
    let entries = [("disk.raw".to_owned(), file(Meta::with_mode(0o644), disk.finish()))];
    let layer = archive(&entries).unwrap();
    assert_eq!(layer.len(), 512 * 3 + (9 << 30) + 1024);
    let blobs = Blobs::default();
    let head = blobs.flatten(&layer.part(0..1536));
    assert!(String::from_utf8_lossy(&head[512..1024]).starts_with("19 size=9663676416\n"));
    assert_eq!(&head[1024 + 124..1024 + 136], b"00000000000\0");
}

#[test]
fn what_a_tar_archive_cannot_say_is_refused() {
    let node = Node::File(plain("x"));
    for path in ["", "a\0b", &"a".repeat(5000)] {
        assert!(matches!(lay_out([(path, &node)]), Err(TarError::Path { .. })), "{path}");
    }
    let nowhere = Node::Symlink(Symlink { meta: Meta::default(), target: String::new() });
    assert!(matches!(lay_out([("a", &nowhere)]), Err(TarError::Path { .. })));
    let linked = |content| Node::File(File { link: Some(1), ..plain(content) });
    let (one, other) = (linked("one"), linked("other"));
    assert!(matches!(lay_out([("a", &one), ("b", &other)]), Err(TarError::UnequalLinks { .. })));
}

#[test]
fn a_tree_is_written_as_it_is_walked() {
    let mut tree = Tree::default();
    tree.insert_file("overlay/artifacts/u-boot.bin", 0o644, VirtualImage::from_bytes("u-boot")).unwrap();
    let entries = tree.walk();
    let layer = lay_out(entries.iter().map(|(path, node)| (path.as_str(), *node))).unwrap();
    assert_eq!(layer.len(), 512 * 3 + 512 + 1024);
}
