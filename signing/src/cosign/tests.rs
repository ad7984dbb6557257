use std::fs;

use super::*;
use crate::judge::{passes, run};

const REFERENCE: &str = "factory.example.org/installer/376567";

fn image() -> Digest {
    Digest::of(b"manifest")
}

#[test]
fn the_payload_is_the_text_cosign_writes() {
    let expected = format!(
        "{{\"critical\":{{\"identity\":{{\"docker-reference\":\"{REFERENCE}\"}},\"image\":{{\
         \"docker-manifest-digest\":\"{}\"}},\"type\":\"cosign container image signature\"}},\"optional\":null}}",
        image()
    );
    assert_eq!(String::from_utf8(payload(&image(), REFERENCE).unwrap()).unwrap(), expected);
    assert_eq!(tag(&image()), format!("sha256-{}.sig", image().hex()));
}

#[test]
fn a_signature_counts_for_its_key_its_image_and_its_bytes() {
    let key = SigningKey::generate().unwrap();
    let signed = sign(&key, &image(), REFERENCE).unwrap();
    let claim = Claim { digest: image(), reference: REFERENCE.to_owned() };
    assert_eq!(verify(key.public_key(), &image(), &signed).unwrap(), claim);

    let other = SigningKey::generate().unwrap();
    let refused =
        |key: &PublicKey, digest: &Digest, signed: &ImageSignature| verify(key, digest, signed).unwrap_err();
    let error = refused(other.public_key(), &image(), &signed);
    assert!(matches!(&error, ImageSignatureError::Signature { .. }));
    assert!(!error.to_string().contains(&std::error::Error::source(&error).unwrap().to_string()));
    let error = refused(key.public_key(), &Digest::of(b"other"), &signed);
    assert!(matches!(error, ImageSignatureError::OtherImage { .. }));
    for place in 0..signed.payload.len() {
        let mut flipped = signed.clone();
        flipped.payload[place] ^= 1;
        let error = refused(key.public_key(), &image(), &flipped);
        assert!(matches!(error, ImageSignatureError::Signature { .. }));
    }
}

#[test]
fn signed_nonsense_is_refused() {
    let key = SigningKey::generate().unwrap();
    let verify = |payload: &[u8]| {
        let signature = STANDARD.encode(key.sign(payload).unwrap());
        verify(key.public_key(), &image(), &ImageSignature { payload: payload.to_vec(), signature })
    };
    let good = String::from_utf8(payload(&image(), "r").unwrap()).unwrap();
    assert!(verify(good.as_bytes()).is_ok());
    let with_annotations = good.replace("null", "{\"creator\":\"x\",\"timestamp\":1}");
    assert!(verify(with_annotations.as_bytes()).is_ok());
    let other_kind = good.replace("cosign container", "another");
    for bad in [other_kind.as_str(), "", "{}", "[]", &good.replace("critical", "Critical")] {
        assert!(matches!(verify(bad.as_bytes()), Err(ImageSignatureError::Payload { .. })), "{bad}");
    }
    assert!(matches!(verify(&vec![b' '; MAX_PAYLOAD + 1]), Err(ImageSignatureError::TooLong { .. })));
    let no_base64 = ImageSignature { payload: good.into_bytes(), signature: "?".to_owned() };
    let error = super::verify(key.public_key(), &image(), &no_base64).unwrap_err();
    assert!(matches!(error, ImageSignatureError::Encoding { .. }));
}

#[test]
fn cosign_accepts_ours_and_we_accept_its() {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let signed = sign(&key, &image(), REFERENCE).unwrap();
    let other = SigningKey::generate().unwrap();
    fs::write(dir.path().join("key.pem"), key.to_pem().unwrap().as_bytes()).unwrap();
    fs::write(dir.path().join("pub.pem"), key.public_key().to_pem()).unwrap();
    fs::write(dir.path().join("other.pem"), other.public_key().to_pem()).unwrap();
    fs::write(dir.path().join("payload"), &signed.payload).unwrap();
    fs::write(dir.path().join("changed"), payload(&Digest::of(b"other"), REFERENCE).unwrap()).unwrap();
    fs::write(dir.path().join("signature"), &signed.signature).unwrap();
    let verify_blob = |public, blob| {
        let args =
            ["verify-blob", "--key", public, "--signature", "signature", "--insecure-ignore-tlog", blob];
        run("cosign", &args, dir.path())
    };
    let Some(verdict) = verify_blob("pub.pem", "payload") else { return };
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stderr));
    assert!(!verify_blob("other.pem", "payload").unwrap().status.success());
    assert!(!verify_blob("pub.pem", "changed").unwrap().status.success());

    passes("cosign", &["generate-key-pair"], dir.path());
    let args = ["sign-blob", "--key", "cosign.key", "--tlog-upload=false", "-y", "payload"];
    let theirs = passes("cosign", &args, dir.path()).unwrap();
    let theirs = ImageSignature { signature: theirs.trim().to_owned(), ..signed };
    let public = PublicKey::from_pem(&fs::read_to_string(dir.path().join("cosign.pub")).unwrap()).unwrap();
    assert!(verify(&public, &image(), &theirs).is_ok());
    assert!(verify(key.public_key(), &image(), &theirs).is_err());
}
