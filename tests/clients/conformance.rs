//! The conformance suite of the OCI distribution specification, pull and discovery.
//!
//! It panics behind its report when nothing may be pushed, so the report is read instead of its exit status.

use std::process::{Command, Stdio};

use schematics::Digest;
use tests::{Failure, or_skip, tool};

use crate::programs::BUILT;
use crate::site::{Site, VERSION};

/// What is there, as the suite is told.
struct Told {
    repository: String,
    manifests: Vec<String>,
    blobs: Vec<String>,
}

impl Told {
    /// An index with all that it refers to.
    fn of(site: &Site, repository: &str) -> Self {
        let index = site.json(repository, "manifests", VERSION);
        let digests = |list: &serde_json::Value| -> Vec<String> {
            list.as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["digest"].as_str().unwrap().to_owned())
                .collect()
        };
        let mut manifests = digests(&index["manifests"]);
        let mut blobs = Vec::new();
        for manifest in &manifests {
            let manifest = site.json(repository, "manifests", manifest);
            blobs.extend(digests(&manifest["layers"]));
            blobs.push(manifest["config"]["digest"].as_str().unwrap().to_owned());
        }
        manifests.push(site.digest(repository, VERSION));
        Self { repository: repository.to_owned(), manifests, blobs }
    }
}

/// Runs the suite and tells its report.
fn report(site: &Site, told: &Told) -> Result<String, Failure> {
    let dir = site.place("conformance");
    let program = tool::find("conformance", BUILT)?;
    let output = Command::new(&program)
        .current_dir(&dir)
        .stdin(Stdio::null())
        .envs([
            ("OCI_REGISTRY", site.host().as_str()),
            ("OCI_TLS", "disabled"),
            ("OCI_REPO1", &told.repository),
            ("OCI_VERSION", "1.1"),
            ("OCI_API_PUSH", "false"),
            ("OCI_API_BLOBS_DELETE", "false"),
            ("OCI_API_MANIFESTS_DELETE", "false"),
            ("OCI_API_TAGS_DELETE", "false"),
            ("OCI_RO_DATA_TAGS", VERSION),
            ("OCI_RO_DATA_MANIFESTS", &told.manifests.join(" ")),
            ("OCI_RO_DATA_BLOBS", &told.blobs.join(" ")),
            ("OCI_RO_DATA_REFERRERS", &told.manifests.join(" ")),
            ("OCI_DATA_SHA512", "false"),
            ("OCI_RESULTS_DIR", "results"),
        ])
        .output()
        .map_err(Failure::io("start", &program))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn result(report: &str) -> Option<&str> {
    report.lines().find_map(|line| line.strip_prefix("OCI Conformance Result: "))
}

#[test]
fn the_registry_conforms() {
    let told = Site::new().and_then(|site| {
        for repository in [site.repository(), "siderolabs/installer-base".to_owned()] {
            let told = Told::of(&site, &repository);
            let text = report(&site, &told)?;
            assert_eq!(result(&text), Some("Pass"), "{repository}: {text}");
            assert!(!text.contains(": Fail"), "{text}");
        }
        Ok(())
    });
    or_skip(told);
}

#[test]
fn the_suite_notices_what_is_missing() {
    let told = Site::new().and_then(|site| {
        let good = Told::of(&site, &site.repository());
        let nothing = Digest::of(b"nothing").to_string();
        let bad_blob = Told {
            blobs: vec![nothing.clone()],
            manifests: good.manifests.clone(),
            repository: site.repository(),
        };
        let bad_manifest = Told { manifests: vec![nothing], ..good };
        for told in [bad_blob, bad_manifest] {
            let text = report(&site, &told)?;
            assert_eq!(result(&text), Some("FAIL"), "{text}");
        }
        Ok(())
    });
    or_skip(told);
}
