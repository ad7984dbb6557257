//! Where the bytes come from: a file, or a server.

use std::io::SeekFrom;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use fs_err::tokio::File;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, RANGE};
use reqwest::{Client, Response, StatusCode, Url};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;

use super::InspectError;

const CONNECT: Duration = Duration::from_secs(20);
/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(60);
/// What is asked for first, to see whether the server takes ranges: the headers of most things.
const FIRST: u64 = 64 * 1024;
/// The longest body that is downloaded from a server that takes no ranges.
const MAX_DOWNLOAD: u64 = 16 << 30;
const PIECE: usize = 256 * 1024;

/// Bytes in pieces; ends with the first error.
pub(super) type Pieces = BoxStream<'static, Result<Bytes, InspectError>>;

/// What a [`Part`](super::part::Part) reads from.
#[derive(Debug)]
pub(super) enum Medium {
    /// A file.
    File { path: PathBuf, len: u64 },
    /// What a server without ranges sent; the file goes away with this.
    Download { file: NamedTempFile, len: u64 },
    /// A server that takes ranges.
    Server(Remote),
}

/// A resource of a server that takes ranges.
#[derive(Debug)]
pub(super) struct Remote {
    client: Client,
    url: Url,
    len: u64,
    tag: Option<HeaderValue>,
}

impl Medium {
    pub(super) async fn open(location: &str) -> Result<Self, InspectError> {
        if location.starts_with("http://") || location.starts_with("https://") {
            let url = Url::parse(location)
                .map_err(|source| InspectError::Url { url: location.to_owned(), source })?;
            return open_url(url).await;
        }
        let path = PathBuf::from(location);
        let meta = fs_err::tokio::metadata(&path).await.map_err(InspectError::Read)?;
        if !meta.is_file() {
            return Err(InspectError::NoFile { path });
        }
        Ok(Self::File { path, len: meta.len() })
    }

    pub(super) const fn len(&self) -> u64 {
        match self {
            Self::File { len, .. } | Self::Download { len, .. } => *len,
            Self::Server(remote) => remote.len,
        }
    }

    /// The bytes in `range`, which must lie within it.
    pub(super) async fn read(&self, range: Range<u64>) -> Result<Pieces, InspectError> {
        match self {
            Self::File { path, .. } => read_file(path, range).await,
            Self::Download { file, .. } => read_file(file.path(), range).await,
            Self::Server(remote) => remote.read(range).await,
        }
    }
}

async fn read_file(path: &Path, range: Range<u64>) -> Result<Pieces, InspectError> {
    let mut file = File::open(path).await.map_err(InspectError::Read)?;
    file.seek(SeekFrom::Start(range.start)).await.map_err(InspectError::Read)?;
    let wanted = range.end - range.start;
    let pieces = ReaderStream::with_capacity(file.take(wanted), PIECE).map_err(InspectError::Read);
    Ok(whole(pieces.boxed(), wanted))
}

/// The stream, with an error where it turns out to have another length than `wanted`.
fn whole(pieces: Pieces, wanted: u64) -> Pieces {
    stream::try_unfold((pieces, 0), move |(mut pieces, read)| async move {
        let Some(piece) = pieces.try_next().await? else {
            let ended = InspectError::Cut { at: 0, wanted, len: read };
            return if read == wanted { Ok(None) } else { Err(ended) };
        };
        let reached = read + piece.len() as u64;
        if reached > wanted {
            return Err(InspectError::Changed);
        }
        Ok(Some((piece, (pieces, reached))))
    })
    .boxed()
}

/// Opens what is behind a URL: by ranges when the server takes them, and downloaded when it does not.
async fn open_url(url: Url) -> Result<Medium, InspectError> {
    let failed = |source| InspectError::Request { url: url.to_string(), source };
    let client = Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE).build().map_err(failed)?;
    let response = get(&client, &url, &(0..FIRST)).await?;
    match response.status() {
        StatusCode::PARTIAL_CONTENT => {
            let unexpected = || InspectError::Ranges { url: url.to_string() };
            let (_, len) = content_range(response.headers()).ok_or_else(unexpected)?;
            let tag = response.headers().get(ETAG).cloned();
            Ok(Medium::Server(Remote { client, url, len, tag }))
        }
        // Where a range of an empty body lies outside of it, there is nothing to inspect.
        StatusCode::OK => download(response).await,
        status => Err(InspectError::Status { url: url.to_string(), status: status.as_u16() }),
    }
}

async fn get(client: &Client, url: &Url, range: &Range<u64>) -> Result<Response, InspectError> {
    let range = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
    let sent = client.get(url.clone()).header(RANGE, range).send().await;
    sent.map_err(|source| InspectError::Request { url: url.to_string(), source: source.without_url() })
}

/// The range and the length of the whole in `Content-Range: bytes 0-9/100`.
fn content_range(headers: &HeaderMap) -> Option<(Range<u64>, u64)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, len) = text.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, len) = (first.parse().ok()?, last.parse::<u64>().ok()?, len.parse().ok()?);
    (first <= last && last < len).then_some((first..last + 1, len))
}

async fn download(response: Response) -> Result<Medium, InspectError> {
    let mut pieces = pieces(response);
    let file = NamedTempFile::new().map_err(InspectError::Read)?;
    let mut writer = File::options().write(true).open(file.path()).await.map_err(InspectError::Read)?;
    let mut len = 0;
    while let Some(piece) = pieces.try_next().await? {
        len += piece.len() as u64;
        if len > MAX_DOWNLOAD {
            return Err(InspectError::TooLong { limit: MAX_DOWNLOAD });
        }
        writer.write_all(&piece).await.map_err(InspectError::Read)?;
    }
    writer.flush().await.map_err(InspectError::Read)?;
    Ok(Medium::Download { file, len })
}

fn pieces(response: Response) -> Pieces {
    let url = response.url().to_string();
    let failed = move |source: reqwest::Error| InspectError::Request {
        url: url.clone(),
        source: source.without_url(),
    };
    response.bytes_stream().map_err(failed).boxed()
}

impl Remote {
    async fn read(&self, range: Range<u64>) -> Result<Pieces, InspectError> {
        let response = get(&self.client, &self.url, &range).await?;
        let url = || self.url.to_string();
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Err(InspectError::Status { url: url(), status: response.status().as_u16() });
        }
        if content_range(response.headers()) != Some((range.clone(), self.len)) {
            return Err(InspectError::Changed);
        }
        if response.headers().get(ETAG) != self.tag.as_ref() {
            return Err(InspectError::Changed);
        }
        Ok(whole(pieces(response), range.end - range.start))
    }
}
