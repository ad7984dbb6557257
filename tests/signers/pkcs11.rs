//! PKCS#11: keys in a token of SoftHSM, made by OpenSC's tool.
//!
//! The module is told where its tokens are by an environment variable, which a test cannot set for itself; so each test runs
//! the program, `factory keys csr`, which signs with the key, and openssl judges what comes out. What needs one process over
//! several calls runs in a child that is this test binary again.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use tests::{or_skip, tool};

use crate::common::{access, file, open, sign, signs, text};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "31337";

/// A directory of tokens with one token, `signing`.
struct Token {
    dir: TempDir,
    tool: PathBuf,
}

impl Token {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        file(MODULE, "softhsm2")?;
        let softhsm = or_skip(tool::find("softhsm2-util", "softhsm2"))?;
        let tool = or_skip(tool::find("pkcs11-tool", "opensc"))?;
        fs_err::create_dir(dir.path().join("tokens")).unwrap();
        let config = format!("directories.tokendir = {}/tokens\nlog.level = ERROR\n", dir.path().display());
        fs_err::write(dir.path().join("softhsm2.conf"), config).unwrap();
        let token = Self { dir, tool };
        let arguments = ["--init-token", "--free", "--label", "signing", "--pin", PIN, "--so-pin", "1234"];
        ok(token.command(&softhsm).args(arguments));
        Some(token)
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("softhsm2.conf")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("SOFTHSM2_CONF", self.config());
        command
    }

    /// What OpenSC's tool does to the token, logged in.
    fn does(&self, arguments: &[&str]) {
        let common = ["--module", MODULE, "--token-label", "signing", "--login", "--pin", PIN];
        ok(self.command(&self.tool).args(common).args(arguments));
    }

    fn make_key(&self, kind: &str, label: &str, id: &str) {
        self.does(&["--keypairgen", "--key-type", kind, "--label", label, "--id", id]);
    }

    /// Runs one of the tests below in a process that sees the tokens.
    fn child(&self, test: &str) {
        let mut command = self.command(&std::env::current_exe().unwrap());
        command.args(["--exact", &format!("pkcs11::in_child::{test}"), "--nocapture"]);
        let output = command.env("FACTORY_TEST_CHILD", "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("1 passed"), "{said}");
    }
}

