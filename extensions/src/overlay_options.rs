//! What an overlay's own program asks for: kernel arguments and room for a boot loader.
//!
//! The program comes out of the overlay's image, for the processor this runs on. It is run with one argument, the options
//! of a schematic as YAML on its standard input, in a directory of its own, without an environment, for a limited time;
//! it answers with YAML. It can do what the user can who runs this: the source must be a [`TrustedSource`](crate::TrustedSource),
//! which hands out what somebody signed.

mod program;

use builder::plan::CanonicalWriter;
use builder::store::{Blob, RecordKind, StoreError};
use builder::tree::{Node as TreeNode, TreeError};
use schematics::{Arch, Blame, Blamed, Digest};

use crate::cook::{CookError, HasBlobs, Kitchen};
use crate::overlay_files::{OverlayFiles, program_path};
use crate::yaml::{self, Node, YamlError};
pub use program::ProgramError;

const KIND: RecordKind = RecordKind("overlay-options");
/// The most kernel arguments of one overlay.
const MAX_ARGUMENTS: usize = 64;

/// What an overlay asks for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OverlayOptions {
    /// Kernel arguments; they replace those of the platform.
    pub kernel_args: Vec<String>,
    /// Where the first partition begins at the earliest, in blocks.
    pub partition_offset: Option<u64>,
}

impl HasBlobs for OverlayOptions {
    fn blobs(&self) -> Vec<Blob> {
        Vec::new()
    }
}

/// Why an overlay's program told nothing.
#[derive(Debug, thiserror::Error)]
pub enum OverlayOptionsError {
    /// The overlay has no such program.
    #[error("the overlay has no program `{path}`")]
    NoProgram {
        /// Where it should be.
        path: String,
    },
    /// Nothing can be run on this machine.
    #[error("programs of overlays cannot be run on this machine's processor")]
    Processor,
    /// It could not be run, or said no.
    #[error("the overlay's program `{path}` did not answer")]
    Program {
        /// The program.
        path: String,
        /// Why.
        #[source]
        source: ProgramError,
    },
    /// It refuses the options.
    #[error("the overlay {name:?} refuses its options: {said}")]
    Refused {
        /// The overlay.
        name: String,
        /// What it said.
        said: String,
    },
    /// Its answer is no YAML.
    #[error("the answer of the overlay's program `{path}` cannot be read")]
    Syntax {
        /// The program.
        path: String,
        /// Why.
        #[source]
        source: YamlError,
    },
    /// Its answer has something that cannot be used.
    #[error("the answer of the overlay's program `{path}` has {what}")]
    Answer {
        /// The program.
        path: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The files of the overlay are no tree.
    #[error("the files of the overlay do not fit into a tree")]
    Tree(#[from] TreeError),
    /// The program could not be read.
    #[error("could not read the overlay's program")]
    Store(#[from] StoreError),
    /// Our records or the work directory failed.
    #[error("could not prepare the overlay's program")]
    Kitchen(#[from] CookError),
}

impl Blamed for OverlayOptionsError {
    fn blame(&self) -> Blame {
        match self {
            Self::NoProgram { .. } | Self::Refused { .. } => Blame::Caller,
            Self::Processor => Blame::Unsupported,
            Self::Program { .. } | Self::Syntax { .. } | Self::Answer { .. } => Blame::Upstream,
            Self::Store(error) => error.blame(),
            Self::Kitchen(error) => error.blame(),
            Self::Tree(_) => Blame::Ours,
        }
    }
}

/// The processor whose programs run here.
///
/// # Errors
/// When no overlay has programs for it.
pub fn native() -> Result<Arch, OverlayOptionsError> {
    match std::env::consts::ARCH {
        "x86_64" => Ok(Arch::Amd64),
        "aarch64" => Ok(Arch::Arm64),
        _ => Err(OverlayOptionsError::Processor),
    }
}

/// What the overlay `name` asks for with these options, a YAML document; asked once, then remembered by the program's digest.
///
/// `files` are those for the processor this runs on.
///
/// # Errors
/// When the program is not there, refuses the options, takes too long, or answers something else than it should.
pub async fn overlay_options(
    kitchen: &Kitchen,
    files: &OverlayFiles,
    name: &str,
    options: &str,
) -> Result<OverlayOptions, OverlayOptionsError> {
    let path = program_path(name);
    let tree = files.tree()?;
    let Some(TreeNode::File(file)) = tree.get(&path) else {
        return Err(OverlayOptionsError::NoProgram { path });
    };
    let mut key = CanonicalWriter::new("factory overlay options 1");
    key.digests(&[file.content.content_digest(&kitchen.store).await?]).text(options);
    let key = Digest::of(&key.finish());
    let _turn = kitchen.turns.wait(key).await;
    if let Some(known) = kitchen.recall::<OverlayOptions>(KIND, key).await? {
        return Ok(known);
    }
    let (dir, _) = kitchen.scratch().await?;
    let content = file.content.read_all(&kitchen.store, program::MAX_PROGRAM).await?;
    let told = match program::ask(dir.path(), content, "get-options", options).await {
        Ok(told) => told,
        Err(ProgramError::Refused { said }) => {
            return Err(OverlayOptionsError::Refused { name: name.to_owned(), said });
        }
        Err(source) => return Err(OverlayOptionsError::Program { path, source }),
    };
    let answer = read(&told, &path)?;
    kitchen.remember(KIND, key, &answer).await?;
    Ok(answer)
}

fn read(told: &[u8], path: &str) -> Result<OverlayOptions, OverlayOptionsError> {
    let wrong = |what| OverlayOptionsError::Answer { path: path.to_owned(), what };
    let document = yaml::read(told);
    let document =
        document.map_err(|source| OverlayOptionsError::Syntax { path: path.to_owned(), source })?;
    let document = document.ok_or_else(|| wrong("nothing in it"))?;
    let kernel_args = match document.field("kernelArgs") {
        None => Vec::new(),
        Some(Node::Text(text)) if text.is_empty() => Vec::new(),
        Some(Node::List(items)) if items.len() <= MAX_ARGUMENTS => {
            let argument = |item: &Node| match item {
                Node::Text(text) if !text.is_empty() && !text.chars().any(char::is_control) => {
                    Ok(text.clone())
                }
                _ => Err(wrong("a kernel argument that is none")),
            };
            items.iter().map(argument).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(wrong("kernel arguments that are no short list")),
    };
    let offset = document.field("partitionOptions").and_then(|options| options.text("offset"));
    let offset =
        offset.map(|text| text.parse().map_err(|_| wrong("an offset that is no number"))).transpose()?;
    Ok(OverlayOptions { kernel_args, partition_offset: offset.filter(|offset| *offset > 0) })
}

#[cfg(test)]
mod tests;
