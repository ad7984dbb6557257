//! AWS KMS, as moto has it.

use factory::signers::{Access, AcmArn, acm_certificate};

use crate::common::{Server, access, open, refusal, sign, signs, text};
use crate::proxy::Proxy;

fn of(server: &Server, user: &str, url: &str) -> Access {
    access(&[
        ("AWS_ACCESS_KEY_ID", server.fact(&format!("/users/{user}/id"))),
        ("AWS_SECRET_ACCESS_KEY", server.fact(&format!("/users/{user}/secret"))),
        ("AWS_REGION", server.fact("/region")),
        ("AWS_ENDPOINT_URL", url),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ])
}

#[tokio::test]
async fn keys_sign_by_arn_id_and_alias() {
    let Some(server) = Server::python("aws.py", &[]) else { return };
    let access = of(&server, "signer", &format!("http://{}", server.address()));
    let arn = server.fact("/keys/rsa");
    let id = arn.rsplit('/').next().unwrap();
    let address = server.address();
    let mut keys = Vec::new();
    for name in [arn, id, "alias/secureboot"] {
        let signer =
            open(&format!("awskms:///{name}"), &access).await.unwrap_or_else(|e| panic!("{}", text(&e)));
        signs(signer.as_ref()).await;
        keys.push(signer.public_key().id());
    }
    assert!(keys.iter().all(|key| *key == keys[0]));
    let elsewhere = open(&format!("awskms://{address}/alias/secureboot"), &access).await.unwrap();
    assert_eq!(elsewhere.public_key().id(), keys[0]);
    signs(open(&format!("awskms:///{}", server.fact("/keys/big")), &access).await.unwrap().as_ref()).await;
}

#[tokio::test]
async fn certificates_come_from_certificate_manager() {
    let Some(server) = Server::python("aws.py", &[]) else { return };
    let url = format!("http://{}", server.address());
    let arn: AcmArn = server.fact("/certificate").parse().unwrap();
    let found =
        acm_certificate(&arn, &of(&server, "signer", &url)).await.unwrap_or_else(|e| panic!("{}", text(&e)));
    assert_eq!(signing::Certificate::from_pem(&found).unwrap().subject(), "CN=acm");
    let stranger = acm_certificate(&arn, &of(&server, "stranger", &url)).await.unwrap_err();
    assert!(text(&stranger).contains("403 Forbidden"), "{}", text(&stranger));
}

#[tokio::test]
async fn what_cannot_sign_is_known_at_the_start() {
    let Some(server) = Server::python("aws.py", &[]) else { return };
    let url = format!("http://{}", server.address());
    let access_of = |user| of(&server, user, &url);
    let stranger = refusal("awskms:///alias/secureboot", &access_of("stranger")).await;
    assert!(stranger.contains("cannot be used") && stranger.contains("403 Forbidden"), "{stranger}");
    let unknown = refusal("awskms:///alias/none", &access_of("signer")).await;
    assert!(unknown.contains("NotFoundException"), "{unknown}");
    let elliptic = refusal(&format!("awskms:///{}", server.fact("/keys/ecc")), &access_of("signer")).await;
    assert!(elliptic.contains("holds no key that can be used"), "{elliptic}");
    let region = refusal("awskms:///alias/secureboot", &access(&[])).await;
    assert!(region.contains("set AWS_REGION"), "{region}");
    let nobody = [("AWS_REGION", "eu-central-1"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let nobody = refusal("awskms:///alias/secureboot", &access(&nobody)).await;
    assert!(nobody.contains("there are no credentials"), "{nobody}");
    let secret = server.fact("/users/signer/secret");
    let mut wrong: Vec<(&str, &str)> =
        vec![("AWS_SECRET_ACCESS_KEY", "0123456789012345678901234567890123456789")];
    wrong.extend([
        ("AWS_ACCESS_KEY_ID", server.fact("/users/signer/id")),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT_URL", url.as_str()),
    ]);
    let wrong = refusal("awskms:///alias/secureboot", &access(&wrong)).await;
    assert!(wrong.contains("403 Forbidden"), "{wrong}");
    for text in [stranger, unknown, elliptic, region, nobody, wrong] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn faults_pass_or_are_told() {
    let Some(server) = Server::python("aws.py", &[]) else { return };
    let proxy = Proxy::before(server.address()).await;
    let access = of(&server, "signer", &format!("http://{}", proxy.address));
    let signer = open("awskms:///alias/secureboot", &access).await.unwrap();
    proxy
        .torment(signer.as_ref(), &access, |signature| {
            format!(r#"{{"KeyId":"x","Signature":"{}"}}"#, crate::vault::base64(signature))
        })
        .await;
    let throttled = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#.to_owned();
    let throttled = crate::proxy::Fault::Answer("400 Bad Request", throttled);
    proxy.fail(std::slice::from_ref(&throttled)).await;
    sign(signer.as_ref()).await.unwrap();
    proxy.fail(&vec![throttled; 3]).await;
    let error = text(&sign(signer.as_ref()).await.unwrap_err());
    assert!(error.contains("takes no more requests") && error.contains("Rate exceeded"), "{error}");
}
