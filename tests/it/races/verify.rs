//! Each promise of the books, broken alone by somebody with the rights to do it, is found alone and by its row.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use ensemble::{
    entity::{
        accrual::{self, AccrualKind},
        attribution_run, deal,
        ids::{LedgerAccountId, RebateEntryId},
        ledger_account::{self, LedgerAccountKind},
        ledger_entry, ledger_transaction,
        payout::{self, PayoutStatus},
        payout_run,
        user::Role,
    },
    platform::ids::TypedId,
    verify,
};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter};
use serde_json::json;
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
const OFFICIAL: &str =
    "every deal whose credit counts says what the credit was computed from, and is won";
const ONE_COUNTS: &str = "every deal with credit has one computation that counts";
const OF_DEAL: &str =
    "every commission line is of its deal: programme, currency and the day it was won";
const RUNS: &str =
    "every payout run was approved, started and cancelled by whom and when the audit trail says";
const PLANS: &str = "every plan was activated and retired by whom and when the audit trail says";
const SETTLED: &str = "every payment is dated as its settlement in the ledger";
const ATTEMPTS: &str =
    "every payment has the attempts and the reference recorded in the audit trail";
const LAST_ACCOUNT: &str = "every partner is paid to the account that was set last";
const CONTENT: &str = "every transaction says what was posted: kind, key, subject, dates, period, accounts and amounts";
const COMMISSION: &str = "no deal pays more than its plans promise, whatever their numbers";
const UNPAID: &str = "every line that was due when a payout run was calculated is paid, or its partner is an exception of the run";
const REFERENCES: &str = "every row that another one refers to is there";
const TRAIL: &str = "everything that the audit trail speaks of is there";
const WRITTEN: &str = "every row that decides money says what was written";
const READABLE: &str =
    "every value is one that Ensemble can read: a number, a day, an id or a word it knows";
const EXCEPTED: &str =
    "nobody is paid by a payout run of which he is an exception in that currency";
const ENDS: &str = "every plan ends when its draft and the activation of later numbers say";
const EXACT: &str =
    "every deal with credit earned and gave back exactly what its plans and its credit say";
const MISSING: &str = "every row that decided money is still there";

/// A way to break one promise and to mend it again.
struct Break {
    promise: &'static str,
    /// The promises that the same rows break, too.
    beside: &'static [&'static str],
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
    t.advance(TimeDelta::hours(1));
    let anna = t.person(Role::PartnerAdministrator, Some(a.partner)).await;
    let set = "mutation($input: PartnerPaymentDetailsSetInput!) { partnerPaymentDetailsSet(input: $input) { userErrors { code } } }";
    let input = json!({
        "partnerId": a.partner.text(), "accountHolder": "Alpha", "iban": "DE44500105175407324931",
    });
    t.ask(&anna, set, json!({ "input": input }))
        .await
        .done("partnerPaymentDetailsSet");
    realm.pay().await;
    // And a run that was cancelled. What it held is not known any more, so it is of the other partner.
    realm.win(&b, 100_000).await;
    let run = realm.created().await;
    realm.cancel(&t, &run).await.done("payoutRunCancel");
    t.settle().await;
    assert_eq!(found(&t).await, []);
    for (table, verb) in [
        ("incentive_plan", "update"),
        ("ledger_entry", "update"),
        ("ledger_transaction", "delete"),
        ("accrual", "update"),
        ("audit_event", "update"),
        ("audit_seal", "update"),
        ("rebate_entry", "delete"),
        ("attribution_run", "update"),
        ("audit_event", "delete"),
        ("payout", "update"),
        ("row_fingerprint", "delete"),
        ("ledger_transaction", "update"),
        ("payout_exception", "delete"),
    ] {
        drop_guard(&t, table, verb).await;
    }
    let unguarded = match t.app.db().backend() {
        DbBackend::Postgres => "ALTER TABLE deal DROP CONSTRAINT deal_customer_id_fkey",
        _ => "PRAGMA foreign_keys = OFF",
    };
    operator(&t, unguarded).await.unwrap();
    let breaks = breaks(&t, &a, &b).await;
    let mut broken = BTreeSet::new();
    for one in breaks {
        for sql in &one.break_it {
            assert_eq!(operator(&t, sql).await, Ok(1), "{sql}");
        }
        let findings = found(&t).await;
        let promises: Vec<_> = findings.iter().map(|(promise, _)| *promise).collect();
        let broken_now: BTreeSet<_> = promises.iter().copied().collect();
        let expected = one.beside.iter().copied().chain([one.promise]);
        assert_eq!(broken_now, expected.collect(), "{:?}", one.break_it);
        let main = findings.iter().find(|(promise, _)| *promise == one.promise);
        let mut offenders = main.unwrap().1.clone();
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
        broken.extend(broken_now);
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
        let expected = format!("         position {position} {how}\n");
        assert!(told.contains(&expected), "{told}");
        assert_eq!(told.matches("BROKEN").count(), 1, "{told}");
        // Nothing calls the trail good beside that.
        assert!(
            told.contains("BROKEN the audit trail is the one that was sealed"),
            "{told}"
        );
        assert!(!told.contains("ok     the audit trail"), "{told}");
    };
    missed("of the recorded head is missing").await;
    goes_on().await;
    missed("has another digest than the recorded head").await;
    for malformed in ["", "7", "0:", &head[..head.len() - 1], &format!("-{head}")] {
        let option = format!("--head={malformed}");
        let output = site.run(["verify", &option]).await;
        assert_eq!(output.status.code(), Some(2), "{malformed}: {output:?}");
    }
}

