use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::incentives::{
    rebate::{Method, Period, Rebate, Tier},
    terms::{ComponentKind, Holdback},
};
use crate::platform::money::sum;

const WON: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);
const A: u8 = 1;
const B: u8 = 2;
const C: u8 = 3;

fn component(kind: ComponentKind, percent: i32) -> Component {
    Component {
        kind,
        rate_ppm: Some(Ppm::new(percent * 10_000)),
        flat_minor: None,
        cap_minor: None,
        product_family: None,
        includes_renewals: false,
        rebate: None,
    }
}

fn plan(components: &[Component]) -> PlanTerms {
    PlanTerms {
        currency: Currency::USD,
        components: components.to_vec(),
        holdback: Holdback::default(),
        clawback_days: 90,
    }
}

fn pool_plan() -> PlanTerms {
    let cap_minor = Some(2_000_000);
    plan(&[Component {
        cap_minor,
        ..component(ComponentKind::InfluencePool, 10)
    }])
}

fn deal(value_minor: i64) -> DealFacts<u8> {
    DealFacts {
        value_minor,
        currency: Currency::USD,
        won_at: WON,
        zone: Tz::UTC,
        is_renewal: false,
        leader: None,
        participants: Vec::new(),
        credits: vec![(Some(A), 1), (Some(B), 2), (Some(C), 4)],
        product_families: BTreeSet::new(),
    }
}

fn participant(partner: u8, role: &str) -> Participant<u8> {
    Participant {
        partner,
        role: role.to_owned(),
        accepted_at: WON - TimeDelta::days(partner.into()),
    }
}

fn amounts(deal: &DealFacts<u8>, terms: &PlanTerms) -> Vec<(u8, AccrualKind, i64)> {
    let lines = lines(deal, terms, &Volumes::new()).unwrap();
    lines
        .into_iter()
        .map(|line| (line.partner, line.kind, line.amount_minor))
        .collect()
}

fn earned(rows: &[(u8, i64)]) -> Vec<(u8, AccrualKind, i64)> {
    rows.iter()
        .map(|(partner, amount)| (*partner, AccrualKind::Earned, *amount))
        .collect()
}

#[test]
fn a_pool_is_divided_by_credit() {
    assert_eq!(
        amounts(&deal(10_000_000), &pool_plan()),
        earned(&[(A, 142_857), (B, 285_714), (C, 571_429)])
    );
    let lines = lines(&deal(10_000_000), &pool_plan(), &Volumes::new()).unwrap();
    assert_eq!(
        sum(lines.iter().map(|line| line.amount_minor)),
        Ok(1_000_000)
    );
    assert!(
        lines
            .iter()
            .all(|line| line.pool_minor == 1_000_000 && line.available_at == WON)
    );
}

#[test]
fn a_large_deal_hits_the_cap() {
    let lines = lines(&deal(25_000_000), &pool_plan(), &Volumes::new()).unwrap();
    assert_eq!(lines[0].pool_minor, 2_000_000);
    assert_eq!(
        sum(lines.iter().map(|line| line.amount_minor)),
        Ok(2_000_000)
    );
}

#[test]
fn a_tenth_is_held_back_for_ninety_days() {
    let mut terms = pool_plan();
    terms.holdback = Holdback {
        rate_ppm: Ppm::new(100_000),
        days: 90,
    };
    let lines = lines(&deal(10_000_000), &terms, &Volumes::new()).unwrap();
    let of_c: Vec<_> = lines.iter().filter(|line| line.partner == C).collect();
    assert_eq!(
        (of_c[0].kind, of_c[0].amount_minor),
        (AccrualKind::Earned, 514_286)
    );
    assert_eq!(
        (of_c[1].kind, of_c[1].amount_minor),
        (AccrualKind::Holdback, 57_143)
    );
    assert_eq!(of_c[1].available_at, WON + TimeDelta::days(90));
}

#[test]
fn a_preview_says_what_the_payout_will_be() {
    let terms = pool_plan();
    let preview = |value, share| {
        let value = (value, Currency::USD);
        let deal = imagined(
            value,
            false,
            (WON, Tz::UTC),
            Ppm::new(share),
            &[],
            BTreeSet::new(),
        );
        lines(&deal.unwrap(), &terms, &Volumes::new()).unwrap()
    };
    let promised = preview(10_000_000, 285_714);
    let paid = lines(&deal(10_000_000), &terms, &Volumes::new()).unwrap();
    assert_eq!(promised[0].amount_minor, 285_714);
    assert_eq!(promised[0].amount_minor, paid[1].amount_minor);
    assert_eq!(preview(25_000_000, 1_000_000)[0].amount_minor, 2_000_000);
    let nothing_held = (10_000_000, Currency::USD);
    let over = Ppm::new(1_000_001);
    let over = imagined(
        nothing_held,
        false,
        (WON, Tz::UTC),
        over,
        &[],
        BTreeSet::new(),
    );
    assert_eq!(over, Err(MoneyError::OutOfRange));
}

#[test]
fn the_house_is_not_paid() {
    let mut deal = deal(10_000_000);
    deal.credits = vec![(Some(A), 30), (Some(B), 40), (None, 30)];
    assert_eq!(
        amounts(&deal, &pool_plan()),
        earned(&[(A, 300_000), (B, 400_000)])
    );
    deal.credits = vec![(None, 1)];
    assert_eq!(amounts(&deal, &pool_plan()), []);
}

