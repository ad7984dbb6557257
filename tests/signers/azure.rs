//! Azure Key Vault: a fake that checks requests and signs for real.

use factory::signers::{self, Access};
use signing::Certificate;

use crate::common::{Server, access, open, refusal, signs};
use crate::proxy::Proxy;

fn application<'a>(url: &'a str, proof: &'a [(&'a str, &'a str)]) -> Access {
    let mut variables =
        vec![("AZURE_TENANT_ID", "tenant"), ("AZURE_CLIENT_ID", "app"), ("AZURE_AUTHORITY_HOST", url)];
    variables.extend(proof);
    access(&variables)
}

#[tokio::test]
async fn every_kind_of_credentials_opens_a_key() {
    let Some(server) = Server::python("azure.py", &[]) else { return };
    let url = format!("http://{}", server.address());
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), server.fact("/federated")).unwrap();
    let path = file.path().to_str().unwrap();
    for access in [
        application(&url, &[("AZURE_CLIENT_SECRET", server.fact("/secret"))]),
        application(&url, &[("AZURE_FEDERATED_TOKEN_FILE", path)]),
        access(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url)]),
    ] {
        let signer = open(&format!("azurekms://{}/secureboot", server.address()), &access).await.unwrap();
        signs(signer.as_ref()).await;
    }
}

#[tokio::test]
async fn versions_are_settled_and_certificates_come_with_keys() {
    let Some(server) = Server::python("azure.py", &[]) else { return };
    let url = format!("http://{}", server.address());
    let access = access(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url)]);
    let spec = |rest: &str| format!("azurekms://{}/{rest}", server.address());
    let newest = open(&spec("secureboot"), &access).await.unwrap();
    let first = open(&spec("secureboot/v1"), &access).await.unwrap();
    assert_ne!(newest.public_key().id(), first.public_key().id());
    signs(first.as_ref()).await;
    let found = signers::certificate(&spec("secureboot").parse().unwrap(), &access).await.unwrap().unwrap();
    let certificate = Certificate::from_pem(&found).unwrap();
    assert!(certificate.belongs_to(newest.public_key()));
    assert!(!certificate.belongs_to(first.public_key()));
}

#[tokio::test]
async fn what_cannot_sign_is_known_at_the_start() {
    let Some(server) = Server::python("azure.py", &[]) else { return };
    let url = format!("http://{}", server.address());
    let machine = access(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url)]);
    let wrong = application(&url, &[("AZURE_CLIENT_SECRET", "not-the-secret")]);
    for (key, access, said) in [
        ("none", &machine, "KeyNotFound"),
        ("secureboot/v9", &machine, "KeyNotFound"),
        ("forbidden", &machine, "not authorized"),
        ("elliptic", &machine, "the key is no RSA key"),
        ("secureboot", &wrong, "Invalid client secret"),
    ] {
        let error = refusal(&format!("azurekms://{}/{key}", server.address()), access).await;
        assert!(error.contains(said) && !error.contains("not-the-secret"), "{key}: {error}");
    }
}

#[tokio::test]
async fn faults_pass_or_are_told() {
    let Some(server) = Server::python("azure.py", &[]) else { return };
    let proxy = Proxy::before(server.address()).await;
    let url = format!("http://{}", server.address());
    let access = access(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url)]);
    let signer = open(&format!("azurekms://{}/secureboot", proxy.address), &access).await.unwrap();
    let forged = |signature: &[u8]| {
        let value = crate::vault::base64(signature).replace('+', "-").replace('/', "_");
        format!(r#"{{"kid":"x","value":"{}"}}"#, value.trim_end_matches('='))
    };
    proxy.torment(signer.as_ref(), &access, forged).await;
}
