//! Sources, disks and processes that fail.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use schematics::Digest;
use tests::http::Answer;
use tests::server::Factory;
use tests::{Failure, or_skip};

use crate::site::{FIXED_URL, FULL, Site, create, files_below};

/// Whether every blob in a data directory is what its name says.
fn all_blobs_are_whole(data: &Path) -> bool {
    let blobs = files_below(&data.join("blobs/objects"));
    assert!(!blobs.is_empty());
    blobs.iter().all(|(name, bytes)| Digest::of(bytes).hex() == name.replace('/', ""))
}

/// The largest files below a directory, the largest first.
fn largest(dir: &Path) -> Vec<PathBuf> {
    let mut files = files_below(dir);
    files.sort_by_key(|(_, bytes)| std::cmp::Reverse(bytes.len()));
    files.into_iter().map(|(name, _)| dir.join(name)).collect()
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// A temporary fault, told in words, with something to ask about.
fn is_temporary(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.text().contains(words) && answer.text().contains("(request "), "{}", answer.text());
}

#[test]
fn a_source_with_a_wrong_byte_is_to_blame_until_it_is_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let source = Factory::source_in(&dir);
    tests::release::lay_down(&source).unwrap();
    let blobs = source.join("blobs/sha256");
    let good = files_below(&blobs);
    // Only contents: what says where they are stays readable, so that the fault comes late.
    let contents: Vec<PathBuf> =
        largest(&blobs).into_iter().filter(|path| fs::metadata(path).unwrap().len() > 4096).collect();
    contents.iter().for_each(|path| flip(path));
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    let data = factory.data().to_owned();
    let site = Site::of(factory, FULL);
    // No ISO here: GRUB's part of it does not come from the source.
    for asset in ["v1.13.0/kernel-amd64", "v1.13.0/initramfs-arm64.xz", "v1.7.6/metal-amd64-uki.efi"] {
        is_temporary(&site.get(asset), 502, "the source of the releases did not deliver; try again");
        assert_eq!(site.factory.head(&site.path(asset)).status, 502, "{asset}");
    }
    // Nowhere else: work that was given up may still be tidied away while this looks.
    for place in
        ["blobs/objects", "images"].map(|place| data.join(place)).iter().filter(|place| place.exists())
    {
        let kept: Vec<String> = files_below(place).into_iter().map(|(name, _)| name).collect();
        assert!(kept.is_empty(), "of what was wrong, something was kept: {kept:?}");
    }
    for (name, bytes) in good {
        fs::write(blobs.join(name), bytes).unwrap();
    }
    let healthy = Site::new(FULL);
    for asset in [
        "v1.13.0/kernel-amd64",
        "v1.13.0/initramfs-arm64.xz",
        "v1.13.0/metal-amd64.iso",
        "v1.7.6/metal-amd64-uki.efi",
    ] {
        assert!(site.bytes(asset) == healthy.bytes(asset), "{asset}");
    }
    assert!(all_blobs_are_whole(&data));
}

