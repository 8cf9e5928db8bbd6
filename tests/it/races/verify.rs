//! Each promise of the books, broken alone by somebody with the rights to do it, is found alone and by its row.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use ensemble::{
    entity::{
        accrual, attribution_run, deal, ids::RebateEntryId, ledger_account, ledger_entry,
        ledger_transaction, payout,
    },
    incentives::AccrualKind,
    ledger::{AccountKind, verify},
    payouts::PayoutStatus,
    platform::ids::TypedId,
};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::Realm;
use crate::{
    cases,
    deals::market::*,
    money::operator,
    support::{TestApp, program::Installation},
};

cases!(
    each_promise_broken_alone_is_found_alone_and_names_its_row,
    an_end_cut_off_the_trail_is_found_by_the_head_that_was_noted,
);

const BALANCED: &str = "the entries of every transaction sum to zero per currency";
const NOT_EMPTY: &str = "every transaction has entries";
const CACHED: &str = "the balance of every account is the sum of its entries";
const CURRENCY: &str = "every entry is in the currency of its account";
const TIED: &str = "the accounts of every partner tie to its commission lines and payouts";
const PAYOUTS: &str = "every payout is the sum of its lines, all of its partner and currency";
const PAID: &str = "a payout has a date of payment exactly when it is paid";
const CREDIT: &str = "the credit of every computation sums to the value it was computed from";
const VOLUMES: &str =
    "the volume and the rebate of every partner and period are the sums of their entries";
const COUNTED: &str =
    "the commission lines of every deal and refund add to a rebate what was counted of it";
const REFUNDS: &str =
    "the refunds of every deal sum to what it counts as refunded, and to no more than its value";
const SEALED: &str = "the audit trail is the one that was sealed";

/// A way to break one promise and to mend it again.
struct Break {
    promise: &'static str,
    /// The beginnings of what is reported, one per row, in any order.
    rows: Vec<String>,
    break_it: Vec<String>,
    mend_it: Vec<String>,
}

async fn found(t: &TestApp) -> Vec<(&'static str, Vec<String>)> {
    let report = verify::verify(t.app.db().reader()).await.unwrap();
    let broken = report
        .findings
        .into_iter()
        .filter(|finding| !finding.offenders.is_empty());
    broken
        .map(|finding| (finding.promise, finding.offenders))
        .collect()
}

/// An id as a literal of SQL.
fn literal(t: &TestApp, id: Uuid) -> String {
    match t.app.db().backend() {
        DbBackend::Postgres => format!("'{id}'"),
        _ => format!("x'{}'", id.simple()),
    }
}

async fn drop_guard(t: &TestApp, table: &str, verb: &str) {
    let on = match t.app.db().backend() {
        DbBackend::Postgres => format!(" ON {table}"),
        _ => String::new(),
    };
    operator(t, &format!("DROP TRIGGER {table}_no_{verb}{on}"))
        .await
        .unwrap();
}

async fn each_promise_broken_alone_is_found_alone_and_names_its_row(t: TestApp) {
    t.leaves_books_altered();
    let realm = Realm::open(&t, market(&t).await).await;
    let (a, b) = (realm.seller("Alpha").await, realm.seller("Beta").await);
    for seller in [&a, &b] {
        let deal = realm.win(seller, 100_000).await;
        realm.refund(&t, &deal, 10_000).await.done("dealRefund");
    }
    realm.pay().await;
    // And a run that was given up.
    realm.win(&a, 100_000).await;
    let run = realm.created().await;
    realm.cancel(&t, &run).await.done("payoutRunCancel");
    t.settle().await;
    assert_eq!(found(&t).await, []);
    for (table, verb) in [
        ("ledger_entry", "update"),
        ("ledger_transaction", "delete"),
        ("accrual", "update"),
        ("audit_event", "update"),
        ("audit_seal", "update"),
        ("rebate_entry", "delete"),
    ] {
        drop_guard(&t, table, verb).await;
    }
    let breaks = breaks(&t, &a, &b).await;
    let mut broken = BTreeSet::new();
    for one in breaks {
        for sql in &one.break_it {
            assert_eq!(operator(&t, sql).await, Ok(1), "{sql}");
        }
        let findings = found(&t).await;
        let promises: Vec<_> = findings.iter().map(|(promise, _)| *promise).collect();
        assert_eq!(promises, [one.promise], "{:?}", one.break_it);
        let mut offenders = findings[0].1.clone();
        let mut rows = one.rows.clone();
        offenders.sort();
        rows.sort();
        assert_eq!(offenders.len(), rows.len(), "{offenders:?}");
        for (offender, row) in offenders.iter().zip(&rows) {
            assert!(offender.starts_with(row), "{offender} is not {row}");
        }
        for sql in &one.mend_it {
            operator(&t, sql).await.unwrap();
        }
        assert_eq!(found(&t).await, [], "{:?}", one.mend_it);
        broken.insert(one.promise);
    }
    let report = verify::verify(t.app.db().reader()).await.unwrap();
    let promised: BTreeSet<_> = report
        .findings
        .iter()
        .map(|finding| finding.promise)
        .collect();
    assert_eq!(broken, promised, "a promise that no test breaks");
}

