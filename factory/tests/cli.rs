//! The program from outside: its arguments, its output, its exit code.

#![expect(clippy::unwrap_used, reason = "in a test, what is not there is a failure")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const VANILLA: &str = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba\n";

fn factory(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_factory"));
    // A test says everything itself.
    command.env_clear().args(arguments);
    command
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut command = factory(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn empty_layout(dir: &Path) -> String {
    fs_err::create_dir_all(dir.join("blobs/sha256")).unwrap();
    fs_err::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs_err::write(dir.join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    format!("oci:{}", dir.display())
}

#[test]
fn id_prints_just_the_id() {
    for (arguments, input) in [(&["id"][..], "{}"), (&["id", "-"], "customization:\n"), (&["id"], "")] {
        let output = run(arguments, input);
        if input.is_empty() {
            assert_eq!(output.status.code(), Some(1));
            assert_eq!(text(&output.stdout), "");
            assert!(text(&output.stderr).starts_with("error: "), "{}", text(&output.stderr));
        } else {
            assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), VANILLA.to_owned()));
            assert_eq!(text(&output.stderr), "");
        }
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), "customization: {}").unwrap();
    assert_eq!(text(&run(&["id", file.path().to_str().unwrap()], "").stdout), VANILLA);
}

#[test]
fn bad_input_is_told_on_standard_error() {
    let wrong = run(&["id"], "something:");
    assert_eq!((wrong.status.code(), text(&wrong.stdout)), (Some(1), String::new()));
    assert_eq!(
        text(&wrong.stderr),
        "error: yaml: construct errors: line 1: field something not found in type schematic.Schematic\n"
    );
    let missing = run(&["id", "/no/such/file"], "");
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("/no/such/file"), "{}", text(&missing.stderr));
}

#[test]
fn all_problems_of_a_configuration_are_reported() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), "listn: x\nlisten: nowhere\n").unwrap();
    let path = file.path().to_str().unwrap();
    let output = factory(&["check-config", "--config", path, "--body-limit", "0"])
        .env("FACTORY_RECHECK_INTERVAL", "often")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(errors.starts_with("error: the configuration has 4 problems:\n"), "{errors}");
    for part in
        ["`listn` from", "`listen` from", "`body-limit` from --body-limit", "FACTORY_RECHECK_INTERVAL"]
    {
        assert!(errors.contains(part), "{part} is not in {errors}");
    }
    let fine = run(&["check-config"], "");
    assert_eq!(
        (fine.status.code(), text(&fine.stdout)),
        (Some(0), "the configuration is valid\n".to_owned())
    );
}

#[test]
fn the_configuration_in_force_is_shown() {
    let shown =
        factory(&["show-config", "--max-builds", "3"]).env("FACTORY_LISTEN", "127.0.0.1:1").output().unwrap();
    let shown = text(&shown.stdout);
    assert!(shown.contains("listen: \"127.0.0.1:1\" # from FACTORY_LISTEN\n"), "{shown}");
    assert!(shown.contains("max-builds: \"3\" # from --max-builds\n"), "{shown}");
}

#[test]
fn shells_learn_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&run(&["completions", shell], "").stdout);
        assert!(script.contains("check-config") && script.contains("external-url"), "{shell}");
    }
    assert_eq!(run(&["completions", "none"], "").status.code(), Some(2));
}

#[test]
fn the_doctor_says_what_is_missing_and_how_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let source = empty_layout(&dir.path().join("source"));
    let data = dir.path().join("data").display().to_string();
    let well = run(
        &["doctor", "--data", &data, "--source", &source, "--external-url", "https://factory.example"],
        "",
    );
    let report = text(&well.stdout);
    assert_eq!(well.status.code(), Some(0), "{report}");
    assert!(report.contains("ok       the data directory"), "{report}");
    assert!(report.contains("clients are sent to https://factory.example"), "{report}");
    let ill = run(&["doctor", "--data", "/proc/none", "--source", "oci:/no/such"], "");
    let report = text(&ill.stdout);
    assert_eq!(ill.status.code(), Some(1), "{report}");
    assert!(report.contains("broken   cannot use /proc/none for data"), "{report}");
    assert!(report.contains("broken   /no/such is no OCI layout"), "{report}");
    assert!(report.contains("set `external-url`"), "{report}");
}

/// A server that is killed when a test fails.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn serving_begins_with_a_ready_line_and_ends_with_a_signal() {
    let dir = tempfile::tempdir().unwrap();
    let source = empty_layout(&dir.path().join("source"));
    let data = dir.path().join("data").display().to_string();
    let arguments =
        ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off", "--data", &data, "--source", &source];
    let mut serving =
        Serving(factory(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut ready = String::new();
    BufReader::new(serving.0.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let address = ready.strip_prefix("factory is ready on http://").and_then(|rest| rest.split(' ').next());
    let address = address.unwrap_or_else(|| panic!("no address in {ready:?}"));

    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

    let second = factory(&arguments).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("is in use by another factory"), "{}", text(&second.stderr));

    let pid = serving.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(serving.0.wait().unwrap().code(), Some(0));
}

#[test]
fn verify_says_what_was_checked_and_fails_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let keys = |name: &str| {
        let made = run(&["keys", "generate", "--kind", "signing", "--output", &path(name)], "");
        assert!(made.status.success(), "{}", text(&made.stderr));
        let private = fs_err::read_to_string(dir.path().join(name).join("signing.key")).unwrap();
        (signing::SigningKey::from_pem(&private).unwrap(), format!("{}/signing.pub", path(name)))
    };
    let ((key, public), (_, other)) = (keys("own"), keys("other"));
    let bytes = b"an image";
    let digest = schematics::Digest::of(bytes);
    let bundle = signing::bundle::Bundle::of_file(key.public_key(), digest, key.sign(bytes).unwrap());
    fs_err::write(path("file"), bytes).unwrap();
    fs_err::write(path("elsewhere"), bundle.encode().unwrap()).unwrap();
    fs_err::write(path("file.sha256"), format!("{}  file\n", digest.hex())).unwrap();

    let verify = |public: &str, more: &[&str]| {
        let file = path("file");
        run(&[&["verify", "--key", public, &file], more].concat(), "")
    };
    let (elsewhere, none) = (path("elsewhere"), path("none"));
    let good = verify(&public, &["--bundle", &elsewhere]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    for part in [digest.to_string(), "checksum".to_owned(), format!("by key {}", key.id())] {
        assert!(text(&good.stdout).contains(&part), "{part}: {}", text(&good.stdout));
    }
    for (public, more, reason) in [
        (&public, &[][..], "there is no signature of"),
        (&other, &["--bundle", elsewhere.as_str()], "does not fit the file"),
        (&public, &["--bundle", none.as_str()], "cannot read"),
        (&none, &["--bundle", elsewhere.as_str()], "none"),
    ] {
        let bad = verify(public, more);
        assert_eq!((bad.status.code(), text(&bad.stdout).as_str()), (Some(1), ""));
        assert!(text(&bad.stderr).contains(reason), "{}", text(&bad.stderr));
    }
}
