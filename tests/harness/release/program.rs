//! The programs of a release: not code, but bytes that tell every offset apart, behind the headers they need.

use schematics::Arch;

use super::KERNEL_RELEASE;

/// Flags of a section with code, and of one with read-only data.
const CODE: u32 = 0x6000_0020;
const DATA: u32 = 0x4000_0040;
/// Where the sections of a program begin, in the file and in memory.
const FIRST: (u32, u32) = (0x400, 0x1000);

fn noise(seed: u32, count: u32) -> impl Iterator<Item = u8> {
    (0..count).map(move |n| n.wrapping_mul(seed).to_le_bytes()[3])
}

const fn seed(arch: Arch) -> u32 {
    match arch {
        Arch::Amd64 => 2_654_435_761,
        Arch::Arm64 => 2_246_822_519,
    }
}

/// The kernel of an architecture; that for amd64 says its release where a bzImage does.
#[must_use]
pub fn kernel(arch: Arch) -> Vec<u8> {
    let mut kernel: Vec<u8> = b"MZ".iter().copied().chain(noise(seed(arch), 40_000)).collect();
    if arch == Arch::Amd64 {
        let text = format!("{KERNEL_RELEASE} (tiny) #1\0");
        patch(&mut kernel, 0x1f1, &[1]);
        patch(&mut kernel, 0x202, b"HdrS");
        patch(&mut kernel, 0x20e, &[0x80, 0]);
        patch(&mut kernel, 0x280, text.as_bytes());
    }
    kernel
}

/// systemd's stub: a program with code, and a section that says what it is.
#[must_use]
pub fn stub(arch: Arch) -> Vec<u8> {
    efi_program(arch, 7)
}

/// systemd's boot loader.
#[must_use]
pub fn boot_loader(arch: Arch) -> Vec<u8> {
    efi_program(arch, 9)
}

/// A small PE32+ image: headers, a section of code, a section of data.
fn efi_program(arch: Arch, salt: u32) -> Vec<u8> {
    let machine: u16 = if arch == Arch::Amd64 { 0x8664 } else { 0xaa64 };
    let mut dos = vec![0; 0x40];
    patch(&mut dos, 0, b"MZ");
    patch(&mut dos, 0x3c, &0x40_u32.to_le_bytes());
    let mut coff = vec![0; 20];
    patch(&mut coff, 0, &machine.to_le_bytes());
    patch(&mut coff, 2, &2_u16.to_le_bytes());
    patch(&mut coff, 16, &240_u16.to_le_bytes());
    patch(&mut coff, 18, &0x022e_u16.to_le_bytes());
    let (raw, address) = FIRST;
    let sections = [(b".text\0\0\0", 0x600_u32, CODE), (b".sdmagic", 0x200, DATA)];
    let mut table = Vec::new();
    let (mut at, mut to) = (raw, address);
    for (name, size, flags) in sections {
        table.extend(name);
        for word in [size, to, size, at, 0, 0, 0, flags] {
            table.extend(word.to_le_bytes());
        }
        at += size;
        to += 0x1000;
    }
    let mut image = [dos.as_slice(), b"PE\0\0", &coff, &optional_header(to), &table].concat();
    image.resize(raw as usize, 0);
    image.extend(noise(seed(arch).rotate_left(salt), at - raw));
    image
}

fn optional_header(size_of_image: u32) -> Vec<u8> {
    let (raw, address) = FIRST;
    let mut header = vec![0; 240];
    for (at, word) in [
        (4, 0x600),
        (8, 0x200),
        (16, address),
        (20, address),
        (32, 0x1000),
        (36, 0x200),
        (56, size_of_image),
        (60, raw),
        (108, 16),
    ] {
        patch(&mut header, at, &u32::to_le_bytes(word));
    }
    patch(&mut header, 0, &0x20b_u16.to_le_bytes());
    // An EFI application.
    patch(&mut header, 68, &10_u16.to_le_bytes());
    header
}

fn patch(bytes: &mut [u8], at: usize, with: &[u8]) {
    bytes.iter_mut().skip(at).zip(with).for_each(|(to, from)| *to = *from);
}
