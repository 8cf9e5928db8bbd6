//! A mail server that speaks SMTP and has the misfortunes it is told to have.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// What one connection meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfortune {
    /// Turned away at the greeting.
    Greeted(&'static str),
    /// The recipient is answered so.
    Recipient(&'static str),
    /// The whole mail is answered so, and not kept.
    Mail(&'static str),
    /// No greeting ever comes.
    SilentAfterAccept,
    /// The connection ends in the middle of the mail.
    GoneInData,
    /// The mail is kept, and no answer ever comes.
    SilentAfterData,
    /// The mail is kept, and the connection ends before the answer.
    GoneAfterData,
}

/// The server; clones share it.
#[derive(Clone)]
pub struct PostOffice(Arc<Office>);

struct Office {
    port: u16,
    misfortunes: Mutex<VecDeque<Misfortune>>,
    kept: Mutex<Vec<String>>,
    connections: AtomicUsize,
}

impl PostOffice {
    /// A server that listens, and gives its first connections these misfortunes.
    pub async fn open(misfortunes: &[Misfortune]) -> Self {
        Self::at(0, misfortunes).await
    }

    /// The same at a port.
    pub async fn at(port: u16, misfortunes: &[Misfortune]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let office = Arc::new(Office {
            port: listener.local_addr().unwrap().port(),
            misfortunes: Mutex::new(misfortunes.iter().copied().collect()),
            kept: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let weak = Arc::downgrade(&office);
        tokio::spawn(async move {
            while let (Ok((stream, _)), Some(office)) = (listener.accept().await, weak.upgrade()) {
                office.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let _ = office.serve(stream).await;
                });
            }
        });
        Self(office)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.0.port)
    }

    /// Every mail it kept, whether or not it could say so.
    pub fn kept(&self) -> Vec<String> {
        self.0.kept.lock().unwrap().clone()
    }

    /// The Message-ID of every mail it kept.
    pub fn message_ids(&self) -> Vec<String> {
        let id = |mail: &String| {
            let line = mail.lines().find(|line| line.starts_with("Message-ID:"));
            line.unwrap().trim().to_owned()
        };
        self.kept().iter().map(id).collect()
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }
}

impl Office {
    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let misfortune = self.misfortunes.lock().unwrap().pop_front();
        let mut stream = BufReader::new(stream);
        match misfortune {
            Some(Misfortune::SilentAfterAccept) => return silence(stream).await,
            Some(Misfortune::Greeted(answer)) => return stream.write_all(answer.as_bytes()).await,
            _ => stream.write_all(b"220 test\r\n").await?,
        }
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 {
            let answer = match (line.get(..4), misfortune) {
                (Some("RCPT"), Some(Misfortune::Recipient(answer))) => answer,
                (Some("DATA"), _) => {
                    stream.write_all(b"354 go on\r\n").await?;
                    if misfortune == Some(Misfortune::GoneInData) {
                        stream.read_line(&mut line).await?;
                        return Ok(());
                    }
                    let mail = receive(&mut stream).await?;
                    if let Some(Misfortune::Mail(answer)) = misfortune {
                        answer
                    } else {
                        self.kept.lock().unwrap().push(mail);
                        match misfortune {
                            Some(Misfortune::SilentAfterData) => return silence(stream).await,
                            Some(Misfortune::GoneAfterData) => return Ok(()),
                            _ => "250 kept\r\n",
                        }
                    }
                }
                (Some("QUIT"), _) => return stream.write_all(b"221 bye\r\n").await,
                _ => "250 ok\r\n",
            };
            stream.write_all(answer.as_bytes()).await?;
            line.clear();
        }
        Ok(())
    }
}

async fn receive(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut mail = String::new();
    while !mail.ends_with("\r\n.\r\n") {
        if stream.read_line(&mut mail).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(mail)
}

/// Says nothing until the other side goes away.
async fn silence(mut stream: BufReader<TcpStream>) -> std::io::Result<()> {
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}
