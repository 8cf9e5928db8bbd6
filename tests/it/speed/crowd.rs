//! A database in which every object has company: `n` of each kind, and at least three of each below it.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use ensemble::{entity::ids::PartnerId, settings::ProgramSettings, tx::CHUNK};
use sea_orm::{
    ConnectionTrait, Value,
    sea_query::{Alias, Query},
};
use serde_json::json;
use uuid::Uuid;

use crate::support::TestApp;

/// The kinds of rows, each with ids of its own.
#[derive(Clone, Copy)]
pub enum Kind {
    Program = 1,
    Version,
    Partner,
    Move,
    Enrollment,
    User,
    Family,
    Product,
    Customer,
    Deal,
    Registration,
    Participant,
    StageChange,
    Refund,
    Touchpoint,
    Run,
    Credit,
    Plan,
    Accrual,
    Account,
    Transaction,
    Entry,
    PayoutRun,
    Payout,
    Exception,
    Audit,
    Job,
    Rate,
    Statement,
}

/// The id of the `i`th row of a kind; later rows sort behind.
pub fn id(kind: Kind, i: u32) -> Uuid {
    Uuid::from_u128(
        (u128::from(1_750_000_000_000_u64 + u64::from(i)) << 80)
            | (7 << 76)
            | ((kind as u128) << 64)
            | (2 << 62)
            | u128::from(i),
    )
}

/// The `i`th partner.
pub fn partner(i: u32) -> PartnerId {
    PartnerId(id(Kind::Partner, i))
}

type Row = Vec<(&'static str, Value)>;

/// A row by its columns.
macro_rules! row {
    ($($column:ident: $value:expr),+ $(,)?) => {
        vec![$((stringify!($column), Value::from($value))),+]
    };
}

async fn insert(t: &TestApp, table: &'static str, rows: impl IntoIterator<Item = Row>) {
    let rows: Vec<Row> = rows.into_iter().collect();
    t.write(move |tx| {
        let rows = rows.clone();
        Box::pin(async move {
            for rows in rows.chunks(CHUNK) {
                let mut insert = Query::insert();
                let columns = rows[0].iter().map(|(column, _)| Alias::new(*column));
                insert.into_table(Alias::new(table)).columns(columns);
                for row in rows {
                    insert.values_panic(row.iter().map(|(_, value)| value.clone().into()));
                }
                tx.execute(&insert).await?;
            }
            Ok(())
        })
    })
    .await
    .unwrap();
}

/// `i` three times for each `i` up to `n`, with a running number.
fn thrice(n: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..3 * n).map(move |number| (number % n, number))
}

