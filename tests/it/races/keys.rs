//! Idempotency keys: one effect and one result, whoever repeats, wherever and whenever.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use ensemble::{
    entity::{accrual, deal_refund, idempotency, partner, user::Role},
    platform::{db::Db, idempotency::Key},
    tx::Call,
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{Realm, answered, at_once, many, refund_of};
use crate::{
    cases,
    deals::market::*,
    support::{Answer, Person, TestApp, http::Http, program::Installation},
};

cases!(
    fifty_uses_of_one_key_register_once,
    fifty_uses_of_one_key_refund_once,
    a_key_with_other_arguments_is_refused_and_writes_nothing,
    a_key_used_for_two_things_at_once_has_the_effect_of_one,
    a_key_belongs_to_its_actor,
    a_key_is_replayed_after_a_restart,
    a_key_is_replayed_by_a_process_that_was_killed_and_started_again,
    a_key_in_use_by_another_process_is_waited_for,
    a_key_whose_first_use_failed_is_free,
);

const ONE: &str = "one key";

async fn keys(t: &TestApp) -> u64 {
    idempotency::Entity::find()
        .count(t.app.db().reader())
        .await
        .unwrap()
}

async fn fifty_uses_of_one_key_register_once(t: TestApp) {
    let market = market(&t).await;
    let seller = gold(&t, market, "Northwind Partners").await;
    let other = t.beside().await;
    let before = written(&t).await;
    let answers = at_once((0..50).map(|n| {
        let on = if n % 2 == 0 { t.clone() } else { other.clone() };
        let (person, input) = (
            seller.manager.clone(),
            claim(market.router, "Acme", Some("acme.com")),
        );
        async move { answered(|| submit_keyed(&on, &person, input.clone(), ONE)).await }
    }))
    .await;
    answers[0].done("dealRegistrationSubmit");
    for answer in &answers {
        assert_eq!(answer.json, answers[0].json);
    }
    let after = written(&t).await;
    assert_eq!(after[..3], [1, 1, 1]);
    assert_eq!((after[7], after[8]), (before[7] + 2, before[8] + 2));
    assert_eq!(keys(&t).await, 1);
}

async fn keyed_refund(on: &TestApp, person: &Person, input: &Value) -> Answer {
    let document = format!(
        "mutation($input: DealRefundInput!) {{ dealRefund(input: $input) @idempotent(key: \"{ONE}\") \
         {{ deal {{ id refunded {{ amount }} version }} userErrors {{ code field }} }} }}"
    );
    answered(|| on.ask(person, &document, json!({ "input": input }))).await
}

async fn fifty_uses_of_one_key_refund_once(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Northwind Partners").await;
    let deal = realm.win(&seller, 100_000).await;
    let other = t.beside().await;
    let answers = at_once((0..50).map(|n| {
        let on = if n % 2 == 0 { t.clone() } else { other.clone() };
        let (person, input) = (realm.maker.clone(), refund_of(&deal, 40_000));
        async move { keyed_refund(&on, &person, &input).await }
    }))
    .await;
    assert_eq!(
        answers[0]
            .done("dealRefund")
            .text("dealRefund/deal/refunded/amount"),
        "400.00"
    );
    for answer in &answers {
        assert_eq!(answer.json, answers[0].json);
    }
    let db = t.app.db().reader();
    assert_eq!(deal_refund::Entity::find().count(db).await.unwrap(), 1);
    // Earned, held back, and taken back: 25.00 of what is held, 15.00 at once.
    let lines = accrual::Entity::find().all(db).await.unwrap();
    let mut amounts: Vec<i64> = lines.iter().map(|line| line.amount_minor).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [-2_500, -1_500, 2_500, 7_500]);
    assert_eq!(
        realm.balance(seller.partner).await.clawback_receivable,
        4_000
    );
}

async fn a_key_with_other_arguments_is_refused_and_writes_nothing(t: TestApp) {
    let market = market(&t).await;
    let seller = gold(&t, market, "Northwind Partners").await;
    let input = |domain: &str| claim(market.router, "Acme", Some(domain));
    submit_keyed(&t, &seller.manager, input("acme.com"), ONE)
        .await
        .done("dealRegistrationSubmit");
    let (before, kept) = (written(&t).await, keys(&t).await);
    let other = t.beside().await;
    let answers = at_once((0..10).map(|n| {
        let on = if n % 2 == 0 { t.clone() } else { other.clone() };
        let (person, input) = (seller.manager.clone(), input("globex.com"));
        async move { answered(|| submit_keyed(&on, &person, input.clone(), ONE)).await }
    }))
    .await;
    for answer in answers {
        assert_eq!(
            answer.refusal("dealRegistrationSubmit"),
            "IDEMPOTENCY_KEY_MISMATCH"
        );
    }
    assert_eq!((written(&t).await, keys(&t).await), (before, kept));
}

async fn a_key_used_for_two_things_at_once_has_the_effect_of_one(t: TestApp) {
    let market = market(&t).await;
    let seller = gold(&t, market, "Northwind Partners").await;
    let other = t.beside().await;
    let before = written(&t).await;
    let answers = at_once((0..50).map(|n| {
        // Each of the two things comes from both processes.
        let on = if n / 2 % 2 == 0 {
            t.clone()
        } else {
            other.clone()
        };
        let domain = ["acme.com", "globex.com"][n % 2];
        let (person, input) = (
            seller.manager.clone(),
            claim(market.router, domain, Some(domain)),
        );
        async move { answered(|| submit_keyed(&on, &person, input.clone(), ONE)).await }
    }))
    .await;
    let mutation = "dealRegistrationSubmit";
    let won = answers
        .iter()
        .position(|answer| answer.refusals(mutation).is_empty());
    let won = won.expect("neither of the two was done");
    for (n, answer) in answers.iter().enumerate() {
        if n % 2 == won % 2 {
            assert_eq!(answer.json, answers[won].json);
        } else {
            assert_eq!(answer.refusal(mutation), "IDEMPOTENCY_KEY_MISMATCH");
        }
    }
    let after = written(&t).await;
    assert_eq!(after[..3], [1, 1, 1]);
    assert_eq!((after[7], after[8]), (before[7] + 2, before[8] + 2));
    assert_eq!(keys(&t).await, 1);
}

