//! Takes connections: many, but not any number, and none for longer than it makes progress.

use std::{
    convert::Infallible,
    io,
    net::{Shutdown, SocketAddr},
    os::fd::AsFd,
    pin::Pin,
    sync::{
        Arc,
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
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::Semaphore,
    time::{Sleep, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// How much a server bears.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Connections open at once; more wait until one ends.
    pub connections: usize,
    /// How long the head of a request may take, and how long a connection may wait for the next request. It is longer
    /// than proxies keep connections, so that it is they who part.
    pub head: Duration,
    /// How long a client may take nothing of an answer.
    pub stalled: Duration,
    /// How long, after the server was told to stop, a connection may take to end when nothing is being answered on it.
    pub farewell: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head: Duration::from_secs(75),
            stalled: Duration::from_secs(30),
            farewell: Duration::from_secs(2),
        }
    }
}

/// Serves the routes until it is told to stop; then takes nothing new and waits for what runs.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    patience: Patience,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(patience.connections));
    let open = TaskTracker::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (routes, stop) = (routes.clone(), stop.clone());
                open.spawn(async move {
                    converse(stream, peer, routes, patience, stop).await;
                    drop(place);
                });
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
) {
    let (requests, sending) = (TaskTracker::new(), Arc::new(AtomicU64::new(0)));
    let tracker = requests.clone();
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let (answer, under_way) = (routes.clone().oneshot(request), tracker.token());
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
            TokioIo::new(Patient::new(stream, patience.stalled, Arc::clone(&sending))),
            service,
        )
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // Who is answered gets all of it. Who is silent, or has not finished asking, keeps nobody.
    requests.close();
    let silent = async {
        loop {
            let sent = sending.load(Ordering::Relaxed);
            requests.wait().await;
            sleep(patience.farewell).await;
            if requests.is_empty() && sent != BLOCKED && sending.load(Ordering::Relaxed) == sent {
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
}

impl Patient {
    const fn new(stream: TcpStream, stalled: Duration, sending: Arc<AtomicU64>) -> Self {
        Self {
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
        if self.heard_out {
            return;
        }
        // A second handle keeps the socket open when this one is dropped.
        if let (Ok(runtime), Ok(socket)) = (
            Handle::try_current(),
            self.stream.as_fd().try_clone_to_owned(),
        ) {
            runtime.spawn(async move {
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
