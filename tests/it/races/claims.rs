//! One place per customer and family, limits and numbers, under many callers of two processes.

use std::collections::BTreeSet;

use ensemble::{
    entity::{
        customer, deal, deal_registration, idempotency,
        ids::{DealId, TouchpointId},
        job::{self, JobStatus},
        protection,
        touchpoint::{self, JourneyPhase, TouchpointKind, TouchpointStatus},
        user::Role,
    },
    platform::ids::TypedId,
    settings::ProgramSettings,
};
use sea_orm::{ActiveValue::Set, EntityTrait, PaginatorTrait};
use serde_json::json;

use super::{answered, at_once, fresh_key, many, tally};
use crate::{
    cases,
    deals::market::*,
    support::{Answer, TestApp},
};

cases!(
    of_two_hundred_claims_on_one_customer_one_holds_it,
    a_registration_number_is_one_customer_in_every_spelling,
    of_parallel_approvals_of_one_name_none_goes_through_without_a_decision,
    a_tier_s_limit_holds_under_parallel_claims,
    parallel_claims_and_approvals_get_numbers_of_their_own,
    a_number_that_was_taken_is_minted_again,
    a_touchpoint_is_corrected_once_and_nobody_meets_a_fault,
    a_deal_never_has_more_partners_than_it_may,
);

/// One registrable domain: case, subdomains, schemes, ports, paths, mail addresses, trailing dots, ASCII form,
/// composed, decomposed and full-width characters.
const DOMAINS: [&str; 17] = [
    "bücher.de",
    "BÜCHER.DE",
    "www.bücher.de",
    "xn--bcher-kva.de",
    "XN--BCHER-KVA.DE",
    "bu\u{308}cher.de",
    "BU\u{308}CHER.de",
    "http://bücher.de/",
    "https://www.xn--bcher-kva.de/shop?utm_source=x#top",
    "bücher.de.",
    "xn--bcher-kva.de.",
    "ｂücher.de",
    "bücher。de",
    "mail.bücher.de",
    "HTTPS://WWW.BÜCHER.DE:8443/de/Kontakt",
    "einkauf@bücher.de",
    "www.bu\u{308}cher.de./",
];

const NAMES: [&str; 4] = [
    "Bücher AG",
    "bücher",
    "BU\u{308}CHER Aktiengesellschaft",
    "Buecher",
];

/// Every answer but one refuses with this code and reason and names nobody; the one answer is returned.
fn one_of(answers: &[Answer], reason: &str) -> usize {
    let (accepted, codes) = tally(answers, "dealRegistrationSubmit");
    assert_eq!(accepted, 1);
    assert_eq!(codes, vec!["CONFLICT"; answers.len() - 1]);
    for answer in answers {
        if answer.refusals("dealRegistrationSubmit").is_empty() {
            continue;
        }
        assert_eq!(
            answer.at("dealRegistrationSubmit/userErrors/0/reasons"),
            &json!([reason])
        );
        let text = answer.json.to_string();
        assert!(!text.contains("Confidential"), "{text}");
        assert!(!text.contains("partner_"), "{text}");
    }
    let won = |answer: &Answer| answer.refusals("dealRegistrationSubmit").is_empty();
    answers.iter().position(won).unwrap()
}

