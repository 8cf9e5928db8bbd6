//! What a partner has earned, what is on its way and what it was paid, per currency, from the cached balances.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;

use crate::{
    entity::{
        ids::PartnerId,
        ledger_account::{self, LedgerAccountKind},
    },
    error::Result,
    platform::money::Currency,
};

/// The balances of one partner in one currency, in minor units and as people read them: owed and paid amounts
/// are positive, and so is what was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The currency of all amounts.
    pub currency: Currency,
    /// Earned, not yet approved for payment.
    pub accrued: i64,
    /// Earned, held back until a date.
    pub held: i64,
    /// Approved for payment.
    pub payable: i64,
    /// Handed to the payment provider.
    pub in_payout: i64,
    /// Paid so far.
    pub paid: i64,
    /// Taken back, not yet netted against what was earned.
    pub clawback_receivable: i64,
}

impl Balance {
    /// A partner without movements.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self {
            currency,
            accrued: 0,
            held: 0,
            payable: 0,
            in_payout: 0,
            paid: 0,
            clawback_receivable: 0,
        }
    }

    /// What the partner is still owed: everything but what was paid, less what was taken back.
    #[must_use]
    pub const fn open(&self) -> i64 {
        self.accrued + self.held + self.payable + self.in_payout - self.clawback_receivable
    }

    fn take(&mut self, account: &ledger_account::Model) {
        let shown = account.kind.shown(account.balance_minor);
        match account.kind {
            LedgerAccountKind::Accrued => self.accrued = shown,
            LedgerAccountKind::Held => self.held = shown,
            LedgerAccountKind::Payable => self.payable = shown,
            LedgerAccountKind::InPayout => self.in_payout = shown,
            LedgerAccountKind::Paid => self.paid = shown,
            LedgerAccountKind::ClawbackReceivable => self.clawback_receivable = shown,
            LedgerAccountKind::CommissionExpense | LedgerAccountKind::Cash => {}
        }
    }
}

/// One balance per currency, ordered by its code, from the accounts of one partner.
#[must_use]
pub fn by_currency(accounts: &[ledger_account::Model]) -> Vec<Balance> {
    let mut balances: BTreeMap<&str, Balance> = BTreeMap::new();
    for account in accounts {
        let balance = balances
            .entry(account.currency.code())
            .or_insert_with(|| Balance::zero(account.currency));
        balance.take(account);
    }
    balances.into_values().collect()
}

/// The balances of a partner.
///
/// # Errors
/// The database failed.
pub async fn of<C: ConnectionTrait>(db: &C, partner: PartnerId) -> Result<Vec<Balance>> {
    Ok(by_currency(
        &super::store::accounts_of(db, &[partner]).await?,
    ))
}

/// The currency in which a partner is shown when nobody names one: its only one, else the reporting currency, else
/// its first, else US dollars.
#[must_use]
pub fn usual_currency(balances: &[Balance], reporting: Option<Currency>) -> Currency {
    if let [only] = balances {
        return only.currency;
    }
    reporting
        .or_else(|| balances.first().map(|balance| balance.currency))
        .unwrap_or(Currency::USD)
}
