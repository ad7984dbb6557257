//! One entry of a layer's archive.

use std::collections::BTreeMap;
use std::io::Read;

use builder::tree::{MAX_PATH, Meta};
use tar::EntryType;

use super::{Entry, Kind, Reading, path, pax};
use crate::hostile::HostileError;

/// The prefix of names that remove what is below (OCI image specification 1.1, layers).
const WHITEOUT: &str = ".wh.";
/// The name that empties its directory.
const OPAQUE: &str = ".wh..wh..opq";
/// The prefix of what AUFS kept for itself; it says nothing about the image.
const AUFS: &str = ".wh..wh.";
/// The extended attribute that is kept.
const SELINUX: &str = "security.selinux";

type TarEntry<'a, 'r> = tar::Entry<'a, &'r mut dyn Read>;

fn unreadable(source: std::io::Error) -> HostileError {
    HostileError::Unreadable { source }
}

impl Reading<'_> {
    /// Takes in one header with what belongs to it.
    pub(super) fn entry(&mut self, entry: &mut TarEntry<'_, '_>) -> Result<(), HostileError> {
        let name = entry.header().path_bytes().into_owned();
        let malformed = HostileError::extended(&name);
        match entry.header().entry_type() {
            EntryType::XHeader => {
                let bytes = self.content(entry)?;
                self.extended.local(&bytes).map_err(malformed)
            }
            EntryType::XGlobalHeader => {
                let bytes = self.content(entry)?;
                pax::Extended::global(&bytes).map_err(malformed)
            }
            EntryType::GNULongName => {
                let bytes = self.content(entry)?;
                self.extended.long_name(&bytes).map_err(malformed)
            }
            EntryType::GNULongLink => {
                let bytes = self.content(entry)?;
                self.extended.long_link(&bytes).map_err(malformed)
            }
            kind => {
                let extended = std::mem::take(&mut self.extended);
                let raw = extended.path.clone().unwrap_or(name);
                self.described(entry, kind, (&raw, extended))
            }
        }
    }

    /// The content of an extended header.
    fn content(&self, entry: &mut TarEntry<'_, '_>) -> Result<Vec<u8>, HostileError> {
        let (size, limit) = (entry.size(), self.limits.extended);
        if size > limit {
            return Err(HostileError::ExtendedSize { size, limit });
        }
        let mut bytes = Vec::new();
        entry.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 == size {
            Ok(bytes)
        } else {
            Err(unreadable(std::io::ErrorKind::UnexpectedEof.into()))
        }
    }

    /// Takes in an entry, with all that its extended headers said.
    fn described(
        &mut self,
        entry: &TarEntry<'_, '_>,
        kind: EntryType,
        (raw, extended): (&[u8], pax::Extended),
    ) -> Result<(), HostileError> {
        let clean = match path::clean(raw) {
            Err(_) if self.below.is_some() => return Ok(()),
            other => other?,
        };
        let kind = plain_kind(kind, raw);
        let (parent, name) = clean.rsplit_once('/').unwrap_or(("", &clean));
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            return self.whiteout(parent, name, hidden);
        }
        if !self.wants(&clean) {
            return Ok(());
        }
        if extended.sparse || kind == EntryType::GNUSparse {
            return Err(HostileError::Sparse { path: clean });
        }
        if extended.size.is_some_and(|size| size != entry.size()) {
            return Err(HostileError::Extended { path: clean, what: "its size is not the header's" });
        }
        let kind = node(entry, kind, (&clean, extended))?;
        self.push(Entry { path: clean, kind })
    }

    fn whiteout(&mut self, parent: &str, name: &str, hidden: &str) -> Result<(), HostileError> {
        let entry = match name {
            OPAQUE => Entry { path: parent.to_owned(), kind: Kind::Opaque },
            _ if name.starts_with(AUFS) => return Ok(()),
            _ => {
                let path = if parent.is_empty() { hidden.to_owned() } else { format!("{parent}/{hidden}") };
                if matches!(hidden, "" | "." | "..") {
                    return Err(HostileError::Traversal { path });
                }
                Entry { path, kind: Kind::Whiteout }
            }
        };
        if self.wants(&entry.path) { self.push(entry) } else { Ok(()) }
    }
}

/// Archives older than POSIX mark a directory by a slash at the end of its name alone.
fn plain_kind(kind: EntryType, raw: &[u8]) -> EntryType {
    if kind == EntryType::Regular && raw.ends_with(b"/") { EntryType::Directory } else { kind }
}

fn node(
    entry: &TarEntry<'_, '_>,
    kind: EntryType,
    (path, extended): (&str, pax::Extended),
) -> Result<Kind, HostileError> {
    let size = entry.size();
    if size != 0 && kind != EntryType::Regular {
        return Err(match kind {
            EntryType::Directory | EntryType::Symlink | EntryType::Link => {
                HostileError::Content { path: path.to_owned(), size }
            }
            _ => wrong_type(entry, path),
        });
    }
    let mode = entry.header().mode().map_err(unreadable)? & 0o7777;
    let mut meta = Meta::with_mode(u16::try_from(mode).unwrap_or(0o7777));
    meta.xattrs =
        extended.selinux.map(|label| (SELINUX.to_owned(), label)).into_iter().collect::<BTreeMap<_, _>>();
    let target = || {
        let header = entry.header().link_name_bytes().map(std::borrow::Cow::into_owned);
        extended.link.clone().or(header).unwrap_or_default()
    };
    match kind {
        EntryType::Directory => {
            meta.mode |= 0o700;
            Ok(Kind::Dir(meta))
        }
        _ if path.is_empty() => Err(HostileError::Traversal { path: ".".to_owned() }),
        EntryType::Regular => {
            let start = entry.raw_file_position();
            Ok(Kind::File { meta, bytes: start..start.saturating_add(size) })
        }
        EntryType::Symlink => {
            meta.mode = 0o777;
            Ok(Kind::Symlink { meta, target: symlink_target(&target(), path)? })
        }
        EntryType::Link => hard_link(&target(), path),
        _ => Err(wrong_type(entry, path)),
    }
}

fn symlink_target(raw: &[u8], link: &str) -> Result<String, HostileError> {
    let target = path::text(raw)?;
    if target.is_empty() || target.len() > MAX_PATH {
        return Err(HostileError::Path { path: link.to_owned() });
    }
    Ok(target.to_owned())
}

fn hard_link(raw: &[u8], link: &str) -> Result<Kind, HostileError> {
    match path::clean(raw) {
        Ok(target) if !target.is_empty() => Ok(Kind::Link { target }),
        _ => Err(HostileError::LinkTarget { path: link.to_owned(), target: path::shown(raw) }),
    }
}

fn wrong_type(entry: &TarEntry<'_, '_>, path: &str) -> HostileError {
    let kind = char::from(entry.header().entry_type().as_byte());
    HostileError::EntryType { path: path.to_owned(), kind }
}
