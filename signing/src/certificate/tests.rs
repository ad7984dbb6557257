use std::path::Path;

use super::*;
use crate::judge::{passes, run};
use crate::rsa::RsaKey;
use crate::rsa::tests::{block_on, key};
use crate::signer::Signer as _;

pub(crate) const TERMS: Terms<'_> = Terms {
    common_name: "factory test",
    // 2024-02-29 and 2051-01-01, so that both forms of dates are written.
    not_before: 1_709_164_800,
    not_after: 2_556_144_000,
    authority: false,
};

pub(crate) fn certificate(key: &RsaKey) -> Certificate {
    block_on(self_signed(key, &TERMS)).unwrap()
}

fn put(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

#[test]
fn openssl_reads_our_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, made) = (dir.path(), certificate(&key(0)));
    put(dir, "a.pem", &made.to_pem());
    let Some(text) = passes("openssl", &["x509", "-in", "a.pem", "-noout", "-text"], dir) else { return };
    for expected in [
        "Version: 3 (0x2)",
        "Signature Algorithm: sha256WithRSAEncryption",
        "Issuer: CN = factory test",
        "Not Before: Feb 29 00:00:00 2024 GMT",
        "Not After : Jan  1 00:00:00 2051 GMT",
        "Subject: CN = factory test",
        "Public-Key: (2048 bit)",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                Code Signing",
        "X509v3 Subject Key Identifier: \n",
    ] {
        assert!(text.contains(expected), "no `{expected}` in {text}");
    }
    let fingerprint =
        passes("openssl", &["x509", "-in", "a.pem", "-noout", "-fingerprint", "-sha256"], dir).unwrap();
    let plain = fingerprint.replace(':', "").to_lowercase();
    assert!(plain.trim().ends_with(&made.digest().hex()), "{plain}");
}

#[test]
fn openssl_believes_our_certificates_and_no_changed_ones() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let authority = Terms { authority: true, ..TERMS };
    for (made, name) in
        [(certificate(&key(0)), "leaf"), (block_on(self_signed(&key(0), &authority)).unwrap(), "ca")]
    {
        let mut bytes = made.to_der().to_vec();
        put(dir, "a.pem", &made.to_pem());
        let verify = ["verify", "-check_ss_sig", "-partial_chain", "-trusted", "a.pem", "a.pem"];
        let Some(told) = passes("openssl", &verify, dir) else { return };
        assert!(told.contains("OK"), "{name}: {told}");
        // In the middle of the key's modulus.
        bytes[400] ^= 1;
        put(dir, "b.pem", &pem::write(LABEL, &bytes));
        let verify = ["verify", "-check_ss_sig", "-partial_chain", "-trusted", "b.pem", "b.pem"];
        assert!(!run("openssl", &verify, dir).unwrap().status.success(), "{name}");
        let changed = Certificate::from_der(&bytes).unwrap();
        assert!(made.is_issued_by(&made) && !changed.is_issued_by(&changed) && !changed.is_issued_by(&made));
    }
}

#[test]
fn what_an_authority_signs_with_openssl_is_issued_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let authority = block_on(self_signed(&key(0), &Terms { authority: true, ..TERMS })).unwrap();
    let wanted = block_on(request(&key(1), "machines \u{e9}")).unwrap();
    put(dir, "ca.pem", &authority.to_pem());
    put(dir, "ca.key", &key(0).to_pem().unwrap());
    put(dir, "want.csr", &wanted.to_pem());
    let checked = ["req", "-in", "want.csr", "-verify", "-noout", "-text", "-nameopt", "utf8"];
    let Some(text) = passes("openssl", &checked, dir) else { return };
    assert!(text.contains("Subject: CN=machines \u{e9}") && text.contains("Code Signing"), "{text}");
    let sign = ["x509", "-req", "-in", "want.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    let issued =
        passes("openssl", &[&sign[..], &["-copy_extensions", "copy", "-days", "3650"]].concat(), dir)
            .unwrap();
    let issued = Certificate::from_pem(&issued).unwrap();
    assert!(
        issued.is_issued_by(&authority) && !issued.is_issued_by(&issued) && !authority.is_issued_by(&issued)
    );
    assert!(issued.belongs_to(key(1).public_key()) && !issued.belongs_to(key(0).public_key()));
    assert_eq!((issued.subject(), issued.issuer()), ("CN=machines \u{e9}", "CN=factory test"));
    put(dir, "leaf.pem", &issued.to_pem());
    passes("openssl", &["verify", "-CAfile", "ca.pem", "leaf.pem"], dir).unwrap();
    let mut changed = wanted.to_der().to_vec();
    changed[200] ^= 1;
    put(dir, "bad.csr", &pem::write("CERTIFICATE REQUEST", &changed));
    let output = run("openssl", &["req", "-in", "bad.csr", "-verify", "-noout"], dir).unwrap();
    let told = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(told.contains("fail") || told.contains("error"), "{told}");
}

