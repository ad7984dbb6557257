//! A connection that does not wait for ever for the other side.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What a client of HTTP/2 says first (RFC 9113 §3.4). The server cannot know the protocol, and so has no time limit of
/// its own, while what it heard is a beginning of this.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a client may be silent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Until it has said which protocol it speaks.
    pub(super) opening: Duration,
    /// While it takes nothing of what is being sent to it.
    pub(super) stall: Duration,
}

/// A stream on which reading fails when the client does not begin, and writing when it takes nothing any more.
#[derive(Debug)]
pub(super) struct Impatient<S> {
    stream: S,
    stall: Duration,
    opening: Option<Opening>,
    stalled: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct Opening {
    limit: Pin<Box<Sleep>>,
    /// How many bytes of the preface were heard.
    heard: usize,
}

impl<S> Impatient<S> {
    pub(super) fn new(stream: S, patience: Patience) -> Self {
        let opening = Opening { limit: Box::pin(sleep(patience.opening)), heard: 0 };
        Self { stream, stall: patience.stall, opening: Some(opening), stalled: None }
    }

    fn heard(&mut self, bytes: &[u8]) {
        let Some(opening) = &mut self.opening else { return };
        let expected = PREFACE.get(opening.heard..).unwrap_or_default();
        if bytes.len() < expected.len() && expected.starts_with(bytes) {
            opening.heard += bytes.len();
        } else {
            self.opening = None;
        }
    }

    /// What came of an attempt to write; an error when attempts have come to nothing for too long.
    fn written(&mut self, cx: &mut Context<'_>, attempt: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if attempt.is_ready() {
            self.stalled = None;
            return attempt;
        }
        let stall = self.stall;
        let limit = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall)));
        ready!(limit.as_mut().poll(cx));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) {
            this.heard(buf.filled().get(before..).unwrap_or_default());
            return Poll::Ready(read);
        }
        let Some(opening) = &mut this.opening else { return Poll::Pending };
        ready!(opening.limit.as_mut().poll(cx));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let attempt = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.written(cx, attempt)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let attempt = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.written(cx, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const SOON: Duration = Duration::from_millis(50);
    const NEVER: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_client_that_does_not_begin_is_given_up() {
        for said in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
            let (mut client, server) = duplex(64);
            let mut server = Impatient::new(server, Patience { opening: SOON, stall: NEVER });
            client.write_all(said.as_bytes()).await.unwrap();
            let error = server.read_exact(&mut [0; 64]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{said:?}");
        }
    }

    #[tokio::test]
    async fn one_that_has_begun_may_take_its_time() {
        for said in ["G", "POST", "PRI * HTTP/1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let (mut client, server) = duplex(64);
            let mut server = Impatient::new(server, Patience { opening: SOON, stall: NEVER });
            client.write_all(said.as_bytes()).await.unwrap();
            let read = tokio::time::timeout(SOON * 4, server.read_exact(&mut [0; 64])).await;
            assert!(read.is_err(), "{said:?}");
        }
    }

    #[tokio::test]
    async fn one_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let (mut client, server) = duplex(1);
        let mut server = Impatient::new(server, Patience { opening: NEVER, stall: SOON * 4 });
        let writing = tokio::spawn(async move {
            let slowly = server.write_all(&[0; 10]).await;
            (slowly.is_ok(), server.write_all(&[0; 10]).await.map_err(|error| error.kind()))
        });
        for _ in 0..10 {
            tokio::time::sleep(SOON).await;
            client.read_exact(&mut [0; 1]).await.unwrap();
        }
        assert_eq!(writing.await.unwrap(), (true, Err(ErrorKind::TimedOut)));
    }
}
