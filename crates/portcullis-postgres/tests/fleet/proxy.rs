//! The network between a node and PostgreSQL: a socket that passes on what it gets, unless it is told otherwise.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The name that PostgreSQL gives its socket.
const SOCKET: &str = ".s.PGSQL.5432";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    Fine,
    /// Everything takes that much longer.
    Slow(Duration),
    /// Nothing arrives, and nobody is told.
    Silent,
    /// The next connection that commits is cut before the server hears of it.
    CutBeforeCommit,
    /// The same, after the server has heard of it and before it can answer.
    CutAfterCommit,
}

pub struct Proxy {
    directory: PathBuf,
    state: Arc<State>,
}

struct State {
    server: PathBuf,
    network: Mutex<Network>,
    open: Mutex<Vec<UnixStream>>,
}

impl Proxy {
    /// A socket in that new directory, which leads to the server whose socket is in the other.
    pub fn start(directory: &Path, server: &Path) -> Self {
        std::fs::create_dir(directory).unwrap();
        let listener = UnixListener::bind(directory.join(SOCKET)).unwrap();
        let state =
            Arc::new(State { server: server.join(SOCKET), network: Mutex::new(Network::Fine), open: Mutex::default() });
        let serving = Arc::clone(&state);
        thread::spawn(move || listener.incoming().flatten().for_each(|client| serving.connect(client)));
        Self { directory: directory.to_owned(), state }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn set(&self, network: Network) {
        *self.state.network.lock().unwrap() = network;
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.state.open.lock().unwrap().drain(..).for_each(|stream| end(&stream));
    }
}

fn end(stream: &UnixStream) {
    // It may have ended already.
    _ = stream.shutdown(Shutdown::Both);
}

impl State {
    fn network(&self) -> Network {
        *self.network.lock().unwrap()
    }

    fn connect(self: &Arc<Self>, client: UnixStream) {
        let Ok(server) = UnixStream::connect(&self.server) else { return };
        self.open.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
        for (from, to, asking) in [(&client, &server, true), (&server, &client, false)] {
            let (from, to, state) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(self));
            thread::spawn(move || {
                _ = state.pass(&from, &to, asking);
                end(&from);
                end(&to);
            });
        }
    }

    fn pass(&self, mut from: &UnixStream, mut to: &UnixStream, asking: bool) -> std::io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = from.read(&mut buffer)?;
            let bytes = &buffer[..read];
            if read == 0 {
                return Ok(());
            }
            while self.network() == Network::Silent {
                thread::sleep(Duration::from_millis(5));
            }
            // The whole of a message: `READ COMMITTED` is none.
            let commits = asking && bytes.windows(7).any(|part| part == b"COMMIT\0");
            match self.network() {
                Network::Slow(delay) => thread::sleep(delay),
                Network::CutBeforeCommit if commits => {
                    *self.network.lock().unwrap() = Network::Fine;
                    return Ok(());
                }
                Network::CutAfterCommit if commits => {
                    *self.network.lock().unwrap() = Network::Fine;
                    // The answer has nowhere to go.
                    from.shutdown(Shutdown::Both)?;
                    to.write_all(bytes)?;
                    // What is cut off before it was read would be lost.
                    thread::sleep(Duration::from_millis(50));
                    return Ok(());
                }
                _ => {}
            }
            to.write_all(bytes)?;
        }
    }
}
