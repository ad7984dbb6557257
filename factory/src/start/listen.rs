//! The accept loop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::Service;

use super::patience::{Impatient, Patience};

/// How long the loop rests when the system has no more sockets to give.
const REST: Duration = Duration::from_millis(100);
/// The most header bytes of a request.
const MAX_HEAD: usize = 64 * 1024;
/// The most header lines of a request.
const MAX_HEADERS: usize = 100;

/// What a listener allows its clients.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// Connections at a time; more of them wait to be accepted.
    pub(super) connections: NonZeroUsize,
    /// Time to send the head of a request.
    pub(super) header: Duration,
    /// Time in which it may take nothing of an answer.
    pub(super) stall: Duration,
    /// Time for running answers after `stop`.
    pub(super) grace: Duration,
}

/// Listens on an address.
///
/// # Errors
/// When the address cannot be had; the error names it.
pub(super) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}

/// Serves until `stop`, then lets running answers end for as long as is allowed.
pub(super) async fn serve<S, F>(listener: TcpListener, service: S, allowance: Allowance, stop: F)
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    F: Future<Output = ()>,
{
    let places = Arc::new(Semaphore::new(allowance.connections.get()));
    let graceful = GracefulShutdown::new();
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(allowance.header).max_buf_size(MAX_HEAD);
    // Some firmware looks for `Content-Length` in just this case.
    server.http1().max_headers(MAX_HEADERS).title_case_headers(true);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(64 * 1024)
        .keep_alive_interval(allowance.header);
    let patience = Patience { opening: allowance.header, stall: allowance.stall };
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, accept(&listener).await)
        };
        let (place, stream) = tokio::select! {
            () = &mut stop => break,
            accepted = accepted => accepted,
        };
        let service = TowerToHyperService::new(service.clone());
        let connection =
            server.serve_connection(TokioIo::new(Impatient::new(stream, patience)), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(allowance.grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("some downloads did not end in time and are cut off");
    }
}

/// The next connection. Clients that are gone before they are served, and a shortage of sockets, do not end the loop.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Latency only; a connection without it works as well.
                drop(stream.set_nodelay(true));
                return stream;
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(REST).await;
            }
        }
    }
}
