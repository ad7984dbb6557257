//! Extensions: from catalogues and images to the layers of an initramfs.

pub mod constraint;
pub mod manifest;
pub mod parts;
pub mod virtual_extension;
mod yaml;

pub use constraint::{Constraint, ConstraintError};
pub use manifest::{CompatibilityError, ExtensionManifest, ManifestError};
pub use yaml::YamlError;
