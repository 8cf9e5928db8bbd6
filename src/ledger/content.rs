//! What a transaction says, as one hash: the same content posted again is known, and content altered later is found.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::Posting;
use crate::{
    entity::{ids::LedgerTransactionId, ledger_transaction::LedgerTransactionKind},
    platform::{audit, ids::TypedId, money::Currency},
};

/// What marks a hash over everything; those of before left out the last four fields of [`Content`].
const WHOLE: &str = "2:";

/// Everything that a transaction says.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// What happened.
    pub kind: LedgerTransactionKind,
    /// The type of the subject.
    pub subject_type: &'a str,
    /// The object it is about.
    pub subject_id: Uuid,
    /// When it happened in the business.
    pub effective_at: DateTime<Utc>,
    /// The currency of every posting.
    pub currency: Currency,
    /// The postings, in any order.
    pub postings: &'a [Posting],
    /// The text under which it is posted once.
    pub key: &'a str,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// The month of its statement.
    pub period: &'a str,
    /// What it undoes.
    pub reverses: Option<LedgerTransactionId>,
}

impl Content<'_> {
    /// The hash that is stored with it.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut text = self.beginning();
        let _ = write!(
            text,
            "|{}:{}|{}|{}|{}",
            self.key.len(),
            self.key,
            instant(self.recorded_at),
            self.period,
            self.reverses.map(TypedId::text).unwrap_or_default(),
        );
        format!("{WHOLE}{}", audit::digest(&text))
    }

    /// Whether a stored hash is the hash of this, also one of before.
    #[must_use]
    pub fn is(&self, stored: &str) -> bool {
        if stored.starts_with(WHOLE) {
            stored == self.hash()
        } else {
            stored == audit::digest(&self.beginning())
        }
    }

    fn beginning(&self) -> String {
        let posting = |posting: &Posting| {
            format!(
                "{:?} {:?} {}",
                posting.account, posting.owner, posting.amount_minor
            )
        };
        let mut postings: Vec<String> = self.postings.iter().map(posting).collect();
        postings.sort_unstable();
        format!(
            "{:?}|{}|{}|{}|{}|{}",
            self.kind,
            self.subject_type,
            self.subject_id,
            instant(self.effective_at),
            self.currency,
            postings.join("|")
        )
    }
}

/// The month of an instant, as statements and reports name it.
#[must_use]
pub fn period(effective_at: DateTime<Utc>) -> String {
    effective_at.format("%Y-%m").to_string()
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::rules;

    #[test]
    fn a_hash_of_before_is_still_known() {
        let at: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let posting = |account, amount_minor| Posting {
            account,
            owner: None,
            amount_minor,
        };
        let postings = [
            posting(
                crate::entity::ledger_account::LedgerAccountKind::CommissionExpense,
                700,
            ),
            posting(crate::entity::ledger_account::LedgerAccountKind::Cash, -700),
        ];
        let content = Content {
            kind: LedgerTransactionKind::Commission,
            subject_type: "deal",
            subject_id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
            effective_at: at,
            currency: Currency::USD,
            postings: &postings,
            key: "old",
            recorded_at: at,
            period: "2026-01",
            reverses: None,
        };
        // SHA-256 of the text that versions before wrote.
        assert!(content.is("6bbd3fc492fbe1998b775ccf35684fd47a7b3754922cfe7f902914230c24bbef"));
    }

    #[test]
    fn a_hash_covers_every_field_and_not_the_order_of_postings() {
        let at: DateTime<Utc> = "2026-03-01T08:00:00Z".parse().unwrap();
        let later = at + chrono::TimeDelta::microseconds(1);
        let postings = rules::won(Uuid::from_u128(7), 75, 25).unwrap();
        let turned: Vec<_> = postings.iter().rev().copied().collect();
        let other = rules::won(Uuid::from_u128(7), 74, 26).unwrap();
        let one = Content {
            kind: LedgerTransactionKind::Commission,
            subject_type: "deal",
            subject_id: Uuid::from_u128(1),
            effective_at: at,
            currency: Currency::USD,
            postings: &postings,
            key: "deal:1",
            recorded_at: at,
            period: "2026-03",
            reverses: None,
        };
        let hash = one.hash();
        assert!(one.is(&hash));
        assert!(
            Content {
                postings: &turned,
                ..one
            }
            .is(&hash)
        );
        let reversal = LedgerTransactionId::of(Uuid::from_u128(3));
        for changed in [
            Content {
                kind: LedgerTransactionKind::Clawback,
                ..one
            },
            Content {
                subject_type: "payout",
                ..one
            },
            Content {
                subject_id: Uuid::from_u128(2),
                ..one
            },
            Content {
                effective_at: later,
                ..one
            },
            Content {
                currency: "EUR".parse().unwrap(),
                ..one
            },
            Content {
                postings: &other,
                ..one
            },
            Content {
                key: "deal:2",
                ..one
            },
            Content {
                recorded_at: later,
                ..one
            },
            Content {
                period: "2026-04",
                ..one
            },
            Content {
                reverses: Some(reversal),
                ..one
            },
        ] {
            assert!(!changed.is(&hash), "{changed:?}");
        }
        let earlier = audit::digest(&one.beginning());
        assert!(one.is(&earlier));
        assert!(
            !Content {
                subject_type: "payout",
                ..one
            }
            .is(&earlier)
        );
        // Without its mark a hash over everything is none.
        assert!(!one.is(hash.trim_start_matches(WHOLE)));
    }
}
