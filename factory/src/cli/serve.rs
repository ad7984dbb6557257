//! `factory serve`.

use std::process::ExitCode;

use super::{Outcome, doctor, say};
use crate::config::Config;
use crate::log;
use crate::start::{Server, signalled};

/// Serves until told to stop.
pub(super) fn run(config: Config) -> Outcome {
    log::start(&config.logging);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(config));
    // Builds that still run are abandoned: whatever they leave behind is found and removed at the next start.
    runtime.shutdown_background();
    served
}

async fn serve(config: Config) -> Outcome {
    let stop = signalled()?;
    let server = Server::prepare(config).await?;
    let config = &server.app().config;
    say(&format!("factory is ready on http://{} (reached as {})\n", server.address(), config.external_url))?;
    if let Some(address) = server.metrics_address() {
        tracing::info!(%address, "serving metrics");
    }
    tracing::info!(address = %server.address(), source = %config.source, data = %config.data.display(), "serving");
    doctor::warn(config);
    let told = async {
        stop.await;
        tracing::info!("stopping: no new clients, running downloads may end");
    };
    server.run(told).await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}
