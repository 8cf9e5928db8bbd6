//! From an event to mails, and from a mail to its delivery.
//!
//! Expanding an event and finishing its job are one unit of work, so each person concerned has exactly one mail job.
//! A mail is sent outside any transaction and settled afterwards under the lease it was claimed with. When a process
//! dies in between, the mail goes out once more under the same Message-ID.

use chrono::TimeDelta;
use minijinja::value::Value as Facts;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{post::Post, store};
use crate::{
    access::Actor,
    app::App,
    entity::{ids::UserId, job},
    error::{Code, Error, Result as Done},
    events::Event,
    platform::{
        ids::TypedId,
        jobs::{self, Job, NewJob},
        mail::{MailFault, Message, message_id},
        templates,
    },
    tx::{Call, Tx},
};

/// The topic of a job that is one mail to one person.
pub const MAIL: &str = "mail";

/// What must be left of a lease when a mail is handed over: the minute that sending may take, and time to settle.
const NEEDED: TimeDelta = TimeDelta::seconds(75);

/// Why a job did not succeed. The message is kept with the job and shown to operators: it names no person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened, for operators: no personal data, nothing that an error quotes.
    pub message: String,
    /// What the log says beyond that.
    pub cause: Option<String>,
    /// Whether another attempt is of no use.
    pub permanent: bool,
}

impl Failure {
    /// A failure that another attempt does not mend.
    #[must_use]
    pub const fn permanent(message: String) -> Self {
        Self {
            message,
            cause: None,
            permanent: true,
        }
    }

    /// A failure that may pass.
    #[must_use]
    pub const fn transient(message: String) -> Self {
        Self {
            message,
            cause: None,
            permanent: false,
        }
    }
}

impl From<Error> for Failure {
    /// The cause goes to the log only, because it may quote anything.
    fn from(error: Error) -> Self {
        let message = format!(
            "{}: the log has the cause under this job's id.",
            error.code()
        );
        Self {
            cause: Some(error.to_string()),
            ..Self::transient(message)
        }
    }
}

/// The payload of a mail job: ids only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    template: String,
    user_id: UserId,
    facts: Event,
}

/// Turns an event into one mail job per person concerned, and finishes its job, all or nothing.
///
/// # Errors
/// The event cannot be read (permanent), or the database failed.
pub async fn expand(app: &App, post: &'static Post, job: &Job) -> Result<(), Failure> {
    let event: Event = read(job.payload.get("event"))?;
    let claimed = job.clone();
    let written = app
        .write(call("mailExpand", job), move |tx| {
            let (event, claimed) = (event.clone(), claimed.clone());
            Box::pin(async move { enqueue(tx, post, &event, &claimed).await })
        })
        .await;
    match written {
        Err(error) if error.code() == Code::StaleObject => {
            lease_lost(job);
            Ok(())
        }
        other => Ok(other?),
    }
}

async fn enqueue(tx: &Tx, post: &Post, event: &Event, claimed: &Job) -> Done<()> {
    let told = post.told(tx, event).await?;
    for (user_id, mail) in store::people(tx, &told).await? {
        tx.enqueue(NewJob {
            topic: MAIL,
            payload: serde_json::to_value(Letter {
                template: mail.name.to_owned(),
                user_id,
                facts: event.clone(),
            })?,
            dedupe_key: Some(format!("mail:{}:{user_id}", claimed.id)),
        });
    }
    if jobs::finish(tx, claimed).await? {
        Ok(())
    } else {
        Err(Error::stale())
    }
}

/// Sends one mail and settles its job. Nothing is sent under a lease that is lost or about to end, nor to people who
/// lost their access meanwhile.
///
/// # Errors
/// The mail was not accepted (for now or for good), it cannot be written, or the database failed.
pub async fn send(app: &App, post: &Post, job: &Job) -> Result<(), Failure> {
    let letter: Letter = read(Some(&job.payload))?;
    let until = app.clock().now() + NEEDED;
    let Some(row) = store::held(&app.db().reading(), job, until).await? else {
        lease_lost(job);
        return Ok(());
    };
    if let Some(message) = compose(app, post, &row, &letter).await? {
        let words = Words::of(&message);
        app.mail().send(message).await.map_err(|fault| {
            let failure = words.failure(fault);
            tracing::warn!(job = %job.id, attempt = job.attempts, reason = failure.message, "a mail was not sent");
            failure
        })?;
    }
    settle(app, job).await
}

