//! Which touchpoints count when credit is computed, and why the others do not.
//!
//! A touchpoint counts if the other side confirmed it, it lies in the lookback window, it did not happen after the
//! close, and the daily cap leaves room for it.
//!
//! Pure: decides from facts alone.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::parameters::Parameters;
use super::weights;
use crate::{
    entity::{
        attribution_run::AttributionModel,
        touchpoint::{DealMilestone, JourneyPhase, TouchpointKind, TouchpointStatus},
    },
    platform::calendar,
};

crate::text_enum! {
    /// Why a touchpoint does not count.
    #[graphql(name = "TouchpointExclusion")]
    pub enum Exclusion {
        /// Claimed, not yet confirmed by the other side.
        Unverified,
        /// Refused by the other side.
        Rejected,
        /// Happened or was recorded after the close, waiting for the vendor's approval.
        AwaitingApproval,
        /// Replaced by a correction.
        Corrected,
        /// Earlier than the lookback window.
        BeforeWindow,
        /// Happened or was recorded after the close, and the vendor had not approved it when credit was computed.
        AfterClose,
        /// One too many of its kind by one partner on one day of the programme's time zone.
        DailyCap,
    }
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
    /// Where in the customer's journey.
    pub phase: JourneyPhase,
    /// What it brought about.
    pub milestone: Option<DealMilestone>,
    /// How far it is confirmed.
    pub status: TouchpointStatus,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it was entered.
    pub recorded_at: DateTime<Utc>,
    /// Whether its confirmation was known when credit was computed.
    pub confirmed: bool,
    /// Whether a person of the vendor decided after the close that it counts.
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

/// Decides which touchpoints of one deal, closed at `close`, count towards the credit that `model` gives.
///
/// **Window.** [close − lookback, close], both ends included; the window opens at the time of day of the close. A close
/// that is a date without a time, which is the start of its day, includes that whole day. What happened later counts
/// only if a person of the vendor approved it after the close. What happened in time but was recorded later counts once
/// it is confirmed.
///
/// **Daily cap.** Of the touchpoints of one kind by one partner on one day, at most `daily_cap` count:
///
/// 1. those to which the model gives a place of its own always count, even beyond the cap: the first (FIRST,
///    U_SHAPED, W_SHAPED), the last (LAST, U_SHAPED), the first of each milestone (W_SHAPED);
/// 2. then the earliest others count while fewer than `daily_cap` of that kind, partner and day do.
///
/// So the cap limits what several touchpoints of a day weigh together, and never changes who was first or last or who
/// reached a milestone. Where phases have points of their own, each part of the journey is divided for itself, and this
/// rule holds within each part. Days are those of the programme's time zone. What is excluded for another reason does
/// not use up the cap.
#[must_use]
pub fn judge<K: Ord + Copy>(
    facts: &[Fact<K>],
    model: AttributionModel,
    close: DateTime<Utc>,
    parameters: &Parameters,
) -> Judgement {
    let zone = parameters.time_zone;
    let opens = calendar::sub_days(zone, close, parameters.lookback_days);
    let closes = calendar::last_instant(zone, close);
    let mut facts: Vec<&Fact<K>> = facts.iter().collect();
    // The order in which the models see them.
    facts.sort_by_key(|fact| (fact.occurred_at, fact.partner, fact.id));
    let excluded: BTreeMap<Uuid, Exclusion> = facts
        .iter()
        .filter_map(|fact| Some((fact.id, exclusion(fact, opens, closes)?)))
        .collect();
    let candidates: Vec<&Fact<K>> = facts
        .iter()
        .filter(|fact| !excluded.contains_key(&fact.id))
        .copied()
        .collect();
    let capped = beyond_cap(&candidates, model, parameters);
    let mut judgement = Judgement::default();
    for fact in facts {
        let capped = capped.contains(&fact.id).then_some(Exclusion::DailyCap);
        match excluded.get(&fact.id).copied().or(capped) {
            Some(reason) => judgement.excluded.push((fact.id, reason)),
            None => judgement.counted.push(fact.id),
        }
    }
    judgement
}

/// The touchpoints, in order of time, that the daily cap leaves no room for.
fn beyond_cap<K: Ord + Copy>(
    facts: &[&Fact<K>],
    model: AttributionModel,
    parameters: &Parameters,
) -> BTreeSet<Uuid> {
    let part = |phase| parameters.phases.as_ref().and_then(|rule| rule.part(phase));
    let mut parts: BTreeMap<_, Vec<&Fact<K>>> = BTreeMap::new();
    for fact in facts {
        parts.entry(part(fact.phase)).or_default().push(*fact);
    }
    let mut capped = BTreeSet::new();
    for facts in parts.into_values() {
        let milestones: Vec<_> = facts.iter().map(|fact| fact.milestone).collect();
        let places: BTreeSet<usize> = weights::places(model, &milestones).into_iter().collect();
        let day = |fact: &Fact<K>| {
            let day = calendar::day_of(parameters.time_zone, fact.occurred_at);
            (fact.partner, fact.kind, day)
        };
        let mut used: BTreeMap<_, u32> = BTreeMap::new();
        for place in &places {
            *used.entry(day(facts[*place])).or_default() += 1;
        }
        for (place, fact) in facts.into_iter().enumerate() {
            let used = used.entry(day(fact)).or_default();
            if places.contains(&place) {
                continue;
            }
            if *used < parameters.daily_cap {
                *used += 1;
            } else {
                capped.insert(fact.id);
            }
        }
    }
    capped
}

fn exclusion<K>(
    fact: &Fact<K>,
    opens: Option<DateTime<Utc>>,
    closes: DateTime<Utc>,
) -> Option<Exclusion> {
    match fact.status {
        TouchpointStatus::Claimed => Some(Exclusion::Unverified),
        TouchpointStatus::Rejected => Some(Exclusion::Rejected),
        TouchpointStatus::AwaitingApproval => Some(Exclusion::AwaitingApproval),
        TouchpointStatus::Corrected => Some(Exclusion::Corrected),
        TouchpointStatus::Verified if opens.is_some_and(|opens| fact.occurred_at < opens) => {
            Some(Exclusion::BeforeWindow)
        }
        TouchpointStatus::Verified if fact.approved_after_close => None,
        TouchpointStatus::Verified => {
            let in_time = fact.occurred_at <= closes;
            let known = fact.confirmed || fact.recorded_at <= closes;
            (!in_time || !known).then_some(Exclusion::AfterClose)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use chrono_tz::{America, Europe, Tz};
    use proptest::prelude::*;

    use crate::attribution::parameters::PhaseRule;

    /// 1 January 2026, 15:00 in UTC.
    const CLOSE: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_279_600_000_000_000);

    const MODELS: [AttributionModel; 7] = [
        AttributionModel::First,
        AttributionModel::Last,
        AttributionModel::Linear,
        AttributionModel::TimeDecay,
        AttributionModel::UShaped,
        AttributionModel::WShaped,
        AttributionModel::Custom,
    ];

    fn fact(n: u32, kind: TouchpointKind, age: TimeDelta) -> Fact<u8> {
        Fact {
            id: Uuid::from_u128(n.into()),
            partner: 1,
            kind,
            phase: JourneyPhase::Consideration,
            milestone: None,
            status: TouchpointStatus::Verified,
            occurred_at: CLOSE - age,
            recorded_at: CLOSE - age,
            confirmed: false,
            approved_after_close: false,
        }
    }

    fn reasons(facts: &[Fact<u8>]) -> Vec<Exclusion> {
        let judgement = judge(
            facts,
            AttributionModel::Linear,
            CLOSE,
            &Parameters::default(),
        );
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
        let judgement = judge(
            &facts,
            AttributionModel::Linear,
            CLOSE,
            &Parameters::default(),
        );
        assert_eq!(judgement.counted.len(), 11);
        assert_eq!(
            judgement.excluded,
            [(Uuid::from_u128(3), Exclusion::Unverified)]
        );
    }

    #[test]
    fn ten_copies_of_one_kind_on_a_day_count_once() {
        let copies: Vec<_> = (0..10)
            .map(|n| fact(n, TouchpointKind::Demo, TimeDelta::hours(36 - i64::from(n))))
            .collect();
        let judgement = judge(
            &copies,
            AttributionModel::Linear,
            CLOSE,
            &Parameters::default(),
        );
        assert_eq!(judgement.counted, [Uuid::from_u128(0)]);
        assert_eq!(reasons(&copies), [Exclusion::DailyCap; 9]);

        let twice = Parameters {
            daily_cap: 2,
            ..Parameters::default()
        };
        assert_eq!(
            judge(&copies, AttributionModel::Linear, CLOSE, &twice)
                .counted
                .len(),
            2
        );
        let mut others = copies;
        others[1].partner = 2;
        others[2].kind = TouchpointKind::Poc;
        assert_eq!(
            judge(
                &others,
                AttributionModel::Linear,
                CLOSE,
                &Parameters::default()
            )
            .counted
            .len(),
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
    fn what_happened_after_the_close_needs_a_decision_and_what_was_only_recorded_late_does_not() {
        let mut late = fact(1, TouchpointKind::Demo, -TimeDelta::days(2));
        late.confirmed = true;
        assert_eq!(reasons(&[late]), [Exclusion::AfterClose]);
        late.approved_after_close = true;
        assert_eq!(reasons(&[late]), []);
        let mut entered_late = fact(2, TouchpointKind::Demo, TimeDelta::days(2));
        entered_late.recorded_at = CLOSE + TimeDelta::days(1);
        assert_eq!(reasons(&[entered_late]), [Exclusion::AfterClose]);
        entered_late.confirmed = true;
        assert_eq!(reasons(&[entered_late]), []);
    }

    #[test]
    fn a_close_that_is_a_date_includes_its_day_in_the_zone_of_the_programme() {
        let at = |text: &str| Fact {
            occurred_at: text.parse().unwrap(),
            recorded_at: text.parse().unwrap(),
            ..fact(1, TouchpointKind::Demo, TimeDelta::zero())
        };
        let counts = |touch: &str, close: &str, zone: Tz| {
            let parameters = Parameters {
                time_zone: zone,
                ..Parameters::default()
            };
            let close = close.parse().unwrap();
            judge(&[at(touch)], AttributionModel::Last, close, &parameters)
                .excluded
                .is_empty()
        };
        let (berlin, denver) = (Europe::Berlin, America::Denver);
        // 31 May is a date in Berlin, 2 in the morning in UTC is a time there.
        assert!(counts(
            "2026-05-31T21:59:59Z",
            "2026-05-30T22:00:00Z",
            berlin
        ));
        assert!(!counts(
            "2026-05-31T22:00:00Z",
            "2026-05-30T22:00:00Z",
            berlin
        ));
        assert!(!counts(
            "2026-05-31T00:00:01Z",
            "2026-05-31T00:00:00Z",
            berlin
        ));
        assert!(counts(
            "2026-05-31T23:59:59Z",
            "2026-05-31T00:00:00Z",
            Tz::UTC
        ));
        assert!(counts(
            "2026-06-01T05:59:59Z",
            "2026-05-31T06:00:00Z",
            denver
        ));
        assert!(!counts(
            "2026-06-01T06:00:00Z",
            "2026-05-31T06:00:00Z",
            denver
        ));
        // The window opens at the time of day of the close, though clocks changed in it.
        assert!(counts(
            "2026-01-02T10:30:00Z",
            "2026-07-01T09:30:00Z",
            berlin
        ));
        assert!(!counts(
            "2026-01-02T10:29:59Z",
            "2026-07-01T09:30:00Z",
            berlin
        ));
    }

    /// Touchpoints of one kind: whose, at which hour of 31 December, with which milestone.
    fn day(touches: &[(u8, i64, Option<DealMilestone>)]) -> Vec<Fact<u8>> {
        let midnight: DateTime<Utc> = "2025-12-31T00:00:00Z".parse().unwrap();
        (1..)
            .zip(touches)
            .map(|(n, (partner, hour, milestone))| Fact {
                partner: *partner,
                milestone: *milestone,
                ..fact(
                    n,
                    TouchpointKind::Demo,
                    CLOSE - (midnight + TimeDelta::hours(*hour)),
                )
            })
            .collect()
    }

    fn kept(facts: &[Fact<u8>], model: AttributionModel, parameters: &Parameters) -> Vec<u128> {
        let counted = judge(facts, model, CLOSE, parameters).counted;
        counted.into_iter().map(|id| id.as_u128()).collect()
    }

    #[test]
    fn the_cap_keeps_what_a_model_gives_a_place_of_its_own() {
        let capped = Parameters::default();
        let facts = day(&[(1, 9, None), (2, 17, None), (1, 18, None)]);
        for (model, expected) in [
            (AttributionModel::First, vec![1, 2]),
            (AttributionModel::Last, vec![2, 3]),
            (AttributionModel::Linear, vec![1, 2]),
            (AttributionModel::TimeDecay, vec![1, 2]),
            (AttributionModel::UShaped, vec![1, 2, 3]),
            (AttributionModel::WShaped, vec![1, 2]),
        ] {
            assert_eq!(kept(&facts, model, &capped), expected, "{model:?}");
        }
        let lead = Some(DealMilestone::LeadCreated);
        let opportunity = Some(DealMilestone::OpportunityCreated);
        let facts = day(&[
            (2, 8, None),
            (1, 9, None),
            (1, 10, lead),
            (1, 11, lead),
            (1, 12, opportunity),
            (2, 20, None),
        ]);
        assert_eq!(kept(&facts, AttributionModel::WShaped, &capped), [1, 3, 5]);
        assert_eq!(kept(&facts, AttributionModel::Linear, &capped), [1, 2]);
        let twice = Parameters {
            daily_cap: 3,
            ..Parameters::default()
        };
        assert_eq!(
            kept(&facts, AttributionModel::WShaped, &twice),
            [1, 2, 3, 5, 6]
        );
    }

    #[test]
    fn the_day_of_the_cap_is_one_of_the_programme() {
        // 21:00 and 23:30 in UTC are two days in Berlin, and 1:00 is the second of them.
        let facts = day(&[(1, 21, None), (1, 23, None), (1, 25, None)]);
        let zone = |time_zone| Parameters {
            time_zone,
            ..Parameters::default()
        };
        assert_eq!(
            kept(&facts, AttributionModel::Linear, &zone(Tz::UTC)),
            [1, 3]
        );
        assert_eq!(
            kept(&facts, AttributionModel::Linear, &zone(Europe::Berlin)),
            [1, 2]
        );
        assert_eq!(
            kept(&facts, AttributionModel::Linear, &zone(America::Denver)),
            [1]
        );
    }

    #[test]
    fn each_part_of_the_journey_has_a_cap_of_its_own() {
        let mut facts = day(&[(1, 9, None), (1, 10, None), (1, 11, None)]);
        facts[2].phase = JourneyPhase::Transaction;
        let parameters = Parameters {
            phases: Some(PhaseRule::sales(30, 40, 30)),
            ..Parameters::default()
        };
        assert_eq!(kept(&facts, AttributionModel::Linear, &parameters), [1, 3]);
        assert_eq!(
            kept(&facts, AttributionModel::Linear, &Parameters::default()),
            [1]
        );
    }

    #[test]
    fn rejected_and_corrected_touchpoints_do_not_use_up_the_day() {
        let mut facts: Vec<_> = (0..3)
            .map(|n| fact(n, TouchpointKind::Demo, TimeDelta::hours(10 - i64::from(n))))
            .collect();
        facts[0].status = TouchpointStatus::Rejected;
        facts[1].status = TouchpointStatus::Corrected;
        let judgement = judge(
            &facts,
            AttributionModel::Linear,
            CLOSE,
            &Parameters::default(),
        );
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
            let expected = judge(&facts, AttributionModel::Linear, CLOSE, &Parameters::default());
            prop_assert_eq!(expected.counted.len() + expected.excluded.len(), facts.len());
            if !facts.is_empty() {
                let middle = seed.index(facts.len());
                facts.rotate_left(middle);
                facts.reverse();
            }
            prop_assert_eq!(judge(&facts, AttributionModel::Linear, CLOSE, &Parameters::default()), expected);
        }

        /// Against the same journey without a cap.
        #[test]
        fn the_cap_limits_weight_and_never_changes_who_has_a_place(
            touches in prop::collection::vec((0_u8..3, 0_i64..100, 0_usize..8, 0_usize..2), 1..40),
            cap in 1_u32..4, place in 0_usize..MODELS.len(),
        ) {
            let milestones = [Some(DealMilestone::LeadCreated), Some(DealMilestone::OpportunityCreated)];
            let kinds = [TouchpointKind::Demo, TouchpointKind::Workshop];
            let facts: Vec<_> = (0_u32..).zip(&touches).map(|(n, (partner, hours, milestone, kind))| Fact {
                partner: *partner,
                milestone: milestones.get(*milestone).copied().flatten(),
                ..fact(n, kinds[*kind], TimeDelta::hours(*hours))
            }).collect();
            let model = MODELS[place];
            let capped = Parameters { daily_cap: cap, ..Parameters::default() };
            let open = Parameters { daily_cap: u32::MAX, ..Parameters::default() };
            let of = |parameters: &Parameters| -> Vec<&Fact<u8>> {
                let counted = judge(&facts, model, CLOSE, parameters).counted;
                counted.iter().map(|id| facts.iter().find(|fact| fact.id == *id).unwrap()).collect()
            };
            let places = |facts: &[&Fact<u8>]| -> Vec<Uuid> {
                let milestones: Vec<_> = facts.iter().map(|fact| fact.milestone).collect();
                weights::places(model, &milestones).into_iter().map(|place| facts[place].id).collect()
            };
            let (with, without) = (of(&capped), of(&open));
            prop_assert_eq!(places(&with), places(&without));
            let placed = places(&with);
            let mut days: BTreeMap<_, (u32, u32)> = BTreeMap::new();
            for fact in &with {
                let entry = days.entry((fact.partner, fact.kind, fact.occurred_at.date_naive())).or_default();
                if placed.contains(&fact.id) { entry.0 += 1 } else { entry.1 += 1 }
            }
            for (placed, others) in days.into_values() {
                prop_assert!(others <= cap.saturating_sub(placed));
            }
        }
    }
}
