//! `factory keys` from outside, judged by openssl.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "in a test, what is not there is a failure")]

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use fs_err as fs;

fn keys(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_factory"));
    command.env_clear().arg("keys").args(arguments).output().unwrap()
}

/// What a command printed that must succeed.
fn done(arguments: &[&str]) -> String {
    let output = keys(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a command complained that must not succeed.
fn refused(arguments: &[&str]) -> String {
    let output = keys(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

/// What openssl says, unless it is not installed.
fn openssl(dir: &Path, arguments: &[&str]) -> Option<String> {
    match Command::new("openssl").args(arguments).current_dir(dir).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: `openssl` is not installed");
            None
        }
        output => {
            let output = output.unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_signing_key_is_two_files_that_openssl_reads() {
    let dir = tempfile::tempdir().unwrap();
    for (algorithm, name) in [("ecdsa-p256", "ECDSA P-256"), ("ed25519", "Ed25519")] {
        let made = dir.path().join(algorithm);
        let generate =
            ["generate", "--kind", "signing", "--algorithm", algorithm, "--output", made.to_str().unwrap()];
        let said = done(&generate);
        assert!(said.contains(name) && said.contains("--signing-key"), "{said}");
        for (file, expected) in [("signing.key", 0o600), ("signing.pub", 0o644)] {
            assert_eq!(mode(&made.join(file)), expected, "{file}");
        }
        assert_eq!(fs::read_dir(&made).unwrap().count(), 2);
        assert!(refused(&generate).contains("never overwritten"));
        let Some(public) = openssl(&made, &["pkey", "-in", "signing.key", "-pubout"]) else { return };
        assert_eq!(public, fs::read_to_string(made.join("signing.pub")).unwrap());
    }
}

#[test]
fn new_keys_are_private_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    let (output, file) = (made.to_str().unwrap(), made.join("keys.yaml"));
    let said = done(&["generate", "--output", output, "--name", "Our fleet", "--days", "10"]);
    for part in ["option ROMs", "includeWellKnownCertificates: true", "CN=Our fleet", "RSA-2048"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for (name, expected) in [("secureboot.key", 0o600), ("pcr.key", 0o600), ("secureboot.crt", 0o644)] {
        assert_eq!(mode(&made.join(name)), expected, "{name}");
    }
    assert_eq!(mode(&made), 0o700);
    let shown = done(&["show", file.to_str().unwrap()]);
    let id =
        said.lines().find(|line| line.contains("SecureBoot key")).unwrap().split(' ').next_back().unwrap();
    assert!(shown.starts_with("main\n") && shown.contains(id), "{shown}");
    assert!(shown.contains("every other host") && !shown.contains("warning"), "{shown}");
    fs::set_permissions(made.join("pcr.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(done(&["show", file.to_str().unwrap()]).contains("warning: every user of this machine can read"));
    let Some(text) = openssl(&made, &["x509", "-in", "secureboot.crt", "-noout", "-text"]) else { return };
    for part in ["Public-Key: (2048 bit)", "Code Signing", "Signature Algorithm: sha256WithRSAEncryption"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    openssl(&made, &["verify", "-CAfile", "secureboot.crt", "-check_ss_sig", "secureboot.crt"]);
    openssl(&made, &["x509", "-in", "secureboot.crt", "-noout", "-checkend", "777600"]);
}

#[test]
fn keys_are_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().to_str().unwrap();
    fs::write(dir.path().join("pcr.key"), "precious").unwrap();
    let error = refused(&["generate", "--output", output]);
    assert!(error.contains("pcr.key exists; keys are never overwritten"), "{error}");
    assert_eq!(fs::read_to_string(dir.path().join("pcr.key")).unwrap(), "precious");
    assert!(!dir.path().join("secureboot.key").exists());
    assert_eq!(keys(&["generate", "--output", output, "--bits", "1024"]).status.code(), Some(2));
}

#[test]
fn public_parts_are_handed_out_and_private_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let (made, out) = (dir.path().join("made"), dir.path().join("out"));
    done(&["generate", "--output", made.to_str().unwrap()]);
    let file = made.join("keys.yaml").display().to_string();
    let said = done(&["export", &file, "--output", out.to_str().unwrap()]);
    assert!(said.contains("option ROMs"), "{said}");
    let mut names: Vec<String> =
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names.join(" "),
        "KEK.auth KEK.esl PK.auth PK.esl db.auth db.esl pcr.pub secureboot.der secureboot.pem"
    );
    assert_eq!(fs::read(out.join("secureboot.pem")).unwrap(), fs::read(made.join("secureboot.crt")).unwrap());
    let private = fs::read_to_string(made.join("secureboot.key")).unwrap();
    let middle = private.lines().nth(5).unwrap();
    for name in &names {
        let bytes = fs::read(out.join(name)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(middle), "{name}");
    }
    let again = refused(&["export", &file, "--output", out.to_str().unwrap()]);
    assert!(again.contains("secureboot.pem"), "{again}");
    let both = dir.path().join("both");
    let said = done(&["export", &file, "--microsoft", "--output", both.to_str().unwrap()]);
    assert!(!said.contains("option ROMs"), "{said}");
    let size = |dir: &Path| fs::metadata(dir.join("db.esl")).unwrap().len();
    assert!(size(&both) > size(&out) + 2000);
    let unknown = refused(&["export", &file, "--set", "x", "--output", both.to_str().unwrap()]);
    assert!(unknown.contains("there is no set `x` of keys; there are: main"), "{unknown}");
    openssl(&out, &["x509", "-inform", "DER", "-in", "secureboot.der", "-noout"]);
    openssl(&out, &["rsa", "-pubin", "-in", "pcr.pub", "-noout"]);
}

#[test]
fn keys_of_openssl_are_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let new = [
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=old", "-keyout", "db.key", "-out",
        "db.pem",
    ];
    if openssl(dir, &new).is_none() {
        return;
    }
    openssl(dir, &["genrsa", "-traditional", "-out", "pcr.old", "2048"]);
    let at = |name: &str| dir.join(name).display().to_string();
    let (key, certificate, pcr) = (at("db.key"), at("db.pem"), at("pcr.old"));
    let import = |pair: [&str; 2], output: &str| {
        let mut arguments = vec!["import", "--key", pair[0], "--certificate", pair[1], "--output", output];
        arguments.extend(["--pcr-key", &pcr]);
        arguments.into_iter().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let wrong = import([&pcr, &certificate], &at("wrong"));
    let wrong = refused(&wrong.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(wrong.contains("the certificate of CN=old is not for the key in"), "{wrong}");
    assert!(!dir.join("wrong").exists());
    let right = import([&key, &certificate], &at("right"));
    done(&right.iter().map(String::as_str).collect::<Vec<_>>());
    let shown = done(&["show", &at("right/keys.yaml")]);
    assert!(shown.contains("CN=old"), "{shown}");
    let public =
        |key: &str| openssl(dir, &["rsa", "-in", key, "-pubout"]).unwrap().replace("writing RSA key\n", "");
    assert_eq!(public("right/pcr.key"), public("pcr.old"));
    assert_eq!(public("right/secureboot.key"), public("db.key"));
}

#[test]
fn certificates_are_asked_for_and_the_doctor_looks_at_them() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    done(&["generate", "--output", made.to_str().unwrap(), "--days", "7"]);
    let signer = format!("pem:{}", made.join("secureboot.key").display());
    let request = done(&["csr", &signer, "--name", "ours"]);
    fs::write(made.join("ours.csr"), request).unwrap();
    let unknown = keys(&["csr", "gpg:x", "--name", "ours"]);
    assert_eq!(unknown.status.code(), Some(2));
    let doctor = |file: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_factory"));
        let data = dir.path().join("data");
        command
            .env_clear()
            .args(["doctor", "--source", "oci:/none", "--data"])
            .arg(data)
            .arg("--keys")
            .arg(file);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let soon = doctor(&made.join("keys.yaml"));
    assert!(soon.contains("missing  the certificate of the keys `main` ends at"), "{soon}");
    fs::remove_file(made.join("pcr.key")).unwrap();
    let broken = doctor(&made.join("keys.yaml"));
    assert!(broken.contains("broken   set `main`: the signer pem:"), "{broken}");
    if let Some(verified) = openssl(&made, &["req", "-in", "ours.csr", "-noout", "-verify", "-subject"]) {
        assert!(
            verified.to_lowercase().contains("verify ok") && verified.contains("CN = ours"),
            "{verified}"
        );
    }
}
