//! The command line.

mod build;
mod bundle;
mod doctor;
mod id;
mod inspect;
mod keys;
mod rebuild;
mod release;
mod serve;
mod verify;

use std::error::Error;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{
    Arg, ArgAction, ArgMatches, Args, Command as ClapCommand, CommandFactory as _, FromArgMatches, Parser,
    Subcommand,
};
use clap_complete::Shell;

use crate::config::keys::{KEYS, Key, Shape};
use crate::config::raw::{Origin, Raw};
use crate::config::{self, Config, ConfigErrors};

/// What every command may end with.
pub type Outcome = Result<ExitCode, Box<dyn Error + Send + Sync>>;

/// An image factory for Talos Linux.
#[derive(Debug, Parser)]
#[command(name = "factory", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve images, schematics and catalogues over HTTP.
    Serve(Settings),
    /// Build one asset without a server, and write it to a file.
    Build(Box<build::Arguments>),
    /// Make an asset again from its lock, and say whether it is the same.
    Rebuild(Box<rebuild::Arguments>),
    /// Print the id of a schematic.
    Id {
        /// The file with the schematic; standard input when not given.
        file: Option<PathBuf>,
    },
    /// Say what is in an EFI program, an ISO or a disk image, who signed it, and what a TPM will measure of it.
    Inspect(inspect::Arguments),
    /// Check a download or an image against its signatures, checksums and statements.
    Verify(verify::Arguments),
    /// Make a Talos release from a kernel, an initramfs and systemd's EFI files, and publish it.
    Release(Box<release::Arguments>),
    /// Take what certain versions and schematics need to a place without a network.
    #[command(subcommand)]
    Bundle(bundle::Command),
    /// Make, look at and hand out the keys that sign SecureBoot images.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Check the configuration and report all problems in it.
    CheckConfig(Settings),
    /// Print the configuration in force, and who said what.
    ShowConfig {
        #[command(flatten)]
        settings: Settings,
        /// Print the reference page of all keys instead.
        #[arg(long)]
        reference: bool,
    },
    /// Say what is missing for a working factory, and how to get it.
    Doctor(Settings),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// The configuration flags: one for each key of the table, and the file.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    file: Option<PathBuf>,
    flags: Vec<(&'static Key, Vec<String>)>,
}

impl Settings {
    /// The configuration that follows from file, environment and these flags.
    ///
    /// # Errors
    /// All problems at once.
    pub fn load(self) -> Result<Config, ConfigErrors> {
        let flags = self.flags;
        config::load(self.file, |raw| set_flags(raw, flags))
    }
}

fn set_flags(raw: &mut Raw, flags: Vec<(&'static Key, Vec<String>)>) {
    for (key, texts) in flags {
        raw.set(key, texts, Origin::Flag(format!("--{}", key.name)));
    }
}

fn argument(key: &'static Key) -> Arg {
    let default = if key.default.is_empty() { String::new() } else { format!(" [default: {}]", key.default) };
    let help = format!("{}{default} [env: {}]", key.help, key.variable());
    let arg = Arg::new(key.name).long(key.name).value_name(key.value).help(help);
    match key.shape {
        Shape::Value => arg.action(ArgAction::Set),
        Shape::List => arg.action(ArgAction::Append).value_delimiter(','),
    }
}

impl Args for Settings {
    fn augment_args(command: ClapCommand) -> ClapCommand {
        let file = Arg::new("config").long("config").value_name("FILE");
        let file = file.value_parser(clap::value_parser!(PathBuf));
        let file = file.help("YAML file with configuration keys [env: FACTORY_CONFIG]");
        command.arg(file).args(KEYS.iter().map(argument))
    }

    fn augment_args_for_update(command: ClapCommand) -> ClapCommand {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.file = matches.get_one::<PathBuf>("config").cloned();
        for key in KEYS.iter().filter(|key| matches.value_source(key.name) == Some(ValueSource::CommandLine))
        {
            let texts = matches.get_many::<String>(key.name).into_iter().flatten().cloned().collect();
            self.flags.push((key, texts));
        }
        Ok(())
    }
}

/// Runs the program: parses the arguments, does what they say, and reports what went wrong on standard error.
#[must_use]
pub fn main() -> ExitCode {
    run(Cli::parse().command).unwrap_or_else(|error| {
        report(error.as_ref());
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Serve(settings) => serve::run(settings.load()?),
        Command::Build(arguments) => build::run(*arguments),
        Command::Rebuild(arguments) => rebuild::run(*arguments),
        Command::Id { file } => id::run(file.as_deref()),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Release(arguments) => release::run(*arguments),
        Command::Bundle(command) => bundle::run(command),
        Command::Keys(command) => keys::run(command),
        Command::CheckConfig(settings) => {
            settings.load()?;
            say("the configuration is valid\n")
        }
        Command::ShowConfig { reference: true, .. } => say(&config::reference()),
        Command::ShowConfig { settings, .. } => say(&settings.load()?.show()),
        Command::Doctor(settings) => doctor::run(&settings.load()?),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "factory", &mut script);
            io::stdout().write_all(&script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Prints to standard output.
///
/// # Errors
/// When nobody listens any more.
fn say(text: &str) -> Outcome {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Prints an error and what is behind it, each cause further to the right.
fn report(error: &(dyn Error + 'static)) {
    let mut text = format!("error: {error}\n");
    let mut source = error.source();
    let mut indent = 2;
    while let Some(cause) = source {
        text.push_str(&format!("{:indent$}{cause}\n", ""));
        indent += 2;
        source = cause.source();
    }
    // Nothing can be done when even standard error is gone.
    drop(io::stderr().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_become_keys() {
        let args = ["factory", "serve", "--listen", "127.0.0.1:0", "--broken-versions=1.2.3,1.2.4"];
        let Command::Serve(settings) = Cli::try_parse_from(args).unwrap().command else {
            panic!("not serve")
        };
        let given: Vec<_> = settings.flags.iter().map(|(key, texts)| (key.name, texts.join(" "))).collect();
        assert_eq!(
            given,
            [("listen", "127.0.0.1:0".to_owned()), ("broken-versions", "1.2.3 1.2.4".to_owned())]
        );
        assert!(Cli::try_parse_from(["factory", "serve", "--no-such-flag"]).is_err());
    }
}
