//! Reasons to refuse a layer.

/// Why a layer is refused. Paths are as the layer has them.
#[derive(Debug, thiserror::Error)]
pub enum HostileError {
    /// The path is absolute, has `..` in it, or is empty.
    #[error("`{path}` leads out of the tree")]
    Traversal {
        /// The path.
        path: String,
    },
    /// The path is no text, or too long, or too deep.
    #[error("`{path}` is not a path that can be kept: at most 4096 bytes of UTF-8, 255 per name, 128 names")]
    Path {
        /// The path, as far as it can be shown.
        path: String,
    },
    /// The path goes through something that is no directory, such as a symbolic link.
    #[error("`{path}` goes through `{part}`, which is not a directory")]
    Through {
        /// The path.
        path: String,
        /// The part that is no directory.
        part: String,
    },
    /// A hard link to something that is not a file of the image.
    #[error("`{path}` is a hard link to `{target}`, which is not a file of this image")]
    LinkTarget {
        /// The link.
        path: String,
        /// Where it points.
        target: String,
    },
    /// A device, a FIFO, or another kind of entry that has no business in an image.
    #[error("`{path}` has the entry type `{kind}`: only files, directories and links are allowed")]
    EntryType {
        /// The entry.
        path: String,
        /// Its type flag.
        kind: char,
    },
    /// A directory or link with content, which readers skip or take for the next header.
    #[error("`{path}` is no file and yet has {size} bytes of content")]
    Content {
        /// The entry.
        path: String,
        /// The bytes it claims.
        size: u64,
    },
    /// The same path twice.
    #[error("`{path}` is there twice")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// A sparse file, whose size on the wire says nothing about its size.
    #[error("`{path}` is a sparse file")]
    Sparse {
        /// The file.
        path: String,
    },
    /// An extended header is malformed, or contradicts the header it extends.
    #[error("the extended header of `{path}` is malformed: {what}")]
    Extended {
        /// The entry behind it, or its own name.
        path: String,
        /// What is wrong.
        what: &'static str,
    },
    /// An extended header is too large.
    #[error("an extended header has {size} bytes, more than the {limit} allowed")]
    ExtendedSize {
        /// The bytes it claims.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Too many entries.
    #[error("there are more than {limit} entries")]
    Entries {
        /// The limit.
        limit: usize,
    },
    /// More bytes than allowed once decompressed.
    #[error("it decompresses to more than {limit} bytes")]
    Size {
        /// The limit.
        limit: u64,
    },
    /// Too many bytes for what they were compressed to.
    #[error("it decompresses to more than {ratio} times its size")]
    Ratio {
        /// The limit.
        ratio: u64,
    },
    /// The archive breaks off, has a wrong checksum or is not compressed as announced.
    #[error("it cannot be read as an archive")]
    Unreadable {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The content is not what the image's configuration says.
    #[error("its content hashes to {found}, but the configuration says {expected}")]
    DiffId {
        /// What the configuration says.
        expected: schematics::Digest,
        /// What the content hashes to.
        found: schematics::Digest,
    },
}
