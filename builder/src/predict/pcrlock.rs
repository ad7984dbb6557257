//! Components for systemd-pcrlock.

use serde::Serialize;

use super::event::{Event, Register};

#[derive(Serialize)]
struct Component {
    records: Vec<Record>,
}

#[derive(Serialize)]
struct Record {
    pcr: u32,
    digests: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    #[serde(rename = "hashAlg")]
    algorithm: &'static str,
    digest: String,
}

/// A component (systemd-pcrlock(8)) with those events of `predictions` that this asset alone decides: programs that are
/// loaded, and what the stub measures of them.
///
/// What the firmware and the running system measure by themselves is left out; systemd ships components for that, and a
/// component that repeats an event of another does not fit the log. Records are in the order of the predictions given.
/// There are no SHA-1 digests. Ends with a newline.
///
/// # Errors
/// Never for what this module makes; the encoder's type says it may.
pub fn pcrlock(predictions: &[&Register]) -> Result<String, serde_json::Error> {
    let records = predictions.iter().flat_map(|prediction| {
        prediction
            .events
            .iter()
            .filter(|event| event.kind.is_of_the_asset())
            .map(|event| Record { pcr: prediction.pcr, digests: entries(event) })
    });
    let mut text = serde_json::to_string(&Component { records: records.collect() })?;
    text.push('\n');
    Ok(text)
}

fn entries(event: &Event) -> Vec<Entry> {
    let entry = |digest: &signing::MessageDigest| Entry {
        algorithm: digest.algorithm().name(),
        digest: digest.hex(),
    };
    event.digests.as_array().iter().map(entry).collect()
}
