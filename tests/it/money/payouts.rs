//! Payout runs: who is paid what, by whom it is decided, and that nothing is paid twice or lost.

use ensemble::{
    entity::{ids::PartnerId, partner::PartnerStatus, user::Role},
    platform::ids::TypedId,
};
use sea_orm::EntityTrait;
use serde_json::json;

use super::{Books, Earned, at, day, earned, texts};
use crate::{cases, support::TestApp};

cases!(
    a_partner_s_reference_of_a_payment_counts_no_runs,
    three_partners_are_paid_by_their_influence,
    a_second_run_of_the_same_period_makes_no_payments,
    whoever_created_a_run_cannot_approve_it,
    two_runs_at_once_claim_each_line_once,
    a_partner_with_an_expired_agreement_is_held_and_paid_after_renewal,
    a_suspended_partner_is_held,
    a_refund_is_netted_and_a_negative_balance_carried,
    a_holdback_is_paid_after_its_date,
    each_currency_is_paid_apart,
    a_cancelled_run_frees_its_lines,
    a_period_must_not_end_before_it_starts,
    only_finance_executes,
);

const EXCEPTIONS: &str = "query($id: ID!) { payoutRun(id: $id) { exceptions { nodes { partnerId reason amount { amount } } } } }";

/// The deal of 100,000.00 with a pool of ten percent.
pub async fn influence(books: &Books) -> [PartnerId; 3] {
    let partners = [
        books.partner("Alpha").await,
        books.partner("Beta").await,
        books.partner("=Gamma, Inc.").await,
    ];
    let [a, b, c] = partners;
    books
        .win(
            "2026-03-01T08:00:00Z",
            &[earned(a, 142_857), earned(b, 285_714), earned(c, 571_429)],
        )
        .await;
    partners
}

async fn three_partners_are_paid_by_their_influence(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partners = influence(&books).await;
    let run = books.create(&books.maker, "2026-03-01", "2026-03-31").await;
    let run = run.done("payoutRunCreate");
    assert_eq!(
        run.at("payoutRunCreate/payoutRun/totals"),
        &json!([{"amount": "10000.00", "currency": "USD"}])
    );
    assert_eq!(run.at("payoutRunCreate/payoutRun/payoutCount"), 3);
    assert_eq!(
        texts(run.at("payoutRunCreate/payoutRun/allowedActions")),
        ["CANCEL"]
    );
    let id = run.text("payoutRunCreate/payoutRun/id");
    assert_eq!(
        books.paid(&id, &partners).await,
        [Some(142_857), Some(285_714), Some(571_429)]
    );
    let approved = books.approve(&books.checker, &id).await;
    assert_eq!(
        approved
            .done("payoutRunApprove")
            .text("payoutRunApprove/payoutRun/status"),
        "APPROVED"
    );
    assert_eq!(
        approved.text("payoutRunApprove/payoutRun/createdBy/id"),
        books.maker.id.text()
    );
    assert_eq!(
        approved.text("payoutRunApprove/payoutRun/approvedBy/id"),
        books.checker.id.text()
    );
    let balance = books.balance(partners[0]).await;
    assert_eq!((balance.accrued, balance.payable), (0, 142_857));
    let executed = books.execute(&books.checker, &id, "k").await;
    assert_eq!(
        executed
            .done("payoutRunExecute")
            .text("payoutRunExecute/payoutRun/status"),
        "COMPLETED"
    );
    let balance = books.balance(partners[2]).await;
    assert_eq!(
        (
            balance.accrued,
            balance.payable,
            balance.in_payout,
            balance.paid,
            balance.open()
        ),
        (0, 0, 0, 571_429, 0)
    );
    let events = ensemble::entity::audit_event::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    let of = |name: &str| events.iter().filter(|event| event.action == name).count();
    assert_eq!(
        [
            of("payout_run.created"),
            of("payout_run.approved"),
            of("payout_run.executing"),
            of("payout_run.completed")
        ],
        [1; 4]
    );
    assert_eq!(of("payout.paid"), 3);
    t.settle().await;
}

