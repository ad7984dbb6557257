//! The id of a schematic.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

/// The id of a schematic: the SHA-256 of its canonical text, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchematicId(Digest);

/// Why a text is not a schematic id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a schematic id: expected 64 lower-case hexadecimal digits")]
pub struct SchematicIdError {
    text: String,
}

/// How much of a wrong id its error repeats, in characters.
const SHOWN: usize = 80;

impl SchematicId {
    /// The id of the schematic whose canonical text is given.
    #[must_use]
    pub fn of_canonical(text: &str) -> Self {
        Self(Digest::of(text.as_bytes()))
    }

    /// The digest of the canonical text: a store of blobs has the schematic under it.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.0
    }
}

impl fmt::Display for SchematicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.hex())
    }
}

impl fmt::Debug for SchematicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SchematicId {
    type Err = SchematicIdError;

    fn from_str(text: &str) -> Result<Self, SchematicIdError> {
        Digest::from_hex(text)
            .map(Self)
            .map_err(|_| SchematicIdError { text: text.chars().take(SHOWN).collect() })
    }
}

impl serde::Serialize for SchematicId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for SchematicId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VANILLA: &str = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba";

    #[test]
    fn an_id_reads_back_as_itself() {
        let id = SchematicId::of_canonical("customization: {}\n");
        assert_eq!(id.to_string(), VANILLA);
        assert_eq!(VANILLA.parse(), Ok(id));
    }

    #[test]
    fn upper_case_short_and_prefixed_ids_are_refused() {
        for text in ["", "37", &VANILLA.to_uppercase(), &format!("sha256:{VANILLA}"), &format!("{VANILLA}\n")]
        {
            assert!(text.parse::<SchematicId>().is_err(), "{text:?}");
        }
        assert!("é".repeat(500).parse::<SchematicId>().is_err_and(|error| error.to_string().len() < 300));
    }
}
