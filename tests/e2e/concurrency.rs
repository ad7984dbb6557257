//! Many clients, impatient clients.
//!
//! Metrics belong to the process, and tests share one: each test here has a version, kind and architecture of its own.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use tests::http::{Answer, request};

use crate::site::{FULL, Site, create};

/// How many assets of these labels were built in this process.
fn built(site: &Site, version: &str, kind: &str, arch: &str) -> u64 {
    let name = format!(
        "image_factory_assets_built_total{{talos_version=\"{version}\",output_kind=\"{kind}\",arch=\"{arch}\"}} "
    );
    let metrics = site.factory.metrics();
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |number| number.parse().unwrap())
}

#[test]
fn fifty_clients_cause_one_build() {
    let site = Site::new(FULL);
    let path = site.path("v1.14.0-alpha.1/metal-arm64-uki.efi");
    let answers: Vec<(bool, Answer)> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..50)
            .map(|n| {
                let (factory, path) = (&site.factory, &path);
                scope.spawn(move || {
                    (n % 3 == 0, if n % 3 == 0 { factory.head(path) } else { factory.get(path) })
                })
            })
            .collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let whole = &answers.iter().find(|(head, _)| !head).unwrap().1;
    for (head, answer) in &answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("etag"), whole.header("etag"));
        assert_eq!(answer.header("content-length"), Some(whole.body.len().to_string().as_str()));
        assert!(if *head { answer.body.is_empty() } else { answer.body == whole.body });
    }
    assert_eq!(built(&site, "v1.14.0-alpha.1", "uki", "arm64"), 1);
}

#[test]
fn clients_that_hang_up_break_nothing_for_the_next() {
    let site = Site::new("{}");
    for patience in 0..12 {
        let number = format!("customization: {{extraKernelArgs: [hangup={patience}]}}");
        let id = create(&site.factory, &number);
        let path = format!("/image/{id}/v1.14.0-alpha.1/metal-amd64-uki.efi");
        let before = built(&site, "v1.14.0-alpha.1", "uki", "amd64");
        for _ in 0..3 {
            let mut stream = TcpStream::connect(site.factory.address()).unwrap();
            stream.write_all(&request("GET", &path, &[], b"")).unwrap();
            std::thread::sleep(Duration::from_millis(patience * 2));
        }
        let answer = site.factory.get(&path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
        // Whoever began it, it was built once.
        assert_eq!(built(&site, "v1.14.0-alpha.1", "uki", "amd64"), before + 1, "patience {patience}");
    }
}

#[test]
fn a_download_that_is_given_up_does_not_disturb_the_others() {
    let site = Site::new("{}");
    let path = site.path("v1.12.0/metal-arm64.iso");
    let whole = site.factory.get(&path).body;
    for _ in 0..8 {
        let mut stream = TcpStream::connect(site.factory.address()).unwrap();
        stream.write_all(&request("GET", &path, &[], b"")).unwrap();
        let mut begin = [0; 1000];
        std::io::Read::read_exact(&mut stream, &mut begin).unwrap();
    }
    assert!(site.factory.get(&path).body == whole);
}

#[test]
fn different_images_are_built_side_by_side() {
    let site = Site::new(FULL);
    let assets: Vec<String> = ["amd64", "arm64"]
        .iter()
        .flat_map(|arch| {
            ["v1.7.0", "v1.8.2", "v1.12.0"].map(|version| format!("{version}/initramfs-{arch}.xz"))
        })
        .collect();
    let together: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let asking: Vec<_> = assets.iter().map(|asset| scope.spawn(|| site.bytes(asset))).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let alone = Site::new(FULL);
    for (asset, bytes) in assets.iter().zip(together) {
        assert!(alone.bytes(asset) == bytes, "{asset}");
    }
}
