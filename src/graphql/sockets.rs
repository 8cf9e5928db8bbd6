//! Counts the WebSockets that are open, so that nobody can open any number of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The open connections, all and by caller.
#[derive(Debug)]
pub struct Sockets {
    all: Arc<Semaphore>,
    each: usize,
    callers: Arc<Mutex<HashMap<Arc<str>, usize>>>,
}

/// One caller's place; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    caller: Arc<str>,
    callers: Arc<Mutex<HashMap<Arc<str>, usize>>>,
}

impl Sockets {
    /// At most `all` together and `each` of one caller.
    pub fn new(all: usize, each: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            each,
            callers: Arc::default(),
        }
    }

    /// A place for a connection of somebody unknown yet.
    pub fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).try_acquire_owned().ok()
    }

    /// A place among the caller's.
    pub fn seat(&self, caller: &Arc<str>) -> Option<Seat> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let open = callers.entry(Arc::clone(caller)).or_default();
        if *open >= self.each {
            return None;
        }
        *open += 1;
        Some(Seat {
            caller: Arc::clone(caller),
            callers: Arc::clone(&self.callers),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = callers.get_mut(&self.caller) {
            *open -= 1;
            if *open == 0 {
                callers.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back_and_callers_forgotten() {
        let sockets = Sockets::new(2, 1);
        let (one, two) = (sockets.enter(), sockets.enter());
        assert!(one.is_some() && two.is_some() && sockets.enter().is_none());
        drop(one);
        assert!(sockets.enter().is_some());
        let ada: Arc<str> = "ada".into();
        let seat = sockets.seat(&ada);
        assert!(seat.is_some() && sockets.seat(&ada).is_none());
        assert!(sockets.seat(&"bo".into()).is_some());
        drop(seat);
        assert!(sockets.callers.lock().unwrap().is_empty());
        assert!(sockets.seat(&ada).is_some());
    }
}
