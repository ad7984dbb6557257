//! The document of expected measurements.

use serde::Serialize;
use signing::HashAlgorithm;

use super::boot::Program;
use super::event::Register;

/// The version of the document's shape. Fields may be added under the same number; what a field means never changes.
pub const SCHEMA: u32 = 1;

/// The expected measurements of one asset, as published beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Document {
    schema: u32,
    asset: String,
    banks: [&'static str; 3],
    programs: Vec<Program>,
    predictions: Vec<Register>,
}

impl Document {
    /// The document of an asset of this name, which starts `programs` in this order.
    #[must_use]
    pub fn new(asset: &str, programs: Vec<Program>, predictions: Vec<Register>) -> Self {
        let banks = HashAlgorithm::ALL.map(HashAlgorithm::name);
        Self { schema: SCHEMA, asset: asset.to_owned(), banks, programs, predictions }
    }

    /// The name of the asset.
    #[must_use]
    pub fn asset(&self) -> &str {
        &self.asset
    }

    /// The predictions.
    #[must_use]
    pub fn predictions(&self) -> &[Register] {
        &self.predictions
    }

    /// The document as JSON, indented and ending with a newline. The same document is the same bytes.
    ///
    /// # Errors
    /// Never for what this module makes; the encoder's type says it may.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }
}
