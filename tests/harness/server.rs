//! A real factory in this process, on a loopback port.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use extensions::LayoutWriter;
use factory::config;
use factory::start::Server;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::http::{self, Answer};
use crate::release;
use crate::tool::GRUB_MODULES;

/// The parts of a factory's directory.
const SOURCE: &str = "source";
const DATA: &str = "data";

/// A running factory with a data directory of its own; it stops on drop.
#[derive(Debug)]
pub struct Factory {
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    data: Option<TempDir>,
    data_dir: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
    runtime: Runtime,
}

/// Any error of a harness.
pub type Anything = Box<dyn std::error::Error + Send + Sync>;

impl Factory {
    /// Starts a factory with these configuration keys over those of a test: free loopback ports, an own data directory,
    /// trust in who signs the pretend release, and a source with nothing in it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(keys: &[(&str, &str)]) -> Result<Self, Anything> {
        let dir = tempfile::tempdir()?;
        LayoutWriter::open(dir.path().join(SOURCE))?;
        Self::start_on(dir, keys)
    }

    /// The same with the pretend release as its source.
    ///
    /// # Errors
    /// When it does not start.
    pub fn with_release(keys: &[(&str, &str)]) -> Result<Self, Anything> {
        let dir = tempfile::tempdir()?;
        release::lay_down(&dir.path().join(SOURCE))?;
        Self::start_on(dir, keys)
    }

    /// The layout directory of the source below the directory of a factory, given or handed over.
    #[must_use]
    pub fn source_in(dir: &TempDir) -> PathBuf {
        dir.path().join(SOURCE)
    }

    /// Starts a factory on the data and the source of an earlier one.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_on(data: TempDir, keys: &[(&str, &str)]) -> Result<Self, Anything> {
        let dir = data.path().join(DATA).display().to_string();
        let source = format!("oci:{}", data.path().join(SOURCE).display());
        let trust = format!("key:{}", release::public_key()?.display());
        let mut all =
            vec![("listen", "127.0.0.1:0"), ("metrics-listen", "127.0.0.1:0"), ("data", dir.as_str())];
        all.extend([("source", source.as_str()), ("grub-modules", GRUB_MODULES), ("trust", &trust)]);
        all.extend_from_slice(keys);
        let config = config::of(&all)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let server = runtime.block_on(Server::prepare(config))?;
        let (address, metrics) = (server.address(), server.metrics_address());
        let (stop, stopped) = oneshot::channel();
        let serving = runtime.spawn(server.run(async move {
            // A dropped sender means the same as a message.
            drop(stopped.await);
        }));
        let data_dir = data.path().join(DATA);
        Ok(Self {
            address,
            metrics,
            data: Some(data),
            data_dir,
            stop: Some(stop),
            serving: Some(serving),
            runtime,
        })
    }

    /// Where it serves.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its external URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data_dir
    }

    /// Sends a request.
    ///
    /// # Panics
    /// When the factory does not answer: that is a failed test.
    #[must_use]
    #[expect(clippy::panic, reason = "a server that does not answer has failed the test")]
    pub fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let request = http::request(method, target, headers, body);
        http::exchange(self.address, &request).unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    /// GET without headers.
    #[must_use]
    pub fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], b"")
    }

    /// GET with headers.
    #[must_use]
    pub fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", target, headers, b"")
    }

    /// HEAD without headers.
    #[must_use]
    pub fn head(&self, target: &str) -> Answer {
        self.send("HEAD", target, &[], b"")
    }

    /// Creates a schematic.
    #[must_use]
    pub fn post_schematic(&self, text: &str) -> Answer {
        self.send("POST", "/schematics", &[], text.as_bytes())
    }

    /// What it says to Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let request = http::request("GET", "/metrics", &[], b"");
        self.metrics
            .and_then(|address| http::exchange(address, &request).ok())
            .map(|a| a.text())
            .unwrap_or_default()
    }

    /// Tells it to stop, without waiting.
    pub fn begin_to_stop(&mut self) {
        self.stop.take();
    }

    /// Stops it, and hands over its data.
    pub fn stop(mut self) -> Option<TempDir> {
        self.finish();
        self.data.take()
    }

    fn finish(&mut self) {
        self.stop.take();
        if let Some(serving) = self.serving.take() {
            // A panic in it was printed already.
            drop(self.runtime.block_on(serving));
        }
    }
}

impl Drop for Factory {
    fn drop(&mut self) {
        self.finish();
    }
}
