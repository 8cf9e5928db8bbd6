//! What a payout run pays, carries forward or holds.
//!
//! Every line that is due ends in exactly one row, so nothing is dropped: what is not paid stays unclaimed
//! and is looked at again by the next run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::platform::money::{Currency, MoneyError, sum};

/// Why a partner cannot be paid now although it has earned enough.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[graphql(name = "PayoutHoldReason")]
pub enum HoldReason {
    /// No bank account or other way to be paid is on file.
    NoPaymentDetails,
    /// A required agreement or document is missing or expired.
    NonCompliant,
    /// A line or the deal behind it is in dispute.
    Disputed,
    /// The partner is suspended.
    Suspended,
}

/// Why an amount is carried forward to the next run.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sea_orm::EnumIter,
    sea_orm::DeriveActiveEnum,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "Text",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[graphql(name = "PayoutCarryReason")]
pub enum CarryReason {
    /// The sum is below the minimum payment of its currency.
    BelowMinimum,
    /// More was taken back than earned.
    NegativeBalance,
}

/// A commission line that no payout has claimed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due<K> {
    /// Which line.
    pub line: Uuid,
    /// Whose.
    pub partner: K,
    /// Its currency.
    pub currency: Currency,
    /// Its amount in minor units; negative for a clawback.
    pub amount_minor: i64,
    /// From when on it can be paid.
    pub available_at: DateTime<Utc>,
}

/// What a run goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules<K> {
    /// Lines that become available later wait for a later run.
    pub cut_off: DateTime<Utc>,
    /// The minimum payment in minor units by currency; a currency that is not listed has none.
    pub minimum: BTreeMap<Currency, i64>,
    /// Partners that cannot be paid now.
    pub holds: BTreeMap<K, HoldReason>,
}

/// What happens with the lines of one partner in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// They are paid.
    Pay,
    /// They wait for the next run.
    Carried(CarryReason),
    /// They wait until the reason is gone.
    Held(HoldReason),
}

/// The lines of one partner in one currency that are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected<K> {
    /// Whose.
    pub partner: K,
    /// In which currency.
    pub currency: Currency,
    /// The sum of the lines in minor units.
    pub amount_minor: i64,
    /// The lines, by id.
    pub lines: Vec<Uuid>,
    /// What happens with them.
    pub decision: Decision,
}

/// Sums up the due lines by partner and currency and decides, in that order.
///
/// A negative sum is carried, whatever else is true; then a hold applies; then a sum below the minimum, or
/// of zero, is carried; the rest is paid.
///
/// # Errors
///
/// [`MoneyError::OutOfRange`] if a sum does not fit 64 bits.
pub fn select<K: Ord + Copy>(
    due: &[Due<K>],
    rules: &Rules<K>,
) -> Result<Vec<Selected<K>>, MoneyError> {
    let mut groups: BTreeMap<(K, Currency), Vec<&Due<K>>> = BTreeMap::new();
    for row in due.iter().filter(|row| row.available_at <= rules.cut_off) {
        groups
            .entry((row.partner, row.currency))
            .or_default()
            .push(row);
    }
    let selected = |((partner, currency), rows): ((K, Currency), Vec<&Due<K>>)| {
        let amount_minor = sum(rows.iter().map(|row| row.amount_minor))?;
        let mut lines: Vec<Uuid> = rows.iter().map(|row| row.line).collect();
        lines.sort_unstable();
        let decision = decide(partner, currency, amount_minor, rules);
        Ok(Selected {
            partner,
            currency,
            amount_minor,
            lines,
            decision,
        })
    };
    groups.into_iter().map(selected).collect()
}

