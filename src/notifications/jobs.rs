//! From an event to mails, and from a mail to its delivery.
//!
//! Expanding an event and finishing its job are one unit of work, so each person concerned has exactly one mail job.
//! A mail is sent outside any transaction and settled afterwards under the lease it was claimed with. When a process
//! dies in between, the mail goes out once more under the same Message-ID.

use chrono::TimeDelta;
use minijinja::value::Value as Facts;
use serde::{Deserialize, Serialize};

use super::{post::Post, store};
use crate::{
    app::App,
    entity::{
        ids::{JobId, UserId},
        job,
    },
    events::Event,
    platform::{
        ids::TypedId,
        jobs::{Failure, Job, Settled},
        mail::{MailFault, Message, message_id},
        templates,
    },
};

/// What must be left of a lease when a mail is handed over: the minute that sending may take, and time to settle.
const NEEDED: TimeDelta = TimeDelta::seconds(75);

/// The mail server was unreachable or did not accept the mail.
const DEFERRED: &str = "The mail server did not accept the email. Another attempt follows.";
/// The mail server refused the mail, or it cannot be sent at all.
const REJECTED: &str =
    "The mail server rejected the email, or its address or content cannot be sent.";
/// No domain declares the mail.
const UNDECLARED: &str = "This version of the server does not support this email.";
/// The text of the mail needs a missing fact.
const UNWRITABLE: &str = "The text of the email could not be generated.";

/// One mail to one person: ids only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// The name of the mail.
    template: String,
    /// Its recipient.
    pub(crate) user_id: UserId,
    /// Its facts.
    pub(crate) facts: Event,
    /// The job that expanded the event.
    #[serde(default)]
    pub(crate) told_by: Option<JobId>,
}

/// Turns an event into one mail job per person concerned, and finishes its job, all or nothing.
///
/// # Errors
/// The database failed.
pub async fn expand(
    app: &App,
    post: &'static Post,
    job: &Job,
    event: Event,
) -> Result<Settled, Failure> {
    let told_by = job.id;
    job.finish_with(app, "mailExpand", move |tx| {
        let event = event.clone();
        Box::pin(async move {
            let told = post.told(tx, &event).await?;
            for (user_id, mail) in store::people(tx, &told).await? {
                tx.enqueue(&Letter {
                    template: mail.name.to_owned(),
                    user_id,
                    facts: event.clone(),
                    told_by: Some(told_by),
                })?;
            }
            Ok(())
        })
    })
    .await
}

/// Sends one mail and settles its job. Nothing is sent under a lease that is lost or about to end, nor to people who
/// lost their access meanwhile.
///
/// # Errors
/// The mail was not accepted (for now or for good), it cannot be written, or the database failed.
pub async fn send(app: &App, post: &Post, job: &Job, letter: &Letter) -> Result<Settled, Failure> {
    let until = app.clock().now() + NEEDED;
    let Some(row) = store::held(&app.db().reading(), job, until).await? else {
        return Ok(job.lost());
    };
    if let Some(message) = compose(app, post, &row, letter).await? {
        let words = Words::of(&message);
        let sent = app.mail().send(message).await;
        sent.map_err(|fault| words.failure(fault))?;
    }
    job.finish(app, "mailSettle").await
}

async fn compose(
    app: &App,
    post: &Post,
    row: &job::Model,
    letter: &Letter,
) -> Result<Option<Message>, Failure> {
    let Some(mail) = post.mail(&letter.template) else {
        return Err(Failure::permanent(UNDECLARED).because(&letter.template));
    };
    let reader = store::reader(&app.db().reading(), letter.user_id).await?;
    let Some(reader) = reader.filter(|user| user.status == mail.status()) else {
        return Ok(None);
    };
    let Some(facts) = post.facts(app, mail, &letter.facts, &reader).await? else {
        return Ok(None);
    };
    let facts: Facts = templates::facts(&facts);
    let written = post.write(mail, &reader.locale, &facts).map_err(|fault| {
        Failure::permanent(UNWRITABLE).because(format_args!("{}: {}", mail.name, fault.kind()))
    })?;
    Ok(Some(Message {
        to_name: reader.name,
        to_address: reader.email,
        subject: written.subject,
        text: written.text,
        html: written.html,
        message_id: message_id(row.id.uuid(), &host(app)),
        date: row.created_at,
        headers: vec![
            ("Auto-Submitted".to_owned(), "auto-generated".to_owned()),
            (
                "X-Ensemble-Event".to_owned(),
                letter.facts.name().to_owned(),
            ),
        ],
    }))
}

/// What could identify the recipient: none of it may appear in the log.
struct Words(Vec<String>);

impl Words {
    fn of(message: &Message) -> Self {
        let mailbox = message.to_address.split('@').next().unwrap_or_default();
        let words = [mailbox, &message.to_name].map(|word| word.trim().to_lowercase());
        Self(words.into_iter().filter(|word| !word.is_empty()).collect())
    }

    fn failure(&self, fault: MailFault) -> Failure {
        let (failure, detail) = match fault {
            MailFault::Transient(detail) => (Failure::transient(DEFERRED), detail),
            MailFault::Permanent(detail) => (Failure::permanent(REJECTED), detail),
        };
        let lower = detail.to_lowercase();
        let names_somebody =
            lower.contains('@') || self.0.iter().any(|word| lower.contains(word.as_str()));
        match reply_code(&detail) {
            _ if !names_somebody => failure.because(detail),
            Some(code) => failure.because(format_args!("the mail server answered {code}")),
            None => failure,
        }
    }
}

/// The first reply code (RFC 5321, section 4.2) in a mail server's answer.
fn reply_code(detail: &str) -> Option<&str> {
    let numbers = detail.split(|character: char| !character.is_ascii_digit());
    numbers
        .into_iter()
        .find(|number| number.len() == 3 && number.starts_with(['4', '5']))
}

fn host(app: &App) -> String {
    let url = url::Url::parse(&app.site().public_url).ok();
    url.as_ref()
        .and_then(url::Url::host_str)
        .unwrap_or("localhost")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        Words(vec!["ann.lee".to_owned(), "ann lee".to_owned()])
    }

    #[test]
    fn a_failure_names_nobody() {
        for (detail, cause) in [
            (
                "permanent error (550): 5.1.1 <ann.lee@acme.example> unknown",
                Some("the mail server answered 550"),
            ),
            (
                "550 no mailbox ANN.LEE here",
                Some("the mail server answered 550"),
            ),
            ("bob@acme.example?", None),
            (
                "permanent error (554): no",
                Some("permanent error (554): no"),
            ),
        ] {
            let failure = words().failure(MailFault::Permanent(detail.to_owned()));
            assert_eq!(failure.told, REJECTED);
            assert_eq!((failure.cause.as_deref(), failure.permanent), (cause, true));
        }
        assert_eq!(
            words().failure(MailFault::Transient("452 mailbox full".to_owned())),
            Failure::transient(DEFERRED).because("452 mailbox full")
        );
    }
}
