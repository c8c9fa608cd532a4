//! What authentication costs a server: the same answer without the layer, behind it, and with a permit, over loopback by
//! `wrk` (Debian's package) with 64 connections; then again while others send malformed, slow and huge requests.
//!
//! ```sh
//! cargo bench -p portcullis-http     # ROUNDS=6 EACH=4
//! ```
//!
//! `wrk` runs on the same cores, so what counts is the processor time that this process took for each request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use cpu_time::ProcessTime;
use http::StatusCode;
use portcullis::{Actor, Authority, MemoryStore, NewToken, OrgId, Resource, ResourceId, UserId, Write as ToWrite};
use portcullis_http::{AuthenticateLayer, Caller, Refusal};

#[path = "../examples/server/serve.rs"]
mod serve;

/// For `serve`.
const BODY_LIMIT: usize = 1 << 20;
const CONNECTIONS: usize = 64;
/// Tokens beside the one that is used.
const TOKENS: usize = 1_000;

#[derive(Clone, Copy)]
struct Bucket(OrgId, ResourceId);

async fn bare() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn authorized(caller: Caller, bucket: axum::Extension<Bucket>) -> Result<StatusCode, Refusal> {
    let _permit = caller.authorize(ToWrite, Resource::bucket(bucket.0.0, bucket.0.1))?;
    Ok(StatusCode::NO_CONTENT)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let setting = |name, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rounds, seconds) = (setting("ROUNDS", 6), setting("EACH", 4));
    let authority = Arc::new(Authority::open(MemoryStore::new()).wait()?);
    let (org, owner) = (OrgId::generate()?, UserId::generate()?);
    let new = |bucket| NewToken::read_write(org).write(bucket).owner(owner);
    for _ in 0..TOKENS {
        drop(authority.create(Actor::host("bench"), new(ResourceId::generate()?)).wait()?);
    }
    let bucket = ResourceId::generate()?;
    let token = authority.create(Actor::host("bench"), new(bucket)).wait()?;
    let header = format!("authorization: Token {}", token.secret.expose());

    let inside = Router::new().route("/authenticated", get(bare)).route("/authorized", get(authorized));
    let router = Router::new()
        .merge(inside.route_layer(AuthenticateLayer::new(authority)))
        .route("/bare", get(bare))
        .route("/body", post(|body: Bytes| async move { body.len().to_string() }))
        .layer(axum::Extension(Bucket(org, bucket)));
    let runtime = tokio::runtime::Runtime::new()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    runtime.spawn(serve::until_asked_to_stop(listener, router));

    for hostile in [false, true] {
        let hostility = hostile.then(|| Hostility::begin(address));
        println!("\n{}", if hostile { "while others send malformed, slow and huge requests" } else { "alone" });
        println!("{:<15} {:>10} {:>12} {:>12} {:>9}", "", "requests/s", "CPU us each", "to bare", "p99 ms");
        let mut all: [Vec<Run>; 3] = Default::default();
        for _ in 0..rounds {
            for (runs, path) in all.iter_mut().zip(["bare", "authenticated", "authorized"]) {
                runs.push(Run::of(&format!("http://{address}/{path}"), &header, seconds)?);
            }
        }
        let floor = median(&all[0], |run| run.micros);
        for (runs, name) in all.iter().zip(["bare", "authenticated", "authorized"]) {
            let micros = median(runs, |run| run.micros);
            let (rate, p99) = (median(runs, |run| run.rate), median(runs, |run| run.p99));
            println!("{name:<15} {rate:>10.0} {micros:>12.2} {:>+12.2} {p99:>9.2}", micros - floor);
        }
        if let Some(hostility) = hostility {
            println!("{} hostile requests meanwhile", hostility.end());
            println!("the processor time of these is in the figures");
        }
    }
    Ok(())
}

/// One run of `wrk`.
struct Run {
    rate: f64,
    /// Processor time of this process for each request.
    micros: f64,
    p99: f64,
}

