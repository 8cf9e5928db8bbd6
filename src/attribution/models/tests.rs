use chrono::TimeDelta;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::*;
use crate::attribution::parameters::PhaseRule;
use crate::{
    entity::touchpoint::{DealMilestone, JourneyPhase, TouchpointKind},
    platform::ppm::Ppm,
};

mod properties;

const CLOSE: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);
const A: u8 = 1;
const B: u8 = 2;
const C: u8 = 3;
const VALUE: i64 = 10_000_000;

fn touch(partner: u8, days_before: i64) -> Touch<u8> {
    Touch {
        id: Uuid::from_u128(
            u128::from(partner) * 1_000_000 + u128::from(days_before.unsigned_abs()),
        ),
        partner,
        at: CLOSE - TimeDelta::days(days_before),
        kind: TouchpointKind::Demo,
        phase: JourneyPhase::Transaction,
        milestone: None,
    }
}

fn in_phase(partner: u8, days_before: i64, phase: JourneyPhase) -> Touch<u8> {
    Touch {
        phase,
        ..touch(partner, days_before)
    }
}

fn participant(partner: u8, role: &str) -> Participant<u8> {
    let accepted_at = CLOSE - TimeDelta::days(100 - i64::from(partner));
    Participant {
        partner,
        role: role.to_owned(),
        accepted_at,
    }
}

fn inputs(touches: &[Touch<u8>], participants: &[Participant<u8>]) -> Inputs<u8> {
    Inputs {
        touches: touches.to_vec(),
        participants: participants.to_vec(),
        close: CLOSE,
    }
}

/// A 60, B 30 and C 0 days before the close.
fn journey() -> Inputs<u8> {
    inputs(&[touch(A, 60), touch(B, 30), touch(C, 0)], &[])
}

fn outcome(model: AttributionModel, inputs: &Inputs<u8>, parameters: &Parameters) -> Outcome<u8> {
    credit(model, inputs, parameters).unwrap()
}

/// The value of the deal divided by the model's credit.
fn split(
    model: AttributionModel,
    inputs: &Inputs<u8>,
    parameters: &Parameters,
) -> Vec<(Option<u8>, i64)> {
    let outcome = outcome(model, inputs, parameters);
    let amounts = outcome.amounts(VALUE).unwrap();
    outcome
        .credits
        .iter()
        .map(|credit| credit.partner)
        .zip(amounts)
        .collect()
}

fn three(model: AttributionModel, inputs: &Inputs<u8>) -> [i64; 3] {
    let rows = split(model, inputs, &Parameters::default());
    let of = |partner| {
        rows.iter()
            .find(|(holder, _)| *holder == Some(partner))
            .map_or(0, |row| row.1)
    };
    [of(A), of(B), of(C)]
}

#[test]
fn three_touches_by_every_touch_model() {
    let journey = journey();
    assert_eq!(three(AttributionModel::First, &journey), [10_000_000, 0, 0]);
    assert_eq!(three(AttributionModel::Last, &journey), [0, 0, 10_000_000]);
    assert_eq!(
        three(AttributionModel::Linear, &journey),
        [3_333_334, 3_333_333, 3_333_333]
    );
    assert_eq!(
        three(AttributionModel::TimeDecay, &journey),
        [1_428_571, 2_857_143, 5_714_286]
    );
    assert_eq!(
        three(AttributionModel::UShaped, &journey),
        [4_000_000, 2_000_000, 4_000_000]
    );
}

#[test]
fn a_partner_sees_its_weight_of_the_total() {
    let outcome = outcome(
        AttributionModel::TimeDecay,
        &journey(),
        &Parameters::default(),
    );
    let weights: Vec<String> = outcome
        .contributions
        .iter()
        .map(|row| outcome.text(row.weight))
        .collect();
    assert_eq!(weights, ["0.25", "0.5", "1"]);
    assert_eq!(outcome.text(outcome.total()), "1.75");
    let shares: Vec<String> = outcome
        .shares()
        .unwrap()
        .iter()
        .map(Ppm::to_string)
        .collect();
    assert_eq!(shares, ["14.2857", "28.5714", "57.1429"]);
    assert_eq!(outcome.basis, AttributionBasis::Touchpoints);
}

#[test]
fn time_decay_keeps_the_ratio_of_touches_that_are_all_old() {
    let old = inputs(&[touch(A, 3_660), touch(B, 3_630), touch(C, 3_600)], &[]);
    assert_eq!(
        three(AttributionModel::TimeDecay, &old),
        [1_428_571, 2_857_143, 5_714_286]
    );
}

