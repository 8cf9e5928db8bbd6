//! Every column of every table that decides money is checked by verification, or listed here with the reason why not.
//!
//! The tables and columns are those of the live schema: one that is added fails until it is checked or listed.

use std::collections::{BTreeMap, BTreeSet};

use ensemble::{
    entity::{
        deal, exchange_rate, incentive_plan,
        payment_details::{self, PaymentAccountKind},
        rebate_entry,
    },
    platform::{
        fingerprint::{self, TABLES},
        ids::{self, TypedId},
        money::Currency,
    },
    verify,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::{
    client::{Client, FOREIGN},
    facts::everything_happened,
};
use crate::{cases, durability::account::observer, support::TestApp};

cases!(
    every_column_that_decides_money_is_checked_or_listed_with_its_reason,
    sqlite: [
        what_another_client_puts_in_the_place_of_a_fact_is_refused_or_found,
        what_takes_the_place_of_a_row_under_another_id_is_found,
    ],
);

/// Tables that decide money, and columns that other checks than fingerprints find.
const CHECKED: &[(&str, &[&str])] = &[
    ("accrual", &["payout_id"]),
    ("attribution_credit", &[]),
    ("attribution_run", &["superseded_at"]),
    ("audit_event", &[]),
    ("audit_seal", &["position", "audit_event_id", "hash"]),
    (
        "deal",
        &[
            "id",
            "program_id",
            "program_version_id",
            "value_minor",
            "currency",
            "refunded_minor",
        ],
    ),
    ("deal_participant", &[]),
    ("deal_refund", &[]),
    ("exchange_rate", &[]),
    (
        "incentive_plan",
        &["status", "effective_to", "activated_by", "activated_at"],
    ),
    (
        "ledger_account",
        &["id", "kind", "partner_id", "currency", "balance_minor"],
    ),
    (
        "ledger_entry",
        &["transaction_id", "account_id", "currency", "amount_minor"],
    ),
    (
        "ledger_transaction",
        &[
            "id",
            "kind",
            "transaction_key",
            "input_hash",
            "subject_type",
            "subject_id",
            "effective_at",
            "recorded_at",
            "period",
            "reverses_id",
        ],
    ),
    ("partner_statement", &[]),
    ("payment_details", &["replaced_at"]),
    (
        "payout",
        &["status", "paid_at", "attempt", "provider_reference"],
    ),
    ("payout_export", &[]),
    ("payout_exception", &[]),
    (
        "payout_run",
        &[
            "status",
            "approved_by",
            "approved_at",
            "executed_by",
            "executed_at",
        ],
    ),
    ("program_version", &[]),
    ("rebate_entry", &[]),
    (
        "rebate_volume",
        &[
            "plan_id",
            "component",
            "partner_id",
            "period_start",
            "volume_minor",
            "rebate_minor",
        ],
    ),
    ("row_fingerprint", &["row_id", "table_name", "fingerprint"]),
    ("touchpoint", &[]),
];

/// Columns that nothing finds, beside those that fingerprints leave out.
const LEFT_OUT: &[(&str, &str, &str)] = &[
    (
        "audit_seal",
        "sealed_at",
        "when the chain was extended decides nothing; the rows say when they happened",
    ),
    ("ledger_account", "created_at", "shown only"),
    ("ledger_account", "updated_at", "shown only"),
    (
        "ledger_entry",
        "id",
        "nothing refers to it; what it says is in its transaction",
    ),
    ("rebate_volume", "updated_at", "shown only"),
];

/// Tables that decide no money, or only until a deal is won: what followed from them then has fingerprints.
const OTHERS: &[(&str, &str)] = &[
    ("customer", "whom deals are with"),
    ("customer_block_key", "finds duplicates"),
    (
        "customer_forms",
        "which version of the canonical forms customers are stored in",
    ),
    (
        "customer_number",
        "registration numbers that were claimed, so that parallel claims wait for each other",
    ),
    (
        "partner_forms",
        "which version of the canonical forms partners are stored in",
    ),
    (
        "partner_number",
        "registration numbers that were claimed, so that parallel claims wait for each other",
    ),
    (
        "deal_product",
        "decides which components pay until the deal is won",
    ),
    (
        "deal_registration",
        "decides who leads a deal, not what it pays",
    ),
    ("deal_registration_product", "as the registration"),
    ("deal_stage_change", "a history; the deal says where it is"),
    ("enrollment", "decides limits of registrations"),
    ("idempotency", "stored answers, kept for days"),
    ("job", "work to be done; what it writes is checked"),
    ("login_failure", "sign-in"),
    (
        "partner",
        "decides who may be paid when a run is calculated; payments have fingerprints",
    ),
    ("partner_attribute", "what a partner does"),
    ("partner_lifecycle_event", "a history of the partner"),
    ("product", "what is sold"),
    ("product_family", "what is sold"),
    ("program", "a name and a status"),
    (
        "program_version_outcome",
        "whether a version ever held; what was computed keeps its version",
    ),
    ("protection", "decides who may register, not what is paid"),
    ("refresh_token", "sign-in"),
    ("rule_document", "decides no amount yet"),
    ("schedule_run", "when jobs ran"),
    ("seaql_migrations", "the schema"),
    ("session", "sign-in"),
    (
        "statement_publication",
        "how far the publication of a month came; statements have fingerprints",
    ),
    (
        "user",
        "who signs in; what a person decided is in the audit trail",
    ),
    ("tier_change", "decides limits of registrations"),
    ("user_token", "sign-in"),
];

/// Rows in those tables that the other tests have no need of.
pub(super) async fn what_else_there_is(t: &TestApp) {
    let db = t.app.db().reader();
    let plan = incentive_plan::Entity::find()
        .one(db)
        .await
        .unwrap()
        .unwrap();
    let deal = deal::Entity::find()
        .filter(deal::Column::RefundedMinor.gt(0))
        .one(db)
        .await
        .unwrap()
        .unwrap();
    let partner = ensemble::entity::partner::Entity::find()
        .one(db)
        .await
        .unwrap()
        .unwrap();
    let (plan_id, partner_id) = (plan.id, partner.id);
    let by = plan.created_by;
    t.write(move |tx| {
        let deal = deal.clone();
        Box::pin(async move {
            // A deal that nothing was computed from yet.
            let deal_id = tx.id();
            tx.insert_models(vec![deal::Model {
                id: deal_id,
                number: "D-OPEN".to_owned(),
                external_id: None,
                status: deal::SalesStatus::Open,
                closed_at: None,
                refunded_minor: 0,
                ..deal
            }])
            .await?;
            tx.insert_models(vec![exchange_rate::Model {
                    id: tx.id(),
                    from_currency: "EUR".parse().unwrap(),
                    from_amount: "1".to_owned(),
                    to_currency: Currency::USD,
                    to_amount: "1.1".to_owned(),
                    rate_on: "2026-02-01".parse().unwrap(),
                    number: 1,
                    recorded_by: Some(by),
                    created_at: tx.now(),
                }])
            .await?;
            tx.insert_models(vec![payment_details::Model {
                    id: tx.id(),
                    partner_id,
                    kind: PaymentAccountKind::Iban,
                    country: "DE".to_owned(),
                    last_four: "1234".to_owned(),
                    sealed: "sealed".to_owned(),
                    set_by: by,
                    created_at: tx.now(),
                    replaced_at: None,
                }])
            .await?;
            tx.insert_models(vec![rebate_entry::Model {
                    id: tx.id(),
                    plan_id,
                    component: 90,
                    partner_id,
                    period_start: "2026-01-01".parse().unwrap(),
                    deal_id,
                    refund_id: None,
                    volume_minor: 5,
                    rebate_minor: 0,
                    volume_after_minor: 5,
                    rebate_after_minor: 0,
                    created_at: tx.now(),
                }])
            .await?;
            let id = |id: Uuid| match tx.backend() {
                DbBackend::Postgres => format!("'{id}'"),
                _ => format!("x'{}'", id.simple()),
            };
            tx.execute_unprepared(&format!(
                "INSERT INTO rebate_volume (plan_id, component, partner_id, period_start, volume_minor, rebate_minor, updated_at) \
                 VALUES ({}, 90, {}, '2026-01-01', 5, 0, '2026-03-01 09:00:00+00:00')",
                id(plan_id.uuid()),
                id(partner_id.uuid())
            ))
            .await?;
            Ok(())
        })
    })
    .await
    .unwrap();
}

pub(super) async fn found(t: &TestApp) -> Vec<String> {
    let report = verify::verify(t.app.db().reader()).await.unwrap();
    let findings = report.findings.into_iter();
    findings.flat_map(|finding| finding.offenders).collect()
}

async fn every_column_that_decides_money_is_checked_or_listed_with_its_reason(t: TestApp) {
    t.leaves_books_altered();
    everything_happened(&t).await;
    what_else_there_is(&t).await;
    t.settle().await;
    let client = Client::open(&t).await;
    assert_eq!(found(&t).await, [""; 0]);

    // Every table and every column has its place in the lists.
    let listed: BTreeSet<String> = CHECKED
        .iter()
        .map(|(table, _)| *table)
        .chain(OTHERS.iter().map(|(table, _)| *table))
        .map(str::to_owned)
        .collect();
    assert_eq!(client.tables().await, listed);
    let mut covered: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (table, checked) in CHECKED {
        let columns: BTreeSet<String> = client.columns(table).await.into_iter().collect();
        let prints = fingerprint::table(table);
        let mut listed: BTreeSet<String> = checked.iter().map(ToString::to_string).collect();
        let left_out = LEFT_OUT.iter().filter(|(of, _, _)| of == table);
        listed.extend(left_out.map(|(_, column, _)| (*column).to_owned()));
        if let Some(prints) = prints {
            listed.extend(
                prints
                    .left_out
                    .iter()
                    .map(|(column, _)| (*column).to_owned()),
            );
            let of_prints: Vec<String> = prints.covered().map(str::to_owned).collect();
            listed.extend(of_prints.clone());
            covered.insert(prints.name, of_prints);
        }
        assert_eq!(columns, listed, "{table}");
    }
    assert_eq!(covered.len(), TABLES.len());

    // What a fingerprint covers, one column of every table at a time: each row is named.
    let most = covered.values().map(Vec::len).max().unwrap();
    for place in 0..most {
        let mut expected = Vec::new();
        for (table, columns) in &covered {
            let Some(column) = columns.get(place).filter(|column| *column != "id") else {
                continue;
            };
            let names = client.names(table, &client.row(table)).await;
            client.keep(table).await;
            client.alter(table, column).await;
            expected.push((*table, column, names[0].clone()));
        }
        let offenders = found(&t).await;
        for (table, column, name) in &expected {
            let altered = format!("{name} in {table} was altered");
            assert!(
                offenders
                    .iter()
                    .any(|offender| offender.ends_with(&altered)),
                "{table}.{column}: {offenders:#?}"
            );
        }
        for (table, _, _) in &expected {
            client.restore(table).await;
        }
    }
    assert_eq!(found(&t).await, [""; 0]);

    // What other checks find, one at a time: the row as it is now, or one that it is about, is named.
    let mut missed = Vec::new();
    for (table, checked) in CHECKED {
        let of_id = fingerprint::table(table).map(|_| "id");
        for column in checked.iter().copied().chain(of_id) {
            let mut names = client.names(table, &client.row(table)).await;
            names.push("position ".to_owned());
            names.push(ids::encode("", Uuid::from_u128(FOREIGN)));
            client.keep(table).await;
            client.alter(table, column).await;
            let offenders = found(&t).await;
            if !offenders
                .iter()
                .any(|offender| names.iter().any(|name| offender.contains(name.as_str())))
            {
                missed.push(format!("{table}.{column}: {offenders:?}"));
            }
            client.restore(table).await;
        }
        // And a row that is gone.
        let names = client.names(table, &client.row(table)).await;
        client.keep(table).await;
        client
            .run(&format!(
                "DELETE FROM \"{table}\" WHERE {}",
                client.row(table)
            ))
            .await;
        let offenders = found(&t).await;
        let named = |offender: &String| {
            offender.contains("position ")
                || names.iter().any(|name| offender.contains(name.as_str()))
        };
        if !offenders.iter().any(named) {
            missed.push(format!("{table} without a row: {offenders:?}"));
        }
        client.restore(table).await;
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert_eq!(found(&t).await, [""; 0]);
}

async fn what_another_client_puts_in_the_place_of_a_fact_is_refused_or_found(t: TestApp) {
    t.leaves_books_altered();
    everything_happened(&t).await;
    what_else_there_is(&t).await;
    // As another program opens the file: without the settings of Ensemble.
    let client = Client {
        db: observer(t.url()).await,
    };
    client.run("PRAGMA foreign_keys = OFF").await;
    client.run("PRAGMA recursive_triggers = OFF").await;
    for (table, _) in CHECKED {
        if ["deal", "ledger_account", "rebate_volume"].contains(table) {
            continue;
        }
        let columns: Vec<String> = client.columns(table).await;
        let values: Vec<String> = columns
            .iter()
            .map(|column| match column.as_str() {
                "amount_minor" | "sealed_at" | "created_at" | "at" | "settings" | "fingerprint" => {
                    client.other(table, column)
                }
                _ => column.clone(),
            })
            .collect();
        let replace = format!(
            "REPLACE INTO \"{table}\" ({}) SELECT {} FROM \"{table}\" WHERE {}",
            columns.join(","),
            values.join(","),
            client.row(table)
        );
        let before = client
            .texts(&format!(
                "SELECT CAST(COUNT(*) AS TEXT) AS name FROM \"{table}\""
            ))
            .await;
        match client.db.execute_unprepared(&replace).await {
            Err(error) => assert!(
                error.to_string().contains("append-only"),
                "{replace}: {error}"
            ),
            Ok(_) => assert!(!found(&t).await.is_empty(), "{replace}"),
        }
        let after = client
            .texts(&format!(
                "SELECT CAST(COUNT(*) AS TEXT) AS name FROM \"{table}\""
            ))
            .await;
        assert_eq!(before, after, "{table}");
    }
    // A row that nobody but this client wrote.
    let columns = client.columns("audit_event").await;
    let values: Vec<String> = columns
        .iter()
        .map(|column| match column.as_str() {
            "id" => client.id(FOREIGN),
            _ => column.clone(),
        })
        .collect();
    client
        .run(&format!(
            "INSERT INTO audit_event ({}) SELECT {} FROM audit_event WHERE {}",
            columns.join(","),
            values.join(","),
            client.row("audit_event")
        ))
        .await;
    let strange = ids::encode("audit", Uuid::from_u128(FOREIGN));
    let offenders = found(&t).await;
    let expected = format!("{strange} in audit_event was altered");
    assert!(offenders.contains(&expected), "{offenders:#?}");
}

async fn what_takes_the_place_of_a_row_under_another_id_is_found(t: TestApp) {
    t.leaves_books_altered();
    everything_happened(&t).await;
    what_else_there_is(&t).await;
    t.settle().await;
    let client = Client::open(&t).await;
    assert_eq!(found(&t).await, [""; 0]);
    // The whole row under another id: where it has a unique key beside the id, the old one goes.
    let mut replaced = BTreeSet::new();
    for (table, _) in CHECKED {
        let columns = client.columns(table).await;
        if !columns.iter().any(|column| column == "id") {
            continue;
        }
        let row = client.row(table);
        let values = columns.iter().map(|column| match column.as_str() {
            "id" => client.id(FOREIGN),
            _ => format!("\"{column}\""),
        });
        let values: Vec<String> = values.collect();
        let count = format!("SELECT CAST(COUNT(*) AS TEXT) AS name FROM \"{table}\"");
        let before = client.texts(&count).await;
        let mut names = client.names(table, &row).await;
        names.push(ids::encode("", Uuid::from_u128(FOREIGN)));
        let named = |offender: &String| names.iter().any(|name| offender.contains(name.as_str()));
        client.keep(table).await;
        let replace = format!(
            "REPLACE INTO \"{table}\" SELECT {} FROM \"{table}\" WHERE {row}",
            values.join(",")
        );
        client.run(&replace).await;
        if client.texts(&count).await == before {
            replaced.insert(*table);
        }
        let offenders = found(&t).await;
        assert!(
            *table == "ledger_entry" && !offenders.is_empty() || offenders.iter().any(named),
            "{replace}: {offenders:#?}"
        );
        client.restore(table).await;
    }
    for table in [
        "ledger_transaction",
        "ledger_account",
        "accrual",
        "deal",
        "payout",
        "payout_run",
    ] {
        assert!(replaced.contains(table), "{table}: {replaced:?}");
    }
    assert_eq!(found(&t).await, [""; 0]);
}
