//! Cooks a directory to a squashfs image, for comparisons with `mksquashfs`.
//!
//! ```text
//! cook_squashfs DIRECTORY IMAGE [zstd:LEVEL | xz] [THREADS]
//! ```
//!
//! Prints one line: bytes of the image, milliseconds of wall time and of CPU, peak resident KiB. The contents are put into
//! a store first, unless an earlier run left it beside the image; that does not count.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use builder::format::squashfs::{Codec, DEFAULT_ZSTD_LEVEL, Options, cook};
use builder::store::DirStore;
use builder::tree::{Dir, File, Meta, Node, Symlink, Tree};
use builder::{Blob, BlobStore, BlobStoreExt as _, VirtualImage};
use schematics::Digest;

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: cook_squashfs DIRECTORY IMAGE [zstd:LEVEL | xz] [THREADS]";
    let directory = arguments.next().ok_or(usage)?;
    let image = arguments.next().ok_or(usage)?;
    let codec = codec(arguments.next().as_deref())?;
    let threads = arguments.next().unwrap_or_else(|| "2".to_owned()).parse()?;
    let store = DirStore::open(format!("{image}.store"))?;
    let contents: Arc<dyn BlobStore> = Arc::new(store.clone());
    let mut tree = Tree::default();
    gather(Path::new(&directory), &mut tree.root)?;
    fill(&contents, Path::new(&directory), &tree).await?;
    // From here on the peak counts.
    fs_err::write("/proc/self/clear_refs", "5")?;
    let (before, _) = spent()?;
    let begin = std::time::Instant::now();
    let blob = cook(&tree, Options { codec, threads, ..Options::default() }, &contents, &contents).await?;
    let wall = begin.elapsed().as_millis();
    let (after, peak) = spent()?;
    println!("{} {wall} {} {peak}", blob.size, after - before);
    fs_err::copy(store.path(blob.digest), &image)?;
    Ok(())
}

fn codec(text: Option<&str>) -> Result<Codec, Failure> {
    match text {
        None => Ok(Codec::Zstd { level: DEFAULT_ZSTD_LEVEL }),
        Some("xz") => Ok(Codec::Xz),
        Some(text) => {
            let level = text.strip_prefix("zstd:").ok_or("the codec is `zstd:LEVEL` or `xz`")?;
            Ok(Codec::Zstd { level: level.parse()? })
        }
    }
}

fn gather(at: &Path, dir: &mut Dir) -> Result<(), Failure> {
    for entry in fs_err::read_dir(at)? {
        let entry = entry?;
        let there = entry.metadata()?;
        let meta = Meta {
            mode: u16::try_from(there.permissions().mode() & 0o7777)?,
            uid: there.uid(),
            gid: there.gid(),
            mtime: u32::try_from(there.mtime())?,
            ..Meta::default()
        };
        let node = if there.is_dir() {
            let mut child = Dir { meta, ..Dir::default() };
            gather(&entry.path(), &mut child)?;
            Node::Dir(child)
        } else if there.is_symlink() {
            let target = fs_err::read_link(entry.path())?.to_string_lossy().into_owned();
            Node::Symlink(Symlink { meta, target })
        } else {
            let bytes = fs_err::read(entry.path())?;
            let blob = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64 };
            Node::File(File { meta, content: VirtualImage::from_blob(blob), link: None })
        };
        dir.children.insert(entry.file_name().to_string_lossy().into_owned(), node);
    }
    Ok(())
}

/// Puts contents that are missing into the store.
async fn fill(contents: &Arc<dyn BlobStore>, directory: &Path, tree: &Tree) -> Result<(), Failure> {
    for (path, node) in tree.walk() {
        if let Node::File(file) = node {
            for digest in file.content.blobs() {
                if contents.size(digest).await?.is_none() {
                    contents.put(fs_err::read(directory.join(&path))?.into()).await?;
                }
            }
        }
    }
    Ok(())
}

/// Milliseconds of CPU this process has used, and the most memory it had in KiB.
fn spent() -> Result<(u64, u64), Failure> {
    let stat = fs_err::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    let status = fs_err::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    let kibibytes = peak.trim().trim_end_matches(" kB").parse()?;
    // Fields 14 and 15, in hundredths of a second.
    Ok(((ticks(11) + ticks(12)) * 10, kibibytes))
}
