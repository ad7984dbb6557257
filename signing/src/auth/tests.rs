use std::path::Path;

use super::*;
use crate::certificate::tests::certificate;
use crate::esl::X509;
use crate::judge::passes;
use crate::pkcs7::content_info;
use crate::rsa::tests::{block_on, key};

fn content() -> SignatureDatabase {
    let mut content = SignatureDatabase::default();
    content.add(X509, EFI_GLOBAL, certificate(&key(0)).to_der());
    content
}

fn update(variable: Variable) -> Vec<u8> {
    block_on(sign_update(&key(0), &certificate(&key(0)), variable, &content())).unwrap()
}

#[test]
fn an_update_has_the_form_of_the_specification() {
    let bytes = update(Variable::Db);
    assert_eq!(bytes[..16], EfiTime::FIXED.to_bytes());
    let len = u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
    assert_eq!(bytes[20..24], [0x00, 0x02, 0xf1, 0x0e]);
    assert_eq!(bytes[24..40], *b"\x9d\xd2\xaf\x4a\xdf\x68\xee\x49\x8a\xa9\x34\x7d\x37\x56\x65\xa7");
    // SignedData itself: a sequence that begins with the version. EDK2 looks for the value of SHA-256's identifier at byte 13.
    assert_eq!((bytes[40], &bytes[44..47]), (0x30, &[2, 1, 1][..]));
    assert_eq!(bytes[53..62], *b"\x60\x86\x48\x01\x65\x03\x04\x02\x01");
    assert_eq!(bytes[16 + len..], content().to_bytes());
    assert_eq!(bytes, update(Variable::Db));
}

#[test]
fn an_update_is_about_one_variable_and_one_content() {
    for variable in Variable::ALL {
        let bytes = update(variable);
        let read = Update::from_bytes(&bytes).unwrap();
        assert_eq!((read.content(), read.time()), (&content(), EfiTime::FIXED));
        assert_eq!(*read.signer(), certificate(&key(0)));
        for other in Variable::ALL {
            assert_eq!(read.verify(other).is_ok(), other == variable, "{variable} as {other}");
        }
        let mut later = bytes.clone();
        later[6] = 1;
        assert!(Update::from_bytes(&later).unwrap().verify(variable).is_err());
        let mut other = bytes.clone();
        *other.last_mut().unwrap() ^= 1;
        assert!(Update::from_bytes(&other).unwrap().verify(variable).is_err());
    }
}

#[test]
fn damaged_updates_are_refused() {
    let bytes = update(Variable::Pk);
    for end in 0..bytes.len() {
        let read = Update::from_bytes(&bytes[..end]);
        assert!(read.is_err() || read.unwrap().verify(Variable::Pk).is_err(), "{end} bytes");
    }
    let changed = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        Update::from_bytes(&bytes).unwrap_err()
    };
    assert!(matches!(changed(2, 13), AuthError::Time));
    assert!(matches!(changed(16, 0xff), AuthError::Signature(_)));
    assert!(matches!(changed(19, 0xff), AuthError::Truncated { part: "certificate" }));
    assert!(matches!(changed(22, 0xf0), AuthError::Certificate));
    assert!(matches!(changed(24, 0), AuthError::Certificate));
    assert!(matches!(changed(40, 0x31), AuthError::Signature(_)));
    let content = bytes.len() - content().to_bytes().len();
    assert!(matches!(changed(content + 24, 0), AuthError::Content(_)));
}

#[test]
fn a_certificate_of_another_key_does_not_sign() {
    let error = block_on(sign_update(&key(1), &certificate(&key(0)), Variable::Pk, &content())).unwrap_err();
    assert!(matches!(error, Pkcs7Error::Certificate { .. }), "{error}");
}

#[test]
fn openssl_checks_the_signature() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let bytes = update(Variable::Kek);
    let (signature, _) = split_certificate(&bytes[16..]).unwrap();
    std::fs::write(dir.join("p7"), content_info(signature).unwrap()).unwrap();
    let signed = Variable::Kek.signed_bytes(EfiTime::FIXED, &content().to_bytes());
    std::fs::write(dir.join("good"), &signed).unwrap();
    std::fs::write(dir.join("bad"), Variable::Db.signed_bytes(EfiTime::FIXED, &content().to_bytes()))
        .unwrap();
    std::fs::write(dir.join("cert.pem"), certificate(&key(0)).to_pem()).unwrap();
    let verify = |content: &str| {
        let form = ["cms", "-verify", "-inform", "DER", "-in", "p7", "-binary", "-content", content];
        let trust = ["-CAfile", "cert.pem", "-purpose", "any", "-out", "out"];
        crate::judge::run("openssl", &[&form[..], &trust].concat(), dir)
    };
    let Some(good) = verify("good") else { return };
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    assert_eq!(std::fs::read(dir.join("out")).unwrap(), signed);
    assert!(!verify("bad").unwrap().status.success());
}

/// Has efitools sign our content.
fn theirs(variable: Variable, dir: &Path) -> Option<Vec<u8>> {
    std::fs::write(dir.join("key.pem"), key(0).to_pem().unwrap().as_bytes()).unwrap();
    std::fs::write(dir.join("cert.pem"), certificate(&key(0)).to_pem()).unwrap();
    std::fs::write(dir.join("esl"), content().to_bytes()).unwrap();
    let signed =
        ["-t", "2024-02-29 12:34:56", "-k", "key.pem", "-c", "cert.pem", variable.name(), "esl", "auth"];
    passes("sign-efi-sig-list", &signed, dir)?;
    Some(std::fs::read(dir.join("auth")).unwrap())
}

#[test]
fn updates_of_efitools_are_read() {
    let dir = tempfile::tempdir().unwrap();
    for variable in Variable::ALL {
        let Some(bytes) = theirs(variable, dir.path()) else { return };
        let read = Update::from_bytes(&bytes).unwrap();
        assert_eq!(*read.content(), content());
        for other in Variable::ALL {
            assert_eq!(read.verify(other).is_ok(), other == variable, "{variable} as {other}");
        }
    }
}
