use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::judge::passes;

/// Runs a future that never waits.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits"),
    }
}

/// One of two keys that are made once per test run.
pub(crate) fn key(which: usize) -> RsaKey {
    static KEYS: OnceLock<[String; 2]> = OnceLock::new();
    let make = || RsaKey::generate(2048).unwrap().to_pem().unwrap().to_string();
    let keys = KEYS.get_or_init(|| [make(), make()]);
    RsaKey::from_pem(&keys[which]).unwrap()
}

#[test]
fn openssl_reads_our_keys_and_checks_our_signatures() {
    let dir = tempfile::tempdir().unwrap();
    let (key, dir) = (key(0), dir.path());
    std::fs::write(dir.join("key.pem"), key.to_pem().unwrap().as_bytes()).unwrap();
    std::fs::write(dir.join("pub.pem"), key.public_key().to_pem()).unwrap();
    std::fs::write(dir.join("message"), "abc").unwrap();
    let Some(public) = passes("openssl", &["pkey", "-in", "key.pem", "-pubout"], dir) else { return };
    assert_eq!(public, key.public_key().to_pem());
    for algorithm in HashAlgorithm::ALL {
        let signature = block_on(key.sign(&algorithm.hash(b"abc"))).unwrap();
        std::fs::write(dir.join("sig"), &signature).unwrap();
        let hash = format!("-{algorithm}");
        let arguments = ["dgst", &hash, "-verify", "pub.pem", "-signature", "sig", "message"];
        assert_eq!(passes("openssl", &arguments, dir).unwrap().trim(), "Verified OK");
        // No randomness: openssl makes the same one.
        passes("openssl", &["dgst", &hash, "-sign", "key.pem", "-out", "theirs", "message"], dir).unwrap();
        assert_eq!(std::fs::read(dir.join("theirs")).unwrap(), signature);
    }
}

#[test]
fn keys_of_openssl_are_read_in_both_forms() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    if passes("openssl", &["genrsa", "-out", "8.pem", "2048"], dir).is_none() {
        return;
    }
    passes("openssl", &["rsa", "-in", "8.pem", "-traditional", "-out", "1.pem"], dir).unwrap();
    passes(
        "openssl",
        &["rsa", "-in", "8.pem", "-RSAPublicKey_out", "-outform", "DER", "-out", "pub.der"],
        dir,
    );
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    assert!(read("1.pem").starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    let (old, new) = (RsaKey::from_pem(&read("1.pem")).unwrap(), RsaKey::from_pem(&read("8.pem")).unwrap());
    assert_eq!(old.id(), new.id());
    assert_eq!(new.public_key().to_pkcs1_der(), std::fs::read(dir.join("pub.der")).unwrap());
    assert_eq!(RsaPublicKey::from_pem(&new.public_key().to_pem()).unwrap(), *new.public_key());
}

#[test]
fn other_keys_are_refused() {
    let small = passes("openssl", &["genrsa", "1024"], std::path::Path::new("/"));
    for text in small.iter().map(String::as_str).chain([
        "",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        crate::SigningKey::generate().unwrap().to_pem().unwrap().as_str(),
    ]) {
        assert!(RsaKey::from_pem(text).is_err(), "{text}");
    }
    assert!(RsaKey::generate(1024).is_err());
    let elliptic = crate::SigningKey::generate().unwrap();
    assert!(RsaPublicKey::from_der(elliptic.public_key().to_der()).is_err());
}

#[test]
fn a_signature_fits_one_key_one_digest_and_one_function() {
    let (signer, digest) = (key(0), HashAlgorithm::Sha256.hash(b"abc"));
    let mut signature = block_on(signer.sign(&digest)).unwrap();
    let public = signer.public_key();
    assert!(public.verify(&digest, &signature).is_ok());
    assert!(key(1).public_key().verify(&digest, &signature).is_err());
    assert!(public.verify(&HashAlgorithm::Sha256.hash(b"abd"), &signature).is_err());
    assert!(public.verify(&HashAlgorithm::Sha384.hash(b"abc"), &signature).is_err());
    signature[9] ^= 1;
    assert!(public.verify(&digest, &signature).is_err());
    assert!(public.verify(&digest, b"").is_err());
}
