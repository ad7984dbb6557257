//! The lock of an asset: everything it is made of, resolved. `factory/docs/lock.schema.json` is its shape.
//!
//! Two locks that agree on [`Lock::differences`] are of the same bytes, and a factory makes an asset again from its lock.

mod difference;

use std::fmt;

use schematics::{Digest, SchematicId};
use serde::{Deserialize, Serialize};

pub use difference::Difference;

/// The version of the document's shape. Fields may be added under the same number; what a field means never changes.
pub const SCHEMA: u32 = 1;
/// The type of an in-toto predicate that is a lock. A name, under a domain that nobody can own (RFC 2606).
pub const PREDICATE_TYPE: &str = "https://image-factory.example/lock/v1";
/// The largest lock that is read, in bytes. It has a schematic inside, which may have a configuration inside.
pub const MAX_LOCK: u64 = 4 << 20;

/// Everything an asset is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lock {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The name of the asset.
    pub asset: String,
    /// The version of Talos, with its `v`.
    pub version: String,
    /// For which processor.
    pub arch: String,
    /// The schematic.
    pub schematic: LockedSchematic,
    /// The name of the plan: the digest of everything that decides the bytes.
    pub plan: Digest,
    /// How it is made.
    pub recipe: Recipe,
    /// The images of the source it is made of, in the order of [`Role`], extensions in the schematic's order.
    pub sources: Vec<LockedImage>,
    /// The settings of the factory that change bytes.
    pub settings: LockedSettings,
    /// Who signs it, where it is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<LockedSigner>,
    /// The program that wrote the lock. It decides no bytes by itself: what does is said in the other fields.
    pub factory: Program,
}

/// A schematic with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockedSchematic {
    /// Its id: the SHA-256 of the text, in hexadecimal digits.
    pub id: SchematicId,
    /// Its canonical text.
    pub text: String,
}

/// What is done with the inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipe {
    /// What is made, in one word.
    pub kind: String,
    /// The revision of the recipe: the same inputs make other bytes under another one.
    pub revision: u32,
    /// The kernel command line; empty where the asset has none.
    pub cmdline: String,
}

/// For what an image of the source is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Kernel, initramfs and EFI programs.
    Release,
    /// The base of an installer.
    InstallerBase,
    /// The catalogue of extensions.
    ExtensionCatalogue,
    /// An extension.
    Extension,
    /// The catalogue of overlays.
    OverlayCatalogue,
    /// The overlay.
    Overlay,
}

/// An image of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockedImage {
    /// For what it is used.
    pub role: Role,
    /// The repository, without the registry.
    pub repository: String,
    /// The tag it was found by, or that the catalogue tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest of its manifest or index.
    pub digest: Digest,
}

/// What a factory is configured with, and what it computes with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockedSettings {
    /// How machines reach the factory; part of every customised image.
    pub external_url: String,
    /// The time of everything in it that has one, in seconds since 1970.
    pub epoch: u32,
    /// The zstd level of layers and firmware.
    pub compression_level: i32,
    /// The compressors with their versions.
    pub compressors: String,
    /// What `depmod` says about its version, where there are extensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depmod: Option<String>,
    /// GRUB's core images, made of the GRUB of the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grub: Vec<Digest>,
    /// Whether SecureBoot images lock the kernel down where Talos leaves that to its users.
    pub lockdown: bool,
}

/// Who signs, by what is public of the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockedSigner {
    /// The digest over all of it, enrolment files included.
    pub identity: Digest,
    /// The digest of the certificate programs are signed with, in DER.
    pub certificate: Digest,
    /// The digest of the public key that signs policies over PCR 11, in DER.
    pub pcr_key: Digest,
}

/// A program and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Program {
    /// This program.
    #[must_use]
    pub fn this() -> Self {
        Self { name: super::PROGRAM.to_owned(), version: super::PROGRAM_VERSION.to_owned() }
    }
}

/// Why a text is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Not JSON of this shape.
    #[error("the lock cannot be read")]
    Decode(#[source] serde_json::Error),
    /// A later shape.
    #[error("the lock has the shape {found}; this program knows {SCHEMA}")]
    Schema {
        /// Its number.
        found: u32,
    },
    /// The text of the schematic was changed, or its id was.
    #[error("the schematic in the lock is called {told}, but its text has the id {found}")]
    Schematic {
        /// The id in the lock.
        told: SchematicId,
        /// The id of the text.
        found: SchematicId,
    },
}

impl Lock {
    /// Reads a lock and checks that it does not contradict itself.
    ///
    /// # Errors
    /// When it is none, or the schematic is not the one its id names.
    pub fn read(text: &[u8]) -> Result<Self, LockError> {
        let lock: Self = serde_json::from_slice(text).map_err(LockError::Decode)?;
        if lock.schema != SCHEMA {
            return Err(LockError::Schema { found: lock.schema });
        }
        let found = SchematicId::of_canonical(&lock.schematic.text);
        if lock.schematic.id != found {
            return Err(LockError::Schematic { told: lock.schematic.id, found });
        }
        Ok(lock)
    }

    /// The lock as JSON. The same lock is the same bytes.
    ///
    /// # Errors
    /// Never in practice; the encoder's type says it may.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        super::pretty(self)
    }
}

impl fmt::Display for LockedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        write!(f, "{}{tag}@{}", self.repository, self.digest)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Release => "release",
            Self::InstallerBase => "installer base",
            Self::ExtensionCatalogue => "extension catalogue",
            Self::Extension => "extension",
            Self::OverlayCatalogue => "overlay catalogue",
            Self::Overlay => "overlay",
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