async fn a_second_run_of_the_same_period_makes_no_payments(t: TestApp) {
    let books = Books::open(&t, 0).await;
    influence(&books).await;
    books.created("2026-03-01", "2026-03-31").await;
    let second = books.create(&books.maker, "2026-03-01", "2026-03-31").await;
    assert_eq!(
        second
            .done("payoutRunCreate")
            .at("payoutRunCreate/payoutRun/payoutCount"),
        0
    );
    assert_eq!(second.count("payoutRunCreate/payoutRun/totals"), 0);
    assert_eq!(second.text("payoutRunCreate/payoutRun/status"), "REVIEW");
}

async fn whoever_created_a_run_cannot_approve_it(t: TestApp) {
    let books = Books::open(&t, 0).await;
    influence(&books).await;
    let run = books.created("2026-03-01", "2026-03-31").await;
    let before = books.rows().await;
    assert_eq!(
        books
            .approve(&books.maker, &run)
            .await
            .refusal("payoutRunApprove"),
        "SAME_PERSON"
    );
    let stranger = t.vendor(Role::Executive).await;
    assert_eq!(
        books
            .approve(&stranger, &run)
            .await
            .refusal("payoutRunApprove"),
        "FORBIDDEN"
    );
    assert_eq!(books.rows().await, before);
    books
        .approve(&books.checker, &run)
        .await
        .done("payoutRunApprove");
    let approved = books.rows().await;
    assert_eq!(
        books
            .approve(&books.checker, &run)
            .await
            .refusal("payoutRunApprove"),
        "ILLEGAL_TRANSITION"
    );
    assert_eq!(books.rows().await, approved);
}

async fn two_runs_at_once_claim_each_line_once(t: TestApp) {
    let books = Books::open(&t, 0).await;
    influence(&books).await;
    let (one, two) = tokio::join!(
        books.create(&books.maker, "2026-03-01", "2026-03-31"),
        books.create(&books.checker, "2026-03-01", "2026-03-31"),
    );
    let counts = [&one, &two].map(|answer| {
        answer
            .done("payoutRunCreate")
            .at("payoutRunCreate/payoutRun/payoutCount")
            .as_i64()
            .unwrap()
    });
    assert_eq!(counts.iter().sum::<i64>(), 3, "{counts:?}");
    assert!(counts.contains(&0), "{counts:?}");
    assert!(
        books
            .lines()
            .await
            .iter()
            .all(|line| line.payout_id.is_some())
    );
}

async fn a_partner_with_an_expired_agreement_is_held_and_paid_after_renewal(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let [a, b, c] = influence(&books).await;
    books
        .change(b, |partner| {
            partner.dpa_valid_until = Some(day("2026-02-28"))
        })
        .await;
    books
        .change(c, |partner| {
            partner.dpa_valid_until = Some(day("2026-03-01"))
        })
        .await;
    let run = books.pay("2026-03-01", "2026-03-31").await;
    assert_eq!(
        books.paid(&run, &[a, b, c]).await,
        [Some(142_857), None, Some(571_429)]
    );
    let held = t.ask(&books.maker, EXCEPTIONS, json!({ "id": run })).await;
    assert_eq!(
        held.at("payoutRun/exceptions/nodes"),
        &json!([{"partnerId": b.text(), "reason": "AGREEMENT_EXPIRED", "amount": {"amount": "2857.14"}}])
    );
    assert_eq!(books.balance(b).await.accrued, 285_714);
    books
        .change(b, |partner| {
            partner.dpa_valid_until = Some(day("2027-02-28"))
        })
        .await;
    let next = books.pay("2026-03-01", "2026-03-31").await;
    assert_eq!(
        books.paid(&next, &[a, b, c]).await,
        [None, Some(285_714), None]
    );
    assert_eq!(books.balance(b).await.paid, 285_714);
    t.settle().await;
}

async fn a_suspended_partner_is_held(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let [a, ..] = influence(&books).await;
    books
        .change(a, |partner| partner.status = PartnerStatus::Suspended)
        .await;
    let run = books.created("2026-03-01", "2026-03-31").await;
    let held = t.ask(&books.maker, EXCEPTIONS, json!({ "id": run })).await;
    assert_eq!(
        held.text("payoutRun/exceptions/nodes/0/reason"),
        "NOT_PAYABLE"
    );
    assert_eq!(books.paid(&run, &[a]).await, [None]);
}

