//! Bundles, made as `factory bundle export` makes them.

use std::path::Path;

use factory::bundle::{self, Order};
use factory::config;
use tokio::runtime::Runtime;

use crate::server::Anything;
use crate::{reference, release};

/// Exports a bundle of a source, and tells the names of what is in it.
///
/// # Errors
/// When it cannot be had.
pub fn export(source: &str, order: &Order, to: &Path) -> Result<Vec<String>, Anything> {
    // Those who signed the reference release, or else the pretend one.
    let layout = Path::new(source.trim_start_matches("oci:"));
    let trust = if layout.join("cosign.pub").is_file() {
        reference::trust(layout)
    } else {
        format!("key:{}", release::public_key()?.display())
    };
    let config = config::of(&[("source", source), ("trust", &trust)])?;
    let bundle = Runtime::new()?.block_on(bundle::export(&config, order, to, &|_, _| ()))?;
    Ok(bundle.names().map(str::to_owned).collect())
}

/// An order for these versions and schematics.
///
/// # Errors
/// When a version is none.
pub fn order(versions: &[&str], schematics: &[&str]) -> Result<Order, Anything> {
    let versions = versions.iter().map(|version| version.parse()).collect::<Result<_, _>>()?;
    let schematics = schematics.iter().map(|text| text.as_bytes().to_vec()).collect();
    Ok(Order { versions, schematics, arches: None, talosctl: false })
}
