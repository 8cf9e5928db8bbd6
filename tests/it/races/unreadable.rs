//! What verification cannot read it names by table, row and column, and goes on with everything else.

use ensemble::{
    entity::deal,
    platform::ids,
    verify::{self, Report},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    client::Client,
    columns::{found, what_else_there_is},
    facts::everything_happened,
};
use crate::{cases, support::TestApp};

cases!(
    a_value_that_cannot_be_read_is_named_and_the_rest_is_checked,
    what_an_open_deal_is_worth_does_not_change_unseen,
);

/// Words that no Ensemble has.
const WORDS: &[(&str, &str)] = &[
    ("accrual", "kind"),
    ("accrual", "currency"),
    ("attribution_run", "model"),
    ("deal", "status"),
    ("deal", "business"),
    ("incentive_plan", "status"),
    ("ledger_account", "kind"),
    ("ledger_entry", "currency"),
    ("ledger_transaction", "kind"),
    ("payment_details", "kind"),
    ("payout", "status"),
    ("payout_exception", "reason"),
    ("payout_run", "status"),
    ("touchpoint", "phase"),
];

/// Columns of numbers, instants and ids, which on SQLite can hold any text.
const VALUES: &[(&str, &str)] = &[
    ("accrual", "amount_minor"),
    ("accrual", "earned_at"),
    ("attribution_credit", "weight"),
    ("audit_event", "at"),
    ("deal", "value_minor"),
    ("deal", "program_id"),
    ("exchange_rate", "rate_on"),
    ("ledger_account", "balance_minor"),
    ("ledger_entry", "amount_minor"),
    ("ledger_entry", "account_id"),
    ("payout", "amount_minor"),
    ("payout_run", "created_at"),
    ("rebate_entry", "volume_minor"),
];

async fn report(t: &TestApp) -> Report {
    verify::verify(t.app.db().reader()).await.unwrap()
}

async fn a_value_that_cannot_be_read_is_named_and_the_rest_is_checked(t: TestApp) {
    t.leaves_books_altered();
    everything_happened(&t).await;
    what_else_there_is(&t).await;
    t.settle().await;
    let client = Client::open(&t).await;
    let whole = report(&t).await;
    assert!(whole.is_clean(), "{whole}");
    let mut broken: Vec<(&str, &str, &str)> = Vec::new();
    broken.extend(
        WORDS
            .iter()
            .map(|(table, column)| (*table, *column, "'FOREIGN'")),
    );
    if client.is_postgres() {
        // A code has three letters there.
        broken.retain(|(_, column, _)| *column != "currency");
    } else {
        broken.extend(
            VALUES
                .iter()
                .map(|(table, column)| (*table, *column, "'foreign'")),
        );
    }
    broken.push(("incentive_plan", "terms", "'{}'"));
    broken.push(("program_version", "settings", "'[]'"));
    for (table, column, value) in broken {
        client.keep(table).await;
        let row = client.row(table);
        let id = client.names(table, &row).await.remove(0);
        client
            .run(&format!(
                "UPDATE \"{table}\" SET {column} = {value} WHERE {row}"
            ))
            .await;
        let now = report(&t).await;
        assert_eq!(now.findings.len(), whole.findings.len());
        let named = format!("{id} in {table}: {column} cannot be read");
        let [offender] = now.findings[0].offenders.as_slice() else {
            panic!("{table}.{column}: {now}");
        };
        assert!(offender.ends_with(&named), "{table}.{column}: {offender}");
        // What does not need the value was looked at.
        let held = now
            .findings
            .iter()
            .filter(|finding| finding.offenders.is_empty() && finding.rows > 0);
        assert!(held.count() >= 10, "{table}.{column}: {now}");
        client.restore(table).await;
    }
    assert!(report(&t).await.is_clean());
}

async fn what_an_open_deal_is_worth_does_not_change_unseen(t: TestApp) {
    t.leaves_books_altered();
    everything_happened(&t).await;
    what_else_there_is(&t).await;
    t.settle().await;
    let client = Client::open(&t).await;
    let open = deal::Entity::find()
        .filter(deal::Column::Status.eq(deal::SalesStatus::Open))
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    let id: Uuid = open.id.0;
    let row = format!("id = {}", client.id(id.as_u128()));
    let altered = format!("{} in deal was altered", ids::encode("deal", id));
    client.keep("deal").await;
    for (column, value) in [
        ("value_minor", "value_minor + 1"),
        ("currency", "'CHF'"),
        ("business", "'RENEWAL'"),
        ("status", "'WON'"),
        ("closed_at", "opened_at"),
        ("partner_id", "(SELECT id FROM partner ORDER BY id LIMIT 1)"),
        // Without its fingerprint it is no deal of Ensemble.
        ("fingerprint", "NULL"),
    ] {
        let change = format!("UPDATE deal SET {column} = {value} WHERE {row}");
        assert_eq!(client.run(&change).await, 1, "{change}");
        let expected = match column {
            "fingerprint" => altered.replace("was altered", "was not written by Ensemble"),
            _ => altered.clone(),
        };
        assert_eq!(found(&t).await, [expected], "{change}");
        client.restore("deal").await;
        client.keep("deal").await;
    }
    assert_eq!(found(&t).await, [""; 0]);
}