#[test]
fn a_source_that_lost_an_image_does_not_stop_what_is_known() {
    let site = Site::new("{}");
    let known = site.bytes("v1.13.0/metal-amd64-uki.efi");
    let Site { factory, id, .. } = site;
    let dir = factory.stop().unwrap();
    for path in largest(&Factory::source_in(&dir).join("blobs/sha256")) {
        if fs::metadata(&path).unwrap().len() > 4096 {
            fs::remove_file(path).unwrap();
        }
    }
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    let answer = factory.get(&format!("/image/{id}/v1.13.0/metal-amd64-uki.efi"));
    assert!(answer.status == 200 && answer.body == known, "{}", answer.status);
    is_temporary(
        &factory.get(&format!("/image/{id}/v1.8.2/initramfs-amd64.xz")),
        502,
        "the source of the releases",
    );
    // A matter for alerts, not for the load balancer.
    assert_eq!(factory.get("/readyz").status, 200);
    let metrics = factory.metrics();
    for operation in ["tags", "blob"] {
        let outcome = if operation == "blob" { "failed" } else { "answered" };
        let line = format!(
            "image_factory_source_requests_total{{operation=\"{operation}\",outcome=\"{outcome}\"}} "
        );
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
    assert!(metrics.contains("\nimage_factory_source_up "), "{metrics}");
}

#[test]
fn what_is_lost_or_cut_on_disk_is_made_again() {
    let site = Site::new(FULL);
    let asset = "v1.13.0/metal-amd64.iso";
    let made = site.bytes(asset);
    let etag = site.get(asset).header("etag").unwrap().to_owned();
    let Site { mut factory, id, .. } = site;
    let path = format!("/image/{id}/{asset}");
    for how in ["cut", "emptied", "deleted"] {
        let dir = factory.stop().unwrap();
        let objects = dir.path().join("data/blobs/objects");
        for blob in largest(&objects) {
            let bytes = fs::read(&blob).unwrap();
            match how {
                "cut" => fs::write(&blob, &bytes[..bytes.len() - 1]).unwrap(),
                "emptied" => fs::write(&blob, b"").unwrap(),
                _ => fs::remove_file(&blob).unwrap(),
            }
        }
        factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
        let answer = factory.get(&path);
        assert_eq!(
            (answer.status, answer.header("etag")),
            (200, Some(etag.as_str())),
            "{how}: {}",
            answer.text()
        );
        assert!(answer.body == made, "{how}");
        assert!(all_blobs_are_whole(factory.data()), "{how}");
    }
}

#[test]
fn what_is_lost_while_the_factory_runs_is_made_again() {
    let site = Site::new(FULL);
    let asset = "v1.13.0/metal-amd64.iso";
    let made = site.bytes(asset);
    for how in ["cut", "deleted"] {
        for blob in largest(&site.factory.data().join("blobs/objects")) {
            if how == "cut" {
                let bytes = fs::read(&blob).unwrap();
                fs::write(&blob, &bytes[..bytes.len() / 2]).unwrap();
            } else {
                fs::remove_file(&blob).unwrap();
            }
        }
        // Who finds out may get less than was announced; who comes then gets all.
        let first = site.get(asset);
        assert!(first.body.len() <= made.len() && made.starts_with(&first.body), "{how}");
        assert!(site.bytes(asset) == made, "{how}");
        assert!(all_blobs_are_whole(site.factory.data()), "{how}");
    }
}

#[test]
fn a_blob_with_a_flipped_byte_is_not_served() {
    let site = Site::new(FULL);
    let asset = "v1.13.0/metal-amd64.iso";
    let made = site.bytes(asset);
    let Site { mut factory, id, .. } = site;
    let path = format!("/image/{id}/{asset}");
    for restarted in [false, true] {
        let objects = factory.data().join("blobs/objects");
        let mut noticed = 0;
        for blob in largest(&objects) {
            flip(&blob);
            if restarted {
                factory = Factory::start_on(factory.stop().unwrap(), &[FIXED_URL]).unwrap();
            }
            // Who finds out may get less than was announced, but nothing else.
            let first = factory.get(&path);
            assert!(first.status == 200 && made.starts_with(&first.body), "{blob:?}: {}", first.status);
            noticed += usize::from(first.body.len() < made.len());
            assert!(factory.get(&path).body == made, "{blob:?}");
            if !all_blobs_are_whole(factory.data()) {
                // No part of this image.
                flip(&blob);
            }
        }
        assert!(noticed > 2, "most of the image was not looked at: {noticed}");
    }
}

#[test]
fn a_damaged_index_is_made_again() {
    let site = Site::new(FULL);
    let asset = "v1.13.0/metal-arm64-uki.efi";
    let made = site.bytes(asset);
    let Site { factory, id, .. } = site;
    let dir = factory.stop().unwrap();
    let data = dir.path().join("data");
    let mut damaged = 0;
    for (name, _) in files_below(&data) {
        let spared = ["blobs", "keys", "schematics", "lock"];
        if !spared.iter().any(|part| name.starts_with(part)) {
            fs::write(data.join(&name), b"{\"digest\":").unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 3, "there are records of everything cooked");
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    let answer = factory.get(&format!("/image/{id}/{asset}"));
    assert!(answer.status == 200 && answer.body == made, "{}", answer.status);
}

#[test]
fn what_a_killed_process_left_is_cleaned_up() {
    let site = Site::new(FULL);
    let made = site.bytes("v1.13.0/initramfs-amd64.xz");
    let Site { factory, id, .. } = site;
    let dir = factory.stop().unwrap();
    let data = dir.path().join("data");
    let left = [
        "blobs/partial/4711-0",
        "work/cook-abc/objects/00/half",
        "work/cook-abc/partial/4711-1",
        "partial/.tmpHalf",
    ];
    for path in left {
        fs::create_dir_all(data.join(path).parent().unwrap()).unwrap();
        fs::write(data.join(path), b"half of somethi").unwrap();
    }
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    for path in left {
        assert!(!data.join(path).exists(), "{path} is still there");
    }
    assert!(factory.get(&format!("/image/{id}/v1.13.0/initramfs-amd64.xz")).body == made);
}

/// A file system of its own, of a size, unmounted on drop.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, size: &str) -> Result<Self, Failure> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={size}");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output();
        if status.is_ok_and(|output| output.status.success()) {
            return Ok(Self(at.to_owned()));
        }
        let hint = "run as root".to_owned();
        Err(Failure::Missing { what: "the right to mount a file system".to_owned(), hint })
    }

    /// Takes all room but this many bytes.
    fn fill(&self, but: usize) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = fs::File::create(&path).unwrap();
        let page = [1; 4096];
        while std::io::Write::write_all(&mut file, &page).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(but as u64)).unwrap();
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The directory goes with it; a mount that stays would only keep the temporary directory.
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

