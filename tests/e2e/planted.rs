//! Whoever can write to the storage of a factory cannot make it serve something else.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use builder::RecordStore as _;
use builder::store::{DirRecords, RecordKind};
use bytes::Bytes;
use factory::signed_records::SignedRecords;
use fs_err as fs;
use schematics::Digest;
use signing::{KeyAlgorithm, SigningKey};
use tempfile::TempDir;
use tests::server::Factory;

use crate::site::{FIXED_URL, FULL, Site, create, files_below};

/// The kinds of records that stand for something, by the directories they are in.
const KINDS: [&str; 11] = [
    "artifacts",
    "extension",
    "images",
    "installer-base",
    "modules",
    "overlay",
    "registry",
    "registry-base",
    "rootfs",
    "trusted-blobs",
    "trusted-images",
];
const INDEX_KEY: &str = "data/keys/index.pem";
/// What is asked for: something of every kind.
const ASSETS: [&str; 5] = [
    "v1.13.0/cmdline-metal-amd64",
    "v1.13.0/initramfs-amd64.xz",
    "v1.13.0/initramfs-arm64.xz",
    "v1.13.0/metal-amd64-uki.efi",
    "v1.9.4/installer-amd64.tar",
];

fn new_key() -> SigningKey {
    SigningKey::new(KeyAlgorithm::Ed25519).unwrap()
}

/// A stopped factory's directory, its schematics, and what it served.
struct Stopped {
    dir: TempDir,
    paths: Vec<String>,
    served: Vec<Vec<u8>>,
}

impl Stopped {
    /// A factory that has served something of every kind.
    fn new() -> Self {
        let site = Site::new(FULL);
        let other = create(&site.factory, "customization: {extraKernelArgs: [other]}");
        let board = create(&site.factory, crate::overlays::BOARD);
        let path = |id: &str, asset: &str| format!("/image/{id}/{asset}");
        let mut paths: Vec<String> =
            ASSETS.iter().flat_map(|asset| [path(&site.id, asset), path(&other, asset)]).collect();
        paths.push(path(&board, "v1.13.0/installer-arm64.tar"));
        paths.push(path(&board, "v1.10.0/installer-arm64.tar"));
        paths.push(format!("/v2/installer/{}/manifests/v1.13.0", site.id));
        paths.push(format!("/v2/installer/{other}/manifests/v1.13.0"));
        let served = serve(&site.factory, &paths);
        Self { dir: site.factory.stop().unwrap(), paths, served }
    }

    fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    /// Starts the factory again with these keys; what it serves now, and what it says of it.
    fn start(&mut self, keys: &[(&str, &str)]) -> (Vec<Vec<u8>>, Factory) {
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        let factory = Factory::start_on(dir, &[&[FIXED_URL], keys].concat()).unwrap();
        (serve(&factory, &self.paths), factory)
    }
}

fn serve(factory: &Factory, paths: &[String]) -> Vec<Vec<u8>> {
    let get = |path: &String| {
        let answer = factory.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.body
    };
    paths.iter().map(get).collect()
}

/// How many records of a kind were refused for a reason, by all factories of this process.
fn refused(factory: &Factory, kind: &str, reason: &str) -> u64 {
    let name = format!("image_factory_records_refused_total{{kind=\"{kind}\",reason=\"{reason}\"}} ");
    let metrics = factory.metrics();
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

/// Every record but schematics, by kind.
fn records(data: &Path) -> BTreeMap<&'static str, Vec<(Digest, Vec<u8>)>> {
    let below = |kind: &&'static str| {
        let of = |(name, bytes): (String, Vec<u8>)| (format!("sha256:{name}").parse().unwrap(), bytes);
        (*kind, files_below(&data.join(kind)).into_iter().map(of).collect())
    };
    KINDS.iter().map(below).collect()
}

/// Lets every record of a kind say what its neighbour says.
fn shift(records: &mut [(Digest, Vec<u8>)]) {
    let values: Vec<Vec<u8>> = records.iter().map(|(_, value)| value.clone()).collect();
    for (at, (_, value)) in records.iter_mut().enumerate() {
        value.clone_from(&values[(at + 1) % values.len()]);
    }
}

