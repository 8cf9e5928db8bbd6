//! Credit, its explanation and influenced revenue.

use chrono::TimeDelta;
use ensemble::{
    attribution::settings::{PhaseWeights, RoleWeight},
    entity::{
        attribution_run::AttributionModel,
        deal_participant::ParticipantRole,
        ids::{DealId, PartnerId},
        touchpoint::JourneyPhase,
        user::Role,
    },
    platform::ids::TypedId,
};
use serde_json::json;

use super::{World, expect, rows};
use crate::{
    cases,
    support::{Answer, Person, TestApp},
};

cases!(
    time_decay_halves_every_thirty_days,
    linear_gives_the_odd_cent_to_the_earliest,
    u_shaped_gives_forty_twenty_forty,
    roles_share_by_their_points,
    seven_partners_share_to_the_cent,
    yen_have_no_decimals,
    phases_have_their_own_points,
    a_deal_without_partners_stays_with_the_vendor,
    credit_is_stored_once,
    the_official_model_looked_at_again_equals_the_stored_credit,
    a_partner_sees_its_own_part_and_how_many_others,
    only_managers_compare_models,
    influenced_revenue_overlaps_in_full_and_adds_up_in_parts,
    a_consultant_without_a_contract_has_influence,
);

const EXPLAIN: &str = "query($id: ID!) { attributionExplanation(dealId: $id) { model forecast basis formula totalWeight otherPartnerCount \
    otherPartners deal { id } credits { partner { displayName } weight share amount { amount } text \
    touchpoints { counted exclusion weight touchpoint { id status partner { displayName } } } } \
    whatIf { model credits { partner { displayName } share amount { amount } } } } }";

impl World {
    pub async fn explain(&self, person: &Person, deal: DealId) -> Answer {
        self.ask(person, EXPLAIN, json!({"id": deal.text()})).await
    }

    /// Three partners with one touchpoint each: A 60, B 30 and C 0 days before now.
    pub async fn three(&self, value_minor: i64) -> (DealId, [PartnerId; 3]) {
        let deal = self.deal(value_minor, "USD").await;
        let partners = [
            self.partner("Alpha").await,
            self.partner("Beta").await,
            self.partner("Gamma").await,
        ];
        for (partner, days) in partners.into_iter().zip([60, 30, 0]) {
            self.touch(deal, partner, days).await;
        }
        (deal, partners)
    }
}

async fn time_decay_halves_every_thirty_days(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    let (deal, _) = w.three(10_000_000).await;
    w.win(deal).await;
    let expected = [
        ("Alpha", "14.2857", "14285.71"),
        ("Beta", "28.5714", "28571.43"),
        ("Gamma", "57.1429", "57142.86"),
    ];
    assert_eq!(w.credit(deal).await, expect(&expected));
}

async fn linear_gives_the_odd_cent_to_the_earliest(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let (deal, _) = w.three(10_000_000).await;
    w.win(deal).await;
    let expected = [
        ("Alpha", "33.3334", "33333.34"),
        ("Beta", "33.3333", "33333.33"),
        ("Gamma", "33.3333", "33333.33"),
    ];
    assert_eq!(w.credit(deal).await, expect(&expected));
}

async fn u_shaped_gives_forty_twenty_forty(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::UShaped).await;
    let (deal, _) = w.three(10_000_000).await;
    w.win(deal).await;
    let expected = [
        ("Alpha", "40", "40000.00"),
        ("Beta", "20", "20000.00"),
        ("Gamma", "40", "40000.00"),
    ];
    assert_eq!(w.credit(deal).await, expect(&expected));
}

async fn roles_share_by_their_points(t: TestApp) {
    use ParticipantRole as R;
    let roles = [(R::Influencer, 20), (R::Reseller, 50), (R::Implementer, 30)];
    let w = World::with(&t, |settings| {
        settings.attribution.official_model = AttributionModel::RoleWeighted;
        settings.attribution.roles = roles
            .iter()
            .map(|(role, weight)| RoleWeight {
                role: *role,
                weight: *weight,
            })
            .collect();
    })
    .await;
    let deal = w.deal(10_000_000, "USD").await;
    for ((role, _), (name, days)) in
        roles
            .into_iter()
            .zip([("Alpha", 30), ("Beta", 20), ("Gamma", 10)])
    {
        let partner = w.partner(name).await;
        w.join(deal, partner, role, days).await;
    }
    w.win(deal).await;
    let expected = [
        ("Alpha", "20", "20000.00"),
        ("Beta", "50", "50000.00"),
        ("Gamma", "30", "30000.00"),
    ];
    assert_eq!(w.credit(deal).await, expect(&expected));
}

