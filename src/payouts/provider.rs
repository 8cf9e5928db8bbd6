//! The port to whoever moves the money.
//!
//! The key of a payment is the id of its payout, for ever. A provider answers a key that it was asked before as it
//! answered then, so asking again is how an unknown outcome is resolved, and how a crash is survived.

use std::sync::Arc;

use async_trait::async_trait;

use super::export::FileExport;
use crate::{app::App, entity::ids::PayoutId, partners::account::Account, platform::money::Money};

/// One payment to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The key: never another one for the same payment.
    pub key: PayoutId,
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
    /// The number of the run, or of the payout when a single one is tried again.
    pub name: String,
    /// The payments, in the order of their keys. The same name always comes with the same payments.
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
    Arc::new(FileExport::new(app.site().data_dir.join("payouts")))
}
