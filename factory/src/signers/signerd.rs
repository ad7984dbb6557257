//! The signing daemons that Talos' imager talks to: `SignerService` of `signerapi`, gRPC over a unix socket.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use signing::{HashAlgorithm, MessageDigest, RsaPublicKey};
use tokio::net::UnixStream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::place::{Fault, Place, Said};

/// The longest message that is read, in bytes.
const MAX_MESSAGE: usize = 256 * 1024;
/// RSASSA-PKCS1-v1_5 in the protocol.
const PKCS1V15: i32 = 1;

/// A daemon. Each call has a connection of its own: one on a local socket costs next to nothing, and a connection on which
/// nothing comes any more is not used again.
pub(super) struct Daemon {
    socket: PathBuf,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Empty {}

#[derive(Clone, PartialEq, prost::Message)]
struct CertificateAnswer {
    #[prost(bytes = "vec", tag = "1")]
    cert_pem: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PublicKeyAnswer {
    #[prost(bytes = "vec", tag = "1")]
    pub_key_pem: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SignRequest {
    #[prost(bytes = "vec", tag = "1")]
    digest: Vec<u8>,
    #[prost(int32, tag = "2")]
    hash: i32,
    #[prost(int32, tag = "3")]
    scheme: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SignAnswer {
    #[prost(bytes = "vec", tag = "1")]
    signature: Vec<u8>,
}

impl Daemon {
    pub(super) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    async fn connect(&self) -> Result<Channel, Fault> {
        let socket = self.socket.clone();
        let connect = service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        // The name is only for the `:authority` header: the socket is the address.
        let endpoint = Endpoint::from_static("http://localhost");
        endpoint.connect_with_connector(connect).await.map_err(Fault::unavailable)
    }

    async fn call<Q, A>(&self, method: &'static str, request: Q) -> Result<A, Fault>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let mut client = Grpc::new(self.connect().await?).max_decoding_message_size(MAX_MESSAGE);
        client.ready().await.map_err(Fault::unavailable)?;
        let path = PathAndQuery::from_static(method);
        let answer = client.unary(Request::new(request), path, ProstCodec::<Q, A>::default()).await;
        Ok(answer.map_err(|status| fault(&status))?.into_inner())
    }
}

fn fault(status: &Status) -> Fault {
    let said = Box::new(Said::new(&format!("{}: {}", status.code(), status.message())));
    match status.code() {
        Code::ResourceExhausted => Fault::Throttled(said, None),
        // A connection that is lost in the middle is told as `Unknown`, `Cancelled` or `Internal`.
        Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::Cancelled => {
            Fault::Unavailable(said)
        }
        Code::Unknown | Code::Internal if std::error::Error::source(status).is_some() => {
            Fault::Unavailable(said)
        }
        _ => Fault::Refused(said),
    }
}

#[async_trait]
impl Place for Daemon {
    async fn public_key(&self) -> Result<RsaPublicKey, Fault> {
        let answer: PublicKeyAnswer = self.call("/signerapi.SignerService/GetPublicKey", Empty {}).await?;
        Ok(RsaPublicKey::from_pem(&text(answer.pub_key_pem)?)?)
    }

    async fn sign(&self, digest: &MessageDigest) -> Result<Vec<u8>, Fault> {
        let hash = match digest.algorithm() {
            HashAlgorithm::Sha256 => 1,
            HashAlgorithm::Sha384 => 2,
            HashAlgorithm::Sha512 => 3,
        };
        let request = SignRequest { digest: digest.as_bytes().to_vec(), hash, scheme: PKCS1V15 };
        let answer: SignAnswer = self.call("/signerapi.SignerService/Sign", request).await?;
        Ok(answer.signature)
    }

    async fn certificate(&self) -> Result<Option<String>, Fault> {
        let answer: CertificateAnswer =
            self.call("/signerapi.SignerService/GetCertificate", Empty {}).await?;
        let certificate = text(answer.cert_pem)?;
        Ok((!certificate.is_empty()).then_some(certificate))
    }
}

fn text(bytes: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(bytes).map_err(|_| Fault::refused("the answer is not what was expected"))
}
