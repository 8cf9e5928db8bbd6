//! The ways a mail can go, and what a refusal means for another attempt.

use std::path::{Path, PathBuf};

use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

use super::memory::MemoryMail;
use super::message::Message;

/// Why a mail was not sent. The detail is for operators and may name the recipient, so it is not logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailFault {
    /// Another attempt may succeed: no connection, no answer in time, a full mailbox.
    #[error("the mail was not accepted for now: {0}")]
    Transient(String),
    /// No attempt will succeed: a bad address, or the server refuses for good.
    #[error("the mail cannot be sent: {0}")]
    Permanent(String),
}

/// Where mails go.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// A mail server; a connection is used for one mail and dropped, whatever happened.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    /// Files named by message id, to be opened with any mail program.
    Folder(PathBuf),
    /// Kept for tests.
    Memory(MemoryMail),
}

impl MailTransport {
    /// The mail server at this URL, such as `smtps://user:password@mail.example.com`.
    pub fn smtp(url: &SecretString) -> Result<Self, smtp::Error> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())?;
        Ok(Self::Smtp(Box::new(server.build())))
    }

    /// Hands the mail over; `mail` is `message` put together.
    pub(super) async fn deliver(
        &self,
        message: &Message,
        mail: &lettre::Message,
    ) -> Result<(), MailFault> {
        match self {
            Self::Smtp(server) => server
                .send_raw(mail.envelope(), &mail.formatted())
                .await
                .map(drop)
                .map_err(refused),
            Self::Folder(folder) => write(folder, &message.message_id, &mail.formatted())
                .await
                .map_err(|fault| MailFault::Transient(fault.to_string())),
            Self::Memory(kept) => kept.accept(message, mail).await,
        }
    }
}

/// 5xx is final, except when it is about our own sign-in (530 to 538): that is for the operator to mend, and the mails
/// wait for it.
fn refused(fault: smtp::Error) -> MailFault {
    let detail = std::error::Error::source(&fault)
        .map_or(fault.to_string(), |cause| format!("{fault}: {cause}"));
    let about_us = fault
        .status()
        .is_some_and(|code| matches!(code.to_string().as_str(), "530" | "534" | "535" | "538"));
    if fault.is_permanent() && !about_us {
        MailFault::Permanent(detail)
    } else {
        MailFault::Transient(detail)
    }
}

async fn write(folder: &Path, message_id: &str, mail: &[u8]) -> std::io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let harmless =
        |character: &char| character.is_ascii_alphanumeric() || "-_@.".contains(*character);
    let name: String = message_id.chars().filter(harmless).collect();
    tokio::fs::write(folder.join(format!("{name}.eml")), mail).await
}
