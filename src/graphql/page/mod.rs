//! The start page of a development server: what runs here, who can sign in, and operations to try.

use std::sync::Arc;

use axum::{Router, body::Bytes, routing::get};
use minijinja::{Environment, Value, context};

use super::ide::{CSS, HTML, SCRIPT, file};

/// What the page tells.
#[derive(Clone, Debug, Default)]
pub struct StartPage {
    /// The version that runs.
    pub version: String,
    /// Where it listens, such as `http://localhost:4000`.
    pub address: String,
    /// Who can sign in.
    pub sign_ins: Vec<SignIn>,
    /// Operations to copy, in the order of a first visit.
    pub examples: Vec<Example>,
}

/// A user of the demo data.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The person.
    pub name: String,
    /// What to sign in with.
    pub email: String,
    /// In the clear: demo data only.
    pub password: String,
    /// What the person may do, in words.
    pub role: String,
}

/// An operation to try.
#[derive(Clone, Debug)]
pub struct Example {
    /// What it shows.
    pub title: String,
    /// The GraphQL text.
    pub document: String,
    /// Its variables as JSON text; empty for none.
    pub variables: String,
}

impl SignIn {
    fn values(&self) -> Value {
        let Self {
            name,
            email,
            password,
            role,
        } = self;
        context! { name, email, password, role }
    }
}

impl Example {
    fn values(&self) -> Value {
        let Self {
            title,
            document,
            variables,
        } = self;
        context! { title, document, variables }
    }
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// `/` with its style and script, and the schema as text.
pub fn routes<S: Clone + Send + Sync + 'static>(page: &StartPage, sdl: &str) -> Router<S> {
    let html = Bytes::from(render(page));
    let sdl: Arc<str> = sdl.into();
    Router::new()
        .route(
            "/",
            get(move || async move { file((HTML, html), "no-cache", POLICY) }),
        )
        .route(
            "/start.css",
            get(|| async { file((CSS, include_str!("start.css")), "no-cache", POLICY) }),
        )
        .route(
            "/start.js",
            get(|| async { file((SCRIPT, include_str!("start.js")), "no-cache", POLICY) }),
        )
        .route(
            "/schema.graphql",
            get(move || async move { file((TEXT, sdl.to_string()), "no-cache", POLICY) }),
        )
}

const TEXT: &str = "text/plain; charset=utf-8";

fn render(page: &StartPage) -> String {
    let sign_ins: Vec<Value> = page.sign_ins.iter().map(SignIn::values).collect();
    let examples: Vec<Value> = page.examples.iter().map(Example::values).collect();
    let page = context! { version => &page.version, address => &page.address, sign_ins, examples };
    let mut templates = Environment::new();
    let rendered = templates
        .add_template("start.html", include_str!("start.html"))
        .and_then(|()| {
            templates
                .get_template("start.html")?
                .render(context! { page })
        });
    rendered.unwrap_or_else(|error| {
        tracing::error!(%error, "the start page cannot be shown");
        "the start page cannot be shown; the log knows why".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_escaped() {
        let sign_in = SignIn {
            name: "<script>alert(1)</script>".to_owned(),
            email: "a@example.com".to_owned(),
            password: "p&w".to_owned(),
            role: "Finance".to_owned(),
        };
        let html = render(&StartPage {
            sign_ins: vec![sign_in],
            ..StartPage::default()
        });
        assert!(html.contains("&lt;script&gt;alert(1)") && html.contains("p&amp;w"));
        assert!(!html.contains("<script>alert"));
    }

    #[test]
    fn nothing_comes_from_other_hosts() {
        let html = render(&StartPage::default());
        assert!(
            !html.contains("http://") && !html.contains("https://"),
            "{html}"
        );
    }
}
