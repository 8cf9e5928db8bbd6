//! Verification: silent on books in order, and naming the row when somebody altered one.

use ensemble::{
    entity::{ids::IncentivePlanId, incentive_plan, ledger_entry, payout},
    events::Event,
    platform::{
        audit,
        ids::{self, TypedId},
        ppm::Ppm,
    },
    verify,
};
use sea_orm::{DbBackend, EntityTrait};

use super::{Books, Earned, at, earned, operator, whole};
use crate::{cases, support::TestApp};

cases!(
    books_in_order_are_reported_clean,
    an_altered_row_is_named,
    a_deal_paid_again_under_another_number_of_its_plan_is_found,
    a_line_that_a_run_left_out_is_found,
    a_run_that_was_given_up_hides_only_what_it_held,
    an_exception_is_of_all_that_waits,
);

async fn paid(t: &TestApp) -> Books {
    let books = Books::open(t, 0).await;
    let (a, b) = (books.partner("Alpha").await, books.partner("Beta").await);
    books
        .win(
            "2026-03-01T08:00:00Z",
            &[earned(a, 142_857), earned(b, 285_714)],
        )
        .await;
    books.pay("2026-03-01", "2026-03-31").await;
    t.settle().await;
    books
}

async fn books_in_order_are_reported_clean(t: TestApp) {
    paid(&t).await;
    let report = verify::verify(t.app.db().reader()).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.findings.len(), 31);
    assert!(report.audit_head.position > 0);
}

async fn broken(t: &TestApp) -> Vec<(&'static str, Vec<String>)> {
    let report = verify::verify(t.app.db().reader()).await.unwrap();
    let broken = report
        .findings
        .into_iter()
        .filter(|finding| !finding.offenders.is_empty());
    broken
        .map(|finding| (finding.promise, finding.offenders))
        .collect()
}

async fn an_altered_row_is_named(t: TestApp) {
    t.leaves_books_altered();
    paid(&t).await;
    let entry = ledger_entry::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap()
        .remove(0);
    let on = if t.app.db().backend() == DbBackend::Postgres {
        " ON ledger_entry"
    } else {
        ""
    };
    operator(&t, &format!("DROP TRIGGER ledger_entry_no_update{on}"))
        .await
        .unwrap();
    let id = match t.app.db().backend() {
        DbBackend::Postgres => format!("'{}'", entry.id.0),
        _ => format!("x'{}'", entry.id.0.simple()),
    };
    let change = |by: &str| {
        format!("UPDATE ledger_entry SET amount_minor = amount_minor {by} WHERE id = {id}")
    };
    assert_eq!(operator(&t, &change("+ 1")).await.unwrap(), 1);
    let found = broken(&t).await;
    let promises: Vec<_> = found.iter().map(|(promise, _)| *promise).collect();
    assert_eq!(
        promises,
        [
            "the entries of every transaction sum to zero per currency",
            "the balance of every account is the sum of its entries",
            "every transaction says what was posted: kind, key, subject, dates, period, accounts and amounts",
        ]
    );
    assert_eq!(
        found[0].1,
        [format!("{} USD sums to 1", entry.transaction_id)]
    );
    assert!(
        found[1].1[0].starts_with(&entry.account_id.to_string()),
        "{found:?}"
    );
    operator(&t, &change("- 1")).await.unwrap();
    assert_eq!(broken(&t).await, []);

    let guard = if on.is_empty() { "" } else { " ON payout" };
    operator(&t, &format!("DROP TRIGGER payout_no_update{guard}"))
        .await
        .unwrap();
    let payment = payout::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    operator(
        &t,
        &format!(
            "UPDATE payout SET amount_minor = amount_minor + 1 WHERE number = '{}'",
            payment.number
        ),
    )
    .await
    .unwrap();
    let found = broken(&t).await;
    let promises: Vec<_> = found.iter().map(|(promise, _)| *promise).collect();
    assert_eq!(
        promises,
        [
            "the accounts of every partner tie to its commission lines and payouts",
            "every payout is the sum of its lines, all of its partner and currency",
            "every row that decides money says what was written",
        ]
    );
    assert!(
        found[0].1[0].starts_with(&payment.partner_id.to_string()),
        "{found:?}"
    );
    assert!(
        found[1].1[0].starts_with(&payment.id.to_string()),
        "{found:?}"
    );
    operator(
        &t,
        &format!(
            "UPDATE payout SET amount_minor = amount_minor - 1 WHERE number = '{}'",
            payment.number
        ),
    )
    .await
    .unwrap();

    // An audit row that was sealed and then altered breaks the chain at its position.
    let on = if on.is_empty() { "" } else { " ON audit_event" };
    operator(&t, &format!("DROP TRIGGER audit_event_no_update{on}"))
        .await
        .unwrap();
    let altered = "UPDATE audit_event SET action = 'deal.lost' WHERE id = (SELECT audit_event_id FROM audit_seal WHERE position = 2)";
    operator(&t, altered).await.unwrap();
    let found = broken(&t).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(
        found[0].0,
        "every row that decides money says what was written"
    );
    assert!(
        found[0].1[0].ends_with(" in audit_event was altered"),
        "{found:?}"
    );
    let chain = "the audit trail is the one that was sealed";
    assert_eq!(found[1], (chain, vec!["position 2".to_owned()]));
}

