//! `factory id`: the id of a schematic without a server.

use std::io::{self, Read as _};
use std::path::Path;
use std::process::ExitCode;

use fs_err as fs;
use schematics::Schematic;

use super::{Outcome, say};

/// A longer schematic is not read; no server would take it.
const MAX_TEXT: u64 = 1 << 20;

/// Prints the id of the schematic in a file, or on standard input.
pub(super) fn run(file: Option<&Path>) -> Outcome {
    let mut text = Vec::new();
    match file {
        Some(path) if path != Path::new("-") => {
            fs::File::open(path)?.take(MAX_TEXT + 1).read_to_end(&mut text)?
        }
        Some(_) | None => io::stdin().lock().take(MAX_TEXT + 1).read_to_end(&mut text)?,
    };
    if text.len() as u64 > MAX_TEXT {
        return Err(format!("the schematic is longer than {MAX_TEXT} bytes").into());
    }
    let schematic = Schematic::decode(&text)?;
    schematic.check_round_trip()?;
    say(&format!("{}\n", schematic.id()))?;
    Ok(ExitCode::SUCCESS)
}
