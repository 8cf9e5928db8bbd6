//! Takes connections: many, but not any number, and none for longer than it makes progress.

use std::{
    convert::Infallible,
    io,
    net::{Shutdown, SocketAddr},
    os::fd::AsFd,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use http_body_util::BodyExt;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::Handle,
    time::{Sleep, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::platform::proxies::AddressRange;

mod places;

use places::{Asking, Place, Places};

/// How much a server bears.
#[derive(Clone, Debug)]
pub struct Patience {
    /// The maximum number of open connections. At the limit, a connection that never sent a request is closed for the
    /// next one, or else the one that has been idle longest. While all are being answered, the next one waits.
    pub connections: usize,
    /// Connections of one network address that are open at once, proxies excepted. The next one replaces the oldest that
    /// asks nothing, or is refused.
    pub per_address: usize,
    /// How long a new connection may take to finish the head of its first request.
    pub first: Duration,
    /// How long a connection may wait for its next request, head included. It is longer than proxies keep connections, so
    /// that it is they who part.
    pub head: Duration,
    /// How long a client may take nothing of an answer.
    pub stalled: Duration,
    /// How long an idle connection may take to close after the server starts to shut down.
    pub farewell: Duration,
    /// Proxies, which connect for many clients.
    pub proxies: Arc<[AddressRange]>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connections: 10_000,
            per_address: 2_500,
            first: Duration::from_secs(10),
            head: Duration::from_secs(75),
            stalled: Duration::from_secs(30),
            farewell: Duration::from_secs(2),
            proxies: Arc::default(),
        }
    }
}

impl Patience {
    /// For a handful of clients, such as those that collect metrics.
    #[must_use]
    pub fn few() -> Self {
        Self {
            connections: 16,
            per_address: 8,
            ..Self::default()
        }
    }
}

/// The connections that a process can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// HTTP connections.
    pub connections: usize,
    /// HTTP connections of one network address.
    pub per_address: usize,
    /// WebSockets, which leave the HTTP connections once they are open.
    pub sockets: usize,
}

impl Limits {
    /// What the file descriptors of this process allow, after it has asked for all that it may have, with room for this
    /// many database connections and for files.
    #[must_use]
    pub fn of_process(database_connections: u32) -> Self {
        let limits = Self::of(descriptors(), database_connections);
        if limits.connections < 256 {
            let connections = limits.connections;
            tracing::warn!(
                connections,
                "few file descriptors: raise the limit of open files (ulimit -n, LimitNOFILE)"
            );
        }
        limits
    }

    fn of(descriptors: usize, database_connections: u32) -> Self {
        // An SQLite connection opens the database, its log and its index.
        let database = usize::try_from(database_connections).unwrap_or(usize::MAX);
        let kept = database
            .saturating_add(2)
            .saturating_mul(3)
            .saturating_add(64);
        let free = descriptors.saturating_sub(kept).max(24);
        let sockets = (free / 3).min(5_000);
        let connections = (free - sockets).min(10_000);
        Self {
            connections,
            per_address: (connections / 4).max(8),
            sockets,
        }
    }
}

/// How many files this process may have open.
fn descriptors() -> usize {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
            let raised = soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
            let now = if raised { hard } else { soft };
            return usize::try_from(now).unwrap_or(usize::MAX);
        }
    }
    usize::MAX
}

/// How many connections may wait to be taken.
const BACKLOG: u32 = 4_096;

