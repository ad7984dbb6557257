//! Any text is a name or a refusal; a name prints as something that reads back as it.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use extensions::{ImageName, Repository, SourceSpec};
use libfuzzer_sys::fuzz_target;
use schematics::{AssetName, Digest, ExtensionName, SchematicId, TalosVersion};

fn round_trip<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    let Ok(name) = text.parse::<T>() else { return };
    assert_eq!(name.to_string().parse::<T>().expect("what we printed"), name);
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    round_trip::<AssetName>(text);
    round_trip::<Digest>(text);
    round_trip::<ExtensionName>(text);
    round_trip::<SchematicId>(text);
    round_trip::<TalosVersion>(text);
    round_trip::<Repository>(text);
    round_trip::<ImageName>(text);
    round_trip::<SourceSpec>(text);
});
