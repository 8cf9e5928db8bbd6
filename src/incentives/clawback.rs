//! Taking back what was earned on a deal whose customer was refunded.
//!
//! Nothing that was booked is changed; a refund adds negative lines. They follow the sum of all refunds so
//! far, so many small refunds take back exactly as much as one large one, and a full refund leaves every
//! partner with exactly zero.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::accrual::{AccrualKind, Line};
use crate::platform::calendar;
use crate::platform::money::{MoneyError, allocate, proportion, sum};

/// What one partner got from one component of the plan, over all lines of the deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked<K> {
    /// Which component of the plan, from 0.
    pub component: usize,
    /// Whose.
    pub partner: K,
    /// Earned and held back together, in minor units; positive.
    pub earned_minor: i64,
    /// Taken back so far, as a positive amount.
    pub clawed_back_minor: i64,
    /// The weight its lines carry.
    pub weight: u64,
    /// The pool its lines carry.
    pub pool_minor: i64,
}

/// Money given back to the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refund {
    /// When.
    pub at: DateTime<Utc>,
    /// How much, in minor units; positive.
    pub amount_minor: i64,
}

/// The deal that was refunded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// Its value in minor units.
    pub value_minor: i64,
    /// When it was won.
    pub won_at: DateTime<Utc>,
    /// The time zone of its programme, in which days are counted.
    pub zone: Tz,
    /// The window of the plan it was paid under; 0 never takes back.
    pub clawback_days: u32,
    /// All its refunds so far, in any order.
    pub refunds: Vec<Refund>,
}

/// The lines that bring the deal's commissions down to what its refunds leave, available at `now`.
///
/// A refund counts up to and including the instant `clawback_days` after the win, at the same time of day; all refunds together
/// count at most as the deal's value. Per component:
///
/// * target = Σ earned × Σ refunds ÷ value, rounded half to even;
/// * to take now = target − Σ taken back so far, divided by what each partner still has.
///
/// Dividing by what is left instead of by the original weights keeps every line negative and never takes
/// more from a partner than it got; with largest remainders, a growing target divided by fixed weights can
/// shrink one partner's part. Ties go to the row that was booked first, so rows come in booking order.
/// Asking twice adds nothing.
///
/// # Errors
///
/// [`MoneyError`] if a sum is out of range or the deal has no value.
pub fn lines<K: Copy>(
    booked: &[Booked<K>],
    deal: &Refunded,
    now: DateTime<Utc>,
) -> Result<Vec<Line<K>>, MoneyError> {
    let refunded = refunded_in_window(deal)?;
    let mut components: BTreeMap<usize, Vec<&Booked<K>>> = BTreeMap::new();
    for row in booked {
        components.entry(row.component).or_default().push(row);
    }
    let mut lines = Vec::new();
    for (component, rows) in components {
        let earned = sum(rows.iter().map(|row| row.earned_minor))?;
        let target = proportion(earned, refunded, deal.value_minor)?;
        let due = target - sum(rows.iter().map(|row| row.clawed_back_minor))?;
        let left: Vec<u64> = rows.iter().map(|row| left(row)).collect();
        if due <= 0 || left.iter().all(|left| *left == 0) {
            continue;
        }
        for (row, part) in rows
            .into_iter()
            .zip(allocate(-due, &left)?)
            .filter(|(_, part)| *part != 0)
        {
            lines.push(Line {
                component,
                partner: row.partner,
                kind: AccrualKind::Clawback,
                amount_minor: part,
                weight: row.weight,
                pool_minor: row.pool_minor,
                available_at: now,
            });
        }
    }
    Ok(lines)
}

/// The refunds that take back, at most the deal's value.
fn refunded_in_window(deal: &Refunded) -> Result<i64, MoneyError> {
    let ends = calendar::add_days(deal.zone, deal.won_at, deal.clawback_days)
        .ok_or(MoneyError::OutOfRange)?;
    let counts = |refund: &&Refund| deal.clawback_days > 0 && refund.at <= ends;
    let total = sum(deal
        .refunds
        .iter()
        .filter(counts)
        .map(|refund| refund.amount_minor))?;
    Ok(total.min(deal.value_minor))
}