#[test]
fn a_full_disk_is_told_and_survived() {
    let root = tempfile::tempdir().unwrap();
    let Some(disk) = or_skip(Disk::mount(&root.path().join("disk"), "4m")) else { return };
    let data = disk.0.join("data").display().to_string();
    let factory = Factory::with_release(&[FIXED_URL, ("data", &data)]).unwrap();
    let id = create(&factory, FULL);
    let assets = [
        // Of this one only the entry in the index is stored.
        "v1.13.0/cmdline-metal-amd64",
        "v1.13.0/kernel-amd64",
        "v1.13.0/initramfs-amd64.xz",
        "v1.13.0/metal-amd64.iso",
        "v1.7.6/initramfs-arm64.xz",
    ];
    for room in [0, 8 << 10, 50 << 10, 100 << 10, 150 << 10, 200 << 10] {
        let filler = disk.fill(room);
        let mut refused = 0;
        for asset in assets {
            let answer = factory.get(&format!("/image/{id}/{asset}"));
            if answer.status == 200 {
                continue;
            }
            refused += 1;
            is_temporary(&answer, 503, "no room");
            assert!(answer.header("retry-after").is_some());
        }
        if room == 0 {
            assert_eq!(refused, assets.len());
            let posted = factory.post_schematic("customization: {extraKernelArgs: [new]}");
            is_temporary(&posted, 503, "no room");
        }
        assert_eq!(factory.get("/healthz").status, 200);
        assert_eq!(factory.post_schematic(FULL).status, 201, "what is known needs no room");
        fs::remove_file(filler).unwrap();
    }
    let healthy = Site::new(FULL);
    for asset in assets {
        let answer = factory.get(&format!("/image/{id}/{asset}"));
        assert!(answer.status == 200 && answer.body == healthy.bytes(asset), "{asset}: {}", answer.text());
    }
    assert!(all_blobs_are_whole(&disk.0.join("data")));
    drop(factory);
}
