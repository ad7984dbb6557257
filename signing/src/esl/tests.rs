use super::*;

const OWNERS: [Uuid; 2] =
    [uuid!("11111111-2222-3333-4444-555555555555"), uuid!("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")];

fn database() -> SignatureDatabase {
    let mut database = SignatureDatabase::default();
    database.add(X509, OWNERS[0], b"certificate");
    database.add(X509, OWNERS[1], b"long certificate");
    database.add(SHA256, OWNERS[0], &[7; 32]);
    database.add(X509, OWNERS[1], b"CERTIFICATE");
    database
}

#[test]
fn entries_of_one_kind_and_length_share_a_list() {
    let database = database();
    let shape: Vec<_> = database.lists().iter().map(|list| (list.kind(), list.entries().len())).collect();
    assert_eq!(shape, [(X509, 2), (X509, 1), (SHA256, 1)]);
    let data: Vec<&[u8]> = database.entries(X509).map(|entry| entry.data.as_slice()).collect();
    assert_eq!(data, [&b"certificate"[..], b"CERTIFICATE", b"long certificate"]);
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    let mut database = SignatureDatabase::default();
    database.add(X509, OWNERS[0], b"DER");
    let expected = [
        &b"\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72"[..],
        b"\x2f\0\0\0",
        b"\0\0\0\0",
        b"\x13\0\0\0",
        b"\x11\x11\x11\x11\x22\x22\x33\x33\x44\x44\x55\x55\x55\x55\x55\x55",
        b"DER",
    ];
    assert_eq!(database.to_bytes(), expected.concat());
}

#[test]
fn what_is_written_is_read() {
    let database = database();
    assert_eq!(SignatureDatabase::from_bytes(&database.to_bytes()).unwrap(), database);
    assert_eq!(SignatureDatabase::from_bytes(b"").unwrap(), SignatureDatabase::default());
    // A header, and a list without entries, are unusual and allowed.
    let mut unusual = SHA256.to_bytes_le().to_vec();
    unusual.extend(b"\x20\0\0\0\x04\0\0\0\x30\0\0\0head");
    let read = SignatureDatabase::from_bytes(&unusual).unwrap();
    assert_eq!(read.to_bytes(), unusual);
    assert!(read.lists()[0].entries().is_empty());
}

#[test]
fn damaged_lists_are_refused() {
    let bytes = database().to_bytes();
    let ends = [0, 82, 82 + 60, bytes.len()];
    for end in 0..bytes.len() {
        let read = SignatureDatabase::from_bytes(&bytes[..end]);
        assert_eq!(read.is_ok(), ends.contains(&end), "{end} bytes: {read:?}");
    }
    let changed = |at: usize, word: u32| {
        let mut bytes = bytes.clone();
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        SignatureDatabase::from_bytes(&bytes).unwrap_err()
    };
    assert!(matches!(changed(16, u32::MAX), EslError::Truncated { number: 1, .. }));
    for len in [0, 27] {
        assert_eq!(changed(16, len), EslError::Truncated { number: 1, needed: 28, len: len as usize });
    }
    assert!(matches!(changed(20, u32::MAX), EslError::Truncated { number: 1, .. }));
    assert!(matches!(changed(24, 0), EslError::Lengths { number: 1, entry: 0, .. }));
    assert!(matches!(changed(24, 26), EslError::Lengths { entry: 26, .. }));
    assert!(matches!(changed(82 + 24, 15), EslError::Lengths { number: 2, .. }));
    let long = SignatureDatabase::from_bytes(&vec![0; MAX_DATABASE + 1]);
    assert!(matches!(long, Err(EslError::TooLong { .. })));
}
