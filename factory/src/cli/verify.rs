//! `factory verify`: whether what was downloaded, or an image, is what somebody signed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use extensions::source::{Credentials, RegistryOptions};
use extensions::{ImageName, SourceSpec};
use fs_err as fs;
use signing::PublicKey;

use super::{Outcome, say};
use crate::verify::{FileToCheck, ImageToCheck, check_file, check_image};

/// The longest file with a public key or credentials.
const MAX_FILE: u64 = 1 << 20;

/// The arguments of `factory verify`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The public key to believe, in PEM: what `/oci/cosign/signing-key.pub` of the factory has.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A file, which is checked with what lies beside it: `.sha256`, `.sha512`, and Sigstore bundles whose names begin
    /// with its own and end with `.json`. With `--source`, the name of an image: `installer/ID[:TAG][@DIGEST]`.
    what: String,
    /// A Sigstore bundle about the file, instead of those beside it. Can be repeated.
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    bundle: Vec<PathBuf>,
    /// Where the image is: `oci:DIR` for an OCI layout directory, or `registry:[http://]HOST[:PORT][/NAMESPACE]`.
    #[arg(long, value_name = "SOURCE")]
    source: Option<SourceSpec>,
    /// A Docker configuration file with the credentials of the registry.
    #[arg(long, value_name = "FILE", requires = "source")]
    credentials: Option<PathBuf>,
}

/// Checks, and says what was checked.
pub(super) fn run(arguments: &Arguments) -> Outcome {
    let key = String::from_utf8(read(&arguments.key)?)?;
    let key = PublicKey::from_pem(&key)
        .map_err(|error| format!("cannot use the key {}: {error}", arguments.key.display()))?;
    let Some(place) = &arguments.source else {
        let wanted = FileToCheck { file: Path::new(&arguments.what), bundles: &arguments.bundle };
        return say(&check_file(&key, &wanted)?.to_string());
    };
    let name: ImageName = arguments.what.parse()?;
    let credentials = match &arguments.credentials {
        Some(path) => Credentials::from_docker_config(&read(path)?)?,
        None => Credentials::default(),
    };
    let options = RegistryOptions { credentials, ..RegistryOptions::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let wanted = ImageToCheck { place, name: &name };
    let checked = runtime.block_on(check_image(&key, &wanted, options))?;
    say(&checked.iter().map(ToString::to_string).collect::<String>())
}

fn read(path: &Path) -> Result<Vec<u8>, std::io::Error> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}
