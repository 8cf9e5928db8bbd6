//! What a mail consists of, and how it is put together so that nothing a user typed becomes a header.

use chrono::{DateTime, Utc};
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use uuid::Uuid;

use super::transport::MailFault;

/// A mail to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The person's name, or empty.
    pub to_name: String,
    /// The person's address.
    pub to_address: String,
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// See [`message_id`].
    pub message_id: String,
    /// When the mail was decided on; the same for every attempt.
    pub date: DateTime<Utc>,
    /// Further headers, such as `Auto-Submitted`.
    pub headers: Vec<(String, String)>,
}

/// The message id of a job's mail: `<job@host>`, the same for every attempt.
pub fn message_id(job: Uuid, host: &str) -> String {
    format!(
        "<{}@{}>",
        job.simple(),
        neutral(host).replace(['<', '>', '@', ' '], "")
    )
}

/// A text that contains line breaks or other control characters and so may not become a name or subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name or subject contains no line breaks or control characters")]
pub struct UnsafeHeader;

/// Checks a name or subject where it enters the system, so that a forged one is refused to its author.
pub fn safe_header(text: &str) -> Result<&str, UnsafeHeader> {
    if text.chars().any(breaks_lines) {
        Err(UnsafeHeader)
    } else {
        Ok(text)
    }
}

/// Control characters, and the separators that some mail programs also take for line ends.
fn breaks_lines(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// The text with a space for every character [`safe_header`] refuses: what reached the database by another way must not
/// stop the mail, and lettre panics at a line break in a name.
fn neutral(text: &str) -> String {
    text.replace(breaks_lines, " ").trim().to_owned()
}

/// The mail as it goes over the wire.
pub(super) fn build(message: &Message, from: Mailbox) -> Result<lettre::Message, MailFault> {
    let permanent = |fault: &dyn std::error::Error| MailFault::Permanent(fault.to_string());
    let address: Address = message
        .to_address
        .parse()
        .map_err(|fault| permanent(&fault))?;
    // The envelope is given, not read back from headers that contain what people typed.
    let envelope = Envelope::new(Some(from.email.clone()), vec![address.clone()])
        .map_err(|fault| permanent(&fault))?;
    let name = Some(neutral(&message.to_name)).filter(|name| !name.is_empty());
    let mut mail = lettre::Message::builder()
        .envelope(envelope)
        .from(Mailbox::new(from.name.as_deref().map(neutral), from.email))
        .to(Mailbox::new(name, address))
        .subject(neutral(&message.subject))
        .date(message.date.into())
        .message_id(Some(neutral(&message.message_id)));
    for (name, value) in &message.headers {
        safe_header(name).map_err(|fault| permanent(&fault))?;
        let name = HeaderName::new_from_ascii(name.clone()).map_err(|fault| permanent(&fault))?;
        mail = mail.raw_header(HeaderValue::new(name, neutral(value)));
    }
    mail.multipart(MultiPart::alternative_plain_html(
        message.text.clone(),
        message.html.clone(),
    ))
    .map_err(|fault| permanent(&fault))
}
