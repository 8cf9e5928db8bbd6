//! What happened stays as it was written: every table of facts refuses UPDATE, DELETE and TRUNCATE, whoever asks.

use chrono::TimeDelta;
use ensemble::{
    entity::{
        ledger_entry,
        partner::PartnerStatus,
        partner_lifecycle_event::{self, PartnerAction},
        user::Role,
    },
    platform::ids::TypedId,
};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, Statement,
};
use serde_json::json;

use super::{Realm, fresh_key};
use crate::{cases, deals::market::*, money::operator, support::TestApp};

cases!(
    every_table_of_facts_refuses_update_delete_and_truncate,
    a_fact_cannot_be_replaced,
);

/// Tables whose rows are facts; the last three only in what was said, not in what becomes of it.
const FACTS: [&str; 15] = [
    "attribution_credit",
    "audit_event",
    "audit_seal",
    "deal_refund",
    "deal_stage_change",
    "incentive_plan",
    "ledger_entry",
    "ledger_transaction",
    "partner_lifecycle_event",
    "partner_statement",
    "payout_exception",
    "program_version",
    "accrual",
    "deal_registration",
    "touchpoint",
];

/// A row in every table of facts.
pub(super) async fn everything_happened(t: &TestApp) -> Realm {
    let market = market(t).await;
    let realm = Realm::open(t, market).await;
    let seller = realm.seller("Northwind Partners").await;
    let (deal, partner) = (realm.win(&seller, 100_000).await, seller.partner);
    realm.refund(t, &deal, 50_000).await.done("dealRefund");
    // 75.00 earned less 25.00 taken back are paid, another 25.00 is taken of what is held; what is taken back after that waits
    // as an exception.
    realm.pay().await;
    realm.refund(t, &deal, 50_000).await.done("dealRefund");
    realm.created().await;
    let mut input = claim(market.router, "Acme", Some("acme.com"));
    input["programId"] = json!(realm.market.program.text());
    registered(t, &seller.manager, input).await;
    let touch = "mutation($input: TouchpointRecordInput!, $key: String!) { touchpointRecord(input: $input) @idempotent(key: $key) \
        { touchpoint { id } userErrors { code } } }";
    let input = json!({
        "dealId": deal, "partnerId": partner.text(), "kind": "DEMO", "phase": "CONSIDERATION",
        "occurredAt": "2026-03-01T08:00:00Z",
    });
    let manager = t.vendor(Role::AllianceManager).await;
    t.ask(
        &manager,
        touch,
        json!({ "input": input, "key": fresh_key(t) }),
    )
    .await
    .done("touchpointRecord");
    t.write(move |tx| {
        Box::pin(async move {
            tx.insert(partner_lifecycle_event::ActiveModel {
                id: Set(tx.id()),
                partner_id: Set(partner),
                action: Set(PartnerAction::Activate),
                from_status: Set(None),
                to_status: Set(PartnerStatus::Active),
                actor_id: Set(None),
                reason: Set(None),
                at: Set(tx.now()),
            })
            .await
        })
    })
    .await
    .unwrap();
    t.advance(TimeDelta::days(1));
    let publish = "mutation { statementsPublish(input: {periodStart: \"2026-03-01\", periodEnd: \"2026-03-01\"}) \
        { published userErrors { code } } }";
    t.ask(&t.admin().await, publish, json!({}))
        .await
        .done("statementsPublish");
    t.settle().await;
    realm
}

async fn texts(t: &TestApp, sql: &str) -> Vec<String> {
    let db = t.app.db().maintenance();
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await
        .unwrap();
    rows.into_iter()
        .map(|row| row.try_get("", "name").unwrap())
        .collect()
}

/// The triggers that refuse changes, as `table_no_verb`.
async fn guards(t: &TestApp) -> Vec<String> {
    let sql = match t.app.db().backend() {
        DbBackend::Postgres => {
            "SELECT tgname AS name FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname"
        }
        _ => "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name",
    };
    texts(t, sql).await
}

async fn first_column(t: &TestApp, table: &str) -> String {
    let sql = match t.app.db().backend() {
        DbBackend::Postgres => format!(
            "SELECT column_name::text AS name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position LIMIT 1"
        ),
        _ => format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid LIMIT 1"),
    };
    texts(t, &sql).await.remove(0)
}

async fn every_table_of_facts_refuses_update_delete_and_truncate(t: TestApp) {
    everything_happened(&t).await;
    let mut refused = Vec::new();
    let guards = guards(&t).await;
    let of = |verb: &str| -> Vec<&str> {
        let tables = guards.iter().filter_map(|name| name.strip_suffix(verb));
        tables.collect()
    };
    let (deletes, truncates) = (of("_no_delete"), of("_no_truncate"));
    match t.app.db().backend() {
        DbBackend::Postgres => assert_eq!(truncates, deletes),
        _ => assert_eq!(truncates, Vec::<&str>::new()),
    }
    for guard in guards {
        let (table, verb) = guard.rsplit_once("_no_").unwrap();
        let count = format!("SELECT CAST(COUNT(*) AS TEXT) AS name FROM {table}");
        let before = texts(&t, &count).await;
        if !FACTS.contains(&table) && before == ["0"] {
            continue;
        }
        assert_ne!(before, ["0"], "{table} has no row to try it on");
        let column = first_column(&t, table).await;
        let sql = match verb {
            "update" => format!("UPDATE {table} SET {column} = {column}"),
            // With what refers to it: otherwise the reference alone would refuse.
            "truncate" => format!("TRUNCATE {table} CASCADE"),
            _ => format!("DELETE FROM {table}"),
        };
        let told = operator(&t, &sql).await.unwrap_err();
        assert!(
            told.contains(&format!("{table} is append-only")),
            "{sql}: {told}"
        );
        assert_eq!(texts(&t, &count).await, before, "{sql}");
        refused.push(guard);
    }
    for table in FACTS {
        assert!(refused.contains(&format!("{table}_no_delete")), "{table}");
        let changes = table == "deal_registration";
        assert_eq!(
            refused.contains(&format!("{table}_no_update")),
            !changes,
            "{table}"
        );
    }
}

async fn a_fact_cannot_be_replaced(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    realm.win(&realm.seller("Alpha").await, 100_000).await;
    let columns = "id, transaction_id, account_id, currency";
    let mut attempts = vec![format!(
        "INSERT INTO ledger_entry ({columns}, amount_minor) SELECT {columns}, amount_minor FROM ledger_entry WHERE true \
         ON CONFLICT (id) DO UPDATE SET amount_minor = excluded.amount_minor + 1"
    )];
    if t.app.db().backend() == DbBackend::Sqlite {
        attempts.push(format!(
            "REPLACE INTO ledger_entry ({columns}, amount_minor) SELECT {columns}, amount_minor + 1 FROM ledger_entry"
        ));
    }
    for sql in attempts {
        let told = operator(&t, &sql).await.unwrap_err();
        assert!(told.contains("append-only"), "{sql}: {told}");
    }
    let entries = ledger_entry::Entity::find()
        .count(t.app.db().reader())
        .await;
    assert_eq!(entries.unwrap(), 3);
}
