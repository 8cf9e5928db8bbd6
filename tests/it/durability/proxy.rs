//! A way to a database server on which answers are held up, or the line is cut, after a given number of packets.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What happens to a packet of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It waits until the line is mended.
    Held,
    /// Its connection ends instead.
    Cut,
    /// It and everything after it on the connections of that moment disappears, and they stay open: as when a host
    /// vanishes. Connections opened later work.
    Swallowed,
}

/// The proxy; it ends with the test.
#[derive(Clone)]
pub struct Proxy(Arc<Line>);

struct Line {
    address: SocketAddr,
    /// The fault, and how many packets pass before it.
    order: Mutex<Option<(Fault, usize)>>,
    /// Whether a packet met the fault and the line is still broken.
    broken: watch::Sender<bool>,
    /// Raised when everything on the connections of that moment disappears.
    vanished: watch::Sender<u64>,
}

impl Proxy {
    /// A proxy before the server of this database.
    pub async fn before(database: &str) -> Self {
        let server = url::Url::parse(database).unwrap();
        let server = format!(
            "{}:{}",
            server.host_str().unwrap(),
            server.port().unwrap_or(5432)
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Arc::new(Line {
            address: listener.local_addr().unwrap(),
            order: Mutex::default(),
            broken: watch::Sender::new(false),
            vanished: watch::Sender::new(0),
        });
        let weak = Arc::downgrade(&line);
        tokio::spawn(async move {
            while let (Ok((client, _)), Some(line)) = (listener.accept().await, weak.upgrade()) {
                // The server may be at its limit.
                if let Ok(server) = TcpStream::connect(&server).await {
                    tokio::spawn(line.carry(client, server));
                }
            }
        });
        Self(line)
    }

    /// The database, reached through the proxy.
    pub fn leading_to(&self, database: &str) -> String {
        let mut url = url::Url::parse(database).unwrap();
        url.set_ip_host(self.0.address.ip()).unwrap();
        url.set_port(Some(self.0.address.port())).unwrap();
        url.to_string()
    }

    /// Lets so many packets pass, and breaks the line at the next.
    pub fn fault_after(&self, fault: Fault, packets: usize) {
        *self.0.order.lock().unwrap() = Some((fault, packets));
    }

    /// Waits until a packet met the fault.
    pub async fn broken(&self) {
        let mut broken = self.0.broken.subscribe();
        broken.wait_for(|broken| *broken).await.unwrap();
    }

    /// Lets everything pass again; says whether a packet had met the fault.
    pub fn mend(&self) -> bool {
        *self.0.order.lock().unwrap() = None;
        self.0.broken.send_replace(false)
    }
}

impl Line {
    async fn carry(self: Arc<Self>, client: TcpStream, server: TcpStream) {
        let mut vanished = self.vanished.subscribe();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let there = async {
            let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        };
        let back = async {
            let mut packet = vec![0; 64 * 1024];
            loop {
                let Ok(length @ 1..) = from_server.read(&mut packet).await else {
                    return;
                };
                if !self.passes().await || to_client.write_all(&packet[..length]).await.is_err() {
                    return;
                }
            }
        };
        // Either end takes the other with it, unless the host vanishes.
        let vanishes = async {
            let _ = vanished.changed().await;
        };
        tokio::select! {
            () = there => return,
            () = back => return,
            () = vanishes => {}
        }
        std::future::pending::<()>().await;
    }

    /// Whether the packet goes on; while packets are held it waits.
    async fn passes(&self) -> bool {
        let fault = match self.order.lock().unwrap().as_mut() {
            None => return true,
            Some((_, passing @ 1..)) => {
                *passing -= 1;
                return true;
            }
            Some((fault, 0)) => *fault,
        };
        let met_before = self.broken.send_replace(true);
        match fault {
            // One connection is cut, by the first packet that meets the fault.
            Fault::Cut => met_before,
            Fault::Swallowed => {
                *self.order.lock().unwrap() = None;
                self.vanished.send_modify(|times| *times += 1);
                std::future::pending().await
            }
            Fault::Held => {
                let mut broken = self.broken.subscribe();
                broken.wait_for(|broken| !broken).await.unwrap();
                true
            }
        }
    }
}
