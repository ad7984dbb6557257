//! What machines that start an image will have measured.

use futures::future::try_join_all;
use schematics::{Blame, Blamed};
use signing::RsaPublicKey;

use super::sections::{Draft, Edition};
use super::{UkiError, UkiInputs, stub_error};
use crate::format::pe::{self, Section, SectionName};
use crate::measure::{BankDigests, MeasureError, Meter, Prediction};

/// What is measured when a profile of an image is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileMeasurement {
    /// The profile; [`MAIN_PROFILE`](super::MAIN_PROFILE) in images without profiles too.
    pub profile: &'static str,
    /// What is measured into PCR 11, and its values.
    pub prediction: Prediction,
}

/// Why an image cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum UkiMeasureError {
    /// There can be no such image.
    #[error("cannot measure an image that cannot be laid out")]
    Layout(#[source] UkiError),
    /// A section cannot be read.
    #[error("cannot measure section `{section}` of the image")]
    Section {
        /// The section.
        section: SectionName,
        /// Why.
        #[source]
        source: MeasureError,
    },
}

impl Blamed for UkiMeasureError {
    fn blame(&self) -> Blame {
        match self {
            Self::Layout(source) => source.blame(),
            Self::Section { source, .. } => source.blame(),
        }
    }
}

/// Measures each profile of the image [`lay_out`](super::lay_out) makes, the main one first.
///
/// # Errors
/// As laying out, and when a section cannot be read.
pub async fn measure(
    inputs: &UkiInputs<'_>,
    meter: &Meter,
) -> Result<Vec<ProfileMeasurement>, UkiMeasureError> {
    measure_draft(inputs, Edition::Plain, meter).await
}

/// Measures each profile of the image [`lay_out_signed`](super::lay_out_signed) makes, the main one first: the value after
/// the last phase is what has to be signed for it. The key is measured too; the signatures are not.
///
/// # Errors
/// As [`measure`].
pub async fn measure_signed(
    inputs: &UkiInputs<'_>,
    pcr_key: &RsaPublicKey,
    meter: &Meter,
) -> Result<Vec<ProfileMeasurement>, UkiMeasureError> {
    measure_draft(inputs, Edition::Signed { pcr_key }, meter).await
}

async fn measure_draft(
    inputs: &UkiInputs<'_>,
    edition: Edition<'_>,
    meter: &Meter,
) -> Result<Vec<ProfileMeasurement>, UkiMeasureError> {
    let mut draft = Draft::new(inputs, edition).map_err(UkiMeasureError::Layout)?;
    draft.shared.extend(sbat(inputs).map_err(UkiMeasureError::Layout)?);
    let shared = digests(&draft.shared, meter).await?;
    let mut measured = Vec::with_capacity(draft.profiles.len());
    for own in &draft.profiles {
        // Of two sections with one name the first counts, so a profile's own are in front.
        let mut sections = digests(&own.sections, meter).await?;
        sections.extend_from_slice(&shared);
        measured.push(ProfileMeasurement { profile: own.profile, prediction: Prediction::of(&sections) });
    }
    Ok(measured)
}

/// The one section of the stub's own that is measured.
fn sbat(inputs: &UkiInputs<'_>) -> Result<Option<Section>, UkiError> {
    let find = || {
        let name = SectionName::new(".sbat")?;
        let content = pe::in_memory(inputs.stub, inputs.stub_head, name)?;
        Ok(content.map(|content| Section { name, content }))
    };
    find().map_err(|source| stub_error(inputs, source))
}

async fn digests(
    sections: &[Section],
    meter: &Meter,
) -> Result<Vec<(SectionName, BankDigests)>, UkiMeasureError> {
    let digests = sections.iter().map(async |Section { name, content }| {
        let failed = |source| UkiMeasureError::Section { section: *name, source };
        Ok((*name, meter.digests(content).await.map_err(failed)?))
    });
    try_join_all(digests).await
}