async fn of_two_hundred_claims_on_one_customer_one_holds_it(t: TestApp) {
    let market = market(&t).await;
    let sellers = many(&t, market, 200).await;
    let other = t.beside().await;
    let before = written(&t).await;
    let answers = at_once(sellers.iter().cloned().enumerate().map(|(n, seller)| {
        let on = if n % 2 == 0 { t.clone() } else { other.clone() };
        let product = if n % 3 == 0 {
            market.switch
        } else {
            market.router
        };
        let domain = DOMAINS[n % DOMAINS.len()];
        let input = claim(product, NAMES[n % NAMES.len()], Some(domain));
        let key = fresh_key(&t);
        async move { answered(|| submit_keyed(&on, &seller.manager, input.clone(), &key)).await }
    }))
    .await;
    let winner = one_of(&answers, "SAME_DOMAIN");

    let db = t.app.db().reader();
    let places = protection::Entity::find().all(db).await.unwrap();
    assert_eq!(places.len(), 1);
    assert_eq!(places[0].partner_id, sellers[winner].partner);
    let customers = customer::Entity::find().all(db).await.unwrap();
    assert_eq!(customers.len(), 1);
    assert_eq!(customers[0].domain.as_deref(), Some("xn--bcher-kva.de"));
    let [registrations, protections, customers, ..] = before;
    assert_eq!((registrations, protections, customers), (0, 0, 0));
    let [registrations, .., audit, jobs] = written(&t).await;
    // The customer and the registration, each told once.
    assert_eq!(
        (registrations, audit, jobs),
        (1, before[7] + 2, before[8] + 2)
    );
    assert_eq!(idempotency::Entity::find().count(db).await.unwrap(), 1);

    let loser = &sellers[(winner + 1) % sellers.len()];
    let list = "{ dealRegistrations { totalCount } deals { totalCount } }";
    let seen = t.ask(&loser.manager, list, json!({})).await;
    assert_eq!(seen.at("dealRegistrations/totalCount"), 0);
    assert_eq!(seen.at("deals/totalCount"), 0);
}

async fn a_registration_number_is_one_customer_in_every_spelling(t: TestApp) {
    let market = market(&t).await;
    let spellings = [
        "HRB 4711 B",
        "hrb4711b",
        "HRB-4711-B",
        "ＨＲＢ ４７１１ Ｂ",
        "HRB\u{a0}4711\u{200b}B",
    ];
    let sellers = many(&t, market, 24).await;
    let other = t.beside().await;
    let answers = at_once(sellers.into_iter().enumerate().map(|(n, seller)| {
        let on = if n % 2 == 0 { t.clone() } else { other.clone() };
        let mut input = claim(market.router, &format!("Name {n}"), None);
        input["customer"]["country"] = json!("DE");
        input["customer"]["registrationNumber"] = json!(spellings[n % spellings.len()]);
        let key = fresh_key(&t);
        async move { answered(|| submit_keyed(&on, &seller.manager, input.clone(), &key)).await }
    }))
    .await;
    one_of(&answers, "SAME_REGISTRATION_NUMBER");
    let [registrations, protections, customers, ..] = written(&t).await;
    assert_eq!((registrations, protections, customers), (1, 1, 1));
}

async fn of_parallel_approvals_of_one_name_none_goes_through_without_a_decision(t: TestApp) {
    let market = market(&t).await;
    let reviewer = t.vendor(Role::AllianceManager).await;
    let spellings = [
        "Café Müller GmbH",
        "CAFÉ MÜLLER GMBH",
        "Cafe\u{301} Mu\u{308}ller GmbH",
        "  café   müller  gmbh ",
        "Ｃafé Müller",
        "Cafe Mueller G.m.b.H.",
    ];
    let sellers = many(&t, market, 12).await;
    let other = t.beside().await;
    let answers = at_once(sellers.into_iter().enumerate().map(|(n, seller)| {
        let on = if n % 2 == 0 { t.clone() } else { other.clone() };
        let mut input = claim(market.router, spellings[n % spellings.len()], None);
        input["customer"]["country"] = json!("DE");
        let key = fresh_key(&t);
        async move { answered(|| submit_keyed(&on, &seller.manager, input.clone(), &key)).await }
    }))
    .await;
    let (accepted, _) = tally(&answers, "dealRegistrationSubmit");
    assert_eq!(accepted, 12);
    let approvals = at_once(answers.iter().enumerate().map(|(n, answer)| {
        let on = if n % 2 == 0 { t.clone() } else { other.clone() };
        let id = answer.text("dealRegistrationSubmit/dealRegistration/id");
        let reviewer = reviewer.clone();
        async move {
            let input = json!({ "registrationId": id });
            answered(|| decide(&on, &reviewer, "dealRegistrationApprove", input.clone())).await
        }
    }))
    .await;
    let (approved, codes) = tally(&approvals, "dealRegistrationApprove");
    assert_eq!((approved, codes), (0, vec!["CONFLICT".to_owned(); 12]));
}

