use std::fs;
use std::path::Path;

use super::*;
use crate::in_toto::{PAYLOAD_TYPE, Statement, Subject};
use crate::judge::{passes, run};
use crate::key::KeyAlgorithm;

const FILE: &[u8] = b"what somebody downloads";
/// Without one, cosign asks the network for the certificates of people who sign with their names.
const NO_ROOT: &str = "{\"mediaType\":\"application/vnd.dev.sigstore.trustedroot+json;version=0.1\"}";

fn keys() -> [SigningKey; 2] {
    [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519].map(|algorithm| SigningKey::new(algorithm).unwrap())
}

fn of_file(key: &SigningKey) -> Bundle {
    Bundle::of_file(key.public_key(), Digest::of(FILE), key.sign(FILE).unwrap())
}

fn statement(subject: &[u8]) -> Vec<u8> {
    let subjects = vec![Subject { name: "file".to_owned(), digest: Digest::of(subject) }];
    let predicate_type = "https://cosign.sigstore.dev/attestation/v1".to_owned();
    let predicate = serde_json::json!({"Data": "x", "Timestamp": ""});
    Statement { subjects, predicate_type, predicate }.encode().unwrap()
}

#[test]
fn the_text_is_the_one_cosign_writes() {
    let key = SigningKey::generate().unwrap();
    let expected = format!(
        "{{\"mediaType\":\"{MEDIA_TYPE}\",\"verificationMaterial\":{{\"publicKey\":{{\"hint\":\"{}\"}}}},\
         \"messageSignature\":{{\"messageDigest\":{{\"algorithm\":\"SHA2_256\",\"digest\":\"{}\"}},\"signature\":\"{}\"}}}}",
        hint(key.public_key()),
        STANDARD.encode(Digest::of(FILE).as_bytes()),
        STANDARD.encode(key.sign(FILE).unwrap()),
    );
    assert_eq!(String::from_utf8(of_file(&key).encode().unwrap()).unwrap(), expected);
}

#[test]
fn the_signature_of_a_file_counts_for_its_key_and_its_bytes() {
    for key in keys() {
        let bundle = of_file(&key);
        let read = Bundle::decode(&bundle.encode().unwrap()).unwrap();
        assert_eq!(read, bundle);
        let message = read.message().unwrap();
        message.verify(key.public_key(), FILE).unwrap();
        let error = message.verify(key.public_key(), b"another").unwrap_err();
        assert!(matches!(error, BundleError::OtherFile { .. }), "{error}");
        for other in keys() {
            let error = message.verify(other.public_key(), FILE).unwrap_err();
            assert!(matches!(error, BundleError::Signature(_)), "{error}");
        }
        let replayed = MessageSignature { digest: Digest::of(b"another"), ..message.clone() };
        let error = replayed.verify(key.public_key(), b"another").unwrap_err();
        assert!(matches!(error, BundleError::Signature(_)), "{error}");
        assert!(matches!(read.text(key.public_key(), PAYLOAD_TYPE), Err(BundleError::Other { .. })));
    }
}

#[test]
fn the_text_in_a_bundle_counts_for_its_key() {
    for key in keys() {
        let bundle = Bundle::of_text(&key, PAYLOAD_TYPE, statement(FILE)).unwrap();
        let read = Bundle::decode(&bundle.encode().unwrap()).unwrap();
        assert_eq!(read.text(key.public_key(), PAYLOAD_TYPE).unwrap(), statement(FILE));
        assert!(read.message().is_err());
        for other in keys() {
            assert!(matches!(read.text(other.public_key(), PAYLOAD_TYPE), Err(BundleError::Envelope(_))));
        }
    }
}

