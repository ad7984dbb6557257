//! Installer images: what the registry tells, and what is inside.

use std::collections::BTreeMap;
use std::io::Read as _;

use fs_err as fs;
use schematics::Digest;
use serde_json::Value;
use tests::http::Answer;
use tests::keys::KeyFiles;
use tests::release::{VERSIONS, base_layers};
use tests::server::Factory;

use crate::secureboot::{is_signed, signing};
use crate::site::{FIXED_URL, Site, create, report};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const EMPTY: &str = "{}";
const GVISOR: &str = "customization: {systemExtensions: {officialExtensions: [siderolabs/gvisor]}}";

/// A document by its digest or tag, checked as a client does: HEAD says the same, and the digest is that of the bytes.
#[track_caller]
pub(crate) fn manifest(factory: &Factory, repository: &str, reference: &str) -> (String, Value) {
    let path = format!("/v2/{repository}/manifests/{reference}");
    let (head, answer) = (factory.head(&path), factory.get(&path));
    assert_eq!((head.status, answer.status), (200, 200), "{path}: {}", answer.text());
    for name in ["content-type", "content-length", "docker-content-digest", "etag"] {
        assert_eq!(head.header(name), answer.header(name), "{path} {name}");
    }
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()), "{path}");
    let digest = Digest::of(&answer.body).to_string();
    assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()), "{path}");
    assert_eq!(answer.header("content-type"), answer.json()["mediaType"].as_str(), "{path}");
    (digest, answer.json())
}

/// A blob by its descriptor, checked likewise.
#[track_caller]
pub(crate) fn blob(factory: &Factory, repository: &str, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap();
    let path = format!("/v2/{repository}/blobs/{digest}");
    let (head, answer) = (factory.head(&path), factory.get(&path));
    assert_eq!((head.status, answer.status), (200, 200), "{path}: {}", answer.text());
    let size = descriptor["size"].to_string();
    for answer in [&head, &answer] {
        assert_eq!(answer.header("content-length"), Some(size.as_str()), "{path}");
        assert_eq!(answer.header("docker-content-digest"), Some(digest), "{path}");
    }
    assert_eq!(Digest::of(&answer.body).to_string(), digest, "{path}");
    answer.body
}

/// The files of a layer by path, with mode and content.
pub(crate) fn files(layer: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut archive = tar::Archive::new(layer);
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(path, (entry.header().mode().unwrap(), content));
    }
    files
}

/// The image of an architecture: its configuration and its layers.
pub(crate) fn image(factory: &Factory, repository: &str, tag: &str, arch: &str) -> (Value, Vec<Vec<u8>>) {
    let (_, index) = manifest(factory, repository, tag);
    assert_eq!(index["mediaType"], INDEX);
    let platforms: Vec<&Value> =
        index["manifests"].as_array().unwrap().iter().map(|entry| &entry["platform"]).collect();
    let expected = |arch| serde_json::json!({ "architecture": arch, "os": "linux" });
    assert_eq!(platforms, [&expected("amd64"), &expected("arm64")]);
    let found = index["manifests"].as_array().unwrap().iter().find(|e| e["platform"]["architecture"] == arch);
    let (_, image) = manifest(factory, repository, found.unwrap()["digest"].as_str().unwrap());
    assert_eq!(image["mediaType"], MANIFEST);
    let config: Value = serde_json::from_slice(&blob(factory, repository, &image["config"])).unwrap();
    let layers: Vec<Vec<u8>> =
        image["layers"].as_array().unwrap().iter().map(|layer| blob(factory, repository, layer)).collect();
    let ids: Vec<Value> = layers.iter().map(|layer| Digest::of(layer).to_string().into()).collect();
    assert_eq!(config["rootfs"]["diff_ids"], Value::Array(ids), "the layers are uncompressed");
    (config, layers)
}

