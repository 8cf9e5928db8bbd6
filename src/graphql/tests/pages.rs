use super::*;
use axum::extract::ConnectInfo;
use serde_json::json;

use crate::graphql::page::{self, StartPage};

async fn get(app: &Router, path: &str) -> Answer {
    send(app, Request::get(path).body(Body::empty()).unwrap()).await
}

fn development() -> Router {
    app(|settings| {
        settings.origins = vec!["*".to_owned()];
        settings.development = Some(StartPage {
            walk: vec![
                json!({"title": "Who am I", "text": "", "acts": [{"document": "{ caller }"}]}),
            ],
            ..StartPage::default()
        });
    })
}

#[tokio::test]
async fn development_has_a_start_page_an_ide_and_the_schema() {
    let app = development();
    let mut seen = 0;
    for (page, files) in [("/", 2), ("/graphiql", 6)] {
        let index = get(&app, page).await;
        let policy = index.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        let named = index
            .text
            .split(['"'])
            .filter(|part| part.ends_with(".js") || part.ends_with(".css"));
        let named: Vec<&str> = named.collect();
        assert_eq!(named.len(), files, "{page}");
        for path in named.into_iter().chain(["/session.js", "/walk.js"]) {
            let file = get(&app, path).await;
            assert_eq!(file.status, StatusCode::OK, "{path}");
            let kind = if path.ends_with(".css") {
                "text/css"
            } else {
                "text/javascript"
            };
            assert!(file.header("content-type").starts_with(kind));
            assert_eq!(
                file.header("cache-control").contains("immutable"),
                path.contains("/3.")
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 12);
    assert!(get(&app, "/").await.text.contains("{ caller }"));
    assert!(
        get(&app, "/schema.graphql")
            .await
            .text
            .contains("type Query")
    );
    let data = get(&app, "/start.json").await;
    assert_eq!(data.json()["walk"][0]["title"], "Who am I");
}

#[tokio::test]
async fn the_start_page_offers_subscriptions_only_where_the_schema_has_them() {
    let offered = |sdl: &str| {
        let router = page::routes::<()>(&StartPage::default(), sdl);
        async move { get(&router, "/").await.text.contains("Subscriptions") }
    };
    assert!(offered("schema {\n\tquery: Q\n\tsubscription: S\n}").await);
    assert!(!offered(&crate::schema::sdl()).await);
}

#[tokio::test]
async fn other_origins_read_the_api_and_no_page() {
    let app = development();
    for (path, open) in [
        ("/graphql?query={version}", true),
        ("/", false),
        ("/start.json", false),
        ("/graphiql", false),
    ] {
        let request = Request::get(path).header("origin", "https://other.example");
        let answer = send(&app, request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            answer.headers.contains_key("access-control-allow-origin"),
            open,
            "{path}"
        );
    }
}

/// A server that writes its mails to a folder, with one mail in it.
fn with_mail(folder: &std::path::Path) -> Router {
    std::fs::write(
        folder.join("01.eml"),
        "From: a@example.com\r\nTo: b@example.com\r\nSubject: <i>New</i>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n\
         Open https://prm.example/reset?token=abc now <b>\r\n--x\r\nContent-Type: text/html\r\n\r\n\
         <p>Hello</p><script>alert(1)</script>\r\n--x--\r\n",
    )
    .unwrap();
    let mails = Some(folder.to_owned());
    app(|settings| {
        settings.origins = vec!["*".to_owned()];
        settings.development = Some(StartPage {
            mails,
            ..StartPage::default()
        });
    })
}

async fn from(app: &Router, peer: &str, host: &str, path: &str) -> Answer {
    let request = Request::get(path)
        .header("host", host)
        .header("origin", "https://other.example");
    let mut request = request.body(Body::empty()).unwrap();
    let peer: std::net::SocketAddr = peer.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    send(app, request).await
}

#[tokio::test]
async fn mails_are_read_on_this_machine_escaped_and_without_power() {
    let folder = tempfile::tempdir().unwrap();
    let app = with_mail(folder.path());
    let near = |path: &'static str| from(&app, "127.0.0.1:9", "localhost:8080", path);
    let list = near("/mail").await;
    assert_eq!(list.status, StatusCode::OK);
    assert!(
        list.text.contains("&lt;i&gt;New&lt;&#x2f;i&gt;"),
        "{}",
        list.text
    );
    assert!(
        list.header("content-security-policy")
            .starts_with("default-src 'none'; style-src 'self';")
    );
    let mail = near("/mail/01.eml").await;
    assert!(mail.text.contains("now &lt;b&gt;"), "{}", mail.text);
    assert!(
        mail.text
            .contains("href=\"https:&#x2f;&#x2f;prm.example&#x2f;reset?token=abc\""),
        "{}",
        mail.text
    );
    assert!(!mail.text.contains("<script"), "{}", mail.text);
    let html = near("/mail/01.eml/html").await;
    assert!(html.text.contains("<p>Hello</p>"));
    let policy = html.header("content-security-policy");
    assert!(
        policy.starts_with("sandbox; default-src 'none';") && !policy.contains("script"),
        "{policy}"
    );
    for answer in [&list, &mail, &html] {
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    for missing in ["/mail/02.eml", "/mail/..%2F01.eml", "/mail/02.eml/html"] {
        assert_eq!(
            near(missing).await.status,
            StatusCode::NOT_FOUND,
            "{missing}"
        );
    }
}

#[tokio::test]
async fn mails_are_refused_to_other_machines_names_and_transports() {
    let folder = tempfile::tempdir().unwrap();
    let app = with_mail(folder.path());
    for (peer, host) in [
        ("192.0.2.7:9", "localhost:8080"),
        ("127.0.0.1:9", "rebound.example:8080"),
        ("127.0.0.1:9", "192.0.2.1:8080"),
    ] {
        for path in ["/mail", "/mail/01.eml", "/mail/01.eml/html", "/mail/02.eml"] {
            let answer = from(&app, peer, host, path).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{peer} {host} {path}");
            assert!(!answer.text.contains("token") && !answer.text.contains("New"));
        }
    }
    // Mail that goes to a mail server is nowhere to be read.
    let answer = from(&development(), "127.0.0.1:9", "localhost:8080", "/mail").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn production_has_none_of_it() {
    let app = app(|_| ());
    for path in [
        "/",
        "/graphiql",
        "/graphiql/boot.js",
        "/start.js",
        "/start.json",
        "/mail",
        "/mail/01.eml",
        "/schema.graphql",
    ] {
        assert_eq!(
            get(&app, path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}
