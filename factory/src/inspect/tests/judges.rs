//! What the tools that made such images say of the same image.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use signing::HashAlgorithm;

use super::fixture::Fixture;
use super::{look, one, register};

/// Where the programs are that no package of this Debian brings.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools");

/// What a tool prints; nothing, and a line that says so, when it is not installed.
fn printed(program: &str, arguments: &[&str], dir: &Path) -> Option<String> {
    let own = Path::new(OWN).join(program);
    let path = if own.is_file() { own } else { program.into() };
    match Command::new(path).args(arguments).current_dir(dir).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success(), "{program}: {text}");
            Some(text)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: {program} is not installed");
            None
        }
        Err(error) => panic!("cannot start {program}: {error}"),
    }
}

async fn saved(fixture: &Fixture) -> String {
    fixture.save("x.efi", &fixture.bytes(&fixture.uki).await)
}

#[tokio::test]
async fn ukify_sees_the_same_sections() {
    let fixture = Fixture::new().await;
    let report = look(&saved(&fixture).await).await;
    let Some(text) = printed("ukify", &["--json=short", "inspect", "x.efi"], fixture.dir.path()) else {
        return;
    };
    let theirs: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    // Of several sections with one name ukify tells the last.
    let ours: BTreeMap<&str, _> =
        one(&report).sections.iter().map(|section| (section.name.as_str(), section)).collect();
    assert!(theirs.len() > 8);
    for (name, theirs) in theirs {
        let ours = ours[name.as_str()];
        assert_eq!(theirs["size"], ours.size, "{name}");
        assert_eq!(theirs["sha256"].as_str(), ours.sha256.as_deref(), "{name}");
    }
}

#[tokio::test]
async fn sbverify_sees_the_same_signature() {
    let fixture = Fixture::new().await;
    let report = look(&saved(&fixture).await).await;
    let dir = fixture.dir.path();
    let Some(text) = printed("sbverify", &["--list", "x.efi"], dir) else { return };
    let [signature] = one(&report).signatures.as_slice() else { panic!("not one signature") };
    let name = signature.signer.subject.strip_prefix("CN=").unwrap();
    assert!(text.contains(&format!("subject: /CN={name}")), "{text}");
    assert!(text.contains(&format!("issuer:  /CN={name}")), "{text}");
    assert!(text.contains("signature 1") && !text.contains("signature 2"), "{text}");
    fixture.save("cert.pem", fixture.certificate.to_pem().as_bytes());
    assert!(printed("sbverify", &["--cert", "cert.pem", "x.efi"], dir).is_some());
}

#[tokio::test]
async fn systemd_measure_calculates_the_same_value() {
    let fixture = Fixture::new().await;
    let report = look(&saved(&fixture).await).await;
    let bytes = fixture.bytes(&fixture.uki).await;
    let mut options = vec!["calculate".to_owned(), "--json=short".to_owned()];
    // The main profile: the sections in front of the second one. Those that are no option are not measured.
    let table = builder::format::pe::sections(&bytes).unwrap();
    let mut profiles = 0;
    for section in &table {
        let name = section.name.to_string().trim_start_matches('.').to_owned();
        profiles += usize::from(name == "profile");
        if profiles < 2 && !["text", "pcrsig"].contains(&name.as_str()) {
            let place = section.content();
            let content = usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap();
            fixture.save(&name, &bytes[content]);
            options.push(format!("--{name}={name}"));
        }
    }
    let registers = report.measurements[0].predictions();
    let main = registers.iter().find(|register| register.profile.as_deref() == Some("main")).unwrap();
    for value in main.values.iter().filter(|value| value.phase.as_deref() != Some("")) {
        let phase = format!("--phase={}", value.phase.as_ref().unwrap());
        let arguments: Vec<&str> = options.iter().map(String::as_str).chain([phase.as_str()]).collect();
        let Some(text) = printed("systemd-measure", &arguments, fixture.dir.path()) else { return };
        let theirs: Value = serde_json::from_str(&text).unwrap();
        for bank in HashAlgorithm::ALL {
            assert_eq!(theirs[bank.name()][0]["hash"], value.digests.get(bank).hex(), "{phase}");
        }
    }
}

#[tokio::test]
async fn osslsigncode_calculates_the_same_digest() {
    let fixture = Fixture::new().await;
    let report = look(&saved(&fixture).await).await;
    fixture.save("cert.pem", fixture.certificate.to_pem().as_bytes());
    let arguments = ["verify", "-CAfile", "cert.pem", "-in", "x.efi"];
    let Some(text) = printed("osslsigncode", &arguments, fixture.dir.path()) else { return };
    let digest = one(&report).authenticode.unwrap().get(HashAlgorithm::Sha256).hex().to_uppercase();
    assert!(text.contains(&digest), "{text}");
    assert_eq!(register(&report.measurements[0], 4).events[2].digests, one(&report).authenticode.unwrap());
}

#[tokio::test]
async fn the_document_is_of_its_published_shape() {
    let fixture = Fixture::new().await;
    let report = look(&fixture.save("esp.img", &fixture.file_system().await)).await;
    let document = report.measurements[0].to_json().unwrap();
    fixture.save("document.json", document.as_bytes());
    fixture.save("wrong.json", document.replace("\"EV_SEPARATOR\"", "\"EV_OTHER\"").as_bytes());
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/measurements.schema.json");
    let dir = fixture.dir.path();
    let check = "import jsonschema, json, sys
jsonschema.Draft202012Validator.check_schema(json.load(open(sys.argv[1])))
validator = jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))
print(sum(1 for _ in validator.iter_errors(json.load(open(sys.argv[2])))))";
    if printed("python3", &["-c", "import importlib.util as u; exit(u.find_spec('jsonschema') is None)"], dir)
        .is_none()
    {
        return;
    }
    let errors = |file: &str| printed("python3", &["-c", check, schema, file], dir).unwrap();
    assert_eq!(errors("document.json"), "0\n");
    // There is a separator in PCR 4, and one in PCR 7.
    assert_eq!(errors("wrong.json"), "2\n");
}