#[test]
fn every_version_has_the_layers_its_installer_expects() {
    let site = Site::new(GVISOR);
    for version in VERSIONS {
        for arch in ["amd64", "arm64"] {
            let repository = format!("installer/{}", site.id);
            let (config, layers) = image(&site.factory, &repository, version, arch);
            assert_eq!((config["architecture"].as_str(), config["os"].as_str()), (Some(arch), Some("linux")));
            assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/bin/installer"]));
            assert_eq!(config["config"]["Labels"]["alpha.talos.dev/version"], version);
            assert_eq!(config["created"], "2019-06-01T21:34:52Z");
            assert_eq!(config.get("history"), None);
            assert_eq!(
                layers.len(),
                2,
                "{version}: of a base with {} layers",
                base_layers(&version.parse().unwrap())
            );
            let unified = files(&layers[0]).contains_key("usr/bin/installer");
            let own = files(&layers[1]);
            let names: Vec<&str> = own.keys().map(|name| name.rsplit('/').next().unwrap()).collect();
            let expected =
                if unified { ["systemd-boot.efi", "vmlinuz.efi"] } else { ["initramfs.xz", "vmlinuz"] };
            assert_eq!(names, expected, "{version}");
            for (path, (mode, content)) in &own {
                assert!(path.starts_with(&format!("usr/install/{arch}/")) && *mode == 0, "{path}");
                let same = match path.rsplit('/').next().unwrap() {
                    "vmlinuz.efi" => format!("{version}/metal-{arch}-uki.efi"),
                    "vmlinuz" => format!("{version}/kernel-{arch}"),
                    "initramfs.xz" => format!("{version}/initramfs-{arch}.xz"),
                    _ => continue,
                };
                assert!(site.bytes(&same) == *content, "{version} {path} is not {same}");
            }
        }
    }
}

#[test]
fn signed_installers_have_what_is_signed_with_the_keys_of_the_host() {
    let keys = KeyFiles::generate().unwrap();
    let site = signing(&keys, GVISOR);
    for (version, uki) in [("v1.5.0", "vmlinuz.efi.signed"), ("v1.13.0", "vmlinuz.efi")] {
        let repository = format!("installer-secureboot/{}", site.id);
        let (_, layers) = image(&site.factory, &repository, version, "arm64");
        let own = files(&layers[1]);
        let names: Vec<&str> = own.keys().map(|name| name.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["systemd-boot.efi", uki]);
        let content = |name: &str| own[&format!("usr/install/arm64/{name}")].1.clone();
        assert!(
            content(uki) == site.bytes(&format!("{version}/metal-arm64-secureboot-uki.efi")),
            "{version}"
        );
        let loader = site.save("systemd-boot.efi", &content("systemd-boot.efi"));
        let Some(signed) = is_signed(&keys.certificate("main"), &loader) else { return };
        assert!(signed, "{version}");
        assert_eq!(site.get(&format!("{version}/installer-arm64-secureboot.tar")).status, 200);
    }
    let too_old = site.factory.get(&format!("/v2/installer-secureboot/{}/manifests/v1.3.7", site.id));
    assert_eq!(too_old.status, 400, "{}", too_old.text());
    let unsigned = Site::new(GVISOR);
    let without =
        unsigned.factory.get(&format!("/v2/installer-secureboot/{}/manifests/v1.13.0", unsigned.id));
    assert!(
        without.status == 400 && without.text().contains("secure boot is disabled"),
        "{}",
        without.text()
    );
}

#[test]
fn digests_are_the_same_in_every_factory_and_after_a_restart() {
    let tags = ["v1.3.7", "v1.9.4", "v1.13.0"];
    let told = |factory: &Factory, id: &str| {
        let of = |tag: &&str| {
            let (digest, index) = manifest(factory, &format!("installer/{id}"), tag);
            (digest, index["manifests"][1]["digest"].as_str().unwrap().to_owned())
        };
        tags.iter().map(of).collect::<Vec<_>>()
    };
    let site = Site::new(GVISOR);
    let first = told(&site.factory, &site.id);
    let other = Site::new(GVISOR);
    assert_eq!(told(&other.factory, &other.id), first);
    // By digest alone, as a client does that has read the manifest at another replica: with an empty memory.
    let (repository, arm64) = (format!("installer/{}", site.id), first[2].1.clone());
    let (_, told) = manifest(&site.factory, &repository, &arm64);
    let restarted = Factory::start_on(site.factory.stop().unwrap(), &[FIXED_URL]).unwrap();
    for layer in told["layers"].as_array().unwrap().iter().chain([&told["config"]]) {
        blob(&restarted, &repository, layer);
    }
    assert_eq!(manifest(&restarted, &repository, &arm64).1, told);
    assert_eq!(manifest(&restarted, &repository, &first[0].0).0, first[0].0);
}

