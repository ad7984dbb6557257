use std::fs;

use super::*;
use crate::judge::{passes, run};

#[test]
fn openssl_accepts_our_signatures_and_we_accept_its() {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    fs::write(dir.path().join("key.pem"), key.to_pem().unwrap().as_bytes()).unwrap();
    fs::write(dir.path().join("pub.pem"), key.public_key().to_pem()).unwrap();
    fs::write(dir.path().join("other.pem"), SigningKey::generate().unwrap().public_key().to_pem()).unwrap();
    fs::write(dir.path().join("message"), "message").unwrap();
    fs::write(dir.path().join("changed"), "messagf").unwrap();
    fs::write(dir.path().join("ours"), key.sign(b"message").unwrap()).unwrap();
    let verify = |public, message| {
        run("openssl", &["dgst", "-sha256", "-verify", public, "-signature", "ours", message], dir.path())
    };
    let Some(verdict) = verify("pub.pem", "message") else { return };
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stdout));
    assert!(!verify("other.pem", "message").unwrap().status.success());
    assert!(!verify("pub.pem", "changed").unwrap().status.success());

    passes("openssl", &["dgst", "-sha256", "-sign", "key.pem", "-out", "theirs", "message"], dir.path());
    let theirs = fs::read(dir.path().join("theirs")).unwrap();
    assert_eq!(key.public_key().verify(b"message", &theirs), Ok(()));
    let public = passes("openssl", &["pkey", "-in", "key.pem", "-pubout"], dir.path()).unwrap();
    assert_eq!(public, key.public_key().to_pem());
    passes("openssl", &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "der"], dir.path());
    assert_eq!(key.id().digest(), Digest::of(&fs::read(dir.path().join("der")).unwrap()));
}

#[test]
fn both_forms_of_private_keys_are_the_same_key() {
    let dir = tempfile::tempdir().unwrap();
    let made = ["ecparam", "-name", "prime256v1", "-genkey", "-out", "sec1.pem"];
    let Some(_) = passes("openssl", &made, dir.path()) else { return };
    passes("openssl", &["pkcs8", "-topk8", "-nocrypt", "-in", "sec1.pem", "-out", "pkcs8.pem"], dir.path());
    let read = |name| SigningKey::from_pem(&fs::read_to_string(dir.path().join(name)).unwrap());
    let (sec1, pkcs8) = (read("sec1.pem").unwrap(), read("pkcs8.pem").unwrap());
    assert!(fs::read_to_string(dir.path().join("sec1.pem")).unwrap().contains("EC PARAMETERS"));
    assert_eq!(sec1.id(), pkcs8.id());
    assert_eq!(pkcs8.public_key().verify(b"m", &sec1.sign(b"m").unwrap()), Ok(()));
}

#[test]
fn keys_on_other_curves_and_of_other_kinds_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (algorithm, option) in [
        ("EC", "ec_paramgen_curve:P-384"),
        ("EC", "ec_paramgen_curve:secp256k1"),
        ("RSA", "rsa_keygen_bits:2048"),
    ] {
        let made = ["genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", "key.pem"];
        let Some(_) = passes("openssl", &made, dir.path()) else { return };
        let text = fs::read_to_string(dir.path().join("key.pem")).unwrap();
        assert_eq!(
            SigningKey::from_pem(&text).err(),
            Some(KeyError::Kind { label: PKCS8, expected: KIND }),
            "{option}"
        );
        let public = passes("openssl", &["pkey", "-in", "key.pem", "-pubout"], dir.path()).unwrap();
        assert!(PublicKey::from_pem(&public).is_err(), "{option}");
    }
}

#[test]
fn a_key_has_one_id() {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    fs::write(dir.path().join("pub.pem"), key.public_key().to_pem()).unwrap();
    let compressed = ["ec", "-pubin", "-in", "pub.pem", "-conv_form", "compressed", "-pubout"];
    let Some(compressed) = passes("openssl", &compressed, dir.path()) else { return };
    assert!(PublicKey::from_pem(&compressed).is_err());
    assert_eq!(PublicKey::from_pem(&key.public_key().to_pem()).unwrap(), *key.public_key());
    assert_eq!(SigningKey::from_pem(&key.to_pem().unwrap()).unwrap().id(), key.id());
}

#[test]
fn every_flipped_bit_is_noticed() {
    let key = SigningKey::generate().unwrap();
    let signature = key.sign(b"message").unwrap();
    let public = key.public_key();
    assert_eq!(public.verify(b"message", &signature), Ok(()));
    for bit in 0..signature.len() * 8 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(public.verify(b"message", &flipped), Err(VerifyError { key: key.id() }), "bit {bit}");
    }
    assert!(public.verify(b"message", &[]).is_err());
    assert!(SigningKey::generate().unwrap().public_key().verify(b"message", &signature).is_err());
}

#[test]
fn text_without_a_key_is_refused_without_repeating_it() {
    let secret = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    let error = SigningKey::from_pem(secret).err().unwrap();
    assert!(!format!("{error} {error:?}").contains("c2Vj"));
    assert!(matches!(SigningKey::from_pem("no key"), Err(KeyError::Pem { .. })));
    assert!(matches!(PublicKey::from_pem(secret), Err(KeyError::Pem { .. })));
}
