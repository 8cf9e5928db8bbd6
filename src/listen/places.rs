//! The places of a listener: who holds them, and who has to make room.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What a connection has done so far.
#[derive(Debug, Default)]
pub(super) struct State {
    heard: AtomicBool,
    asking: AtomicUsize,
}

impl State {
    /// Whether the head of a request ever came.
    pub(super) fn was_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    fn is_idle(&self) -> bool {
        self.asking.load(Ordering::Relaxed) == 0
    }
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Asking(Arc<State>);

impl Asking {
    pub(super) fn begin(state: &Arc<State>) -> Self {
        state.heard.store(true, Ordering::Relaxed);
        state.asking.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(state))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The places that are taken.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    /// By age.
    connections: BTreeMap<u64, Held>,
    addresses: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Held {
    address: Option<IpAddr>,
    state: Arc<State>,
    replaced: CancellationToken,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    places: Arc<Places>,
    /// What the connection does.
    pub(super) state: Arc<State>,
    /// Somebody else has the place now.
    pub(super) replaced: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(self.number);
        self.places.freed.notify_one();
    }
}

impl Places {
    /// Waits until fewer places than these are taken. A connection that never asked anything makes room.
    pub(super) async fn room(&self, limit: usize) {
        loop {
            let freed = self.freed.notified();
            {
                let mut taken = self.lock();
                if taken.connections.len() < limit || taken.replace(|held| !held.state.was_heard())
                {
                    return;
                }
            }
            freed.await;
        }
    }

    /// A place for a connection from an address, which may have this many. The oldest of them that asks nothing makes
    /// room; nothing when all of them do. A connection without an address counts among all only.
    pub(super) fn take(self: &Arc<Self>, address: Option<IpAddr>, each: usize) -> Option<Place> {
        let mut taken = self.lock();
        if let Some(address) = address {
            let open = taken.addresses.get(&address).copied().unwrap_or_default();
            let own = |held: &Held| held.address == Some(address) && held.state.is_idle();
            if open >= each
                && !taken.replace(|held| own(held) && !held.state.was_heard())
                && !taken.replace(own)
            {
                return None;
            }
            *taken.addresses.entry(address).or_default() += 1;
        }
        let number = taken.next;
        taken.next += 1;
        let (state, replaced) = (Arc::default(), CancellationToken::new());
        let held = Held {
            address,
            state: Arc::clone(&state),
            replaced: replaced.clone(),
        };
        taken.connections.insert(number, held);
        Some(Place {
            number,
            places: Arc::clone(self),
            state,
            replaced,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Closes the oldest connection of a kind; says whether there was one.
    fn replace(&mut self, kind: impl Fn(&Held) -> bool) -> bool {
        let oldest = self.connections.iter().find(|(_, held)| kind(held));
        let Some(number) = oldest.map(|(number, _)| *number) else {
            return false;
        };
        if let Some(held) = self.remove(number) {
            held.replaced.cancel();
        }
        true
    }

    fn remove(&mut self, number: u64) -> Option<Held> {
        let held = self.connections.remove(&number)?;
        if let Some(address) = held.address
            && let Some(open) = self.addresses.get_mut(&address)
        {
            *open -= 1;
            if *open == 0 {
                self.addresses.remove(&address);
            }
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn an_address_replaces_its_own_silent_connections_first_and_nobody_else_s() {
        let places = Arc::new(Places::default());
        let other = places.take(address(9), 2).unwrap();
        let asked = places.take(address(1), 2).unwrap();
        let asking = Asking::begin(&asked.state);
        let silent = places.take(address(1), 2).unwrap();
        let next = places.take(address(1), 2).unwrap();
        assert!(silent.replaced.is_cancelled() && !asked.replaced.is_cancelled());
        let busy = Asking::begin(&next.state);
        assert!(
            places.take(address(1), 2).is_none(),
            "both are being answered"
        );
        drop(asking);
        let _last = places.take(address(1), 2).unwrap();
        assert!(asked.replaced.is_cancelled() && !next.replaced.is_cancelled());
        assert!(!other.replaced.is_cancelled());
        drop(busy);
        let proxied: Vec<_> = (0..10).map(|_| places.take(None, 2).unwrap()).collect();
        assert!(proxied.iter().all(|place| !place.replaced.is_cancelled()));
    }

    #[tokio::test]
    async fn a_full_house_closes_the_oldest_that_never_asked_and_waits_for_the_others() {
        let places = Arc::new(Places::default());
        let heard = places.take(address(1), 9).unwrap();
        drop(Asking::begin(&heard.state));
        let silent = places.take(address(2), 9).unwrap();
        places.room(2).await;
        assert!(silent.replaced.is_cancelled() && !heard.replaced.is_cancelled());
        let next = places.take(address(3), 9).unwrap();
        let _asking = Asking::begin(&next.state);
        let waiting = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.room(2).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(heard);
        waiting.await.unwrap();
    }
}