async fn seven_partners_share_to_the_cent(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let deal = w.deal(10_000_000, "USD").await;
    for (name, days) in ["One", "Two", "Three", "Four", "Five", "Six", "Seven"]
        .into_iter()
        .zip(1..)
    {
        let partner = w.partner(name).await;
        w.touch(deal, partner, 40 - days).await;
    }
    w.win(deal).await;
    let amounts: Vec<String> = w
        .credit(deal)
        .await
        .into_iter()
        .map(|(_, _, amount)| amount)
        .collect();
    assert_eq!(
        amounts,
        [["14285.72"; 3].as_slice(), ["14285.71"; 4].as_slice()].concat()
    );
}

async fn yen_have_no_decimals(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let deal = w.deal(100_000, "JPY").await;
    // The order in which rows come in does not matter: the latest are recorded first.
    for (name, days) in ["Seven", "Six", "Five", "Four", "Three", "Two", "One"]
        .into_iter()
        .zip(1..)
    {
        let partner = w.partner(name).await;
        w.touch(deal, partner, days).await;
    }
    w.win(deal).await;
    let credit = w.credit(deal).await;
    let amounts: Vec<&str> = credit
        .iter()
        .map(|(_, _, amount)| amount.as_str())
        .collect();
    assert_eq!(
        amounts,
        [["14286"; 5].as_slice(), ["14285"; 2].as_slice()].concat()
    );
    assert_eq!(
        (credit[0].0.as_str(), credit[6].0.as_str()),
        ("One", "Seven")
    );
}

async fn phases_have_their_own_points(t: TestApp) {
    let phased = |redistribute: bool| {
        move |settings: &mut ensemble::settings::ProgramSettings| {
            settings.attribution.official_model = AttributionModel::Linear;
            settings.attribution.models.phase_weights = Some(PhaseWeights {
                pre_sales: 30,
                transaction: 40,
                post_sales: 30,
            });
            settings.attribution.models.redistribute_empty_phases = redistribute;
        }
    };
    let w = World::with(&t, phased(false)).await;
    let partners = [
        w.partner("Alpha").await,
        w.partner("Beta").await,
        w.partner("Gamma").await,
    ];
    let phases = [
        JourneyPhase::Awareness,
        JourneyPhase::Transaction,
        JourneyPhase::Adoption,
    ];
    let all = w.deal(10_000_000, "USD").await;
    let no_post = w.deal(10_000_000, "USD").await;
    for ((partner, phase), days) in partners.into_iter().zip(phases).zip([30, 20, 10]) {
        w.touch_in(all, partner, phase, days).await;
        if phase != JourneyPhase::Adoption {
            w.touch_in(no_post, partner, phase, days).await;
        }
    }
    w.win(all).await;
    w.win(no_post).await;
    let expected = [
        ("Alpha", "30", "30000.00"),
        ("Beta", "40", "40000.00"),
        ("Gamma", "30", "30000.00"),
    ];
    assert_eq!(w.credit(all).await, expect(&expected));
    let expected = [
        ("Alpha", "30", "30000.00"),
        ("Beta", "40", "40000.00"),
        ("", "30", "30000.00"),
    ];
    assert_eq!(w.credit(no_post).await, expect(&expected));

    let w = World::with(&t, phased(true)).await;
    let deal = w.deal(10_000_000, "USD").await;
    w.touch_in(deal, partners[0], JourneyPhase::Awareness, 30)
        .await;
    w.touch_in(deal, partners[1], JourneyPhase::Transaction, 20)
        .await;
    w.win(deal).await;
    let expected = [
        ("Alpha", "42.8571", "42857.14"),
        ("Beta", "57.1429", "57142.86"),
    ];
    assert_eq!(w.credit(deal).await, expect(&expected));
}

async fn a_deal_without_partners_stays_with_the_vendor(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::RoleWeighted).await;
    let deal = w.deal(10_000_000, "USD").await;
    w.win(deal).await;
    assert_eq!(w.credit(deal).await, expect(&[("", "100", "100000.00")]));
}

async fn credit_is_stored_once(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let (deal, _) = w.three(10_000_000).await;
    w.win(deal).await;
    let before = w.written().await;
    w.win(deal).await;
    assert_eq!(w.written().await, before);
}