/// What a signed record says.
fn bare(record: &[u8]) -> Vec<u8> {
    let rest = &record["factory record 1\n".len() + 32..];
    rest[1 + usize::from(rest[0])..].to_vec()
}

/// Signs records with a key and writes them.
fn sign(data: &Path, key: SigningKey, kind: &'static str, records: &[(Digest, Vec<u8>)]) {
    let store = SignedRecords::new(Arc::new(DirRecords::open(data).unwrap()), key, &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (key, record) in records {
        runtime.block_on(store.put(RecordKind(kind), *key, Bytes::from(bare(record)))).unwrap();
    }
}

#[test]
fn a_planted_record_is_not_served() {
    let mut stopped = Stopped::new();
    for (kind, found) in records(&stopped.data()) {
        assert!(found.len() > 1, "there is nothing to exchange among {kind}");
    }
    for (how, reason) in [("moved", "forged"), ("bare", "unsigned"), ("by a stranger", "stranger")] {
        for (kind, mut planted) in records(&stopped.data()) {
            shift(&mut planted);
            match how {
                "by a stranger" => sign(&stopped.data(), new_key(), kind, &planted),
                _ => {
                    for (key, record) in planted {
                        let record = if how == "bare" { bare(&record) } else { record };
                        fs::write(stopped.data().join(kind).join(key.hex()), record).unwrap();
                    }
                }
            }
        }
        let (served, factory) = stopped.start(&[]);
        assert!(served == stopped.served, "{how}: something else is served");
        for kind in ["images", "registry-base"] {
            assert!(refused(&factory, kind, reason) > 0, "{how}: no {kind} was refused");
        }
        stopped.dir = factory.stop().unwrap();
    }
}

#[test]
fn it_is_the_signature_that_keeps_planted_records_out() {
    let mut stopped = Stopped::new();
    let key = fs::read_to_string(stopped.dir.path().join(INDEX_KEY)).unwrap();
    let mut planted = records(&stopped.data()).remove("images").unwrap();
    shift(&mut planted);
    sign(&stopped.data(), SigningKey::from_pem(&key).unwrap(), "images", &planted);
    let (served, _) = stopped.start(&[]);
    assert!(served != stopped.served, "planted with the factory's own key, they are good");
}

#[test]
fn keys_can_be_changed_without_making_everything_again() {
    let mut stopped = Stopped::new();
    let place = tempfile::tempdir().unwrap();
    let (old, new) = (place.path().join("old.pub"), place.path().join("new.pem"));
    let text = fs::read_to_string(stopped.dir.path().join(INDEX_KEY)).unwrap();
    fs::write(&old, SigningKey::from_pem(&text).unwrap().public_key().to_pem()).unwrap();
    fs::write(&new, new_key().to_pem().unwrap().as_bytes()).unwrap();
    let (old, new) = (old.display().to_string(), new.display().to_string());
    let before = records(&stopped.data());
    let (served, factory) = stopped.start(&[("index-key", &new), ("index-trusted-keys", &old)]);
    assert!(served == stopped.served);
    assert!(before == records(factory.data()), "what an earlier key signed was made again");
    stopped.dir = factory.stop().unwrap();
    // Forgotten, the earlier key is a stranger's, and all of it is made again.
    let (served, factory) = stopped.start(&[("index-key", &new)]);
    assert!(served == stopped.served);
    let images = records(factory.data()).remove("images").unwrap();
    assert!(images.iter().zip(&before["images"]).all(|(now, before)| now.0 == before.0 && now.1 != before.1));
}

#[test]
fn a_factory_does_not_start_with_a_key_it_cannot_use() {
    let start = |keys: &[(&str, &str)]| Factory::start(keys).map(drop).map_err(|error| error.to_string());
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("key.pem");
    let name = path.display().to_string();
    assert!(start(&[("index-key", &name)]).unwrap_err().contains("cannot read the key"));
    fs::write(&path, "no key").unwrap();
    assert!(start(&[("index-key", &name)]).unwrap_err().contains("cannot be used"));
    let problem = start(&[("index-trusted-keys", &name)]).unwrap_err();
    assert!(problem.contains("`index-trusted-keys` from"), "{problem}");
}