/// Opens an address.
///
/// # Errors
/// It cannot be bound.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves the routes until it is told to stop; then takes nothing new and waits for what runs.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    patience: Patience,
    stop: CancellationToken,
) {
    let places = Arc::new(Places::default());
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Otherwise the second part of a response waits until the client acknowledges the first: 40 ms.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "the connection is already closed");
                }
                // Nobody makes room before another one is there: a connection that was just opened has yet to ask.
                tokio::select! {
                    () = places.room(patience.connections) => {}
                    () = stop.cancelled() => break,
                }
                let address = peer.ip().to_canonical();
                let proxy = patience.proxies.iter().any(|range| range.contains(address));
                let Some(place) = places.take((!proxy).then_some(address), patience.per_address)
                else {
                    tracing::debug!(%address, "a connection was refused: too many from this address");
                    continue;
                };
                let (routes, stop) = (routes.clone(), stop.clone());
                open.spawn(converse(
                    stream,
                    peer,
                    routes,
                    patience.clone(),
                    stop,
                    place,
                ));
            }
            // No file is left for another connection, or the client went away before it was taken.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    open.close();
    open.wait().await;
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    patience: Patience,
    stop: CancellationToken,
    place: Place,
) {
    let place = Arc::new(place);
    let (requests, sending) = (TaskTracker::new(), Arc::new(AtomicU64::new(0)));
    let tracker = requests.clone();
    let state = Arc::clone(&place.state);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let under_way = (tracker.token(), Asking::begin(&state));
        let answer = routes.clone().oneshot(request);
        async move {
            let answer = answer.await?;
            // It is under way until its body is dropped, which keeps the token from here on.
            let keep = move |error| {
                let _ = &under_way;
                error
            };
            Ok::<_, Infallible>(answer.map(|body| body.map_err(keep)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .serve_connection(
            TokioIo::new(Patient::new(
                stream,
                patience.stalled,
                Arc::clone(&sending),
                &place,
            )),
            service,
        )
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let unheard = async {
        sleep(patience.first).await;
        if place.state.was_heard() {
            std::future::pending::<()>().await;
        }
    };
    let mut replaced = false;
    tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = unheard => return tracing::debug!("a connection that asked nothing was closed"),
        () = place.replaced.cancelled() => {
            tracing::debug!("closing a connection to make room for another");
            if !place.state.was_heard() {
                return;
            }
            // The rest of an earlier response still reaches the client, if it reads it soon.
            connection.as_mut().graceful_shutdown();
            replaced = true;
        }
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // Who is answered gets all of it. Who is silent, or has not finished asking, keeps nobody.
    requests.close();
    let silent = async {
        loop {
            let sent = sending.load(Ordering::Relaxed);
            requests.wait().await;
            sleep(patience.farewell).await;
            let takes_all = sent != BLOCKED && sending.load(Ordering::Relaxed) == sent;
            if requests.is_empty() && (takes_all || replaced) {
                break;
            }
        }
    };
    tokio::select! {
        ended = connection.as_mut() => note(ended),
        () = silent => tracing::debug!("a connection without a request was closed"),
    }
}

/// What a connection has sent when the client takes no more of it just now.
const BLOCKED: u64 = u64::MAX;

fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// How long what a peer still sends is read after the last word was said to it.
const LINGER: Duration = Duration::from_secs(2);

/// A connection that ends for a peer which takes nothing, and that lets every other one read its last words: a socket
/// closed over unread data is reset, and what was sent last is lost.
struct Patient {
    stream: TcpStream,
    /// Whether the peer has said that it sends nothing more.
    heard_out: bool,
    stalled: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Counts what was sent, or is [`BLOCKED`].
    sending: Arc<AtomicU64>,
    sent: u64,
    /// Its slot, while it is an HTTP connection.
    place: Weak<Place>,
}

impl Patient {
    fn new(
        stream: TcpStream,
        stalled: Duration,
        sending: Arc<AtomicU64>,
        place: &Arc<Place>,
    ) -> Self {
        Self {
            place: Arc::downgrade(place),
            stream,
            heard_out: false,
            stalled,
            waiting: None,
            sending,
            sent: 0,
        }
    }

    fn watch<T>(
        &mut self,
        ctx: &mut Context<'_>,
        taken: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if taken.is_ready() {
            self.waiting = None;
            self.sent += 1;
            self.sending.store(self.sent, Ordering::Relaxed);
            return taken;
        }
        self.sending.store(BLOCKED, Ordering::Relaxed);
        let stalled = self.stalled;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(stalled)));
        match waiting.as_mut().poll(ctx) {
            Poll::Ready(()) => {
                // It does not take its last words either.
                self.heard_out = true;
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(ctx, buffer));
        let room = buffer.remaining() > 0;
        self.heard_out |= read.is_err() || (room && buffer.filled().len() == filled);
        Poll::Ready(read)
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        let place = self.place.upgrade();
        let replaced = |place: &Arc<Place>| place.replaced.is_cancelled();
        // No response was begun, or another connection needs the file descriptor at once.
        if self.heard_out || self.sent == 0 || place.as_ref().is_some_and(replaced) {
            return;
        }
        // A second handle keeps the socket open when this one is dropped.
        if let (Ok(runtime), Ok(socket)) = (
            Handle::try_current(),
            self.stream.as_fd().try_clone_to_owned(),
        ) {
            runtime.spawn(async move {
                let _place = place;
                let _ = tokio::time::timeout(LINGER, hear_out(socket.into())).await;
            });
        }
    }
}

/// Says that nothing more comes, and reads until the peer says so, too.
async fn hear_out(socket: std::net::TcpStream) -> io::Result<()> {
    socket.shutdown(Shutdown::Write)?;
    let mut stream = TcpStream::from_std(socket)?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write(ctx, bytes);
        self.watch(ctx, taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write_vectored(ctx, parts);
        self.watch(ctx, taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(ctx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(ctx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_leave_room_for_the_database_and_for_files() {
        let of = |descriptors, database| {
            let limits = Limits::of(descriptors, database);
            (limits.connections, limits.per_address, limits.sockets)
        };
        assert_eq!(of(256, 16), (92, 23, 46));
        assert_eq!(of(1_024, 16), (604, 151, 302));
        assert_eq!(of(1_048_576, 16), (10_000, 2_500, 5_000));
        assert_eq!(of(64, 500), (16, 8, 8));
        for descriptors in (256..20_000).step_by(97) {
            let limits = Limits::of(descriptors, 16);
            assert!(limits.connections + limits.sockets + 16 * 3 + 64 <= descriptors);
        }
    }
}
