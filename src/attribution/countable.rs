//! Which touchpoints count when credit is computed, and why the others do not.
//!
//! A touchpoint counts if the other side confirmed it, it lies in the lookback window, it was not slipped
//! in after the close, and it is not one of many copies made on one day.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::parameters::Parameters;
use super::touchpoint::{TouchpointKind, TouchpointStatus};

/// Why a touchpoint does not count.
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
#[graphql(name = "TouchpointExclusion")]
pub enum Exclusion {
    /// Claimed, not yet confirmed by the other side.
    Unverified,
    /// Refused by the other side.
    Rejected,
    /// Recorded after the close, waiting for the vendor's approval.
    AwaitingApproval,
    /// Replaced by a correction.
    Corrected,
    /// Earlier than the lookback window.
    BeforeWindow,
    /// Happened or was recorded after the close, without approval.
    AfterClose,
    /// One too many of its kind by one partner on one day (UTC).
    DailyCap,
}

/// What is known about a touchpoint of one deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact<K> {
    /// Which touchpoint.
    pub id: Uuid,
    /// Whose.
    pub partner: K,
    /// What the partner did.
    pub kind: TouchpointKind,
    /// How far it is confirmed.
    pub status: TouchpointStatus,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it was entered.
    pub recorded_at: DateTime<Utc>,
    /// Whether the vendor approved it after the close.
    pub approved_after_close: bool,
}

/// The touchpoints of a deal, told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Those that count, by time, then id.
    pub counted: Vec<Uuid>,
    /// Those that do not, with the first reason that applies, by time, then id.
    pub excluded: Vec<(Uuid, Exclusion)>,
}

/// Tells which touchpoints of one deal count towards credit at `close`.
///
/// The window is [close − lookback, close] with both ends included. What happened or was recorded later
/// needs approval, and then counts whenever it happened. Of one kind by one partner on one UTC day the
/// earliest count, up to the daily cap; those that are excluded for another reason do not use it up.
#[must_use]
pub fn judge<K: Ord + Copy>(
    facts: &[Fact<K>],
    close: DateTime<Utc>,
    parameters: &Parameters,
) -> Judgement {
    let mut facts: Vec<&Fact<K>> = facts.iter().collect();
    facts.sort_by_key(|fact| (fact.occurred_at, fact.id));
    let opens = close.checked_sub_days(Days::new(parameters.lookback_days.into()));
    let mut used: BTreeMap<_, u32> = BTreeMap::new();
    let mut judgement = Judgement::default();
    for fact in facts {
        if let Some(reason) = exclusion(fact, opens, close) {
            judgement.excluded.push((fact.id, reason));
            continue;
        }
        let day = (fact.partner, fact.kind, fact.occurred_at.date_naive());
        let used = used.entry(day).or_default();
        if *used < parameters.daily_cap {
            *used += 1;
            judgement.counted.push(fact.id);
        } else {
            judgement.excluded.push((fact.id, Exclusion::DailyCap));
        }
    }
    judgement
}

