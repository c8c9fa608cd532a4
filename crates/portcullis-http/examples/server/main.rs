//! A small but real server: `cargo run -p portcullis-http --example server`, and InfluxDB's clients can manage tokens on it.
//!
//! It keeps tokens in one file and organizations, users, buckets and points in another, and has them again after a crash.
//! Every route that touches data demands a permit: see `buckets.rs` and `data.rs`. It listens on loopback only; TLS is for a
//! proxy in front of it.

#![allow(unreachable_pub)] // A module's public items are for the others.
#![allow(clippy::result_large_err)] // An error of axum's is a whole response.

mod answers;
mod buckets;
mod data;
mod directory;
mod organizations;
mod serve;
mod setup;
mod users;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use portcullis::{Authority, Event, RedbStore};
use portcullis_http::{Api, AuthenticateLayer};
use tokio::net::TcpListener;

use crate::directory::Directory;

/// What every handler has.
#[derive(Clone)]
pub struct Server {
    pub authority: Arc<Authority>,
    pub directory: Directory,
}

/// The largest body that is read.
const BODY_LIMIT: usize = 1 << 20;

fn router(server: Server) -> Router {
    let Server { authority, directory } = server.clone();
    let layer = AuthenticateLayer::new(Arc::clone(&authority)).influxdb();
    let guarded = Router::new()
        .merge(organizations::routes())
        .merge(users::routes())
        .merge(buckets::routes())
        .merge(data::routes())
        .route_layer(layer.clone());
    Router::new()
        .merge(guarded)
        .merge(setup::routes())
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(server)
        .merge(Api::new(authority, directory).layer(layer).body_limit(BODY_LIMIT).router())
}

struct Arguments {
    listen: SocketAddr,
    data: PathBuf,
}

const USAGE: &str = "usage: server [--listen ADDRESS] [--data DIRECTORY]

  --listen  where to listen, on loopback; 127.0.0.1:8086 by default, port 0 for any
  --data    where tokens.redb and directory.redb are; portcullis-data by default";

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments { listen: ([127, 0, 0, 1], 8086).into(), data: "portcullis-data".into() };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{name} needs a value\n\n{USAGE}"));
        match name.as_str() {
            "--listen" => {
                let address = value()?;
                arguments.listen = address.parse().map_err(|error| format!("--listen {address}: {error}"))?;
            }
            "--data" => arguments.data = value()?.into(),
            _ => return Err(USAGE.into()),
        }
    }
    if !arguments.listen.ip().is_loopback() {
        return Err(format!("--listen {}: secrets would cross the network in the clear", arguments.listen));
    }
    Ok(arguments)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let Arguments { listen, data } = arguments().unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(2);
    });
    std::fs::create_dir_all(&data)?;
    let audit = |event: &Event| eprintln!("{} {event}", event.at);
    let authority = Authority::builder().observer(audit).open(RedbStore::open(data.join("tokens.redb"))?).await?;
    let server = Server { authority: Arc::new(authority), directory: Directory::open(&data.join("directory.redb"))? };

    let listener = TcpListener::bind(listen).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("listening on {url}, data in {}", data.display());
    if server.authority.is_set_up()? {
        println!("set up before; list the tokens that yours may see:\n");
        println!("  curl -H \"Authorization: Token $TOKEN\" {url}/api/v2/authorizations\n");
    } else {
        println!("set it up; the answer has the operator's token, which is shown once:\n");
        let body = r#"{"username":"alice","org":"acme","bucket":"metrics"}"#;
        println!("  curl -d '{body}' {url}/api/v2/setup\n");
    }
    let authority = Arc::clone(&server.authority);
    serve::until_asked_to_stop(listener, router(server)).await?;
    // Whatever requests were not finished in time still hold it, and dropping it would block.
    authority.close().await?;
    println!("stopped");
    Ok(())
}
