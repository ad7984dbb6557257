//! From a configuration to a serving process.

mod listen;
mod lock;
mod patience;

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, OpenError, keep_fresh};
use crate::config::Config;
use crate::{http, metrics};
use listen::Allowance;
pub use lock::{DataLock, LockError};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The parts cannot be put together.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An address cannot be had.
    #[error("cannot serve")]
    Listen(#[source] io::Error),
    /// The process cannot be prepared.
    #[error("cannot prepare the process")]
    Process(#[source] io::Error),
}

/// A server that holds its data directory and its addresses, and serves when it is run.
#[derive(Debug)]
pub struct Server {
    app: App,
    listener: TcpListener,
    metrics: Option<(TcpListener, PrometheusHandle)>,
    _lock: DataLock,
}

impl Server {
    /// Takes everything a server needs. Nothing is served yet, but clients that connect wait instead of being refused.
    ///
    /// # Errors
    /// When the data directory or an address cannot be had.
    pub async fn prepare(mut config: Config) -> Result<Self, StartError> {
        let lock = DataLock::take(&config.data)?;
        let listener = listen::bind(config.listen).await.map_err(StartError::Listen)?;
        config.listens_on(listener.local_addr().map_err(StartError::Listen)?);
        let handle = metrics::install().map_err(StartError::Process)?;
        let metrics = match config.metrics_listen {
            None => None,
            Some(address) => Some((listen::bind(address).await.map_err(StartError::Listen)?, handle)),
        };
        let app = App::open(config).await?;
        Ok(Self { app, listener, metrics, _lock: lock })
    }

    /// Where it serves; with the port it was given when none was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.app.config.listen
    }

    /// Where it serves metrics.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// The parts of the server.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// Serves until `stop`; then running downloads may end for as long as the configuration allows.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let config = &self.app.config;
        let allowance = Allowance {
            connections: config.limits.connections,
            header: config.timeouts.header,
            stall: config.timeouts.stall,
            grace: config.timeouts.grace,
        };
        let refresh = tokio::spawn(keep_fresh(self.app.available.clone(), config.recheck_interval));
        let welcome = self.app.welcome.clone();
        let stop = async move {
            stop.await;
            welcome.withdraw();
        };
        let metrics = self.metrics.map(|(listener, handle)| {
            let routes = Router::new().route("/metrics", get(render)).with_state(handle);
            tokio::spawn(listen::serve(listener, routes, allowance, std::future::pending()))
        });
        listen::serve(self.listener, http::service(self.app), allowance, stop).await;
        refresh.abort();
        if let Some(task) = metrics {
            task.abort();
        }
    }
}

async fn render(State(handle): State<PrometheusHandle>) -> String {
    metrics::render(&handle)
}

/// Resolves at the first SIGTERM or SIGINT.
///
/// # Errors
/// When the process cannot be told about them.
pub fn signalled() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
