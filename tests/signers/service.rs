//! A factory whose signer fails: what its clients are told, and that nothing is kept that is signed in part.

use fs_err as fs;
use tests::server::Factory;
use tests::{or_skip, tool};

use crate::common::Server;

const UKI: &str = "v1.13.0/metal-amd64-secureboot-uki.efi";

/// How many images a factory remembers.
fn remembered(factory: &Factory) -> usize {
    let mut below = vec![factory.data().join("images")];
    let mut files = 0;
    while let Some(next) = below.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { below.push(path) } else { files += 1 }
        }
    }
    files
}

#[test]
fn a_throttled_signer_is_told_of_and_the_next_try_is_signed_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (socket, file) = (dir.path().join("signer.sock"), dir.path().join("keys.yaml"));
    // More refusals than one image's signature is tried for.
    let Some(server) = Server::python("signerd.py", &[socket.to_str().unwrap(), "5"]) else { return };
    let signer = format!("signerd://{}", socket.display());
    let keys = format!(
        "sets: [{{name: main, secureboot: {{signer: \"{signer}\"}}, pcr: {{signer: \"{signer}\"}}}}]"
    );
    fs::write(&file, keys).unwrap();
    let factory = Factory::with_release(&[("keys", file.to_str().unwrap())]).unwrap();
    let create = |body: &str| factory.post_schematic(body).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/image/{}/{UKI}", create("{}"));

    let busy = factory.get(&path);
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("10")), "{}", busy.text());
    assert!(!busy.text().contains(socket.to_str().unwrap()), "{}", busy.text());
    assert_eq!(remembered(&factory), 0);
    let whole = factory.get(&path);
    assert_eq!((whole.status, remembered(&factory)), (200, 1));
    let (image, certificate) = (dir.path().join("uki.efi"), dir.path().join("crt.pem"));
    fs::write(&image, &whole.body).unwrap();
    fs::write(&certificate, factory.get("/secureboot/signing-cert.pem").body).unwrap();
    let arguments = ["--cert", certificate.to_str().unwrap(), image.to_str().unwrap()];
    drop(or_skip(tool::run("sbverify", "sbsigntool", arguments)));

    // Without a signer what is signed already is served, and nothing new is made.
    drop(server);
    assert_eq!(factory.get(&path).status, 200);
    let other = factory.get(&format!("/image/{}/{UKI}", create("customization: {extraKernelArgs: [a]}")));
    assert_eq!(other.status, 502, "{}", other.text());
    assert_eq!(remembered(&factory), 1);
}
