//! Verification: silent on books in order, and naming the row when somebody altered one.

use ensemble::{
    entity::{ledger_entry, payout},
    ledger::verify,
};
use sea_orm::{DbBackend, EntityTrait};

use super::{Books, earned, operator};
use crate::{cases, support::TestApp};

cases!(books_in_order_are_reported_clean, an_altered_row_is_named);

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
    assert_eq!(report.findings.len(), 12);
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
            "the balance of every account is the sum of its entries"
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
    assert_eq!(
        broken(&t).await,
        [(
            "the audit trail is the one that was sealed",
            vec!["position 2".to_owned()]
        )]
    );
}