impl Run {
    fn of(url: &str, header: &str, seconds: u32) -> Result<Self, Box<dyn std::error::Error>> {
        let connections = CONNECTIONS.to_string();
        let mut wrk = Command::new("wrk");
        wrk.args(["-t2", "-c", &connections, "-d", &format!("{seconds}s"), "--latency", "-H", header, url]);
        let began = ProcessTime::now();
        let output = wrk.output().map_err(|error| format!("wrk: {error}; apt-get install wrk"))?;
        let took = began.elapsed();
        let text = String::from_utf8(output.stdout)?;
        let word = |line: &str, at: usize| {
            let line = text.lines().find(|each| each.contains(line));
            line.and_then(|line| line.split_whitespace().nth(at)).ok_or_else(|| format!("wrk said: {text}"))
        };
        if text.contains("Non-2xx") || text.contains("Socket errors") {
            return Err(format!("wrk said: {text}").into());
        }
        let requests: f64 = word("requests in", 0)?.parse()?;
        let p99 = word("99%", 1)?;
        let p99 = match (p99.strip_suffix("us"), p99.strip_suffix("ms"), p99.strip_suffix('s')) {
            (Some(micros), _, _) => micros.parse::<f64>()? / 1e3,
            (_, Some(millis), _) => millis.parse()?,
            (_, _, Some(seconds)) => seconds.parse::<f64>()? * 1e3,
            _ => return Err(format!("wrk said: {text}").into()),
        };
        Ok(Self { rate: word("Requests/sec", 1)?.parse()?, micros: took.as_secs_f64() * 1e6 / requests, p99 })
    }
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut all: Vec<_> = runs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Clients that mean no good, until they are told to end.
struct Hostility {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Hostility {
    fn begin(address: SocketAddr) -> Self {
        let (over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let huge = "x".repeat(2 << 20);
        let malformed = b"\0\0 what\r\n\r\n".to_vec();
        let unknown =
            b"GET /authorized HTTP/1.1\r\nhost: x\r\nauthorization: Token nonsense\r\nconnection: close\r\n\r\n"
                .to_vec();
        let head = format!("GET /bare HTTP/1.1\r\nhost: x\r\nlong: {huge}\r\n\r\n").into_bytes();
        let body = format!("POST /body HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{huge}\r\n0\r\n\r\n", huge.len()).into_bytes();
        let mut threads: Vec<_> = [malformed, unknown, head, body]
            .into_iter()
            .map(|bytes| {
                let (over, sent) = (Arc::clone(&over), Arc::clone(&sent));
                thread::spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        if let Ok(mut stream) = TcpStream::connect(address) {
                            // It hangs up before it has read everything.
                            _ = stream.write_all(&bytes);
                            _ = stream.read(&mut [0; 512]);
                        }
                        sent.fetch_add(1, Ordering::Relaxed);
                        // A nuisance, not a flood: the cores are for what is measured.
                        thread::sleep(Duration::from_millis(5));
                    }
                })
            })
            .collect();
        let (slow_over, slow_sent) = (Arc::clone(&over), Arc::clone(&sent));
        threads.push(thread::spawn(move || {
            let mut held: Vec<TcpStream> = Vec::new();
            while !slow_over.load(Ordering::Relaxed) {
                // Half a head each, and a byte more now and then, until the server hangs up.
                held.retain_mut(|stream| stream.write_all(b"x").is_ok());
                while held.len() < 256 {
                    let Ok(mut stream) = TcpStream::connect(address) else { break };
                    _ = stream.write_all(b"GET /bare HTTP/1.1\r\nslow: ");
                    held.push(stream);
                    slow_sent.fetch_add(1, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(100));
            }
        }));
        Self { over, sent, threads }
    }

    fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| _ = thread.join());
        self.sent.load(Ordering::Relaxed)
    }
}