async fn an_end_cut_off_the_trail_is_found_by_the_head_that_was_noted(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Alpha").await;
    let goes_on = || async {
        realm.win(&seller, 100_000).await;
        t.advance(TimeDelta::seconds(10));
        t.settle().await;
    };
    goes_on().await;
    let site = Installation::new(t.folder().join("site"), t.url());
    let told = site.done(["verify"]).await;
    let head = told.split_once("the head is ").unwrap().1.trim();
    let position = head.split_once(':').unwrap().0;
    goes_on().await;
    site.done(["verify", "--head", head]).await;

    drop_guard(&t, "audit_seal", "delete").await;
    drop_guard(&t, "audit_event", "delete").await;
    for sql in [
        format!("DELETE FROM audit_seal WHERE position >= {position}"),
        "DELETE FROM audit_event WHERE id NOT IN (SELECT audit_event_id FROM audit_seal)"
            .to_owned(),
    ] {
        assert!(operator(&t, &sql).await.unwrap() > 1, "{sql}");
    }
    // What is left is a chain like any other.
    site.done(["verify"]).await;
    let missed = async |how: &str| {
        let output = site.run(["verify", "--head", head]).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        let expected = format!(
            "BROKEN the audit trail holds the head that was noted\n         position {position} {how}\n"
        );
        assert!(told.contains(&expected), "{told}");
        assert_eq!(told.matches("BROKEN").count(), 1, "{told}");
    };
    missed("is not there").await;
    goes_on().await;
    missed("has another digest").await;
    for malformed in ["", "7", "0:", &head[..head.len() - 1], &format!("-{head}")] {
        let option = format!("--head={malformed}");
        let output = site.run(["verify", &option]).await;
        assert_eq!(output.status.code(), Some(2), "{malformed}: {output:?}");
    }
}