#[test]
fn what_was_dropped_from_the_store_is_made_again_before_a_manifest_is_told() {
    let site = Site::new(EMPTY);
    let repository = format!("installer/{}", site.id);
    let (digest, index) = manifest(&site.factory, &repository, "v1.13.0");
    let of = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let (_, told) = manifest(&site.factory, &repository, &of);
    let dir = site.factory.stop().unwrap();
    fs::remove_dir_all(dir.path().join("data/blobs/objects")).unwrap();
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    // A layer of the base alone, then everything.
    blob(&factory, &repository, &told["layers"][0]);
    assert_eq!(manifest(&factory, &repository, &digest).0, digest);
    for layer in told["layers"].as_array().unwrap() {
        blob(&factory, &repository, layer);
    }
    // Without the source nothing can be made again, and so nothing is told. All of it has to go: while the base alone is
    // missing, layers of ours are made again behind the answers, and then an old manifest is good.
    let dir = factory.stop().unwrap();
    fs::remove_dir_all(dir.path().join("data/blobs/objects")).unwrap();
    let index = Factory::source_in(&dir).join("index.json");
    fs::write(&index, fs::read_to_string(&index).unwrap().replace("siderolabs/", "gone/")).unwrap();
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    for reference in ["v1.13.0", &digest, &of] {
        let answer = factory.get(&format!("/v2/{repository}/manifests/{reference}"));
        assert_eq!(answer.status, 502, "{reference}: {}", answer.text());
    }
}

#[test]
fn repositories_keep_to_themselves() {
    let site = Site::new(GVISOR);
    let factory = &site.factory;
    let (repository, other) = (format!("installer/{}", site.id), create(factory, EMPTY));
    let (digest, index) = manifest(factory, &repository, "v1.13.0");
    let image_digest = index["manifests"][0]["digest"].as_str().unwrap();
    let (_, image) = manifest(factory, &repository, image_digest);
    let (base, own) = (&image["layers"][0], image["layers"][1]["digest"].as_str().unwrap());
    let config = image["config"]["digest"].as_str().unwrap();
    // One image by two names.
    assert_eq!(manifest(factory, &format!("metal-installer/{}", site.id), &digest).0, digest);
    blob(factory, &format!("installer/{other}"), base);
    let kernel = Digest::of(&site.bytes("v1.13.0/kernel-amd64"));
    let nothing = Digest::of(b"nothing");
    for (path, status, code) in [
        (format!("installer/{other}/blobs/{own}"), 404, "BLOB_UNKNOWN"),
        (format!("installer/{other}/blobs/{config}"), 404, "BLOB_UNKNOWN"),
        (format!("aws-installer/{}/blobs/{own}", site.id), 404, "BLOB_UNKNOWN"),
        (format!("installer/{other}/manifests/{digest}"), 404, "MANIFEST_UNKNOWN"),
        (format!("aws-installer/{}/manifests/{digest}", site.id), 404, "MANIFEST_UNKNOWN"),
        // In the store, but no part of an installer on its own; and not of this kind.
        (format!("{repository}/blobs/{kernel}"), 404, "BLOB_UNKNOWN"),
        (format!("{repository}/blobs/{image_digest}"), 404, "BLOB_UNKNOWN"),
        (format!("{repository}/manifests/{own}"), 404, "MANIFEST_UNKNOWN"),
        (format!("{repository}/blobs/{nothing}"), 404, "BLOB_UNKNOWN"),
        (format!("{repository}/manifests/{nothing}"), 404, "MANIFEST_UNKNOWN"),
        (format!("{repository}/manifests/v9.9.9"), 404, "MANIFEST_UNKNOWN"),
        (format!("{repository}/manifests/v1.13"), 404, "MANIFEST_UNKNOWN"),
        (format!("{repository}/manifests/sha256-{}.sig", nothing.hex()), 404, "MANIFEST_UNKNOWN"),
        (format!("{repository}/manifests/sha256:00"), 400, "DIGEST_INVALID"),
        (format!("{repository}/blobs/sha256:{}", "A".repeat(64)), 400, "DIGEST_INVALID"),
        (format!("{repository}/blobs/v1.13.0"), 400, "DIGEST_INVALID"),
        (format!("{repository}/referrers/sha256:xyz"), 400, "DIGEST_INVALID"),
        (format!("installer/{}/manifests/v1.13.0", "0".repeat(64)), 404, "NAME_UNKNOWN"),
        (format!("uninstaller/{}/manifests/v1.13.0", site.id), 400, "NAME_INVALID"),
    ] {
        let answer = factory.get(&format!("/v2/{path}"));
        assert_eq!(
            (answer.status, answer.json()["errors"][0]["code"].as_str()),
            (status, Some(code)),
            "{path}: {}",
            answer.text()
        );
        assert_eq!(factory.head(&format!("/v2/{path}")).status, status, "{path}");
    }
}