async fn the_official_model_looked_at_again_equals_the_stored_credit(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    let (deal, [alpha, ..]) = w.three(12_345_679).await;
    w.join(deal, alpha, ParticipantRole::Sourcer, 70).await;
    w.win(deal).await;
    t.advance(TimeDelta::days(3));
    w.touch(deal, alpha, 0).await;
    let answer = w
        .ask(
            &w.manager,
            "query($id: ID!) { node(id: $id) { ... on Deal { attribution(models: [TIME_DECAY, LINEAR, TIME_DECAY]) \
             { model official inputsHash credits { partner { displayName } share amount { amount } weight touches } } } } }",
            json!({"id": deal.text()}),
        )
        .await;
    assert_eq!(answer.count("node/attribution"), 3);
    assert_eq!(answer.at("node/attribution/0/official"), true);
    assert_eq!(answer.text("node/attribution/0/inputsHash").len(), 64);
    assert_eq!(answer.text("node/attribution/1/model"), "LINEAR");
    assert_eq!(answer.at("node/attribution/2/official"), false);
    assert_eq!(
        answer.at("node/attribution/2/credits"),
        answer.at("node/attribution/0/credits")
    );
}

async fn a_partner_sees_its_own_part_and_how_many_others(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    let (deal, [alpha, beta, _]) = w.three(10_000_000).await;
    w.join(deal, beta, ParticipantRole::Influencer, 30).await;
    w.join(deal, alpha, ParticipantRole::Reseller, 30).await;
    let own = w.manager_of(beta).await;
    assert_eq!(
        w.explain(&own, deal)
            .await
            .at("attributionExplanation/forecast"),
        true
    );
    w.win(deal).await;
    let answer = w.explain(&own, deal).await;
    assert_eq!(answer.at("attributionExplanation/forecast"), false);
    assert_eq!(answer.text("attributionExplanation/totalWeight"), "1.75");
    assert_eq!(
        answer.text("attributionExplanation/otherPartners"),
        "2 other partners"
    );
    assert_eq!(answer.count("attributionExplanation/credits"), 1);
    assert_eq!(
        answer.text("attributionExplanation/credits/0/weight"),
        "0.5"
    );
    assert_eq!(
        answer.text("attributionExplanation/credits/0/share"),
        "28.5714"
    );
    assert_eq!(
        answer.text("attributionExplanation/credits/0/amount/amount"),
        "28571.43"
    );
    assert_eq!(
        answer.text("attributionExplanation/credits/0/text"),
        "0.5 ÷ 1.75 = 28.5714 %, beside 2 other partners"
    );
    assert!(
        answer
            .text("attributionExplanation/formula")
            .starts_with("weight = 2^(−age ÷ 30 days)")
    );
    assert_eq!(answer.at("attributionExplanation/whatIf"), &json!(null));
    let credit = w
        .ask(
            &own,
            "query($id: ID!) { node(id: $id) { ... on Deal { touchpoints { totalCount nodes { partner { displayName } } } \
             attribution { otherPartnerCount otherAmount { amount } credits { partner { displayName } share amount { amount } } } } } }",
            json!({"id": deal.text()}),
        )
        .await;
    assert_eq!(
        rows(credit.at("node/attribution/0/credits")),
        expect(&[("Beta", "28.5714", "28571.43")])
    );
    assert_eq!(credit.at("node/attribution/0/otherPartnerCount"), 2);
    assert_eq!(
        credit.text("node/attribution/0/otherAmount/amount"),
        "71428.57"
    );
    assert_eq!(credit.at("node/touchpoints/totalCount"), 1);
    for body in [answer.json.to_string(), credit.json.to_string()] {
        assert!(
            body.contains("Beta") && !body.contains("Alpha") && !body.contains("Gamma"),
            "{body}"
        );
        assert!(!body.contains(&alpha.text()), "{body}");
    }
    let stranger = w.manager_of(w.partner("Delta").await).await;
    assert_eq!(w.explain(&stranger, deal).await.error(), "NOT_FOUND");
    let member = t.person(Role::PartnerMember, Some(beta)).await;
    assert_eq!(w.explain(&member, deal).await.error(), "FORBIDDEN");
}

