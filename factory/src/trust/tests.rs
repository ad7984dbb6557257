use std::path::Path;

use signing::SigningKey;

use super::*;

fn rules(specs: Vec<TrustSpec>) -> Vec<String> {
    policy(specs, None).unwrap().rules().iter().map(ToString::to_string).collect()
}

fn key_file(dir: &Path, name: &str) -> String {
    let key = SigningKey::generate().unwrap();
    fs::write(dir.join(name), key.public_key().to_pem()).unwrap();
    key.id().to_string()
}

#[test]
fn a_line_says_who_and_for_what() {
    let dir = tempfile::tempdir().unwrap();
    let id = key_file(dir.path(), "a=b.pub");
    let path = dir.path().join("a=b.pub").display().to_string();
    let talos = "must be signed by identity /[^@\\s]+@siderolabs\\.com|releasemgr-svc@talos-production\\.iam\\.gserviceaccount\\.com/ of issuer `https://accounts.google.com`";
    for (text, expected) in [
        ("talos".to_owned(), format!("images of siderolabs {talos}")),
        ("mirror/sidero=talos".to_owned(), format!("images of mirror/sidero {talos}")),
        ("unsigned".to_owned(), "all images need no signature".to_owned()),
        ("lab=unsigned".to_owned(), "images of lab need no signature".to_owned()),
        (format!("key:{path}"), format!("all images must be signed with key {id}")),
        (format!("a/b=key:{path}"), format!("images of a/b must be signed with key {id}")),
        (
            "keyless:https://i=a@b".to_owned(),
            "all images must be signed by identity `a@b` of issuer `https://i`".to_owned(),
        ),
        (
            "a=keyless:https://i=https://x?y=z".to_owned(),
            "images of a must be signed by identity `https://x?y=z` of issuer `https://i`".to_owned(),
        ),
    ] {
        assert_eq!(rules(read(&text).unwrap()), [expected], "{text}");
    }
}

#[test]
fn what_says_nothing_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("no.pub"), "no key").unwrap();
    let no_key = format!("key:{}", dir.path().join("no.pub").display());
    for text in [
        "",
        "yes",
        "Talos",
        "a=",
        "a=b",
        "UP=talos",
        "keyless:",
        "keyless:x",
        "keyless:=x",
        "keyless:x=",
        "talos:x",
    ] {
        assert!(matches!(read(text), Err(TrustError::Form)), "{text}");
    }
    assert!(matches!(read("key:/no/such"), Err(TrustError::Read { .. })));
    assert!(matches!(read(&no_key), Err(TrustError::Key { .. })));
    assert!(matches!(root(&dir.path().join("no.pub")), Err(TrustError::Root { .. })));
    let both = [read("unsigned").unwrap(), read("keyless:i=a").unwrap()].concat();
    assert!(matches!(policy(both, None), Err(TrustError::Policy(_))));
}

#[test]
fn a_file_says_more() {
    let dir = tempfile::tempdir().unwrap();
    let id = key_file(dir.path(), "mine.pub");
    let text = "rules:\n- images: siderolabs\n  signers: [{talos: true}, {key: mine.pub}]\n\
                - images: lab\n  unsigned: true\n\
                - signers: [{issuerPattern: 'https://.*', identityPattern: 'a.*'}]\n";
    let said = rules(file::parse(text, dir.path()).unwrap());
    assert!(said[0].ends_with(&format!("or with key {id}")), "{said:?}");
    assert_eq!(said[1], "images of lab need no signature");
    assert_eq!(said[2], "all images must be signed by identity /a.*/ of issuer /https://.*/");
    for text in [
        "",
        "rules: [{}]",
        "rules: [{signers: []}]",
        "rules: [{unsigned: false}]",
        "rules: [{unsigned: true, signers: [{talos: true}]}]",
        "rules: [{unsinged: true}]",
        "rules: [{images: UP, unsigned: true}]",
        "rules: [{signers: [{}]}]",
        "rules: [{signers: [{talos: true, key: mine.pub}]}]",
        "rules: [{signers: [{key: no.pub}]}]",
        "rules: [{signers: [{issuer: a}]}]",
        "rules: [{signers: [{issuer: a, issuerPattern: b, identity: c}]}]",
        "rules: [{signers: [{issuer: a, identityPattern: '('}]}]",
        "rules: [{signers: [{issuer: a, identity: b, trustedRoot: no.json}]}]",
    ] {
        assert!(file::parse(text, dir.path()).is_err(), "{text}");
    }
}
