//! Merging what was written, and understanding it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use builder::format::grub::GrubTools;
use extensions::TrustPolicy;

use super::keys::Key;
use super::raw::{Origin, Raw, split, unknown};
use super::values::{self, Origins};
use super::{Config, ConfigErrors, Limits, Logging, Problem, Timeouts};
use crate::log::chain;
use crate::trust;

/// Defaults, then the file, then the environment, then the flags.
///
/// The file is the flag's, or the one `FACTORY_CONFIG` names.
///
/// # Errors
/// All problems of all layers at once.
pub fn load(file: Option<PathBuf>, flags: impl FnOnce(&mut Raw)) -> Result<Config, ConfigErrors> {
    load_from(file.or_else(|| variable("FACTORY_CONFIG").map(PathBuf::from)), variable, flags)
}

/// The one place that reads the environment.
#[expect(clippy::disallowed_methods, reason = "configuration is what the environment is for")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The configuration of these keys over the defaults, whatever the environment says.
///
/// # Errors
/// All problems at once, also for keys that do not exist.
pub fn of(keys: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let mut problems = Vec::new();
    let config = load_from(
        None,
        |_| None,
        |raw| {
            for (name, text) in keys {
                let origin = Origin::Flag(format!("--{name}"));
                match Key::find(name) {
                    Some(key) => raw.set(key, split(key, text), origin),
                    None => {
                        problems.push(Problem { key: Some((*name).to_owned()), origin, text: unknown(name) })
                    }
                }
            }
        },
    );
    if problems.is_empty() { config } else { Err(ConfigErrors { problems }) }
}

pub(super) fn load_from(
    file: Option<PathBuf>,
    environment: impl Fn(&str) -> Option<String>,
    flags: impl FnOnce(&mut Raw),
) -> Result<Config, ConfigErrors> {
    let mut raw = Raw::defaults();
    let mut problems = file.map_or(Ok(()), |path| raw.add_file(&path)).err().unwrap_or_default();
    raw.add_environment(environment);
    flags(&mut raw);
    let mut reader = Reader { raw: &raw, problems: Vec::new() };
    let config = reader.config();
    problems.append(&mut reader.problems);
    match config {
        Some(config) if problems.is_empty() => Ok(Config { raw, ..config }),
        Some(_) | None => Err(ConfigErrors { problems }),
    }
}

