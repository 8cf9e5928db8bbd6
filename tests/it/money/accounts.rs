//! Where partners are paid: who sets it, what is shown of it, and that nobody redirects an approved payment.

use std::sync::Arc;

use chrono::TimeDelta;
use ensemble::{
    entity::{
        audit_event,
        ids::{PartnerId, PayoutRunId},
        job, payment_details, payout,
        user::Role,
    },
    payouts::{
        execute,
        provider::{Outcome, PayoutProvider},
        retry::{self, Retry},
    },
    platform::ids::TypedId,
    tx::Call,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use super::{Books, earned, execution::Scripted, operator};
use crate::{
    cases,
    support::{Answer, Person, TestApp, logs},
};

cases!(
    an_account_is_shown_by_its_last_four_characters_to_those_who_may,
    an_account_stands_nowhere_but_in_the_payment_file,
    every_fault_of_an_account_is_told_without_repeating_it,
    only_finance_and_the_partner_s_own_administrators_set_accounts,
    a_change_is_audited_and_mailed_and_the_same_again_is_none,
    a_change_does_not_redirect_what_was_calculated,
    whoever_set_an_account_does_not_approve_payments_to_it,
    a_failed_payment_goes_to_another_account_only_when_told,
    without_an_account_a_partner_waits_where_the_programme_requires_one,
    details_are_never_rewritten,
    an_account_that_two_partners_have_is_pointed_out,
);

const SET: &str = "mutation($input: PartnerPaymentDetailsSetInput!) { partnerPaymentDetailsSet(input: $input) \
    { paymentDetails { id kind country lastFour setAt replacedAt } userErrors { code message field } } }";
const SEEN: &str = "query($id: ID!) { partner(id: $id) { paymentDetails { lastFour country } } }";
const IBAN: &str = "DE44500105175407324931";
const OTHER: &str = "FR1420041010050500013M02606";

async fn set(t: &TestApp, person: &Person, partner: PartnerId, iban: &str) -> Answer {
    let input =
        json!({"partnerId": partner.text(), "accountHolder": "Alpha GmbH & Co", "iban": iban});
    t.ask(person, SET, json!({"input": input})).await
}

async fn administrator(t: &TestApp, partner: PartnerId) -> Person {
    t.person(Role::PartnerAdministrator, Some(partner)).await
}

/// A partner with an account, its administrator, and a line that is due.
async fn paid_partner(t: &TestApp, books: &Books) -> (PartnerId, Person) {
    let partner = books.partner("Alpha").await;
    let anna = administrator(t, partner).await;
    set(t, &anna, partner, IBAN)
        .await
        .done("partnerPaymentDetailsSet");
    books
        .win("2026-03-01T08:00:00Z", &[earned(partner, 142_857)])
        .await;
    (partner, anna)
}

/// The rows of the only payment file, without its header.
fn file(t: &TestApp) -> Vec<String> {
    let folder = t.folder().join("payouts");
    let mut files = std::fs::read_dir(folder).unwrap();
    let path = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

async fn an_account_is_shown_by_its_last_four_characters_to_those_who_may(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let (alpha, beta) = (books.partner("Alpha").await, books.partner("Beta").await);
    let anna = administrator(&t, alpha).await;
    let none = t.ask(&anna, SEEN, json!({"id": alpha.text()})).await;
    assert_eq!(none.at("partner/paymentDetails"), &Value::Null);
    let done = set(&t, &anna, alpha, "de44 5001 0517 5407 3249 31").await;
    let details = done
        .done("partnerPaymentDetailsSet")
        .at("partnerPaymentDetailsSet/paymentDetails");
    assert_eq!(
        (&details["kind"], &details["lastFour"], &details["country"]),
        (&json!("IBAN"), &json!("4931"), &json!("DE"))
    );
    assert_eq!(details["setAt"], "2026-03-01T09:00:00Z");
    assert_eq!(details["replacedAt"], Value::Null);
    let own = json!({"lastFour": "4931", "country": "DE"});
    for role in [
        Role::Administrator,
        Role::AllianceManager,
        Role::Finance,
        Role::Auditor,
    ] {
        let person = t.vendor(role).await;
        let seen = t.ask(&person, SEEN, json!({"id": alpha.text()})).await;
        assert_eq!(seen.at("partner/paymentDetails"), &own, "{role:?}");
    }
    assert_eq!(
        t.ask(&anna, SEEN, json!({"id": alpha.text()}))
            .await
            .at("partner/paymentDetails"),
        &own
    );
    let hidden = [
        t.vendor(Role::Executive).await,
        t.person(Role::PartnerManager, Some(alpha)).await,
        t.person(Role::PartnerMember, Some(alpha)).await,
    ];
    for person in &hidden {
        let answer = t.ask(person, SEEN, json!({"id": alpha.text()})).await;
        assert_eq!(answer.error(), "FORBIDDEN");
    }
    let bert = administrator(&t, beta).await;
    let answer = t.ask(&bert, SEEN, json!({"id": alpha.text()})).await;
    assert_eq!(answer.error(), "NOT_FOUND");

    let input = json!({"partnerId": beta.text(), "accountHolder": "Beta Inc.", "accountNumber": "0012-3456 789",
        "bankCode": "021000021", "country": "US", "bic": "chasus33"});
    let done = t.ask(&bert, SET, json!({"input": input})).await;
    let details = done
        .done("partnerPaymentDetailsSet")
        .at("partnerPaymentDetailsSet/paymentDetails");
    assert_eq!(
        (&details["kind"], &details["lastFour"], &details["country"]),
        (&json!("ACCOUNT_NUMBER"), &json!("6789"), &json!("US"))
    );
}

async fn an_account_stands_nowhere_but_in_the_payment_file(t: TestApp) {
    logs::keep();
    let books = Books::open(&t, 0).await;
    let (partner, anna) = paid_partner(&t, &books).await;
    // Refusals must not tell it either.
    set(&t, &anna, partner, "DE45500105175407324931").await;
    let run = books.pay("2026-03-01", "2026-03-31").await;
    t.settle().await;
    let row = payout::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        file(&t),
        [format!(
            "{},Alpha,1428.57,USD,{},Alpha GmbH & Co,{IBAN},,,,DE",
            row.id, row.number
        )]
    );
    let db = t.app.db().reader();
    let stored = payment_details::Entity::find().all(db).await.unwrap();
    assert_eq!(stored.len(), 1);
    let shown = t
        .ask(
            &books.checker,
            "query($id: ID!) { payoutRun(id: $id) { payouts { nodes { paymentDetails { lastFour } } } } }",
            json!({"id": run}),
        )
        .await;
    assert_eq!(
        shown.at("payoutRun/payouts/nodes"),
        &json!([{"paymentDetails": {"lastFour": "4931"}}])
    );
    let places = [
        format!("{stored:?}"),
        format!("{:?}", job::Entity::find().all(db).await.unwrap()),
        format!("{:?}", audit_event::Entity::find().all(db).await.unwrap()),
        format!("{:?}", t.outbox.sent()),
        logs::kept(),
    ];
    for place in places {
        for secret in ["500105175407324931", "Alpha GmbH & Co"] {
            assert!(!place.contains(secret), "an account leaked");
        }
    }
}

async fn every_fault_of_an_account_is_told_without_repeating_it(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    let before = books.rows().await;
    let input = json!({"partnerId": partner.text(), "accountHolder": " ", "iban": "DE45500105175407324931", "bic": "7"});
    let answer = t.ask(&books.maker, SET, json!({"input": input})).await;
    let errors = answer
        .at("partnerPaymentDetailsSet/userErrors")
        .as_array()
        .unwrap();
    let fields: Vec<&str> = errors
        .iter()
        .map(|error| error["field"][0].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["accountHolder", "bic", "iban"]);
    assert!(errors.iter().all(|error| error["code"] == "BAD_USER_INPUT"));
    assert!(!json!(errors).to_string().contains("4931"));
    let german = json!({"partnerId": partner.text(), "accountHolder": "A", "accountNumber": "5407324931",
        "bankCode": "50010517", "country": "DE"});
    let answer = t.ask(&books.maker, SET, json!({"input": german})).await;
    assert_eq!(
        answer.at("partnerPaymentDetailsSet/userErrors/0/field"),
        &json!(["iban"])
    );
    assert_eq!(books.rows().await, before);
    let stored = payment_details::Entity::find().count(t.app.db().reader());
    assert_eq!(stored.await.unwrap(), 0);
}

async fn only_finance_and_the_partner_s_own_administrators_set_accounts(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let (alpha, beta) = (books.partner("Alpha").await, books.partner("Beta").await);
    let before = books.rows().await;
    let refused = [
        (t.vendor(Role::AllianceManager).await, "FORBIDDEN"),
        (t.vendor(Role::Auditor).await, "FORBIDDEN"),
        (t.vendor(Role::Executive).await, "FORBIDDEN"),
        (
            t.person(Role::PartnerManager, Some(alpha)).await,
            "FORBIDDEN",
        ),
        (
            t.person(Role::PartnerMember, Some(alpha)).await,
            "FORBIDDEN",
        ),
        (administrator(&t, beta).await, "NOT_FOUND"),
    ];
    for (person, code) in &refused {
        let answer = set(&t, person, alpha, IBAN).await;
        assert_eq!(answer.refusal("partnerPaymentDetailsSet"), *code);
    }
    assert_eq!(books.rows().await, before);
    for person in [
        t.vendor(Role::Finance).await,
        t.admin().await,
        administrator(&t, alpha).await,
    ] {
        set(&t, &person, alpha, IBAN)
            .await
            .done("partnerPaymentDetailsSet");
    }
}

async fn a_change_is_audited_and_mailed_and_the_same_again_is_none(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    let anna = administrator(&t, partner).await;
    let manager = t.person(Role::PartnerManager, Some(partner)).await;
    set(&t, &books.maker, partner, IBAN)
        .await
        .done("partnerPaymentDetailsSet");
    t.settle().await;
    let mail = t.outbox.sent();
    assert_eq!(mail.len(), 1);
    assert_eq!(mail[0].message.to_address, anna.email);
    assert_ne!(mail[0].message.to_address, manager.email);
    assert_eq!(mail[0].message.subject, "The account of Alpha was changed");
    assert!(
        mail[0].message.text.contains("ends in 4931")
            && mail[0].message.text.contains("2026-03-01 09:00"),
        "{}",
        mail[0].message.text
    );
    let rows = books.rows().await;
    let again = set(&t, &anna, partner, "DE44 5001 0517 5407 3249 31").await;
    again.done("partnerPaymentDetailsSet");
    assert_eq!(books.rows().await, rows);
    set(&t, &anna, partner, OTHER)
        .await
        .done("partnerPaymentDetailsSet");
    t.settle().await;
    assert_eq!(t.outbox.sent().len(), 2);
    let audited = audit_event::Entity::find()
        .filter(audit_event::Column::Action.eq("payment_details.changed"))
        .count(t.app.db().reader());
    assert_eq!(audited.await.unwrap(), 2);
    let stored = payment_details::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    let current = stored.iter().filter(|row| row.replaced_at.is_none());
    assert_eq!(
        current
            .map(|row| row.last_four.as_str())
            .collect::<Vec<_>>(),
        ["2606"]
    );
    assert_eq!(stored.len(), 2);
}

async fn a_change_does_not_redirect_what_was_calculated(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let (partner, anna) = paid_partner(&t, &books).await;
    let run = books.created("2026-03-01", "2026-03-31").await;
    set(&t, &anna, partner, OTHER)
        .await
        .done("partnerPaymentDetailsSet");
    books
        .approve(&books.checker, &run)
        .await
        .done("payoutRunApprove");
    set(&t, &anna, partner, "GB33BUKB20201555555555")
        .await
        .done("partnerPaymentDetailsSet");
    books
        .execute(&books.checker, &run, "k")
        .await
        .done("payoutRunExecute");
    assert!(file(&t)[0].contains(IBAN));
    // The next run pays to the new one.
    books
        .win("2026-03-01T08:30:00Z", &[earned(partner, 5_000)])
        .await;
    let next = books.created("2026-03-01", "2026-03-31").await;
    let shown = t
        .ask(
            &anna,
            "{ payouts { nodes { paymentDetails { lastFour } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        shown.at("payouts/nodes"),
        &json!([{"paymentDetails": {"lastFour": "4931"}}])
    );
    books
        .approve(&books.checker, &next)
        .await
        .done("payoutRunApprove");
    let seen = t
        .ask(
            &books.checker,
            "query($id: ID!) { payoutRun(id: $id) { payouts { nodes { paymentDetails { lastFour } } } } }",
            json!({"id": next}),
        )
        .await;
    assert_eq!(
        seen.at("payoutRun/payouts/nodes"),
        &json!([{"paymentDetails": {"lastFour": "5555"}}])
    );
    t.settle().await;
}

async fn whoever_set_an_account_does_not_approve_payments_to_it(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    books
        .win("2026-03-01T08:00:00Z", &[earned(partner, 142_857)])
        .await;
    set(&t, &books.checker, partner, IBAN)
        .await
        .done("partnerPaymentDetailsSet");
    let run = books.created("2026-03-01", "2026-03-31").await;
    let before = books.rows().await;
    assert_eq!(
        books
            .approve(&books.checker, &run)
            .await
            .refusal("payoutRunApprove"),
        "SAME_PERSON"
    );
    assert_eq!(books.rows().await, before);
    let third = t.vendor(Role::Finance).await;
    books.approve(&third, &run).await.done("payoutRunApprove");
}

async fn a_failed_payment_goes_to_another_account_only_when_told(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let (partner, _) = paid_partner(&t, &books).await;
    let run = books.created("2026-03-01", "2026-03-31").await;
    books
        .approve(&books.checker, &run)
        .await
        .done("payoutRunApprove");
    let run_id = PayoutRunId::parse(&run).unwrap();
    let call = || Call::of("test", books.checker.actor.clone());
    t.app
        .write(call(), move |tx| {
            Box::pin(execute::start(tx, run_id, "SCRIPTED"))
        })
        .await
        .unwrap();
    let failed = || Outcome::Failed {
        reason: "account closed".to_owned(),
    };
    let provider = Scripted::new(vec![failed(), failed()]);
    let as_provider: Arc<dyn PayoutProvider> = provider.clone();
    execute::go_on(&t.app, &call(), &as_provider, run_id, None)
        .await
        .unwrap();
    let payment = payout::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    let document = "mutation($input: PayoutRetryInput!, $key: String!) { payoutRetry(input: $input) @idempotent(key: $key) \
        { payout { status reference paymentDetails { lastFour } } userErrors { code } } }";
    let again = async |person: &Person, current: bool| {
        let input = json!({"payoutId": payment.id.text(), "useCurrentPaymentDetails": current});
        let key = format!("{current}{}", person.id);
        t.ask(person, document, json!({"input": input, "key": key}))
            .await
    };
    set(&t, &books.maker, partner, OTHER)
        .await
        .done("partnerPaymentDetailsSet");
    assert_eq!(
        again(&books.maker, true).await.refusal("payoutRetry"),
        "SAME_PERSON"
    );
    // As approved, unless told otherwise.
    let command = Retry {
        payout: payment.id,
        to_current_account: false,
    };
    t.app
        .write(call(), move |tx| {
            Box::pin(retry::start(tx, command, "SCRIPTED"))
        })
        .await
        .unwrap();
    execute::go_on(&t.app, &call(), &as_provider, run_id, Some(payment.id))
        .await
        .unwrap();
    let asked: Vec<String> = provider
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|batch| batch.payments[0].account.as_ref().unwrap().number.clone())
        .collect();
    assert_eq!(asked, [IBAN, IBAN]);
    let told = again(&books.checker, true).await;
    let paid = told.done("payoutRetry").at("payoutRetry/payout");
    assert_eq!(
        (&paid["status"], &paid["paymentDetails"]["lastFour"]),
        (&json!("PAID"), &json!("2606"))
    );
    assert!(file(&t)[0].contains(OTHER));
    t.settle().await;
}

