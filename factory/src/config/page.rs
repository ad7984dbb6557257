//! The configuration as text: the reference page, and what `show-config` prints.

use super::Config;
use super::keys::{KEYS, Key, Shape};

/// The reference page of all keys, in Markdown. `docs/configuration.md` is its output, and a test keeps it so.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    for key in KEYS {
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
    /// The configuration in force as YAML, with the origin of each value. Secrets are only said to
    /// be `(set)`.
    #[must_use]
    pub fn show(&self) -> String {
        let mut page = String::new();
        for key in KEYS {
            page.push_str(&match self.raw.get(key.name) {
                Some(_) if key.secret => format!("# {}: (set)\n", key.name),
                Some(given) => {
                    format!("{}: {} # from {}\n", key.name, value(key, &given.texts), given.origin)
                }
                None => match self.derived(key.name) {
                    Some(value) => format!("{}: {value} # follows from other keys\n", key.name),
                    None => format!("# {}: (not set)\n", key.name),
                },
            });
        }
        page
    }

    fn derived(&self, name: &str) -> Option<String> {
        match name {
            "external-url" => Some(quoted(&self.external_url)),
            "pxe-url" => Some(quoted(&self.pxe_url)),
            "max-builds" => Some(self.limits.builds.to_string()),
            _ => None,
        }
    }
}

fn value(key: &Key, texts: &[String]) -> String {
    match key.shape {
        Shape::List => sequence(texts),
        Shape::Value => texts.first().map(|text| quoted(text)).unwrap_or_default(),
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
