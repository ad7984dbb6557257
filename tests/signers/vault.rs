//! Vault's transit engine.

use serde_json::{Value, json};
use tests::tool;

use crate::common::{Server, access, open, own, refusal, sign, signs};
use crate::proxy::Proxy;

fn start() -> Option<Server> {
    let program = own("vault-transit")?;
    Some(Server::start(&program, &[]))
}

/// Talks to the server as its administrator does.
fn vault(server: &Server, path: &str, body: &Value) {
    let url = format!("http://{}/v1/transit/{path}", server.address());
    let body = body.to_string();
    let arguments = ["-fsS", "-H", "X-Vault-Token: root", "-d", &body, &url];
    tool::run("curl", "curl", arguments).unwrap();
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use std::io::Write as _;
    let mut child = std::process::Command::new("base64")
        .arg("-w0")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn keys_sign_and_stay_the_same_when_vault_rotates_them() {
    let Some(server) = start() else { return };
    let url = format!("http://{}", server.address());
    let access = access(&[("VAULT_ADDR", &url), ("VAULT_TOKEN", "root")]);
    for kind in ["rsa-2048", "rsa-3072", "rsa-4096"] {
        vault(&server, &format!("keys/{kind}"), &json!({"type": kind}));
        signs(open(&format!("hashivault://{kind}"), &access).await.unwrap().as_ref()).await;
    }
    let before = open("hashivault://transit/rsa-2048", &access).await.unwrap();
    vault(&server, "keys/rsa-2048/rotate", &json!({}));
    signs(before.as_ref()).await;
    let after = open("hashivault://rsa-2048", &access).await.unwrap();
    signs(after.as_ref()).await;
    assert_ne!(before.public_key().id(), after.public_key().id());
    vault(
        &server,
        "keys/rsa-2048/config",
        &json!({"min_encryption_version": 2, "min_decryption_version": 2}),
    );
    let error = crate::common::text(&sign(before.as_ref()).await.unwrap_err());
    assert!(error.contains("less than the minimum encryption key version"), "{error}");
}

#[tokio::test]
async fn what_cannot_sign_is_known_at_the_start() {
    let Some(server) = start() else { return };
    vault(&server, "keys/rsa", &json!({"type": "rsa-2048"}));
    vault(&server, "keys/elliptic", &json!({"type": "ecdsa-p256"}));
    let url = format!("http://{}", server.address());
    let of = |token| access(&[("VAULT_ADDR", &url), ("VAULT_TOKEN", token)]);
    for (spec, access, said) in [
        ("hashivault://rsa", of("a-secret-token"), "permission denied"),
        ("hashivault://none", of("root"), "404 Not Found"),
        ("hashivault://elsewhere/rsa", of("root"), "404 Not Found"),
        ("hashivault://elliptic", of("root"), "expected an RSA key, but its type is ecdsa-p256"),
        ("hashivault://rsa", access(&[]), "set VAULT_ADDR"),
        (
            "hashivault://rsa",
            access(&[("VAULT_ADDR", "http://127.0.0.1:1"), ("VAULT_TOKEN", "x")]),
            "did not answer",
        ),
    ] {
        let error = refusal(spec, &access).await;
        assert!(error.contains(said) && !error.contains("a-secret-token"), "{spec}: {error}");
    }
    // One that may read, and not sign, is found out when it has to.
    let reader = open("hashivault://rsa", &of("reader")).await.unwrap();
    let error = crate::common::text(&sign(reader.as_ref()).await.unwrap_err());
    assert!(error.contains("refused to sign") && error.contains("permission denied"), "{error}");
}

#[tokio::test]
async fn faults_pass_or_are_told() {
    let Some(server) = start() else { return };
    vault(&server, "keys/rsa", &json!({"type": "rsa-2048"}));
    let proxy = Proxy::before(server.address()).await;
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join(".vault-token"), "root\n").unwrap();
    let url = format!("http://{}", proxy.address);
    let access = access(&[("VAULT_ADDR", &url), ("HOME", home.path().to_str().unwrap())]);
    let signer = open("hashivault://rsa", &access).await.unwrap();
    let forged = |signature: &[u8]| {
        json!({"data": {"signature": format!("vault:v1:{}", base64(signature))}}).to_string()
    };
    proxy.torment(signer.as_ref(), &access, forged).await;
}