async fn a_key_belongs_to_its_actor(t: TestApp) {
    let market = market(&t).await;
    let sellers = many(&t, market, 10).await;
    let colleague = t
        .person(Role::PartnerManager, Some(sellers[0].partner))
        .await;
    let people = sellers.into_iter().map(|seller| seller.manager);
    let answers = at_once(people.chain([colleague]).enumerate().map(|(n, person)| {
        let (on, domain) = (t.clone(), format!("customer{n}.com"));
        let input = claim(market.router, &domain, Some(&domain));
        async move { answered(|| submit_keyed(&on, &person, input.clone(), ONE)).await }
    }))
    .await;
    for answer in answers {
        answer.done("dealRegistrationSubmit");
    }
    assert_eq!((written(&t).await[0], keys(&t).await), (11, 11));
}

async fn a_key_is_replayed_after_a_restart(t: TestApp) {
    let market = market(&t).await;
    let seller = gold(&t, market, "Northwind Partners").await;
    let input = claim(market.router, "Acme", Some("acme.com"));
    let first = submit_keyed(&t, &seller.manager, input.clone(), ONE).await;
    first.done("dealRegistrationSubmit");
    let before = written(&t).await;
    let restarted = t.beside().await;
    restarted.advance(TimeDelta::hours(23));
    let again = submit_keyed(&restarted, &seller.manager, input, ONE).await;
    assert_eq!(again.json, first.json);
    assert_eq!(written(&t).await, before);
}

async fn a_key_is_replayed_by_a_process_that_was_killed_and_started_again(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    site.administrator("correct horse battery").await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let server = site.serve().await;
        let http = Http::default();
        let ask = async |token: Option<&str>, document: &str, variables: Value| {
            let answer = http.graphql(&server.address, token, document, &variables);
            answer.await.unwrap()["data"].take()
        };
        let sign_in = ensemble::seeds::operation("SignIn").unwrap();
        let root = json!({ "email": "root@vendor.example", "password": "correct horse battery" });
        let session = ask(None, sign_in, root).await;
        let token = session["login"]["accessToken"].as_str().unwrap();
        let create = "mutation($key: String!) { partnerCreate(input: {legalName: \"Acme\", types: [SI]}) @idempotent(key: $key) \
                      { partner { id version createdAt } userErrors { code } } }";
        let answer = ask(Some(token), create, json!({ "key": ONE })).await;
        assert_eq!(answer["partnerCreate"]["userErrors"], json!([]));
        answers.push(answer);
        server.kill();
    }
    assert_eq!(answers[0], answers[1]);
    let db = Db::connect(&url, 1).await.unwrap();
    let made = partner::Entity::find().count(db.reader()).await.unwrap();
    db.close().await.unwrap();
    assert_eq!(made, 1);
}

fn key() -> Key {
    Key {
        text: ONE.to_owned(),
        input_hash: "the same".to_owned(),
        kept_for: TimeDelta::hours(24),
    }
}

async fn a_key_in_use_by_another_process_is_waited_for(t: TestApp) {
    let (person, other) = (t.admin().await, t.beside().await);
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let effects = Arc::new(AtomicU32::new(0));
    let call = || Call::of("test", person.actor.clone());
    let first = {
        let (entered, release, effects) = (entered.clone(), release.clone(), effects.clone());
        let (app, call) = (t.app.clone(), call());
        tokio::spawn(async move {
            app.write_keyed(call, key(), move |_| {
                let (entered, release) = (entered.clone(), release.clone());
                effects.fetch_add(1, Ordering::SeqCst);
                Box::pin(async move {
                    entered.notify_one();
                    release.notified().await;
                    Ok("the first".to_owned())
                })
            })
            .await
        })
    };
    entered.notified().await;
    let mut second = {
        let (app, call, effects) = (other.app.clone(), call(), effects.clone());
        tokio::spawn(async move {
            app.write_keyed(call, key(), move |_| {
                effects.fetch_add(1, Ordering::SeqCst);
                Box::pin(async { Ok("the second".to_owned()) })
            })
            .await
        })
    };
    let early = tokio::time::timeout(Duration::from_millis(50), &mut second).await;
    assert!(
        early.is_err(),
        "answered while the first was under way: {early:?}"
    );
    release.notify_one();
    assert_eq!(first.await.unwrap().unwrap(), "the first");
    assert_eq!(second.await.unwrap().unwrap(), "the first");
    assert_eq!(effects.load(Ordering::SeqCst), 1);
}

async fn a_key_whose_first_use_failed_is_free(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let input = claim(market.router, "Acme", Some("acme.com"));
    let held = registered(&t, &a.manager, input.clone()).await;
    let kept = keys(&t).await;
    let refused = submit_keyed(&t, &b.manager, input.clone(), ONE).await;
    assert_eq!(refused.refusal("dealRegistrationSubmit"), "CONFLICT");
    assert_eq!(keys(&t).await, kept);
    let withdraw = json!({ "registrationId": held });
    decide(&t, &a.manager, "dealRegistrationWithdraw", withdraw)
        .await
        .done("dealRegistrationWithdraw");
    submit_keyed(&t, &b.manager, input, ONE)
        .await
        .done("dealRegistrationSubmit");
}
