//! Images that stock `cosign` signs, in Debian's docker-registry.

use std::path::Path;
use std::process::Command;

use fs_err as fs;
use tests::server::Factory;
use tests::{Failure, or_skip, tool};

use crate::site::{VERSION, text};
use crate::upstream::Upstream;

/// The schematic with nothing in it.
const PLAIN: &str = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba";

/// cosign with a key of its own.
struct Cosign(tempfile::TempDir);

impl Cosign {
    fn new() -> Result<Self, Failure> {
        let cosign = Self(tempfile::tempdir().unwrap());
        cosign.run(&["generate-key-pair"])?;
        Ok(cosign)
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, args: &[&str]) -> Result<(), Failure> {
        let program = tool::find("cosign", "cosign")?;
        let output = Command::new(&program)
            .args(args)
            .current_dir(self.dir())
            .env("COSIGN_PASSWORD", "")
            .output()
            .map_err(Failure::io("start", &program))?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(())
        } else {
            Err(Failure::Program { program: "cosign".to_owned(), stderr })
        }
    }

    /// Signs an image, as a tag beside it.
    fn sign(&self, image: &str) -> Result<(), Failure> {
        self.run(&[
            "sign",
            "--key",
            "cosign.key",
            "--tlog-upload=false",
            "--allow-http-registry",
            "-y",
            image,
        ])
    }

    /// Signs an image, as a bundle that refers to it and says `kind`.
    fn attest(&self, image: &str, kind: &str) -> Result<(), Failure> {
        fs::write(self.dir().join("predicate"), "{}").unwrap();
        let what = ["attest", "--key", "cosign.key", "--predicate", "predicate", "--type", kind];
        let how = ["--new-bundle-format", "--tlog-upload=false", "--allow-http-registry", "-y", image];
        self.run(&[&what[..], &how[..]].concat())
    }

    /// A factory that believes this key, asked for the kernel of the release.
    fn ask(&self, upstream: &Upstream) -> (u16, String) {
        let (source, trust) = (upstream.source(), format!("key:{}", text(&self.dir().join("cosign.pub"))));
        let factory = Factory::start(&[("source", &source), ("trust", &trust)]).unwrap();
        assert_eq!(factory.post_schematic("{}").status, 201);
        let answer = factory.get(&format!("/image/{PLAIN}/{VERSION}/kernel-amd64"));
        (answer.status, if answer.status == 200 { String::new() } else { answer.text() })
    }
}

/// The release's image, by digest.
fn imager(upstream: &Upstream) -> Result<String, Failure> {
    let name = format!("{}/siderolabs/imager", upstream.host());
    let image = format!("docker://{name}:{VERSION}");
    let manifest = tool::run("skopeo", "skopeo", ["inspect", "--raw", "--tls-verify=false", &image])?;
    Ok(format!("{name}@{}", schematics::Digest::of(&manifest)))
}

#[test]
fn what_cosign_signs_is_used() {
    let signed = Cosign::new().and_then(|cosign| {
        let upstream = Upstream::start()?;
        let image = imager(&upstream)?;
        let (status, text) = cosign.ask(&upstream);
        assert_eq!(status, 502, "{text}");
        assert!(text.contains("a key the policy does not know"), "{text}");
        // Another signature is there already; cosign adds its own to it.
        cosign.sign(&image)?;
        assert_eq!(cosign.ask(&upstream), (200, String::new()));
        Ok(())
    });
    or_skip(signed);
}

#[test]
fn bundles_that_cosign_attaches_are_used() {
    let signed = Cosign::new().and_then(|cosign| {
        let upstream = Upstream::start()?;
        let image = imager(&upstream)?;
        cosign.attest(&image, "https://spdx.dev/Document")?;
        let (status, text) = cosign.ask(&upstream);
        assert_eq!(status, 502, "{text}");
        cosign.attest(&image, "https://sigstore.dev/cosign/sign/v1")?;
        assert_eq!(cosign.ask(&upstream), (200, String::new()));
        // Somebody else's key is not this one.
        assert_eq!(Cosign::new()?.ask(&upstream).0, 502);
        Ok(())
    });
    or_skip(signed);
}
