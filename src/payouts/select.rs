//! What a payout run pays, and what it leaves for a later one.
//!
//! The commission lines of one partner in one currency that are due are paid together or not at all. What is not
//! paid stays unclaimed and is looked at again by the next run, so nothing is dropped. Lines that cancel out are settled
//! by a payout of nothing, once, so that they do not come back in every run.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::{
    entity::{partner::PartnerStatus, payout_exception::ExceptionReason},
    platform::{calendar, money::Currency},
};

/// The unclaimed lines of one partner in one currency that are due, and what is known of the partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due<K> {
    /// Whose.
    pub partner: K,
    /// In which currency.
    pub currency: Currency,
    /// The sum of the lines in minor units; negative when more was taken back than earned.
    pub amount_minor: i64,
    /// How many lines.
    pub line_count: i64,
    /// Where the partner stands.
    pub status: PartnerStatus,
    /// The last day on which the data processing agreement on file is valid; `None` where none is on file.
    pub agreement_until: Option<NaiveDate>,
    /// Whether an account is set to which the partner is paid.
    pub has_account: bool,
}

/// What a run goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The day of the run in the programme's time zone.
    pub today: NaiveDate,
    /// The minimum payment in minor units by currency; a currency that is not listed has none.
    pub minimum: BTreeMap<Currency, i64>,
    /// Whether a partner without an account waits.
    pub requires_payment_details: bool,
}

/// The instant before which lines must have been earned and be available: the end of the last day of the period in the
/// programme's time zone, but never later than now. What becomes available later waits for a later run.
#[must_use]
pub fn cut_off(period_end: NaiveDate, zone: Tz, now: DateTime<Utc>) -> DateTime<Utc> {
    let after_now = now + TimeDelta::microseconds(1);
    calendar::end_of_day(zone, period_end).map_or(after_now, |end| end.min(after_now))
}

impl Rules {
    /// Whether the lines are settled (`None`), or why they wait.
    ///
    /// A negative sum is carried forward and a sum of zero is settled without a payment, whatever else is true; then a hold
    /// applies: the partner's state, then an expired agreement, then a missing account; then a sum below the minimum is
    /// carried forward; the rest is paid.
    #[must_use]
    pub fn exception<K>(&self, due: &Due<K>) -> Option<ExceptionReason> {
        let minimum = self.minimum.get(&due.currency).copied().unwrap_or(0);
        if due.amount_minor < 0 {
            Some(ExceptionReason::NegativeBalance)
        } else if due.amount_minor == 0 {
            None
        } else if !due.status.may_be_paid() {
            Some(ExceptionReason::NotPayable)
        } else if due
            .agreement_until
            .is_some_and(|last_day| last_day < self.today)
        {
            Some(ExceptionReason::AgreementExpired)
        } else if self.requires_payment_details && !due.has_account {
            Some(ExceptionReason::NoPaymentDetails)
        } else if due.amount_minor < minimum {
            Some(ExceptionReason::BelowMinimum)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sea_orm::Iterable;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn rules() -> Rules {
        Rules {
            today: day("2026-03-31"),
            minimum: BTreeMap::from([(Currency::USD, 150_000)]),
            requires_payment_details: false,
        }
    }

    fn due(amount_minor: i64) -> Due<u8> {
        let (currency, status) = (Currency::USD, PartnerStatus::Active);
        Due {
            partner: 1,
            currency,
            amount_minor,
            line_count: 1,
            status,
            agreement_until: None,
            has_account: false,
        }
    }

    #[test]
    fn an_amount_below_the_minimum_is_carried_until_it_is_enough() {
        let decide = |amount| rules().exception(&due(amount));
        assert_eq!(decide(107_143), Some(ExceptionReason::BelowMinimum));
        assert_eq!(decide(107_143 + 60_000), None);
        assert_eq!(decide(150_000), None);
        assert_eq!(decide(149_999), Some(ExceptionReason::BelowMinimum));
        let yen = "JPY".parse().unwrap();
        assert_eq!(
            rules().exception(&Due {
                currency: yen,
                ..due(1)
            }),
            None
        );
    }

    #[test]
    fn what_cancels_out_is_settled_whatever_else_is_true() {
        let suspended = Due {
            status: PartnerStatus::Suspended,
            ..due(0)
        };
        let strict = Rules {
            requires_payment_details: true,
            ..rules()
        };
        assert_eq!(rules().exception(&suspended), None);
        assert_eq!(strict.exception(&due(0)), None);
    }

    #[test]
    fn a_negative_balance_is_carried_whatever_else_is_true() {
        let suspended = Due {
            status: PartnerStatus::Suspended,
            ..due(-1)
        };
        assert_eq!(
            rules().exception(&suspended),
            Some(ExceptionReason::NegativeBalance)
        );
    }

    #[test]
    fn a_partner_that_may_not_be_paid_is_held() {
        for status in PartnerStatus::iter() {
            let held = rules().exception(&Due {
                status,
                ..due(500_000)
            });
            assert_eq!(
                held,
                (!status.may_be_paid()).then_some(ExceptionReason::NotPayable),
                "{status:?}"
            );
        }
    }

    #[test]
    fn an_agreement_is_valid_through_its_last_day() {
        let with = |text| {
            rules().exception(&Due {
                agreement_until: Some(day(text)),
                ..due(500_000)
            })
        };
        assert_eq!(with("2026-03-31"), None);
        assert_eq!(with("2026-03-30"), Some(ExceptionReason::AgreementExpired));
    }

    #[test]
    fn without_an_account_a_partner_waits_where_one_is_required() {
        let strict = Rules {
            requires_payment_details: true,
            ..rules()
        };
        let with = Due {
            has_account: true,
            ..due(500_000)
        };
        let missing = Some(ExceptionReason::NoPaymentDetails);
        assert_eq!(rules().exception(&due(500_000)), None);
        assert_eq!(strict.exception(&due(500_000)), missing);
        assert_eq!(strict.exception(&due(1)), missing);
        assert_eq!(strict.exception(&with), None);
    }

    #[test]
    fn a_period_ends_at_midnight_or_now() {
        let end = day("2026-03-31");
        let midnight: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
        assert_eq!(
            cut_off(end, Tz::UTC, midnight + TimeDelta::days(3)),
            midnight
        );
        let noon: DateTime<Utc> = "2026-03-31T12:00:00Z".parse().unwrap();
        assert_eq!(
            cut_off(end, Tz::UTC, noon),
            noon + TimeDelta::microseconds(1)
        );
        assert_eq!(
            cut_off(NaiveDate::MAX, Tz::UTC, noon),
            noon + TimeDelta::microseconds(1)
        );
    }

    proptest! {
        #[test]
        fn a_sum_is_settled_unless_it_is_negative(amount in -1_000_000_i64..1_000_000) {
            let minimum_free = Rules { minimum: BTreeMap::new(), ..rules() };
            prop_assert_eq!(minimum_free.exception(&due(amount)).is_none(), amount >= 0);
        }
    }
}
