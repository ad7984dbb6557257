#![doc = include_str!("../README.md")]

pub mod artifacts;
pub mod bundle;
pub mod catalog;
pub mod constraint;
pub mod contents;
pub mod cook;
#[cfg(test)]
mod fixtures;
pub mod flatten;
pub mod hostile;
pub mod initramfs;
pub mod installer;
pub mod layer_set;
pub mod layers;
pub mod manifest;
pub mod modules_dep;
pub mod oci;
pub mod overlay_files;
pub mod overlay_options;
pub mod overlays;
pub mod parts;
pub mod publish;
pub mod pull;
pub mod reference;
pub mod releases;
pub mod sbom;
pub mod schematic_image;
pub mod source;
pub mod talosctl;
pub mod trust;
mod turns;
pub mod virtual_extension;
mod yaml;

pub use constraint::{Constraint, ConstraintError};
pub use cook::{CookError, CookOptions, CookedExtension, CookedLayer, ExtensionImage, Firmware, Kitchen};
pub use hostile::HostileError;
pub use layer_set::{LayerRequest, LayerSet, LayersError, ResolvedExtension, layer_set};
pub use manifest::{CompatibilityError, ExtensionManifest, ManifestError};
pub use modules_dep::ModulesError;
pub use publish::{LayoutWriter, Publication, PublishError, Publisher, RegistryPusher};
pub use pull::{Limits, PulledTree, pull_tree};
pub use reference::{ImageName, ImageRef, Repository};
pub use source::{ImageSource, LayoutSource, PullError, SourceSpec};
pub use trust::{TrustPolicy, TrustedSource};
pub use yaml::YamlError;
