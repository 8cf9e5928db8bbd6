//! The pure rules, each alone: `cargo bench -p ensemble-bench`.

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
};

use async_graphql::Variables;
use chrono::{DateTime, TimeDelta, Utc};
use divan::Bencher;
use ensemble::{
    attribution::{
        computation::{Inputs, Participant, Touch},
        countable::{Fact, judge},
        models::credit,
        parameters::Parameters,
    },
    customers::identity::{Facts, block_keys, compare, name_key, registrable_domain},
    entity::{
        attribution_run::AttributionModel,
        touchpoint::{JourneyPhase, TouchpointKind, TouchpointStatus},
    },
    graphql::guard::{Guard, Words},
    incentives::{
        PlanTerms,
        compute::{DealFacts, lines},
        terms::{Component, ComponentKind, Holdback},
    },
    platform::{
        money::{Currency, allocate},
        ppm::Ppm,
    },
    schema, server,
};
use uuid::Uuid;

fn main() {
    divan::main();
}

const CLOSE: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);

#[divan::bench(args = [3, 20, 100])]
fn allocate_by_largest_remainder(bencher: Bencher, parts: u64) {
    let weights: Vec<u64> = (1..=parts).map(|part| part * 7 % 11 + 1).collect();
    bencher.bench(|| allocate(black_box(12_345_678), &weights));
}

fn touches(count: u32) -> Vec<Touch<u32>> {
    let touch = |number: u32| Touch {
        id: Uuid::from_u128(number.into()),
        partner: number % 3,
        at: CLOSE - TimeDelta::days(i64::from(number * 5 % 170)),
        kind: TouchpointKind::Demo,
        phase: JourneyPhase::Consideration,
        milestone: None,
    };
    (0..count).map(touch).collect()
}

fn participants() -> Vec<Participant<u32>> {
    let roles = ["SOURCER", "RESELLER", "IMPLEMENTER"].into_iter().zip(0..);
    let participant = |(role, partner): (&str, u32)| Participant {
        partner,
        role: role.to_owned(),
        accepted_at: CLOSE - TimeDelta::days(100),
    };
    roles.map(participant).collect()
}

fn parameters() -> Parameters {
    let roles = [
        ("SOURCER", 25),
        ("RESELLER", 25),
        ("IMPLEMENTER", 15),
        ("TECHNOLOGY", 10),
    ];
    Parameters {
        role_weights: roles.map(|(role, weight)| (role.to_owned(), weight)).into(),
        redistribute_unfilled_roles: true,
        ..Parameters::default()
    }
}

#[divan::bench(args = [AttributionModel::First, AttributionModel::Linear, AttributionModel::TimeDecay, AttributionModel::UShaped, AttributionModel::WShaped, AttributionModel::RoleWeighted])]
fn credit_of_seven_touchpoints(bencher: Bencher, model: AttributionModel) {
    let inputs = Inputs {
        touches: touches(7),
        participants: participants(),
        close: CLOSE,
    };
    let parameters = parameters();
    bencher.bench(|| credit(model, black_box(&inputs), &parameters));
}

#[divan::bench(args = [7, 100])]
fn which_touchpoints_count(bencher: Bencher, count: u32) {
    let fact = |number: u32| Fact {
        id: Uuid::from_u128(number.into()),
        partner: number % 3,
        kind: TouchpointKind::Demo,
        phase: JourneyPhase::Consideration,
        milestone: None,
        status: TouchpointStatus::Verified,
        occurred_at: CLOSE - TimeDelta::hours(i64::from(number * 31 % 4_000)),
        recorded_at: CLOSE - TimeDelta::hours(i64::from(number * 31 % 4_000)),
        confirmed: true,
        approved_after_close: false,
    };
    let facts: Vec<_> = (0..count).map(fact).collect();
    let parameters = Parameters::default();
    bencher.bench(|| {
        judge(
            black_box(&facts),
            AttributionModel::Linear,
            CLOSE,
            &parameters,
        )
    });
}

#[divan::bench]
fn commission_of_a_deal(bencher: Bencher) {
    let deal = DealFacts {
        value_minor: 12_345_678,
        currency: Currency::USD,
        won_at: CLOSE,
        zone: Parameters::default().time_zone,
        is_renewal: false,
        leader: Some(0),
        participants: participants(),
        credits: vec![(Some(0), 25), (Some(1), 25), (Some(2), 15)],
        product_families: BTreeSet::new(),
    };
    let component = |kind| Component {
        kind,
        rate_ppm: Some(Ppm::new(100_000)),
        flat_minor: None,
        cap_minor: Some(2_000_000),
        product_family: None,
        includes_renewals: false,
        rebate: None,
    };
    let terms = PlanTerms {
        currency: Currency::USD,
        components: vec![
            component(ComponentKind::InfluencePool),
            component(ComponentKind::ReferralFee),
        ],
        holdback: Holdback {
            rate_ppm: Ppm::new(100_000),
            days: 90,
        },
        clawback_days: 90,
    };
    bencher.bench(|| lines(black_box(&deal), &terms, &BTreeMap::new()));
}

#[divan::bench(args = ["https://www.Acme-Logistics.co.uk/about", "jane@mail.example.com", "bücher.de"])]
fn registrable_domain_of(text: &str) -> bool {
    registrable_domain(black_box(text)).is_ok()
}

#[divan::bench(args = ["Acme Logistics GmbH", "Société Générale de Surveillance S.A.", "The Quite Long Name of a Company, Inc."])]
fn name_in_canonical_form(text: &str) -> String {
    name_key(black_box(text))
}

#[divan::bench]
fn keys_of_a_name() -> BTreeSet<String> {
    block_keys(black_box("quite long name of a company"))
}

#[divan::bench(args = ["Acme Logistics", "Acme Logistik", "Other Company"])]
fn two_customers_compared(bencher: Bencher, other: &str) {
    let facts = |name| Facts {
        name,
        country: Some("DE"),
        ..Facts::default()
    };
    bencher.bench(|| compare(facts(black_box("Acme Logistics")), facts(other), 920_000));
}

const PAGE: &str = "query Deals { deals(first: 20) { nodes { id number name status value { amount currency } \
    partner { id displayName } participants { id role status partner { id displayName } } \
    accruals(first: 10) { nodes { id kind amount { amount currency } partner { id displayName } } } } } }";

/// The same text again and again: its parsed form is kept.
#[divan::bench]
fn guard_of_a_known_page(bencher: Bencher) {
    let guard = Guard::new(&schema::sdl(), server::settings().limits);
    let variables = Variables::default();
    if let Ok(guard) = guard {
        bencher.bench(|| {
            guard
                .check(black_box(PAGE), None, &variables, Words::Open)
                .is_ok()
        });
    }
}

/// A text that was never seen before.
#[divan::bench]
fn guard_of_a_new_page(bencher: Bencher) {
    let guard = Guard::new(&schema::sdl(), server::settings().limits);
    let variables = Variables::default();
    let mut number = 0;
    if let Ok(guard) = guard {
        bencher
            .with_inputs(|| {
                number += 1;
                format!("{PAGE} # {number}")
            })
            .bench_local_values(|text| guard.check(&text, None, &variables, Words::Open).is_ok());
    }
}