async fn a_refund_is_netted_and_a_negative_balance_carried(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partners = [
        books.partner("Alpha").await,
        books.partner("Beta").await,
        books.partner("Gamma").await,
    ];
    let [a, b, c] = partners;
    t.clock.set(at("2026-06-01T00:00:00Z"));
    let deal = books
        .win(
            "2026-03-01T08:00:00Z",
            &[earned(a, 142_857), earned(b, 285_714), earned(c, 571_429)],
        )
        .await;
    let first = books.pay("2026-03-01", "2026-03-31").await;
    assert_eq!(
        books.paid(&first, &partners).await,
        [Some(142_857), Some(285_714), Some(571_429)]
    );
    // A refund of a quarter on day 60, after everything was paid.
    books
        .refund(
            deal,
            "2026-04-30T08:00:00Z",
            2_500_000,
            &[(a, 35_714), (b, 71_429), (c, 142_857)],
        )
        .await;
    let april = books.created("2026-04-01", "2026-04-30").await;
    assert_eq!(books.paid(&april, &partners).await, [None; 3]);
    let carried = t
        .ask(&books.maker, EXCEPTIONS, json!({ "id": april }))
        .await;
    let amounts = |answer: &crate::support::Answer| -> Vec<(String, String)> {
        let nodes = answer
            .at("payoutRun/exceptions/nodes")
            .as_array()
            .unwrap()
            .clone();
        let mut shown: Vec<_> = nodes
            .iter()
            .map(|node| {
                (
                    node["reason"].as_str().unwrap().to_owned(),
                    node["amount"]["amount"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        shown.sort();
        shown
    };
    let negative = |amount: &str| ("NEGATIVE_BALANCE".to_owned(), amount.to_owned());
    assert_eq!(
        amounts(&carried),
        [
            negative("-1428.57"),
            negative("-357.14"),
            negative("-714.29")
        ]
    );
    // In May Alpha earns 600.00: the receivable is netted against it.
    books
        .win("2026-05-02T08:00:00Z", &[earned(a, 60_000)])
        .await;
    let may = books.pay("2026-05-01", "2026-05-31").await;
    assert_eq!(
        books.paid(&may, &partners).await,
        [Some(24_286), None, None]
    );
    let balance = books.balance(a).await;
    assert_eq!(
        (balance.paid, balance.accrued, balance.clawback_receivable),
        (142_857 + 24_286, 0, 0)
    );
    assert_eq!(books.balance(c).await.open(), -142_857);
    t.settle().await;
}

async fn a_holdback_is_paid_after_its_date(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let c = books.partner("Gamma").await;
    let line = Earned {
        partner: c,
        amount: 514_286,
        held: 57_143,
        held_until: "2026-05-30T08:00:00Z",
    };
    books.win("2026-03-01T08:00:00Z", &[line]).await;
    let balance = books.balance(c).await;
    assert_eq!((balance.accrued, balance.held), (514_286, 57_143));
    let first = books.pay("2026-03-01", "2026-12-31").await;
    assert_eq!(books.paid(&first, &[c]).await, [Some(514_286)]);
    t.clock.set(at("2026-05-30T07:59:59Z"));
    let early = books.created("2026-05-01", "2026-05-30").await;
    assert_eq!(books.paid(&early, &[c]).await, [None]);
    t.clock.set(at("2026-05-30T08:00:00Z"));
    let due = books.pay("2026-05-01", "2026-05-30").await;
    assert_eq!(books.paid(&due, &[c]).await, [Some(57_143)]);
    let balance = books.balance(c).await;
    assert_eq!(
        (balance.held, balance.accrued, balance.paid),
        (0, 0, 571_429)
    );
    t.settle().await;
}

async fn each_currency_is_paid_apart(t: TestApp) {
    let books = Books::open(&t, 100).await;
    let a = books.partner("Alpha").await;
    books.win("2026-03-01T08:00:00Z", &[earned(a, 99)]).await;
    books
        .win_in(
            "JPY".parse().unwrap(),
            "2026-03-01T08:00:00Z",
            &[earned(a, 14_286)],
        )
        .await;
    let run = books.create(&books.maker, "2026-03-01", "2026-03-31").await;
    assert_eq!(
        run.done("payoutRunCreate")
            .at("payoutRunCreate/payoutRun/totals"),
        &json!([{"amount": "14286", "currency": "JPY"}])
    );
    let held = t
        .ask(
            &books.maker,
            EXCEPTIONS,
            json!({ "id": run.text("payoutRunCreate/payoutRun/id") }),
        )
        .await;
    assert_eq!(
        held.text("payoutRun/exceptions/nodes/0/reason"),
        "BELOW_MINIMUM"
    );
}

async fn a_cancelled_run_frees_its_lines(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partners = influence(&books).await;
    let run = books.created("2026-03-01", "2026-03-31").await;
    let cancel = "mutation($id: ID!) { payoutRunCancel(input: {payoutRunId: $id}) { payoutRun { status } userErrors { code } } }";
    let cancelled = t.ask(&books.maker, cancel, json!({ "id": run })).await;
    assert_eq!(
        cancelled
            .done("payoutRunCancel")
            .text("payoutRunCancel/payoutRun/status"),
        "CANCELLED"
    );
    assert_eq!(
        t.ask(&books.maker, cancel, json!({ "id": run }))
            .await
            .refusal("payoutRunCancel"),
        "ILLEGAL_TRANSITION"
    );
    assert!(
        books
            .lines()
            .await
            .iter()
            .all(|line| line.payout_id.is_none())
    );
    let next = books.pay("2026-03-01", "2026-03-31").await;
    assert_eq!(
        books.paid(&next, &partners).await,
        [Some(142_857), Some(285_714), Some(571_429)]
    );
    t.settle().await;
}

async fn a_period_must_not_end_before_it_starts(t: TestApp) {
    let books = Books::open(&t, 0).await;
    influence(&books).await;
    let before = books.rows().await;
    assert_eq!(
        books
            .create(&books.maker, "2026-03-31", "2026-03-01")
            .await
            .refusal("payoutRunCreate"),
        "BAD_USER_INPUT"
    );
    let auditor = t.vendor(Role::Auditor).await;
    assert_eq!(
        books
            .create(&auditor, "2026-03-01", "2026-03-31")
            .await
            .refusal("payoutRunCreate"),
        "FORBIDDEN"
    );
    assert_eq!(books.rows().await, before);
}

async fn only_finance_executes(t: TestApp) {
    let books = Books::open(&t, 0).await;
    influence(&books).await;
    let run = books.created("2026-03-01", "2026-03-31").await;
    let alliance = t.vendor(Role::AllianceManager).await;
    books
        .approve(&alliance, &run)
        .await
        .done("payoutRunApprove");
    let before = books.rows().await;
    assert_eq!(
        books
            .execute(&alliance, &run, "k")
            .await
            .refusal("payoutRunExecute"),
        "FORBIDDEN"
    );
    let keyless = "mutation($id: ID!) { payoutRunExecute(input: {payoutRunId: $id}) { userErrors { code } } }";
    assert_eq!(
        t.ask(&books.checker, keyless, json!({ "id": run }))
            .await
            .refusal("payoutRunExecute"),
        "IDEMPOTENCY_KEY_REQUIRED"
    );
    assert_eq!(books.rows().await, before);
}

async fn a_partner_s_reference_of_a_payment_counts_no_runs(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partners = influence(&books).await;
    let run = books.pay("2026-03-01", "2026-03-31").await;
    let number = t
        .ask(
            &books.checker,
            "query($id: ID!) { payoutRun(id: $id) { number } }",
            json!({"id": run}),
        )
        .await
        .text("payoutRun/number");
    let document = "query($partner: ID!) {
        payouts { nodes { number reference } }
        partner(id: $partner) { statement(periodStart: \"2026-03-01\", periodEnd: \"2026-12-31\", currency: \"USD\") {
            payments { nodes { number reference } } } } }";
    let variables = json!({"partner": partners[0].text()});
    let anna = t
        .person(Role::PartnerAdministrator, Some(partners[0]))
        .await;
    let theirs = t.ask(&anna, document, variables.clone()).await;
    assert_eq!(theirs.count("payouts/nodes"), 1);
    for place in ["payouts/nodes/0", "partner/statement/payments/nodes/0"] {
        let own = theirs.text(&format!("{place}/number"));
        assert_eq!(theirs.text(&format!("{place}/reference")), own);
    }
    assert!(
        !theirs.json.to_string().contains(&number),
        "{:#}",
        theirs.json
    );
    let ours = t.ask(&books.checker, document, variables).await;
    for place in ["payouts/nodes/0", "partner/statement/payments/nodes/0"] {
        let reference = ours.text(&format!("{place}/reference"));
        assert!(reference.contains(&number), "{reference}");
    }
}
