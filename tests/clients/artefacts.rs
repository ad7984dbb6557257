//! Images as artefacts: what oras pulls.

use std::path::Path;

use fs_err as fs;
use schematics::{Arch, Digest};
use tests::{Failure, or_skip, tool};

use crate::programs::{BUILT, fresh};
use crate::site::{Site, VERSION, text};

/// Pulls an artefact into a directory, and tells the names of its files.
fn pull(dir: &Path, image: &str, more: &[&str]) -> Result<Vec<String>, Failure> {
    let to = text(dir);
    let arguments = ["pull", "--no-tty", "--plain-http", "--output", &to];
    tool::run("oras", BUILT, [&arguments[..], more, &[image]].concat())?;
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

#[test]
fn oras_pulls_the_files_of_a_platform() {
    let pulled = Site::new().and_then(|site| {
        for arch in Arch::ALL {
            let platform = format!("--platform=linux/{arch}");
            for (kind, mut files) in [
                ("metal-uki", vec![format!("metal-{arch}-uki.efi")]),
                ("metal-iso", vec![format!("metal-{arch}.iso")]),
                (
                    "metal-pxe",
                    vec![
                        format!("kernel-{arch}"),
                        format!("initramfs-{arch}.xz"),
                        format!("cmdline-metal-{arch}"),
                    ],
                ),
            ] {
                files.sort();
                let image = format!("{}/{kind}/{}", site.host(), site.id);
                let by_digest = format!("@{}", site.digest(&format!("{kind}/{}", site.id), VERSION));
                for (reference, more) in [
                    (format!(":{VERSION}"), &[platform.as_str()][..]),
                    (format!(":{VERSION}-{arch}"), &[]),
                    (by_digest, &[platform.as_str()]),
                ] {
                    let dir = fresh(&site.place("oras"));
                    assert_eq!(pull(&dir, &format!("{image}{reference}"), more)?, files, "{reference}");
                    for file in &files {
                        let found = Digest::of(&fs::read(dir.join(file)).unwrap());
                        assert_eq!(found, Digest::of(&site.download(file)), "{file}");
                    }
                    fs::remove_dir_all(&dir).unwrap();
                }
            }
        }
        for image in [
            format!("metal-uki/{}:v9.9.9", site.id),
            format!("metl-uki/{}:{VERSION}", site.id),
            format!("metal-containerdisk/{}:{VERSION}", site.id),
            format!("metal-uki/{}@{}", site.id, Digest::of(b"nothing")),
        ] {
            let refused = pull(&fresh(&site.place("oras")), &format!("{}/{image}", site.host()), &[]);
            assert!(matches!(refused, Err(Failure::Program { .. })), "{image}: {refused:?}");
        }
        Ok(())
    });
    or_skip(pulled);
}