async fn a_tier_s_limit_holds_under_parallel_claims(t: TestApp) {
    let mut settings = ProgramSettings::default();
    for tier in &mut settings.program.tiers {
        tier.max_open_registrations = 5;
    }
    let market = market_with(&t, settings).await;
    let seller = gold(&t, market, "Northwind Partners").await;
    let other = t.beside().await;
    let mut people = vec![seller.manager.clone()];
    for _ in 0..2 {
        people.push(t.person(Role::PartnerManager, Some(seller.partner)).await);
    }
    let (here, there, sellers) = (&t, &other, &people);
    let claims = |round: usize| {
        at_once((0..15).map(move |n| {
            let on = if n % 2 == 0 { here } else { there }.clone();
            let person = sellers[n % sellers.len()].clone();
            let domain = format!("customer{round}x{n}.com");
            let input = claim(market.router, &domain, Some(&domain));
            let key = fresh_key(here);
            async move { answered(|| submit_keyed(&on, &person, input.clone(), &key)).await }
        }))
    };
    let (accepted, codes) = tally(&claims(1).await, "dealRegistrationSubmit");
    assert_eq!((accepted, codes), (5, vec!["LIMIT_REACHED".to_owned(); 10]));
    // One withdrawn makes room for exactly one.
    let open = deal_registration::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    let input = json!({ "registrationId": open.id.text() });
    decide(&t, &seller.manager, "dealRegistrationWithdraw", input)
        .await
        .done("dealRegistrationWithdraw");
    let (accepted, codes) = tally(&claims(2).await, "dealRegistrationSubmit");
    assert_eq!((accepted, codes), (1, vec!["LIMIT_REACHED".to_owned(); 14]));
    let [registrations, protections, ..] = written(&t).await;
    assert_eq!((registrations, protections), (6, 6));
}

async fn parallel_claims_and_approvals_get_numbers_of_their_own(t: TestApp) {
    let market = market(&t).await;
    let sellers = many(&t, market, 60).await;
    let reviewer = t.vendor(Role::AllianceManager).await;
    let other = t.beside().await;
    let answers = at_once(sellers.into_iter().enumerate().map(|(n, seller)| {
        let on = if n % 2 == 0 { t.clone() } else { other.clone() };
        let domain = format!("customer{n}.com");
        let input = claim(market.router, &domain, Some(&domain));
        let (key, reviewer) = (fresh_key(&t), reviewer.clone());
        async move {
            let answer = answered(|| submit_keyed(&on, &seller.manager, input.clone(), &key)).await;
            let id = answer
                .done("dealRegistrationSubmit")
                .text("dealRegistrationSubmit/dealRegistration/id");
            approved(&on, &reviewer, &id).await;
            answer.text("dealRegistrationSubmit/dealRegistration/number")
        }
    }))
    .await;
    let numbers: BTreeSet<String> = answers.into_iter().collect();
    assert_eq!(numbers.len(), 60);
    assert!(numbers.iter().all(|number| number.starts_with("DR-")));
    let deals = deal::Entity::find().all(t.app.db().reader()).await.unwrap();
    let numbers: BTreeSet<&str> = deals.iter().map(|deal| deal.number.as_str()).collect();
    assert_eq!((numbers.len(), deals.len()), (60, 60));
}

async fn a_number_that_was_taken_is_minted_again(t: TestApp) {
    let insert = move |text: &'static str| job::ActiveModel {
        dedupe_key: Set(Some(text.to_owned())),
        topic: Set("event".to_owned()),
        payload: Set(json!({})),
        status: Set(JobStatus::Done),
        attempts: Set(0),
        max_attempts: Set(1),
        lease_epoch: Set(0),
        ..Default::default()
    };
    t.write(move |tx| {
        Box::pin(async move {
            tx.insert(job::ActiveModel {
                id: Set(tx.id()),
                run_at: Set(tx.now()),
                created_at: Set(tx.now()),
                ..insert("number 1")
            })
            .await
        })
    })
    .await
    .unwrap();
    let tries = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = tries.clone();
    t.write(move |tx| {
        let first = counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        Box::pin(async move {
            tx.insert(job::ActiveModel {
                id: Set(tx.id()),
                run_at: Set(tx.now()),
                created_at: Set(tx.now()),
                ..insert(if first { "number 1" } else { "number 2" })
            })
            .await
        })
    })
    .await
    .unwrap();
    assert_eq!(tries.load(std::sync::atomic::Ordering::SeqCst), 2);
    assert_eq!(
        job::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        2
    );
}

