use signing::RsaKey;
use signing::auth::Variable;
use signing::certificate::{Terms, self_signed};
use signing::enrolment::Enrolment;

use super::*;
use crate::signers::Access;

const GOOD: &str = "sets:
- name: main
  secureboot: {certificate: sb.crt, signer: 'pem:sb.key'}
  pcr: {signer: pcr.key}
  enroll: {pk: PK.auth, kek: KEK.auth, db: db.auth}
- name: tenant-a
  url: https://tenant-a.example.com
  secureboot: {certificate: sb.crt, signer: sb.key}
  pcr: {signer: pcr.key}
";

fn parse(text: &str) -> Result<KeySets, Vec<String>> {
    file::parse(text, Path::new("/keys")).map_err(|error| match error {
        KeyFileError::Problems(problems) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other}"),
    })
}

#[test]
fn paths_start_at_the_directory_of_the_file() {
    let sets = parse(GOOD).unwrap();
    let [main, tenant] = sets.specs() else { panic!("not two sets") };
    assert_eq!(main.secureboot.to_string(), "pem:/keys/sb.key");
    assert_eq!(main.certificate.as_ref().unwrap().to_string(), "/keys/sb.crt");
    assert_eq!(main.enroll.as_ref().unwrap().kek, Path::new("/keys/KEK.auth"));
    assert_eq!(tenant.url.as_ref().unwrap().as_str(), "https://tenant-a.example.com/");
    let json = serde_json::to_string(&serde_saphyr::from_str::<serde_json::Value>(GOOD).unwrap()).unwrap();
    assert_eq!(parse(&json).unwrap().specs(), sets.specs());
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "sets:
- name: Main
  url: ftp://x
  secureboot: {signer: 'pem:sb.key', extra: 1}
  pcr: {signer: 'https://x'}
  enroll: {pk: PK.auth}
- secureboot: {certificate: 'arn:aws:s3:::x', signer: 'awskms:///x'}
  pcr: 7
other: 1
";
    let expected = [
        "`other`: there is no such key; expected `sets`",
        "`sets[0].name`: expected 1 to 63 lower-case letters, digits and `-`, but it is `Main`",
        "`sets[0].url`: expected `https://HOST[:PORT]`, but it is `ftp://x`",
        "`sets[0].secureboot.extra`: there is no such key; expected `certificate`, `signer`",
        "`sets[0].secureboot`: expected a `certificate`: none is kept beside keys of this kind",
        "`sets[0].pcr.signer`: there is no signer `https:`; expected `pem:`, `pkcs11:`, `awskms:`, `azurekms:`, `gcpkms:`, `hashivault:` or `signerd:`",
        "`sets[0].enroll.kek`: it is missing",
        "`sets[0].enroll.db`: it is missing",
        "`sets[1].name`: it is missing",
        "`sets[1].secureboot.certificate`: expected `arn:aws:acm:REGION:ACCOUNT:certificate/ID`",
        "`sets[1].pcr`: expected a mapping with `signer`",
    ];
    assert_eq!(parse(text).unwrap_err(), expected);
    for (text, problem) in [
        ("sets: []", "`sets`: expected at least one key set"),
        ("{}", "`sets`: expected a list of key sets"),
        ("[]", "expected a mapping with `sets`"),
    ] {
        assert_eq!(parse(text).unwrap_err()[0], problem);
    }
    let twice = parse(&GOOD.replace("tenant-a\n", "main\n")).unwrap_err();
    assert_eq!(twice[0], "`sets[1].name`: there are two sets `main`");
}

/// A directory with the files of [`GOOD`].
async fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    let (key, pcr) = (RsaKey::generate(2048).unwrap(), RsaKey::generate(2048).unwrap());
    let terms = Terms { common_name: "us", not_before: 0, not_after: 1 << 32, authority: false };
    write("sb.key", key.to_pem().unwrap().as_bytes());
    write("pcr.key", pcr.to_pem().unwrap().as_bytes());
    let certificate = self_signed(&key, &terms).await.unwrap();
    write("sb.crt", certificate.to_pem().as_bytes());
    let enrolment = Enrolment::sign(&key, &certificate, &[]).await.unwrap();
    write("other.crt", self_signed(&pcr, &terms).await.unwrap().to_pem().as_bytes());
    for variable in Variable::ALL {
        write(&format!("{variable}.auth"), enrolment.auth(variable));
    }
    write("keys.yaml", GOOD.as_bytes());
    dir
}

#[tokio::test]
async fn hosts_choose_sets_and_identities_follow_what_signs() {
    let dir = directory().await;
    let load = || KeySets::read(&dir.path().join("keys.yaml")).unwrap();
    let open = load().open_with(&Access::default()).await.unwrap();
    let chosen = |host| open.of_host(host).unwrap().name();
    assert_eq!(chosen("tenant-a.example.com"), "tenant-a");
    assert_eq!(chosen("Tenant-A.example.com:443"), "tenant-a");
    assert_eq!(chosen("tenant-a.example.com:80"), "main");
    assert_eq!(chosen("elsewhere"), "main");
    let identity = |sets: &OpenKeySets, name| sets.named(Some(name)).unwrap().unwrap().identity();
    let main = open.named(None).unwrap().unwrap();
    assert!(main.enrolment().is_some() && main.certificate().belongs_to(main.secureboot().public_key()));
    // The enrolment files make the difference; names and hosts do not.
    assert_ne!(identity(&open, "main"), identity(&open, "tenant-a"));
    let again = load().open_with(&Access::default()).await.unwrap();
    assert_eq!(identity(&again, "main"), identity(&open, "main"));
    fs::write(dir.path().join("pcr.key"), RsaKey::generate(2048).unwrap().to_pem().unwrap()).unwrap();
    let rotated = load().open_with(&Access::default()).await.unwrap();
    for name in ["main", "tenant-a"] {
        assert_ne!(identity(&rotated, name), identity(&open, name));
    }
    let unknown = open.named(Some("nobody")).unwrap_err().to_string();
    assert_eq!(unknown, "there is no set `nobody` of keys; there are: main, tenant-a");
}

#[tokio::test]
async fn what_does_not_belong_together_is_refused() {
    let dir = directory().await;
    let path = dir.path().join("keys.yaml");
    fs::write(&path, GOOD.replacen("sb.crt", "other.crt", 1).replace("db.auth", "none")).unwrap();
    let error = KeySets::read(&path).unwrap().open_with(&Access::default()).await.unwrap_err().to_string();
    assert!(error.contains("set `main`: cannot read a file of it") && error.contains("none"), "{error}");
    fs::write(&path, GOOD.replacen("sb.crt", "other.crt", 1)).unwrap();
    let error = KeySets::read(&path).unwrap().open_with(&Access::default()).await.unwrap_err().to_string();
    assert!(error.contains("set `main`: the certificate of CN=us is for the key"), "{error}");
    assert!(!error.contains("tenant-a"), "{error}");
}

#[tokio::test]
async fn keys_that_everybody_can_read_are_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = directory().await;
    let sets = KeySets::read(&dir.path().join("keys.yaml")).unwrap();
    let mode = |name: &str, mode| {
        fs::set_permissions(dir.path().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("sb.key", 0o600);
    mode("pcr.key", 0o640);
    assert!(sets.exposed().is_empty());
    mode("sb.key", 0o644);
    assert_eq!(sets.exposed().into_iter().collect::<Vec<_>>(), [dir.path().join("sb.key")]);
}
