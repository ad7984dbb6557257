//! Layers: tar archives of one step of an image, read entry by entry and never unpacked.

mod entry;
mod path;
mod pax;

use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;

use builder::tree::Meta;

use crate::hostile::HostileError;

pub(crate) use path::is_below;

/// What a layer may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerLimits {
    /// The most entries, extended headers included.
    pub entries: usize,
    /// The largest extended header, in bytes.
    pub extended: u64,
}

impl Default for LayerLimits {
    fn default() -> Self {
        Self { entries: 200_000, extended: 128 << 10 }
    }
}

/// One entry of a layer. The path has no leading, trailing or double slash, no `.` and no `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it goes; empty for the root.
    pub path: String,
    /// What it is.
    pub kind: Kind,
}

/// What an entry of a layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Dir(Meta),
    /// A file.
    File {
        /// Its permissions and labels.
        meta: Meta,
        /// Where in the archive its bytes are.
        bytes: Range<u64>,
    },
    /// A symbolic link, whatever it points to.
    Symlink {
        /// Its labels.
        meta: Meta,
        /// What it points to.
        target: String,
    },
    /// A further name of a file.
    Link {
        /// The file's path, clean as the entry's own.
        target: String,
    },
    /// Removes what lower layers have at this path.
    Whiteout,
    /// Removes all that lower layers have below this path.
    Opaque,
}

/// Reads the entries of a layer in their order.
///
/// With `below`, only entries below that path, at it and on the way to it are kept and judged.
///
/// Owner and time are dropped and so are all extended attributes but `security.selinux`; directories get at least
/// mode 0700. These are the rules Talos unpacks by.
///
/// # Errors
/// With the first reason to refuse the layer.
pub fn read_entries(
    archive: &mut dyn Read,
    limits: LayerLimits,
    below: Option<&str>,
) -> Result<Vec<Entry>, HostileError> {
    let unreadable = |source| HostileError::Unreadable { source };
    let mut archive = tar::Archive::new(archive);
    let mut reading = Reading { limits, below, ..Reading::default() };
    let mut count = 0;
    for entry in archive.entries().map_err(unreadable)?.raw(true) {
        count += 1;
        if count > limits.entries {
            return Err(HostileError::Entries { limit: limits.entries });
        }
        reading.entry(&mut entry.map_err(unreadable)?)?;
    }
    reading.finish()
}

/// What was read so far.
#[derive(Default)]
struct Reading<'a> {
    limits: LayerLimits,
    below: Option<&'a str>,
    /// What extended headers say about the next entry.
    extended: pax::Extended,
    entries: Vec<Entry>,
    /// Paths that were given or implied, and whether they are directories.
    seen: HashMap<String, bool>,
}

impl Reading<'_> {
    fn wants(&self, path: &str) -> bool {
        self.below.is_none_or(|root| is_below(path, root) || is_below(root, path))
    }

    /// Adds an entry unless something else has its path already.
    fn push(&mut self, entry: Entry) -> Result<(), HostileError> {
        if !matches!(entry.kind, Kind::Whiteout | Kind::Opaque) {
            let is_dir = matches!(entry.kind, Kind::Dir(_));
            if self.seen.insert(entry.path.clone(), is_dir).is_some_and(|was_dir| !(was_dir && is_dir)) {
                return Err(HostileError::Duplicate { path: entry.path });
            }
        }
        for (at, _) in entry.path.match_indices('/') {
            let parent = entry.path.get(..at).unwrap_or_default();
            if let Some(is_dir) = self.seen.get(parent) {
                if !is_dir {
                    let part = parent.to_owned();
                    return Err(HostileError::Through { path: entry.path, part });
                }
            } else {
                self.seen.insert(parent.to_owned(), true);
            }
        }
        self.entries.push(entry);
        Ok(())
    }

    fn finish(self) -> Result<Vec<Entry>, HostileError> {
        if self.extended == pax::Extended::default() {
            Ok(self.entries)
        } else {
            Err(HostileError::Extended { path: String::new(), what: "nothing follows it" })
        }
    }
}

#[cfg(test)]
mod tests {
    use builder::tree::MAX_PATH;

    use super::*;