#[test]
fn the_same_terms_have_the_same_certificate() {
    let made = certificate(&key(0));
    assert_eq!(made, certificate(&key(0)));
    assert_eq!(Certificate::from_pem(&made.to_pem()).unwrap(), made);
    assert_eq!((made.not_before(), made.not_after()), ("2024-02-29T00:00:00Z", "2051-01-01T00:00:00Z"));
    let others = [
        Terms { not_after: TERMS.not_after + 1, ..TERMS },
        Terms { not_before: TERMS.not_before + 1, ..TERMS },
        Terms { common_name: "another", ..TERMS },
        Terms { authority: true, ..TERMS },
    ];
    for terms in &others {
        let other = block_on(self_signed(&key(0), terms)).unwrap();
        assert_ne!(other.serial_der(), made.serial_der(), "{terms:?}");
    }
    assert_ne!(certificate(&key(1)).serial_der(), made.serial_der());
}

#[test]
fn terms_that_cannot_be_are_refused() {
    let long = "x".repeat(65);
    for common_name in ["", long.as_str(), "a\nb", "a\0b"] {
        let refused = block_on(self_signed(&key(0), &Terms { common_name, ..TERMS }));
        assert!(matches!(refused, Err(IssueError::Name { .. })), "{common_name:?}");
        assert!(block_on(request(&key(0), common_name)).is_err());
    }
    for (not_before, not_after) in [(2, 1), (1, 1), (0, u64::MAX), (0, 253_402_300_800)] {
        let refused = block_on(self_signed(&key(0), &Terms { not_before, not_after, ..TERMS }));
        assert!(matches!(refused, Err(IssueError::Dates { .. })), "{not_before} {not_after}");
    }
    let last = Terms { not_after: 253_402_300_799, ..TERMS };
    assert_eq!(block_on(self_signed(&key(0), &last)).unwrap().not_after(), "9999-12-31T23:59:59Z");
}

#[test]
fn bytes_that_are_no_certificate_of_an_rsa_key_are_refused() {
    let made = certificate(&key(0)).to_der().to_vec();
    for len in 0..made.len() {
        assert!(Certificate::from_der(&made[..len]).is_err(), "{len}");
    }
    assert!(Certificate::from_der(&[made.as_slice(), &[0]].concat()).is_err());
    assert!(matches!(
        Certificate::from_der(&vec![0; MAX_CERTIFICATE + 1]),
        Err(CertificateError::TooLong { .. })
    ));
    assert!(matches!(Certificate::from_pem("x"), Err(CertificateError::Pem)));
    for at in 0..made.len() {
        for bit in 0..8 {
            let mut changed = made.clone();
            changed[at] ^= 1 << bit;
            // Whatever is still read has another digest, and nobody's signature fits it.
            if let Ok(read) = Certificate::from_der(&changed) {
                assert_ne!(read.digest(), Digest::of(&made));
                assert!(!read.is_issued_by(&read), "{at} {bit}");
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let make =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "k"];
    let Some(elliptic) = passes("openssl", &[&make[..], &["-subj", "/CN=ec"]].concat(), dir.path()) else {
        return;
    };
    assert!(matches!(Certificate::from_pem(&elliptic), Err(CertificateError::Key { .. })));
}

#[test]
fn the_algorithm_must_be_the_one_that_is_signed() {
    let made = certificate(&key(0));
    let mut changed = made.to_der().to_vec();
    // Behind the signed part: a sequence of the object and NULL. Without NULL it is two bytes shorter.
    let at = 4 + made.tbs.len();
    assert_eq!(
        (changed[at..at + 2].to_vec(), changed[at + 13..at + 15].to_vec()),
        (vec![0x30, 13], vec![5, 0])
    );
    changed.drain(at + 13..at + 15);
    changed[at + 1] -= 2;
    let len = u16::from_be_bytes([changed[2], changed[3]]) - 2;
    changed[2..4].copy_from_slice(&len.to_be_bytes());
    let changed = Certificate::from_der(&changed).unwrap();
    assert_eq!(
        (changed.tbs_digest(), changed.signature.clone()),
        (made.tbs_digest(), made.signature.clone())
    );
    assert!(!changed.is_issued_by(&made) && made.is_issued_by(&made));
}
