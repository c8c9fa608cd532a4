//! What nobody needs and everybody likes: telling other nodes that something changed, and being told.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::statements::{SWEPT, raw};

/// How long to wait before listening again.
const PAUSE: Duration = Duration::from_secs(1);

/// Tasks on the store's runtime, which end with the store.
#[derive(Debug)]
pub(crate) struct Hints {
    changed: Arc<Notify>,
    swept: Arc<Notify>,
    tasks: Vec<JoinHandle<()>>,
}

impl Hints {
    pub(crate) fn new(pool: &PgPool, runtime: &Handle, sweep: &Arc<str>, channel: &Channel) -> Self {
        let (changed, swept) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let telling = runtime.spawn(tell(pool.clone(), channel.clone(), Arc::clone(&changed)));
        let sweeping = runtime.spawn(sweep_all(pool.clone(), Arc::clone(sweep), Arc::clone(&swept)));
        Self { changed, swept, tasks: vec![telling, sweeping] }
    }

    pub(crate) fn listen(&mut self, pool: &PgPool, runtime: &Handle, channel: &Channel, waker: Waker) {
        self.tasks.push(runtime.spawn(listen(pool.clone(), channel.clone(), waker)));
    }

    /// Something was committed here.
    pub(crate) fn changed(&self) {
        self.changed.notify_one();
    }

    /// There may be more forgotten tombstones than one statement drops.
    pub(crate) fn more_to_sweep(&self) {
        self.swept.notify_one();
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Where the stores of one schema tell each other.
#[derive(Debug, Clone)]
pub(crate) struct Channel {
    pub(crate) name: String,
    /// Who tells, so that nobody listens to themselves.
    pub(crate) own: String,
}

/// Apart from the commits, so that a database without `NOTIFY` has them all the same.
async fn tell(pool: PgPool, channel: Channel, changed: Arc<Notify>) {
    loop {
        changed.notified().await;
        // Who is not told looks by itself.
        _ = raw(format!("NOTIFY {}, '{}'", channel.name, channel.own)).execute(&pool).await;
    }
}

async fn listen(pool: PgPool, channel: Channel, waker: Waker) {
    loop {
        if let Ok(mut listener) = PgListener::connect_with(&pool).await
            && listener.listen(&channel.name).await.is_ok()
        {
            // What was told before.
            waker.wake_by_ref();
            // `None` is an interruption, in which something may have been told.
            while let Ok(told) = listener.try_recv().await {
                if told.is_none_or(|told| told.payload() != channel.own) {
                    waker.wake_by_ref();
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn sweep_all(pool: PgPool, sweep: Arc<str>, swept: Arc<Notify>) {
    loop {
        swept.notified().await;
        // What is left after a failure is swept with what is forgotten next.
        while let Ok(done) = raw(Arc::clone(&sweep)).execute(&pool).await {
            if done.rows_affected() < SWEPT {
                break;
            }
        }
    }
}
