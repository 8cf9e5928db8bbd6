//! How many requests of one caller run at once. More of them wait for their turn, and beyond that are refused, so that no
//! caller takes the connections and processors that the others need.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The requests of every caller that run or wait.
#[derive(Debug)]
pub struct Turns {
    running: usize,
    waiting: usize,
    callers: Mutex<HashMap<Arc<str>, Requests>>,
}

#[derive(Debug)]
struct Requests {
    running: Arc<Semaphore>,
    open: usize,
}

/// A request that runs or waits; given back when dropped.
#[derive(Debug)]
pub struct Place {
    turns: Arc<Turns>,
    caller: Arc<str>,
    running: Arc<Semaphore>,
}

impl Turns {
    /// Of each caller at most `running` requests run, and at most `waiting` more wait.
    #[must_use]
    pub fn new(running: usize, waiting: usize) -> Self {
        Self {
            running,
            waiting,
            callers: Mutex::default(),
        }
    }

    /// A place for a request of this caller, if there is one.
    #[must_use]
    pub fn enter(self: &Arc<Self>, caller: &Arc<str>) -> Option<Place> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = callers
            .entry(Arc::clone(caller))
            .or_insert_with(|| Requests {
                running: Arc::new(Semaphore::new(self.running)),
                open: 0,
            });
        if requests.open >= self.running.saturating_add(self.waiting) {
            return None;
        }
        requests.open += 1;
        Some(Place {
            turns: Arc::clone(self),
            caller: Arc::clone(caller),
            running: Arc::clone(&requests.running),
        })
    }
}

impl Place {
    /// Waits until the request may run; it runs as long as the permit lives. First come, first served.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed.
        Arc::clone(&self.running).acquire_owned().await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut callers = self
            .turns
            .callers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(requests) = callers.get_mut(&self.caller) {
            requests.open -= 1;
            if requests.open == 0 {
                callers.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_caller_runs_some_waits_with_some_and_keeps_nobody_else() {
        let turns = Arc::new(Turns::new(1, 1));
        let (ada, bo): (Arc<str>, Arc<str>) = ("ada".into(), "bo".into());
        let (first, second) = (turns.enter(&ada).unwrap(), turns.enter(&ada).unwrap());
        assert!(turns.enter(&ada).is_none());
        let running = first.turn().await;
        assert!(second.turn().now_or_never().is_none());
        assert!(turns.enter(&bo).unwrap().turn().now_or_never().is_some());
        drop((running, first));
        assert!(second.turn().now_or_never().is_some());
        assert!(turns.enter(&ada).is_some());
        drop(second);
        assert!(turns.callers.lock().unwrap().is_empty());
    }
}
