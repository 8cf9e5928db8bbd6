//! Keeps a locked table from taking every connection.
//!
//! Whoever waits for a lock holds a connection meanwhile. An operation that met a lock it did not get in time goes on one
//! at a time until one of them succeeds, so that the connections are there for everything else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long an operation waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// The operations that met such a lock, each with its one place.
#[derive(Default)]
pub(crate) struct Congestion(Mutex<HashMap<&'static str, Arc<Semaphore>>>);

/// The turn of an operation; whole while it goes freely.
pub(crate) struct Turn(Option<OwnedSemaphorePermit>);

impl Congestion {
    /// Waits for the turn of an operation; nothing when it did not come in time.
    pub(crate) async fn turn(&self, operation: &'static str) -> Option<Turn> {
        let Some(place) = self.place(operation) else {
            return Some(Turn(None));
        };
        let waited = tokio::time::timeout(PATIENCE, place.acquire_owned()).await;
        Some(Turn(Some(waited.ok()?.ok()?)))
    }

    /// Whether an operation that went freely has become one that takes turns.
    pub(crate) fn has_begun(&self, operation: &'static str, turn: &Turn) -> bool {
        turn.0.is_none() && self.place(operation).is_some()
    }

    /// An operation met a lock.
    pub(crate) fn met(&self, operation: &'static str) {
        let mut places = self.places();
        places
            .entry(operation)
            .or_insert_with(|| Arc::new(Semaphore::new(1)));
    }

    /// An operation succeeded.
    pub(crate) fn over(&self, operation: &'static str) {
        self.places().remove(operation);
    }

    fn place(&self, operation: &'static str) -> Option<Arc<Semaphore>> {
        self.places().get(operation).map(Arc::clone)
    }

    fn places(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Arc<Semaphore>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_congested_operation_goes_one_at_a_time_until_one_succeeds() {
        let congestion = Congestion::default();
        let free = congestion.turn("a").await.unwrap();
        assert!(!congestion.has_begun("a", &free));
        congestion.met("a");
        congestion.met("a");
        assert!(congestion.has_begun("a", &free));
        let first = congestion.turn("a").await.unwrap();
        assert!(!congestion.has_begun("a", &first));
        assert!(congestion.turn("a").now_or_never().is_none());
        assert!(congestion.turn("b").now_or_never().flatten().is_some());
        drop(first);
        assert!(congestion.turn("a").now_or_never().flatten().is_some());
        congestion.over("a");
        assert!(!congestion.has_begun("a", &free));
    }
}
