mod faults;

use futures::TryStreamExt as _;
use schematics::{Arch, Blame, Blamed as _};

use super::*;
use crate::fixtures::{Registry, image, publish, repository, run, store};
use crate::reference::ImageRef;
use crate::{Limits, pull_tree};

#[tokio::test]
async fn a_real_registry_is_read() {
    let (registry, dir, store) = (Registry::start().await, tempfile::tempdir().unwrap(), store());
    let files: &[(&str, &[u8])] = &[("usr/install/amd64/vmlinuz", b"kernel")];
    let built = image(Arch::Amd64, &[files, &[("b", b"2")]], &store).await;
    publish(dir.path(), "siderolabs/imager:v1.13.0", &built, &store).await;
    let from = format!("oci:{}:siderolabs/imager:v1.13.0", dir.path().display());
    for tag in ["v1.13.0", "v1.12.0", "latest"] {
        let to = format!("docker://{}/siderolabs/imager:{tag}", registry.host);
        run("skopeo", &["--insecure-policy", "copy", "--dest-tls-verify=false", &from, &to]);
    }
    let source = RegistrySource::new(false, &registry.host, None, RegistryOptions::default()).unwrap();
    let imager = repository("siderolabs/imager");
    assert_eq!(source.tags(&imager).await.unwrap(), ["latest", "v1.12.0", "v1.13.0"]);
    // skopeo may compress the layers on the way, and so make another manifest.
    let digest = source.resolve(&imager, "v1.13.0").await.unwrap();
    let image = ImageRef { repository: imager.clone(), digest };
    let pulled = pull_tree(&source, &image, Arch::Amd64, &store, &Limits::default()).await.unwrap();
    assert_eq!(pulled.image_digest, digest);
    let Some(builder::tree::Node::File(kernel)) = pulled.tree.get("usr/install/amd64/vmlinuz") else {
        panic!()
    };
    assert_eq!(kernel.content.read_all(&store, 100).await.unwrap(), "kernel");

    let error = source.resolve(&imager, "v9.9.9").await.unwrap_err();
    assert!(matches!(error, PullError::NoTag { .. }) && error.blame() == Blame::Missing);
    assert!(matches!(source.tags(&repository("no/such")).await, Err(PullError::NoRepository { .. })));
    let absent = Digest::of(b"absent");
    assert!(matches!(source.manifest(&imager, absent).await, Err(PullError::NoContent { .. })));
    let blob = source.blob(&imager, Blob { digest: absent, size: 6 }).await;
    assert!(matches!(blob.err(), Some(PullError::NoContent { .. })));
}

#[tokio::test]
async fn nobody_home_is_the_sources_fault() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = RegistryOptions { backoff: Duration::from_millis(1), ..RegistryOptions::default() };
    let source = RegistrySource::new(false, &format!("127.0.0.1:{port}"), None, options).unwrap();
    let error = source.tags(&repository("a")).await.unwrap_err();
    assert!(matches!(error, PullError::Transport { .. }) && error.blame() == Blame::Upstream, "{error}");
}

async fn read(source: &RegistrySource, blob: Blob) -> Result<Vec<u8>, PullError> {
    let pieces: Vec<Bytes> = source.blob(&repository("a/b"), blob).await?.try_collect().await?;
    Ok(pieces.concat())
}
