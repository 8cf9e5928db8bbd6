//! Payments as they are shown: to whom, from when on, and with which lines.

use ensemble::{
    entity::{payout, user::Role},
    platform::ids::TypedId,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;

use super::{Books, earned, payouts::influence};
use crate::{cases, support::TestApp};

cases!(
    a_partner_sees_its_own_payments_after_approval_and_no_run,
    members_and_executives_see_no_payouts,
    a_payment_shows_the_lines_that_it_pays,
    the_lines_of_many_payments_are_read_at_once_and_by_pages,
);

const LINES: &str = r"query($first: Int, $after: String, $last: Int, $before: String) { payouts(first: 10) { nodes {
    partner { displayName } amount { amount } lineCount
    lines(first: $first, after: $after, last: $last, before: $before) {
        totalCount pageInfo { hasNextPage hasPreviousPage endCursor startCursor }
        nodes { kind amount { amount } partner { displayName } payoutId dealId } } } } }";

async fn a_partner_sees_its_own_payments_after_approval_and_no_run(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let [a, b, _] = influence(&books).await;
    let (own, other) = (
        t.person(Role::PartnerManager, Some(b)).await,
        t.person(Role::PartnerManager, Some(a)).await,
    );
    let run = books.created("2026-03-01", "2026-03-31").await;
    let list = "{ payouts { totalCount nodes { id amount { amount } lineCount run { id } } } }";
    let one = "query($id: ID!) { payout(id: $id) { id } }";
    assert_eq!(
        t.ask(&own, list, json!({})).await.at("payouts/totalCount"),
        0
    );
    let id = payout::Entity::find()
        .filter(payout::Column::PartnerId.eq(b))
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap()
        .id
        .text();
    assert_eq!(
        t.ask(&own, one, json!({ "id": id })).await.error(),
        "NOT_FOUND"
    );
    books
        .approve(&books.checker, &run)
        .await
        .done("payoutRunApprove");
    let seen = t.ask(&own, list, json!({})).await;
    let expected =
        json!([{"id": id, "amount": {"amount": "2857.14"}, "lineCount": 1, "run": null}]);
    assert_eq!(seen.at("payouts/nodes"), &expected);
    assert_eq!(
        t.ask(&own, one, json!({ "id": id }))
            .await
            .text("payout/id"),
        id
    );
    // What belongs to another partner answers like what does not exist.
    let hidden = t.ask(&other, one, json!({ "id": id })).await;
    let absent = t
        .ask(
            &other,
            one,
            json!({ "id": "payout_01arz3ndektsv4rrffq69g5fav" }),
        )
        .await;
    assert_eq!(hidden.json, absent.json);
    assert_eq!(hidden.error(), "NOT_FOUND");
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(
        t.ask(&other, node, json!({ "id": id })).await.error(),
        "NOT_FOUND"
    );
    assert_eq!(
        t.ask(&own, node, json!({ "id": run })).await.error(),
        "NOT_FOUND"
    );
    assert_eq!(
        t.ask(
            &own,
            "query($id: ID!) { payoutRun(id: $id) { id } }",
            json!({ "id": run })
        )
        .await
        .error(),
        "NOT_FOUND"
    );
    assert_eq!(
        t.ask(&own, "{ payoutRuns { nodes { id } } }", json!({}))
            .await
            .error(),
        "FORBIDDEN"
    );
    let filtered = "query($p: ID!) { payouts(filter: {partnerId: $p}) { totalCount } }";
    assert_eq!(
        t.ask(&other, filtered, json!({ "p": b.text() }))
            .await
            .at("payouts/totalCount"),
        0
    );
}

async fn members_and_executives_see_no_payouts(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let [a, ..] = influence(&books).await;
    let run = books.pay("2026-03-01", "2026-03-31").await;
    let id = payout::Entity::find()
        .filter(payout::Column::PartnerId.eq(a))
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap()
        .id
        .text();
    for person in [
        t.person(Role::PartnerMember, Some(a)).await,
        t.vendor(Role::Executive).await,
    ] {
        assert_eq!(
            t.ask(&person, "{ payouts { totalCount } }", json!({}))
                .await
                .error(),
            "FORBIDDEN"
        );
        for hidden in [&id, &run] {
            assert_eq!(
                t.ask(
                    &person,
                    "query($id: ID!) { node(id: $id) { id } }",
                    json!({ "id": hidden })
                )
                .await
                .error(),
                "NOT_FOUND"
            );
        }
    }
    t.settle().await;
}