    /// An empty entry.
    fn header(kind: tar::EntryType) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(0);
        header
    }

    #[test]
    fn names_and_targets_longer_than_a_header_come_from_those_in_front() {
        let (name, target) = (format!("{}/n", "d".repeat(150)), format!("{}/t", "d".repeat(151)));
        for kind in [tar::EntryType::Symlink, tar::EntryType::Link] {
            let (mut gnu, mut pax) = (tar::Builder::new(Vec::new()), tar::Builder::new(Vec::new()));
            gnu.append_link(&mut header(kind), &name, &target).unwrap();
            pax.append_pax_extensions([("path", name.as_bytes()), ("linkpath", target.as_bytes())]).unwrap();
            pax.append_link(&mut header(kind), "short", "other").unwrap();
            for archive in [gnu, pax] {
                let archive = archive.into_inner().unwrap();
                let read = read_entries(&mut archive.as_slice(), LayerLimits::default(), None).unwrap();
                let [
                    Entry { path, kind: Kind::Symlink { target: found, .. } | Kind::Link { target: found } },
                ] = read.as_slice()
                else {
                    panic!("{read:?}")
                };
                assert_eq!((path, found), (&name, &target));
            }
        }
    }

    #[test]
    fn a_symbolic_link_has_a_target_that_fits() {
        for (length, fits) in [(0, false), (1, true), (MAX_PATH, true), (MAX_PATH + 1, false)] {
            let mut archive = tar::Builder::new(Vec::new());
            let target = "t".repeat(length);
            archive.append_pax_extensions([("linkpath", target.as_bytes())]).unwrap();
            archive.append_link(&mut header(tar::EntryType::Symlink), "link", "other").unwrap();
            let archive = archive.into_inner().unwrap();
            let read = read_entries(&mut archive.as_slice(), LayerLimits::default(), None);
            assert_eq!(read.is_ok(), fits, "{length}: {read:?}");
        }
    }

    /// What is read of an archive with one empty file under this name.
    fn read_one(name: &[u8], below: Option<&str>) -> Result<Vec<Entry>, HostileError> {
        let mut header = header(tar::EntryType::Regular);
        // Written past the checks of the crate, which makes no hostile archives.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.set_cksum();
        let mut archive = tar::Builder::new(Vec::new());
        archive.append(&header, &b""[..]).unwrap();
        read_entries(&mut archive.into_inner().unwrap().as_slice(), LayerLimits::default(), below)
    }

    #[test]
    fn a_file_with_a_slash_at_its_end_is_a_directory_of_an_old_archive() {
        let read = read_one(b"d/", None).unwrap();
        assert!(matches!(read.as_slice(), [Entry { path, kind: Kind::Dir(_) }] if path == "d"), "{read:?}");
        assert!(matches!(read_one(b"d", None).unwrap()[0].kind, Kind::File { .. }));
        assert!(matches!(read_one(b".", None), Err(HostileError::Traversal { .. })), "the root is no file");
    }

    #[test]
    fn what_aufs_kept_for_itself_says_nothing() {
        assert_eq!(read_one(b"a/.wh..wh.plnk", None).unwrap(), []);
        assert_eq!(
            read_one(b"a/.wh.b", None).unwrap()[0],
            Entry { path: "a/b".into(), kind: Kind::Whiteout }
        );
    }

    #[test]
    fn paths_outside_of_what_is_wanted_are_not_judged() {
        assert_eq!(read_one(b"../x", Some("usr")).unwrap(), []);
        assert!(matches!(read_one(b"../x", None), Err(HostileError::Traversal { .. })));
    }

    #[test]
    fn as_many_entries_as_allowed_are_read_and_no_more() {
        let mut archive = tar::Builder::new(Vec::new());
        for name in ["a", "b", "c"] {
            archive.append_data(&mut header(tar::EntryType::Regular), name, &b""[..]).unwrap();
        }
        let archive = archive.into_inner().unwrap();
        let read = |entries| {
            read_entries(&mut archive.as_slice(), LayerLimits { entries, ..LayerLimits::default() }, None)
        };
        assert_eq!(read(3).unwrap().len(), 3);
        assert!(matches!(read(2), Err(HostileError::Entries { limit: 2 })));
    }
}
