//! The port to whoever moves the money.
//!
//! The key of a payment is the id of its payout and the number of the attempt. A provider answers a key that it was asked
//! before as it answered then, so asking again is how an unknown outcome is resolved, and how a crash is survived. Only
//! payments whose outcome is open are asked about; one that failed is handed over again under the key of its next attempt.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::export::FileExport;
use crate::{
    app::App,
    entity::ids::{PayoutId, PayoutRunId},
    partners::account::Account,
    platform::money::Money,
};

/// Under which a payment is handed over, in one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The payout.
    pub payout: PayoutId,
    /// The number of the attempt, from 1.
    pub attempt: i32,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.payout, self.attempt)
    }
}

/// One payment to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The key: never another one for the same attempt.
    pub key: Key,
    /// The legal name of the partner.
    pub partner: String,
    /// How much.
    pub amount: Money,
    /// The account it goes to; none where the partner had none when the payment was calculated.
    pub account: Option<Account>,
    /// The text for the bank statement: the payout's number.
    pub reference: String,
}

/// Payments that are handed over together, under a name that stays the same when they are handed over again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The run that they belong to.
    pub run: PayoutRunId,
    /// The number of the run; when a single payment is tried again, the number of the payout and the attempt.
    pub name: String,
    /// The payments, in the order of their keys. The same name comes with the same payments, or with those of them whose
    /// outcome is still open.
    pub payments: Vec<Payment>,
}

/// What became of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money is on its way.
    Paid {
        /// Under which the provider knows it.
        reference: String,
    },
    /// The provider refused, and will not pay under this key unless it is handed over again after a retry.
    Failed {
        /// In words for finance and the partner.
        reason: String,
    },
    /// The provider does not tell yet; it is asked again later.
    Unknown,
}

/// Moves money.
#[async_trait]
pub trait PayoutProvider: Send + Sync {
    /// The name that payouts remember: `FILE_EXPORT`.
    fn name(&self) -> &'static str;

    /// Hands a batch over; one outcome per payment, in their order. A provider that cannot be reached answers
    /// `Unknown` for what it may have received.
    async fn pay(&self, batch: &Batch) -> Vec<Outcome>;
}

/// The provider of this installation: a file for the bank in the data folder.
#[must_use]
pub fn configured(app: &App) -> Arc<dyn PayoutProvider> {
    Arc::new(FileExport::new(app.clone()))
}
