//! `/mail`: what was sent while mails are written to a folder. They carry links that open accounts, so only a browser on
//! this machine reads them.

use std::path::Path as FilePath;

use axum::{
    Router,
    extract::{Path, Request},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use minijinja::context;

use super::{StartPage, local::from_this_machine, render, values};
use crate::{
    graphql::ide::{HTML, file},
    platform::mail::Mailbox,
};

/// How many of the newest mails are listed.
const LISTED: usize = 200;

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";
/// For the HTML of a mail, wherever it is opened: no script, no form, no other host, no access to this one.
const BODY_POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'self'";

const ELSEWHERE: &str = "Mail is shown only to a browser on the machine that runs Ensemble. Open /mail there, at localhost.\n";

/// The list, one mail, and its HTML.
pub fn routes<S: Clone + Send + Sync + 'static>(page: &StartPage, folder: &FilePath) -> Router<S> {
    let (frame, box_of_list) = (frame(page), Mailbox::new(folder));
    let (frame_of_mail, box_of_mail) = (frame.clone(), box_of_list.clone());
    let box_of_html = box_of_list.clone();
    Router::new()
        .route("/mail", get(move || list(frame, box_of_list)))
        .route(
            "/mail/{name}",
            get(move |Path(name): Path<String>| one(frame_of_mail, box_of_mail, name)),
        )
        .route(
            "/mail/{name}/html",
            get(move |Path(name): Path<String>| html(box_of_html, name)),
        )
        .layer(middleware::from_fn(near))
}

/// The part of the page that its bar shows.
fn frame(page: &StartPage) -> minijinja::Value {
    context! { version => &page.version, mails => true }
}

async fn near(request: Request, next: Next) -> Response {
    if from_this_machine(&request) {
        let mut response = next.run(request).await;
        let headers = response.headers_mut();
        let alone = header::HeaderValue::from_static("same-origin");
        headers.insert("cross-origin-resource-policy", alone.clone());
        headers.insert("cross-origin-opener-policy", alone);
        response
    } else {
        (StatusCode::FORBIDDEN, ELSEWHERE).into_response()
    }
}

async fn list(page: minijinja::Value, mailbox: Mailbox) -> Response {
    match mailbox.newest(LISTED).await {
        Ok((mails, total)) => shown(render(
            "mails.html",
            context! { page, mails => values(&mails), total, here => "mail" },
        )),
        Err(error) => unreadable(&error),
    }
}

async fn one(page: minijinja::Value, mailbox: Mailbox, name: String) -> Response {
    match mailbox.open(&name).await {
        Ok(Some(mail)) => shown(render(
            "mail.html",
            context! { page, mail => values(&mail), here => "mail" },
        )),
        Ok(None) => missing(),
        Err(error) => unreadable(&error),
    }
}

async fn html(mailbox: Mailbox, name: String) -> Response {
    match mailbox.open(&name).await {
        Ok(Some(mail)) => match mail.html {
            Some(html) => file((HTML, html), "no-store", BODY_POLICY),
            None => missing(),
        },
        Ok(None) => missing(),
        Err(error) => unreadable(&error),
    }
}

fn shown(html: String) -> Response {
    file((HTML, html), "no-store", POLICY)
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, "There is no such mail.\n").into_response()
}

fn unreadable(error: &std::io::Error) -> Response {
    tracing::error!(%error, "the mails cannot be read");
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "The mails cannot be read. The server's log has the reason.\n",
    )
        .into_response()
}
