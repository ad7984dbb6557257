//! A factory with a schematic, and the tools that judge what it serves.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use fs_err as fs;
use tempfile::TempDir;
use tests::http::Answer;
use tests::server::Factory;
use tests::tool::run;
use tests::{Failure, or_skip};

/// A schematic with everything that TinyRelease's extensions, and the schematic itself, add.
pub(crate) const FULL: &str = "customization:\n  extraKernelArgs: [quiet, -consoleblank]\n  meta:\n  - {key: 10, value: network}\n  systemExtensions:\n    officialExtensions:\n    - siderolabs/gvisor\n    - siderolabs/amd-ucode\n    - siderolabs/nvidia-open-gpu-kernel-modules\n";
/// The address of a factory is in its images, and the port of a test changes.
pub(crate) const FIXED_URL: (&str, &str) = ("external-url", "http://factory.example");

/// A factory over the pretend release, one of its schematics, and a directory for what is downloaded.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) factory: Factory,
    pub(crate) id: String,
    pub(crate) dir: TempDir,
}

impl Site {
    /// A factory and this schematic.
    pub(crate) fn new(schematic: &str) -> Self {
        Self::of(Factory::with_release(&[FIXED_URL]).unwrap(), schematic)
    }

    /// This schematic in a factory.
    pub(crate) fn of(factory: Factory, schematic: &str) -> Self {
        let id = create(&factory, schematic);
        Self { factory, id, dir: tempfile::tempdir().unwrap() }
    }

    /// The path of an asset, such as `v1.13.0/kernel-amd64`.
    pub(crate) fn path(&self, asset: &str) -> String {
        format!("/image/{}/{asset}", self.id)
    }

    /// The answer to GET.
    pub(crate) fn get(&self, asset: &str) -> Answer {
        self.factory.get(&self.path(asset))
    }

    /// The bytes of an asset that has to be there.
    #[track_caller]
    pub(crate) fn bytes(&self, asset: &str) -> Vec<u8> {
        let answer = self.get(asset);
        assert_eq!(answer.status, 200, "{asset}: {}", answer.text());
        let length = answer.header("content-length").map(str::to_owned);
        assert_eq!(length, Some(answer.body.len().to_string()), "{asset}");
        answer.body
    }

    /// An asset as a file.
    #[track_caller]
    pub(crate) fn download(&self, asset: &str) -> PathBuf {
        self.save(&asset.replace('/', "-"), &self.bytes(asset))
    }

    /// Bytes as a file.
    pub(crate) fn save(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// Registers a schematic and tells its id.
#[track_caller]
pub(crate) fn create(factory: &Factory, schematic: &str) -> String {
    let answer = factory.post_schematic(schematic);
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// What a tool printed, which has to succeed; `None`, and a word about it, when it is not here.
#[track_caller]
pub(crate) fn judge(program: &str, package: &str, arguments: &[&dyn AsRef<OsStr>]) -> Option<Vec<u8>> {
    let arguments: Vec<&OsStr> = arguments.iter().map(|argument| (*argument).as_ref()).collect();
    or_skip(run(program, package, arguments))
}

/// The same as text.
#[track_caller]
pub(crate) fn report(program: &str, package: &str, arguments: &[&dyn AsRef<OsStr>]) -> Option<String> {
    judge(program, package, arguments).map(|output| String::from_utf8_lossy(&output).into_owned())
}

/// Whether a tool refuses its input; `None` when it is not here.
pub(crate) fn refuses(program: &str, package: &str, arguments: &[&dyn AsRef<OsStr>]) -> Option<bool> {
    let arguments: Vec<&OsStr> = arguments.iter().map(|argument| (*argument).as_ref()).collect();
    match run(program, package, arguments) {
        Err(Failure::Program { .. }) => Some(true),
        other => or_skip(other).map(|_| false),
    }
}

/// Every file below a directory by its path in it, sorted, with its bytes.
pub(crate) fn files_below(root: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut files, mut below) = (Vec::new(), vec![root.to_owned()]);
    while let Some(next) = below.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_symlink() {
                continue;
            } else if path.is_dir() {
                below.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                files.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}
