use super::*;
use axum::body::to_bytes;
use builder::store::MemoryStore;
use builder::{BlobStoreExt as _, ImageLayout};
use std::sync::Arc;

/// An image of every kind of extent, and the same bytes in one piece.
async fn image() -> (Arc<dyn BlobStore>, VirtualImage, Vec<u8>) {
    let store: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
    let content: Vec<u8> = (0_u32..70_000).map(|n| (n * 7 % 251) as u8).collect();
    let blob = store.put(content.clone().into()).await.unwrap();
    let mut layout = ImageLayout::default();
    layout.bytes("head").align(512).blob(blob).align(2048).counter(0, 500).bytes("tail");
    let image = layout.finish();
    let flat = image.read_all(&store, 1 << 20).await.unwrap().to_vec();
    assert!(flat.len() > 70_000 && flat.ends_with(b"tail"));
    (store, image, flat)
}

fn wanted(method: Method, headers: &[(header::HeaderName, &str)]) -> Wanted {
    let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
    Wanted { method, path: String::new(), headers }
}

fn download(image: &VirtualImage, name: &str) -> Download {
    Download {
        image: Arc::new(image.clone()),
        etag: image.manifest_digest(),
        name: name.to_owned(),
        media_type: content_type(name),
        lifetime: Lifetime::Fixed,
        save_as: None,
        health: Health::default(),
    }
}

async fn bytes(response: Response) -> Vec<u8> {
    to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()
}

#[tokio::test]
async fn every_range_is_the_same_stretch_of_the_flat_file() {
    let (store, image, flat) = image().await;
    let download = download(&image, "disk.raw");
    let len = flat.len();
    for (first, last) in [
        (0, 0),
        (0, len - 1),
        (0, 511),
        (511, 512),
        (512, 70_511),
        (3, 70_600),
        (70_000, 71_700),
        (len - 1, len - 1),
        (len - 5, len + 5),
    ] {
        let range = format!("bytes={first}-{last}");
        let response = serve_file(&download, &store, &wanted(Method::GET, &[(header::RANGE, &range)]));
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
        let end = last.min(len - 1);
        let headers = response.headers().clone();
        assert_eq!(headers[header::CONTENT_RANGE], format!("bytes {first}-{end}/{len}"));
        assert_eq!(headers[header::CONTENT_LENGTH], (end - first + 1).to_string());
        assert_eq!(bytes(response).await, flat[first..=end], "{range}");
    }
}

#[tokio::test]
async fn the_whole_file_says_everything_about_itself() {
    let (store, image, flat) = image().await;
    let download = Download { save_as: Some("my.iso".to_owned()), ..download(&image, "metal-amd64.iso") };
    let etag = format!("\"{}\"", image.manifest_digest().hex());
    for method in [Method::GET, Method::HEAD] {
        let response = serve_file(&download, &store, &wanted(method.clone(), &[]));
        assert_eq!(response.status(), StatusCode::OK);
        for (name, value) in [
            (header::CONTENT_TYPE, "application/x-iso9660-image"),
            (header::CONTENT_LENGTH, flat.len().to_string().as_str()),
            (header::CONTENT_DISPOSITION, "attachment; filename=\"my.iso\""),
            (header::ACCEPT_RANGES, "bytes"),
            (header::ETAG, &etag),
            (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        ] {
            assert_eq!(response.headers()[&name], value, "{method} {name}");
        }
        let body = bytes(response).await;
        assert_eq!(body, if method == Method::GET { flat.as_slice() } else { b"" });
    }
}

#[tokio::test]
async fn a_condition_that_fails_sends_no_byte() {
    let (store, image, flat) = image().await;
    let download = download(&image, "kernel-amd64");
    let etag = format!("\"{}\"", image.manifest_digest().hex());
    let answer =
        |headers: &[(header::HeaderName, &str)]| serve_file(&download, &store, &wanted(Method::GET, headers));

    let unchanged = answer(&[(header::IF_NONE_MATCH, &etag)]);
    assert_eq!(unchanged.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(unchanged.headers()[header::ETAG], etag);
    assert!(bytes(unchanged).await.is_empty());

    let changed = answer(&[(header::IF_MATCH, "\"other\""), (header::RANGE, "bytes=0-1")]);
    assert_eq!(changed.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(changed.headers()[header::ETAG], etag);

    let past = answer(&[(header::RANGE, "bytes=99999999-")]);
    assert_eq!(past.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(past.headers()[header::CONTENT_RANGE], format!("bytes */{}", flat.len()));

    let resumed = answer(&[(header::RANGE, "bytes=4-7"), (header::IF_RANGE, &etag)]);
    assert_eq!(resumed.status(), StatusCode::PARTIAL_CONTENT);
    let restarted = answer(&[(header::RANGE, "bytes=4-7"), (header::IF_RANGE, "\"other\"")]);
    assert_eq!(restarted.status(), StatusCode::OK);
    assert_eq!(bytes(restarted).await, flat);
}

#[tokio::test]
async fn a_body_breaks_off_when_its_bytes_are_gone() {
    let (_, image, _) = image().await;
    let empty: Arc<dyn BlobStore> = Arc::new(MemoryStore::default());
    let response = serve_file(&download(&image, "disk.raw"), &empty, &wanted(Method::GET, &[]));
    assert!(to_bytes(response.into_body(), 1 << 20).await.is_err());
}

#[test]
fn content_types_are_the_ones_firmware_and_clients_compare() {
    for (name, kind) in [
        ("metal-amd64-uki.efi", "application/efi"),
        ("metal-amd64.iso", "application/x-iso9660-image"),
        ("initramfs-amd64.xz", "application/x-xz"),
        ("gcp-amd64.raw.tar.gz", "application/gzip"),
        ("metal-amd64.qcow2", "application/x-qemu-disk"),
        ("metal-amd64.raw.zst", "application/octet-stream"),
        ("installer-amd64.tar", "application/octet-stream"),
        ("kernel-amd64", "application/octet-stream"),
    ] {
        assert_eq!(content_type(name), kind, "{name}");
    }
}
