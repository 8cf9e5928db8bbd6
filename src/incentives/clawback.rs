//! Taking back what was earned on a deal whose customer was refunded.
//!
//! Nothing that was booked is changed; a refund adds negative lines. They follow the sum of all refunds so
//! far, so many small refunds take back exactly as much as one large one, and a full refund leaves every
//! partner with exactly zero.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::accrual::Line;
use crate::platform::money::{MoneyError, allocate, proportion, sum};
use crate::{entity::accrual::AccrualKind, platform::calendar};

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

/// What a deal still has held of one component of a plan for one partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// How much of it was not taken back yet, in minor units; positive.
    pub left_minor: i64,
    /// When it becomes available.
    pub until: DateTime<Utc>,
}

/// Divides what is taken back: what the deal itself still has held goes first, and is taken when it would have become
/// available; only the rest is taken at once, from whatever the partner is paid next. No amount changes.
pub fn held_first<K: Copy>(
    lines: Vec<Line<K>>,
    held: impl Fn(&Line<K>) -> Option<Held>,
) -> Vec<Line<K>> {
    let mut divided = Vec::with_capacity(lines.len());
    for line in lines {
        let held = held(&line).filter(|held| held.until > line.available_at);
        let taken = line.amount_minor.saturating_neg().max(0);
        let from_held = held.map_or(0, |held| held.left_minor.clamp(0, taken));
        let parts = [
            (
                held.map_or(line.available_at, |held| held.until),
                from_held.saturating_neg(),
            ),
            (
                line.available_at,
                line.amount_minor.saturating_add(from_held),
            ),
        ];
        for (available_at, amount_minor) in parts.into_iter().filter(|part| part.1 != 0) {
            divided.push(Line {
                amount_minor,
                available_at,
                ..line
            });
        }
    }
    divided
}

/// The lines that bring the deal's commissions down to what its refunds leave, available when the refund happened.
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
    refunded_at: DateTime<Utc>,
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
                available_at: refunded_at,
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

    #[test]
    fn what_is_held_goes_first_and_at_its_own_time() {
        let until = WON + TimeDelta::days(60);
        let line = |amount_minor, available_at| Line {
            component: 0,
            partner: 1,
            kind: AccrualKind::Clawback,
            amount_minor,
            weight: 1,
            pool_minor: 1_000_000,
            available_at,
        };
        let divided = |amount, left_minor, at| {
            let held = |_: &Line<i32>| Some(Held { left_minor, until });
            held_first(vec![line(amount, at)], held)
                .into_iter()
                .map(|line| (line.amount_minor, line.available_at))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            divided(-1_000_000, 500_000, WON),
            [(-500_000, until), (-500_000, WON)]
        );
        assert_eq!(divided(-250_000, 500_000, WON), [(-250_000, until)]);
        assert_eq!(divided(-250_000, 0, WON), [(-250_000, WON)]);
        // What was released before the refund is not held any more.
        assert_eq!(divided(-250_000, 500_000, until), [(-250_000, until)]);
        let nothing_held = held_first(vec![line(-7, WON)], |_| None);
        assert_eq!(nothing_held, [line(-7, WON)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_available_is_never_taken_while_something_is_held(
            earned in 0_i64..1_000_000,
            held in 0_i64..1_000_000,
            steps in prop::collection::vec(1_i64..500_000, 1..12),
        ) {
            let until = WON + TimeDelta::days(60);
            let (mut earned_left, mut held_left) = (earned, held);
            for step in steps {
                let taken = step.min(earned_left + held_left);
                let line = Line {
                    component: 0,
                    partner: (),
                    kind: AccrualKind::Clawback,
                    amount_minor: -taken,
                    weight: 1,
                    pool_minor: 1,
                    available_at: WON,
                };
                let lines = held_first(vec![line], |_| Some(Held { left_minor: held_left, until }));
                let sum: i64 = lines.iter().map(|line| line.amount_minor).sum();
                prop_assert_eq!(sum, -taken);
                let before = held_left;
                for line in lines {
                    prop_assert!(line.amount_minor < 0);
                    if line.available_at == until {
                        held_left += line.amount_minor;
                    } else {
                        earned_left += line.amount_minor;
                    }
                }
                prop_assert!(held_left >= 0 && earned_left >= 0);
                prop_assert_eq!(held_left, (before - taken).max(0));
            }
        }

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