#[test]
fn what_is_no_bundle_is_refused() {
    let text = String::from_utf8(of_file(&keys()[0]).encode().unwrap()).unwrap();
    for (bad, expected) in [
        (text.replace("v0.3", "v0.2"), "version 0.3"),
        (text.replace("messageSignature", "nothing"), "either the signature of a file or an envelope"),
        (text.replace("SHA2_256", "SHA2_512"), "no readable SHA-256"),
        (text.replace("\"digest\":\"", "\"digest\":\"AA"), "no readable SHA-256"),
        (text.replace("\"signature\":\"", "\"signature\":\"?"), "no readable signature"),
        (text.replace("verificationMaterial", "x"), "not a Sigstore bundle"),
        (" ".repeat(MAX_BUNDLE + 1), "more than"),
        (String::new(), "not a Sigstore bundle"),
    ] {
        let error = Bundle::decode(bad.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

fn prepare(dir: &Path, key: &SigningKey) {
    let other = SigningKey::new(key.algorithm()).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.join(name), bytes).unwrap();
    write("key.pem", key.to_pem().unwrap().as_bytes());
    write("pub.pem", key.public_key().to_pem().as_bytes());
    write("other.pem", other.public_key().to_pem().as_bytes());
    write("root.json", NO_ROOT.as_bytes());
    write("file", FILE);
    write("changed", b"what somebody downloadt");
    write("bundle", &of_file(key).encode().unwrap());
    write("attested", &Bundle::of_text(key, PAYLOAD_TYPE, statement(FILE)).unwrap().encode().unwrap());
    write("replayed", &Bundle::of_text(key, PAYLOAD_TYPE, statement(b"x")).unwrap().encode().unwrap());
}

#[test]
fn cosign_accepts_our_bundles() {
    for key in keys() {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path(), &key);
        let common = ["--new-bundle-format", "--insecure-ignore-tlog", "--trusted-root", "root.json"];
        let verify = |command: &[&str], public, bundle, file| {
            let args = [command, &["--key", public, "--bundle", bundle], &common, &[file]].concat();
            run("cosign", &args, dir.path())
        };
        for (command, bundle) in
            [(&["verify-blob"][..], "bundle"), (&["verify-blob-attestation", "--type", "custom"], "attested")]
        {
            let Some(verdict) = verify(command, "pub.pem", bundle, "file") else { return };
            assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stderr));
            assert!(!verify(command, "other.pem", bundle, "file").unwrap().status.success());
            assert!(!verify(command, "pub.pem", bundle, "changed").unwrap().status.success());
            assert!(!verify(command, "pub.pem", "replayed", "file").unwrap().status.success());
        }
    }
}

#[test]
fn we_accept_the_bundles_of_cosign() {
    for key in keys() {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path(), &key);
        // cosign 2.5 cannot import keys on P-256.
        let make: &[&str] = match key.algorithm() {
            KeyAlgorithm::EcdsaP256 => &["generate-key-pair", "--output-key-prefix", "theirs"],
            KeyAlgorithm::Ed25519 => &["import-key-pair", "--key", "key.pem", "-o", "theirs", "-y"],
        };
        let Some(_) = passes("cosign", make, dir.path()) else { return };
        let public = fs::read_to_string(dir.path().join("theirs.pub")).unwrap();
        let public = PublicKey::from_pem(&public).unwrap();
        assert_eq!(public.algorithm(), key.algorithm());
        let common = ["--key", "theirs.key", "--tlog-upload=false", "--new-bundle-format", "-y", "file"];
        passes("cosign", &[&["sign-blob", "--bundle", "signed"][..], &common].concat(), dir.path());
        let attest = ["attest-blob", "--bundle", "said", "--predicate", "root.json", "--type", "custom"];
        passes("cosign", &[&attest[..], &common].concat(), dir.path());

        let read = |name| Bundle::decode(&fs::read(dir.path().join(name)).unwrap()).unwrap();
        let signed = read("signed");
        signed.message().unwrap().verify(&public, FILE).unwrap();
        assert_eq!(signed.hint, Some(hint(&public)));
        let said = read("said");
        let said = Statement::decode(said.text(&public, PAYLOAD_TYPE).unwrap()).unwrap();
        assert!(said.is_about(&Digest::of(FILE)));
    }
}
