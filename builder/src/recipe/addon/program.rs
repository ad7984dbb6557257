//! The program an add-on is: next to nothing.

use schematics::Arch;

/// Where headers end in the file, and what sections are aligned to in file and memory.
const HEADERS: usize = 0x400;
const FILE_ALIGNMENT: usize = 0x200;
const PAGE: u32 = 0x1000;
const PE_START: u8 = 0x40;
const OPTIONAL_LEN: u16 = 240;
const PE32_PLUS: u16 = 0x20b;
/// Executable, without line numbers, symbols and debugging information, for addresses beyond 2 GiB. That relocations were
/// stripped is not among it: it has none, so any address will do.
const CHARACTERISTICS: u16 = 0x022e;
const EFI_APPLICATION: u16 = 10;
/// May be loaded anywhere, also beyond 4 GiB, and has no memory that is both written and executed.
const LOADABLE: u16 = 0x0160;
const CODE: u32 = 0x6000_0020;
const DATA: u32 = 0x4000_0040;
/// What shim looks for before it lets a program load: the format, and the add-on as the component that may be revoked. The
/// second line is that of systemd's own add-ons, so that what revokes those revokes these.
const SBAT: &str = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n\
    uki-addon,1,UKI Addon,addon,1,https://www.freedesktop.org/software/systemd/man/latest/systemd-stub.html\n";

struct Part {
    name: &'static [u8; 8],
    content: &'static [u8],
    address: u32,
    flags: u32,
}

/// Code for a machine that starts the add-on though it is not meant to be: returns `EFI_UNSUPPORTED`.
const fn code(arch: Arch) -> &'static [u8] {
    match arch {
        // mov rax, 0x8000000000000003; ret
        Arch::Amd64 => &[0x48, 0xb8, 3, 0, 0, 0, 0, 0, 0, 0x80, 0xc3],
        // mov x0, #0x8000000000000000; orr x0, x0, #3; ret
        Arch::Arm64 => &[0, 0, 0xf0, 0xd2, 0, 4, 0x40, 0xb2, 0xc0, 0x03, 0x5f, 0xd6],
    }
}

const fn machine(arch: Arch) -> u16 {
    match arch {
        Arch::Amd64 => 0x8664,
        Arch::Arm64 => 0xaa64,
    }
}

/// A PE32+ image with a few bytes of code and an SBAT section, for other sections to be added to.
pub(crate) fn program(arch: Arch) -> Vec<u8> {
    let parts = [
        Part { name: b".text\0\0\0", content: code(arch), address: PAGE, flags: CODE },
        Part { name: b".sbat\0\0\0", content: SBAT.as_bytes(), address: 2 * PAGE, flags: DATA },
    ];
    let mut dos = [0; PE_START as usize];
    dos.iter_mut().zip(b"MZ").for_each(|(to, from)| *to = *from);
    if let Some(pointer) = dos.get_mut(0x3c) {
        *pointer = PE_START;
    }
    let mut bytes = [dos.as_slice(), b"PE\0\0", &coff(arch), &optional()].concat();
    let mut place = HEADERS;
    for part in &parts {
        bytes.extend(part.name);
        let raw = part.content.len().next_multiple_of(FILE_ALIGNMENT);
        for number in [word(part.content.len()), part.address, word(raw), word(place), 0, 0, 0, part.flags] {
            bytes.extend(number.to_le_bytes());
        }
        place += raw;
    }
    bytes.resize(HEADERS, 0);
    for part in &parts {
        bytes.extend(part.content);
        bytes.resize(bytes.len().next_multiple_of(FILE_ALIGNMENT), 0);
    }
    bytes
}

fn coff(arch: Arch) -> Vec<u8> {
    let mut bytes = [machine(arch), 2].map(u16::to_le_bytes).concat();
    // No time, no symbols.
    bytes.extend([0; 12]);
    bytes.extend([OPTIONAL_LEN, CHARACTERISTICS].map(u16::to_le_bytes).concat());
    bytes
}

/// The optional header. Sums over sections are left to those who add the last one.
fn optional() -> Vec<u8> {
    let mut bytes = PE32_PLUS.to_le_bytes().to_vec();
    let words = |bytes: &mut Vec<u8>, numbers: &[u32]| {
        numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    };
    let halves = |bytes: &mut Vec<u8>, numbers: &[u16]| {
        numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    };
    halves(&mut bytes, &[0]);
    // Sizes of code and data, the entry point, where code begins; the address it would like, which is none.
    words(&mut bytes, &[0, 0, 0, PAGE, PAGE, 0, 0]);
    words(&mut bytes, &[PAGE, word(FILE_ALIGNMENT)]);
    // Versions: of a system, of the image, of the subsystem.
    halves(&mut bytes, &[0, 0, 0, 0, 1, 1]);
    words(&mut bytes, &[0, 3 * PAGE, word(HEADERS), 0]);
    halves(&mut bytes, &[EFI_APPLICATION, LOADABLE]);
    // Stack and heap, each reserved and committed, as 64-bit numbers; nobody reads them.
    words(&mut bytes, &[0x10_0000, 0, PAGE, 0, 0x10_0000, 0, PAGE, 0]);
    // No flags, and 16 directories, all empty.
    words(&mut bytes, &[0, 16]);
    bytes.resize(usize::from(OPTIONAL_LEN), 0);
    bytes
}

/// A size of this module's own, none of which comes near the limit.
fn word(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
