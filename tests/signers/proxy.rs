//! A network that fails on demand, between a signer and its service.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::common::{sign, text};
use factory::signers::Access;
use signing::{SignError, Signer};

/// What happens to a connection instead of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Nobody answers.
    Silence,
    /// The service does its work, and the connection is lost in the middle of the answer.
    Cut,
    /// Somebody else answers: a status line with headers, and a body.
    Answer(&'static str, String),
}

/// A proxy that passes bytes on, unless a fault is next.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    next: Arc<Mutex<VecDeque<Fault>>>,
    /// Ends the connections there are, so that the next request needs a new one.
    hang_up: watch::Sender<()>,
}

impl Proxy {
    pub(crate) async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let next: Arc<Mutex<VecDeque<Fault>>> = Arc::default();
        let (hang_up, watching) = watch::channel(());
        let (faults, server) = (Arc::clone(&next), server.to_owned());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let fault = faults.lock().unwrap().pop_front();
                let (server, mut watching) = (server.clone(), watching.clone());
                watching.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = carry(client, &server, fault) => {}
                        _ = watching.changed() => {}
                    }
                });
            }
        });
        Self { address, next, hang_up }
    }

    /// These happen to the next connections, one each; then all is well again.
    pub(crate) async fn fail(&self, faults: &[Fault]) {
        *self.next.lock().unwrap() = faults.iter().cloned().collect();
        self.hang_up.send(()).unwrap();
        // The client has to notice, too.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }

    fn left(&self) -> usize {
        self.next.lock().unwrap().len()
    }

    /// What every service must bear: a retry that succeeds after each fault, and a clear error when it stays.
    pub(crate) async fn torment(
        &self,
        signer: &dyn Signer,
        access: &Access,
        answer: impl Fn(&[u8]) -> String,
    ) {
        let busy = Fault::Answer("429 Too Many Requests\r\nRetry-After: 0", "{}".to_owned());
        let away = Fault::Answer("500 Internal Server Error", "{}".to_owned());
        let down = Fault::Answer("503 Service Unavailable", "<html>later</html>".to_owned());
        for fault in [Fault::Silence, Fault::Cut, busy.clone(), away, down] {
            self.fail(&[fault.clone(), fault.clone()]).await;
            sign(signer).await.unwrap_or_else(|error| panic!("{fault:?}: {}", text(&error)));
            assert_eq!(self.left(), 0, "{fault:?} did not happen");
        }
        let attempts = access.patience.attempts;
        for (fault, expected) in [
            (Fault::Silence, "did not answer"),
            (Fault::Cut, "did not answer"),
            (busy, "takes no more requests"),
        ] {
            self.fail(&vec![fault.clone(); attempts + 2]).await;
            let error = sign(signer).await.unwrap_err();
            assert!(text(&error).contains(expected), "{fault:?}: {}", text(&error));
            assert_eq!(self.left(), 2, "{fault:?} was not tried {attempts} times");
        }
        let forged = answer(&crate::common::foreign_signature().await);
        self.fail(&[Fault::Answer("200 OK", forged)]).await;
        let error = sign(signer).await.unwrap_err();
        assert!(matches!(error, SignError::WrongKey { .. }), "{}", text(&error));
        self.fail(&[Fault::Answer("200 OK", "no JSON".to_owned())]).await;
        let error = sign(signer).await.unwrap_err();
        assert!(matches!(error, SignError::Refused { .. }), "{}", text(&error));
        self.fail(&[Fault::Answer("200 OK", "x".repeat(1 << 20))]).await;
        assert!(text(&sign(signer).await.unwrap_err()).contains("too long"));
        self.fail(&[]).await;
        sign(signer).await.unwrap();
    }
}

async fn carry(mut client: TcpStream, server: &str, fault: Option<Fault>) -> std::io::Result<()> {
    match fault {
        None => {
            let mut upstream = TcpStream::connect(server).await?;
            tokio::io::copy_bidirectional(&mut client, &mut upstream).await?;
        }
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Answer(head, body)) => {
            request(&mut client).await?;
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            client.write_all(answer.as_bytes()).await?;
            client.shutdown().await?;
        }
        Some(Fault::Cut) => {
            let request = request(&mut client).await?;
            let mut upstream = TcpStream::connect(server).await?;
            upstream.write_all(&request).await?;
            let mut begin = [0; 60];
            upstream.read_exact(&mut begin).await?;
            client.write_all(&begin).await?;
        }
    }
    Ok(())
}

/// A whole request: its head, and as much as it says.
async fn request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = client.read(&mut piece).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&piece[..read]);
        let whole = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Ok(bytes);
        }
    }
}