fn left<K>(row: &Booked<K>) -> u64 {
    u64::try_from(row.earned_minor.saturating_sub(row.clawed_back_minor)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    const WON: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);

    fn booked(amounts: &[i64]) -> Vec<Booked<usize>> {
        let pool_minor = amounts.iter().sum();
        let row = |(partner, earned_minor): (usize, &i64)| Booked {
            component: 0,
            partner,
            earned_minor: *earned_minor,
            clawed_back_minor: 0,
            weight: 1,
            pool_minor,
        };
        amounts.iter().enumerate().map(row).collect()
    }

    fn refunded(refunds: &[(i64, TimeDelta)]) -> Refunded {
        let refund = |(amount_minor, after): &(i64, TimeDelta)| Refund {
            at: WON + *after,
            amount_minor: *amount_minor,
        };
        Refunded {
            value_minor: 10_000_000,
            won_at: WON,
            zone: Tz::UTC,
            clawback_days: 90,
            refunds: refunds.iter().map(refund).collect(),
        }
    }

    fn amounts(booked: &[Booked<usize>], deal: &Refunded) -> Vec<i64> {
        lines(booked, deal, WON)
            .unwrap()
            .into_iter()
            .map(|line| line.amount_minor)
            .collect()
    }

    const SHARED: [i64; 3] = [142_857, 285_714, 571_429];

    #[test]
    fn a_quarter_refunded_takes_a_quarter_back() {
        let deal = refunded(&[(2_500_000, TimeDelta::days(60))]);
        assert_eq!(
            amounts(&booked(&SHARED), &deal),
            [-35_714, -71_429, -142_857]
        );
    }

    #[test]
    fn the_last_instant_of_the_window_still_counts() {
        let at = |after| refunded(&[(2_500_000, after)]);
        assert_eq!(amounts(&booked(&SHARED), &at(TimeDelta::days(90))).len(), 3);
        let late = TimeDelta::days(90) + TimeDelta::microseconds(1);
        assert!(amounts(&booked(&SHARED), &at(late)).is_empty());
        assert!(amounts(&booked(&SHARED), &at(TimeDelta::days(91))).is_empty());
        let never = Refunded {
            clawback_days: 0,
            ..at(TimeDelta::zero())
        };
        assert!(amounts(&booked(&SHARED), &never).is_empty());
    }

    #[test]
    fn asking_twice_adds_nothing_and_more_than_the_value_is_the_value() {
        let deal = refunded(&[(99_000_000, TimeDelta::days(1))]);
        let mut rows = booked(&SHARED);
        assert_eq!(amounts(&rows, &deal), [-142_857, -285_714, -571_429]);
        for row in &mut rows {
            row.clawed_back_minor = row.earned_minor;
        }
        assert!(amounts(&rows, &deal).is_empty());
    }

    #[test]
    fn components_are_taken_back_each_for_itself() {
        let mut rows = booked(&[3, 1_000]);
        rows[1].component = 1;
        let lines = lines(&rows, &refunded(&[(5_000_000, TimeDelta::zero())]), WON).unwrap();
        let taken: Vec<_> = lines
            .iter()
            .map(|line| (line.component, line.amount_minor))
            .collect();
        assert_eq!(taken, [(0, -2), (1, -500)]);
        assert!(lines.iter().all(|line| line.kind == AccrualKind::Clawback));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn refunding_everything_in_any_number_of_steps_leaves_zero(
            earned in prop::collection::vec(1_i64..1_000_000, 1..8),
            mut steps in prop::collection::vec(1_i64..10_000_000, 0..12),
        ) {
            steps.push(10_000_000);
            let mut rows = booked(&earned);
            let mut deal = refunded(&[]);
            for step in steps {
                let done: i64 = deal.refunds.iter().map(|refund| refund.amount_minor).sum();
                deal.refunds.push(Refund { at: WON, amount_minor: step.min(10_000_000 - done) });
                for line in lines(&rows, &deal, WON).unwrap() {
                    prop_assert!(line.amount_minor < 0);
                    rows[line.partner].clawed_back_minor -= line.amount_minor;
                }
                prop_assert!(rows.iter().all(|row| row.clawed_back_minor <= row.earned_minor));
                let refunded = (done + step).min(10_000_000);
                let target = proportion(earned.iter().sum(), refunded, 10_000_000).unwrap();
                prop_assert_eq!(rows.iter().map(|row| row.clawed_back_minor).sum::<i64>(), target);
            }
            prop_assert!(rows.iter().all(|row| row.clawed_back_minor == row.earned_minor));
        }
    }
}
