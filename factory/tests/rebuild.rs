//! `factory rebuild` from outside: what a running factory made is made again by another process.

#![expect(clippy::unwrap_used, reason = "in a test, what is not there is a failure")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The schematic of plain Talos.
const VANILLA: &str = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba";

fn factory(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_factory"));
    command.env_clear().args(arguments);
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = factory(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// A server that is killed when the test ends.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A signed release that is no more than kernels: its name as a source, and whom to trust.
fn release(dir: &Path) -> (String, String) {
    let keys = dir.join("keys").display().to_string();
    let (code, _, errors) = run(&["keys", "generate", "--kind", "signing", "--output", &keys]);
    assert_eq!(code, Some(0), "{errors}");
    let source = format!("oci:{}", dir.join("source").display());
    let (private, public) = (format!("{keys}/signing.key"), format!("key:{keys}/signing.pub"));
    let fixed = ["release", "v1.3.7", "--output", &source, "--sign-key", &private];
    let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
    for arch in ["amd64", "arm64"] {
        let artifacts = dir.join(arch);
        fs_err::create_dir_all(&artifacts).unwrap();
        fs_err::write(artifacts.join("vmlinuz"), format!("vmlinuz for {arch}")).unwrap();
        fs_err::write(artifacts.join("initramfs.xz"), b"\xfd7zXZ\0").unwrap();
        arguments.extend(["--artifacts".to_owned(), format!("{arch}={}", artifacts.display())]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (code, _, errors) = run(&arguments);
    assert_eq!(code, Some(0), "{errors}");
    (source, public)
}

/// Serves a source and tells the URL.
fn serve(dir: &Path, (source, trust): (&str, &str)) -> (Serving, String) {
    let data = dir.join("data").display().to_string();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off", "--data", &data];
    let arguments = [&arguments[..], &["--source", source, "--trust", trust]].concat();
    let mut serving =
        Serving(factory(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut ready = String::new();
    BufReader::new(serving.0.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let url = ready.split(' ').find(|word| word.starts_with("http://")).unwrap().to_owned();
    (serving, url)
}

fn exchange(url: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn register(url: &str) {
    let request = "POST /schematics HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    let answer = exchange(url, request);
    assert!(answer.contains(VANILLA), "{answer}");
}

fn download(url: &str, file: &str) -> String {
    let path = format!("/image/{VANILLA}/v1.3.7/{file}");
    let answer = exchange(url, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn an_asset_of_a_running_factory_is_made_again_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    let (source, trust) = release(dir.path());
    let (_serving, url) = serve(dir.path(), (&source, &trust));
    register(&url);
    let asset = [VANILLA, "v1.3.7", "kernel-amd64"];
    let rebuild = |arguments: &[&str]| {
        let fixed = ["rebuild", "--source", &source, "--trust", &trust, "--metrics-listen", "off"];
        run(&[&fixed[..], arguments, &asset].concat())
    };
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs_err::write(&path, text).unwrap();
        path.display().to_string()
    };

    let (code, told, errors) = rebuild(&["--verify", "--from", &url]);
    assert_eq!(code, Some(0), "{told}{errors}");
    assert!(told.contains("pinned    siderolabs/imager:v1.3.7@sha256:"), "{told}");
    assert!(told.ends_with("\nidentical\n"), "{told}");

    let lock = download(&url, "kernel-amd64.lock.json");
    let lock_file = file("lock.json", &lock);
    let out = dir.path().join("kernel").display().to_string();
    for name in ["kernel-amd64.sha256", "kernel-amd64.provenance.json"] {
        let expected = file(name, &download(&url, name));
        let (code, told, errors) =
            rebuild(&["--verify", "--lock", &lock_file, "--expected", &expected, "--output", &out]);
        assert_eq!(code, Some(0), "{told}{errors}");
    }
    assert_eq!(fs_err::read_to_string(&out).unwrap(), "vmlinuz for amd64");

    let zeros = "0".repeat(64);
    let (code, told, _) = rebuild(&["--verify", "--lock", &lock_file, "--expected", &zeros]);
    assert_eq!(code, Some(1));
    assert!(told.ends_with("\nNOT identical\n"), "{told}");

    let at = lock.find("\"digest\": \"sha256:").unwrap() + "\"digest\": \"sha256:".len();
    let tampered = file("tampered.json", &format!("{}{}{}", &lock[..at], "0".repeat(64), &lock[at + 64..]));
    let (code, _, errors) = rebuild(&["--verify", "--lock", &tampered, "--from", &url]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("is wanted"), "{errors}");

    for (arguments, reason) in [
        (&["--verify", "--lock", &lock_file][..], "nothing to compare with"),
        (&["--verify"], "--lock <FILE>"),
        (&["--lock", "/no/such/lock"], "/no/such/lock"),
    ] {
        let (code, told, errors) = rebuild(arguments);
        assert_ne!(code, Some(0), "{told}");
        assert!(errors.contains(reason), "{errors}");
    }
}
