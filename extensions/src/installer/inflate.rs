//! Layers of a base without their compression.

use std::io::{self, Read};

use builder::image::{BlockingReader, VirtualImage};
use builder::store::{Blob, BlobWriter, StoreError};
use bytes::Bytes;
use tokio::runtime::Handle;

use super::{BaseError, BaseLayer};
use crate::cook::Kitchen;
use crate::oci::{Descriptor, LayerCompression};
use crate::pull::{Limits, decoder};
use crate::source::PullError;

/// How much is written to the store at a time.
const PIECE: u64 = 256 * 1024;

/// The uncompressed bytes of a layer, in the main store; made once.
///
/// Whoever asks while they are being made waits for them.
///
/// # Errors
/// When the layer cannot be read, is larger than the limits, or is not what its image says it is.
pub async fn inflated(kitchen: &Kitchen, limits: &Limits, layer: &BaseLayer) -> Result<Blob, BaseError> {
    let digest = layer.diff_id;
    let _turn = kitchen.turns.wait(digest).await;
    if let Some(size) = kitchen.store.size(digest).await? {
        return Ok(Blob { digest, size });
    }
    let wrong = |what: &str| BaseError::Layer { layer: layer.blob.digest, what: what.to_owned() };
    let compression = Descriptor::new(&layer.media_type, layer.blob).layer_compression();
    let compression = compression.map_err(|error| wrong(&error.to_string()))?;
    let runtime = Handle::current();
    let content = VirtualImage::from_blob(layer.blob);
    let reader = BlockingReader::new(&content, kitchen.store.clone(), runtime.clone());
    let writer = kitchen.store.create().await?;
    let limit = limits.content;
    let work = tokio::task::spawn_blocking(move || copy(reader, compression, writer, (&runtime, limit)));
    let written = work.await.map_err(|error| wrong(&error.to_string()))?;
    let blob = written.map_err(|fault| match fault {
        Fault::Store(error) => BaseError::Store(error),
        Fault::Read(error) => wrong(&error.to_string()),
        Fault::Limit => {
            let what = format!("layer {}", layer.blob.digest);
            wrong(&PullError::TooLarge { what, limit }.to_string())
        }
    })?;
    if blob.digest == digest {
        Ok(blob)
    } else {
        Err(wrong("its content is not what its configuration says"))
    }
}

enum Fault {
    Read(io::Error),
    Store(StoreError),
    Limit,
}

fn copy(
    reader: BlockingReader,
    compression: LayerCompression,
    mut writer: Box<dyn BlobWriter>,
    (runtime, limit): (&Handle, u64),
) -> Result<Blob, Fault> {
    let mut reader = decoder(compression, reader).map_err(Fault::Read)?;
    let mut total = 0;
    loop {
        let mut piece = Vec::new();
        reader.by_ref().take(PIECE).read_to_end(&mut piece).map_err(Fault::Read)?;
        if piece.is_empty() {
            return runtime.block_on(writer.commit()).map_err(Fault::Store);
        }
        total += piece.len() as u64;
        if total > limit {
            return Err(Fault::Limit);
        }
        runtime.block_on(writer.write(Bytes::from(piece))).map_err(Fault::Store)?;
    }
}
