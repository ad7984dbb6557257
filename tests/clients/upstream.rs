//! The reference release in Debian's docker-registry, instead of a directory.

use fs_err as fs;
use schematics::Arch;
use serde_json::Value;
use tests::{Failure, or_skip, reference, tool};

use crate::programs::{Client, Skopeo};
use crate::registry::Registry;
use crate::site::{Site, VERSION, text};

/// A registry with the images of one version of the release.
pub(crate) struct Upstream {
    registry: Registry,
    names: Vec<String>,
}

impl Upstream {
    pub(crate) fn start() -> Result<Self, Failure> {
        let layout = reference::layout()?;
        let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
        let name = |entry: &Value| {
            entry["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned)
        };
        let names = index["manifests"].as_array().unwrap().iter().filter_map(name);
        // Another version of Talos is of no use here.
        let names = names.filter(|name| !name.ends_with(":v1.12.0")).collect();
        let upstream = Self { registry: Registry::open()?, names };
        upstream.fill(&text(&layout))?;
        Ok(upstream)
    }

    pub(crate) fn host(&self) -> String {
        self.registry.host.clone()
    }

    /// It as a source.
    pub(crate) fn source(&self) -> String {
        format!("registry:http://{}", self.registry.host)
    }

    fn fill(&self, layout: &str) -> Result<(), Failure> {
        for name in &self.names {
            let (from, to) = (format!("oci:{layout}:{name}"), format!("docker://{}/{name}", self.host()));
            let options = [
                "--insecure-policy",
                "copy",
                "--quiet",
                "--all",
                "--preserve-digests",
                "--dest-tls-verify=false",
            ];
            tool::run("skopeo", "skopeo", [&options[..], &[&from, &to]].concat())?;
        }
        Ok(())
    }
}

#[test]
fn installers_are_the_same_whatever_the_source() {
    let pulled = Upstream::start().and_then(|upstream| {
        let layout = Site::new()?;
        let site = Site::on(&upstream.source())?;
        assert_eq!(site.digest(&site.repository(), VERSION), layout.digest(&layout.repository(), VERSION));
        let image = format!("{}/{}:{VERSION}", site.host(), site.repository());
        for arch in Arch::ALL {
            Skopeo(site.place("skopeo")).pull(&image, arch)?.check(arch, layout.uki(arch))?;
        }
        Ok(())
    });
    or_skip(pulled);
}

#[test]
fn images_of_the_source_go_through_and_stay_when_it_is_gone() {
    let passed = Upstream::start().and_then(|upstream| {
        let site = Site::on(&upstream.source())?;
        let copy = |name: &str| {
            let from = format!("docker://{}/{name}", site.host());
            let to = format!("dir:{}", text(&crate::programs::fresh(&site.place("passed"))));
            let options = [
                "--insecure-policy",
                "copy",
                "--quiet",
                "--all",
                "--preserve-digests",
                "--src-tls-verify=false",
            ];
            tool::run("skopeo", "skopeo", [&options[..], &[&from, &to]].concat())
        };
        for name in &upstream.names {
            copy(name)?;
            let (repository, tag) = name.split_once(':').unwrap();
            let raw = |host: &str| {
                let image = format!("docker://{host}/{name}");
                tool::run("skopeo", "skopeo", ["inspect", "--raw", "--tls-verify=false", &image])
            };
            assert_eq!(raw(&site.host())?, raw(&upstream.host())?, "{repository} {tag}");
        }
        let (names, host) = (upstream.names.clone(), site.host());
        drop(upstream);
        for name in &names {
            copy(name)?;
        }
        let never = format!("docker://{host}/siderolabs/imager:v1.12.0");
        let refused = tool::run("skopeo", "skopeo", ["inspect", "--tls-verify=false", &never]);
        assert!(matches!(refused, Err(Failure::Program { .. })), "{refused:?}");
        Ok(())
    });
    or_skip(passed);
}
