//! The server over real sockets: slow and silent clients, WebSockets in numbers, a shutdown.

use std::{net::SocketAddr, time::Duration};

use ensemble::{
    graphql::transport::Settings,
    listen::{self, Patience},
    server,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{partners, token};
use crate::{cases, support::TestApp};

cases!(
    half_a_head_and_half_a_body_are_given_up,
    a_client_that_takes_nothing_is_given_up,
    connections_beyond_the_limit_wait_for_their_turn,
    a_stop_lets_what_runs_finish,
    a_slow_client_gets_its_whole_answer_during_a_stop,
    a_websocket_is_closed_with_the_code_of_its_fault,
    a_close_is_answered_with_its_code_and_loses_nothing,
    the_end_of_an_operation_follows_its_answer_at_once,
    operations_and_messages_of_a_websocket_are_bounded,
    a_late_mutation_over_a_websocket_answers_timeout_and_happens_once,
);

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Server {
    async fn start(t: &TestApp, patience: Patience, adapt: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = server::settings();
        adapt(&mut settings);
        let stop = CancellationToken::new();
        let transport = server::transport(&t.app, settings).unwrap();
        let routes = server::routes(&t.app, transport, Vec::new(), &stop);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let running = tokio::spawn(listen::serve(listener, routes, patience, stop.clone()));
        Self {
            address,
            stop,
            running,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

fn hasty() -> Patience {
    Patience {
        head: Duration::from_millis(150),
        stalled: Duration::from_millis(150),
        ..Patience::default()
    }
}

fn post(token: &str, body: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// All that comes until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn half_a_head_and_half_a_body_are_given_up(t: TestApp) {
    let server = Server::start(&t, hasty(), |settings| {
        settings.deadline = Duration::from_millis(150);
    })
    .await;
    let mut silent = server.connect().await;
    assert_eq!(rest(&mut silent).await, "");
    let mut slow = server.connect().await;
    let (mut reading, mut writing) = slow.split();
    let drip = async {
        // A byte now and then does not buy more time.
        for byte in "POST /graphql HTTP/1.1\r\nhost: x\r\n".repeat(100).bytes() {
            if writing.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let closed = async {
        let mut bytes = Vec::new();
        let _ = reading.read_to_end(&mut bytes).await;
        bytes
    };
    tokio::select! {
        () = drip => panic!("the connection was never given up"),
        bytes = closed => assert!(bytes.is_empty(), "{bytes:?}"),
    }
    let mut half = server.connect().await;
    let request = post("", &"x".repeat(1_000));
    half.write_all(&request.as_bytes()[..request.len() - 500])
        .await
        .unwrap();
    let answer = rest(&mut half).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("BAD_REQUEST"), "{answer}");
    server.stop().await;
}

async fn a_client_that_takes_nothing_is_given_up(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let server = Server::start(&t, hasty(), |settings| {
        settings.development = None;
        settings.budget =
            std::sync::Arc::new(ensemble::graphql::budget::Buckets::new(1_000_000, 1));
    })
    .await;
    let introspection = "{ __schema { types { name description fields { name description args { name description } } } } }";
    let request = post(&ada, &json!({ "query": introspection }).to_string());
    let mut greedy = server.connect().await;
    // Answers of about half a megabyte each, none of which is read: the buffers fill, and then the server parts.
    let mut parted = false;
    for _ in 0..2_000 {
        if greedy.write_all(request.as_bytes()).await.is_err() {
            parted = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(parted, "the connection was never given up");
    server.stop().await;
}

async fn connections_beyond_the_limit_wait_for_their_turn(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let patience = Patience {
        connections: 2,
        ..Patience::default()
    };
    let server = Server::start(&t, patience, |_| ()).await;
    let request = post(&ada, r#"{"query": "{ viewer { role } }"}"#);
    let (head, tail) = request.split_at(request.len() - 5);
    let head = head.replacen("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n", 1);
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server has read the head and waits for the rest.
        let mut heard = [0; 25];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"HTTP/1.1 100 Continue\r\n\r\n");
        open.push(stream);
    }
    let mut third = server.connect().await;
    third.write_all(request.as_bytes()).await.unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(200), third.read_exact(&mut byte)).await;
    assert!(early.is_err(), "a third connection was served beside two");
    // An idle connection is closed to make room, after its whole response.
    let mut first = open.remove(0);
    first.write_all(tail.as_bytes()).await.unwrap();
    let answer = rest(&mut first).await;
    assert!(
        answer.ends_with('}') && answer.contains("ADMINISTRATOR"),
        "{answer}"
    );
    third.read_exact(&mut byte).await.unwrap();
    drop((open, third));
    server.stop().await;
}

async fn a_stop_lets_what_runs_finish(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let server = Server::start(&t, Patience::default(), |_| ()).await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    let request = post(&ada, r#"{"query": "{ viewer { role } }"}"#);
    let (head, tail) = request.split_at(request.len() - 5);
    busy.write_all(head.as_bytes()).await.unwrap();
    // The server has read the head when it has taken another connection's whole request.
    let mut other = server.connect().await;
    other.write_all(request.as_bytes()).await.unwrap();
    let mut byte = [0];
    other.read_exact(&mut byte).await.unwrap();
    server.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    busy.write_all(tail.as_bytes()).await.unwrap();
    let answer = rest(&mut busy).await;
    assert!(answer.contains("ADMINISTRATOR"), "{answer}");
    server.stop().await;
}

async fn a_slow_client_gets_its_whole_answer_during_a_stop(t: TestApp) {
    let patience = Patience {
        farewell: Duration::from_millis(5),
        ..Patience::default()
    };
    // More than the buffers between a server and its client hold.
    let text = "x".repeat(32 << 20);
    let length = text.len();
    let routes = axum::Router::new().route("/", axum::routing::get(|| async move { text }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(listen::serve(listener, routes, patience, stop.clone()));
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    client.write_all(request).await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'H');
    stop.cancel();
    // A connection that asks nothing is closed after this time, twenty times over.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!running.is_finished());
    let answer = rest(&mut client).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), length);
    running.await.unwrap();
    t.settle().await;
}

/// A client of graphql-transport-ws that writes its frames itself.
struct Socket(TcpStream);

impl Socket {
    async fn open(server: &Server) -> Self {
        let mut stream = server.connect().await;
        let upgrade = "GET /graphql/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n";
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&head)
        );
        Self(stream)
    }

    async fn ready(server: &Server, token: &str) -> Self {
        let mut socket = Self::open(server).await;
        let init = json!({ "type": "connection_init", "payload": { "authorization": token } });
        socket.say(&init).await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket
    }

    /// Sends a frame; the mask is all zeros, which masks nothing.
    async fn frame(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode, 0x80 | 127];
        frame.extend_from_slice(&u64::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        // A server that has parted already does not take all of it.
        let _ = self.0.write_all(&frame).await;
    }

    async fn say(&mut self, message: &Value) {
        self.frame(1, message.to_string().as_bytes()).await;
    }

    async fn subscribe(&mut self, id: &str, document: &str) {
        self.say(&json!({ "type": "subscribe", "id": id, "payload": { "query": document } }))
            .await;
    }

    /// The next frame's opcode and payload; nothing when the connection was cut.
    async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let opcode = self.0.read_u8().await.ok()? & 0x0f;
        let length = match self.0.read_u8().await.ok()? & 0x7f {
            126 => u64::from(self.0.read_u16().await.ok()?),
            127 => self.0.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((opcode, payload))
    }

    async fn hear(&mut self) -> Value {
        loop {
            match self.next().await {
                Some((1, payload)) => return serde_json::from_slice(&payload).unwrap(),
                Some((9, _)) => {}
                other => panic!("not a message: {other:?}"),
            }
        }
    }

    /// The code with which the server closes.
    async fn closed(&mut self) -> u16 {
        loop {
            match self.next().await {
                Some((8, payload)) => return u16::from_be_bytes([payload[0], payload[1]]),
                Some(_) => {}
                None => return 0,
            }
        }
    }
}

async fn a_websocket_is_closed_with_the_code_of_its_fault(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let hasty = Server::start(&t, Patience::default(), |settings| {
        settings.init_timeout = Duration::from_millis(150);
    })
    .await;
    assert_eq!(Socket::open(&hasty).await.closed().await, 4408);

    let server = Server::start(&t, Patience::default(), |settings| {
        settings.body = 64 * 1024;
    })
    .await;

    let mut forged = Socket::open(&server).await;
    forged
        .say(&json!({ "type": "connection_init", "payload": { "token": "forged" } }))
        .await;
    assert_eq!(forged.closed().await, 4401);

    let mut large = Socket::ready(&server, &ada).await;
    large.frame(1, &vec![b' '; 100 * 1024]).await;
    assert_eq!(large.closed().await, 1009);

    let mut garbled = Socket::ready(&server, &ada).await;
    garbled.frame(1, b"\xff\xfe").await;
    assert_eq!(garbled.closed().await, 1007);

    let mut binary = Socket::ready(&server, &ada).await;
    binary.frame(2, b"{}").await;
    assert_eq!(binary.closed().await, 4400);

    let mut deep = Socket::ready(&server, &ada).await;
    deep.frame(1, "[".repeat(60_000).as_bytes()).await;
    assert_eq!(deep.closed().await, 4400);

    let mut good = Socket::ready(&server, &ada).await;
    good.subscribe("1", "{ viewer { role } }").await;
    assert_eq!(
        good.hear().await["payload"]["data"]["viewer"]["role"],
        "ADMINISTRATOR"
    );
    assert_eq!(good.hear().await["type"], "complete");
    drop(good);
    server.stop().await;
}

async fn a_close_is_answered_with_its_code_and_loses_nothing(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let server = Server::start(&t, Patience::default(), |settings| {
        settings.body = 64 * 1024;
        settings.messages = 100;
    })
    .await;
    // Right after the handshake, in the middle, and with a code of the client's own.
    for (code, ready) in [(1000_u16, false), (1000, true), (4321, true)] {
        let mut socket = if ready {
            Socket::ready(&server, &ada).await
        } else {
            Socket::open(&server).await
        };
        socket.frame(8, &code.to_be_bytes()).await;
        let asked = std::time::Instant::now();
        assert_eq!(socket.closed().await, code);
        assert_eq!(socket.next().await, None, "then the connection ends");
        assert!(
            asked.elapsed() < Duration::from_secs(1),
            "{:?}",
            asked.elapsed()
        );
    }
    // The code of the server arrives, however much the client still sends.
    for _ in 0..20 {
        let mut large = Socket::ready(&server, &ada).await;
        large.frame(1, &vec![b' '; 4 * 1024 * 1024]).await;
        assert_eq!(large.closed().await, 1009);
        let mut flood = Socket::ready(&server, &ada).await;
        for _ in 0..300 {
            flood.say(&json!({ "type": "ping" })).await;
        }
        assert_eq!(flood.closed().await, 1008);
    }
    server.stop().await;
}

/// Not 40 ms later, when the client's system acknowledges the response.
async fn the_end_of_an_operation_follows_its_answer_at_once(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let server = Server::start(&t, Patience::default(), |_| ()).await;
    let mut socket = Socket::ready(&server, &ada).await;
    let mut gaps = Vec::new();
    for id in 0..15 {
        socket
            .subscribe(&id.to_string(), "{ viewer { role } }")
            .await;
        assert_eq!(socket.hear().await["type"], "next");
        let answered = std::time::Instant::now();
        assert_eq!(socket.hear().await["type"], "complete");
        gaps.push(answered.elapsed());
    }
    gaps.sort_unstable();
    assert!(gaps[7] < Duration::from_millis(25), "{gaps:?}");
    server.stop().await;
}

async fn operations_and_messages_of_a_websocket_are_bounded(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let server = Server::start(&t, Patience::default(), |settings| {
        settings.messages = 100;
        settings.sockets = 2;
    })
    .await;
    let mut flood = Socket::ready(&server, &ada).await;
    // With the one that opened it, one too many.
    for _ in 0..100 {
        flood.say(&json!({ "type": "ping" })).await;
    }
    assert_eq!(flood.closed().await, 1008);
    drop(flood);
    let mut hostile = Socket::ready(&server, &ada).await;
    for (at, (name, document, code)) in super::hostile::documents().into_iter().enumerate() {
        if document.len() > 500_000 {
            continue;
        }
        hostile.subscribe(&at.to_string(), &document).await;
        let told = hostile.hear().await;
        assert_eq!(told["type"], "error", "{name}: {told}");
        assert_eq!(
            told["payload"][0]["extensions"]["code"], code,
            "{name}: {told}"
        );
    }
    let second = Socket::ready(&server, &ada).await;
    assert_eq!(Socket::open(&server).await.closed().await, 1013);
    drop((hostile, second));
    server.stop().await;
}

async fn a_late_mutation_over_a_websocket_answers_timeout_and_happens_once(t: TestApp) {
    let ada = token(&t, &t.admin().await);
    let server = Server::start(&t, Patience::default(), |settings| {
        settings.deadline = Duration::from_millis(100);
    })
    .await;
    let mut socket = Socket::ready(&server, &ada).await;
    let busy = super::faults::Busy::start(&t).await;
    socket.subscribe("1", super::faults::CREATE).await;
    let told = socket.hear().await;
    assert_eq!(told["type"], "error", "{told}");
    let extensions = &told["payload"][0]["extensions"];
    assert_eq!(extensions["code"], "TIMEOUT");
    assert_eq!(extensions["retryable"], true);
    busy.end(&t).await;
    assert_eq!(partners(&t).await, 1);
    socket.subscribe("1", "{ viewer { role } }").await;
    assert_eq!(socket.hear().await["type"], "next");
    drop(socket);
    server.stop().await;
}
