//! When the loaders of a request read: once nothing else of the request can go on, so that everything that one level of
//! the selection asks for is in the same batches, whatever the number of rows and however fast the machine.
//!
//! The batches run inside the request: they end with it, and what the log says about them belongs to it.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker, ready},
    time::Duration,
};

use async_graphql::runtime::Timer;
use futures_util::{
    FutureExt, StreamExt,
    future::{self, BoxFuture, poll_fn},
    stream::FuturesUnordered,
    task::{AtomicWaker, FutureObj, Spawn, SpawnError},
};

use crate::platform::reader::Reader;

/// The batches of one request.
#[derive(Clone, Default)]
pub struct Batches(Arc<Shared>);

#[derive(Default)]
struct Shared {
    level: Mutex<Level>,
    /// The reading door of the request.
    reader: Option<Reader>,
}

/// Where the request stands.
#[derive(Default)]
struct Level {
    /// The batches that wait for their turn.
    waiting: Vec<FutureObj<'static, ()>>,
    /// Whether batches are being read.
    reading: bool,
    /// Who has what it asked for and goes on when all have.
    held: Vec<Waker>,
}

impl Spawn for Batches {
    fn spawn_obj(&self, batch: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.level().waiting.push(batch);
        Ok(())
    }
}

/// A batch that has its turn waits no longer.
impl Timer for Batches {
    fn delay(&self, _: Duration) -> BoxFuture<'static, ()> {
        future::ready(()).boxed()
    }
}

impl Batches {
    /// Batches of a request that reads by this door.
    #[must_use]
    pub fn over(reader: Reader) -> Self {
        Self(Arc::new(Shared {
            reader: Some(reader),
            ..Shared::default()
        }))
    }

    /// Whether a field reads just now, without a loader. Batches would wait for it, and it for them.
    fn is_read_beside(&self) -> bool {
        self.0.reader.as_ref().is_some_and(Reader::is_reading)
    }

    fn level(&self) -> MutexGuard<'_, Level> {
        // It is whole after every change.
        self.0.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the batches that are being read have ended. A field that went on before could ask for what one of
    /// them is about to bring, and have it read twice.
    pub async fn level_ended(&self) {
        poll_fn(|cx| {
            let mut level = self.level();
            if level.reading {
                level.held.push(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Runs a request and its batches: those that wait are started together, after those before them have ended and the
    /// request has come to a stop.
    pub async fn serve<F: Future>(&self, request: F) -> F::Output {
        let _end = End(self);
        let mut request = pin!(request);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut running = FuturesUnordered::new();
        poll_fn(|cx| {
            woken.outer.register(cx.waker());
            loop {
                woken.again.store(false, Ordering::SeqCst);
                if let Poll::Ready(output) = request.as_mut().poll(&mut Context::from_waker(&waker))
                {
                    return Poll::Ready(output);
                }
                // It only made room for others, and has more to ask for.
                if woken.again.load(Ordering::SeqCst) {
                    return Poll::Pending;
                }
                if running.is_empty() {
                    if self.is_read_beside() {
                        return Poll::Pending;
                    }
                    let mut level = self.level();
                    running.extend(std::mem::take(&mut level.waiting));
                    if running.is_empty() {
                        return Poll::Pending;
                    }
                    level.reading = true;
                }
                while ready!(running.poll_next_unpin(cx)).is_some() {}
                let held = {
                    let mut level = self.level();
                    level.reading = false;
                    std::mem::take(&mut level.held)
                };
                held.into_iter().for_each(Waker::wake);
            }
        })
        .await
    }
}

/// The end of a request, however it comes. Batches that were never read hold on to whatever they were to be read by,
/// these batches among it.
struct End<'a>(&'a Batches);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut self.0.level().waiting);
        drop(waiting);
    }
}

/// Whether the request can go on, and whom to tell.
#[derive(Default)]
struct Woken {
    again: AtomicBool,
    outer: AtomicWaker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.again.store(true, Ordering::SeqCst);
        self.outer.wake();
    }
}
