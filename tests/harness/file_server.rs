//! A small HTTP server for files that are not the factory's: control media and boot scripts.
//!
//! HTTP/1.1, one request per connection, `GET` and `HEAD`, single ranges. It logs what it was asked.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Longest request head read.
const MAX_HEAD: u64 = 16 << 10;
const POLL: Duration = Duration::from_millis(20);

/// One request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `HEAD`.
    pub method: String,
    /// The path, with the leading slash.
    pub path: String,
    /// The `Range` header.
    pub range: Option<String>,
}

/// A running server; it stops on drop.
#[derive(Debug)]
pub struct FileServer {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    files: HashMap<String, PathBuf>,
    requests: Mutex<Vec<Request>>,
    stop: AtomicBool,
}

impl FileServer {
    /// Serves the files, given as path (`/boot.ipxe`) and file, on a free port of the loopback.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn loopback<const N: usize>(files: [(&str, PathBuf); N]) -> io::Result<Self> {
        Self::start(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, files)
    }

    /// Serves the files on a listener, such as one of [`crate::netns::Netns::listen`].
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub fn start<const N: usize>(listener: TcpListener, files: [(&str, PathBuf); N]) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let files = files.into_iter().map(|(path, file)| (path.to_owned(), file)).collect();
        let state = Arc::new(State { files, requests: Mutex::default(), stop: AtomicBool::new(false) });
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || accept(&listener, &shared));
        Ok(Self { address, state, thread: Some(thread) })
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was asked so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    while !state.stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                let state = Arc::clone(state);
                // A client that hangs up is no business of ours.
                thread::spawn(move || drop(answer(stream, &state)));
            }
            Err(_) => thread::sleep(POLL),
        }
    }
}

fn answer(stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let Some(request) = read_request(&stream)? else { return Ok(()) };
    state.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    let mut stream = stream;
    let Some(path) = state.files.get(&request.path) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let part = request.range.as_deref().and_then(|text| range(text, len));
    let (status, bytes) = part.map_or(("200 OK", 0..len), |part| ("206 Partial Content", part));
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n", bytes.end - bytes.start)?;
    if status.starts_with("206") {
        write!(stream, "Content-Range: bytes {}-{}/{len}\r\n", bytes.start, bytes.end - 1)?;
    }
    let kind = if request.path.ends_with(".efi") { "application/efi" } else { "application/octet-stream" };
    write!(stream, "Content-Type: {kind}\r\nAccept-Ranges: bytes\r\nConnection: close\r\n\r\n")?;
    if request.method == "GET" {
        file.seek(SeekFrom::Start(bytes.start))?;
        io::copy(&mut file.take(bytes.end - bytes.start), &mut stream)?;
    }
    stream.flush()
}

fn read_request(stream: &TcpStream) -> io::Result<Option<Request>> {
    let mut lines = BufReader::new(stream.take(MAX_HEAD)).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let mut range = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("range")
        {
            range = Some(value.trim().to_owned());
        }
    }
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), range }))
}

/// A single range inside a body of `len` bytes; anything else means the whole body.
fn range(text: &str, len: u64) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let first: u64 = first.parse().ok()?;
    let end = if last.is_empty() { len } else { last.parse::<u64>().ok()?.checked_add(1)?.min(len) };
    (first < end).then_some(first..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_stay_inside() {
        assert_eq!(range("bytes=0-9", 5), Some(0..5));
        assert_eq!(range("bytes=3-", 5), Some(3..5));
        assert_eq!(range("bytes=1-1", 5), Some(1..2));
        assert_eq!(range("bytes=5-", 5), None);
        assert_eq!(range("bytes=-2", 5), None);
    }

    #[test]
    fn a_part_of_a_file_is_served_and_logged() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        std::fs::write(&file, b"0123456789").unwrap();
        let server = FileServer::loopback([("/a", file)]).unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
        stream.write_all(b"GET /a HTTP/1.1\r\nRange: bytes=2-4\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 206 ") && text.ends_with("\r\n\r\n234"), "{text}");
        assert_eq!(server.requests()[0].range.as_deref(), Some("bytes=2-4"));
    }
}
