//! Variable stores of UEFI firmware, as virt-fw-vars makes and reads them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{Failure, tool};

/// Who owns what is enrolled; firmware only shows it.
const OWNER: &str = "8f0c6d9e-0b5c-4a3e-9d5e-5d1f3c7a2b10";
const PROGRAM: &str = "virt-fw-vars";
const PACKAGE: &str = "python3-virt-firmware";

/// What is enrolled when a machine with SecureBoot firmware starts. Certificates are PEM files.
#[derive(Debug, Clone, Default)]
pub struct Vars {
    key_exchange: Option<PathBuf>,
    allowed: Vec<PathBuf>,
    forbidden: Vec<PathBuf>,
    off: bool,
}

impl Vars {
    /// Nothing: the firmware is in setup mode, starts everything and lets everybody enrol.
    #[must_use]
    pub fn setup_mode() -> Self {
        Self::default()
    }

    /// One certificate as PK, KEK and in db, as Talos has it; SecureBoot is enforced.
    #[must_use]
    pub fn enrolled(certificate: &Path) -> Self {
        let certificate = certificate.to_owned();
        Self { key_exchange: Some(certificate.clone()), allowed: vec![certificate], ..Self::default() }
    }

    /// One more certificate in db.
    #[must_use]
    pub fn and_allowed(mut self, certificate: &Path) -> Self {
        self.allowed.push(certificate.to_owned());
        self
    }

    /// One more certificate in dbx.
    #[must_use]
    pub fn and_forbidden(mut self, certificate: &Path) -> Self {
        self.forbidden.push(certificate.to_owned());
        self
    }

    /// The same with SecureBoot switched off: everything starts.
    #[must_use]
    pub fn off(mut self) -> Self {
        self.off = true;
        self
    }

    /// Writes the store to `store`, made of one of the distribution's with whatever is enrolled there.
    pub(super) fn write(&self, template: &Path, store: &Path) -> Result<(), Failure> {
        let mut args = vec!["--input".to_owned(), text(template), "--output".to_owned(), text(store)];
        for name in ["PK", "KEK", "db", "dbx"] {
            args.extend(["--delete".to_owned(), name.to_owned()]);
        }
        if let Some(key_exchange) = &self.key_exchange {
            args.extend(enrol("--set-pk", key_exchange));
            args.extend(enrol("--add-kek", key_exchange));
            args.extend(self.allowed.iter().flat_map(|certificate| enrol("--add-db", certificate)));
            args.extend(self.forbidden.iter().flat_map(|certificate| enrol("--add-dbx-cert", certificate)));
            let switch = if self.off { "--set-false" } else { "--set-true" };
            args.extend([switch.to_owned(), "SecureBootEnable".to_owned()]);
        }
        tool::run(PROGRAM, PACKAGE, args).map(drop)
    }
}

/// The variables of a store, as virt-fw-vars lists them: `{"version": …, "variables": [{"name", "guid", "attr", "data"}]}`.
///
/// # Errors
/// When virt-fw-vars is missing or cannot read the store.
pub fn read(store: &Path) -> Result<Value, Failure> {
    let list = store.with_extension("json");
    tool::run(PROGRAM, PACKAGE, ["--input", &text(store), "--output-json", &text(&list)])?;
    let content = fs::read(&list).map_err(Failure::io("read", &list))?;
    serde_json::from_slice(&content).map_err(std::io::Error::from).map_err(Failure::io("parse", &list))
}

fn enrol(option: &str, certificate: &Path) -> [String; 3] {
    [option.to_owned(), OWNER.to_owned(), text(certificate)]
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
