#![doc = include_str!("../README.md")]

pub mod catalog;
pub mod constraint;
pub mod contents;
pub mod flatten;
pub mod hostile;
pub mod layers;
pub mod manifest;
pub mod oci;
pub mod overlays;
pub mod parts;
pub mod pull;
pub mod reference;
pub mod releases;
pub mod source;
pub mod virtual_extension;
mod yaml;

pub use constraint::{Constraint, ConstraintError};
pub use hostile::HostileError;
pub use manifest::{CompatibilityError, ExtensionManifest, ManifestError};
pub use pull::{Limits, PulledTree, pull_tree};
pub use reference::{ImageName, ImageRef, Repository};
pub use source::{ImageSource, LayoutSource, PullError, SourceSpec};
pub use yaml::YamlError;
