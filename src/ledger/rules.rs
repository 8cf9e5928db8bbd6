//! The entries of each business event.
//!
//! Debits are positive, credits negative, and the postings of an event sum to zero. What the house owes a
//! partner therefore has a negative balance; [`LedgerAccountKind::shown`] turns it into the positive amount a
//! partner expects to read.
//!
//! | event | debit | credit |
//! |---|---|---|
//! | a deal is won | commission expense | accrued, held |
//! | a refund takes back | clawback receivable | commission expense |
//! | a holdback is released | held | accrued |
//! | a payout is approved | accrued | clawback receivable (netted), payable |
//! | its execution starts | payable | in payout |
//! | it is settled | in payout; paid of the house (memo) | cash; paid of the partner (memo) |
//! | it fails | in payout | payable |
//!
//! Pure: decides from facts alone.

use crate::entity::ledger_account::LedgerAccountKind;
use uuid::Uuid;

impl LedgerAccountKind {
    /// A balance as people read it: what is owed or was paid to a partner is positive, and so are claims,
    /// costs and cash.
    #[must_use]
    pub const fn shown(self, balance_minor: i64) -> i64 {
        match self {
            Self::Accrued | Self::Held | Self::Payable | Self::InPayout | Self::Paid => {
                balance_minor.saturating_neg()
            }
            Self::ClawbackReceivable | Self::CommissionExpense | Self::Cash => balance_minor,
        }
    }
}

/// One entry of a transaction. A transaction is in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The kind of account.
    pub account: LedgerAccountKind,
    /// The partner whose account it is; `None` is the house.
    pub owner: Option<Uuid>,
    /// In minor units: a debit is positive, a credit negative; never zero.
    pub amount_minor: i64,
}

/// Why there are no entries for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostingError {
    /// An amount of an event is negative; the direction is in the event, not in the amount.
    #[error("an amount is negative")]
    Negative,
    /// The event moves nothing.
    #[error("nothing is moved")]
    Nothing,
    /// More is netted than was accrued; a negative balance is carried forward instead.
    #[error("more would be netted than was accrued")]
    OverNetted,
    /// A sum does not fit 64 bits.
    #[error("an amount is out of range")]
    OutOfRange,
}

/// Whether the postings may be recorded as one transaction: some, none of zero, and summing to zero.
#[must_use]
pub fn balanced(postings: &[Posting]) -> bool {
    let sum: i128 = postings
        .iter()
        .map(|posting| i128::from(posting.amount_minor))
        .sum();
    sum == 0 && !postings.is_empty() && postings.iter().all(|posting| posting.amount_minor != 0)
}

/// A deal is won: a partner earns `earned`, and `held` more that is held back.
pub fn won(partner: Uuid, earned: i64, held: i64) -> Result<Vec<Posting>, PostingError> {
    check(&[earned, held])?;
    let expense = earned.checked_add(held).ok_or(PostingError::OutOfRange)?;
    entries([
        house(LedgerAccountKind::CommissionExpense, expense),
        of(partner, LedgerAccountKind::Accrued, -earned),
        of(partner, LedgerAccountKind::Held, -held),
    ])
}

/// A refund takes `amount` back from a partner.
pub fn clawed_back(partner: Uuid, amount: i64) -> Result<Vec<Posting>, PostingError> {
    check(&[amount])?;
    entries([
        of(partner, LedgerAccountKind::ClawbackReceivable, amount),
        house(LedgerAccountKind::CommissionExpense, -amount),
    ])
}

/// A holdback becomes available.
pub fn holdback_released(partner: Uuid, amount: i64) -> Result<Vec<Posting>, PostingError> {
    moved(
        partner,
        LedgerAccountKind::Held,
        LedgerAccountKind::Accrued,
        amount,
    )
}

/// A payout is approved: `accrued` less the clawbacks `netted` against it becomes payable.
pub fn approved(partner: Uuid, accrued: i64, netted: i64) -> Result<Vec<Posting>, PostingError> {
    check(&[accrued, netted])?;
    if netted > accrued {
        return Err(PostingError::OverNetted);
    }
    entries([
        of(partner, LedgerAccountKind::Accrued, accrued),
        of(partner, LedgerAccountKind::ClawbackReceivable, -netted),
        of(partner, LedgerAccountKind::Payable, netted - accrued),
    ])
}

/// A payout is handed to the provider.
pub fn execution_started(partner: Uuid, amount: i64) -> Result<Vec<Posting>, PostingError> {
    moved(
        partner,
        LedgerAccountKind::Payable,
        LedgerAccountKind::InPayout,
        amount,
    )
}

/// The provider paid. The memo of what the partner has been paid is matched by the house's own.
pub fn settled(partner: Uuid, amount: i64) -> Result<Vec<Posting>, PostingError> {
    check(&[amount])?;
    entries([
        of(partner, LedgerAccountKind::InPayout, amount),
        house(LedgerAccountKind::Cash, -amount),
        house(LedgerAccountKind::Paid, amount),
        of(partner, LedgerAccountKind::Paid, -amount),
    ])
}

/// The provider did not pay; the amount is payable again.
pub fn failed(partner: Uuid, amount: i64) -> Result<Vec<Posting>, PostingError> {
    moved(
        partner,
        LedgerAccountKind::InPayout,
        LedgerAccountKind::Payable,
        amount,
    )
}

/// The entries that undo a transaction as a whole.
#[must_use]
pub fn reversed(postings: &[Posting]) -> Vec<Posting> {
    let reverse = |posting: &Posting| Posting {
        amount_minor: posting.amount_minor.saturating_neg(),
        ..*posting
    };
    postings.iter().map(reverse).collect()
}