const RECORD: &str = "mutation($input: TouchpointRecordInput!, $key: String!) { touchpointRecord(input: $input) @idempotent(key: $key) \
    { touchpoint { id } userErrors { code field } } }";

/// A deal, and touchpoints of these partners on it.
async fn touched(t: &TestApp, market: Market, sellers: &[Seller]) -> (DealId, Vec<TouchpointId>) {
    let manager = t.vendor(Role::AllianceManager).await;
    let input = json!({
        "name": "Deal", "products": [{ "productId": market.router.text() }],
        "value": { "amount": "100.00", "currency": "USD" },
    });
    let deal = on_deal(t, &manager, "dealCreate", input).await;
    let deal = DealId::parse(&deal.done("dealCreate").text("dealCreate/deal/id")).unwrap();
    let partners: Vec<_> = sellers.iter().map(|seller| seller.partner).collect();
    let ids = t
        .write(move |tx| {
            let partners = partners.clone();
            Box::pin(async move {
                let rows: Vec<_> = partners
                    .iter()
                    .map(|partner| touchpoint::ActiveModel {
                        id: Set(tx.id()),
                        deal_id: Set(deal),
                        partner_id: Set(*partner),
                        kind: Set(TouchpointKind::Demo),
                        phase: Set(JourneyPhase::Consideration),
                        occurred_at: Set(tx.now()),
                        status: Set(TouchpointStatus::Verified),
                        recorded_at: Set(tx.now()),
                        version: Set(1),
                        ..Default::default()
                    })
                    .collect();
                let ids = rows.iter().map(|row| row.id.clone().unwrap()).collect();
                tx.insert_all(rows).await?;
                Ok::<Vec<TouchpointId>, _>(ids)
            })
        })
        .await
        .unwrap();
    (deal, ids)
}

async fn a_touchpoint_is_corrected_once_and_nobody_meets_a_fault(t: TestApp) {
    let market = market(&t).await;
    let sellers = many(&t, market, 1).await;
    let (deal, ids) = touched(&t, market, &sellers).await;
    let (manager, other) = (t.vendor(Role::AllianceManager).await, t.beside().await);
    let input = json!({
        "dealId": deal.text(), "partnerId": sellers[0].partner.text(), "kind": "WORKSHOP", "phase": "CONSIDERATION",
        "occurredAt": "2026-03-01T08:00:00Z", "correctsId": ids[0].text(),
    });
    let answers = at_once((0..10).map(|n| {
        let on = if n % 2 == 0 { t.clone() } else { other.clone() };
        let (manager, variables) = (
            manager.clone(),
            json!({ "input": input, "key": fresh_key(&t) }),
        );
        async move { answered(|| on.ask(&manager, RECORD, variables.clone())).await }
    }))
    .await;
    let (accepted, codes) = tally(&answers, "touchpointRecord");
    assert_eq!(
        (accepted, codes),
        (1, vec!["ILLEGAL_TRANSITION".to_owned(); 9])
    );
    let rows = touchpoint::Entity::find().count(t.app.db().reader()).await;
    assert_eq!(rows.unwrap(), 2);
}

async fn a_deal_never_has_more_partners_than_it_may(t: TestApp) {
    let market = market(&t).await;
    let sellers = many(&t, market, 30).await;
    let (known, more) = sellers.split_at(24);
    let (deal, _) = touched(&t, market, known).await;
    let (manager, other) = (t.vendor(Role::AllianceManager).await, t.beside().await);
    let answers = at_once(more.iter().enumerate().map(|(n, seller)| {
        let on = if n % 2 == 0 { t.clone() } else { other.clone() };
        let input = json!({
            "dealId": deal.text(), "partnerId": seller.partner.text(), "kind": "WORKSHOP", "phase": "CONSIDERATION",
            "occurredAt": "2026-03-01T08:00:00Z",
        });
        let (manager, variables) = (
            manager.clone(),
            json!({ "input": input, "key": fresh_key(&t) }),
        );
        async move { answered(|| on.ask(&manager, RECORD, variables.clone())).await }
    }))
    .await;
    let (accepted, codes) = tally(&answers, "touchpointRecord");
    assert_eq!((accepted, codes), (1, vec!["LIMIT_REACHED".to_owned(); 5]));
}
