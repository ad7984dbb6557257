//! `factory id`: the id of a schematic without a server.

use std::error::Error;
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
    let schematic = Schematic::decode(read_text(file.unwrap_or(Path::new("-")))?)?;
    schematic.check_round_trip()?;
    say(&format!("{}\n", schematic.id()))?;
    Ok(ExitCode::SUCCESS)
}

/// The text of a schematic in a file; `-` is standard input.
pub(super) fn read_text(file: &Path) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let mut text = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().take(MAX_TEXT + 1).read_to_end(&mut text)?;
    } else {
        fs::File::open(file)?.take(MAX_TEXT + 1).read_to_end(&mut text)?;
    }
    if text.len() as u64 > MAX_TEXT {
        return Err(
            format!("{} is longer than the {MAX_TEXT} bytes a schematic may have", file.display()).into()
        );
    }
    Ok(text)
}
