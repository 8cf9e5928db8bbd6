//! Decisions about one registration, deal or invitation, taken by two processes at once: one wins, the others are
//! told in their own words.

use ensemble::{
    entity::{
        accrual,
        deal_participant::{self, ParticipantStatus},
        deal_registration::{self, RegistrationStatus},
        ids::DealRegistrationId,
        protection::{self, ProtectionStatus},
        user::Role,
    },
    platform::ids::TypedId,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::json;

use super::{Realm, answered, at_once, fresh_key, tally};
use crate::{
    cases,
    deals::market::*,
    support::{Answer, TestApp},
};

cases!(
    approving_and_withdrawing_from_two_processes_has_one_winner,
    a_deal_is_won_once,
    an_invitation_is_accepted_once,
    a_protection_is_extended_once,
);

/// Ten callers of two processes ask the same.
async fn ten<F, A>(t: &TestApp, ask: F) -> Vec<Answer>
where
    F: Fn(TestApp) -> A,
    A: Future<Output = Answer> + Send + 'static,
{
    let other = t.beside().await;
    at_once((0..10).map(|n| ask(if n % 2 == 0 { t.clone() } else { other.clone() }))).await
}

async fn approving_and_withdrawing_from_two_processes_has_one_winner(t: TestApp) {
    let market = market(&t).await;
    let (a, reviewer) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    let other = t.beside().await;
    let mut deals = 0;
    for number in 0..6 {
        let domain = format!("customer{number}.com");
        let id = registered(
            &t,
            &a.manager,
            claim(market.router, "Customer", Some(&domain)),
        )
        .await;
        let input = || json!({ "registrationId": id });
        let (approval, withdrawal) = tokio::join!(
            decide(&t, &reviewer, "dealRegistrationApprove", input()),
            decide(&other, &a.manager, "dealRegistrationWithdraw", input()),
        );
        let refused = [
            approval.refusals("dealRegistrationApprove"),
            withdrawal.refusals("dealRegistrationWithdraw"),
        ];
        assert_eq!(refused.concat(), ["ILLEGAL_TRANSITION"]);
        let won = refused[0].is_empty();
        deals += u64::from(won);
        let db = t.app.db().reader();
        let key = DealRegistrationId::parse(&id).unwrap();
        let row = deal_registration::Entity::find_by_id(key)
            .one(db)
            .await
            .unwrap()
            .unwrap();
        let place = protection::Entity::find()
            .filter(protection::Column::RegistrationId.eq(key))
            .one(db)
            .await
            .unwrap()
            .unwrap();
        let expected = if won {
            (RegistrationStatus::Approved, ProtectionStatus::Active)
        } else {
            (RegistrationStatus::Withdrawn, ProtectionStatus::Ended)
        };
        assert_eq!((row.status, place.status), expected);
        assert_eq!(
            (row.deal_id.is_some(), row.protected_until.is_some()),
            (won, won)
        );
        assert_eq!(written(&t).await[3], deals);
    }
}

async fn a_deal_is_won_once(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Northwind Partners").await;
    let deal = realm.deal(&seller, 100_000).await;
    let answers = ten(&t, |on| {
        let (manager, deal, key) = (realm.manager.clone(), deal.clone(), fresh_key(&on));
        async move {
            let win = "mutation($id: ID!, $key: String!) { dealWin(input: {dealId: $id}) @idempotent(key: $key) { deal { status } userErrors { code } } }";
            answered(|| on.ask(&manager, win, json!({ "id": deal, "key": key }))).await
        }
    })
    .await;
    let (done, codes) = tally(&answers, "dealWin");
    assert_eq!((done, codes), (1, vec!["ILLEGAL_TRANSITION".to_owned(); 9]));
    assert_eq!(events(&t, "deal.won").await.len(), 1);
    let lines = accrual::Entity::find().count(t.app.db().reader()).await;
    assert_eq!(lines.unwrap(), 2, "earned and held back");
    let balance = realm.balance(seller.partner).await;
    assert_eq!((balance.accrued, balance.held), (7_500, 2_500));
}

async fn an_invitation_is_accepted_once(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    let manager = t.vendor(Role::AllianceManager).await;
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let deal = approved(&t, &manager, &id).await;
    let invitation = invited(&t, &manager, &deal, b.partner, "RESELLER").await;
    let answers = ten(&t, |on| {
        let (person, input) = (b.manager.clone(), json!({ "participantId": invitation }));
        async move {
            answered(|| on_participant(&on, &person, "dealParticipantAccept", input.clone())).await
        }
    })
    .await;
    let (done, codes) = tally(&answers, "dealParticipantAccept");
    assert_eq!((done, codes), (1, vec!["ILLEGAL_TRANSITION".to_owned(); 9]));
    assert_eq!(events(&t, "deal_participant.accepted").await.len(), 1);
    let accepted = deal_participant::Entity::find()
        .filter(deal_participant::Column::PartnerId.eq(b.partner))
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (accepted.status, accepted.version),
        (ParticipantStatus::Accepted, 2)
    );
}

async fn a_protection_is_extended_once(t: TestApp) {
    let market = market(&t).await;
    let (a, reviewer) = (
        gold(&t, market, "Northwind Partners").await,
        t.vendor(Role::AllianceManager).await,
    );
    let id = registered(
        &t,
        &a.manager,
        claim(market.router, "Acme", Some("acme.com")),
    )
    .await;
    let deal = approved(&t, &reviewer, &id).await;
    t.advance(chrono::TimeDelta::days(20));
    let input = json!({ "dealId": deal, "stage": "QUALIFIED" });
    on_deal(&t, &reviewer, "dealStageChange", input)
        .await
        .done("dealStageChange");
    let answers =
        ten(&t, |on| {
            let input = json!({ "registrationId": id, "evidence": "Two workshops." });
            let person = a.manager.clone();
            async move {
                answered(|| decide(&on, &person, "dealRegistrationExtend", input.clone())).await
            }
        })
        .await;
    let (done, codes) = tally(&answers, "dealRegistrationExtend");
    assert_eq!((done, codes), (1, vec!["EXTENSION_REFUSED".to_owned(); 9]));
    assert_eq!(events(&t, "deal_registration.extended").await.len(), 1);
    let row = deal_registration::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.extensions, row.protected_until),
        (1, Some(at("2026-06-30T00:00:00Z")))
    );
}
