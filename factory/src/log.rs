//! Log lines.

use std::error::Error;
use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogFormat, Logging};

/// Begins to log to standard error. A second call changes nothing.
pub fn start(logging: &Logging) {
    let filter = EnvFilter::builder().parse_lossy(&logging.filter);
    // Colours are for people; a file or a collector gets plain text.
    let colours = io::stderr().is_terminal();
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours);
    // It fails only when somebody else already logs, which is as good.
    drop(match logging.format {
        LogFormat::Plain => subscriber.with_target(false).finish().try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).with_span_list(false).finish().try_init(),
    });
}

/// An error and what is behind it, on one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