async fn settle(app: &App, job: &Job) -> Result<(), Failure> {
    let claimed = job.clone();
    let settled = app
        .write(call("mailSettle", job), move |tx| {
            let claimed = claimed.clone();
            Box::pin(async move { jobs::finish(tx, &claimed).await })
        })
        .await?;
    if !settled {
        lease_lost(job);
    }
    Ok(())
}

async fn compose(
    app: &App,
    post: &Post,
    row: &job::Model,
    letter: &Letter,
) -> Result<Option<Message>, Failure> {
    let Some(mail) = post.mail(&letter.template) else {
        return Err(Failure::permanent(format!(
            "No mail is named {}.",
            letter.template
        )));
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
        Failure::permanent(format!(
            "The mail {} cannot be written: {}.",
            mail.name,
            fault.kind()
        ))
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

/// What the recipient could be recognised by: none of it may stand in the failure that operators read.
struct Words(Vec<String>);

impl Words {
    fn of(message: &Message) -> Self {
        let mailbox = message.to_address.split('@').next().unwrap_or_default();
        let words = [mailbox, &message.to_name].map(|word| word.trim().to_lowercase());
        Self(words.into_iter().filter(|word| !word.is_empty()).collect())
    }

    fn failure(&self, fault: MailFault) -> Failure {
        let (detail, permanent) = match fault {
            MailFault::Transient(detail) => (detail, false),
            MailFault::Permanent(detail) => (detail, true),
        };
        let outcome = if permanent {
            "The mail cannot be sent"
        } else {
            "The mail was not accepted for now"
        };
        let lower = detail.to_lowercase();
        let names_somebody =
            lower.contains('@') || self.0.iter().any(|word| lower.contains(word.as_str()));
        let message = match reply_code(&detail) {
            _ if !names_somebody => format!("{outcome}: {detail}"),
            Some(code) => format!("{outcome}: the mail server answered {code}."),
            None => format!("{outcome}."),
        };
        Failure {
            message,
            cause: None,
            permanent,
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

fn call(name: &'static str, job: &Job) -> Call {
    Call {
        name,
        actor: Actor::System,
        request_id: job.request_id.clone(),
    }
}

fn read<T: DeserializeOwned>(payload: Option<&Value>) -> Result<T, Failure> {
    let payload = payload.cloned().unwrap_or_default();
    serde_json::from_value(payload).map_err(|fault| Failure {
        cause: Some(fault.to_string()),
        ..Failure::permanent("The job cannot be read.".to_owned())
    })
}

fn lease_lost(job: &Job) {
    tracing::warn!(job = %job.id, topic = job.topic, "a lease was lost; whoever holds the job now settles it");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        Words(vec!["ann.lee".to_owned(), "ann lee".to_owned()])
    }

    #[test]
    fn a_failure_names_nobody() {
        for (detail, told) in [
            (
                "permanent error (550): 5.1.1 <ann.lee@acme.example> unknown",
                "The mail cannot be sent: the mail server answered 550.",
            ),
            (
                "550 no mailbox ANN.LEE here",
                "The mail cannot be sent: the mail server answered 550.",
            ),
            ("bob@acme.example?", "The mail cannot be sent."),
            (
                "permanent error (554): no",
                "The mail cannot be sent: permanent error (554): no",
            ),
        ] {
            assert_eq!(
                words().failure(MailFault::Permanent(detail.to_owned())),
                Failure::permanent(told.to_owned())
            );
        }
        let full = words().failure(MailFault::Transient("452 mailbox full".to_owned()));
        assert_eq!(
            full,
            Failure::transient("The mail was not accepted for now: 452 mailbox full".to_owned())
        );
    }
}
