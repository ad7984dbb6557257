//! A registry that wants tokens of a service beside it (the distribution project's token specification).

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use extensions::bundle::{PushError, Pushed, push};
use extensions::source::{Credentials, RegistryOptions, RegistrySource};
use extensions::{LayoutSource, PullError, RegistryPusher};
use fs_err as fs;
use serde_json::json;
use tempfile::TempDir;
use tests::bundle::{export, order};
use tests::server::Factory;
use tests::{Failure, or_skip, reference, tool};
use tokio::runtime::Runtime;

use crate::registry::{PASSWORD, Registry, USER};
use crate::site::{SCHEMATIC, VERSION, text};

/// A service that hands out tokens to who knows the password. It ends with the process.
struct Tokens {
    realm: String,
    asked: Arc<AtomicUsize>,
    dir: TempDir,
}

impl Tokens {
    fn start() -> Result<Self, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let (key, certificate) = (text(&dir.path().join("key.pem")), text(&dir.path().join("cert.pem")));
        let own = ["-subj", "/CN=tokens", "-keyout", &key, "-out", &certificate];
        let common = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"];
        tool::run("openssl", "openssl", [&common[..], &own].concat())?;
        let der = tool::run("openssl", "openssl", ["x509", "-in", &certificate, "-outform", "DER"])?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let realm = format!("http://{}/token", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, at, chain) = (Arc::clone(&asked), dir.path().to_owned(), STANDARD.encode(der));
        thread::spawn(move || {
            for connection in listener.incoming() {
                count.fetch_add(1, Ordering::Relaxed);
                // A client that goes away gets no token.
                drop(connection.and_then(|connection| answer(connection, &at, &chain)));
            }
        });
        Ok(Self { realm, asked, dir })
    }

    fn certificate(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }
}

/// Answers one request for a token.
fn answer(mut connection: TcpStream, dir: &Path, chain: &str) -> std::io::Result<()> {
    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
    while !request.ends_with(b"\r\n\r\n") {
        let read = connection.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&piece[..read]);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let login = format!("authorization: Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let (status, body) = if request.lines().any(|line| line.eq_ignore_ascii_case(&login)) {
        ("200 OK", json!({ "token": token(&request, dir, chain) }).to_string())
    } else {
        ("401 Unauthorized", "{}".to_owned())
    };
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    connection.write_all(format!("{head}{body}").as_bytes())
}

/// A token for the scope of a request, for ever.
fn token(request: &str, dir: &Path, chain: &str) -> String {
    let scope = request.split([' ', '?', '&']).find_map(|part| part.strip_prefix("scope=")).unwrap();
    let scope = scope.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",");
    let (name, actions) = scope.strip_prefix("repository:").unwrap().rsplit_once(':').unwrap();
    let actions: Vec<&str> = actions.split(',').collect();
    let head = json!({ "typ": "JWT", "alg": "RS256", "x5c": [chain] });
    let claims = json!({
        "iss": "tokens", "sub": USER, "aud": "registry", "jti": "1", "iat": 0, "nbf": 0, "exp": 4_102_444_800_u64,
        "access": [{ "type": "repository", "name": name, "actions": actions }],
    });
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&head), encode(&claims));
    let place = tempfile::Builder::new().tempdir_in(dir).unwrap();
    let path = text(&place.path().join("signed"));
    fs::write(&path, &signed).unwrap();
    let key = text(&dir.join("key.pem"));
    let signature = tool::run("openssl", "openssl", ["dgst", "-sha256", "-sign", &key, &path]).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn pushed(bundle: &Path, registry: &Registry, password: &str) -> Result<Pushed, PushError> {
    let credentials = fs::read(registry.credentials(password)).unwrap();
    let credentials = Credentials::from_docker_config(&credentials).unwrap();
    let options = RegistryOptions { credentials, ..RegistryOptions::default() };
    let there = RegistrySource::new(false, &registry.host, None, options.clone()).unwrap();
    let target = RegistryPusher::new(false, &registry.host, None, &options);
    let (layout, last) = (LayoutSource::open(bundle).unwrap(), "siderolabs/imager".parse().unwrap());
    Runtime::new().unwrap().block_on(push(&layout, (&there, &target), &last, &|_, _| ()))
}

#[test]
fn a_registry_with_tokens_takes_a_bundle_and_is_a_source() {
    let served = Tokens::start().and_then(|tokens| {
        let registry = Registry::with_tokens(&tokens.realm, &tokens.certificate())?;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bundle.tar");
        let source = format!("oci:{}", reference::layout()?.display());
        export(&source, &order(&[VERSION], &[SCHEMATIC]).unwrap(), &path).unwrap();
        let refused = pushed(&path, &registry, "wrong horse");
        let login = matches!(refused, Err(PushError::Ask { source: PullError::Login { .. }, .. }));
        assert!(login, "{refused:?}");
        assert_eq!(tokens.asked.load(Ordering::Relaxed), 1, "a wrong password is tried once");
        assert!(pushed(&path, &registry, PASSWORD).unwrap().tags > 0);

        let source = format!("registry:http://{}", registry.host);
        let credentials = text(&registry.credentials(PASSWORD));
        let trust = reference::trust(&reference::layout()?);
        let keys = [("source", source.as_str()), ("trust", &trust), ("source-credentials", &credentials)];
        let factory = Factory::start(&keys).unwrap();
        assert_eq!(factory.get("/versions").json(), json!([VERSION]));
        let before = tokens.asked.load(Ordering::Relaxed);
        for image in ["imager", "installer-base", "imager", "installer-base"] {
            let answer = factory.get(&format!("/v2/siderolabs/{image}/manifests/{VERSION}"));
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let more = tokens.asked.load(Ordering::Relaxed) - before;
        assert!(more <= 1, "a token is kept for its repository: {more}");
        let anonymous = Factory::start(&keys[..2]).unwrap();
        assert_eq!(anonymous.get("/versions").status, 502);
        Ok(())
    });
    or_skip(served);
}
