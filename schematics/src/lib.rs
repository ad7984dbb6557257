#![doc = include_str!("../README.md")]

pub mod arch;
pub mod asset;
pub mod blame;
mod canonical;
pub mod cmdline;
pub mod decode;
pub mod digest;
pub mod extension;
pub mod id;
pub mod meta;
pub mod platform;
pub mod schematic;
pub mod target;
pub mod value;
pub mod version;

pub use arch::Arch;
pub use asset::{AssetName, AssetNameError, Compression, DiskFormat, Measured, MeasurementFormat};
pub use blame::{Blame, Blamed};
pub use decode::DecodeError;
pub use digest::{Digest, DigestError};
pub use extension::{ExtensionName, ExtensionNameError};
pub use id::{SchematicId, SchematicIdError};
pub use meta::MetaValue;
pub use platform::{Platform, PlatformError};
pub use schematic::{Bootloader, RoundTripError, Schematic};
pub use target::{Boot, Target};
pub use version::{Feature, TalosVersion, VersionError};
