//! What signers need from outside: settings of the environment, and how long to wait.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How signers find their services and credentials, and how patient they are.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Where credentials and addresses are looked up.
    pub environment: Environment,
    /// How long an operation may take.
    pub patience: Patience,
}

impl Access {
    /// The environment of this process, and the usual patience.
    #[must_use]
    pub fn of_process() -> Self {
        Self { environment: Environment::of_process(), patience: Patience::default() }
    }
}

/// Environment variables, as they were when this was made. The usual ones of each service's own tools are read.
#[derive(Clone, Default)]
pub struct Environment(Arc<HashMap<String, String>>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The values are credentials.
        f.debug_tuple("Environment").field(&self.0.len()).finish()
    }
}

impl Environment {
    /// The variables of this process; those that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let texts = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self(Arc::new(texts.collect()))
    }

    /// These variables and no others.
    #[must_use]
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self(Arc::new(owned.collect()))
    }

    /// The value of a variable; an empty one counts as not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The home directory.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }

    pub(super) fn all(&self) -> HashMap<String, String> {
        self.0.as_ref().clone()
    }
}

/// How long one operation of a signer may take. Signatures are the same each time, so asking again does no harm.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long one attempt may take.
    pub attempt: Duration,
    /// How many attempts are made when a signer is throttled, loses the connection, or does not answer.
    pub attempts: usize,
    /// The pause after the first attempt; it doubles after each further one.
    pub pause: Duration,
    /// The longest pause, also when a service asks for a longer one.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(10),
            attempts: 4,
            pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(5),
        }
    }
}