/// Understands keys one by one and remembers every problem.
struct Reader<'a> {
    raw: &'a Raw,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn config(&mut self) -> Option<Config> {
        // Each key is read before anything is given up, so that all problems are found.
        let listen = self.one("listen", values::address);
        let data = self.one("data", values::directory);
        let source = self.one("source", values::source);
        let credentials = self.maybe("source-credentials", values::credentials);
        let authorities = self.maybe("registry-ca", values::authorities);
        let schematic_repository = self.maybe("schematic-repository", values::repository);
        let read_only = self.one("schematic-repository-read-only", values::boolean);
        let trust = self.trust();
        let external_url = self.external_url(listen);
        let pxe_url = self.maybe("pxe-url", values::own_url);
        let metrics_listen = self.one("metrics-listen", values::optional_address);
        let allowed_origins = self.many("allowed-origins", values::origin);
        let min_version = self.one("min-version", values::version);
        let broken_versions = self.many("broken-versions", values::version);
        let recheck_interval = self.one("recheck-interval", values::duration);
        let squashfs_level = self.one("squashfs-level", values::level);
        let grub_mkimage = self.one("grub-mkimage", values::directory);
        let grub_modules = self.many("grub-modules", values::directory);
        let keys = self.maybe("keys", values::keys);
        let index_key = self.maybe("index-key", values::directory);
        let index_trusted_keys = self.many("index-trusted-keys", values::public_key);
        let signing_key = self.maybe("signing-key", values::directory);
        let secureboot_lockdown = self.one("secureboot-lockdown", values::boolean);
        let limits = self.limits();
        let timeouts = self.timeouts();
        let logging = self.logging();
        let external_url = external_url?;
        Some(Config {
            listen: listen?,
            data: data?,
            source: source?,
            credentials: credentials.unwrap_or_default(),
            authorities: authorities.unwrap_or_default(),
            schematic_repository,
            schematics_read_only: read_only?,
            trust: trust?,
            pxe_url: pxe_url.unwrap_or_else(|| external_url.clone()),
            external_url,
            metrics_listen: metrics_listen?,
            allowed_origins: origins(allowed_origins?),
            min_version: min_version?,
            broken_versions: broken_versions?,
            recheck_interval: recheck_interval?,
            squashfs_level: squashfs_level?,
            grub: GrubTools { mkimage: grub_mkimage?, modules: grub_modules? },
            keys: keys.unwrap_or_default(),
            index_key,
            index_trusted_keys: index_trusted_keys?,
            signing_key,
            secureboot_lockdown: secureboot_lockdown?,
            limits: limits?,
            timeouts: timeouts?,
            logging: logging?,
            raw: Raw::default(),
        })
    }

    /// Nothing said means nobody is trusted.
    fn trust(&mut self) -> Option<TrustPolicy> {
        let root = self.maybe("trust-root", values::trust_root);
        let specs = self.many("trust", values::trust)?.concat();
        match trust::policy(specs, root) {
            Ok(policy) => Some(policy),
            Err(error) => {
                let origin = self.raw.get("trust").map_or(Origin::Default, |given| given.origin.clone());
                self.problem("trust", origin, chain(&error).to_string());
                None
            }
        }
    }

    fn limits(&mut self) -> Option<Limits> {
        let body = self.one("body-limit", values::size);
        let connections = self.one("max-connections", values::number);
        let builds = self.maybe("max-builds", values::number);
        let fetches = self.one("max-fetches", values::number);
        Some(Limits {
            body: body?,
            connections: connections?,
            builds: builds.unwrap_or_else(processors),
            fetches: fetches?,
        })
    }

    fn timeouts(&mut self) -> Option<Timeouts> {
        let answer = self.one("answer-timeout", values::duration);
        let header = self.one("header-timeout", values::duration);
        let stall = self.one("stall-timeout", values::duration);
        let grace = self.one("shutdown-grace", values::duration);
        Some(Timeouts { answer: answer?, header: header?, stall: stall?, grace: grace? })
    }

    fn logging(&mut self) -> Option<Logging> {
        let filter = self.one("log-level", values::log_filter);
        let format = self.one("log-format", values::log_format);
        Some(Logging { filter: filter?, format: format? })
    }

    fn external_url(&mut self, listen: Option<SocketAddr>) -> Option<String> {
        if self.raw.get("external-url").is_some() {
            return self.maybe("external-url", values::own_url);
        }
        listen.map(|address| format!("http://{address}"))
    }

    /// A key that always has a value.
    fn one<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        if self.raw.get(name).is_none() {
            self.problem(name, Origin::Default, "expected a value".to_owned());
        }
        self.maybe(name, parse)
    }

    /// A key that may have no value.
    fn maybe<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.many(name, parse)?.pop()
    }

    fn many<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let Some(given) = self.raw.get(name) else { return Some(Vec::new()) };
        let mut parsed = Vec::new();
        let mut wrong = false;
        for text in &given.texts {
            match parse(text) {
                Ok(value) => parsed.push(value),
                Err(expected) => {
                    wrong = true;
                    self.problem(name, given.origin.clone(), format!("`{text}`: {expected}"));
                }
            }
        }
        (!wrong).then_some(parsed)
    }

    fn problem(&mut self, name: &str, origin: Origin, text: String) {
        self.problems.push(Problem { key: Some(name.to_owned()), origin, text });
    }
}

fn origins(given: Vec<String>) -> Origins {
    if given.iter().any(|origin| origin == "*") { Origins::Any } else { Origins::Only(given) }
}

fn processors() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
