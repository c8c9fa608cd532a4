//! Connections: limits against clients that send too much or too slowly, and an end that lets requests finish.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::response::{IntoResponse, Response};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use portcullis_http::{ApiError, Fault};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use crate::BODY_LIMIT;

/// How long a client may take to send its headers, and how long an idle connection is kept.
const HEADERS_WITHIN: Duration = Duration::from_secs(5);
/// How long a request may take, its body included.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// How long a client may read nothing of its answer, in milliseconds; the kernel counts it, and only Linux does. Who reads
/// a little at a time is for the proxy in front to end.
#[cfg(target_os = "linux")]
const READ_WITHIN: u32 = 10_000;
/// How large a request's head may be, in bytes.
const HEAD: usize = 16 * 1024;
/// How many headers a request may have.
const HEADERS: usize = 64;
/// How many connections there may be.
const CONNECTIONS: usize = 1024;
/// How long requests may take to finish when the server is asked to stop.
const DRAINED_WITHIN: Duration = Duration::from_secs(10);

/// Serves until `SIGTERM` or `SIGINT`, then finishes what is under way.
pub(crate) async fn until_asked_to_stop(listener: TcpListener, router: Router) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(HEAD).max_headers(HEADERS);
    loop {
        let accepted = tokio::select! {
            accepted = async { (Arc::clone(&connections).acquire_owned().await, listener.accept().await) } => accepted,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        let (place, stream) = match accepted {
            (place, Ok((stream, _))) => (place, stream),
            (_, Err(error)) => {
                // Out of file descriptors, mostly: wait until there are some.
                eprintln!("a connection was not accepted: {error}");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // It fails only where there is no client any more.
        #[cfg(target_os = "linux")]
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, READ_WITHIN);
        let router = router.clone();
        let service = service_fn(move |request| answer(router.clone(), request));
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // How a connection ends is its client's matter.
            _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    if timeout(DRAINED_WITHIN, graceful.shutdown()).await.is_err() {
        eprintln!("some requests were not finished within {DRAINED_WITHIN:?}");
    }
    Ok(())
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response, Infallible> {
    if request.body().size_hint().lower() > BODY_LIMIT as u64 {
        return Ok(ApiError::too_large().into_response());
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let Ok(response) = timeout(ANSWERED_WITHIN, router.oneshot(request.map(Body::new))).await else {
        return Ok(StatusCode::REQUEST_TIMEOUT.into_response());
    };
    if let Ok(response) = &response
        && let Some(fault) = response.extensions().get::<Fault>()
    {
        let source = std::error::Error::source(fault).map(|source| format!(": {source}")).unwrap_or_default();
        eprintln!("{method} {path}: {fault}{source}");
    }
    response
}
