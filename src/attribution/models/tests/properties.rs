use proptest::prelude::*;

use super::*;
use crate::platform::money::sum;

fn any_touch() -> impl Strategy<Value = Touch<u8>> {
    let phases =
        prop::sample::select(<JourneyPhase as sea_orm::Iterable>::iter().collect::<Vec<_>>());
    let kinds =
        prop::sample::select(<TouchpointKind as sea_orm::Iterable>::iter().collect::<Vec<_>>());
    let milestones = prop::option::of(prop::sample::select(vec![
        DealMilestone::LeadCreated,
        DealMilestone::OpportunityCreated,
    ]));
    (
        0_u8..9,
        0_i64..200 * 86_400,
        any::<u128>(),
        kinds,
        phases,
        milestones,
    )
        .prop_map(|(partner, seconds, id, kind, phase, milestone)| Touch {
            id: Uuid::from_u128(id),
            partner,
            at: CLOSE - TimeDelta::seconds(seconds),
            kind,
            phase,
            milestone,
        })
}

fn any_parameters() -> impl Strategy<Value = Parameters> {
    let phases = prop::option::of((0_u32..50, 0_u32..50, 1_u32..50, any::<bool>()));
    (1_u32..90, any::<bool>(), phases, 0_u32..4).prop_map(
        |(half_life_days, redistribute, phases, demo)| Parameters {
            half_life_days,
            redistribute_unfilled_roles: redistribute,
            kind_weights: [(TouchpointKind::Demo, demo), (TouchpointKind::Poc, 3)].into(),
            phases: phases.map(|(pre, sale, post, redistribute_empty)| PhaseRule {
                redistribute_empty,
                ..PhaseRule::sales(pre, sale, post)
            }),
            ..roles()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn credit_always_sums_to_the_deal_whatever_the_order_of_input(
        touches in prop::collection::vec(any_touch(), 0..20),
        participants in prop::collection::vec((0_u8..9, prop::sample::select(vec!["INFLUENCER", "RESELLER", "SOURCER"])), 0..6),
        model in prop::sample::select(<AttributionModel as sea_orm::Iterable>::iter().collect::<Vec<_>>()),
        parameters in any_parameters(),
        value in 0..=crate::platform::money::MAX_MINOR,
    ) {
        let participants: Vec<_> = participants.into_iter().map(|(partner, role)| participant(partner, role)).collect();
        let mut inputs = inputs(&touches, &participants);
        let outcome = outcome(model, &inputs, &parameters);
        prop_assert_eq!(sum(outcome.amounts(value).unwrap()), Ok(value));
        prop_assert_eq!(outcome.shares().unwrap().iter().map(|share| share.parts()).sum::<i32>(), 1_000_000);
        prop_assert!(i64::try_from(outcome.total()).is_ok());
        let explained: u64 = outcome.contributions.iter().map(|row| row.weight).sum();
        let held: u64 = outcome.credits.iter().filter(|row| row.partner.is_some()).map(|row| row.weight).sum();
        prop_assert_eq!(explained, held);

        inputs.touches.reverse();
        inputs.participants.reverse();
        prop_assert_eq!(credit(model, &inputs, &parameters), Ok(outcome));
    }
}
