//! What follows from the real files: attribution, commission, one payout run, and books that are in order.

use serde_json::{Value, json};

use super::{contents, crm_folder, import_crm};
use crate::{
    cases,
    support::{Person, TestApp},
};
use ensemble::entity::user::Role;

cases!(the_partners_that_sold_are_paid_to_the_cent_and_only_once);

const ACCRUE: &str = "mutation($program: ID!) { accrualRun(input: {programId: $program}) { report { deals lines } userErrors { code message } } }";

async fn the_partners_that_sold_are_paid_to_the_cent_and_only_once(t: TestApp) {
    let folder = crm_folder().unwrap();
    import_crm(&t, folder.clone(), false).await;
    let admin = t.admin().await;
    let finance = t.vendor(Role::Finance).await;
    let program = t
        .ask(&admin, "{ programs(first: 1) { nodes { id } } }", json!({}))
        .await
        .text("programs/nodes/0/id");
    ten_percent(&t, &admin, &finance, &program).await;

    let accrued = t.ask(&finance, ACCRUE, json!({ "program": program })).await;
    assert_eq!(
        accrued.done("accrualRun").at("accrualRun/report"),
        &json!({"deals": "4238", "lines": "4238"})
    );
    let run = pay(&t, &admin, &finance, &program, "first").await;
    assert_eq!(
        run["totals"],
        json!([{"amount": "1000553.40", "currency": "USD"}])
    );
    assert_eq!(run["payoutCount"], 30);
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for told in ["4,238 deals", "30 payments, 1,000,553.40 USD"] {
        assert!(readme.contains(told), "the README lacks {told}");
    }
    t.settle().await;
    let darcel = t
        .ask(
            &finance,
            "{ partners(filter: {name: {startsWith: \"Darcel\"}}, first: 2) { nodes { displayName balance { accrued { amount } paid { amount } } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        darcel.at("partners/nodes"),
        &json!([{"displayName": "Darcel Schlecht", "balance": {"accrued": {"amount": "0.00"}, "paid": {"amount": "115321.40"}}}])
    );

    // All of it again changes nothing.
    let before = contents(&t).await;
    import_crm(&t, folder, false).await;
    let again = t.ask(&finance, ACCRUE, json!({ "program": program })).await;
    assert_eq!(again.done("accrualRun").at("accrualRun/report/lines"), "0");
    assert!(contents(&t).await == before, "something changed");
    let empty = pay(&t, &admin, &finance, &program, "second").await;
    assert_eq!(
        (&empty["totals"], &empty["payoutCount"]),
        (&json!([]), &json!(0))
    );
    t.settle().await;
}

/// A plan that pays a tenth of what was sold, drafted by one person and put into force by another.
pub(super) async fn ten_percent(t: &TestApp, admin: &Person, finance: &Person, program: &str) {
    let plan = t
        .ask(
            admin,
            "mutation($program: ID!) { incentivePlanCreate(input: {programId: $program, name: \"Ten percent\", currency: \"USD\",
               components: [{kind: INFLUENCE_POOL, ratePercent: \"10\"}], effectiveFrom: \"2016-01-01T00:00:00Z\"}) {
               incentivePlan { id } userErrors { code message field } } }",
            json!({ "program": program }),
        )
        .await
        .done("incentivePlanCreate")
        .text("incentivePlanCreate/incentivePlan/id");
    t.ask(
        finance,
        "mutation($plan: ID!) { incentivePlanActivate(input: {planId: $plan}) { incentivePlan { id } userErrors { code message } } }",
        json!({ "plan": plan }),
    )
    .await
    .done("incentivePlanActivate");
}

/// One payout run over everything earned so far: made by finance, approved by an administrator, executed.
async fn pay(t: &TestApp, admin: &Person, finance: &Person, program: &str, key: &str) -> Value {
    let run = t
        .ask(
            finance,
            "mutation($program: ID!, $key: String!) { payoutRunCreate(input: {programId: $program, periodStart: \"2016-10-01\", periodEnd: \"2017-12-31\"})
               @idempotent(key: $key) { payoutRun { id } userErrors { code message field } } }",
            json!({ "program": program, "key": key }),
        )
        .await
        .done("payoutRunCreate")
        .text("payoutRunCreate/payoutRun/id");
    t.ask(
        admin,
        "mutation($run: ID!) { payoutRunApprove(input: {payoutRunId: $run}) { payoutRun { id } userErrors { code message } } }",
        json!({ "run": run }),
    )
    .await
    .done("payoutRunApprove");
    let executed = t
        .ask(
            finance,
            "mutation($run: ID!, $key: String!) { payoutRunExecute(input: {payoutRunId: $run}) @idempotent(key: $key) {
               payoutRun { status payoutCount totals { amount currency } } userErrors { code message } } }",
            json!({ "run": run, "key": key }),
        )
        .await;
    let run = executed
        .done("payoutRunExecute")
        .at("payoutRunExecute/payoutRun");
    assert_eq!(run["status"], "COMPLETED");
    run.clone()
}
