//! The load: so many connections that each ask again as soon as they were answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::Result;

/// One request, ready to be sent.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: String,
    /// The bearer token, where there is one.
    pub token: Option<Arc<str>>,
    /// The JSON body; empty for none.
    pub body: String,
}

/// The requests of an operation: the n-th of all, counted over the whole run, so that none comes twice.
pub type Asks = Arc<dyn Fn(usize) -> Ask + Send + Sync>;

/// What a time under load came to.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The answers, each by its time.
    pub times: Vec<Duration>,
    /// How long it was measured.
    pub length: Duration,
}

impl Sample {
    /// Requests answered.
    pub fn count(&self) -> u32 {
        u32::try_from(self.times.len()).unwrap_or(u32::MAX)
    }

    /// Requests per second.
    pub fn rate(&self) -> f64 {
        f64::from(self.count()) / self.length.as_secs_f64()
    }

    /// The time within which this share of the requests was answered, in percent.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        let place = (times.len() * percent).div_ceil(100).max(1) - 1;
        times.get(place).copied().unwrap_or_default()
    }

    /// Adds another time under the same load.
    pub fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.length += other.length;
    }
}

/// Asks for a while over so many connections.
pub async fn run(
    address: SocketAddr,
    asks: &Asks,
    next: &Arc<AtomicUsize>,
    connections: usize,
    length: Duration,
) -> Result<Sample> {
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (asks, next) = (Arc::clone(asks), Arc::clone(next));
        tasks.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut times = Vec::new();
            while started.elapsed() < length {
                let ask = asks(next.fetch_add(1, Ordering::Relaxed));
                let sent = Instant::now();
                let answer = connection.ask(&ask).await?;
                times.push(sent.elapsed());
                check(&ask, &answer)?;
            }
            Ok::<_, crate::Failure>(times)
        });
    }
    let mut sample = Sample::default();
    while let Some(times) = tasks.join_next().await {
        sample.times.extend(times??);
    }
    sample.length = started.elapsed();
    Ok(sample)
}

/// An answer that refuses anything would be fast and worth nothing.
///
/// # Errors
/// It holds errors or no data.
pub fn check(ask: &Ask, answer: &[u8]) -> Result<()> {
    let good = answer.starts_with(b"{\"data\":{") && !contains(answer, b"\"errors\":[");
    let refused = contains(answer, b"\"userErrors\":[{");
    if good && !refused {
        return Ok(());
    }
    let answered = String::from_utf8_lossy(answer);
    Err(format!("{} {} was answered {answered}", ask.path, ask.body).into())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    // Faults stand at the end of an answer, and refusals in short ones.
    let tail = &text[text.len().saturating_sub(600)..];
    tail.windows(part.len()).any(|window| window == part)
}

/// A connection that is kept. It knows as much of HTTP as both servers speak to it: answers of a told length.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(64 * 1_024),
        })
    }

    /// Asks and reads the whole answer.
    pub async fn ask(&mut self, ask: &Ask) -> Result<Vec<u8>> {
        let token = ask.token.as_deref().map_or_else(String::new, |token| {
            format!("authorization: Bearer {token}\r\n")
        });
        let mut request = format!(
            "{} {} HTTP/1.1\r\nhost: localhost\r\n{token}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            ask.method,
            ask.path,
            ask.body.len()
        );
        request.push_str(&ask.body);
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let (start, length) = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server hung up".into());
            }
            if let Some(head) = head(&self.buffer)? {
                break head;
            }
        };
        while self.buffer.len() < start + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server hung up".into());
            }
        }
        Ok(self.buffer.split_off(start))
    }
}

/// Where the body starts and how long it is, once the head is complete.
fn head(answer: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..end])?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse())
    });
    let length = length.ok_or_else(|| format!("an answer of no told length: {head}"))?;
    Ok(Some((end + 4, length?)))
}