#[test]
fn u_shaped_with_one_two_and_five_touches() {
    assert_eq!(
        three(AttributionModel::UShaped, &inputs(&[touch(A, 9)], &[])),
        [10_000_000, 0, 0]
    );
    let two = inputs(&[touch(A, 9), touch(B, 8)], &[]);
    assert_eq!(
        three(AttributionModel::UShaped, &two),
        [5_000_000, 5_000_000, 0]
    );
    let five = inputs(
        &[
            touch(A, 9),
            touch(B, 8),
            touch(B, 7),
            touch(C, 6),
            touch(C, 5),
        ],
        &[],
    );
    assert_eq!(
        three(AttributionModel::UShaped, &five),
        [4_000_000, 1_333_333, 4_666_667]
    );
}

#[test]
fn w_shaped_rewards_the_milestones() {
    let milestone = |partner, days, milestone| Touch {
        milestone: Some(milestone),
        ..touch(partner, days)
    };
    let lead = milestone(B, 20, DealMilestone::LeadCreated);
    let opportunity = milestone(C, 10, DealMilestone::OpportunityCreated);
    let full = inputs(
        &[
            touch(A, 30),
            lead.clone(),
            opportunity.clone(),
            touch(A, 5),
            touch(B, 4),
        ],
        &[],
    );
    assert_eq!(
        three(AttributionModel::WShaped, &full),
        [3_500_000, 3_500_000, 3_000_000]
    );

    // Without a rest, and without the opportunity, the others keep their proportions.
    let no_rest = inputs(&[touch(A, 30), lead.clone(), opportunity], &[]);
    assert_eq!(
        three(AttributionModel::WShaped, &no_rest),
        [3_333_334, 3_333_333, 3_333_333]
    );
    let no_opportunity = inputs(&[touch(A, 30), lead, touch(C, 5)], &[]);
    assert_eq!(
        three(AttributionModel::WShaped, &no_opportunity),
        [4_285_714, 4_285_714, 1_428_572]
    );

    // The first touch also made the lead: it holds two of the three.
    let both = inputs(
        &[
            milestone(A, 30, DealMilestone::LeadCreated),
            milestone(B, 20, DealMilestone::OpportunityCreated),
            touch(C, 5),
        ],
        &[],
    );
    assert_eq!(
        three(AttributionModel::WShaped, &both),
        [6_000_000, 3_000_000, 1_000_000]
    );
}

fn roles() -> Parameters {
    let points = [("INFLUENCER", 20), ("RESELLER", 50), ("IMPLEMENTER", 30)];
    Parameters {
        role_weights: points
            .map(|(role, points)| (role.to_owned(), points))
            .into(),
        ..Parameters::default()
    }
}

#[test]
fn roles_divide_by_their_points() {
    let pod = [
        participant(A, "INFLUENCER"),
        participant(B, "RESELLER"),
        participant(C, "IMPLEMENTER"),
    ];
    let rows = split(AttributionModel::RoleWeighted, &inputs(&[], &pod), &roles());
    assert_eq!(
        rows,
        [
            (Some(A), 2_000_000),
            (Some(B), 5_000_000),
            (Some(C), 3_000_000)
        ]
    );

    // Two implementers share; somebody in a role without points gets nothing.
    let more = [
        &pod[..],
        &[participant(4, "IMPLEMENTER"), participant(5, "OBSERVER")],
    ]
    .concat();
    let rows = split(
        AttributionModel::RoleWeighted,
        &inputs(&[], &more),
        &roles(),
    );
    let amounts: Vec<i64> = rows.iter().map(|row| row.1).collect();
    assert_eq!(amounts, [2_000_000, 5_000_000, 1_500_000, 1_500_000, 0]);
}

#[test]
fn a_role_nobody_fills_stays_with_the_house_unless_the_programme_redistributes() {
    let pod = inputs(
        &[],
        &[participant(A, "INFLUENCER"), participant(B, "RESELLER")],
    );
    let kept = split(AttributionModel::RoleWeighted, &pod, &roles());
    assert_eq!(
        kept,
        [
            (Some(A), 2_000_000),
            (Some(B), 5_000_000),
            (None, 3_000_000)
        ]
    );
    let parameters = Parameters {
        redistribute_unfilled_roles: true,
        ..roles()
    };
    let shared = split(AttributionModel::RoleWeighted, &pod, &parameters);
    assert_eq!(shared, [(Some(A), 2_857_143), (Some(B), 7_142_857)]);
}

