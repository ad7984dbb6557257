use std::fs;

use super::*;
use crate::judge::{passes, run};

const ALGORITHMS: [KeyAlgorithm; 2] = [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519];

#[test]
fn openssl_accepts_our_ed25519_signatures_and_we_accept_its() {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::new(KeyAlgorithm::Ed25519).unwrap();
    let other = SigningKey::new(KeyAlgorithm::Ed25519).unwrap();
    fs::write(dir.path().join("key.pem"), key.to_pem().unwrap().as_bytes()).unwrap();
    fs::write(dir.path().join("pub.pem"), key.public_key().to_pem()).unwrap();
    fs::write(dir.path().join("other.pem"), other.public_key().to_pem()).unwrap();
    fs::write(dir.path().join("message"), "message").unwrap();
    fs::write(dir.path().join("changed"), "messagf").unwrap();
    fs::write(dir.path().join("ours"), key.sign(b"message").unwrap()).unwrap();
    let verify = |public, message| {
        let args =
            ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-sigfile", "ours", "-in", message];
        run("openssl", &args, dir.path())
    };
    let Some(verdict) = verify("pub.pem", "message") else { return };
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stderr));
    assert!(!verify("other.pem", "message").unwrap().status.success());
    assert!(!verify("pub.pem", "changed").unwrap().status.success());

    passes("openssl", &["genpkey", "-algorithm", "ed25519", "-out", "theirs.pem"], dir.path());
    let args = ["pkeyutl", "-sign", "-rawin", "-inkey", "theirs.pem", "-in", "message", "-out", "theirs"];
    passes("openssl", &args, dir.path());
    let public = passes("openssl", &["pkey", "-in", "theirs.pem", "-pubout"], dir.path()).unwrap();
    let public = PublicKey::from_pem(&public).unwrap();
    let signature = fs::read(dir.path().join("theirs")).unwrap();
    assert_eq!(public.verify(b"message", &signature), Ok(()));
    let theirs = SigningKey::from_pem(&fs::read_to_string(dir.path().join("theirs.pem")).unwrap()).unwrap();
    assert_eq!(theirs.sign(b"message").unwrap(), signature);
}

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
    for algorithm in ALGORITHMS {
        let key = SigningKey::new(algorithm).unwrap();
        let signature = key.sign(b"message").unwrap();
        let public = key.public_key();
        assert_eq!(public.verify(b"message", &signature), Ok(()));
        for bit in 0..signature.len() * 8 {
            let mut flipped = signature.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(public.verify(b"message", &flipped), Err(VerifyError { key: key.id() }), "bit {bit}");
        }
        assert!(public.verify(b"messagf", &signature).is_err());
        assert!(public.verify(b"message", &[]).is_err());
        for other in ALGORITHMS {
            let other = SigningKey::new(other).unwrap();
            assert!(other.public_key().verify(b"message", &signature).is_err());
        }
    }
}

#[test]
fn ecdsa_signatures_are_those_of_rfc_6979() {
    // RFC 6979, A.2.5.
    let sec1 = sequence(&[
        &[2, 1, 1],
        &[&[4, 32][..], &hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")].concat(),
        &hex("A00A06082A8648CE3D030107"),
    ]);
    let key = SigningKey::from_pem(&pem::write(SEC1, &sec1)).unwrap();
    let point = "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6\
                 7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
    assert!(key.public_key().to_der().ends_with(&hex(point)));
    for (message, r, s) in [
        (
            "sample",
            "00EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "00F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            "test",
            "00F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
            "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
        ),
    ] {
        let integer = |text| {
            let bytes = hex(text);
            [&[2, u8::try_from(bytes.len()).unwrap()], bytes.as_slice()].concat()
        };
        assert_eq!(key.sign(message.as_bytes()).unwrap(), sequence(&[&integer(r), &integer(s)]), "{message}");
    }
}

#[test]
fn ed25519_signatures_are_those_of_rfc_8032() {
    // RFC 8032, 7.1, TEST 1 and TEST 3.
    for (seed, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let pkcs8 = [hex("302e020100300506032b657004220420"), hex(seed)].concat();
        let key = SigningKey::from_pem(&pem::write(PKCS8, &pkcs8)).unwrap();
        assert_eq!(key.algorithm(), KeyAlgorithm::Ed25519);
        assert!(key.public_key().to_der().ends_with(&hex(public)));
        assert_eq!(key.sign(&hex(message)).unwrap(), hex(signature));
        assert_eq!(*key.to_pem().unwrap(), *pem::write(PKCS8, &pkcs8));
    }
}

#[test]
fn a_message_in_pieces_has_the_same_signature() {
    let message: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    for algorithm in ALGORITHMS {
        let key = SigningKey::new(algorithm).unwrap();
        let signature = key.sign(&message).unwrap();
        assert_eq!(key.sign(&message).unwrap(), signature);
        let mut reads = 0;
        let in_pieces = key.sign_pieces(|take| {
            reads += 1;
            message.chunks(777).for_each(take);
            Ok::<_, ()>(())
        });
        assert_eq!(in_pieces, Ok(Ok(signature.clone())));
        assert_eq!(reads, if algorithm == KeyAlgorithm::Ed25519 { 2 } else { 1 });
        let by_digest = key.sign_digest(&Digest::of(&message)).map(Result::unwrap);
        assert_eq!(by_digest, (algorithm == KeyAlgorithm::EcdsaP256).then(|| signature.clone()));
        assert_eq!(key.sign_pieces(|_| Err("gone")), Err("gone"));

        let mut pieces = key.public_key().verification(&signature);
        message.chunks(778).for_each(|piece| pieces.update(piece));
        assert_eq!(pieces.finish(), Ok(()));
        let mut pieces = key.public_key().verification(&signature);
        message.chunks(778).skip(1).for_each(|piece| pieces.update(piece));
        assert_eq!(pieces.finish(), Err(VerifyError { key: key.id() }));
    }
}

#[test]
fn keys_that_fit_every_signature_are_refused() {
    // The neutral element, a point of order 2, and 1 written as 1 + p.
    for point in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let spki = [hex("302a300506032b6570032100"), hex(point)].concat();
        assert_eq!(PublicKey::from_der(&spki), Err(KeyError::Form), "{point}");
    }
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(byte).collect()
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
}

#[test]
fn text_without_a_key_is_refused_without_repeating_it() {
    let secret = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    let error = SigningKey::from_pem(secret).err().unwrap();
    assert!(!format!("{error} {error:?}").contains("c2Vj"));
    assert!(matches!(SigningKey::from_pem("no key"), Err(KeyError::Pem { .. })));
    assert!(matches!(PublicKey::from_pem(secret), Err(KeyError::Pem { .. })));
}
