use proptest::prelude::*;

use super::sample::stub;
use super::{Headers, MAX_SECTIONS, PeError, Section, SectionName, append_sections, dump, sections};
use crate::image::VirtualImage;
use crate::judge::{Blobs, noise, passes, run};

fn section(name: &str, content: VirtualImage) -> Section {
    Section { name: SectionName::new(name).unwrap(), content }
}

fn append(stub: &[u8], sections: &[Section]) -> Result<VirtualImage, PeError> {
    append_sections(&VirtualImage::from_bytes(stub.to_vec()), stub, sections, 1_700_000_000)
}

fn sample(blobs: &Blobs) -> Vec<Section> {
    vec![
        section(".osrel", VirtualImage::from_bytes("ID=talos\n")),
        section(".linux", blobs.put(noise(1, 70_001))),
        section(".initrd", blobs.put(noise(2, 0x1200))),
        section(".profile", VirtualImage::from_bytes("ID=main")),
        section(".profile", VirtualImage::from_bytes("ID=other")),
    ]
}

#[test]
fn new_sections_follow_the_stubs_own() {
    let blobs = Blobs::default();
    let image = append(&stub(), &sample(&blobs)).unwrap();
    let bytes = blobs.flatten(&image);
    insta::assert_snapshot!(dump(&bytes).unwrap(), @r"
    machine 0x8664, time 1700000000, 110592 bytes in memory, aligned to 4096 (file 512)
    .text    memory 0x00001000 +1008      file 0x00000400 +1024      flags 0x60000020
    .data    memory 0x00002000 +2304      file 0x00000800 +512       flags 0xc0000040
    .sbat    memory 0x00003000 +33        file 0x00000a00 +512       flags 0x40000040
    .osrel   memory 0x00004000 +9         file 0x00000c00 +512       flags 0x40000040
    .linux   memory 0x00005000 +70001     file 0x00000e00 +70144     flags 0x40000040
    .initrd  memory 0x00017000 +4608      file 0x00012000 +4608      flags 0x40000040
    .profile memory 0x00019000 +7         file 0x00013200 +512       flags 0x40000040
    .profile memory 0x0001a000 +8         file 0x00013400 +512       flags 0x40000040
    ");
    assert_eq!(image.extents().iter().filter(|extent| extent.len() == 70_001).count(), 1);
    let table = sections(&bytes).unwrap();
    for (found, wanted) in table[3..].iter().zip(sample(&blobs)) {
        assert_eq!(found.name, wanted.name);
        assert!(blobs.flatten(&image.part(found.content())) == blobs.flatten(&wanted.content));
    }
    let own = &stub()[0x400..];
    let data: Vec<u8> = table[..3].iter().flat_map(|s| blobs.flatten(&image.part(s.raw()))).collect();
    assert!(data == own);
    assert_eq!(&bytes[0x3c..0x40], [0x80, 0, 0, 0]);
    assert_eq!(&bytes[0x40..0x80], [0; 0x40]);
}

#[test]
fn objdump_and_pefile_see_the_same_sections() {
    let blobs = Blobs::default();
    let image = append(&stub(), &sample(&blobs)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.efi"), blobs.flatten(&image)).unwrap();
    if let Some(listed) = passes("objdump", &["-h", "x.efi"], dir.path(), b"") {
        let listed = String::from_utf8(listed).unwrap();
        for (name, size) in [(".text", "000003f0"), (".linux", "00011171"), (".initrd", "00001200")] {
            let line = listed.lines().find(|line| line.contains(&format!(" {name} "))).unwrap();
            assert_eq!(line.split_whitespace().nth(2), Some(size), "{line}");
        }
        assert_eq!(listed.matches(".profile").count(), 2);
    }
    let script = "import sys, pefile\n\
        pe = pefile.PE('x.efi')\n\
        assert not pe.get_warnings(), pe.get_warnings()\n\
        assert pe.OPTIONAL_HEADER.CheckSum == 0 and pe.FILE_HEADER.TimeDateStamp == 1700000000\n\
        assert pe.OPTIONAL_HEADER.SizeOfImage % 4096 == 0\n\
        print([s.Name.rstrip(b'\\0').decode() for s in pe.sections])";
    let Some(found) = run("python3", &["-c", script], dir.path(), b"") else { return };
    let errors = String::from_utf8_lossy(&found.stderr);
    if errors.contains("ModuleNotFoundError") {
        println!("skipped: pefile is not installed");
        return;
    }
    assert!(found.status.success(), "{errors}");
    assert_eq!(
        String::from_utf8_lossy(&found.stdout).trim(),
        "['.text', '.data', '.sbat', '.osrel', '.linux', '.initrd', '.profile', '.profile']"
    );
}

#[test]
fn stubs_that_cannot_take_sections_are_refused() {
    let change = |at: usize, bytes: &[u8]| {
        let mut stub = stub();
        stub[at..at + bytes.len()].copy_from_slice(bytes);
        append(&stub, &[section(".x", VirtualImage::from_bytes("x"))]).unwrap_err()
    };
    let (coff, optional) = (0x78 + 4, 0x78 + 24);
    let table = optional + 240;
    assert_eq!(change(optional + 112 + 4 * 8, &[1]), PeError::Signed);
    assert_eq!(change(coff + 8, &[1]), PeError::Symbols);
    assert_eq!(change(coff + 12, &[1]), PeError::Symbols);
    assert_eq!(change(optional, &[0x0b, 0x01]), PeError::NotPe32Plus { found: 0x10b });
    assert!(matches!(change(0, b"ZM"), PeError::Magic { at: 0, .. }));
    assert!(matches!(change(0x78, b"NE"), PeError::Magic { at: 0x78, .. }));
    assert!(matches!(change(0x3c, &[0xff; 4]), PeError::Truncated { .. }));
    assert!(matches!(change(coff + 2, &[97, 0]), PeError::Field { field: "number of sections", .. }));
    assert!(matches!(change(optional + 36, &[0; 4]), PeError::Field { field: "file alignment", .. }));
    assert!(matches!(change(optional + 32, &[3]), PeError::Field { field: "section alignment", .. }));
    assert!(matches!(change(optional + 108, &[15]), PeError::Field { field: "number of directories", .. }));
    assert!(matches!(change(table + 20, &[0xff; 4]), PeError::DataOutside { start: 0xffff_ffff, .. }));
    assert!(matches!(change(table + 8, &[0x01, 0x10]), PeError::Overlap { .. }));
    assert!(matches!(change(table + 12, &[0, 2, 0, 0]), PeError::NoRoom { available: 0x200, .. }));
    assert!(matches!(change(table + 2 * 40 + 8, &[0xff; 4]), PeError::TooLarge { .. }));
}

#[test]
fn there_is_a_limit_to_sections_and_sizes() {
    let many: Vec<_> = (0..MAX_SECTIONS).map(|_| section(".x", VirtualImage::from_bytes("x"))).collect();
    assert!(matches!(append(&stub(), &many), Err(PeError::NoRoom { sections: 99, .. })));
    let huge =
        |size| VirtualImage::from_blob(crate::store::Blob { digest: schematics::Digest::of(b""), size });
    for size in [u64::from(u32::MAX) - 0x2000, 1 << 32, u64::MAX / 2] {
        assert!(matches!(append(&stub(), &[section(".linux", huge(size))]), Err(PeError::TooLarge { .. })));
    }
    let halves = [section(".linux", huge(1 << 31)), section(".initrd", huge(1 << 31))];
    assert!(matches!(append(&stub(), &halves), Err(PeError::TooLarge { .. })));
    for name in ["", "way.too.long", "a b", "é"] {
        assert!(SectionName::new(name).is_err(), "{name}");
    }
}

#[test]
fn every_beginning_of_a_stub_is_refused_or_read() {
    let stub = stub();
    for len in 0..stub.len() {
        let known = append_sections(
            &VirtualImage::from_bytes(stub.clone()),
            &stub[..len],
            &[section(".x", VirtualImage::from_bytes("x"))],
            0,
        );
        assert_eq!(known.is_ok(), len >= 0x78 + 24 + 240 + 120, "{len}");
    }
}

proptest! {
    #[test]
    fn no_change_to_a_stub_makes_it_panic(
        changes in prop::collection::vec((0..0x300_usize, any::<u8>()), 0..12),
        content in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut bytes = stub();
        changes.into_iter().for_each(|(at, value)| bytes[at] = value);
        let added = [section(".x", VirtualImage::from_bytes(content))];
        if let Ok(image) = append(&bytes, &added) {
            let head = Blobs::default().flatten(&image.part(0..super::HEAD));
            let (before, after) = (Headers::read(&bytes).unwrap(), Headers::read(&head).unwrap());
            prop_assert_eq!(after.sections.len(), before.sections.len() + 1);
            prop_assert_eq!(after.machine, before.machine);
            drop(dump(&head).unwrap());
        }
    }
}
