//! The installer as a file: what loads it.

use fs_err as fs;
use schematics::Arch;
use tests::{Failure, or_skip, tool};

use crate::daemons::Docker;
use crate::programs::{BUILT, Podman};
use crate::site::{Site, VERSION, text};

/// The archive of an architecture, and the same cut off.
fn archives(site: &Site, arch: Arch) -> (String, String) {
    let bytes = site.download(&format!("installer-{arch}.tar"));
    let (whole, cut) =
        (site.dir.path().join(format!("{arch}.tar")), site.dir.path().join(format!("{arch}-cut.tar")));
    fs::write(&whole, &bytes).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    (text(&whole), text(&cut))
}

/// The name an archive is loaded under.
fn name(site: &Site) -> String {
    format!("{}:{VERSION}", site.repository())
}

#[test]
fn docker_loads_and_runs_the_archive() {
    let loaded = Site::new().and_then(|site| {
        let docker = Docker::start(site.dir.path())?;
        for arch in Arch::ALL {
            let (whole, cut) = archives(&site, arch);
            assert!(matches!(docker.run(&["load", "--input", &cut]), Err(Failure::Program { .. })));
            let said = docker.run(&["load", "--input", &whole])?;
            assert!(said.ends_with(&format!("Loaded image: {}", name(&site))), "{said}");
            let loaded = docker.run(&[
                "image",
                "inspect",
                "--format={{.Architecture}} {{.Config.Entrypoint}}",
                &name(&site),
            ])?;
            assert_eq!(loaded, format!("{arch} [/bin/installer]"));
            if arch == Arch::Amd64 {
                let help = docker.run(&["run", "--rm", "--network=none", &name(&site), "--help"])?;
                assert!(help.contains("usage: installer"), "{help}");
            }
        }
        Ok(())
    });
    or_skip(loaded);
}

#[test]
fn podman_loads_the_archive() {
    let loaded = Site::new().and_then(|site| {
        let podman = Podman(site.place("podman"));
        let (whole, cut) = archives(&site, Arch::Arm64);
        assert!(matches!(podman.run(&["load", "--quiet", "--input", &cut]), Err(Failure::Program { .. })));
        podman.run(&["load", "--quiet", "--input", &whole])?;
        let image = format!("localhost/{}", name(&site));
        let loaded = podman.run(&["image", "inspect", "--format={{.Architecture}}", &image])?;
        assert_eq!(String::from_utf8_lossy(&loaded).trim(), "arm64");
        Ok(())
    });
    or_skip(loaded);
}

#[test]
fn crane_and_skopeo_read_the_archive() {
    let read = Site::new().and_then(|site| {
        for arch in Arch::ALL {
            let (whole, cut) = archives(&site, arch);
            tool::run("crane", BUILT, ["validate", "--tarball", &whole])?;
            let broken = tool::run("crane", BUILT, ["validate", "--tarball", &cut]);
            assert!(matches!(broken, Err(Failure::Program { .. })), "{broken:?}");
            // It is the very image that the registry has.
            let raw = tool::run(
                "skopeo",
                "skopeo",
                ["inspect", "--config", "--raw", &format!("docker-archive:{whole}")],
            )?;
            let index = site.json(&site.repository(), "manifests", VERSION);
            let entries = index["manifests"].as_array().unwrap();
            let entry =
                entries.iter().find(|entry| entry["platform"]["architecture"] == arch.name()).unwrap();
            let manifest = site.json(&site.repository(), "manifests", entry["digest"].as_str().unwrap());
            let config =
                site.json(&site.repository(), "blobs", manifest["config"]["digest"].as_str().unwrap());
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&raw).unwrap(), config);
        }
        Ok(())
    });
    or_skip(read);
}
