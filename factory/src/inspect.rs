//! Looks into EFI programs and the media they lie on: what is in them, who signed them, and what a TPM will have measured
//! once they are started.
//!
//! Files and URLs; a server that takes ranges is asked for what is needed and no more, and content is read once. Everything
//! read is a stranger's: every length is checked, every table and text has a limit, and nothing found is believed.

mod disk;
mod enrolment;
mod fat;
mod measurements;
mod medium;
mod part;
mod profiles;
mod program;
pub mod report;
mod signatures;
mod structure;
mod tally;
mod text;

use std::io;
use std::path::PathBuf;

use builder::format::pe::PeError;
use builder::predict::KeyVariables;
use schematics::{Blame, Blamed};
use signing::auth::AuthError;
use signing::authenticode::TableError;
use signing::pkcs7::Pkcs7ReadError;

use disk::Volume;
use part::Part;
use program::Inspected;
use report::{FileKind, Report};
pub use text::text;

/// The most programs of one medium that are looked into.
const MAX_PROGRAMS: usize = 256;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Headers and texts. There are no digests, so signatures are not checked and nothing is predicted.
    Headers,
    /// Every program, once.
    Contents,
}

/// Why something cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Not the name of a file.
    #[error("{} is not a file", path.display())]
    NoFile {
        /// What was given.
        path: PathBuf,
    },
    /// Not a URL.
    #[error("`{url}` is not a URL")]
    Url {
        /// What was given.
        url: String,
        /// Why.
        #[source]
        source: url::ParseError,
    },
    /// The server cannot be reached, or stopped in the middle.
    #[error("could not read from {url}")]
    Request {
        /// Where from.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The server answered something else.
    #[error("{url} answered with status {status}")]
    Status {
        /// Where from.
        url: String,
        /// The status.
        status: u16,
    },
    /// The server answers ranges in a way that cannot be used.
    #[error("{url} does not say where in the whole its answer lies")]
    Ranges {
        /// Where from.
        url: String,
    },
    /// The file was replaced while it was read.
    #[error("the file changed while it was read")]
    Changed,
    /// The download is too long.
    #[error("the server takes no ranges and sends more than {limit} bytes")]
    TooLong {
        /// How much is downloaded at most.
        limit: u64,
    },
    /// Reading a file failed.
    #[error("could not read the file")]
    Read(#[source] io::Error),
    /// Something is said to lie where there is nothing, or is longer than anything that is read whole.
    #[error("expected {wanted} bytes at byte {at} of {len}, which are not there or too many to read")]
    Cut {
        /// Where it would begin.
        at: u64,
        /// How long it would be.
        wanted: u64,
        /// How many bytes there are.
        len: u64,
    },
    /// Nothing that is known here.
    #[error("neither an EFI program nor an ISO, a disk or a FAT file system{hint}")]
    Unknown {
        /// What it may be instead.
        hint: &'static str,
    },
    /// A medium without a place for EFI programs.
    #[error("there is no EFI system partition on the medium")]
    NoEsp,
    /// A structure of a medium is not what it should be.
    #[error("the {what} is damaged")]
    Damaged {
        /// Which.
        what: &'static str,
    },
    /// More programs than anybody has.
    #[error("there are more than {MAX_PROGRAMS} EFI programs on the medium")]
    TooMany,
    /// A program is none.
    #[error("cannot read {path} as an EFI program")]
    Program {
        /// The program.
        path: String,
        /// Why.
        #[source]
        source: PeError,
    },
    /// A file with keys to enrol is none.
    #[error("cannot read {path} as an update of a SecureBoot variable")]
    Keys {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: AuthError,
    },
    /// The signatures of a program are none.
    #[error("cannot read the table of signatures of {path}")]
    Table {
        /// The program.
        path: String,
        /// Why.
        #[source]
        source: TableError,
    },
    /// A signature of a program is none.
    #[error("cannot read a signature of {path}")]
    Signature {
        /// The program.
        path: String,
        /// Why.
        #[source]
        source: Pkcs7ReadError,
    },
}

impl Blamed for InspectError {
    fn blame(&self) -> Blame {
        match self {
            Self::NoFile { .. } | Self::Url { .. } | Self::Unknown { .. } => Blame::Caller,
            Self::Request { .. }
            | Self::Status { .. }
            | Self::Ranges { .. }
            | Self::Changed
            | Self::TooLong { .. }
            | Self::Cut { .. }
            | Self::NoEsp
            | Self::Damaged { .. }
            | Self::TooMany
            | Self::Program { .. }
            | Self::Keys { .. }
            | Self::Table { .. }
            | Self::Signature { .. } => Blame::Upstream,
            Self::Read(_) => Blame::Ours,
        }
    }
}

/// Looks into a file, or what is behind an `http` or `https` URL.
///
/// # Errors
/// When it cannot be read, is nothing that is known here, or is damaged. No content makes it panic, take more memory than
/// a few times 64 MiB, or run for ever.
pub async fn inspect(location: &str, depth: Depth) -> Result<Report, InspectError> {
    let file = Part::open(location).await?;
    let head = file.head(8).await?;
    if head.starts_with(b"MZ") {
        let name = location.rsplit('/').next().unwrap_or(location);
        let found = vec![program::read(&file, name, depth).await?];
        return Ok(report(location, &file, FileKind::Program, found, &KeyVariables::default()));
    }
    let Some((volume, esp)) = disk::esp(&file).await? else {
        return Err(InspectError::Unknown { hint: hint(&head) });
    };
    let files = fat::files(&esp).await?;
    let keys = enrolment::variables(&files).await?;
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path.to_ascii_lowercase().ends_with(".efi")) {
        if found.len() == MAX_PROGRAMS {
            return Err(InspectError::TooMany);
        }
        found.push(program::read(&file.content, &file.path, depth).await?);
    }
    let kind = match volume {
        Volume::Iso => FileKind::Iso,
        Volume::Disk => FileKind::Disk,
        Volume::FileSystem => FileKind::FileSystem,
    };
    Ok(report(location, &file, kind, found, &keys))
}

fn report(
    location: &str,
    file: &Part,
    kind: FileKind,
    mut found: Vec<Inspected>,
    keys: &KeyVariables,
) -> Report {
    found.sort_by(|one, other| one.program.path.cmp(&other.program.path));
    Report {
        schema: report::SCHEMA,
        location: location.to_owned(),
        size: file.len(),
        kind,
        measurements: measurements::documents(&found, keys),
        enrolment: enrolment::report(keys),
        programs: found.into_iter().map(|inspected| inspected.program).collect(),
    }
}

/// What to do with a file of another kind, by its first bytes.
const fn hint(head: &[u8]) -> &'static str {
    match head {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "; it is compressed with zstd: unpack it first",
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => "; it is compressed with xz: unpack it first",
        [0x1f, 0x8b, ..] => "; it is compressed with gzip: unpack it first",
        [b'Q', b'F', b'I', 0xfb, ..] => "; it is a qcow2 image: convert it to a raw one first",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