async fn without_an_account_a_partner_waits_where_the_programme_requires_one(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let (alpha, beta) = (books.partner("Alpha").await, books.partner("Beta").await);
    books
        .win(
            "2026-03-01T08:00:00Z",
            &[earned(alpha, 142_857), earned(beta, 1_000)],
        )
        .await;
    set(&t, &books.maker, beta, IBAN)
        .await
        .done("partnerPaymentDetailsSet");
    t.advance(TimeDelta::seconds(1));
    let change = "mutation($input: ProgramSettingsChangeInput!) { programSettingsChange(input: $input) { userErrors { code message field } } }";
    let input =
        json!({"programId": books.program.text(), "settings": {"requiresPaymentDetails": true}});
    t.ask(&t.admin().await, change, json!({"input": input}))
        .await
        .done("programSettingsChange");
    t.advance(TimeDelta::seconds(1));
    let partners = [alpha, beta];
    let run = books.created("2026-03-01", "2026-03-31").await;
    assert_eq!(books.paid(&run, &partners).await, [None, Some(1_000)]);
    let listed = t
        .ask(
            &books.checker,
            "query($id: ID!) { payoutRun(id: $id) { exceptions { nodes { reason amount { amount } partner { displayName } } } } }",
            json!({"id": run}),
        )
        .await;
    assert_eq!(
        listed.at("payoutRun/exceptions/nodes"),
        &json!([{"reason": "NO_PAYMENT_DETAILS", "amount": {"amount": "1428.57"}, "partner": {"displayName": "Alpha"}}])
    );
    set(&t, &books.maker, alpha, OTHER)
        .await
        .done("partnerPaymentDetailsSet");
    let next = books.created("2026-03-01", "2026-03-31").await;
    assert_eq!(books.paid(&next, &partners).await, [Some(142_857), None]);
}