#[test]
fn tags_are_listed_in_pages() {
    let site = Site::new(crate::overlays::BOARD);
    let path = format!("/v2/installer/{}/tags/list", site.id);
    let answer = site.factory.get(&path);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["name"], format!("installer/{}", site.id));
    let tags = |answer: &Answer| -> Vec<String> {
        answer.json()["tags"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned()).collect()
    };
    let all = tags(&answer);
    assert!(all.is_sorted() && all.contains(&"latest".to_owned()) && all.contains(&"v1.8.2".to_owned()));
    assert!(!all.contains(&"v1.6.0".to_owned()), "before there were overlays");
    let (mut next, mut seen) = (format!("{path}?n=2"), Vec::new());
    loop {
        let page = site.factory.get(&next);
        assert!(tags(&page).len() <= 2);
        seen.extend(tags(&page));
        let Some(link) = page.header("link") else { break };
        assert!(link.ends_with(">; rel=\"next\""), "{link}");
        next = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    assert_eq!(seen, all);
    assert_eq!(
        tags(&site.factory.get(&format!("{path}?last=v1.8"))),
        all[all.partition_point(|t| t.as_str() <= "v1.8")..]
    );
    let none = site.factory.get(&format!("{path}?n=0"));
    assert_eq!((tags(&none).len(), none.header("link")), (0, None));
    assert_eq!(site.factory.get(&format!("{path}?n=x")).status, 400);
    let newest = manifest(&site.factory, &format!("installer/{}", create(&site.factory, EMPTY)), "latest");
    let release = manifest(&site.factory, &format!("installer/{}", create(&site.factory, EMPTY)), "v1.13.1");
    assert_eq!(newest.0, release.0);
}

#[test]
fn layers_are_served_in_parts() {
    let site = Site::new(EMPTY);
    let repository = format!("installer/{}", site.id);
    let (_, index) = manifest(&site.factory, &repository, "v1.13.0");
    let (_, image) = manifest(&site.factory, &repository, index["manifests"][0]["digest"].as_str().unwrap());
    for layer in image["layers"].as_array().unwrap() {
        let whole = blob(&site.factory, &repository, layer);
        let path = format!("/v2/{repository}/blobs/{}", layer["digest"].as_str().unwrap());
        let part = site.factory.get_with(&path, &[("Range", "bytes=100-599")]);
        assert_eq!((part.status, part.body.as_slice()), (206, &whole[100..600]));
        assert_eq!(part.header("content-range"), Some(format!("bytes 100-599/{}", whole.len()).as_str()));
        let past = site.factory.get_with(&path, &[("Range", "bytes=99999999-")]);
        assert_eq!(past.status, 416);
        let etag = part.header("etag").unwrap().to_owned();
        assert_eq!(site.factory.get_with(&path, &[("If-None-Match", &etag)]).status, 304);
    }
}

#[test]
fn the_archive_is_the_same_image_for_docker() {
    let site = Site::new(GVISOR);
    for (version, asset, repository, arch) in [
        ("v1.13.0", "installer-amd64.tar", "installer", "amd64"),
        ("v1.13.0", "aws-installer-arm64.tar", "aws-installer", "arm64"),
        ("v1.9.4", "aws-installer-amd64.tar", "aws-installer", "amd64"),
        ("v1.9.4", "installer-amd64.tar", "installer", "amd64"),
    ] {
        let answer = site.get(&format!("{version}/{asset}"));
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/octet-stream")),
            "{asset}"
        );
        let archive = files(&answer.body);
        let manifest: Value = serde_json::from_slice(&archive["manifest.json"].1).unwrap();
        let name = format!("{repository}/{}:{version}", site.id);
        assert_eq!(manifest[0]["RepoTags"], serde_json::json!([name]), "{asset}");
        let (config, layers) = image(&site.factory, &format!("{repository}/{}", site.id), version, arch);
        let told: Value =
            serde_json::from_slice(&archive[manifest[0]["Config"].as_str().unwrap()].1).unwrap();
        assert_eq!(told, config, "{asset}");
        let of = |name: &Value| archive[name.as_str().unwrap()].1.clone();
        assert!(
            manifest[0]["Layers"].as_array().unwrap().iter().map(of).collect::<Vec<_>>() == layers,
            "{asset}"
        );
        let path = site.save(asset, &answer.body);
        let from = format!("docker-archive:{}", path.display());
        let Some(raw) = report("skopeo", "skopeo", &[&"inspect", &"--format={{.Architecture}}", &from])
        else {
            continue;
        };
        assert_eq!(raw.trim(), arch, "{asset}");
    }
}
