//! Images of the source, passed on.

use fs_err as fs;
use schematics::Digest;
use tests::server::Factory;

use crate::site::FIXED_URL;

/// One image of each kind: a part of a release, an extension, an overlay.
const IMAGES: [(&str, &str); 4] = [
    ("siderolabs/installer-base", "v1.13.0"),
    ("siderolabs/imager", "v1.13.0"),
    ("siderolabs/gvisor", "usr-lib-1"),
    ("siderolabs/sbc-rpi-generic", "v0.1.0"),
];

/// Everything below a tag: documents by digest, and blobs with their sizes.
fn walk(factory: &Factory, repository: &str, reference: &str) -> Vec<(String, usize)> {
    let answer = factory.get(&format!("/v2/{repository}/manifests/{reference}"));
    assert_eq!(answer.status, 200, "{repository}:{reference}: {}", answer.text());
    let digest = Digest::of(&answer.body).to_string();
    assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()));
    let mut seen = vec![(digest, answer.body.len())];
    let json = answer.json();
    let list = |name: &str| json[name].as_array().cloned().unwrap_or_default();
    for entry in list("manifests") {
        seen.extend(walk(factory, repository, entry["digest"].as_str().unwrap()));
    }
    let blobs = list("layers").into_iter().chain(json.get("config").cloned());
    for entry in blobs {
        let path = format!("/v2/{repository}/blobs/{}", entry["digest"].as_str().unwrap());
        let (head, blob) = (factory.head(&path), factory.get(&path));
        assert_eq!((head.status, blob.status), (200, 200), "{path}");
        assert_eq!(head.header("content-length"), Some(entry["size"].to_string().as_str()), "{path}");
        assert_eq!(Digest::of(&blob.body).to_string(), entry["digest"].as_str().unwrap());
        seen.push((path, blob.body.len()));
    }
    seen
}

#[test]
fn images_are_passed_on_and_kept_for_when_the_source_is_gone() {
    let factory = Factory::with_release(&[FIXED_URL]).unwrap();
    let seen: Vec<_> = IMAGES.map(|(repository, tag)| walk(&factory, repository, tag)).into();
    let dir = factory.stop().unwrap();
    let source = Factory::source_in(&dir);
    fs::remove_dir_all(source.join("blobs")).unwrap();
    fs::write(source.join("index.json"), "{").unwrap();
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    let again: Vec<_> = IMAGES.map(|(repository, tag)| walk(&factory, repository, tag)).into();
    assert_eq!(again, seen);
    // What was not asked for before is not there now.
    let answer = factory.get("/v2/siderolabs/installer-base/manifests/v1.12.0");
    assert_eq!(answer.status, 502, "{}", answer.text());
}

#[test]
fn what_the_source_does_not_have_is_unknown() {
    let factory = Factory::with_release(&[FIXED_URL]).unwrap();
    let nothing = Digest::of(b"nothing");
    for (path, status, code) in [
        ("siderolabs/nonexistent/tags/list".to_owned(), 404, "NAME_UNKNOWN"),
        ("siderolabs/nonexistent/manifests/v1.13.0".to_owned(), 404, "MANIFEST_UNKNOWN"),
        ("siderolabs/imager/manifests/v9.9.9".to_owned(), 404, "MANIFEST_UNKNOWN"),
        (format!("siderolabs/imager/manifests/{nothing}"), 404, "MANIFEST_UNKNOWN"),
        (format!("siderolabs/imager/blobs/{nothing}"), 404, "BLOB_UNKNOWN"),
        ("siderolabs/imager/blobs/sha256:0".to_owned(), 400, "DIGEST_INVALID"),
    ] {
        let answer = factory.get(&format!("/v2/{path}"));
        assert_eq!(
            (answer.status, answer.json()["errors"][0]["code"].as_str()),
            (status, Some(code)),
            "{path}: {}",
            answer.text()
        );
    }
    let referrers = factory.get(&format!("/v2/siderolabs/imager/referrers/{nothing}"));
    assert_eq!((referrers.status, referrers.json()["manifests"].as_array().map(Vec::len)), (200, Some(0)));
    let tags = factory.get("/v2/siderolabs/installer-base/tags/list").json();
    let first = |word: &str| {
        tags["tags"].as_array().unwrap().iter().find(|tag| tag.as_str().unwrap().starts_with(word)).cloned()
    };
    assert_eq!(first("v").unwrap(), "v1.10.0", "{tags}");
    assert!(
        first("sha256-").unwrap().as_str().unwrap().ends_with(".sig"),
        "signatures are tags like any other"
    );
}
