//! The service on the reference release, with a schematic.

use std::path::Path;

use schematics::{Arch, Digest};
use tempfile::TempDir;
use tests::keys::SigningKeyFiles;
use tests::server::Factory;
use tests::{Failure, reference};

/// The version that is pulled.
pub(crate) const VERSION: &str = "v1.13.0";
/// A plain extension, so that the initramfs is not the release's own. The arguments keep emulated machines on the right path.
pub(crate) const SCHEMATIC: &str = "customization:\n  extraKernelArgs: [no_timer_check, panic=-1]\n  systemExtensions: {officialExtensions: [siderolabs/hello]}\n";

/// A factory, and the id of a schematic in it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) factory: Factory,
    pub(crate) id: String,
    pub(crate) dir: TempDir,
}

impl Site {
    /// A factory on the layout of the reference release.
    pub(crate) fn new() -> Result<Self, Failure> {
        Self::on(&format!("oci:{}", reference::layout()?.display()))
    }

    /// A factory on another source of the reference release.
    pub(crate) fn on(source: &str) -> Result<Self, Failure> {
        Self::with(source, &[])
    }

    /// A factory on the layout of the reference release that signs with this key.
    pub(crate) fn signing(key: &SigningKeyFiles) -> Result<Self, Failure> {
        let source = format!("oci:{}", reference::layout()?.display());
        Self::with(&source, &[("signing-key", &text(&key.private()))])
    }

    fn with(source: &str, others: &[(&str, &str)]) -> Result<Self, Failure> {
        let trust = reference::trust(&reference::layout()?);
        // Nothing in the images may depend on the port.
        let own = [("source", source), ("external-url", "http://factory.example"), ("trust", trust.as_str())];
        let keys = [&own[..], others].concat();
        let factory = Factory::start(&keys).unwrap();
        let id = create(&factory, SCHEMATIC);
        Ok(Self { factory, id, dir: tempfile::tempdir().unwrap() })
    }

    /// The host clients connect to.
    pub(crate) fn host(&self) -> String {
        self.factory.address().to_string()
    }

    /// The repository of the schematic's installers, without the host.
    pub(crate) fn repository(&self) -> String {
        format!("installer/{}", self.id)
    }

    /// The digest of a manifest or index.
    pub(crate) fn digest(&self, repository: &str, reference: &str) -> String {
        let answer = self.factory.head(&format!("/v2/{repository}/manifests/{reference}"));
        assert_eq!(answer.status, 200, "{repository} {reference}");
        answer.header("docker-content-digest").unwrap().to_owned()
    }

    /// A manifest, index or configuration.
    pub(crate) fn json(&self, repository: &str, kind: &str, reference: &str) -> serde_json::Value {
        let answer = self.factory.get(&format!("/v2/{repository}/{kind}/{reference}"));
        assert_eq!(answer.status, 200, "{repository} {reference}: {}", answer.text());
        answer.json()
    }

    /// The digest of the unified kernel image, as a download.
    pub(crate) fn uki(&self, arch: Arch) -> Digest {
        Digest::of(&self.download(&format!("metal-{arch}-uki.efi")))
    }

    /// An asset.
    pub(crate) fn download(&self, asset: &str) -> Vec<u8> {
        let answer = self.factory.get(&format!("/image/{}/{VERSION}/{asset}", self.id));
        assert_eq!(answer.status, 200, "{asset}: {}", answer.text());
        answer.body
    }

    /// A directory for what a client does.
    pub(crate) fn place(&self, name: &str) -> std::path::PathBuf {
        let path = self.dir.path().join(name);
        fs_err::create_dir_all(&path).unwrap();
        path
    }
}

/// Registers a schematic and tells its id.
pub(crate) fn create(factory: &Factory, schematic: &str) -> String {
    let answer = factory.post_schematic(schematic);
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// A path as text.
pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}
