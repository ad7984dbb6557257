//! What the doctor says of keys.

use std::time::{Duration, SystemTime};

use super::Finding;
use crate::keys::{KeySet, KeySets};

/// How long before its end a certificate is worth a word.
const SOON: Duration = Duration::from_secs(30 * 86_400);

/// Key files that everybody can read.
pub(super) fn exposed(sets: &KeySets) -> impl Iterator<Item = Finding> {
    sets.exposed().into_iter().map(|path| {
        Finding::Missing(
            format!("every user of this machine can read the private key {}", path.display()),
            format!("chmod 600 {}", path.display()),
        )
    })
}

/// Whether every key answers, and until when the certificates are valid.
pub(super) fn opened(sets: &KeySets) -> Vec<Finding> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Finding::Broken(error.to_string(), "try again".to_owned())],
    };
    match runtime.block_on(sets.open()) {
        Ok(open) => open.iter().map(|set| dated(set, now())).collect(),
        Err(error) => {
            let broken = |problem: &crate::keys::SetProblem| {
                Finding::Broken(
                    problem.to_string(),
                    "correct the file of `keys`, or what it names".to_owned(),
                )
            };
            error.problems.iter().map(broken).collect()
        }
    }
}

fn dated(set: &KeySet, now: SystemTime) -> Finding {
    let (name, end) = (set.name(), set.certificate().not_after());
    // In the form of RFC 3339 the order of texts is that of times.
    let before = |time: SystemTime| end < humantime::format_rfc3339_seconds(time).to_string().as_str();
    let remedy = "make another with the same key: `factory keys csr`, or `openssl x509 -signkey`".to_owned();
    if before(now) {
        return Finding::Missing(format!("the certificate of the keys `{name}` ended at {end}"), remedy);
    }
    if before(now + SOON) {
        return Finding::Missing(format!("the certificate of the keys `{name}` ends at {end}"), remedy);
    }
    Finding::Fine(format!("the keys `{name}` can sign; the certificate is valid until {end}"))
}

#[expect(clippy::disallowed_methods, reason = "whether a certificate has ended is a question of time")]
fn now() -> SystemTime {
    SystemTime::now()
}
