//! Kernel modules: the smallest objects that depmod takes for some.

/// The length of an ELF header, and of a section header.
const HEADER: u64 = 64;

/// A module with these lines of information, such as `alias=…`.
#[must_use]
pub(super) fn module(info: &[&str]) -> Vec<u8> {
    let modinfo: Vec<u8> = info.iter().flat_map(|line| line.bytes().chain([0])).collect();
    let names = b"\0.modinfo\0.shstrtab\0";
    let modinfo_at = HEADER;
    let names_at = modinfo_at + modinfo.len() as u64;
    let table_at = (names_at + names.len() as u64).next_multiple_of(8);
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    // A relocatable object for amd64.
    for half in [1_u16, 62] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend(1_u32.to_le_bytes());
    for word in [0, 0, table_at] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(0_u32.to_le_bytes());
    for half in [64_u16, 0, 0, 64, 3, 2] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend(&modinfo);
    elf.extend(names);
    elf.resize(usize::try_from(table_at).unwrap_or_default(), 0);
    elf.extend(section(0, 0, 0, 0));
    elf.extend(section(1, 1, modinfo_at, modinfo.len() as u64));
    elf.extend(section(10, 3, names_at, names.len() as u64));
    elf
}

fn section(name: u32, kind: u32, at: u64, size: u64) -> Vec<u8> {
    let mut header = [name.to_le_bytes(), kind.to_le_bytes()].concat();
    for word in [0, 0, at, size, 0, 1, 0] {
        header.extend(u64::to_le_bytes(word));
    }
    header
}
