//! Images and servers for the tests of this crate.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use builder::store::MemoryStore;
use builder::{BlobStore, VirtualImage};
use schematics::Arch;
use serde_json::Map;

use crate::publish::{ContainerImage, LayoutWriter, Publication, Publisher as _};
use crate::reference::{ImageRef, Repository};

pub(crate) fn store() -> Arc<dyn BlobStore> {
    Arc::new(MemoryStore::default())
}

pub(crate) fn repository(text: &str) -> Repository {
    text.parse().unwrap()
}

/// An uncompressed tar archive of files with mode 0644.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

/// A container image whose layers have these files.
pub(crate) async fn image(
    arch: Arch,
    layers: &[&[(&str, &[u8])]],
    store: &Arc<dyn BlobStore>,
) -> Publication {
    let layers = layers.iter().map(|files| VirtualImage::from_bytes(tar(files))).collect();
    Publication::container(ContainerImage { arch, layers, runtime: Map::new() }, store).await.unwrap()
}

/// Puts an image into a layout directory and tells its digest.
pub(crate) async fn publish(
    dir: &Path,
    name: &str,
    image: &Publication,
    store: &Arc<dyn BlobStore>,
) -> ImageRef {
    let (name, tag) = name.split_once(':').unwrap();
    let repository = repository(name);
    let digest = LayoutWriter::open(dir).unwrap().publish(&repository, tag, image, store).await.unwrap();
    ImageRef { repository, digest }
}

/// Runs a tool that has to be there and to succeed; tells what it printed.
pub(crate) fn run(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{tool} is needed for this test: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?} failed: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The `docker-registry` of the distribution project on a free port, stopped when dropped.
pub(crate) struct Registry {
    child: Child,
    pub(crate) host: String,
    _dir: tempfile::TempDir,
}

impl Registry {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let config = dir.path().join("registry.yml");
        let root = dir.path().join("data");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{host}'}}\n\
             storage: {{filesystem: {{rootdirectory: '{}'}}, delete: {{enabled: true}}}}\n",
            root.display()
        );
        fs_err::write(&config, text).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is needed for this test");
        let registry = Self { child, host, _dir: dir };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(&registry.host).await.is_ok() {
                return registry;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("docker-registry did not start");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
