//! The mail server of tests: keeps what it is given, and refuses or falls silent when told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::message::Message;
use super::transport::MailFault;

/// A mail as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMail {
    /// What was asked for.
    pub message: Message,
    /// What would have gone over the wire.
    pub raw: String,
}

/// The mails of a test, and the misfortunes it orders. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryMail(Arc<Mutex<Orders>>);

#[derive(Debug, Default)]
struct Orders {
    sent: Vec<SentMail>,
    failures: VecDeque<MailFault>,
    hangs: bool,
}

impl MemoryMail {
    /// Every mail accepted so far, in order.
    pub fn sent(&self) -> Vec<SentMail> {
        self.with(|orders| orders.sent.clone())
    }

    /// Refuses the next `times` mails with `fault`.
    pub fn fail(&self, times: usize, fault: MailFault) {
        self.with(|orders| orders.failures.extend(std::iter::repeat_n(fault, times)));
    }

    /// From now on never answers, or answers again.
    pub fn hang(&self, hangs: bool) {
        self.with(|orders| orders.hangs = hangs);
    }

    pub(super) async fn accept(
        &self,
        message: &Message,
        mail: &lettre::Message,
    ) -> Result<(), MailFault> {
        if self.with(|orders| orders.hangs) {
            std::future::pending::<()>().await;
        }
        let raw = String::from_utf8_lossy(&mail.formatted()).into_owned();
        self.with(|orders| match orders.failures.pop_front() {
            Some(fault) => Err(fault),
            None => {
                orders.sent.push(SentMail {
                    message: message.clone(),
                    raw,
                });
                Ok(())
            }
        })
    }

    fn with<T>(&self, look: impl FnOnce(&mut Orders) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
