//! Signing daemons, one on Google's gRPC library.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use factory::signers;
use signing::{Certificate, SignError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::common::{Server, access, open, refusal, sign, signs, text};

fn socket(dir: &tempfile::TempDir) -> String {
    dir.path().join("signer.sock").to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_daemon_signs_and_has_a_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let path = socket(&dir);
    let Some(_server) = Server::python("signerd.py", &[&path]) else { return };
    let spec = format!("signerd://{path}");
    let signer = open(&spec, &access(&[])).await.unwrap_or_else(|error| panic!("{}", text(&error)));
    signs(signer.as_ref()).await;
    let found = signers::certificate(&spec.parse().unwrap(), &access(&[])).await.unwrap().unwrap();
    assert!(Certificate::from_pem(&found).unwrap().belongs_to(signer.public_key()));
}

#[tokio::test]
async fn a_daemon_may_ask_for_time_and_begin_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = socket(&dir);
    let spec = format!("signerd://{path}");
    let absent = refusal(&spec, &access(&[])).await;
    assert!(absent.contains("did not answer"), "{absent}");
    let Some(server) = Server::python("signerd.py", &[&path, "5"]) else { return };
    let signer = open(&spec, &access(&[])).await.unwrap();
    // Three attempts, and two more of the next.
    let error = sign(signer.as_ref()).await.unwrap_err();
    assert!(matches!(error, SignError::Throttled { .. }), "{}", text(&error));
    sign(signer.as_ref()).await.unwrap();
    // Another daemon on the same socket has another key.
    drop(server);
    drop(fs_err::remove_file(&path));
    assert!(matches!(sign(signer.as_ref()).await.unwrap_err(), SignError::Unavailable { .. }));
    let _server = Server::python("signerd.py", &[&path]).unwrap();
    assert!(matches!(sign(signer.as_ref()).await.unwrap_err(), SignError::WrongKey { .. }));
}

/// Passes connections on to `server`; the first `lost` of them are silent, or cut when the answer begins.
fn failing(path: &Path, server: String, lost: Arc<AtomicUsize>, silent: bool) {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let fails =
                lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            let server = server.clone();
            tokio::spawn(async move {
                if fails && silent {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                let mut upstream = UnixStream::connect(server).await.unwrap();
                if !fails {
                    drop(tokio::io::copy_bidirectional(&mut client, &mut upstream).await);
                    return;
                }
                let (mut said, mut answered) = ([0; 4096], [0; 256]);
                let length = client.read(&mut said).await.unwrap();
                upstream.write_all(&said[..length]).await.unwrap();
                let length = upstream.read(&mut answered).await.unwrap();
                drop(client.write_all(&answered[..length]).await);
            });
        }
    });
}

#[tokio::test]
async fn lost_connections_pass_or_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = socket(&dir);
    let Some(_server) = Server::python("signerd.py", &[&path]) else { return };
    for (at, silent) in [false, true].into_iter().enumerate() {
        let (front, lost) = (dir.path().join(format!("front{at}")), Arc::new(AtomicUsize::new(2)));
        failing(&front, path.clone(), Arc::clone(&lost), silent);
        let spec = format!("signerd://{}", front.display());
        let signer = open(&spec, &access(&[])).await.unwrap_or_else(|error| panic!("{}", text(&error)));
        assert_eq!(lost.load(Ordering::SeqCst), 0, "the connection was not lost");
        sign(signer.as_ref()).await.unwrap();
        let stays = dir.path().join(format!("stays{at}"));
        failing(&stays, path.clone(), Arc::new(AtomicUsize::new(100)), silent);
        let error = refusal(&format!("signerd://{}", stays.display()), &access(&[])).await;
        assert!(error.contains("did not answer"), "{error}");
    }
}
