//! Other people's tools, which judge what we write in tests.

use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use schematics::Digest;

use crate::image::{Source, VirtualImage};
use crate::store::{Blob, BlobStore, BlobStoreExt as _, MemoryStore};

/// Runs a tool with `input` on its standard input. `None`, and a line that says so, when it is not installed.
pub(crate) fn run(program: &str, args: &[&str], dir: &Path, input: &[u8]) -> Option<Output> {
    let started = Command::new(program)
        .args(args)
        .current_dir(dir)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("skipped: `{program}` is not installed");
            return None;
        }
        Err(error) => panic!("cannot start {program}: {error}"),
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A tool that has seen enough closes its input; that is its verdict, not a fault.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Some(output)
}

/// As [`run`], for tools that must succeed; gives what they printed.
pub(crate) fn passes(program: &str, args: &[&str], dir: &Path, input: &[u8]) -> Option<Vec<u8>> {
    let output = run(program, args, dir, input)?;
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// As [`passes`], for tools that read files; gives everything they printed.
pub(crate) fn reports(program: &str, args: &[&str]) -> Option<String> {
    let output = run(program, args, Path::new("/"), &[])?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {text}");
    Some(text)
}

/// Blobs in memory, to lay out and to read.
#[derive(Debug, Clone)]
pub(crate) struct Blobs(pub(crate) Arc<dyn BlobStore>);

impl Default for Blobs {
    fn default() -> Self {
        Self(Arc::new(MemoryStore::default()))
    }
}

impl Blobs {
    /// Stores `bytes`; the image of them is one blob extent.
    pub(crate) fn put(&self, bytes: impl Into<bytes::Bytes>) -> VirtualImage {
        let bytes = bytes.into();
        let blob = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64 };
        assert_eq!(block_on(self.0.put(bytes)).unwrap(), blob);
        VirtualImage::from_blob(blob)
    }

    /// All bytes of `image`.
    pub(crate) fn flatten(&self, image: &VirtualImage) -> Vec<u8> {
        block_on(image.read_all(&self.0, image.len())).unwrap().to_vec()
    }

    /// Writes `image` into a file, with holes where it is zero.
    pub(crate) fn write(&self, image: &VirtualImage, path: &Path) {
        let mut file = fs_err::File::create(path).unwrap();
        file.set_len(image.len()).unwrap();
        for extent in image.extents().iter().filter(|extent| *extent.source() != Source::Zeros) {
            file.seek(SeekFrom::Start(extent.at())).unwrap();
            file.write_all(&self.flatten(&image.part(extent.at()..extent.end()))).unwrap();
        }
    }
}

/// Runs `future` to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// As [`block_on`], for futures that use timers, files or processes.
pub(crate) fn block_on_io<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Bytes without structure, the same for the same `seed`.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}
