//! What pulling an installer costs, and serving it, beside servers that have it ready.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use tests::http::{Answer, exchange, request};

use crate::load::Load;
use crate::rivals::Rival;
use crate::server::{Asset, Server};
use crate::usage::cpu_of;
use crate::{Figure, RUNS, Rate, VERSION, chain, median};

const INDEX: &str = "Accept: application/vnd.oci.image.index.v1+json";
/// How many new schematics a figure is the mean of.
const BATCH: u32 = 10;
const PIECE: u64 = 64 * 1024;
/// CPU seconds until the manifests of both architectures are told.
const BUDGET: f64 = 2.0 * 0.050;

/// Prints the figures of a running factory.
pub fn print(server: &Server, inputs: &Path) {
    let id = server.new_schematic();
    let repository = format!("installer/{id}");
    let layer = pull(server, &repository);
    manifests(server, &repository);
    blobs(server, &repository, &layer);
    cold(server, &chain::median_of(RUNS, Asset::Uki, inputs));
}

fn get(server: &Server, method: &str, path: &str) -> Answer {
    let answer = exchange(server.address(), &request(method, path, &[], b"")).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer
}

/// Everything a client fetches for one architecture; the digest of the layer of ours.
fn pull(server: &Server, repository: &str) -> String {
    let digest = |value: &Value| value["digest"].as_str().unwrap().to_owned();
    get(server, "HEAD", &format!("/v2/{repository}/manifests/{VERSION}"));
    let index = get(server, "GET", &format!("/v2/{repository}/manifests/{VERSION}")).json();
    let image = digest(&index["manifests"][0]);
    let manifest = get(server, "GET", &format!("/v2/{repository}/manifests/{image}")).json();
    let layers = manifest["layers"].as_array().unwrap();
    for part in layers.iter().chain([&manifest["config"]]) {
        get(server, "GET", &format!("/v2/{repository}/blobs/{}", digest(part)));
    }
    digest(layers.last().unwrap())
}

fn manifests(server: &Server, repository: &str) {
    let registry = Rival::registry();
    let (from, to) = (server.address(), registry.address);
    let status = Command::new("skopeo")
        .args(["--insecure-policy", "copy", "--quiet", "--all", "--src-tls-verify=false"])
        .args(["--dest-tls-verify=false", &format!("docker://{from}/{repository}:{VERSION}")])
        .arg(format!("docker://{to}/bench/installer:{VERSION}"))
        .status();
    assert!(status.unwrap().success(), "skopeo cannot copy the installer");
    let load = Load { clients: 16, header: Some(INDEX), pieces: None };
    let ours = || load.run(&format!("http://{from}/v2/{repository}/manifests/{VERSION}"));
    let theirs = || load.run(&format!("http://{to}/v2/bench/installer/manifests/{VERSION}"));
    rate("installer manifest GET, 16 clients", "docker-registry", 5.0, (&ours, &theirs));
}

fn blobs(server: &Server, repository: &str, layer: &str) {
    let files = tempfile::tempdir().unwrap();
    let path = format!("/v2/{repository}/blobs/{layer}");
    let bytes = get(server, "GET", &path).body;
    std::fs::write(files.path().join("layer"), &bytes).unwrap();
    let nginx = Rival::nginx(files.path());
    let (own, other) =
        (format!("http://{}{path}", server.address()), format!("http://{}/layer", nginx.address));
    let whole = Load { clients: 1, header: None, pieces: None };
    rate("installer layer, one client", "nginx", 0.8, (&|| whole.run(&own), &|| whole.run(&other)));
    let parts = Load { clients: 16, header: None, pieces: Some((PIECE, bytes.len() as u64)) };
    rate("64 KiB of it at random, 16 clients", "nginx", 1.0, (&|| parts.run(&own), &|| parts.run(&other)));
}

/// Runs in turns, so that what else the machine does meets both.
fn rate(what: &str, name: &str, least: f64, (ours, theirs): (&dyn Fn() -> f64, &dyn Fn() -> f64)) {
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        own.push(ours());
        other.push(theirs());
    }
    Rate { what, ours: median(own), reference: (name, median(other)), least }.print();
}

/// New schematics: the index told by its first HEAD, and everything pulled to the last byte.
fn cold(server: &Server, chain: &crate::usage::Cost) {
    let schematics: Vec<(String, String)> =
        (0..BATCH).map(|_| (server.new_schematic(), server.new_schematic())).collect();
    let cost = |work: &dyn Fn()| {
        let (cpu, begun) = (cpu_of(server.id()), Instant::now());
        work();
        let batch = f64::from(BATCH);
        (begun.elapsed().as_secs_f64() / batch, (cpu_of(server.id()) - cpu) / batch)
    };
    let (head_wall, head_cpu) = cost(&|| {
        for (headed, _) in &schematics {
            get(server, "HEAD", &format!("/v2/installer/{headed}/manifests/{VERSION}"));
        }
    });
    let (wall, cpu) = cost(&|| {
        for (_, pulled) in &schematics {
            pull(server, &format!("installer/{pulled}"));
        }
    });
    for (what, ours, reference, budget) in [
        ("index, HEAD, wall", head_wall, chain.wall, None),
        ("index, HEAD, CPU", head_cpu, chain.cpu, Some(BUDGET)),
        ("pull of one, wall", wall, chain.wall, None),
        ("pull of one, CPU", cpu, chain.cpu, None),
    ] {
        let what = format!("new schematic, installer: {what}");
        let reference = Some(("tool chain", reference));
        Figure { what: &what, unit: "s", ours, reference, budget }.print();
    }
}