#[test]
fn fees_and_margins_go_to_the_role() {
    let mut deal = deal(10_000_000);
    deal.participants = vec![
        participant(A, "SOURCER"),
        participant(B, "RESELLER"),
        participant(C, "INFLUENCER"),
    ];
    let terms = plan(&[
        component(ComponentKind::ReferralFee, 5),
        component(ComponentKind::ResaleMargin, 20),
    ]);
    assert_eq!(
        amounts(&deal, &terms),
        earned(&[(A, 500_000), (B, 2_000_000)])
    );
    deal.participants.truncate(1);
    assert_eq!(amounts(&deal, &terms), earned(&[(A, 500_000)]));
}

#[test]
fn several_holders_of_a_role_share_it_earliest_first() {
    let mut deal = deal(1_010);
    deal.participants = vec![participant(A, "SOURCER"), participant(B, "SOURCER")];
    let terms = plan(&[component(ComponentKind::ReferralFee, 10)]);
    assert_eq!(amounts(&deal, &terms), earned(&[(B, 51), (A, 50)]));
}

#[test]
fn a_spiff_is_paid_for_its_product_family_only() {
    let spiff = Component {
        rate_ppm: None,
        flat_minor: Some(25_000),
        product_family: Some("Backup".to_owned()),
        ..component(ComponentKind::Spiff, 0)
    };
    let mut deal = deal(10_000_000);
    deal.participants = vec![participant(A, "SOURCER")];
    assert_eq!(amounts(&deal, &plan(std::slice::from_ref(&spiff))), []);
    deal.product_families = BTreeSet::from(["Backup".to_owned()]);
    assert_eq!(amounts(&deal, &plan(&[spiff])), earned(&[(A, 25_000)]));
}

fn rebate() -> PlanTerms {
    let tier = |from_minor, percent: i32| Tier {
        from_minor,
        rate_ppm: Ppm::new(percent * 10_000),
    };
    plan(&[Component {
        rate_ppm: None,
        rebate: Some(Rebate {
            period: Period::Quarter,
            method: Method::Marginal,
            tiers: vec![tier(0, 2), tier(10_000_000, 3)],
        }),
        ..component(ComponentKind::VolumeRebate, 1)
    }])
}

#[test]
fn a_rebate_pays_what_the_volume_before_has_not_paid_to_the_partner_of_record() {
    let mut deal = deal(9_000_000);
    deal.leader = Some(A);
    assert_eq!(amounts(&deal, &rebate()), earned(&[(A, 180_000)]));
    let before = Volume {
        volume_minor: 6_000_000,
        rebate_minor: 120_000,
    };
    let second = lines(&deal, &rebate(), &Volumes::from([(0, before)])).unwrap();
    assert_eq!(
        (second[0].amount_minor, second[0].pool_minor),
        (230_000, 350_000)
    );
    deal.participants = vec![participant(B, "RESELLER"), participant(C, "RESELLER")];
    assert_eq!(amounts(&deal, &rebate()), earned(&[(C, 180_000)]));
    deal.participants.clear();
    deal.leader = None;
    assert_eq!(amounts(&deal, &rebate()), []);
}

#[test]
fn renewals_are_paid_by_what_is_for_renewals_only() {
    let both = Component {
        includes_renewals: true,
        ..component(ComponentKind::InfluencePool, 10)
    };
    let margin = component(ComponentKind::ResaleMargin, 5);
    let terms = plan(&[component(ComponentKind::Renewal, 3), both, margin]);
    let mut deal = deal(5_000_000);
    deal.credits = vec![(Some(B), 1)];
    deal.participants = vec![participant(A, "RESELLER")];
    assert_eq!(
        amounts(&deal, &terms),
        earned(&[(B, 500_000), (A, 250_000)])
    );
    deal.is_renewal = true;
    assert_eq!(
        amounts(&deal, &terms),
        earned(&[(A, 150_000), (B, 500_000)])
    );
}

#[test]
fn another_currency_is_refused_and_a_worthless_deal_pays_nothing() {
    let yen = "JPY".parse().unwrap();
    let foreign = DealFacts {
        currency: yen,
        ..deal(1)
    };
    assert_eq!(
        lines(&foreign, &pool_plan(), &Volumes::new()),
        Err(MoneyError::OtherCurrency(yen, Currency::USD))
    );
    assert_eq!(amounts(&deal(0), &pool_plan()), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn lines_sum_to_the_pool_whatever_is_held_back(
        value in 1..=crate::platform::money::MAX_MINOR,
        weights in prop::collection::vec(1_u64..1_000, 1..9),
        percent in 1..=100_i32,
        held in 0..=1_000_000_i32,
    ) {
        let mut deal = deal(value);
        deal.credits = (0_u8..).map(Some).zip(weights).collect();
        let mut terms = plan(&[component(ComponentKind::InfluencePool, percent)]);
        terms.holdback = Holdback { rate_ppm: Ppm::new(held), days: 30 };
        let lines = lines(&deal, &terms, &Volumes::new()).unwrap();
        prop_assert_eq!(sum(lines.iter().map(|line| line.amount_minor)), rate(value, Ppm::new(percent * 10_000)));
        prop_assert!(lines.iter().all(|line| line.amount_minor > 0));
    }
}
