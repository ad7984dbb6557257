//! Real clients as judges of our HTTP: what resumes, what reads at random, and what talks HTTP/2.

use std::ffi::OsStr;
use std::path::Path;

use schematics::Arch;
use tests::release::kernel;
use tests::server::Factory;
use tests::tool::run;
use tests::{Failure, or_skip};

const VANILLA: &str = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba";

/// A factory, and the URL of a kernel it serves.
fn factory() -> (Factory, String) {
    let factory = Factory::with_release(&[]).unwrap();
    assert_eq!(factory.post_schematic("{}").status, 201);
    let url = format!("{}/image/{VANILLA}/v1.13.0/kernel-amd64", factory.url());
    (factory, url)
}

fn judge(program: &str, package: &str, arguments: &[&dyn AsRef<OsStr>]) -> Result<String, Failure> {
    let arguments: Vec<&OsStr> = arguments.iter().map(|argument| (*argument).as_ref()).collect();
    run(program, package, arguments).map(|output| String::from_utf8_lossy(&output).into_owned())
}

fn half_of_the_kernel(dir: &Path) -> std::path::PathBuf {
    let file = dir.join("kernel-amd64");
    let begin: Vec<u8> = kernel(Arch::Amd64).into_iter().take(12_345).collect();
    fs_err::write(&file, begin).unwrap();
    file
}

#[test]
fn curl_resumes_a_download() {
    let (_factory, url) = factory();
    let dir = tempfile::tempdir().unwrap();
    let file = half_of_the_kernel(dir.path());
    let resumed = judge("curl", "curl", &[&"-sSf", &"-C", &"-", &"-o", &file, &url]);
    if or_skip(resumed).is_some() {
        assert!(fs_err::read(file).unwrap() == kernel(Arch::Amd64));
    }
}

#[test]
fn wget_resumes_a_download() {
    let (_factory, url) = factory();
    let dir = tempfile::tempdir().unwrap();
    let file = half_of_the_kernel(dir.path());
    let resumed = judge("wget", "wget", &[&"-q", &"-c", &"-O", &file, &url]);
    if or_skip(resumed).is_some() {
        assert!(fs_err::read(file).unwrap() == kernel(Arch::Amd64));
    }
}

#[test]
fn curl_speaks_http_2_without_a_handshake() {
    let (_factory, url) = factory();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kernel");
    let format = "%{http_version} %{response_code}";
    let told =
        judge("curl", "curl", &[&"-sSf", &"--http2-prior-knowledge", &"-w", &format, &"-o", &file, &url]);
    if let Some(told) = or_skip(told) {
        assert_eq!(told, "2 200");
        assert!(fs_err::read(file).unwrap() == kernel(Arch::Amd64));
    }
}

#[test]
fn qemu_reads_an_image_over_http() {
    let (_factory, url) = factory();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("copy.raw");
    let copied = judge("qemu-img", "qemu-utils", &[&"convert", &"-f", &"raw", &"-O", &"raw", &url, &file]);
    if or_skip(copied).is_some() {
        let (copy, original) = (fs_err::read(file).unwrap(), kernel(Arch::Amd64));
        // QEMU rounds a disk up to whole sectors.
        let (begin, padding) = copy.split_at(original.len());
        assert!(begin == original && padding.iter().all(|byte| *byte == 0) && padding.len() < 512);
    }
}
