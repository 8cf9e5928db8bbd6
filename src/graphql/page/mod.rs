//! The pages of a development server: the start page with the walk of the demo, and the mails that were sent.

mod local;
mod mail;

use std::path::PathBuf;

use axum::{Router, body::Bytes, routing::get};
use minijinja::{Environment, context};
use serde::Serialize;
use serde_json::{Value, json};

use super::ide::{CSS, HTML, SCRIPT, file};
use crate::platform::templates::facts;

/// What the pages show.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StartPage {
    /// The version that runs.
    pub version: String,
    /// Where it listens, such as `http://localhost:4000`.
    pub address: String,
    /// Changes with the database, so that a browser forgets what it kept of another one.
    pub database: String,
    /// Who can sign in.
    pub sign_ins: Vec<SignIn>,
    /// The customers of the walk.
    pub customers: Value,
    /// The steps of the walk, each operation with its `document`; see `seeds/story.json`.
    pub walk: Vec<Value>,
    /// Queries to open in the IDE.
    pub examples: Vec<Example>,
    /// The folder of the mails, where they are written to one.
    pub mails: Option<PathBuf>,
}

/// A user of the demo data.
#[derive(Clone, Debug, Serialize)]
pub struct SignIn {
    /// The person.
    pub name: String,
    /// The address to sign in with.
    pub email: String,
    /// In the clear: demo data only.
    pub password: String,
    /// What the person may do, in words.
    pub role: String,
    /// The person's company, or empty for the vendor's people.
    pub company: String,
}

/// A query to start from.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// What it shows.
    pub title: String,
    /// The GraphQL text.
    pub document: String,
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Style and scripts: path, content type, content.
const FILES: [(&str, &str, &str); 4] = [
    ("/start.css", CSS, include_str!("web/start.css")),
    ("/start.js", SCRIPT, include_str!("web/start.js")),
    ("/session.js", SCRIPT, include_str!("web/session.js")),
    ("/walk.js", SCRIPT, include_str!("web/walk.js")),
];

/// `/` with what it loads, the schema as text, and `/mail` where mails are written to a folder.
pub fn routes<S: Clone + Send + Sync + 'static>(page: &StartPage, sdl: &str) -> Router<S> {
    let subscriptions = sdl
        .lines()
        .any(|line| line.trim_start().starts_with("subscription:"));
    let html = start(page, subscriptions);
    let data = json!({
        "database": page.database, "people": page.sign_ins, "customers": page.customers, "walk": page.walk,
    });
    let mut router = Router::new()
        .merge(fixed("/", HTML, html))
        .merge(fixed("/start.json", JSON, data.to_string()))
        .merge(fixed("/schema.graphql", TEXT, sdl.to_owned()));
    for (path, kind, content) in FILES {
        router = router.merge(fixed(path, kind, content.to_owned()));
    }
    match &page.mails {
        Some(folder) => router.merge(mail::routes(page, folder)),
        None => router,
    }
}

fn start(page: &StartPage, subscriptions: bool) -> String {
    let page = values(page);
    render(
        "start.html",
        context! { page, subscriptions, here => "start" },
    )
}

/// What a template reads of a structure.
fn values(structure: &impl Serialize) -> minijinja::Value {
    serde_json::to_value(structure)
        .map_or_else(|_| minijinja::Value::UNDEFINED, |json| facts(&json))
}

/// A page that is the same for every request.
fn fixed<S: Clone + Send + Sync + 'static>(
    path: &str,
    kind: &'static str,
    content: String,
) -> Router<S> {
    let content = Bytes::from(content);
    Router::new().route(
        path,
        get(move || async move { file((kind, content), "no-cache", POLICY) }),
    )
}

/// A template of the pages, filled in.
fn render(name: &str, context: minijinja::Value) -> String {
    let filled = || -> Result<String, minijinja::Error> {
        let mut templates = Environment::new();
        templates.add_template("bar.html", include_str!("web/bar.html"))?;
        templates.add_template("start.html", include_str!("web/start.html"))?;
        templates.add_template("mails.html", include_str!("web/mails.html"))?;
        templates.add_template("mail.html", include_str!("web/mail.html"))?;
        templates.get_template(name)?.render(context)
    };
    filled().unwrap_or_else(|error| {
        tracing::error!(%error, "a page cannot be shown");
        "This page cannot be shown. The server's log has the reason.".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_escaped() {
        let sign_in = SignIn {
            name: "<script>alert(1)</script>".to_owned(),
            email: "a@example.com\"onclick=\"alert(1)".to_owned(),
            password: "p&w".to_owned(),
            role: "finance".to_owned(),
            company: String::new(),
        };
        let step = json!({"title": "<b>", "text": "`<i>` and <u>", "acts": [{"document": "</textarea>{ a }"}]});
        let html = start(
            &StartPage {
                sign_ins: vec![sign_in],
                walk: vec![step],
                ..StartPage::default()
            },
            false,
        );
        assert!(html.contains("&lt;script&gt;alert(1)") && html.contains("p&amp;w"));
        assert!(
            html.contains("<code>&lt;i&gt;</code> and &lt;u&gt;"),
            "{html}"
        );
        for raw in ["<script>alert", "\"onclick", "<b>", "</textarea>{"] {
            assert!(!html.contains(raw), "{raw} in {html}");
        }
    }

    #[test]
    fn nothing_comes_from_other_hosts() {
        let step = json!({"title": "a", "text": "b", "acts": [{"document": "{ a }"}]});
        let page = StartPage {
            walk: vec![step],
            ..StartPage::default()
        };
        let html = start(&page, false);
        assert!(html.contains("{ a }"));
        for text in [html.as_str()]
            .into_iter()
            .chain(FILES.map(|(_, _, text)| text))
        {
            let text = text.replace("`https://www.${domain}/`", "");
            assert!(
                !text.contains("http://") && !text.contains("https://"),
                "{text}"
            );
        }
    }
}
