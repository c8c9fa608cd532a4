//! The store's own connections, and the thread that drives them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::error::PostgresError;

/// One for the authority, one that listens, one that tells, one that sweeps.
const MOST: u32 = 4;

/// How long connections may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// A pool on a runtime of its own. No task of the host is needed for it to go on, so whoever waits for the store may block.
pub(crate) struct Connections {
    pool: PgPool,
    /// The pool that these are like.
    model: Option<PgPool>,
    pub(crate) runtime: Handle,
    /// The thread ends when this is dropped.
    _alive: oneshot::Sender<Infallible>,
}

impl Connections {
    /// Starts the thread. Connections are made when they are needed.
    pub(crate) fn new(options: &PgConnectOptions) -> Result<Self, PostgresError> {
        Self::start(PgPoolOptions::new(), options, None)
    }

    /// The same, with the options and hooks of the host's pool.
    pub(crate) fn like(model: &PgPool) -> Result<Self, PostgresError> {
        Self::start(model.options().clone(), &model.connect_options(), Some(model.clone()))
    }

    fn start(pool: PgPoolOptions, options: &PgConnectOptions, model: Option<PgPool>) -> Result<Self, PostgresError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(PostgresError::Thread)?;
        let handle = runtime.handle().clone();
        let pool = {
            let _inside = handle.enter();
            pool.min_connections(0).max_connections(MOST).connect_lazy_with(poolable(options))
        };
        let (alive, ended) = oneshot::channel();
        let closing = pool.clone();
        let work = move || {
            runtime.block_on(async {
                _ = ended.await;
                _ = tokio::time::timeout(GOODBYE, closing.close()).await;
            });
        };
        thread::Builder::new().name("portcullis-postgres".to_owned()).spawn(work).map_err(PostgresError::Thread)?;
        Ok(Self { pool, model, runtime: handle, _alive: alive })
    }

    pub(crate) fn pool(&self) -> &PgPool {
        // A host whose passwords change sets them there.
        if let Some(model) = &self.model {
            self.pool.set_connect_options(poolable(&model.connect_options()));
        }
        &self.pool
    }

    pub(crate) async fn acquire(&self, limit: Duration) -> Result<PoolConnection<Postgres>, PostgresError> {
        within(limit, self.pool().acquire()).await?.map_err(PostgresError::Failed)
    }

    /// Blocks this thread until the work is done.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let _inside = self.runtime.enter();
        wait(work)
    }
}

/// Poolers refuse parameters that they do not know, and nothing here is a floating-point number.
fn poolable(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().extra_float_digits(None)
}

pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, PostgresError> {
    tokio::time::timeout(limit, work).await.map_err(|_| PostgresError::TimedOut(limit))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks this thread until the future is ready. Unlike tokio's, it may be called inside a runtime.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
        thread::park();
    }
}
