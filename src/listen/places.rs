//! The connection slots of a listener: which connections hold them, and which have to close for others.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long a connection may take to close before another one has to.
const SLOW: Duration = Duration::from_millis(500);

/// What a connection has done so far.
#[derive(Debug, Default)]
pub(super) struct State {
    heard: AtomicBool,
    asking: AtomicUsize,
    /// When its last request ended.
    idle_since: Mutex<Option<Instant>>,
    /// Wakes the tasks that wait for a slot.
    freed: Arc<Notify>,
}

impl State {
    /// Whether the head of a request ever came.
    pub(super) fn was_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    fn is_idle(&self) -> bool {
        self.asking.load(Ordering::Relaxed) == 0
    }

    fn idle_since(&self) -> Option<Instant> {
        *self
            .idle_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
        let since = &self.0.idle_since;
        *since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_one();
    }
}

/// The places that are taken.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<Taken>,
    freed: Arc<Notify>,
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
    /// Whether it was asked to close. It holds its slot and its file descriptor until it is closed.
    leaving: bool,
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
    /// Waits until fewer slots than this are taken. To make room, it closes a connection that never sent a request or,
    /// if there is none, the one that has been idle longest.
    pub(super) async fn room(&self, limit: usize) {
        let mut slow = false;
        loop {
            let freed = self.freed.notified();
            {
                let mut taken = self.lock();
                let open = taken.connections.len();
                if open < limit {
                    return;
                }
                let leaving = taken.connections.values().filter(|held| held.leaving);
                let enough = leaving.count() > open - limit;
                if (slow || !enough) && !taken.replace(|held| !held.state.was_heard()) {
                    taken.replace_idlest();
                }
            }
            // A client that stops reading its last response must not delay the next connection.
            slow = tokio::time::timeout(SLOW, freed).await.is_err();
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
        let state = Arc::new(State {
            freed: Arc::clone(&self.freed),
            ..State::default()
        });
        let replaced = CancellationToken::new();
        let held = Held {
            address,
            state: Arc::clone(&state),
            replaced: replaced.clone(),
            leaving: false,
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
    /// Asks the oldest connection of a kind to close; returns whether there was one.
    fn replace(&mut self, kind: impl Fn(&Held) -> bool) -> bool {
        let mut staying = self.connections.iter().filter(|(_, held)| !held.leaving);
        let oldest = staying.find(|(_, held)| kind(held));
        let number = oldest.map(|(number, _)| *number);
        number.is_some_and(|number| self.dismiss(number))
    }

    fn replace_idlest(&mut self) -> bool {
        let staying = self.connections.iter().filter(|(_, held)| !held.leaving);
        let idle = staying.filter(|(_, held)| held.state.is_idle());
        let idlest = idle.min_by_key(|(_, held)| held.state.idle_since());
        let number = idlest.map(|(number, _)| *number);
        number.is_some_and(|number| self.dismiss(number))
    }

    fn dismiss(&mut self, number: u64) -> bool {
        let Some(held) = self.connections.get_mut(&number) else {
            return false;
        };
        held.leaving = true;
        held.replaced.cancel();
        let address = held.address;
        self.uncount(address);
        true
    }

    fn remove(&mut self, number: u64) {
        if let Some(held) = self.connections.remove(&number)
            && !held.leaving
        {
            self.uncount(held.address);
        }
    }

    fn uncount(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address
            && let Some(open) = self.addresses.get_mut(&address)
        {
            *open -= 1;
            if *open == 0 {
                self.addresses.remove(&address);
            }
        }
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
    async fn a_full_house_closes_who_never_asked_then_who_is_idle_longest_and_waits_until_they_are_gone()
     {
        let places = Arc::new(Places::default());
        let room = || {
            tokio::spawn({
                let places = Arc::clone(&places);
                async move { places.room(3).await }
            })
        };
        let first = places.take(address(1), 9).unwrap();
        let second = places.take(address(2), 9).unwrap();
        let (one, two) = (Asking::begin(&first.state), Asking::begin(&second.state));
        let silent = places.take(address(3), 9).unwrap();
        let waiting = room();
        tokio::task::yield_now().await;
        assert!(silent.replaced.is_cancelled());
        assert!(!waiting.is_finished(), "it holds its file until it closes");
        drop(silent);
        waiting.await.unwrap();
        let third = places.take(address(4), 9).unwrap();
        let three = Asking::begin(&third.state);
        let waiting = room();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "all are being answered");
        drop(two);
        tokio::task::yield_now().await;
        drop(one);
        tokio::task::yield_now().await;
        assert!(second.replaced.is_cancelled() && !first.replaced.is_cancelled());
        drop((second, three));
        waiting.await.unwrap();
        assert!(!first.replaced.is_cancelled() && !third.replaced.is_cancelled());
    }
}