fn moved(
    partner: Uuid,
    from: LedgerAccountKind,
    to: LedgerAccountKind,
    amount: i64,
) -> Result<Vec<Posting>, PostingError> {
    check(&[amount])?;
    entries([of(partner, from, amount), of(partner, to, -amount)])
}

fn of(partner: Uuid, account: LedgerAccountKind, amount_minor: i64) -> Posting {
    Posting {
        account,
        owner: Some(partner),
        amount_minor,
    }
}

fn house(account: LedgerAccountKind, amount_minor: i64) -> Posting {
    Posting {
        account,
        owner: None,
        amount_minor,
    }
}

fn check(amounts: &[i64]) -> Result<(), PostingError> {
    if amounts.iter().any(|amount| *amount < 0) {
        Err(PostingError::Negative)
    } else {
        Ok(())
    }
}

fn entries<const N: usize>(postings: [Posting; N]) -> Result<Vec<Posting>, PostingError> {
    let entries: Vec<Posting> = postings
        .into_iter()
        .filter(|posting| posting.amount_minor != 0)
        .collect();
    if entries.is_empty() {
        Err(PostingError::Nothing)
    } else {
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const PARTNER: Uuid = Uuid::from_u128(1);

    #[derive(Default)]
    struct Books(BTreeMap<(LedgerAccountKind, Option<Uuid>), i64>);

    impl Books {
        fn post(&mut self, event: Result<Vec<Posting>, PostingError>) {
            let postings = event.unwrap();
            assert!(balanced(&postings), "{postings:?}");
            for posting in postings {
                *self.0.entry((posting.account, posting.owner)).or_default() +=
                    posting.amount_minor;
            }
        }

        fn of(&self, account: LedgerAccountKind) -> i64 {
            account.shown(self.0.get(&(account, Some(PARTNER))).copied().unwrap_or(0))
        }

        fn house(&self, account: LedgerAccountKind) -> i64 {
            account.shown(self.0.get(&(account, None)).copied().unwrap_or(0))
        }
    }

    #[test]
    fn a_commission_goes_from_the_win_to_the_bank() {
        let mut books = Books::default();
        books.post(won(PARTNER, 514_286, 57_143));
        assert_eq!(
            (
                books.of(LedgerAccountKind::Accrued),
                books.of(LedgerAccountKind::Held)
            ),
            (514_286, 57_143)
        );
        books.post(clawed_back(PARTNER, 142_857));
        assert_eq!(books.of(LedgerAccountKind::ClawbackReceivable), 142_857);
        books.post(holdback_released(PARTNER, 57_143));
        books.post(approved(PARTNER, 571_429, 142_857));
        assert_eq!(books.of(LedgerAccountKind::Payable), 428_572);
        books.post(execution_started(PARTNER, 428_572));
        books.post(failed(PARTNER, 428_572));
        assert_eq!(books.of(LedgerAccountKind::Payable), 428_572);
        books.post(execution_started(PARTNER, 428_572));
        assert_eq!(books.of(LedgerAccountKind::InPayout), 428_572);
        books.post(settled(PARTNER, 428_572));
        assert_eq!(books.of(LedgerAccountKind::Paid), 428_572);
        assert_eq!(books.house(LedgerAccountKind::Cash), -428_572);
        assert_eq!(books.house(LedgerAccountKind::CommissionExpense), 428_572);
        for account in [
            LedgerAccountKind::Accrued,
            LedgerAccountKind::Held,
            LedgerAccountKind::Payable,
            LedgerAccountKind::InPayout,
            LedgerAccountKind::ClawbackReceivable,
        ] {
            assert_eq!(books.of(account), 0, "{account:?}");
        }
    }

    #[test]
    fn an_event_that_makes_no_sense_has_no_entries() {
        assert_eq!(won(PARTNER, -1, 5), Err(PostingError::Negative));
        assert_eq!(won(PARTNER, 0, 0), Err(PostingError::Nothing));
        assert_eq!(won(PARTNER, i64::MAX, 1), Err(PostingError::OutOfRange));
        assert_eq!(approved(PARTNER, 5, 6), Err(PostingError::OverNetted));
        assert_eq!(approved(PARTNER, 5, 5).unwrap().len(), 2);
        assert_eq!(won(PARTNER, 5, 0).unwrap().len(), 2);
    }

    #[test]
    fn postings_that_do_not_balance_are_recognised() {
        let posting = |amount_minor| Posting {
            account: LedgerAccountKind::Cash,
            owner: None,
            amount_minor,
        };
        assert!(!balanced(&[]));
        assert!(!balanced(&[posting(0)]));
        assert!(!balanced(&[posting(1), posting(-2)]));
        assert!(balanced(&[posting(1), posting(-1)]));
    }

    proptest! {
        #[test]
        fn the_postings_of_every_event_balance(a in 1..=i64::MAX / 2, b in 0..=i64::MAX / 2) {
            let events = [
                won(PARTNER, a, b),
                clawed_back(PARTNER, a),
                holdback_released(PARTNER, a),
                approved(PARTNER, a.max(b), a.min(b)),
                execution_started(PARTNER, a),
                settled(PARTNER, a),
                failed(PARTNER, a),
            ];
            for event in events {
                let postings = event.unwrap();
                prop_assert!(balanced(&postings));
                prop_assert!(balanced(&reversed(&postings)));
            }
        }
    }
}
