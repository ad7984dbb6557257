use super::*;
use crate::certificate::tests::{TERMS, certificate};
use crate::certificate::{Terms, self_signed};
use crate::judge::passes;
use crate::rsa::tests::{block_on, key};

fn digest() -> MessageDigest {
    HashAlgorithm::Sha256.hash(b"a program")
}

fn signature(which: usize) -> Vec<u8> {
    block_on(sign(&key(which), &certificate(&key(which)), &digest())).unwrap()
}

#[test]
fn a_signature_says_what_was_signed_and_by_whom() {
    let (bytes, trusted) = (signature(0), certificate(&key(0)));
    assert_eq!(signature(0), bytes);
    let read = read(&bytes).unwrap();
    assert_eq!(
        (read.digest(), read.signer(), read.certificates()),
        (&digest(), &trusted, &[trusted.clone()][..])
    );
    assert_eq!(verify(&read, &digest(), &trusted), Ok(()));
    let other = HashAlgorithm::Sha256.hash(b"another program");
    assert!(
        matches!(verify(&read, &other, &trusted), Err(SignatureError::Program { signed }) if signed == digest())
    );
    let stranger = certificate(&key(1));
    let untrusted =
        SignatureError::Untrusted { subject: "CN=factory test".into(), trusted: stranger.digest() };
    assert_eq!(verify(&read, &digest(), &stranger), Err(untrusted));
    // Who has another certificate of the same key in `db` believes it, too.
    let renewed = block_on(self_signed(&key(0), &Terms { not_before: 0, ..TERMS })).unwrap();
    assert_eq!(verify(&read, &digest(), &renewed), Ok(()));
}

#[test]
fn openssl_sees_the_structure_firmware_expects() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("s"), signature(0)).unwrap();
    let Some(text) = passes("openssl", &["asn1parse", "-inform", "DER", "-in", "s"], dir.path()) else {
        return;
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for expected in [
        "OBJECT            :pkcs7-signedData",
        "OBJECT            :1.3.6.1.4.1.311.2.1.4",
        "OBJECT            :1.3.6.1.4.1.311.2.1.15",
        "OBJECT            :contentType",
        "OBJECT            :messageDigest",
        "OBJECT            :rsaEncryption",
        "OBJECT            :sha256",
    ] {
        assert!(lines.iter().any(|line| line.ends_with(expected)), "no `{expected}` in {text}");
    }
    assert!(!text.contains("signingTime"), "{text}");
    let printed =
        passes("openssl", &["pkcs7", "-inform", "DER", "-in", "s", "-print_certs", "-noout"], dir.path());
    assert!(printed.unwrap().contains("subject=CN = factory test"));
}

#[test]
fn no_bit_of_a_signature_can_be_changed() {
    let (bytes, trusted) = (signature(0), certificate(&key(0)));
    let mut accepted = Vec::new();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            if read(&changed).is_ok_and(|read| verify(&read, &digest(), &trusted).is_ok()) {
                accepted.push((at, bit));
            }
        }
    }
    assert_eq!(accepted, []);
}

#[test]
fn bytes_that_are_no_signature_are_refused() {
    let bytes = signature(0);
    for len in 0..bytes.len() {
        assert!(read(&bytes[..len]).is_err(), "{len}");
    }
    let padded = |with: &[u8]| read(&[bytes.as_slice(), with].concat());
    assert!(padded(&[0; 7]).is_ok());
    assert!(matches!(padded(&[0; 8]), Err(Pkcs7ReadError::Trailing { len: 8 })));
    assert!(matches!(padded(&[0, 1]), Err(Pkcs7ReadError::Trailing { len: 2 })));
    assert!(matches!(read(&vec![0; pkcs7::MAX_PKCS7 + 1]), Err(Pkcs7ReadError::TooLong { .. })));
    let data = Content { kind: INDIRECT_DATA, embedded: None, digest: &digest() };
    let detached = block_on(pkcs7::signed_data(&key(0), &certificate(&key(0)), &data)).unwrap();
    assert!(matches!(read(&pkcs7::content_info(&detached).unwrap()), Err(Pkcs7ReadError::Detached)));
    let other =
        Content { kind: ObjectIdentifier::new_unwrap("1.2.3"), embedded: Some(&[5, 0]), digest: &digest() };
    let other = block_on(pkcs7::signed_data(&key(0), &certificate(&key(0)), &other)).unwrap();
    assert!(matches!(read(&pkcs7::content_info(&other).unwrap()), Err(Pkcs7ReadError::Kind { .. })));
}

#[test]
fn a_certificate_of_another_key_does_not_sign() {
    let error = block_on(sign(&key(0), &certificate(&key(1)), &digest())).unwrap_err();
    assert!(matches!(error, Pkcs7Error::Certificate { .. }), "{error}");
    let long = HashAlgorithm::Sha384.hash(b"a program");
    assert!(matches!(block_on(sign(&key(0), &certificate(&key(0)), &long)), Err(Pkcs7Error::Digest { .. })));
}

#[test]
fn tables_hold_what_was_put_into_them() {
    for len in 0..20 {
        let content = vec![7; len];
        let bytes = table(&content).unwrap();
        assert_eq!(bytes.len() % TABLE_ALIGNMENT, 0);
        assert_eq!(bytes[4..8], [0, 2, 2, 0]);
        let read = entries(&bytes).unwrap();
        assert_eq!(read.iter().map(Entry::pkcs7).collect::<Vec<_>>(), [Some(content.as_slice())]);
        let twice = [bytes.as_slice(), &bytes].concat();
        assert_eq!(entries(&twice).unwrap().len(), 2);
    }
    assert_eq!(table(&vec![0; MAX_TABLE]), Err(TableError::TooLong { len: MAX_TABLE + 8 }));
}

#[test]
fn tables_that_cannot_be_are_refused() {
    assert_eq!(entries(&[]), Ok(vec![]));
    assert_eq!(entries(&[0; 7]), Err(TableError::Length { at: 0, len: 8, available: 7 }));
    assert_eq!(entries(&[0; 8]), Err(TableError::Length { at: 0, len: 0, available: 8 }));
    assert_eq!(
        entries(&[17, 0, 0, 0, 0, 2, 2, 0, 1, 1, 1, 1, 1, 1, 1, 1]).unwrap_err().blame(),
        Blame::Upstream
    );
    assert_eq!(entries(&table(b"").unwrap().repeat(MAX_ENTRIES + 1)), Err(TableError::TooMany));
    assert_eq!(entries(&vec![0; MAX_TABLE + 1]), Err(TableError::TooLong { len: MAX_TABLE + 1 }));
    let other = entries(&[9, 0, 0, 0, 0, 2, 1, 0, 1]).unwrap();
    assert_eq!((other[0].kind, other[0].pkcs7()), (1, None));
}
