//! Bundles in a registry with TLS and passwords, and factories on it.

use std::path::Path;

use extensions::bundle::{PushError, Pushed, push};
use extensions::source::{Authorities, Credentials, RegistryOptions, RegistrySource};
use extensions::{ImageSource as _, LayoutSource, PullError, RegistryPusher, Repository};
use fs_err as fs;
use schematics::Arch;
use tests::bundle::{export, order};
use tests::server::Factory;
use tests::{Failure, or_skip, reference, tool};
use tokio::runtime::Runtime;

use crate::programs::{Client as _, Skopeo};
use crate::registry::{PASSWORD, Registry, USER};
use crate::site::{SCHEMATIC, Site, VERSION, text};

const NAMESPACE: &str = "mirror";

fn repository(name: &str) -> Repository {
    name.parse().unwrap()
}

/// How a registry is spoken to with a password.
fn options(registry: &Registry, password: &str) -> RegistryOptions {
    let credentials = fs::read(registry.credentials(password)).unwrap();
    RegistryOptions {
        credentials: Credentials::from_docker_config(&credentials).unwrap(),
        authorities: Authorities::from_pem(&fs::read_to_string(registry.authority()).unwrap()).unwrap(),
        ..RegistryOptions::default()
    }
}

fn pushed(bundle: &Path, registry: &Registry, options: &RegistryOptions) -> Result<Pushed, PushError> {
    let namespace = Some(repository(NAMESPACE));
    let layout = LayoutSource::open(bundle).unwrap();
    let there = RegistrySource::new(true, &registry.host, namespace.clone(), options.clone()).unwrap();
    let target = RegistryPusher::new(true, &registry.host, namespace, options);
    let last = repository("siderolabs/imager");
    let pushing = push(&layout, (&there, &target), &last, &|_, _| ());
    Runtime::new().unwrap().block_on(pushing)
}

/// A factory on the registry, with a password.
fn factory(registry: &Registry, password: &str) -> Factory {
    let source = format!("registry:https://{}/{NAMESPACE}", registry.host);
    let schematics = format!("{source}/siderolabs/image-factory/schematics");
    let (credentials, authority) = (text(&registry.credentials(password)), text(&registry.authority()));
    let trust = reference::trust(&reference::layout().unwrap());
    Factory::start(&[
        ("source", &source),
        ("trust", &trust),
        ("source-credentials", &credentials),
        ("registry-ca", &authority),
        ("schematic-repository", &schematics),
        ("schematic-repository-read-only", "true"),
        ("external-url", "http://factory.example"),
    ])
    .unwrap()
}

/// A registry with a bundle in it, and the path of the bundle.
fn filled(dir: &Path) -> Result<Registry, Failure> {
    let registry = Registry::secured()?;
    let source = format!("oci:{}", reference::layout()?.display());
    let path = dir.join("bundle.tar");
    export(&source, &order(&[VERSION], &[SCHEMATIC]).unwrap(), &path).unwrap();
    let right = options(&registry, PASSWORD);
    let first = pushed(&path, &registry, &right).unwrap();
    assert!(first.blobs > 0 && first.documents > 0 && first.tags > 0, "{first:?}");
    let again = pushed(&path, &registry, &right).unwrap();
    assert_eq!((again.blobs, again.documents, again.tags), (0, 0, 0), "{again:?}");
    Ok(registry)
}

#[test]
fn a_factory_serves_from_a_registry_that_a_bundle_was_pushed_to() {
    let served = Site::new().and_then(|site| {
        let registry = filled(site.dir.path())?;
        let factory = factory(&registry, PASSWORD);
        assert_eq!(factory.get("/versions").json(), serde_json::json!([VERSION]));
        // Nobody posted the schematic to this one.
        let manifest = format!("/v2/{}/manifests/{VERSION}", site.repository());
        assert_eq!(factory.get(&manifest).body, site.factory.get(&manifest).body);
        let image = format!("{}/{}:{VERSION}", factory.address(), site.repository());
        for arch in Arch::ALL {
            Skopeo(site.place("skopeo")).pull(&image, arch)?.check(arch, site.uki(arch))?;
        }
        for name in ["imager", "installer-base", "hello"] {
            let tag = if name == "hello" { "1.0.0" } else { VERSION };
            let passed = format!("/v2/siderolabs/{name}/manifests/{tag}");
            let (from, expected) = (factory.get(&passed), site.factory.get(&passed));
            assert_eq!((from.status, from.body), (200, expected.body), "{passed}");
        }
        // Signatures came along, and other clients read them with the same password.
        let digest = site.digest("siderolabs/imager", VERSION).replace(':', "-");
        let signature = format!("docker://{}/{NAMESPACE}/siderolabs/imager:{digest}.sig", registry.host);
        let login = format!("{USER}:{PASSWORD}");
        tool::run(
            "skopeo",
            "skopeo",
            ["inspect", "--raw", "--tls-verify=false", "--creds", &login, &signature],
        )?;
        let refused = tool::run("skopeo", "skopeo", ["inspect", "--raw", "--tls-verify=false", &signature]);
        assert!(matches!(refused, Err(Failure::Program { .. })), "{refused:?}");
        Ok(())
    });
    or_skip(served);
}

#[test]
fn a_wrong_password_is_told_and_not_tried_again_and_again() {
    let told = tempfile::tempdir().map_err(Failure::io("make", Path::new("a directory"))).and_then(|dir| {
        let registry = filled(dir.path())?;
        let wrong = options(&registry, "wrong horse");
        let failed = pushed(&dir.path().join("bundle.tar"), &registry, &wrong);
        assert!(matches!(failed, Err(PushError::Ask { source: PullError::Login { .. }, .. })), "{failed:?}");
        let before = registry.requests("/tags/list");
        let factory = factory(&registry, "wrong horse");
        let answer = factory.get("/versions");
        assert_eq!(answer.status, 502, "{}", answer.text());
        // Once at the start and once for the client, and each time without and with the password.
        assert!(registry.requests("/tags/list") - before <= 4, "{}", registry.requests("/tags/list"));
        // It is not that there is no such image.
        let answer = factory.get(&format!("/v2/siderolabs/imager/manifests/{VERSION}"));
        assert_eq!(answer.status, 502, "{}", answer.text());
        let answer = factory.get(&format!("/schematics/{}", "0".repeat(64)));
        assert_eq!(answer.status, 502, "{}", answer.text());
        Ok(())
    });
    or_skip(told);
}

#[test]
fn an_unknown_authority_is_told() {
    let told = Registry::secured().map(|registry| {
        let known = options(&registry, PASSWORD);
        let unknown = RegistryOptions { authorities: Authorities::default(), ..known.clone() };
        let ask = |options| {
            let source = RegistrySource::new(true, &registry.host, None, options).unwrap();
            Runtime::new().unwrap().block_on(async { source.resolve(&repository("a"), "v1").await })
        };
        assert!(matches!(ask(known), Err(PullError::NoTag { .. })));
        let error = ask(unknown).unwrap_err();
        assert!(matches!(error, PullError::Certificate { .. }), "{error:?}");
        assert!(error.to_string().ends_with("has a certificate that is not trusted here"), "{error}");
        // A certificate of this authority, but for another name.
        let host = registry.host.replace("127.0.0.1", "localhost.localdomain");
        let elsewhere = RegistrySource::new(true, &host, None, options(&registry, PASSWORD)).unwrap();
        let answer = Runtime::new().unwrap().block_on(async { elsewhere.tags(&repository("a")).await });
        assert!(answer.is_err());
    });
    or_skip(told);
}
