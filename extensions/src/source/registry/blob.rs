//! Blobs that go on where they broke off.

use std::sync::Arc;

use builder::store::Blob;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};
use tokio::time::{Instant, sleep, timeout_at};

use super::transport::{Ask, Transport};
use crate::source::{BlobStream, PullError, verified};

struct Download {
    transport: Arc<Transport>,
    ask: Ask,
    blob: Blob,
    body: BoxStream<'static, reqwest::Result<Bytes>>,
    /// Bytes handed out.
    seen: u64,
    /// Bytes of the current body that were handed out before.
    skip: u64,
    /// How often it broke off without bringing anything.
    failures: u32,
    deadline: Instant,
}

/// The body of `response`, continued by further requests when it breaks off, and verified.
pub(super) fn stream(
    transport: Arc<Transport>,
    ask: Ask,
    response: Response,
    blob: Blob,
) -> Result<BlobStream, PullError> {
    if let Some(found) = response.content_length()
        && found != blob.size
    {
        return Err(PullError::Length { digest: blob.digest, expected: blob.size, found });
    }
    let deadline = Instant::now() + transport.options.blob;
    let body = response.bytes_stream().boxed();
    let download = Download { transport, ask, blob, body, seen: 0, skip: 0, failures: 0, deadline };
    Ok(verified(stream::try_unfold(download, Download::next).boxed(), blob))
}

impl Download {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, PullError> {
        loop {
            let Ok(piece) = timeout_at(self.deadline, self.body.try_next()).await else {
                return Err(self.ask.too_slow(self.transport.options.blob));
            };
            match piece {
                Ok(Some(mut piece)) => {
                    let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
                    self.skip -= skipped as u64;
                    let piece = piece.split_off(skipped);
                    if !piece.is_empty() {
                        self.failures = 0;
                        self.seen += piece.len() as u64;
                        return Ok(Some((piece, self)));
                    }
                }
                Ok(None) if self.seen >= self.blob.size => return Ok(None),
                // Cut off without a sign of it, as by a proxy that gave up.
                Ok(None) if self.failures + 1 >= self.transport.options.attempts => return Ok(None),
                Ok(None) => self.resume().await?,
                Err(source) if self.failures + 1 >= self.transport.options.attempts => {
                    return Err(self.ask.broken(source));
                }
                Err(_) => self.resume().await?,
            }
        }
    }

    /// Asks for the rest.
    async fn resume(&mut self) -> Result<(), PullError> {
        self.failures += 1;
        tracing::debug!(url = %self.ask.url, from = self.seen, "the blob broke off, asking for the rest");
        sleep(self.transport.backoff(self.failures)).await;
        self.ask.from = self.seen;
        let response = self.transport.send(&self.ask).await?;
        self.skip = match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, self.seen) => 0,
            StatusCode::OK => self.seen,
            status => {
                return Err(PullError::Status { url: self.ask.url.to_string(), status: status.as_u16() });
            }
        };
        self.body = response.bytes_stream().boxed();
        Ok(())
    }
}

/// Whether the part begins with byte `first`.
fn starts_at(response: &Response, first: u64) -> bool {
    let header = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let start = header.and_then(|text| text.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok());
    start == Some(first)
}