/// A second number of the plan, at twelve percent, as if activated later over the same time.
async fn second_number(books: &Books) -> IncentivePlanId {
    let (id, by) = (
        IncentivePlanId::of(ids::mint(books.t.app.clock().now())),
        books.checker.id,
    );
    let first = incentive_plan::Entity::find_by_id(books.plan);
    let mut plan = first.one(books.t.app.db().reader()).await.unwrap().unwrap();
    plan.id = id;
    plan.number = 2;
    plan.terms.components[0].rate_ppm = Some(Ppm::new(120_000));
    let at = books.t.app.clock().now();
    plan.activated_at = Some(at);
    books
        .t
        .write(move |tx| {
            let plan = plan.clone();
            Box::pin(async move {
                let activated = Event::PlanActivated { plan_id: plan.id };
                audit::append_past(tx, &activated, at, Some(by)).await?;
                tx.insert(whole(plan)).await
            })
        })
        .await
        .unwrap();
    id
}

async fn a_deal_paid_again_under_another_number_of_its_plan_is_found(t: TestApp) {
    t.leaves_books_altered();
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    let second = Books {
        plan: second_number(&books).await,
        ..books.clone()
    };
    let won = "2026-03-01T08:00:00Z";
    // The difference to what number 1 paid is no second payment.
    let one = books.win(won, &[earned(partner, 1_000_000)]).await;
    second.more(one, won, &earned(partner, 200_000)).await;
    assert_eq!(broken(&t).await, []);
    let other = books.win(won, &[earned(partner, 1_000_000)]).await;
    second.more(other, won, &earned(partner, 1_200_000)).await;
    assert_eq!(
        broken(&t).await,
        [(
            "no deal pays more than its plans promise, whatever their numbers",
            vec![format!(
                "{other} pays {partner} 22000.00 as InfluencePool of \"Ten percent\" under number 1 and 2, at most 12000.00"
            )]
        )]
    );
}

async fn a_line_that_a_run_left_out_is_found(t: TestApp) {
    t.leaves_books_altered();
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    let won = "2026-03-01T08:00:00Z";
    let deal = books.win(won, &[earned(partner, 100_000)]).await;
    t.advance(chrono::TimeDelta::hours(1));
    let run = books.created("2026-03-01", "2026-03-31").await;
    assert_eq!(broken(&t).await, []);
    // Booked in time, and yet neither paid nor an exception.
    t.advance(chrono::TimeDelta::hours(-1));
    let held = Earned {
        held: 500,
        ..earned(partner, 0)
    };
    books.more(deal, won, &held).await;
    assert_eq!(
        broken(&t).await,
        [(
            "every line that was due when a payout run was calculated is paid, or its partner is an exception of the run",
            vec![format!("{run} leaves out 5.00 USD of {partner}")]
        )]
    );
}

const CANCEL: &str = "mutation($id: ID!) { payoutRunCancel(input: {payoutRunId: $id}) { payoutRun { status } userErrors { code } } }";

async fn a_run_that_was_given_up_hides_only_what_it_held(t: TestApp) {
    t.leaves_books_altered();
    t.clock.set(at("2026-04-01T08:00:00Z"));
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    let won = "2026-03-01T08:00:00Z";
    let deal = books.win(won, &[earned(partner, 100_000)]).await;
    t.advance(chrono::TimeDelta::hours(1));
    let given_up = books.created("2026-03-01", "2026-03-31").await;
    t.advance(chrono::TimeDelta::hours(1));
    let run = books.created("2026-03-01", "2026-03-31").await;
    t.advance(chrono::TimeDelta::hours(1));
    let cancelled = t
        .ask(&books.maker, CANCEL, serde_json::json!({ "id": given_up }))
        .await;
    cancelled.done("payoutRunCancel");
    t.settle().await;
    // What the first one held was not free for the second.
    assert_eq!(broken(&t).await, []);
    // A line of before both that neither of them held.
    t.clock.set(at("2026-04-01T08:30:00Z"));
    let held = Earned {
        held: 500,
        ..earned(partner, 0)
    };
    books.more(deal, won, &held).await;
    let promise = "every line that was due when a payout run was calculated is paid, or its partner is an exception of the run";
    assert_eq!(
        broken(&t).await,
        [(
            promise,
            vec![format!("{run} leaves out 5.00 USD of {partner}")]
        )]
    );
}

async fn an_exception_is_of_all_that_waits(t: TestApp) {
    t.leaves_books_altered();
    t.clock.set(at("2026-04-01T08:00:00Z"));
    let books = Books::open(&t, 200_000).await;
    let partner = books.partner("Alpha").await;
    let won = "2026-03-01T08:00:00Z";
    let deal = books.win(won, &[earned(partner, 100_000)]).await;
    t.advance(chrono::TimeDelta::hours(1));
    let run = books.created("2026-03-01", "2026-03-31").await;
    assert_eq!(broken(&t).await, []);
    t.clock.set(at("2026-04-01T08:30:00Z"));
    let held = Earned {
        held: 500,
        ..earned(partner, 0)
    };
    books.more(deal, won, &held).await;
    let promise = "every line that was due when a payout run was calculated is paid, or its partner is an exception of the run";
    assert_eq!(
        broken(&t).await,
        [(
            promise,
            vec![format!("{run} leaves out 5.00 USD of {partner}")]
        )]
    );
}