fn decide<K: Ord>(partner: K, currency: Currency, amount: i64, rules: &Rules<K>) -> Decision {
    let minimum = rules.minimum.get(&currency).copied().unwrap_or(0).max(1);
    match rules.holds.get(&partner) {
        _ if amount < 0 => Decision::Carried(CarryReason::NegativeBalance),
        Some(reason) => Decision::Held(*reason),
        None if amount < minimum => Decision::Carried(CarryReason::BelowMinimum),
        None => Decision::Pay,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test whose sums overflow should stop")]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    const CUT_OFF: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);

    fn due(n: u128, partner: u8, amount_minor: i64) -> Due<u8> {
        Due {
            line: Uuid::from_u128(n),
            partner,
            currency: Currency::USD,
            amount_minor,
            available_at: CUT_OFF,
        }
    }

    fn rules() -> Rules<u8> {
        Rules {
            cut_off: CUT_OFF,
            minimum: BTreeMap::from([(Currency::USD, 150_000)]),
            holds: BTreeMap::new(),
        }
    }

    fn decisions(due: &[Due<u8>], rules: &Rules<u8>) -> Vec<(u8, i64, Decision)> {
        let rows = select(due, rules).unwrap();
        rows.into_iter()
            .map(|row| (row.partner, row.amount_minor, row.decision))
            .collect()
    }

    #[test]
    fn an_amount_below_the_minimum_is_carried_until_it_is_enough() {
        let mut lines = vec![due(1, 1, 142_857), due(2, 1, -35_714)];
        let carried = Decision::Carried(CarryReason::BelowMinimum);
        assert_eq!(decisions(&lines, &rules()), [(1, 107_143, carried)]);
        lines.push(due(3, 1, 60_000));
        let rows = select(&lines, &rules()).unwrap();
        assert_eq!(
            (rows[0].amount_minor, rows[0].decision),
            (167_143, Decision::Pay)
        );
        assert_eq!(rows[0].lines, [1, 2, 3].map(Uuid::from_u128));
    }

    #[test]
    fn exactly_the_minimum_is_paid_and_nothing_is_not() {
        let carried = Decision::Carried(CarryReason::BelowMinimum);
        let lines = [
            due(1, 1, 150_000),
            due(2, 2, 149_999),
            due(3, 3, 5),
            due(4, 3, -5),
        ];
        let expected = [
            (1, 150_000, Decision::Pay),
            (2, 149_999, carried),
            (3, 0, carried),
        ];
        assert_eq!(decisions(&lines, &rules()), expected);
        let yen = Due {
            currency: "JPY".parse().unwrap(),
            ..due(1, 1, 1)
        };
        assert_eq!(decisions(&[yen], &rules()), [(1, 1, Decision::Pay)]);
    }

    #[test]
    fn a_negative_balance_is_carried_and_a_held_partner_loses_nothing() {
        let mut rules = rules();
        rules.holds = BTreeMap::from([(1, HoldReason::NonCompliant), (2, HoldReason::Disputed)]);
        let lines = [due(1, 1, 500_000), due(2, 2, -1)];
        let negative = Decision::Carried(CarryReason::NegativeBalance);
        let expected = [
            (1, 500_000, Decision::Held(HoldReason::NonCompliant)),
            (2, -1, negative),
        ];
        assert_eq!(decisions(&lines, &rules), expected);
    }

    #[test]
    fn what_becomes_available_after_the_cut_off_waits() {
        let later = Due {
            available_at: CUT_OFF + TimeDelta::microseconds(1),
            ..due(2, 1, 57_143)
        };
        assert_eq!(
            decisions(&[due(1, 1, 200_000), later], &rules()),
            [(1, 200_000, Decision::Pay)]
        );
        assert_eq!(decisions(&[later], &rules()), []);
    }

    proptest! {
        #[test]
        fn every_due_line_is_in_exactly_one_row(rows in prop::collection::vec((0_u8..5, -1_000_i64..200_000), 0..40)) {
            let mut lines: Vec<_> = (0_u128..).zip(&rows).map(|(n, (partner, amount))| due(n, *partner, *amount)).collect();
            let selected = select(&lines, &rules()).unwrap();
            let mut seen: Vec<Uuid> = selected.iter().flat_map(|row| row.lines.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, lines.iter().map(|row| row.line).collect::<Vec<_>>());
            prop_assert_eq!(sum(selected.iter().map(|row| row.amount_minor)), sum(rows.iter().map(|row| row.1)));
            lines.reverse();
            prop_assert_eq!(select(&lines, &rules()).unwrap(), selected);
        }
    }
}