async fn only_managers_compare_models(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::UShaped).await;
    let (deal, [alpha, ..]) = w.three(10_000_000).await;
    w.join(deal, alpha, ParticipantRole::Influencer, 30).await;
    w.win(deal).await;
    let answer = w.explain(&w.manager, deal).await;
    assert_eq!(answer.count("attributionExplanation/whatIf"), 8);
    let models = answer
        .at("attributionExplanation/whatIf")
        .as_array()
        .unwrap()
        .clone();
    let official = models
        .iter()
        .find(|row| row["model"] == "U_SHAPED")
        .unwrap();
    assert_eq!(rows(&official["credits"]), w.credit(deal).await);
    let compare = "query($id: ID!) { node(id: $id) { ... on Deal { attribution(models: [LINEAR]) { model } } } }";
    let own = w.manager_of(alpha).await;
    assert_eq!(
        w.ask(&own, compare, json!({"id": deal.text()}))
            .await
            .error(),
        "FORBIDDEN"
    );
}

const INFLUENCED: &str = "query($first: Date!, $last: Date!, $partner: ID) { influencedRevenue(periodStart: $first, periodEnd: $last, \
    partnerId: $partner) { currency deals fullCredit { amount } fractional { amount } distinctTotal { amount } \
    partners { partner { displayName } deals fullCredit { amount } fractional { amount } } } }";

impl World {
    async fn influenced(&self, person: &Person, partner: Option<PartnerId>) -> Answer {
        let day = self.now().date_naive().to_string();
        self.ask(
            person,
            INFLUENCED,
            json!({"first": day, "last": day, "partner": partner.map(TypedId::text)}),
        )
        .await
    }

    /// 100,000 with Alpha and Beta, 50,000 with Beta alone.
    async fn two_influenced_deals(&self) -> [PartnerId; 2] {
        let (alpha, beta) = (self.partner("Alpha").await, self.partner("Beta").await);
        let (large, small) = (
            self.deal(10_000_000, "USD").await,
            self.deal(5_000_000, "USD").await,
        );
        self.touch(large, alpha, 20).await;
        self.touch(large, beta, 10).await;
        self.touch(small, beta, 10).await;
        self.win(large).await;
        self.win(small).await;
        [alpha, beta]
    }
}

async fn influenced_revenue_overlaps_in_full_and_adds_up_in_parts(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let [alpha, _] = w.two_influenced_deals().await;
    let answer = w.influenced(&w.manager, None).await;
    assert_eq!(
        answer.text("influencedRevenue/0/distinctTotal/amount"),
        "150000.00"
    );
    assert_eq!(
        answer.text("influencedRevenue/0/fullCredit/amount"),
        "250000.00"
    );
    assert_eq!(
        answer.text("influencedRevenue/0/fractional/amount"),
        "150000.00"
    );
    assert_eq!(answer.at("influencedRevenue/0/deals"), 2);
    let partner = |place: usize| {
        answer
            .at(&format!("influencedRevenue/0/partners/{place}"))
            .clone()
    };
    let row = |name: &str, deals: u32, full: &str, part: &str| json!({"partner": {"displayName": name}, "deals": deals, "fullCredit": {"amount": full}, "fractional": {"amount": part}});
    assert_eq!(partner(0), row("Beta", 2, "150000.00", "100000.00"));
    assert_eq!(partner(1), row("Alpha", 1, "100000.00", "50000.00"));

    let own = w.manager_of(alpha).await;
    let answer = w.influenced(&own, None).await;
    assert_eq!(
        answer.text("influencedRevenue/0/distinctTotal/amount"),
        "100000.00"
    );
    assert_eq!(answer.count("influencedRevenue/0/partners"), 1);
    assert!(!answer.json.to_string().contains("Beta"));
    let other = w.partner("Gamma").await;
    assert_eq!(w.influenced(&own, Some(other)).await.error(), "NOT_FOUND");
}

async fn a_consultant_without_a_contract_has_influence(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let (reseller, consultant) = (w.partner("Reseller").await, w.partner("Consultant").await);
    let deal = w.deal(10_000_000, "USD").await;
    w.join(deal, reseller, ParticipantRole::Sourcer, 40).await;
    w.touch(deal, reseller, 20).await;
    w.touch(deal, consultant, 10).await;
    w.win(deal).await;
    let answer = w.influenced(&w.manager, None).await;
    assert_eq!(answer.count("influencedRevenue/0/partners"), 1);
    assert_eq!(
        answer.text("influencedRevenue/0/partners/0/partner/displayName"),
        "Consultant"
    );
    assert_eq!(
        answer.text("influencedRevenue/0/partners/0/fractional/amount"),
        "50000.00"
    );
}