async fn breaks(t: &TestApp, a: &Seller, b: &Seller) -> Vec<Break> {
    let db = t.app.db().reader();
    let expense = ledger_account::Entity::find()
        .filter(ledger_account::Column::Kind.eq(AccountKind::CommissionExpense))
        .one(db)
        .await
        .unwrap()
        .unwrap();
    let entry = ledger_entry::Entity::find()
        .filter(ledger_entry::Column::AccountId.eq(expense.id))
        .one(db)
        .await
        .unwrap()
        .unwrap();
    let transaction = ledger_transaction::Entity::find_by_id(entry.transaction_id)
        .one(db)
        .await
        .unwrap()
        .unwrap();
    let siblings = ledger_entry::Entity::find()
        .filter(ledger_entry::Column::TransactionId.eq(transaction.id))
        .all(db)
        .await
        .unwrap();
    let unpaid = accrual::Entity::find()
        .filter(accrual::Column::Kind.eq(AccrualKind::Holdback))
        .filter(accrual::Column::PartnerId.eq(a.partner))
        .one(db)
        .await
        .unwrap()
        .unwrap();
    let payouts = payout::Entity::find().all(db).await.unwrap();
    let of = |status, partner| {
        let is = |row: &&payout::Model| row.status == status && row.partner_id == partner;
        payouts.iter().find(is).unwrap()
    };
    let paid = of(PayoutStatus::Paid, a.partner);
    let line = accrual::Entity::find()
        .filter(accrual::Column::PayoutId.eq(paid.id))
        .one(db)
        .await
        .unwrap()
        .unwrap();
    let credit = attribution_run::Entity::find()
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

    let id = |uuid| literal(t, uuid);
    let add = |table: &str, column: &str, by: &str, uuid: Uuid| {
        format!(
            "UPDATE {table} SET {column} = {column} {by} WHERE id = {}",
            id(uuid)
        )
    };
    let set = |table: &str, column: &str, value: &str, uuid: Uuid| {
        format!(
            "UPDATE {table} SET {column} = {value} WHERE id = {}",
            id(uuid)
        )
    };
    let one = |promise, row: String, break_it: String, mend_it: String| Break {
        promise,
        rows: vec![row],
        break_it: vec![break_it],
        mend_it: vec![mend_it],
    };
    let lonely = Uuid::from_u128(1);
    let recolour = |currency: &str| -> Vec<String> {
        siblings
            .iter()
            .map(|entry| {
                set(
                    "ledger_entry",
                    "currency",
                    &format!("'{currency}'"),
                    entry.id.uuid(),
                )
            })
            .collect()
    };
    let sealed = |change: &str| {
        format!(
            "UPDATE audit_event SET {change} WHERE id = (SELECT audit_event_id FROM audit_seal WHERE position = 3)"
        )
    };
    // Volumes and entries of components that no plan has.
    let counted = |component: u8| {
        format!(
            "{}, {component}, {}, '2026-01-01'",
            id(unpaid.plan_id.uuid()),
            id(a.partner.uuid())
        )
    };
    let volume = |component: u8, rebate: u8| {
        format!(
            "INSERT INTO rebate_volume (plan_id, component, partner_id, period_start, volume_minor, rebate_minor, updated_at) \
             VALUES ({}, 5, {rebate}, '2026-03-01T09:00:00Z')",
            counted(component)
        )
    };
    let forget =
        |table: &str, component: u8| format!("DELETE FROM {table} WHERE component = {component}");
    vec![
        one(
            VOLUMES,
            format!("{} volume 5 of 0", a.partner),
            volume(90, 0),
            forget("rebate_volume", 90),
        ),
        Break {
            promise: COUNTED,
            rows: vec![format!("{} rebate 4, lines 0", RebateEntryId::of(lonely))],
            break_it: vec![
                format!(
                    "INSERT INTO rebate_entry (id, plan_id, component, partner_id, period_start, deal_id, volume_minor, rebate_minor, \
                     volume_after_minor, rebate_after_minor, created_at) VALUES ({}, {}, {}, 5, 4, 5, 4, '2026-03-01T09:00:00Z')",
                    id(lonely),
                    counted(91),
                    id(line.deal_id.uuid())
                ),
                volume(91, 4),
            ],
            mend_it: vec![forget("rebate_entry", 91), forget("rebate_volume", 91)],
        },
        // An entry altered together with the balance that would give it away.
        Break {
            promise: BALANCED,
            rows: vec![format!("{} USD sums to 1", transaction.id)],
            break_it: vec![
                add("ledger_entry", "amount_minor", "+ 1", entry.id.uuid()),
                add("ledger_account", "balance_minor", "+ 1", expense.id.uuid()),
            ],
            mend_it: vec![
                add("ledger_entry", "amount_minor", "- 1", entry.id.uuid()),
                add("ledger_account", "balance_minor", "- 1", expense.id.uuid()),
            ],
        },
        one(
            NOT_EMPTY,
            format!(
                "{} has no entries",
                ensemble::entity::ids::LedgerTransactionId::of(lonely)
            ),
            format!(
                "INSERT INTO ledger_transaction (id, kind, transaction_key, input_hash, subject_type, subject_id, effective_at, recorded_at, period) \
                 SELECT {}, kind, 'lonely', input_hash, subject_type, subject_id, effective_at, recorded_at, period FROM ledger_transaction WHERE id = {}",
                id(lonely),
                id(transaction.id.uuid())
            ),
            format!("DELETE FROM ledger_transaction WHERE id = {}", id(lonely)),
        ),
        one(
            CACHED,
            format!("{} balance {}", expense.id, expense.balance_minor + 1),
            add("ledger_account", "balance_minor", "+ 1", expense.id.uuid()),
            add("ledger_account", "balance_minor", "- 1", expense.id.uuid()),
        ),
        Break {
            promise: CURRENCY,
            rows: siblings
                .iter()
                .map(|entry| format!("{} EUR on an account in USD", entry.id))
                .collect(),
            break_it: recolour("EUR"),
            mend_it: recolour("USD"),
        },
        one(
            TIED,
            format!("{} HELD USD differs by 1", a.partner),
            add("accrual", "amount_minor", "+ 1", unpaid.id.uuid()),
            add("accrual", "amount_minor", "- 1", unpaid.id.uuid()),
        ),
        one(
            PAYOUTS,
            paid.id.to_string(),
            add("payout", "line_count", "+ 1", paid.id.uuid()),
            add("payout", "line_count", "- 1", paid.id.uuid()),
        ),
        // A line of somebody else.
        one(
            PAYOUTS,
            paid.id.to_string(),
            set(
                "accrual",
                "partner_id",
                &id(b.partner.uuid()),
                line.id.uuid(),
            ),
            set(
                "accrual",
                "partner_id",
                &id(a.partner.uuid()),
                line.id.uuid(),
            ),
        ),
        one(
            PAID,
            format!("{} PAID", paid.id),
            set("payout", "paid_at", "NULL", paid.id.uuid()),
            set("payout", "paid_at", "updated_at", paid.id.uuid()),
        ),
        one(
            CREDIT,
            format!("{} value {}", credit.id, credit.value_minor + 1),
            add("attribution_run", "value_minor", "+ 1", credit.id.uuid()),
            add("attribution_run", "value_minor", "- 1", credit.id.uuid()),
        ),
        one(
            REFUNDS,
            deal.id.to_string(),
            add("deal", "refunded_minor", "+ 1", deal.id.uuid()),
            add("deal", "refunded_minor", "- 1", deal.id.uuid()),
        ),
        one(
            SEALED,
            "position 3".to_owned(),
            sealed("subject_type = subject_type || 'x'"),
            sealed("subject_type = SUBSTR(subject_type, 1, LENGTH(subject_type) - 1)"),
        ),
        one(
            SEALED,
            "position 2".to_owned(),
            "UPDATE audit_seal SET hash = hash || 'x' WHERE position = 2".to_owned(),
            "UPDATE audit_seal SET hash = SUBSTR(hash, 1, LENGTH(hash) - 1) WHERE position = 2"
                .to_owned(),
        ),
        // A gap in the chain.
        one(
            SEALED,
            "position 4".to_owned(),
            "UPDATE audit_seal SET position = -4 WHERE position = 4".to_owned(),
            "UPDATE audit_seal SET position = 4 WHERE position = -4".to_owned(),
        ),
    ]
}
