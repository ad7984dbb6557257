//! Google Cloud KMS: a fake that checks requests and signs for real.

use factory::signers::Access;
use signing::{HashAlgorithm, SignError};
use tempfile::NamedTempFile;

use crate::common::{Server, access, open, refusal, sign, text};
use crate::proxy::Proxy;

/// The credentials of an account of the fake, in a file.
fn credentials(server: &Server, account: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs_err::write(file.path(), server.facts[account].to_string()).unwrap();
    file
}

fn with_file(file: &NamedTempFile, url: &str) -> Access {
    access(&[
        ("GOOGLE_APPLICATION_CREDENTIALS", file.path().to_str().unwrap()),
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", url),
    ])
}

fn version(server: &Server, key: &str) -> String {
    format!("gcpkms://{}/{key}/cryptoKeyVersions/1", server.fact("/ring"))
}

#[tokio::test]
async fn accounts_and_machines_sign_with_the_one_function_of_a_key() {
    let Some(server) = Server::python("gcp.py", &[]) else { return };
    let url = format!("http://{}/", server.address());
    let file = credentials(&server, "account");
    let machine =
        [("GCE_METADATA_HOST", server.address()), ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", &url)];
    for access in [with_file(&file, &url), access(&machine)] {
        let signer = open(&version(&server, "sb"), &access).await.unwrap();
        sign(signer.as_ref()).await.unwrap();
        let pcr = open(&version(&server, "pcr"), &access).await.unwrap();
        let digest = HashAlgorithm::Sha512.hash(b"abc");
        assert_eq!(signing::signer::sign(pcr.as_ref(), &digest).await.unwrap().len(), 512);
        let error = sign(pcr.as_ref()).await.unwrap_err();
        assert!(matches!(error, SignError::Refused { .. }));
        assert!(
            text(&error).contains("RSA_SIGN_PKCS1_4096_SHA512 and signs no sha256 digests"),
            "{}",
            text(&error)
        );
    }
}

#[tokio::test]
async fn what_cannot_sign_is_known_at_the_start() {
    let Some(server) = Server::python("gcp.py", &[]) else { return };
    let url = format!("http://{}", server.address());
    let (account, stranger) = (credentials(&server, "account"), credentials(&server, "stranger"));
    let broken = NamedTempFile::new().unwrap();
    fs_err::write(broken.path(), r#"{"type":"service_account","private_key":"secret"}"#).unwrap();
    for (key, file, said) in [
        ("none", &account, "PERMISSION_DENIED"),
        ("pss", &account, "expected a key for RSA_SIGN_PKCS1, but it is for RSA_SIGN_PSS_2048_SHA256"),
        ("sb", &stranger, "Invalid JWT Signature"),
        ("sb", &broken, "holds no credentials"),
    ] {
        let error = refusal(&version(&server, key), &with_file(file, &url)).await;
        assert!(error.contains(said) && !error.contains("secret"), "{key}: {error}");
    }
}

#[tokio::test]
async fn faults_pass_or_are_told() {
    let Some(server) = Server::python("gcp.py", &[]) else { return };
    let proxy = Proxy::before(server.address()).await;
    let url = format!("http://{}", proxy.address);
    let access = access(&[
        ("GCE_METADATA_HOST", server.address()),
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", &url),
    ]);
    let signer = open(&version(&server, "sb"), &access).await.unwrap();
    let forged = |signature: &[u8]| format!(r#"{{"signature":"{}"}}"#, crate::vault::base64(signature));
    proxy.torment(signer.as_ref(), &access, forged).await;
}
