//! Shutting down on SIGTERM.

use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    account::{number, observer},
    post::{Misfortune, PostOffice},
};
use crate::{
    cases,
    support::{
        TestApp,
        http::Http,
        program::{Installation, Server, stopped, terminate},
        until,
    },
};

cases!(
    a_request_under_way_is_answered_before_the_server_stops,
    a_client_that_never_finishes_its_body_does_not_keep_the_server,
    a_client_that_never_finishes_its_head_does_not_keep_the_server,
    // This takes most of the 30 seconds.
    long: [a_worker_whose_mail_hangs_stops_in_time],
);

const PASSWORD: &str = "correct horse battery";

/// A request whose body the server waits for.
async fn under_way(server: &Server, length: usize) -> TcpStream {
    let host = server.address.strip_prefix("http://").unwrap();
    let mut client = TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         expect: 100-continue\r\nconnection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body: the request is under way.
    let mut asked = [0; 25];
    client.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    client
}

async fn a_request_under_way_is_answered_before_the_server_stops(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    site.administrator(PASSWORD).await;
    let mut server = site.serve().await;
    let document = "mutation($password: String!) { login(input: {email: \"root@vendor.example\", password: $password}) \
                    { accessToken userErrors { code } } }";
    let body = json!({"query": document, "variables": {"password": PASSWORD}}).to_string();
    let mut slow = under_way(&server, body.len()).await;

    server.terminate();
    let http = Http::default();
    let probe = format!("{}/readyz", server.address);
    until("not ready", || async {
        !matches!(http.get(&probe).await, Ok((200, _)))
    })
    .await;
    slow.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert!(body["data"]["login"]["accessToken"].is_string(), "{body:#}");
    let status = server.stopped().await;
    assert_eq!(status.code(), Some(0), "{}", site.log());
    let db = observer(&url).await;
    assert_eq!(number(&db, "SELECT count(*) FROM session").await, 1);
    site.done(["verify"]).await;
}

async fn a_client_that_never_finishes_its_body_does_not_keep_the_server(t: TestApp) {
    let (site, server) = serving(&t).await;
    let mut client = under_way(&server, 100).await;
    client.write_all(b"{\"query\": \"").await.unwrap();
    ends_within(Duration::from_secs(30), &site, server).await;
    drop(client);
}

async fn a_client_that_never_finishes_its_head_does_not_keep_the_server(t: TestApp) {
    let (site, server) = serving(&t).await;
    let host = server.address.strip_prefix("http://").unwrap();
    // One stops within the head of its request, one before it.
    let mut client = TcpStream::connect(host).await.unwrap();
    let head = b"POST /graphql HTTP/1.1\r\nhost: ";
    client.write_all(head).await.unwrap();
    let silent = TcpStream::connect(host).await.unwrap();
    ends_within(Duration::from_secs(10), &site, server).await;
    drop((client, silent));
}

async fn serving(t: &TestApp) -> (Installation, Server) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    site.administrator(PASSWORD).await;
    let server = site.serve().await;
    (site, server)
}

async fn ends_within(limit: Duration, site: &Installation, mut server: Server) {
    let asked = Instant::now();
    server.terminate();
    let status = server.stopped().await;
    assert_eq!(status.code(), Some(0), "{}", site.log());
    assert!(asked.elapsed() < limit, "{:?}", asked.elapsed());
    site.done(["verify"]).await;
}

async fn a_worker_whose_mail_hangs_stops_in_time(t: TestApp) {
    let office = PostOffice::open(&[Misfortune::SilentAfterData]).await;
    let url = t.fresh_database().await;
    let site =
        Installation::new(t.folder().join("site"), &url).with("ENSEMBLE_SMTP_URL", office.url());
    site.administrator(PASSWORD).await;
    let db = observer(&url).await;
    let server = site.serve().await;
    let reset = "mutation { passwordResetRequest(input: {email: \"root@vendor.example\"}) { userErrors { code } } }";
    let http = Http::default();
    http.graphql(&server.address, None, reset, &json!({}))
        .await
        .unwrap();
    until("the mail at the server", || async {
        office.kept().len() == 1
    })
    .await;
    server.kill();
    db.execute_unprepared("UPDATE job SET lease_until = NULL WHERE status = 'PENDING'")
        .await
        .unwrap();
    let office = PostOffice::open(&[Misfortune::SilentAfterData]).await;
    let site = site.with("ENSEMBLE_SMTP_URL", office.url());
    let mut worker = site.command(["worker"]).spawn().unwrap();
    until("the mail in the worker's hands", || async {
        office.kept().len() == 1
    })
    .await;
    let asked = Instant::now();
    terminate(&worker);
    assert_eq!(stopped(&mut worker).await.code(), Some(0));
    assert!(asked.elapsed().as_secs() < 30);
    // The mail is still to be settled: nothing is lost.
    let pending = "SELECT count(*) FROM job WHERE status = 'PENDING' AND topic = 'mail'";
    assert_eq!(number(&db, pending).await, 1);
}
