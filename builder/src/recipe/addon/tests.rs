use std::path::Path;

use super::*;
use crate::judge::{Blobs, noise, passes};

fn inputs(microcode: Option<&VirtualImage>) -> AddonInputs<'_> {
    AddonInputs {
        arch: Arch::Amd64,
        cmdline: " talos.hostname=a  vga=791\n",
        microcode,
        kernel_release: Some("6.12.1-talos"),
        timestamp: 0,
    }
}

#[test]
fn an_addon_has_a_program_that_does_nothing_and_what_it_adds() {
    let blobs = Blobs::default();
    let microcode = blobs.put(noise(1, 9000));
    let image = lay_out(&inputs(Some(&microcode))).unwrap();
    assert_eq!(image.blobs(), microcode.blobs());
    let bytes = blobs.flatten(&image);
    insta::assert_snapshot!(pe::dump(&bytes).unwrap(), @r"
    machine 0x8664, time 0, 32768 bytes in memory, aligned to 4096 (file 512)
    .text    memory 0x00001000 +11        file 0x00000400 +512       flags 0x60000020
    .sbat    memory 0x00002000 +180       file 0x00000600 +512       flags 0x40000040
    .cmdline memory 0x00003000 +25        file 0x00000800 +512       flags 0x40000040
    .ucode   memory 0x00004000 +9000      file 0x00000a00 +9216      flags 0x40000040
    .uname   memory 0x00007000 +12        file 0x00002e00 +512       flags 0x40000040
    ");
    let content = |name: &str| {
        let found = pe::sections(&bytes).unwrap();
        let section = found.iter().find(|section| section.name.to_string() == name).unwrap();
        blobs.flatten(&image.part(section.content()))
    };
    assert_eq!(content(".cmdline"), b"talos.hostname=a  vga=791");
    assert_eq!(content(".uname"), b"6.12.1-talos");
    assert_eq!(content(".ucode"), noise(1, 9000));
    assert!(content(".sbat").starts_with(b"sbat,1,"));
}

#[test]
fn what_cannot_be_added_is_refused() {
    let nothing = AddonInputs { cmdline: " \n", ..inputs(None) };
    assert!(matches!(lay_out(&nothing), Err(AddonError::Empty)));
    for (cmdline, refused) in
        [("a\tb", '\t'), ("a\u{7f}", '\u{7f}'), ("a=\u{1f600}", '\u{1f600}'), ("a\0b", '\0')]
    {
        let error = lay_out(&AddonInputs { cmdline, ..inputs(None) }).unwrap_err();
        assert!(matches!(error, AddonError::Character { character } if character == refused), "{cmdline:?}");
        assert_eq!(error.blame(), Blame::Caller);
    }
    let microcode = VirtualImage::from_bytes("x");
    let arm = AddonInputs { arch: Arch::Arm64, ..inputs(Some(&microcode)) };
    assert!(matches!(lay_out(&arm), Err(AddonError::Microcode { arch: Arch::Arm64 })));
    assert!(lay_out(&AddonInputs { arch: Arch::Arm64, ..inputs(None) }).is_ok());
}

#[test]
fn the_stub_takes_from_it_what_was_laid_out() {
    let microcode = VirtualImage::from_bytes("x");
    let digests = Some(BankDigests::of(b"x"));
    let addon = loaded(&inputs(Some(&microcode)), "a.addon.efi", digests).unwrap();
    assert_eq!(addon.cmdline.as_deref(), Some("talos.hostname=a  vga=791"));
    assert_eq!(addon.microcode, digests);
    assert_eq!(loaded(&inputs(None), "a.addon.efi", digests).unwrap().microcode, None);
    assert!(loaded(&AddonInputs { cmdline: "\u{1}x", ..inputs(None) }, "a", None).is_err());
}

#[test]
fn objdump_finds_a_program_that_says_it_cannot_be_started() {
    let dir = tempfile::tempdir().unwrap();
    let image = lay_out(&inputs(None)).unwrap();
    fs_err::write(dir.path().join("x.efi"), Blobs::default().flatten(&image)).unwrap();
    let Some(printed) = passes("objdump", &["-d", "-p", "x.efi"], dir.path(), b"") else { return };
    let printed = String::from_utf8_lossy(&printed).into_owned();
    for expected in ["movabs $0x8000000000000003,%rax", "(EFI application)", "NX_COMPAT", "DYNAMIC_BASE"] {
        assert!(printed.contains(expected), "{printed}");
    }
}

#[test]
fn the_program_for_arm64_is_for_arm64() {
    let program = program::program(Arch::Arm64);
    let headers = pe::Headers::read(&program).unwrap();
    assert_eq!(headers.machine, 0xaa64);
    // movz x0, #0x8000, lsl #48; orr x0, x0, #3; ret; in words, as the Arm Architecture Reference Manual has them.
    let words = [0xd2f0_0000_u32, 0xb240_0400, 0xd65f_03c0].map(u32::to_le_bytes).concat();
    assert_eq!(program[0x400..0x40c], words);
}

/// The sections ukify sees in a file. Where it merges SBAT texts it writes one line end too many.
fn seen(dir: &Path, file: &str) -> Option<serde_json::Value> {
    let printed = passes("ukify", &["--json=short", "inspect", file], dir, b"")?;
    let mut seen: serde_json::Value = serde_json::from_slice(&printed).unwrap();
    seen[".sbat"] = seen[".sbat"]["text"].as_str().unwrap().trim_end().into();
    Some(seen)
}

#[test]
fn ukify_sees_what_it_would_have_made_itself() {
    let dir = tempfile::tempdir().unwrap();
    let microcode = VirtualImage::from_bytes(noise(3, 5000));
    let inputs = AddonInputs { cmdline: "talos.hostname=a vga=791", ..inputs(Some(&microcode)) };
    let ours = Blobs::default().flatten(&lay_out(&inputs).unwrap());
    for (name, bytes) in [
        ("ours.addon.efi", ours.as_slice()),
        ("microcode.cpio", &noise(3, 5000)),
        ("other.cpio", &noise(4, 5000)),
        ("empty.efi", &program::program(Arch::Amd64)),
    ] {
        fs_err::write(dir.path().join(name), bytes).unwrap();
    }
    let Some(ours) = seen(dir.path(), "ours.addon.efi") else { return };
    let build = |microcode: &str| {
        let microcode = format!("--microcode={microcode}");
        let args =
            ["--stub=empty.efi", "--cmdline=talos.hostname=a vga=791", &microcode, "--uname=6.12.1-talos"];
        passes("ukify", &[&["build", "--output=theirs.efi"], &args[..]].concat(), dir.path(), b"").unwrap();
        seen(dir.path(), "theirs.efi").unwrap()
    };
    assert_eq!(build("microcode.cpio"), ours);
    assert_ne!(build("other.cpio"), ours);
}