async fn breaks(t: &TestApp, a: &Seller, b: &Seller) -> Vec<Break> {
    let db = t.app.db().reader();
    let expense = ledger_account::Entity::find()
        .filter(ledger_account::Column::Kind.eq(LedgerAccountKind::CommissionExpense))
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

    let lines_of_deal = accrual::Entity::find()
        .filter(accrual::Column::DealId.eq(deal.id))
        .all(db)
        .await
        .unwrap();
    let run = payout_run::Entity::find_by_id(paid.run_id)
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
        beside: &[],
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
            beside: &[WRITTEN, EXACT],
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
            beside: &[CONTENT],
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
        Break {
            beside: &[CONTENT],
            ..one(
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
            )
        },
        one(
            CACHED,
            format!("{} balance {}", expense.id, expense.balance_minor + 1),
            add("ledger_account", "balance_minor", "+ 1", expense.id.uuid()),
            add("ledger_account", "balance_minor", "- 1", expense.id.uuid()),
        ),
        Break {
            promise: CURRENCY,
            beside: &[CONTENT],
            rows: siblings
                .iter()
                .map(|entry| format!("{} EUR on an account in USD", entry.id))
                .collect(),
            break_it: recolour("EUR"),
            mend_it: recolour("USD"),
        },
        Break {
            beside: &[WRITTEN, COMMISSION, EXACT],
            ..one(
                TIED,
                format!("{} HELD USD differs by 1", a.partner),
                add("accrual", "amount_minor", "+ 1", unpaid.id.uuid()),
                add("accrual", "amount_minor", "- 1", unpaid.id.uuid()),
            )
        },
        Break {
            beside: &[WRITTEN],
            ..one(
                PAYOUTS,
                paid.id.to_string(),
                add("payout", "line_count", "+ 1", paid.id.uuid()),
                add("payout", "line_count", "- 1", paid.id.uuid()),
            )
        },
        // A line of somebody else.
        Break {
            beside: &[WRITTEN, EXACT],
            ..one(
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
            )
        },
        one(
            PAID,
            format!("{} PAID", paid.id),
            set("payout", "paid_at", "NULL", paid.id.uuid()),
            set("payout", "paid_at", "updated_at", paid.id.uuid()),
        ),
        Break {
            beside: &[WRITTEN, OFFICIAL],
            ..one(
                CREDIT,
                format!("{} value {}", credit.id, credit.value_minor + 1),
                add("attribution_run", "value_minor", "+ 1", credit.id.uuid()),
                add("attribution_run", "value_minor", "- 1", credit.id.uuid()),
            )
        },
        one(
            REFUNDS,
            deal.id.to_string(),
            add("deal", "refunded_minor", "+ 1", deal.id.uuid()),
            add("deal", "refunded_minor", "- 1", deal.id.uuid()),
        ),
        Break {
            beside: &[WRITTEN],
            ..one(
                SEALED,
                "position 3".to_owned(),
                sealed("subject_type = subject_type || 'x'"),
                sealed("subject_type = SUBSTR(subject_type, 1, LENGTH(subject_type) - 1)"),
            )
        },
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
        Break {
            beside: &[WRITTEN],
            ..one(
                OFFICIAL,
                deal.id.to_string(),
                add("deal", "value_minor", "+ 1", deal.id.uuid()),
                add("deal", "value_minor", "- 1", deal.id.uuid()),
            )
        },
        one(
            READABLE,
            format!(
                "{} in ledger_account: currency cannot be read",
                LedgerAccountId::of(lonely)
            ),
            format!(
                "INSERT INTO ledger_account (id, kind, currency, balance_minor, created_at, updated_at) \
                 VALUES ({}, 'CASH', 'XXX', 0, '2026-03-01T09:00:00Z', '2026-03-01T09:00:00Z')",
                id(lonely)
            ),
            format!("DELETE FROM ledger_account WHERE id = {}", id(lonely)),
        ),
        Break {
            beside: &[WRITTEN],
            ..one(
                EXCEPTED,
                paid.id.to_string(),
                format!(
                    "INSERT INTO payout_exception (id, run_id, partner_id, currency, amount_minor, reason) \
                     VALUES ({}, {}, {}, 'USD', 0, 'BELOW_MINIMUM')",
                    id(lonely),
                    id(paid.run_id.uuid()),
                    id(paid.partner_id.uuid())
                ),
                format!("DELETE FROM payout_exception WHERE id = {}", id(lonely)),
            )
        },
        one(
            ENDS,
            format!("{} ends 2099-01-01", line.plan_id),
            set(
                "incentive_plan",
                "effective_to",
                "'2099-01-01 00:00:00+00:00'",
                line.plan_id.uuid(),
            ),
            set(
                "incentive_plan",
                "effective_to",
                "NULL",
                line.plan_id.uuid(),
            ),
        ),
        Break {
            beside: &[WRITTEN],
            ..one(
                EXACT,
                format!("{} under {}", line.deal_id, line.plan_id),
                add("accrual", "weight", "+ 1", line.id.uuid()),
                add("accrual", "weight", "- 1", line.id.uuid()),
            )
        },
        one(
            ONE_COUNTS,
            format!("{} has 0", credit.deal_id),
            set(
                "attribution_run",
                "superseded_at",
                "created_at",
                credit.id.uuid(),
            ),
            set("attribution_run", "superseded_at", "NULL", credit.id.uuid()),
        ),
        Break {
            promise: OF_DEAL,
            beside: &[WRITTEN],
            rows: lines_of_deal
                .iter()
                .map(|line| line.id.to_string())
                .collect(),
            break_it: vec![format!(
                "UPDATE deal SET program_id = (SELECT id FROM program WHERE id <> program_id LIMIT 1) WHERE id = {}",
                id(deal.id.uuid())
            )],
            mend_it: vec![set(
                "deal",
                "program_id",
                &id(deal.program_id.uuid()),
                deal.id.uuid(),
            )],
        },
        one(
            RUNS,
            paid.run_id.to_string(),
            set("payout_run", "approved_by", "NULL", paid.run_id.uuid()),
            set(
                "payout_run",
                "approved_by",
                &id(run.approved_by.unwrap().uuid()),
                paid.run_id.uuid(),
            ),
        ),
        one(
            PLANS,
            line.plan_id.to_string(),
            set(
                "incentive_plan",
                "activated_by",
                "NULL",
                line.plan_id.uuid(),
            ),
            set(
                "incentive_plan",
                "activated_by",
                &id(run.approved_by.unwrap().uuid()),
                line.plan_id.uuid(),
            ),
        ),
        one(
            SETTLED,
            paid.id.to_string(),
            set(
                "payout",
                "paid_at",
                "'2020-01-01 00:00:00+00:00'",
                paid.id.uuid(),
            ),
            set("payout", "paid_at", "updated_at", paid.id.uuid()),
        ),
        Break {
            promise: LAST_ACCOUNT,
            beside: &[],
            rows: vec!["paymentdetails_".to_owned()],
            break_it: vec!["UPDATE payment_details SET replaced_at = created_at".to_owned()],
            mend_it: vec!["UPDATE payment_details SET replaced_at = NULL".to_owned()],
        },
        one(
            CONTENT,
            transaction.id.to_string(),
            set(
                "ledger_transaction",
                "period",
                "'1999-01'",
                transaction.id.uuid(),
            ),
            set(
                "ledger_transaction",
                "period",
                &format!("'{}'", transaction.period),
                transaction.id.uuid(),
            ),
        ),
        one(
            ATTEMPTS,
            paid.id.to_string(),
            set("payout", "attempt", "2", paid.id.uuid()),
            set("payout", "attempt", "1", paid.id.uuid()),
        ),
        Break {
            beside: &[PAYOUTS, TIED],
            ..one(
                UNPAID,
                paid.run_id.to_string(),
                set("accrual", "payout_id", "NULL", line.id.uuid()),
                set("accrual", "payout_id", &id(paid.id.uuid()), line.id.uuid()),
            )
        },
        one(
            REFERENCES,
            deal.id.to_string(),
            set("deal", "customer_id", &id(lonely), deal.id.uuid()),
            set("deal", "customer_id", "NULL", deal.id.uuid()),
        ),
        Break {
            beside: &[WRITTEN],
            ..one(
                TRAIL,
                format!("{} is missing", ensemble::entity::ids::DealId::of(lonely)),
                format!(
                    "INSERT INTO audit_event (id, at, actor_kind, action, subject_type, subject_id, details) \
                     SELECT {}, at, actor_kind, action, 'deal', {}, details FROM audit_event LIMIT 1",
                    id(lonely),
                    id(lonely)
                ),
                format!("DELETE FROM audit_event WHERE id = {}", id(lonely)),
            )
        },
        one(
            MISSING,
            format!(
                "{} is missing from accrual",
                ensemble::entity::ids::AccrualId::of(lonely)
            ),
            format!(
                "INSERT INTO row_fingerprint (row_id, table_name) VALUES ({}, 'accrual')",
                id(lonely)
            ),
            format!("DELETE FROM row_fingerprint WHERE row_id = {}", id(lonely)),
        ),
    ]
}
