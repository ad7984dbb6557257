//! The picture the stub shows while the kernel starts.

/// Width and height in pixels.
const SIZE: u16 = 128;
/// Bits per row; a row of one-bit pixels of this width needs no padding.
const ROW: u16 = SIZE / 8;
/// File header, information header, two colours.
const PIXELS_AT: u32 = 14 + 40 + 8;
/// Blue, green, red and a byte that is not used: the screen's own black, and a calm blue.
const COLOURS: [[u8; 4]; 2] = [[0, 0, 0, 0], [0xc8, 0x96, 0x50, 0]];

/// A ring with a dot in it, as a BMP of two colours: 2 KiB, since it is part of every image.
pub(super) fn bitmap() -> Vec<u8> {
    let pixels = u32::from(ROW) * u32::from(SIZE);
    let mut bytes = b"BM".to_vec();
    [PIXELS_AT + pixels, 0, PIXELS_AT].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    // Header length, width, height; planes and bits per pixel; no compression; resolution of 72 dots per inch; colours.
    let (size, planes_and_bits) = (u32::from(SIZE), 1_u32 | 1 << 16);
    [40, size, size, planes_and_bits, 0, pixels, 2835, 2835, 2, 0]
        .iter()
        .for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes.extend(COLOURS.concat());
    for y in 0..SIZE {
        for column in 0..ROW {
            bytes.push((0..8).fold(0, |byte, bit| byte << 1 | u8::from(is_drawn(column * 8 + bit, y))));
        }
    }
    bytes
}

fn is_drawn(x: u16, y: u16) -> bool {
    // In half pixels from the centre, so that the picture is symmetric.
    let distance = |at: u16| (i32::from(at) * 2 + 1 - i32::from(SIZE)).pow(2);
    let square = distance(x) + distance(y);
    (88 * 88..104 * 104).contains(&square) || square < 24 * 24
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::passes;

    #[test]
    fn it_is_a_symmetric_bitmap_of_two_colours() {
        let bytes = bitmap();
        let len = u32::from_le_bytes(bytes[2..6].try_into().unwrap());
        assert_eq!(bytes.len(), len as usize);
        let rows: Vec<&[u8]> = bytes[PIXELS_AT as usize..].chunks(usize::from(ROW)).collect();
        assert!(rows.iter().eq(rows.iter().rev()));
        let dir = tempfile::tempdir().unwrap();
        if let Some(kind) = passes("file", &["-b", "-"], dir.path(), &bytes) {
            let kind = String::from_utf8(kind).unwrap();
            assert!(kind.contains("PC bitmap") && kind.contains("128 x 128 x 1"), "{kind}");
        }
    }
}
