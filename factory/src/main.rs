//! The `factory` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    factory::cli::main()
}
