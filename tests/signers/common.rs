//! What the tests of all places share.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use factory::signers::{self, Access, Environment, OpenSignerError, Patience};
use serde_json::Value;
use signing::{HashAlgorithm, RsaKey, SignError, Signer};
use tests::{Failure, or_skip, tool};

/// A server that ends with the test.
pub(crate) struct Server {
    process: Child,
    _until: ChildStdin,
    pub(crate) facts: Value,
}

impl Server {
    /// Starts a program that prints one line of JSON when it is ready, and ends when its standard input does.
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let facts =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("{program:?} is not ready: {line}"));
        Self { _until: process.stdin.take().unwrap(), process, facts }
    }

    /// One of the Python servers beside the tests.
    pub(crate) fn python(script: &str, arguments: &[&str]) -> Option<Self> {
        let python = own("signers/bin/python")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("signers/servers").join(script);
        let arguments: Vec<&str> =
            std::iter::once(script.to_str().unwrap()).chain(arguments.iter().copied()).collect();
        Some(Self::start(&python, &arguments))
    }

    pub(crate) fn fact(&self, pointer: &str) -> &str {
        self.facts.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}"))
    }

    pub(crate) fn address(&self) -> &str {
        self.fact("/address")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A tool that no package brings, or nothing and a line that says so.
pub(crate) fn own(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools").join(name);
    let missing =
        || Failure::Missing { what: path.display().to_string(), hint: "make setup-test".to_owned() };
    or_skip(path.is_file().then(|| path.clone()).ok_or_else(missing))
}

/// A tool that a package brings, or nothing and a line that says so.
pub(crate) fn file(path: &str, package: &str) -> Option<PathBuf> {
    let found: Result<PathBuf, Failure> = tool::file(path, package);
    or_skip(found)
}

/// These variables and no others, and little patience.
pub(crate) fn access(variables: &[(&str, &str)]) -> Access {
    let patience = Patience {
        attempt: Duration::from_secs(2),
        attempts: 3,
        pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(200),
    };
    Access { environment: Environment::of(variables), patience }
}

pub(crate) async fn open(spec: &str, access: &Access) -> Result<Arc<dyn Signer>, OpenSignerError> {
    signers::open(&spec.parse().unwrap(), access).await
}

/// The whole text of an error, causes and all.
pub(crate) fn text(error: &dyn std::error::Error) -> String {
    factory::log::chain(error)
}

/// Why a signer does not open.
pub(crate) async fn refusal(spec: &str, access: &Access) -> String {
    match open(spec, access).await {
        Ok(_) => panic!("{spec} opens"),
        Err(error) => text(&error),
    }
}

/// Signs with every hash function; `sign` checks each signature with the public key the place gave.
pub(crate) async fn signs(signer: &dyn Signer) {
    for algorithm in HashAlgorithm::ALL {
        let digest = algorithm.hash(b"a message that never leaves");
        let first =
            signing::signer::sign(signer, &digest).await.unwrap_or_else(|error| panic!("{}", text(&error)));
        let again = signing::signer::sign(signer, &digest).await.unwrap();
        assert_eq!(first, again, "{algorithm}");
    }
}

pub(crate) async fn sign(signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    signing::signer::sign(signer, &HashAlgorithm::Sha256.hash(b"abc")).await
}

/// A signature over what [`sign`] signs, with some other key.
pub(crate) async fn foreign_signature() -> Vec<u8> {
    let key = RsaKey::generate(2048).unwrap();
    key.sign(&HashAlgorithm::Sha256.hash(b"abc")).await.unwrap()
}
