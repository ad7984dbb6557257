//! tar archives in the `ustar` form, with `pax` headers where that form has no room.
//!
//! Both are defined by POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Interchange Format". Extended attributes
//! travel in `SCHILY.xattr.` records, which all readers of container layers know.

mod header;

use std::collections::BTreeMap;

use crate::image::{ImageLayout, VirtualImage};
use crate::tree::{MAX_PATH, Meta, Node};
use header::{Header, Kind, pax_records};

/// Everything in an archive begins at a multiple of this many bytes.
const BLOCK: u64 = 512;
/// Two blocks of zeros end an archive.
const END: u64 = 2 * BLOCK;
/// A larger number of bytes does not fit the eleven octal digits of a header.
const MAX_OCTAL_SIZE: u64 = 0o77_777_777_777;

/// Why entries cannot be written as a tar archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TarError {
    /// A path or link target is empty, too long, or has a NUL in it.
    #[error("`{path}` or what it points to is not a path a tar archive can have")]
    Path {
        /// The entry.
        path: String,
    },
    /// Files that claim to be one file have different contents.
    #[error("`{path}` is a hard link of a file with another content")]
    UnequalLinks {
        /// The second of the files.
        path: String,
    },
}

/// Lays entries out as one archive, in the order they come.
///
/// Each entry is a path without a leading slash and what is there, as [`Tree::walk`](crate::tree::Tree::walk) gives
/// them; a directory above an entry needs no entry of its own. Modes, owners and times are the entries'. Names of users
/// are left out. The content of hard links stands at the first of them. The archive ends with two blocks of zeros.
///
/// # Errors
/// When a path does not fit the format, or hard links differ.
pub fn lay_out<'a>(entries: impl IntoIterator<Item = (&'a str, &'a Node)>) -> Result<VirtualImage, TarError> {
    let mut archive = ImageLayout::default();
    let mut links = BTreeMap::new();
    for (path, node) in entries {
        put_entry(&mut archive, path, &described(path, node, &mut links)?)?;
    }
    archive.zeros(END);
    Ok(archive.finish())
}

/// An entry as the format sees it.
struct Described<'a> {
    kind: Kind,
    meta: &'a Meta,
    mode: u16,
    target: &'a str,
    content: Option<&'a VirtualImage>,
}

fn described<'a>(
    path: &'a str,
    node: &'a Node,
    links: &mut BTreeMap<u64, (&'a str, &'a VirtualImage)>,
) -> Result<Described<'a>, TarError> {
    let bare = |kind, meta: &'a Meta, mode| Described { kind, meta, mode, target: "", content: None };
    match node {
        Node::Dir(dir) => Ok(bare(Kind::Directory, &dir.meta, dir.meta.mode)),
        Node::Symlink(link) => {
            Ok(Described { target: &link.target, ..bare(Kind::Symlink, &link.meta, 0o777) })
        }
        Node::File(file) => {
            let plain = bare(Kind::Regular, &file.meta, file.meta.mode);
            let first = file.link.and_then(|number| links.get(&number).copied());
            match (file.link, first) {
                (_, Some((_, content))) if *content != file.content => {
                    Err(TarError::UnequalLinks { path: path.to_owned() })
                }
                (_, Some((target, _))) => Ok(Described { kind: Kind::Link, target, ..plain }),
                (number, None) => {
                    number.map(|number| links.insert(number, (path, &file.content)));
                    Ok(Described { content: Some(&file.content), ..plain })
                }
            }
        }
    }
}

fn put_entry(archive: &mut ImageLayout, path: &str, entry: &Described<'_>) -> Result<(), TarError> {
    let fits = |text: &str| text.len() <= MAX_PATH && !text.contains('\0');
    let needs_target = matches!(entry.kind, Kind::Symlink | Kind::Link);
    if path.is_empty() || !fits(path) || !fits(entry.target) || (needs_target && entry.target.is_empty()) {
        return Err(TarError::Path { path: path.to_owned() });
    }
    let name = match entry.kind {
        Kind::Directory => format!("{path}/"),
        Kind::Regular | Kind::Symlink | Kind::Link | Kind::Extended => path.to_owned(),
    };
    let size = entry.content.map_or(0, VirtualImage::len);
    let header = Header {
        kind: entry.kind,
        name: &name,
        target: entry.target,
        mode: entry.mode,
        uid: entry.meta.uid,
        gid: entry.meta.gid,
        size,
        mtime: entry.meta.mtime,
    };
    let records = pax_records(&header, &entry.meta.xattrs);
    if !records.is_empty() {
        let extended = Header {
            kind: Kind::Extended,
            name: &format!("PaxHeaders/{}", path.rsplit('/').next().unwrap_or_default()),
            target: "",
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: records.len() as u64,
            mtime: 0,
        };
        archive.bytes(extended.encode()).bytes(records).align(BLOCK);
    }
    archive.bytes(header.encode());
    if let Some(content) = entry.content {
        archive.image(content).align(BLOCK);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
