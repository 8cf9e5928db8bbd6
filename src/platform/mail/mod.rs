//! Sending mail, at most one connection per mail, each within a minute.
//!
//! A mail goes to a mail server, or on a developer's machine into a folder, or in tests into memory. The same job always
//! sends the same message id, so that a mail sent twice after a crash is shown once by most programs. What a user typed
//! never starts a header of its own.

mod mailbox;
mod memory;
mod message;
mod send;
mod transport;

pub use mailbox::{Mailbox, StoredMail};
pub use memory::{MemoryMail, SentMail};
pub use message::{Message, UnsafeHeader, message_id, safe_header};
pub use send::Mailer;
pub use transport::{MailFault, MailTransport};