#[test]
fn custom_weighs_by_kind() {
    let poc = Touch {
        kind: TouchpointKind::Poc,
        ..touch(B, 30)
    };
    let inputs = inputs(&[touch(A, 60), poc, touch(C, 0)], &[]);
    let kind_weights = [(TouchpointKind::Demo, 1), (TouchpointKind::Poc, 3)].into();
    let parameters = Parameters {
        kind_weights,
        ..Parameters::default()
    };
    let rows = split(AttributionModel::Custom, &inputs, &parameters);
    assert_eq!(
        rows,
        [
            (Some(A), 2_000_000),
            (Some(B), 6_000_000),
            (Some(C), 2_000_000)
        ]
    );

    // No kind has points: nobody earned anything, and nothing is lost.
    let rows = split(AttributionModel::Custom, &inputs, &Parameters::default());
    assert_eq!(
        rows,
        [(Some(A), 0), (Some(B), 0), (Some(C), 0), (None, 10_000_000)]
    );
}

#[test]
fn each_phase_has_its_part_of_the_deal() {
    let phases = |redistribute_empty| Parameters {
        phases: Some(PhaseRule {
            redistribute_empty,
            ..PhaseRule::sales(30, 40, 30)
        }),
        ..Parameters::default()
    };
    let pre = in_phase(A, 60, JourneyPhase::Awareness);
    let sale = in_phase(B, 30, JourneyPhase::Transaction);
    let post = in_phase(C, -30, JourneyPhase::Adoption);

    let whole = inputs(&[pre.clone(), sale.clone(), post], &[]);
    let rows = split(AttributionModel::Linear, &whole, &phases(false));
    assert_eq!(
        rows,
        [
            (Some(A), 3_000_000),
            (Some(B), 4_000_000),
            (Some(C), 3_000_000)
        ]
    );

    let without = inputs(&[pre, sale], &[]);
    let rows = split(AttributionModel::Linear, &without, &phases(true));
    assert_eq!(rows, [(Some(A), 4_285_714), (Some(B), 5_714_286)]);
    let rows = split(AttributionModel::Linear, &without, &phases(false));
    assert_eq!(
        rows,
        [
            (Some(A), 3_000_000),
            (Some(B), 4_000_000),
            (None, 3_000_000)
        ]
    );

    let outcome = outcome(AttributionModel::Linear, &without, &phases(false));
    let shown: Vec<String> = outcome
        .credits
        .iter()
        .map(|credit| outcome.text(credit.weight))
        .collect();
    assert_eq!(
        (shown, outcome.text(outcome.total())),
        (
            ["30", "40", "30"].map(String::from).to_vec(),
            "100".to_owned()
        )
    );
}

#[test]
fn without_touches_the_participants_count_from_their_acceptance() {
    let pod = [
        participant(B, "RESELLER"),
        participant(A, "SOURCER"),
        participant(A, "RESELLER"),
    ];
    let outcome = outcome(
        AttributionModel::Linear,
        &inputs(&[], &pod),
        &Parameters::default(),
    );
    assert_eq!(outcome.basis, AttributionBasis::Participation);
    assert_eq!(outcome.amounts(VALUE), Ok(vec![5_000_000, 5_000_000]));
    assert_eq!(outcome.credits[0].partner, Some(A));
    assert_eq!(outcome.credits[0].touches, 0);
    assert_eq!(outcome.contributions.len(), 2);
}

#[test]
fn a_deal_nobody_took_part_in_stays_with_the_house() {
    let outcome = outcome(
        AttributionModel::Linear,
        &inputs(&[], &[]),
        &Parameters::default(),
    );
    assert_eq!(outcome.basis, AttributionBasis::Nobody);
    assert_eq!(outcome.amounts(VALUE), Ok(vec![VALUE]));
    assert_eq!(outcome.credits[0].partner, None);
}

#[test]
fn seven_partners_are_ordered_by_their_earliest_touch_then_id() {
    let mut touches: Vec<_> = (1..=7).map(|partner| touch(partner, 10)).collect();
    touches[6].at -= TimeDelta::days(1);
    let rows = split(
        AttributionModel::Linear,
        &inputs(&touches, &[]),
        &Parameters::default(),
    );
    let luckiest: Vec<_> = rows
        .iter()
        .filter(|row| row.1 == 1_428_572)
        .map(|row| row.0)
        .collect();
    assert_eq!(luckiest, [Some(7), Some(1), Some(2)]);
    assert_eq!(rows.iter().filter(|row| row.1 == 1_428_571).count(), 4);
}
