//! An encoding in which different values never look the same.

use schematics::Digest;

/// Writes values one behind the other, each with its length in front, so that no two different sequences of values
/// encode to the same bytes.
#[derive(Debug)]
pub struct CanonicalWriter {
    bytes: Vec<u8>,
}

impl CanonicalWriter {
    /// Begins with a magic word that names what is encoded, and in which form.
    #[must_use]
    pub fn new(magic: &str) -> Self {
        let mut writer = Self { bytes: Vec::new() };
        writer.text(magic);
        writer
    }

    /// Adds a text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.bytes.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Adds a list of digests.
    pub fn digests(&mut self, digests: &[Digest]) -> &mut Self {
        self.number(digests.len() as u64);
        digests.iter().for_each(|digest| self.bytes.extend_from_slice(digest.as_bytes()));
        self
    }

    /// The encoding.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}