async fn details_are_never_rewritten(t: TestApp) {
    let books = Books::open(&t, 0).await;
    paid_partner(&t, &books).await;
    // Under the present secret there is nothing to seal anew.
    assert_eq!(
        ensemble::partners::payment::reseal(&t.app).await.unwrap(),
        0
    );
    for change in [
        "UPDATE payment_details SET last_four = '0000'",
        "UPDATE payment_details SET partner_id = id",
        "DELETE FROM payment_details",
    ] {
        let refused = operator(&t, change).await.unwrap_err();
        assert!(refused.contains("append-only"), "{refused}");
    }
}

async fn an_account_that_two_partners_have_is_pointed_out(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let [alpha, beta, gamma] = [
        books.partner("Alpha").await,
        books.partner("Beta").await,
        books.partner("Gamma").await,
    ];
    let document = "mutation($input: PartnerPaymentDetailsSetInput!) { partnerPaymentDetailsSet(input: $input) \
        { sharedWith userErrors { code } } }";
    let shared = async |person: &Person, partner: PartnerId, iban: &str| {
        let input = json!({"partnerId": partner.text(), "accountHolder": "A holder", "iban": iban});
        let answer = t.ask(person, document, json!({ "input": input })).await;
        answer
            .done("partnerPaymentDetailsSet")
            .at("partnerPaymentDetailsSet/sharedWith")
            .clone()
    };
    assert_eq!(shared(&books.maker, alpha, IBAN).await, json!([]));
    assert_eq!(shared(&books.maker, gamma, OTHER).await, json!([]));
    let both = json!([alpha.text()]);
    assert_eq!(
        shared(&books.maker, beta, "de44 5001 0517 5407 3249 31").await,
        both
    );
    // The same again says so again; a partner's people do not learn of others.
    assert_eq!(shared(&books.maker, beta, IBAN).await, both);
    let own = administrator(&t, beta).await;
    assert_eq!(shared(&own, beta, IBAN).await, json!([]));

    let lines = [alpha, beta, gamma].map(|partner| earned(partner, 1_000));
    books.win("2026-03-01T08:00:00Z", &lines).await;
    let run = books.created("2026-03-01", "2026-03-31").await;
    let query = "query($id: ID!) { payoutRun(id: $id) { sharedAccounts { partnerIds } } }";
    let warned = async || {
        let answer = t.ask(&books.checker, query, json!({ "id": run })).await;
        answer.at("payoutRun/sharedAccounts").clone()
    };
    let mut pair = [alpha, beta];
    pair.sort();
    let expected = json!([{"partnerIds": pair.map(|partner| partner.text())}]);
    assert_eq!(warned().await, expected);
    // Both payments still go there when one partner has another account now.
    let british = "GB33BUKB20201555555555";
    assert_eq!(shared(&books.maker, beta, british).await, json!([]));
    assert_eq!(warned().await, expected);
}
