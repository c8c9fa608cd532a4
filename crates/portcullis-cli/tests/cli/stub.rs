//! Servers that answer as no good one does: with what a test says.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

/// A server that lives as long as the tests do.
pub(crate) struct Stub {
    pub(crate) url: String,
    /// The first line of each request, such as `GET /api/v2/authorizations HTTP/1.1`.
    requests: Receiver<String>,
}

impl Stub {
    /// Each request is answered with what its first line gets: a status and a body, or nothing at all.
    pub(crate) fn new(answer: impl Fn(&str) -> Option<(u16, String)> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut head = vec![String::new()];
                while stream.read_line(head.last_mut().unwrap()).is_ok_and(|read| read > 2) {
                    head.push(String::new());
                }
                let length = head
                    .iter()
                    .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
                stream.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
                if let Some((status, body)) = answer(&head[0]) {
                    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close", body.len());
                    stream.get_mut().write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
                }
                _ = seen.send(head.swap_remove(0));
            }
        });
        Self { url, requests }
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}
