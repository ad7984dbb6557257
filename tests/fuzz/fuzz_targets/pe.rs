//! Any bytes are a stub that takes sections, or a refusal; what was added is found again.

#![no_main]

use builder::VirtualImage;
use builder::format::pe::{self, Section, SectionName};
use libfuzzer_sys::fuzz_target;

/// What the input is laid over, so that most inputs are nearly right: the headers of a stub with two sections.
fn template() -> Vec<u8> {
    let mut bytes = vec![0; 0x600];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"MZ");
    put(0x3c, &[0x40]);
    put(0x40, b"PE\0\0\x64\x86\x02\0");
    put(0x54, &[240, 0, 0x2e, 0x02]);
    put(0x58, &[0x0b, 0x02]);
    put(0x58 + 32, &[0, 0x10, 0, 0, 0, 0x02]);
    put(0x58 + 108, &[16]);
    for (number, name) in [b".text\0\0\0", b".sbat\0\0\0"].iter().enumerate() {
        let at = 0x58 + 240 + number * 40;
        let page = u8::try_from(number + 1).unwrap() << 4;
        put(at, *name);
        put(at + 8, &[0x30, 1, 0, 0, 0, page, 0, 0, 0, 2, 0, 0, 0, 2]);
    }
    bytes
}

/// What is signed stays the same when a signature is attached.
fn sign(stub: &[u8]) {
    let image = VirtualImage::from_bytes(stub.to_vec());
    let Ok(signed) = pe::attach_certificates(&image, stub, vec![1; 21]) else { return };
    let head = signed.part(0..stub.len() as u64);
    let [builder::Source::Inline(head)] = head.extents().iter().map(|extent| extent.source()).collect::<Vec<_>>()[..]
    else {
        return;
    };
    assert_eq!(pe::signed_bytes(&signed, head), pe::signed_bytes(&image, stub));
    assert!(pe::certificates(head, signed.len()).unwrap().is_some());
}

fuzz_target!(|bytes: &[u8]| {
    let mut stub = template();
    if stub.len() < bytes.len() {
        stub.resize(bytes.len(), 0);
    }
    stub.iter_mut().zip(bytes).for_each(|(to, from)| *to ^= from);
    drop(pe::dump(bytes));
    sign(&stub);
    let added = Section { name: SectionName::new(".linux").unwrap(), content: VirtualImage::from_bytes("kernel") };
    let Ok(image) = pe::append_sections(&VirtualImage::from_bytes(stub.clone()), &stub, &[added], 1) else { return };
    let before = pe::sections(&stub).unwrap();
    let head: Vec<u8> = image
        .slice(0..pe::HEAD)
        .flat_map(|extent| match extent.source() {
            builder::Source::Inline(bytes) => bytes.to_vec(),
            _ => vec![0; usize::try_from(extent.len()).unwrap()],
        })
        .collect();
    // With large alignments the table may lie behind what is looked at here.
    let Ok(after) = pe::sections(&head) else { return };
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(image.part(after[before.len()].content()), VirtualImage::from_bytes("kernel"));
});
