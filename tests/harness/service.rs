//! The real service on the reference release, as boots need it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a service that does not answer has failed the test"
)]

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::http::Answer;
use crate::netns::Netns;
use crate::reference;
use crate::server::{Anything, Factory};
use fs_err as fs;
use tempfile::TempDir;

/// Starts that may lose their port to another process before it counts as a failure.
const ATTEMPTS: u32 = 3;

/// A running factory and the files downloaded from it.
#[derive(Debug)]
pub struct Service {
    factory: Factory,
    files: TempDir,
}

impl Service {
    /// Serves on a free port of the loopback, which guests of QEMU's own network see as 10.0.2.2.
    pub fn loopback() -> Result<Self, Failure> {
        Self::on(&reference::layout()?)
    }

    /// The same with these configuration keys.
    pub fn with(keys: &[(&str, &str)]) -> Result<Self, Failure> {
        Self::serve(&reference::layout()?, keys)
    }

    /// The same on another release.
    pub fn on(layout: &Path) -> Result<Self, Failure> {
        Self::serve(layout, &[])
    }

    fn serve(layout: &Path, keys: &[(&str, &str)]) -> Result<Self, Failure> {
        let mut attempt = 1;
        loop {
            // The port must be known before the start: scripts name it as the guest sees it.
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            let (listen, pxe) = (format!("127.0.0.1:{port}"), format!("http://10.0.2.2:{port}"));
            let own = [("listen", listen.as_str()), ("pxe-url", pxe.as_str())];
            match start(layout, &[&own, keys].concat()) {
                Ok(factory) => return Ok(Self { factory, files: tempfile::tempdir().unwrap() }),
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => panic!("the factory does not start: {error}"),
            }
        }
    }

    /// A factory at the one address that guests of a network name space know.
    pub fn inside(netns: &Netns, keys: &[(&str, &str)]) -> Result<Factory, Failure> {
        let layout = reference::layout()?;
        let listen = format!("{}:80", Netns::HOST);
        let all = [&[("listen", listen.as_str())], keys].concat();
        let started = netns.run(|| start(&layout, &all)).unwrap();
        Ok(started.unwrap_or_else(|error| panic!("the factory does not start: {error}")))
    }

    /// The factory itself.
    #[must_use]
    pub const fn factory(&self) -> &Factory {
        &self.factory
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.factory.address().port()
    }

    /// Creates a schematic, and tells its id.
    #[must_use]
    pub fn create(&self, schematic: &str) -> String {
        id(&self.factory.post_schematic(schematic))
    }

    /// Downloads an image, given as the rest of its path behind `/image/`.
    #[must_use]
    pub fn download(&self, image: &str) -> PathBuf {
        let answer = self.factory.get(&format!("/image/{image}"));
        assert_eq!(answer.status, 200, "{image}: {}", answer.text());
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()), "{image}");
        let path = self.files.path().join(image.replace('/', "-"));
        fs::write(&path, answer.body).unwrap();
        path
    }
}

fn start(layout: &Path, keys: &[(&str, &str)]) -> Result<Factory, Anything> {
    let source = format!("oci:{}", layout.display());
    let trust = reference::trust(layout);
    let mut all = vec![("source", source.as_str()), ("trust", trust.as_str())];
    all.extend_from_slice(keys);
    Factory::start(&all)
}

/// The id in the answer to a new schematic.
#[must_use]
pub fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}
