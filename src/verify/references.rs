//! References lead to rows: SQLite deletes past its foreign keys when a client turns them off, PostgreSQL when a superuser
//! does.

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use uuid::Uuid;

use super::{Finding, NAMED, count, offenders};
use crate::{error::Result, platform::ids};

/// A column, the table that it leads to, and the prefix of the ids there.
type Reference = (&'static str, &'static str, &'static str);

/// The tables that refer, with the prefix of their ids, and their references.
const REFERENCES: &[(&str, &str, &[Reference])] = &[
    (
        "accrual",
        "accrual",
        &[
            ("deal_id", "deal", "deal"),
            ("plan_id", "incentive_plan", "plan"),
            ("partner_id", "partner", "partner"),
            ("program_id", "program", "program"),
            ("run_id", "attribution_run", "attribution"),
            ("refund_id", "deal_refund", "refund"),
            ("payout_id", "payout", "payout"),
        ],
    ),
    (
        "attribution_credit",
        "credit",
        &[
            ("run_id", "attribution_run", "attribution"),
            ("deal_id", "deal", "deal"),
            ("partner_id", "partner", "partner"),
        ],
    ),
    (
        "attribution_run",
        "attribution",
        &[
            ("deal_id", "deal", "deal"),
            ("program_version_id", "program_version", "programversion"),
        ],
    ),
    (
        "deal",
        "deal",
        &[
            ("program_id", "program", "program"),
            ("program_version_id", "program_version", "programversion"),
            ("partner_id", "partner", "partner"),
            ("customer_id", "customer", "customer"),
        ],
    ),
    (
        "deal_participant",
        "participant",
        &[
            ("deal_id", "deal", "deal"),
            ("partner_id", "partner", "partner"),
        ],
    ),
    ("deal_refund", "refund", &[("deal_id", "deal", "deal")]),
    (
        "deal_stage_change",
        "stagechange",
        &[("deal_id", "deal", "deal")],
    ),
    (
        "incentive_plan",
        "plan",
        &[("program_id", "program", "program")],
    ),
    (
        "ledger_account",
        "account",
        &[("partner_id", "partner", "partner")],
    ),
    (
        "ledger_entry",
        "entry",
        &[
            ("transaction_id", "ledger_transaction", "transaction"),
            ("account_id", "ledger_account", "account"),
        ],
    ),
    (
        "ledger_transaction",
        "transaction",
        &[("reverses_id", "ledger_transaction", "transaction")],
    ),
    (
        "partner_statement",
        "statement",
        &[("partner_id", "partner", "partner")],
    ),
    (
        "payment_details",
        "paymentdetails",
        &[("partner_id", "partner", "partner")],
    ),
    (
        "payout",
        "payout",
        &[
            ("run_id", "payout_run", "payoutrun"),
            ("partner_id", "partner", "partner"),
            ("payment_details_id", "payment_details", "paymentdetails"),
        ],
    ),
    (
        "payout_exception",
        "exception",
        &[
            ("run_id", "payout_run", "payoutrun"),
            ("partner_id", "partner", "partner"),
        ],
    ),
    (
        "payout_run",
        "payoutrun",
        &[
            ("program_id", "program", "program"),
            ("program_version_id", "program_version", "programversion"),
        ],
    ),
    (
        "program_version",
        "programversion",
        &[("program_id", "program", "program")],
    ),
    (
        "rebate_entry",
        "rebate",
        &[
            ("deal_id", "deal", "deal"),
            ("plan_id", "incentive_plan", "plan"),
            ("partner_id", "partner", "partner"),
            ("refund_id", "deal_refund", "refund"),
        ],
    ),
    (
        "touchpoint",
        "touchpoint",
        &[
            ("deal_id", "deal", "deal"),
            ("partner_id", "partner", "partner"),
        ],
    ),
];

/// The tables that the audit trail speaks of, by the type of the subject.
const SUBJECTS: &[(&str, &str)] = &[
    ("customer", "customer"),
    ("deal", "deal"),
    ("participant", "deal_participant"),
    ("partner", "partner"),
    ("paymentdetails", "payment_details"),
    ("payout", "payout"),
    ("payoutrun", "payout_run"),
    ("plan", "incentive_plan"),
    ("program", "program"),
    ("rate", "exchange_rate"),
    ("registration", "deal_registration"),
    ("statement", "partner_statement"),
    ("touchpoint", "touchpoint"),
    ("transaction", "ledger_transaction"),
];

#[derive(FromQueryResult)]
struct Dangling {
    id: Uuid,
    missing: Uuid,
}

/// What is promised.
pub(super) const FOLLOWED: &str = "every row that another one refers to is there";

/// Every row that another row is about is there.
pub(super) async fn followed<C: ConnectionTrait>(db: &C) -> Result<Finding> {
    let mut finding = Finding::new(FOLLOWED, 0);
    let backend = db.get_database_backend();
    for (table, prefix, columns) in REFERENCES {
        finding.rows += count(db, &format!("SELECT COUNT(*) FROM {table}")).await?;
        for (column, target, target_prefix) in *columns {
            let sql = format!(
                "SELECT t.id AS id, t.{column} AS missing FROM {table} t LEFT JOIN {target} x ON x.id = t.{column} \
                 WHERE t.{column} IS NOT NULL AND x.id IS NULL LIMIT {}",
                NAMED + 1
            );
            let rows = Dangling::find_by_statement(Statement::from_string(backend, sql));
            for row in rows.all(db).await? {
                finding.name(format!(
                    "{} refers to {}, which is missing",
                    ids::encode(prefix, row.id),
                    ids::encode(target_prefix, row.missing)
                ));
            }
        }
    }
    Ok(finding)
}

/// What is promised.
pub(super) const OF_THE_TRAIL: &str = "everything that the audit trail speaks of is there";

/// Everything that the audit trail speaks of is there.
pub(super) async fn of_the_trail<C: ConnectionTrait>(db: &C) -> Result<Finding> {
    let rows = count(db, "SELECT COUNT(*) FROM audit_event").await?;
    let mut finding = Finding::new(OF_THE_TRAIL, rows);
    let mut known = String::new();
    for (subject, table) in SUBJECTS {
        let _ = write!(
            known,
            " WHEN '{subject}' THEN EXISTS (SELECT 1 FROM {table} t WHERE t.id = e.subject_id)"
        );
    }
    let sql = format!(
        "SELECT e.subject_id AS id, e.subject_type AS detail FROM audit_event e \
         WHERE NOT CASE e.subject_type{known} ELSE TRUE END GROUP BY e.subject_id, e.subject_type"
    );
    for row in offenders(db, &sql).await? {
        finding.name(format!("{} is missing", ids::encode(&row.detail, row.id)));
    }
    Ok(finding)
}