fn ok(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn spec(rest: &str) -> String {
    format!("pkcs11:token=signing;{rest}module-path={MODULE}&pin-value={PIN}")
}

#[test]
fn keys_sign_and_bring_their_certificate() {
    let Some(token) = Token::new() else { return };
    token.make_key("rsa:2048", "secureboot", "01");
    token.make_key("rsa:4096", "big", "02");
    token.child("keys_sign");
}

#[test]
fn what_cannot_sign_is_known_at_the_start() {
    let Some(token) = Token::new() else { return };
    token.make_key("rsa:2048", "twice", "01");
    token.make_key("rsa:2048", "twice", "02");
    token.make_key("EC:prime256v1", "elliptic", "03");
    token.child("refusals");
}

#[test]
fn a_key_that_was_replaced_does_not_sign_for_the_old_one() {
    let Some(token) = Token::new() else { return };
    token.make_key("rsa:2048", "secureboot", "01");
    token.child("replaced");
}

/// Run by the tests above, with a token; on their own they do nothing.
mod in_child {
    use super::*;

    fn is_child() -> bool {
        std::env::var_os("FACTORY_TEST_CHILD").is_some()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn keys_sign() {
        if !is_child() {
            return;
        }
        let access = access(&[("PKCS11_MODULE_PATH", MODULE)]);
        let by_label =
            open(&spec("object=secureboot?"), &access).await.unwrap_or_else(|e| panic!("{}", text(&e)));
        signs(by_label.as_ref()).await;
        let pin = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(pin.path(), format!("{PIN}\n")).unwrap();
        let by_id = format!("pkcs11:token=signing;id=%01?pin-source={}", pin.path().display());
        let by_id = open(&by_id, &access).await.unwrap();
        assert_eq!(by_id.public_key().id(), by_label.public_key().id());
        signs(open(&spec("object=big;type=private?"), &access).await.unwrap().as_ref()).await;
        // Many at a time share sessions.
        let at_once = (0..20).map(|_| {
            let signer = std::sync::Arc::clone(&by_label);
            tokio::spawn(async move { sign(signer.as_ref()).await.unwrap() })
        });
        for signing in at_once.collect::<Vec<_>>() {
            assert_eq!(signing.await.unwrap(), sign(by_label.as_ref()).await.unwrap());
        }
        let none = factory::signers::certificate(&spec("object=big?").parse().unwrap(), &access).await;
        assert_eq!(none.unwrap(), None);
        certificate_beside(&access, by_label.as_ref()).await;
    }

    /// Writes a certificate into the token, and finds it again.
    async fn certificate_beside(access: &factory::signers::Access, signer: &dyn signing::Signer) {
        let terms = signing::certificate::Terms {
            common_name: "token",
            not_before: 1_704_067_200,
            not_after: 2_335_219_200,
            authority: false,
        };
        let certificate = signing::certificate::self_signed(signer, &terms).await.unwrap();
        let der = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(der.path(), certificate.to_der()).unwrap();
        let path = der.path().to_str().unwrap();
        let arguments = [
            "--module",
            MODULE,
            "--token-label",
            "signing",
            "--login",
            "--pin",
            PIN,
            "--write-object",
            path,
            "--type",
            "cert",
            "--label",
            "secureboot",
            "--id",
            "01",
        ];
        tool::run("pkcs11-tool", "opensc", arguments).unwrap();
        let found = factory::signers::certificate(&spec("object=secureboot?").parse().unwrap(), access).await;
        assert_eq!(signing::Certificate::from_pem(&found.unwrap().unwrap()).unwrap(), certificate);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn refusals() {
        if !is_child() {
            return;
        }
        let access = access(&[]);
        let wrong_pin = format!("pkcs11:token=signing;id=%01?module-path={MODULE}&pin-value=secret-pin");
        for (spec, said) in [
            ("pkcs11:object=x".to_owned(), "name the module"),
            ("pkcs11:object=x?module-path=/no/such.so".to_owned(), "/no/such.so"),
            (format!("pkcs11:token=none;object=x?module-path={MODULE}"), "there is no such token"),
            // Before a right PIN was given: being logged in is a state of the token.
            (wrong_pin.clone(), "incorrect"),
            (spec("object=none?"), "no such private key"),
            (spec("object=twice?"), "several objects"),
            (spec("object=elliptic?"), "holds no key that can be used"),
        ] {
            let error = crate::common::refusal(&spec, &access).await;
            assert!(error.contains(said), "{spec}: {error}");
            assert!(!error.contains("secret-pin") && !error.contains(PIN), "{error}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn replaced() {
        if !is_child() {
            return;
        }
        let signer = open(&spec("object=secureboot?"), &access(&[])).await.unwrap();
        sign(signer.as_ref()).await.unwrap();
        let common = ["--module", MODULE, "--token-label", "signing", "--login", "--pin", PIN];
        let opensc = |arguments: &[&str]| {
            tool::run("pkcs11-tool", "opensc", common.iter().chain(arguments)).unwrap();
        };
        for kind in ["privkey", "pubkey"] {
            opensc(&["--delete-object", "--type", kind, "--id", "01"]);
        }
        let gone = sign(signer.as_ref()).await.unwrap_err();
        assert!(matches!(gone, signing::SignError::Refused { .. }), "{}", text(&gone));
        opensc(&["--keypairgen", "--key-type", "rsa:2048", "--label", "secureboot", "--id", "01"]);
        let error = sign(signer.as_ref()).await.unwrap_err();
        assert!(matches!(error, signing::SignError::WrongKey { .. }), "{}", text(&error));
    }
}
