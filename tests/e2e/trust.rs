//! Whose images are used.

use extensions::LayoutWriter;
use fs_err as fs;
use schematics::Digest;
use signing::{SigningKey, cosign};
use tests::http::Answer;
use tests::release;
use tests::server::Factory;

use crate::site::FIXED_URL;

const PLAIN: &str = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba";
const VERSION: &str = "v1.13.0";
const IMAGER: &str = "siderolabs/imager";

fn kernel() -> String {
    format!("/image/{PLAIN}/{VERSION}/kernel-amd64")
}

/// A factory with these keys, stopped: its directory, to be changed.
fn stopped() -> tempfile::TempDir {
    let factory = Factory::with_release(&[FIXED_URL]).unwrap();
    assert_eq!(factory.post_schematic("{}").status, 201);
    factory.stop().unwrap()
}

/// Takes the signatures out of the source.
fn unsign(dir: &tempfile::TempDir) {
    let path = Factory::source_in(dir).join("index.json");
    let mut index: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let entries = index["manifests"].as_array_mut().unwrap();
    let before = entries.len();
    entries.retain(|entry| {
        let name = &entry["annotations"]["org.opencontainers.image.ref.name"];
        !name.as_str().is_some_and(|name| name.ends_with(".sig"))
    });
    assert!(entries.len() < before);
    fs::write(&path, index.to_string()).unwrap();
}

/// The digest a tag of the imager stands for.
fn imager(dir: &tempfile::TempDir) -> Digest {
    let source = extensions::LayoutSource::open(Factory::source_in(dir)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let repository = IMAGER.parse().unwrap();
    let resolve = extensions::ImageSource::resolve(&source, &repository, VERSION);
    runtime.block_on(resolve).unwrap()
}

/// Puts a signature beside the imager, made with `key` and about `about`.
fn attach(dir: &tempfile::TempDir, about: Digest, key: &SigningKey) {
    let image = imager(dir);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let attached = runtime.block_on(async {
        let layout = LayoutWriter::open(Factory::source_in(dir))?;
        let store: std::sync::Arc<dyn builder::BlobStore> =
            std::sync::Arc::<builder::store::MemoryStore>::default();
        let signature = extensions::Publication::signature(cosign::sign(key, &about, "r")?, &store).await?;
        let repository = IMAGER.parse()?;
        extensions::Publisher::publish(&layout, &repository, &cosign::tag(&image), &signature, &store)
            .await?;
        Ok::<_, tests::server::Anything>(())
    });
    attached.unwrap();
}

fn refused(answer: &Answer, words: &[&str]) {
    let text = answer.text();
    assert_eq!(answer.status, 502, "{text}");
    for word in [&format!("{IMAGER}@sha256:"), "is refused", "all images must be signed with key sha256:"]
        .into_iter()
        .chain(words.iter().copied())
    {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn what_nobody_signed_is_refused_by_every_door() {
    let dir = stopped();
    unsign(&dir);
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    refused(&factory.get(&kernel()), &["no signature"]);
    refused(&factory.get(&format!("/v2/{IMAGER}/manifests/{VERSION}")), &["no signature"]);
    assert_eq!(factory.get(&format!("/v2/installer/{PLAIN}/manifests/{VERSION}")).status, 502);
    assert_eq!(factory.get(&format!("/version/{VERSION}/extensions/official")).status, 502);
    assert_eq!(factory.get("/versions").status, 200, "names are only names");
}

#[test]
fn signatures_by_others_and_of_others_are_refused() {
    let dir = stopped();
    attach(&dir, imager(&dir), &SigningKey::generate().unwrap());
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    refused(&factory.get(&kernel()), &["a key the policy does not know"]);

    let dir = factory.stop().unwrap();
    attach(&dir, Digest::of(b"another"), &release::signing_key().unwrap());
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    refused(&factory.get(&kernel()), &["of another digest", &Digest::of(b"another").to_string()]);

    let dir = factory.stop().unwrap();
    let image = imager(&dir);
    attach(&dir, image, &release::signing_key().unwrap());
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    assert_eq!(factory.get(&kernel()).status, 200);
}

#[test]
fn the_default_believes_those_who_sign_talos() {
    let dir = stopped();
    let factory = Factory::start_on(dir, &[FIXED_URL, ("trust", "talos")]).unwrap();
    let answer = factory.get(&kernel());
    assert_eq!(answer.status, 502);
    let text = answer.text();
    assert!(text.contains("of issuer `https://accounts.google.com`"), "{text}");
}

#[test]
fn what_was_found_good_stays_so_without_its_signatures_and_for_no_other_policy() {
    let factory = Factory::with_release(&[FIXED_URL]).unwrap();
    let schematic = "customization: {systemExtensions: {officialExtensions: [siderolabs/gvisor]}}";
    let id = factory.post_schematic(schematic).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/image/{id}/{VERSION}/initramfs-amd64.xz");
    let before = factory.get(&path);
    assert_eq!(before.status, 200, "{}", before.text());
    let passed = format!("/v2/{IMAGER}/manifests/{VERSION}");
    assert_eq!(factory.get(&passed).status, 200);

    let dir = factory.stop().unwrap();
    unsign(&dir);
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    assert_eq!(factory.get(&path).body, before.body);
    assert_eq!(factory.get(&passed).status, 200);

    // Everything is here already, but a new policy has not said yes to it.
    let dir = factory.stop().unwrap();
    let other = SigningKey::generate().unwrap();
    let file = dir.path().join("other.pub");
    fs::write(&file, other.public_key().to_pem()).unwrap();
    let trust = format!("key:{}", file.display());
    let factory = Factory::start_on(dir, &[FIXED_URL, ("trust", &trust)]).unwrap();
    for path in [&path, &passed] {
        let answer = factory.get(path);
        assert_eq!(answer.status, 502, "{path}");
        assert!(answer.text().contains(&other.id().to_string()), "{}", answer.text());
    }
    let dir = factory.stop().unwrap();
    let factory = Factory::start_on(dir, &[FIXED_URL, ("trust", "unsigned")]).unwrap();
    assert_eq!(factory.get(&path).body, before.body);
}

#[test]
fn signatures_are_passed_on_for_clients_to_check() {
    let dir = stopped();
    let image = imager(&dir);
    let factory = Factory::start_on(dir, &[FIXED_URL]).unwrap();
    let answer = factory.get(&format!("/v2/{IMAGER}/manifests/{}", cosign::tag(&image)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let layer = &answer.json()["layers"][0];
    let payload = factory.get(&format!("/v2/{IMAGER}/blobs/{}", layer["digest"].as_str().unwrap())).body;
    let signature = layer["annotations"][cosign::ANNOTATION].as_str().unwrap().to_owned();
    let signature = cosign::ImageSignature { payload, signature };
    let key = release::signing_key().unwrap();
    assert!(cosign::verify(key.public_key(), &image, &signature).is_ok());
}