/// Fills the database. Of `n` partners, customers and so on the first by name or id have three of everything.
pub async fn gather(t: &TestApp, n: u32) {
    use Kind as K;
    // Nobody posted these books.
    t.leaves_books_altered();
    let now = t.app.clock().now();
    let at = |i: u32| now - TimeDelta::seconds(i64::from(i));
    let none = None::<DateTime<Utc>>;
    let settings = serde_json::to_value(ProgramSettings::default().documents().unwrap()).unwrap();
    let terms = json!({
        "currency": "USD", "holdback": {"days": 0, "rate_ppm": 0}, "clawback_days": 90,
        "components": [{"kind": "INFLUENCE_POOL", "rate_ppm": 100_000, "cap_minor": null}],
    });
    let day: NaiveDate = "2026-02-01".parse().unwrap();

    let programs = (0..n).map(|i| {
        row! { id: id(K::Program, i), name: format!("Programme {i:06}"), status: "ACTIVE", version: 1_i64,
            created_at: now, updated_at: now }
    });
    insert(t, "program", programs).await;
    let versions = thrice(n).map(|(i, v)| {
        row! { id: id(K::Version, v), program_id: id(K::Program, i), number: (v / n + 1) as i32,
        effective_from: at(3 * n - v), settings: settings.clone(), created_at: now }
    });
    insert(t, "program_version", versions).await;

    // The first n are the parents of three each.
    let parent = |kind: K, i: u32| i.checked_sub(n).map(|i| id(kind, i % n));
    let partners = (0..4 * n).map(|i| {
        row! { id: id(K::Partner, i), legal_name: format!("p{i:06}"), display_name: format!("p{i:06}"),
            name_key: format!("p{i:06}"), country: "DE", parent_id: parent(K::Partner, i),
            status: if i % 40 == 0 { "ONBOARDING" } else { "ACTIVE" },
            version: 1_i64, created_at: now, updated_at: now }
    });
    insert(t, "partner", partners).await;
    let attributes = (0..4 * n).flat_map(|i| {
        [
            ("TYPE", "RESELLER"),
            ("COUNTRY", if i % 40 == 0 { "FR" } else { "DE" }),
        ]
        .map(|(kind, value)| {
            row! { partner_id: id(K::Partner, i), kind: kind, value: value }
        })
    });
    insert(t, "partner_attribute", attributes).await;
    let moves = thrice(n).map(|(i, m)| {
        row! { id: id(K::Move, m), partner_id: id(K::Partner, i), action: "ACTIVATE", to_status: "ACTIVE", at: now }
    });
    insert(t, "partner_lifecycle_event", moves).await;
    let enrollments = thrice(n).map(|(i, e)| {
        row! { id: id(K::Enrollment, e), program_id: id(K::Program, i), partner_id: id(K::Partner, (i + e / n) % n),
            tier: "GOLD", version: 1_i64, created_at: now, updated_at: now }
    });
    insert(t, "enrollment", enrollments).await;
    let users = (0..n).map(|i| {
        row! { id: id(K::User, i), email: format!("u{i:06}@crowd.example"), name: format!("User {i}"),
            role: "PARTNER_MANAGER", partner_id: id(K::Partner, i), status: "ACTIVE", locale: "en",
            version: 1_i64, created_at: now, updated_at: now }
    });
    insert(t, "user", users).await;
    let families = (0..n).map(|i| {
        row! { id: id(K::Family, i), code: format!("F{i:06}"), name: format!("Family {i}"), created_at: now }
    });
    insert(t, "product_family", families).await;
    let products = thrice(n).map(|(i, p)| {
        row! { id: id(K::Product, p), sku: format!("S{p:06}"), name: format!("Product {p}"),
        family_id: id(K::Family, i), version: 1_i64, created_at: now, updated_at: now }
    });
    insert(t, "product", products).await;
    let customers = (0..4 * n).map(|i| {
        row! { id: id(K::Customer, i), name: format!("c{i:06}"), name_key: format!("c{i:06}"),
        domain: format!("c{i:06}.example"), country: if i % 40 == 0 { "FR" } else { "DE" },
        industry: if i % 40 == 0 { "Foods" } else { "Retail" }, parent_id: parent(K::Customer, i),
        version: 1_i64, created_at: now, updated_at: now }
    });
    insert(t, "customer", customers).await;

    // Every second deal is won; the first partner has a tenth of them and the newest two, the others few each.
    let owner = |i: u32| {
        if i.is_multiple_of(10) || i + 2 >= n {
            0
        } else {
            i % n
        }
    };
    let deals = (0..n).map(|i| {
        let won = i % 2 == 0;
        row! { id: id(K::Deal, i), number: format!("D-{i:06}"), name: format!("Deal {i}"),
            program_id: id(K::Program, i), program_version_id: id(K::Version, i), customer_id: id(K::Customer, i),
            partner_id: id(K::Partner, owner(i)), value_minor: 1_000_000_i64, currency: "USD",
            stage: if won { "WON" } else { "QUALIFIED" }, status: if won { "WON" } else { "OPEN" },
            time_zone: "UTC", opened_at: at(i), closed_at: if won { Some(at(i)) } else { none },
            refunded_minor: 0_i64, version: 1_i64, created_at: now, updated_at: now }
    });
    insert(t, "deal", deals).await;
    // Of the registrations the first partner has one in forty, and the newest two.
    let claimant = |i: u32| {
        if i.is_multiple_of(40) || i + 2 >= n {
            0
        } else {
            i
        }
    };
    let registrations = (0..n).map(|i| {
        row! { id: id(K::Registration, i), number: format!("DR-{i:06}"), program_id: id(K::Program, i),
            program_version_id: id(K::Version, i), partner_id: id(K::Partner, claimant(i)),
            submitted_by: id(K::User, claimant(i)), customer_id: id(K::Customer, i), customer_name: format!("c{i}"),
            value_minor: 1_000_000_i64, currency: "USD", expected_close_on: day, time_zone: "UTC",
            contacts: json!([]), tier: "GOLD", status: if i % 40 == 1 { "SUBMITTED" } else { "APPROVED" },
            conflict_outcome: if i % 40 == 0 { "POSSIBLE_CONFLICT" } else { "CLEAR" }, conflict_reasons: json!([]),
            submitted_at: at(n - i), review_due_at: now, extensions: 0, deal_id: id(K::Deal, i), version: 1_i64,
            created_at: now, updated_at: now }
    });
    insert(t, "deal_registration", registrations).await;
    for (table, column, kind) in [
        ("deal_product", "deal_id", K::Deal),
        (
            "deal_registration_product",
            "registration_id",
            K::Registration,
        ),
    ] {
        let lines = thrice(n).map(|(i, p)| {
            let mut line = row! { product_id: id(K::Product, p), quantity: 1_i64 };
            line.push((column, id(kind, i).into()));
            line
        });
        insert(t, table, lines).await;
    }
    let participants = thrice(n).map(|(i, p)| {
        let (role, with) = [("RESELLER", owner(i)), ("INFLUENCER", (i + 1) % n), ("SOURCER", (i + 2) % n)][(p / n) as usize];
        row! { id: id(K::Participant, p), deal_id: id(K::Deal, i), partner_id: id(K::Partner, with), role: role,
            status: "ACCEPTED", invited_at: now, accepted_at: now, version: 1_i64, created_at: now, updated_at: now }
    });
    insert(t, "deal_participant", participants).await;
    let moves = thrice(n).map(|(i, m)| {
        row! { id: id(K::StageChange, m), deal_id: id(K::Deal, i), to_stage: "QUALIFIED", at: at(3 * n - m) }
    });
    insert(t, "deal_stage_change", moves).await;
    let refunds = thrice(n).map(|(i, r)| {
        row! { id: id(K::Refund, r), deal_id: id(K::Deal, i), amount_minor: 1_i64, currency: "USD", reason: "-",
            refunded_at: now, created_at: now }
    });
    insert(t, "deal_refund", refunds).await;
    let touchpoints = thrice(n).map(|(i, p)| {
        row! { id: id(K::Touchpoint, p), deal_id: id(K::Deal, i), partner_id: id(K::Partner, owner(i)), kind: "DEMO",
            phase: "AWARENESS", occurred_at: at(3 * n - p), status: "VERIFIED", recorded_at: now, version: 1_i64 }
    });
    insert(t, "touchpoint", touchpoints).await;
    let runs = (0..n).map(|i| {
        row! { id: id(K::Run, i), deal_id: id(K::Deal, i), program_version_id: id(K::Version, i), model: "TIME_DECAY",
            official: true, basis: "TOUCHPOINTS", value_minor: 1_000_000_i64, currency: "USD", as_of: now,
            inputs_hash: "-", created_at: now }
    });
    insert(t, "attribution_run", runs).await;
    let credits = (0..n).map(|i| {
        row! { id: id(K::Credit, i), run_id: id(K::Run, i), deal_id: id(K::Deal, i),
        partner_id: id(K::Partner, owner(i)), position: 0, weight: 1_i64, share_ppm: 1_000_000,
        amount_minor: 1_000_000_i64, currency: "USD", touches: 1 }
    });
    insert(t, "attribution_credit", credits).await;

    let plans = (0..n).map(|i| {
        row! { id: id(K::Plan, i), program_id: id(K::Program, i), name: format!("Plan {i}"), number: 1,
            status: "ACTIVE", terms: terms.clone(), currency: "USD", effective_from: at(i),
            created_by: id(K::User, 0), activated_by: id(K::User, 1 % n), activated_at: now, version: 1_i64,
            created_at: now, updated_at: now }
    });
    insert(t, "incentive_plan", plans).await;
    let payout_runs = (0..n).map(|i| {
        row! { id: id(K::PayoutRun, i), number: format!("PR-{i:06}"), program_id: id(K::Program, i),
            program_version_id: id(K::Version, i), period_start: day, period_end: day,
            status: if i % 40 == 0 { "REVIEW" } else { "COMPLETED" },
            created_by: id(K::User, 0), approved_by: id(K::User, 1 % n), executed_by: id(K::User, 2 % n),
            completed_at: now, version: 1_i64, created_at: now, updated_at: now }
    });
    insert(t, "payout_run", payout_runs).await;
    let payouts = thrice(n).map(|(i, p)| {
        row! { id: id(K::Payout, p), number: format!("PO-{p:06}"), run_id: id(K::PayoutRun, i),
            partner_id: id(K::Partner, (i + p / n) % n), amount_minor: 100_i64, currency: "USD", line_count: 1_i64,
            status: if p % 40 == 0 { "FAILED" } else { "PAID" }, paid_at: at(p), version: 1_i64, created_at: now,
            updated_at: now }
    });
    insert(t, "payout", payouts).await;
    let statements = thrice(n).map(|(i, s)| {
        row! { id: id(K::Statement, s), partner_id: id(K::Partner, i), currency: "USD", period_start: day,
            period_end: day + TimeDelta::days(i64::from(s / n)), opening_minor: 0_i64, earned_minor: 100_i64,
            adjustments_minor: 0_i64, paid_minor: 100_i64, published_at: now }
    });
    insert(t, "partner_statement", statements).await;
    let exceptions = thrice(n).map(|(i, e)| {
        row! { id: id(K::Exception, e), run_id: id(K::PayoutRun, i), partner_id: id(K::Partner, (i + e / n) % n),
            currency: "USD", amount_minor: 1_i64, reason: "BELOW_MINIMUM" }
    });
    insert(t, "payout_exception", exceptions).await;
    let accruals = thrice(n).map(|(i, a)| {
        row! { id: id(K::Accrual, a), deal_id: id(K::Deal, i), plan_id: id(K::Plan, i), component: 0,
            partner_id: id(K::Partner, (i + a / n) % n), program_id: id(K::Program, i), kind: "EARNED",
            amount_minor: 100_i64, currency: "USD", weight: 1_i64, pool_minor: 300_i64, run_id: id(K::Run, i),
            earned_at: at(a), available_at: at(a), payout_id: id(K::Payout, a), created_at: now }
    });
    insert(t, "accrual", accruals).await;
    // Two currencies each, so that none is a partner's only one.
    let accounts = (0..2 * n).map(|a| {
        row! { id: id(K::Account, a), kind: "ACCRUED", partner_id: id(K::Partner, a % n),
            currency: if a < n { "USD" } else { "EUR" }, balance_minor: -3_i64, created_at: now, updated_at: now }
    });
    insert(t, "ledger_account", accounts).await;
    let transactions = thrice(n).map(|(i, e)| {
        row! { id: id(K::Transaction, e), kind: "COMMISSION", transaction_key: format!("crowd:{e}"), input_hash: "-",
            subject_type: "deal", subject_id: id(K::Deal, i), effective_at: now, recorded_at: now, period: "2026-03" }
    });
    insert(t, "ledger_transaction", transactions).await;
    let entries = (0..6 * n).map(|e| {
        row! { id: id(K::Entry, e), transaction_id: id(K::Transaction, e % (3 * n)),
        account_id: id(K::Account, e % (2 * n)), currency: "USD", amount_minor: -1_i64 }
    });
    insert(t, "ledger_entry", entries).await;

    let events = (0..n).map(|i| {
        row! { id: id(K::Audit, i), at: at(n - i), actor_kind: "USER", actor_id: id(K::User, i),
        action: if i % 40 == 0 { "deal.won" } else { "deal.created" }, subject_type: "deal",
        subject_id: id(K::Deal, i), details: json!({}) }
    });
    insert(t, "audit_event", events).await;
    let jobs = (0..n).map(|i| {
        row! { id: id(K::Job, i), topic: "mail", payload: json!({}), status: "DEAD", run_at: now, attempts: 1,
            max_attempts: 1, lease_epoch: 0, created_at: now, finished_at: now }
    });
    insert(t, "job", jobs).await;
    let rates = (0..n).map(|i| {
        row! { id: id(K::Rate, i), from_currency: "EUR", from_amount: "1", to_currency: "USD", to_amount: "1.1",
            rate_on: day, number: (i + 1) as i32, recorded_by: id(K::User, i), created_at: now }
    });
    insert(t, "exchange_rate", rates).await;
}