fn exclusion<K>(
    fact: &Fact<K>,
    opens: Option<DateTime<Utc>>,
    close: DateTime<Utc>,
) -> Option<Exclusion> {
    match fact.status {
        TouchpointStatus::Claimed => Some(Exclusion::Unverified),
        TouchpointStatus::Rejected => Some(Exclusion::Rejected),
        TouchpointStatus::AwaitingApproval => Some(Exclusion::AwaitingApproval),
        TouchpointStatus::Corrected => Some(Exclusion::Corrected),
        TouchpointStatus::Verified if opens.is_some_and(|opens| fact.occurred_at < opens) => {
            Some(Exclusion::BeforeWindow)
        }
        TouchpointStatus::Verified => {
            let late = fact.occurred_at.max(fact.recorded_at) > close;
            (late && !fact.approved_after_close).then_some(Exclusion::AfterClose)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use proptest::prelude::*;

    const CLOSE: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);

    fn fact(n: u32, kind: TouchpointKind, age: TimeDelta) -> Fact<u8> {
        Fact {
            id: Uuid::from_u128(n.into()),
            partner: 1,
            kind,
            status: TouchpointStatus::Verified,
            occurred_at: CLOSE - age,
            recorded_at: CLOSE - age,
            approved_after_close: false,
        }
    }

    fn reasons(facts: &[Fact<u8>]) -> Vec<Exclusion> {
        let judgement = judge(facts, CLOSE, &Parameters::default());
        judgement
            .excluded
            .into_iter()
            .map(|(_, reason)| reason)
            .collect()
    }

    #[test]
    fn of_twelve_touchpoints_the_unverified_one_does_not_count() {
        let mut facts: Vec<_> = (0..12)
            .map(|n| fact(n, TouchpointKind::Demo, TimeDelta::days(n.into())))
            .collect();
        facts[3].status = TouchpointStatus::Claimed;
        let judgement = judge(&facts, CLOSE, &Parameters::default());
        assert_eq!(judgement.counted.len(), 11);
        assert_eq!(
            judgement.excluded,
            [(Uuid::from_u128(3), Exclusion::Unverified)]
        );
    }

    #[test]
    fn ten_copies_of_one_kind_on_a_day_count_once() {
        let copies: Vec<_> = (0..10)
            .map(|n| fact(n, TouchpointKind::Demo, TimeDelta::hours(24 - i64::from(n))))
            .collect();
        let judgement = judge(&copies, CLOSE, &Parameters::default());
        assert_eq!(judgement.counted, [Uuid::from_u128(0)]);
        assert_eq!(reasons(&copies), [Exclusion::DailyCap; 9]);

        let twice = Parameters {
            daily_cap: 2,
            ..Parameters::default()
        };
        assert_eq!(judge(&copies, CLOSE, &twice).counted.len(), 2);
        let mut others = copies;
        others[1].partner = 2;
        others[2].kind = TouchpointKind::Poc;
        assert_eq!(
            judge(&others, CLOSE, &Parameters::default()).counted.len(),
            3
        );
    }

    #[test]
    fn both_ends_of_the_window_are_in_it() {
        let second = TimeDelta::seconds(1);
        let window = TimeDelta::days(180);
        assert_eq!(reasons(&[fact(1, TouchpointKind::Demo, window)]), []);
        assert_eq!(
            reasons(&[fact(1, TouchpointKind::Demo, TimeDelta::zero())]),
            []
        );
        assert_eq!(
            reasons(&[fact(1, TouchpointKind::Demo, window + second)]),
            [Exclusion::BeforeWindow]
        );
        assert_eq!(
            reasons(&[fact(1, TouchpointKind::Demo, -second)]),
            [Exclusion::AfterClose]
        );
    }

    #[test]
    fn what_is_entered_after_the_close_needs_approval() {
        let mut late = fact(1, TouchpointKind::Demo, TimeDelta::days(10));
        late.recorded_at = CLOSE + TimeDelta::days(1);
        late.status = TouchpointStatus::AwaitingApproval;
        assert_eq!(reasons(&[late]), [Exclusion::AwaitingApproval]);
        late.status = TouchpointStatus::Verified;
        assert_eq!(reasons(&[late]), [Exclusion::AfterClose]);
        late.approved_after_close = true;
        assert_eq!(reasons(&[late]), []);
    }

    #[test]
    fn rejected_and_corrected_touchpoints_do_not_use_up_the_day() {
        let mut facts: Vec<_> = (0..3)
            .map(|n| fact(n, TouchpointKind::Demo, TimeDelta::hours(10 - i64::from(n))))
            .collect();
        facts[0].status = TouchpointStatus::Rejected;
        facts[1].status = TouchpointStatus::Corrected;
        let judgement = judge(&facts, CLOSE, &Parameters::default());
        assert_eq!(judgement.counted, [Uuid::from_u128(2)]);
        assert_eq!(reasons(&facts), [Exclusion::Rejected, Exclusion::Corrected]);
    }

    proptest! {
        #[test]
        fn the_order_of_input_does_not_matter(hours in prop::collection::vec(-48_i64..200 * 24, 0..30), seed in any::<prop::sample::Index>()) {
            let mut facts: Vec<_> = (0_u32..)
                .zip(&hours)
                .map(|(n, hours)| fact(n, TouchpointKind::Demo, TimeDelta::hours(*hours)))
                .collect();
            let expected = judge(&facts, CLOSE, &Parameters::default());
            prop_assert_eq!(expected.counted.len() + expected.excluded.len(), facts.len());
            if !facts.is_empty() {
                let middle = seed.index(facts.len());
                facts.rotate_left(middle);
                facts.reverse();
            }
            prop_assert_eq!(judge(&facts, CLOSE, &Parameters::default()), expected);
        }
    }
}