async fn a_payment_shows_the_lines_that_it_pays(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let [a, b, _] = influence(&books).await;
    let deal = books
        .win("2026-03-01T08:30:00Z", &[earned(a, 5_000), earned(b, 1)])
        .await;
    books
        .refund(deal, "2026-03-01T08:45:00Z", 2_500_000, &[(a, 1_250)])
        .await;
    let run = books.created("2026-03-01", "2026-03-31").await;
    let anna = t.person(Role::PartnerManager, Some(a)).await;
    let hidden = t.ask(&anna, LINES, json!({})).await;
    assert_eq!(hidden.count("payouts/nodes"), 0);
    books
        .approve(&books.checker, &run)
        .await
        .done("payoutRunApprove");

    let seen = t.ask(&anna, LINES, json!({})).await;
    assert_eq!(seen.count("payouts/nodes"), 1);
    let payment = seen.at("payouts/nodes/0");
    assert_eq!(payment["amount"]["amount"], "1466.07");
    let lines = payment["lines"]["nodes"].as_array().unwrap();
    let shown: Vec<_> = lines
        .iter()
        .map(|line| {
            assert_eq!(line["partner"]["displayName"], "Alpha");
            (
                line["kind"].as_str().unwrap(),
                line["amount"]["amount"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("EARNED", "1428.57"),
            ("EARNED", "50.00"),
            ("CLAWBACK", "-12.50")
        ]
    );
    assert_eq!(payment["lines"]["totalCount"], 3);

    let all = t.ask(&books.checker, LINES, json!({"first": 100})).await;
    let payments = all.at("payouts/nodes").as_array().unwrap();
    assert_eq!(payments.len(), 3);
    let minor = |money: &serde_json::Value| -> i64 {
        let text = money["amount"].as_str().unwrap().replace('.', "");
        text.parse().unwrap()
    };
    for payment in payments {
        let lines = payment["lines"]["nodes"].as_array().unwrap();
        let sum: i64 = lines.iter().map(|line| minor(&line["amount"])).sum();
        assert_eq!(sum, minor(&payment["amount"]), "{payment}");
        assert_eq!(payment["lineCount"], lines.len());
    }
}

async fn the_lines_of_many_payments_are_read_at_once_and_by_pages(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let [a, b, c] = influence(&books).await;
    for cents in 1..=4 {
        let lines = [
            earned(a, cents),
            earned(b, 10 * cents),
            earned(c, 100 * cents),
        ];
        books.win("2026-03-01T08:30:00Z", &lines).await;
    }
    books.created("2026-03-01", "2026-03-31").await;
    let page = async |variables: serde_json::Value| {
        let answer = t.ask(&books.checker, LINES, variables).await;
        let payments = answer.at("payouts/nodes").as_array().unwrap().clone();
        let alpha = payments
            .into_iter()
            .find(|payment| payment["partner"]["displayName"] == "Alpha");
        let lines = alpha.unwrap()["lines"].clone();
        let amounts: Vec<String> = lines["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["amount"]["amount"].as_str().unwrap().to_owned())
            .collect();
        (amounts, lines["pageInfo"].clone())
    };
    let (first, info) = page(json!({"first": 2})).await;
    assert_eq!(first, ["1428.57", "0.01"]);
    assert_eq!(
        (&info["hasNextPage"], &info["hasPreviousPage"]),
        (&json!(true), &json!(false))
    );
    let (second, info) = page(json!({"first": 2, "after": info["endCursor"]})).await;
    assert_eq!(second, ["0.02", "0.03"]);
    let (third, end) = page(json!({"first": 2, "after": info["endCursor"]})).await;
    assert_eq!(third, ["0.04"]);
    assert_eq!(end["hasNextPage"], json!(false));
    let (last, info) = page(json!({"last": 2})).await;
    assert_eq!(last, ["0.03", "0.04"]);
    assert_eq!(info["hasPreviousPage"], json!(true));
    let (before, _) = page(json!({"last": 2, "before": info["startCursor"]})).await;
    assert_eq!(before, ["0.01", "0.02"]);
    let wrong = r#"{ payouts(first: 1) { nodes { lines(after: "payout_1") { totalCount } } } }"#;
    let wrong = t.ask(&books.checker, wrong, json!({})).await;
    assert_eq!(wrong.error(), "INVALID_CURSOR");
}
