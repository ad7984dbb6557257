//! Why an image cannot be opened.

use std::sync::Arc;

use schematics::{Blame, Blamed, TalosVersion};

use super::index::IndexError;

/// Why an image cannot be opened. The texts of callers' mistakes are Sidero's Image Factory's, which clients match.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// This build does not make it.
    #[error(
        "{what} are not made by this factory yet; kernel, initramfs, cmdline, UKI, ISO and installer are"
    )]
    NotMade {
        /// What was asked for, in the plural.
        what: &'static str,
    },
    /// The version is too old for something the schematic asks for.
    #[error("error enhancing profile from schematic: {what} is not supported for Talos version {version}")]
    TooOld {
        /// What the schematic asks for.
        what: &'static str,
        /// The version.
        version: TalosVersion,
    },
    /// The schematic asks for something that there is not.
    #[error("error enhancing profile from schematic: {0}")]
    Schematic(String),
    /// The version is not offered, or has no such thing.
    #[error("{0}")]
    Missing(String),
    /// An input could not be had.
    #[error("{public}")]
    Input {
        /// Whose fault it is.
        blame: Blame,
        /// What a client may know.
        public: String,
        /// Why.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The pieces do not fit together.
    #[error("the image could not be laid out")]
    Layout {
        /// Whose fault it is.
        blame: Blame,
        /// Why.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The index failed.
    #[error("the image could not be remembered")]
    Index(#[source] Arc<IndexError>),
    /// The build ended without a result.
    #[error("the build was abandoned; try again")]
    Abandoned,
}

impl OpenError {
    /// An input that could not be had: callers' mistakes are told as they are, anything else by what failed.
    pub fn input<E>(what: &str, error: E) -> Self
    where
        E: Blamed + std::error::Error + Send + Sync + 'static,
    {
        let blame = error.blame();
        let public = match blame {
            Blame::Caller => return Self::Schematic(error.to_string()),
            // Which file or package it is concerns the operator, who finds it in the log.
            Blame::Unsupported => {
                format!("failed to get {what}: a program it takes is not installed at this factory")
            }
            Blame::Missing if error.source().is_none() => {
                return Self::Missing(format!("failed to get {what}: {error}"));
            }
            Blame::Missing => format!("failed to get {what}: {error}"),
            Blame::Upstream | Blame::Busy | Blame::Full | Blame::Ours => format!("failed to get {what}"),
        };
        Self::Input { blame, public, source: Arc::new(error) }
    }

    /// A document of ours that cannot be written; a fault of ours.
    pub fn document(error: serde_json::Error) -> Self {
        Self::Layout { blame: Blame::Ours, source: Arc::new(error) }
    }

    /// Pieces that do not fit; a caller who asked for what cannot be is told.
    pub fn layout<E>(error: E) -> Self
    where
        E: Blamed + std::error::Error + Send + Sync + 'static,
    {
        match error.blame() {
            Blame::Caller => Self::Schematic(error.to_string()),
            blame => Self::Layout { blame, source: Arc::new(error) },
        }
    }
}

impl Blamed for OpenError {
    fn blame(&self) -> Blame {
        match self {
            Self::NotMade { .. } => Blame::Unsupported,
            Self::TooOld { .. } | Self::Schematic(_) => Blame::Caller,
            Self::Input { blame, .. } | Self::Layout { blame, .. } => *blame,
            Self::Missing(_) => Blame::Missing,
            Self::Abandoned => Blame::Busy,
            Self::Index(error) => error.blame(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use builder::format::grub::GrubError;

    use super::*;

    #[test]
    fn what_is_missing_on_the_server_is_for_its_operator_alone() {
        let error = OpenError::input("GRUB", GrubError::Program { program: "/opt/grub-mkimage".into() });
        assert_eq!(error.blame(), Blame::Unsupported);
        assert!(!error.to_string().contains("/opt"), "{error}");
        assert!(error.source().unwrap().to_string().contains("/opt/grub-mkimage"));
    }

    #[test]
    fn a_layout_that_the_caller_made_impossible_is_the_callers_mistake() {
        let error = OpenError::layout(builder::recipe::iso::IsoError::Cmdline);
        assert_eq!(error.blame(), Blame::Caller);
        assert!(error.to_string().contains("line break"), "{error}");
    }
}
