//! A stub for tests.

use crate::judge::noise;

const TEXT: u32 = 0x6000_0020;
const RDATA: u32 = 0x4000_0040;

/// A small stub of the shape systemd's have: code, data and an SBAT section, data from 0x400 on.
pub(crate) fn stub() -> Vec<u8> {
    let mut dos = vec![0; 0x78];
    dos[..2].copy_from_slice(b"MZ");
    dos[0x3c] = 0x78;
    let mut coff = vec![0; 20];
    coff[..4].copy_from_slice(&[0x64, 0x86, 3, 0]);
    coff[16] = 240;
    coff[18..20].copy_from_slice(&[0x2e, 0x02]);
    let mut optional = vec![0; 240];
    let mut set = |at: usize, value: u32| optional[at..at + 4].copy_from_slice(&value.to_le_bytes());
    set(0, 0x0e02_020b);
    set(16, 0x1000);
    set(20, 0x1000);
    set(32, 0x1000);
    set(36, 0x200);
    set(56, 0x4000);
    set(60, 0x400);
    set(64, 0xdead_beef);
    set(68, 10);
    set(108, 16);
    let mut table = Vec::new();
    for (name, size, address, raw, at, flags) in [
        (b".text\0\0\0", 0x3f0_u32, 0x1000_u32, 0x400_u32, 0x400_u32, TEXT),
        (b".data\0\0\0", 0x900, 0x2000, 0x200, 0x800, 0xc000_0040),
        (b".sbat\0\0\0", 0x21, 0x3000, 0x200, 0xa00, RDATA),
    ] {
        table.extend(name);
        [size, address, raw, at, 0, 0, 0, flags].iter().for_each(|word| table.extend(word.to_le_bytes()));
    }
    let mut bytes = [dos.as_slice(), b"PE\0\0", &coff, &optional, &table].concat();
    bytes.resize(0x400, 0);
    bytes.extend(noise(5, 0x800));
    bytes
}
