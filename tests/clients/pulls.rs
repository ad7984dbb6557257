//! Each client pulls both architectures, cold and warm, by tag and by digest, and is told what it cannot have.

use schematics::{Arch, Digest};
use tests::{Failure, or_skip};

use crate::daemons::{Containerd, Docker};
use crate::programs::{Client, Crane, Oras, Podman, Skopeo};
use crate::site::{Site, VERSION, create};

fn check(site: &Site, client: &dyn Client) -> Result<(), Failure> {
    let (host, repository) = (site.host(), site.repository());
    let pull = |reference: &str, arch| client.pull(&format!("{host}/{repository}{reference}"), arch);
    // Cold: nothing was asked for before.
    let cold = pull(&format!(":{VERSION}"), Arch::Amd64)?;
    cold.check(Arch::Amd64, site.uki(Arch::Amd64))?;
    let index = format!("@{}", site.digest(&repository, VERSION));
    for arch in Arch::ALL {
        for reference in [&index, &format!(":{VERSION}"), ":latest"] {
            pull(reference, arch)?.check(arch, site.uki(arch))?;
        }
    }
    let nothing = Digest::of(b"nothing");
    let other = create(&site.factory, "customization: {extraKernelArgs: [other]}");
    for image in [
        format!("{host}/{repository}@{nothing}"),
        format!("{host}/{repository}:v9.9.9"),
        format!("{host}/{repository}:v1.13"),
        format!("{host}/installer/{}:{VERSION}", nothing.hex()),
        format!("{host}/installer/{other}{index}"),
        format!("{host}/aws-installer/{}{index}", site.id),
        format!("{host}/uninstaller/{}:{VERSION}", site.id),
        format!("{host}/siderolabs/none:{VERSION}"),
    ] {
        let refused = client.pull(&image, Arch::Amd64);
        assert!(matches!(refused, Err(Failure::Program { .. })), "{image}: {refused:?}");
    }
    Ok(())
}

fn program(client: impl FnOnce(&Site) -> Result<Box<dyn Client>, Failure>) {
    let checked = Site::new().and_then(|site| check(&site, client(&site)?.as_ref()));
    or_skip(checked);
}

#[test]
fn skopeo_pulls_installers() {
    program(|site| Ok(Box::new(Skopeo(site.place("skopeo")))));
}

#[test]
fn crane_pulls_installers() {
    program(|site| Ok(Box::new(Crane(site.place("crane")))));
}

#[test]
fn oras_pulls_installers() {
    program(|site| Ok(Box::new(Oras(site.place("oras")))));
}

#[test]
fn podman_pulls_and_runs_installers() {
    let checked = Site::new().and_then(|site| {
        let podman = Podman(site.place("podman"));
        check(&site, &podman)?;
        let image = format!("{}/{}:{VERSION}", site.host(), site.repository());
        podman.run(&["pull", "--quiet", "--tls-verify=false", "--arch=amd64", &image])?;
        // What Talos does with an installer before it trusts it.
        let help = podman.start(&image, "--help")?;
        assert!(help.contains("usage: installer"), "{help}");
        assert!(matches!(podman.start(&image, "nonsense"), Err(Failure::Program { .. })));
        Ok(())
    });
    or_skip(checked);
}

#[test]
fn docker_pulls_installers() {
    program(|site| Ok(Box::new(Docker::start(site.dir.path())?)));
}

#[test]
fn containerd_pulls_installers() {
    program(|site| Ok(Box::new(Containerd::start(site.dir.path())?)));
}
