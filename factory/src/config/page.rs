//! The configuration as text: the reference page, and what `show-config` prints.

use super::Config;
use super::keys::{KEYS, Key, Shape};
use super::raw::Origin;

/// The reference page of all keys, in Markdown. `docs/configuration.md` is its output, and a test keeps it so.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    for key in &KEYS {
        page.push_str(&format!("\n## `{}`\n\n{}\n\n", key.name, key.help));
        let default =
            if key.default.is_empty() { String::new() } else { format!(", default `{}`", key.default) };
        let (variable, note) = (key.variable(), note(key));
        page.push_str(&format!("`--{} {}` · `{variable}`{default}{note}\n", key.name, key.value));
    }
    page
}

fn note(key: &Key) -> &'static str {
    match key.shape {
        Shape::Value => "",
        Shape::List => " · a list: several values separated by commas, or a YAML list",
    }
}

const INTRODUCTION: &str = "# Configuration

Every key can be given in a YAML file (`--config FILE` or `FACTORY_CONFIG`), as an environment variable, or as a flag of
`factory serve`. Flags win over the environment, the environment over the file, and the file over the defaults. With no
configuration at all the factory serves on this machine alone.

Keys the file does not know are refused, and all problems are reported at once: `factory check-config`. What is in force,
and who said so: `factory show-config`.
";

impl Config {
    /// The configuration in force as YAML, with the origin of each value. Secrets are shown as `(set)`.
    #[must_use]
    pub fn show(&self) -> String {
        let mut page = String::new();
        for key in &KEYS {
            let (value, origin) = match self.raw.get(key.name) {
                Some(_) if key.secret => ("(set)".to_owned(), Some(&Origin::Default)),
                Some(given) if key.shape == Shape::List => (sequence(&given.texts), Some(&given.origin)),
                Some(given) => {
                    (given.texts.first().map_or_else(String::new, |text| quoted(text)), Some(&given.origin))
                }
                None if key.shape == Shape::List => ("[]".to_owned(), Some(&Origin::Default)),
                None => (self.derived(key.name), None),
            };
            let from = origin
                .map_or_else(|| "follows from other keys".to_owned(), |origin| format!("from {origin}"));
            page.push_str(&format!("{}: {value} # {from}\n", key.name));
        }
        page
    }

    fn derived(&self, name: &str) -> String {
        match name {
            "external-url" => quoted(&self.external_url),
            "pxe-url" => quoted(&self.pxe_url),
            "max-builds" => self.limits.builds.to_string(),
            _ => String::new(),
        }
    }
}

fn sequence(texts: &[String]) -> String {
    let items: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", items.join(", "))
}

/// A JSON string is a YAML string, whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
