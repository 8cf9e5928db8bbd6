//! Large books are verified in time. The normal run proves that the generator makes sound books and that verification
//! sees them all; `ENSEMBLE_TEST_ENTRIES=1000000` measures.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use ensemble::{
    entity::{
        audit_event,
        ids::{DealId, LedgerTransactionId, PayoutRunId, UserId},
        ledger_account, ledger_entry, ledger_transaction, row_fingerprint,
    },
    events::Event,
    ledger::{Posting, content::Content},
    platform::{
        audit,
        fingerprint::{Before, Kept, TABLES},
        ids::TypedId,
        money::Currency,
    },
    verify,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;

use super::{Realm, from_environment};
use crate::{cases, deals::market::market, money::operator, support::TestApp};

cases!(a_million_entries_are_verified_within_a_minute);

/// Ledger entries of a normal run; `ENSEMBLE_TEST_ENTRIES` says otherwise.
const ENTRIES: u32 = 3_000;
/// The promise, for up to a million entries.
const LIMIT: Duration = Duration::from_secs(60);

const NOW: &str = "'2026-03-01T08:00:00+00:00'";

fn now() -> chrono::DateTime<chrono::Utc> {
    "2026-03-01T08:00:00Z".parse().unwrap()
}

/// Writes books in bulk: won deals with two partners each, a tenth of every deal refunded, half of the partners paid.
struct Press<'a> {
    t: &'a TestApp,
    program: String,
    version: String,
    plan: String,
    user: String,
    approver: UserId,
}

impl Press<'_> {
    /// An id of a kind from a number, as an expression of SQL.
    fn id(&self, kind: &str, number: &str) -> String {
        match self.t.app.db().backend() {
            DbBackend::Postgres => format!(
                "CAST('0000{kind}' || LPAD(TO_HEX(CAST({number} AS BIGINT)), 24, '0') AS UUID)"
            ),
            _ => format!("UNHEX('0000{kind}' || PRINTF('%024x', {number}))"),
        }
    }

    fn literal(&self, id: uuid::Uuid) -> String {
        match self.t.app.db().backend() {
            DbBackend::Postgres => format!("'{id}'"),
            _ => format!("x'{}'", id.simple()),
        }
    }

    async fn run(&self, sql: &str) {
        let done = operator(self.t, sql).await;
        assert!(done.is_ok(), "{done:?}: {sql}");
    }

    /// `INSERT INTO table (columns) SELECT values FROM source`, a line `column = value` each.
    async fn fill(&self, table: &str, columns: &[(&str, String)], source: &str) {
        let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
        let values: Vec<_> = columns.iter().map(|(_, value)| value.as_str()).collect();
        self.run(&format!(
            "INSERT INTO {table} ({}) SELECT {} FROM {source}",
            names.join(", "),
            values.join(", ")
        ))
        .await;
    }

    async fn books(&self, deals: u32, partners: u32) {
        self.run("CREATE TABLE series (n BIGINT PRIMARY KEY)").await;
        self.run(&format!(
            "INSERT INTO series (n) WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {}) SELECT n FROM s",
            deals.max(partners)
        ))
        .await;
        let (of_deals, of_partners) = (
            format!("series WHERE n <= {deals}"),
            format!("series WHERE n <= {partners}"),
        );
        self.partners(&of_partners).await;
        self.deals(&of_deals).await;
        self.lines(&of_deals, partners).await;
        self.commission(&of_deals, partners).await;
        self.payouts(partners / 2).await;
        self.run(
            "UPDATE ledger_account SET balance_minor = \
             COALESCE((SELECT CAST(SUM(amount_minor) AS BIGINT) FROM ledger_entry WHERE account_id = ledger_account.id), 0)",
        )
        .await;
        self.run("DROP TABLE series").await;
    }

    async fn partners(&self, source: &str) {
        let name = || "'Partner ' || n".to_owned();
        self.fill(
            "partner",
            &[
                ("id", self.id("00a1", "n")),
                ("legal_name", name()),
                ("display_name", name()),
                ("name_key", "'partner ' || n".to_owned()),
                ("status", "'ACTIVE'".to_owned()),
                ("version", "1".to_owned()),
                ("created_at", NOW.to_owned()),
                ("updated_at", NOW.to_owned()),
            ],
            source,
        )
        .await;
        for (kind, account) in OF_PARTNERS {
            let partner = self.id("00a1", "n");
            self.account(self.id(kind, "n"), account, partner, source)
                .await;
        }
        for (kind, account) in OF_THE_HOUSE {
            self.account(
                self.id(kind, "1"),
                account,
                "NULL".to_owned(),
                "series WHERE n = 1",
            )
            .await;
        }
    }

    async fn account(&self, id: String, kind: &str, partner: String, source: &str) {
        self.fill(
            "ledger_account",
            &[
                ("id", id),
                ("kind", format!("'{kind}'")),
                ("partner_id", partner),
                ("currency", "'USD'".to_owned()),
                ("balance_minor", "0".to_owned()),
                ("created_at", NOW.to_owned()),
                ("updated_at", NOW.to_owned()),
            ],
            source,
        )
        .await;
    }

    async fn deals(&self, source: &str) {
        self.fill(
            "deal",
            &[
                ("id", self.id("00b1", "n")),
                ("number", "'V-' || n".to_owned()),
                ("name", "'Deal ' || n".to_owned()),
                ("program_id", self.program.clone()),
                ("program_version_id", self.version.clone()),
                ("value_minor", "1000000".to_owned()),
                ("currency", "'USD'".to_owned()),
                ("stage", "'WON'".to_owned()),
                ("status", "'WON'".to_owned()),
                ("time_zone", "'UTC'".to_owned()),
                ("opened_at", NOW.to_owned()),
                ("closed_at", NOW.to_owned()),
                ("refunded_minor", "100000".to_owned()),
                ("version", "1".to_owned()),
                ("created_at", NOW.to_owned()),
                ("updated_at", NOW.to_owned()),
            ],
            source,
        )
        .await;
        self.fill(
            "deal_refund",
            &[
                ("id", self.id("00b2", "n")),
                ("deal_id", self.id("00b1", "n")),
                ("amount_minor", "100000".to_owned()),
                ("currency", "'USD'".to_owned()),
                ("reason", "'returned goods'".to_owned()),
                ("refunded_at", NOW.to_owned()),
                ("created_at", NOW.to_owned()),
            ],
            source,
        )
        .await;
        self.fill(
            "attribution_run",
            &[
                ("id", self.id("00b3", "n")),
                ("deal_id", self.id("00b1", "n")),
                ("program_version_id", self.version.clone()),
                ("model", "'LINEAR'".to_owned()),
                ("official", "TRUE".to_owned()),
                ("basis", "'TOUCHPOINTS'".to_owned()),
                ("value_minor", "1000000".to_owned()),
                ("currency", "'USD'".to_owned()),
                ("as_of", NOW.to_owned()),
                ("inputs_hash", "'none'".to_owned()),
                ("created_at", NOW.to_owned()),
            ],
            source,
        )
        .await;
    }

    /// Two partners of a deal, as expressions of its number.
    fn two(&self, partners: u32) -> [String; 2] {
        [0, 1].map(|offset| format!("(n + {offset}) % {partners} + 1"))
    }

    async fn lines(&self, source: &str, partners: u32) {
        for (place, partner) in self.two(partners).iter().enumerate() {
            let row = format!("2 * n + {place}");
            self.fill(
                "attribution_credit",
                &[
                    ("id", self.id("00b4", &row)),
                    ("run_id", self.id("00b3", "n")),
                    ("deal_id", self.id("00b1", "n")),
                    ("partner_id", self.id("00a1", partner)),
                    ("position", place.to_string()),
                    ("weight", "1".to_owned()),
                    ("share_ppm", "500000".to_owned()),
                    ("amount_minor", "500000".to_owned()),
                    ("currency", "'USD'".to_owned()),
                    ("touches", "1".to_owned()),
                ],
                source,
            )
            .await;
            let refund = self.id("00b2", "n");
            for (kind, id, amount, refund) in [
                ("EARNED", "00b5", "50000", "NULL"),
                ("CLAWBACK", "00b6", "-5000", refund.as_str()),
            ] {
                self.fill(
                    "accrual",
                    &[
                        ("id", self.id(id, &row)),
                        ("deal_id", self.id("00b1", "n")),
                        ("plan_id", self.plan.clone()),
                        ("component", "0".to_owned()),
                        ("partner_id", self.id("00a1", partner)),
                        ("program_id", self.program.clone()),
                        ("kind", format!("'{kind}'")),
                        ("amount_minor", amount.to_owned()),
                        ("currency", "'USD'".to_owned()),
                        ("weight", "1".to_owned()),
                        ("pool_minor", "100000".to_owned()),
                        ("refund_id", refund.to_owned()),
                        ("earned_at", NOW.to_owned()),
                        ("available_at", NOW.to_owned()),
                        ("created_at", NOW.to_owned()),
                    ],
                    source,
                )
                .await;
            }
        }
    }

    /// A transaction per row of the source, with these entries: kind of id, account, signed amount.
    async fn transactions(
        &self,
        kind: &str,
        (id, number): (&str, &str),
        (subject_type, subject): (&str, &str),
        entries: &[(&str, String, String)],
        source: &str,
    ) {
        self.fill(
            "ledger_transaction",
            &[
                ("id", self.id(id, number)),
                ("kind", format!("'{kind}'")),
                ("transaction_key", format!("'{kind}:' || {number}")),
                ("input_hash", "'none'".to_owned()),
                ("subject_type", format!("'{subject_type}'")),
                ("subject_id", self.id(subject, number)),
                ("effective_at", NOW.to_owned()),
                ("recorded_at", NOW.to_owned()),
                ("period", "'2026-03'".to_owned()),
            ],
            source,
        )
        .await;
        for (entry, account, amount) in entries {
            self.fill(
                "ledger_entry",
                &[
                    ("id", self.id(entry, number)),
                    ("transaction_id", self.id(id, number)),
                    ("account_id", account.clone()),
                    ("currency", "'USD'".to_owned()),
                    ("amount_minor", amount.clone()),
                ],
                source,
            )
            .await;
        }
    }

    async fn commission(&self, source: &str, partners: u32) {
        let [one, two] = self.two(partners);
        let text = str::to_owned;
        let won = [
            ("00e1", self.id("00d1", "1"), text("100000")),
            ("00e2", self.id("00c1", &one), text("-50000")),
            ("00e3", self.id("00c1", &two), text("-50000")),
        ];
        let deal = ("deal", "00b1");
        self.transactions("COMMISSION", ("00f1", "n"), deal, &won, source)
            .await;
        let back = [
            ("00e4", self.id("00d1", "1"), text("-10000")),
            ("00e5", self.id("00c2", &one), text("5000")),
            ("00e6", self.id("00c2", &two), text("5000")),
        ];
        self.transactions("CLAWBACK", ("00f2", "n"), deal, &back, source)
            .await;
    }

    /// One paid run with everything of the first so many partners.
    async fn payouts(&self, partners: u32) {
        self.fill(
            "payout_run",
            &[
                ("id", self.id("00a2", "1")),
                ("number", "'PR-1'".to_owned()),
                ("program_id", self.program.clone()),
                ("program_version_id", self.version.clone()),
                ("period_start", "'2026-03-01'".to_owned()),
                ("period_end", "'2026-03-31'".to_owned()),
                ("status", "'COMPLETED'".to_owned()),
                ("created_by", self.user.clone()),
                ("approved_by", self.literal(self.approver.uuid())),
                ("approved_at", NOW.to_owned()),
                ("executed_by", self.literal(self.approver.uuid())),
                ("executed_at", NOW.to_owned()),
                ("version", "1".to_owned()),
                ("created_at", NOW.to_owned()),
                ("updated_at", NOW.to_owned()),
            ],
            "series WHERE n = 1",
        )
        .await;
        let approver = self.approver;
        self.t
            .write(move |tx| {
                Box::pin(async move {
                    let run_id = PayoutRunId::of(uuid::Uuid::from_u128((0xa2 << 96) + 1));
                    for event in [
                        Event::PayoutRunApproved { run_id },
                        Event::PayoutRunExecuting { run_id },
                    ] {
                        audit::append_past(tx, &event, now(), Some(approver)).await?;
                    }
                    Ok(())
                })
            })
            .await
            .unwrap();
        let due = format!(
            "(SELECT s.n AS n, CAST(SUM(a.amount_minor) AS BIGINT) AS total, COUNT(*) AS lines, \
               CAST(SUM(CASE WHEN a.amount_minor > 0 THEN a.amount_minor ELSE 0 END) AS BIGINT) AS earned \
             FROM series s JOIN accrual a ON a.partner_id = {} WHERE s.n <= {partners} GROUP BY s.n) due",
            self.id("00a1", "s.n")
        );
        self.fill(
            "payout",
            &[
                ("id", self.id("00a3", "n")),
                ("number", "'PO-' || n".to_owned()),
                ("run_id", self.id("00a2", "1")),
                ("partner_id", self.id("00a1", "n")),
                ("amount_minor", "total".to_owned()),
                ("currency", "'USD'".to_owned()),
                ("line_count", "lines".to_owned()),
                ("status", "'PAID'".to_owned()),
                ("paid_at", NOW.to_owned()),
                ("version", "1".to_owned()),
                ("created_at", NOW.to_owned()),
                ("updated_at", NOW.to_owned()),
            ],
            &due,
        )
        .await;
        let account = |kind: &str| self.id(kind, "n");
        let text = str::to_owned;
        let approval = [
            ("00e7", account("00c1"), text("earned")),
            ("00e8", account("00c2"), text("total - earned")),
            ("00e9", account("00c3"), text("-total")),
        ];
        let start = [
            ("00ea", account("00c3"), text("total")),
            ("00eb", account("00c4"), text("-total")),
        ];
        let settlement = [
            ("00ec", account("00c4"), text("total")),
            ("00ed", self.id("00d2", "1"), text("-total")),
            ("00ee", self.id("00d3", "1"), text("total")),
            ("00ef", account("00c5"), text("-total")),
        ];
        for (kind, id, entries) in [
            ("PAYOUT_APPROVAL", "00f3", &approval as &[_]),
            ("PAYOUT_START", "00f4", &start),
            ("PAYOUT_SETTLEMENT", "00f5", &settlement),
        ] {
            let payout = ("payout", "00a3");
            self.transactions(kind, (id, "n"), payout, entries, &due)
                .await;
        }
        self.run("UPDATE accrual SET payout_id = payout.id FROM payout WHERE payout.partner_id = accrual.partner_id")
            .await;
    }

    /// So many business events, sealed as the schedule seals them.
    async fn trail(&self, rows: u32, deals: u32) {
        let (user, per_write) = (self.approver, 20_000);
        for first in (0..rows).step_by(per_write) {
            let last = rows.min(first + u32::try_from(per_write).unwrap());
            let write = move |tx: &'_ ensemble::tx::Tx| -> Vec<audit_event::ActiveModel> {
                let event = |n: u32| {
                    let deal_id = DealId::of(uuid::Uuid::from_u128(
                        (0xb1 << 96) + u128::from(n % deals + 1),
                    ));
                    let event = Event::DealWon { deal_id };
                    audit_event::ActiveModel {
                        id: Set(tx.id()),
                        at: Set(now()),
                        actor_kind: Set("USER".to_owned()),
                        actor_id: Set(Some(user)),
                        action: Set(event.name().to_owned()),
                        subject_type: Set(DealId::PREFIX.to_owned()),
                        subject_id: Set(deal_id.uuid()),
                        details: Set(event.payload().unwrap()),
                        request_id: Set(Some("test-request".to_owned())),
                        fingerprint: Set(None),
                    }
                };
                (first..last).map(event).collect()
            };
            self.t
                .write(move |tx| Box::pin(async move { tx.insert_all(write(tx)).await }))
                .await
                .unwrap();
        }
        while self
            .t
            .write(|tx| Box::pin(audit::seal(tx, 50_000)))
            .await
            .unwrap()
            > 0
        {}
    }

    /// What Ensemble computes when it writes: the content of every transaction, and the fingerprint of every row.
    async fn fingerprints(&self) {
        let db = self.t.app.db().reader();
        let on = match self.t.app.db().backend() {
            DbBackend::Postgres => " ON ledger_transaction",
            _ => "",
        };
        self.run(&format!("DROP TRIGGER ledger_transaction_no_update{on}"))
            .await;
        let accounts = ledger_account::Entity::find().all(db).await.unwrap();
        let accounts: HashMap<_, _> = accounts.into_iter().map(|row| (row.id, row)).collect();
        let mut after = LedgerTransactionId::of(uuid::Uuid::nil());
        loop {
            let chunk = ledger_transaction::Entity::find()
                .filter(ledger_transaction::Column::Id.gt(after))
                .order_by_asc(ledger_transaction::Column::Id)
                .limit(2_000)
                .all(db)
                .await
                .unwrap();
            let Some(last) = chunk.last().map(|row| row.id) else {
                break;
            };
            let entries = ledger_entry::Entity::find()
                .filter(ledger_entry::Column::TransactionId.gt(after))
                .filter(ledger_entry::Column::TransactionId.lte(last))
                .all(db)
                .await
                .unwrap();
            let mut postings: HashMap<LedgerTransactionId, Vec<Posting>> = HashMap::new();
            for entry in entries {
                let account = &accounts[&entry.account_id];
                postings
                    .entry(entry.transaction_id)
                    .or_default()
                    .push(Posting {
                        account: account.kind,
                        owner: account.partner_id.map(TypedId::uuid),
                        amount_minor: entry.amount_minor,
                    });
            }
            let hashes: Vec<String> = chunk
                .iter()
                .filter_map(|row| {
                    let content = Content {
                        kind: row.kind,
                        subject_type: &row.subject_type,
                        subject_id: row.subject_id,
                        effective_at: row.effective_at,
                        currency: Currency::USD,
                        postings: postings.get(&row.id)?,
                        key: &row.transaction_key,
                        recorded_at: row.recorded_at,
                        period: &row.period,
                        reverses: row.reverses_id,
                    };
                    (row.input_hash == "none")
                        .then(|| format!("({}, '{}')", self.uuid(row.id.uuid()), content.hash()))
                })
                .collect();
            if !hashes.is_empty() {
                self.run(&format!(
                    "UPDATE ledger_transaction SET input_hash = h.column2 FROM (VALUES {}) AS h WHERE id = h.column1",
                    hashes.join(",")
                ))
                .await;
            }
            after = last;
        }
        for table in TABLES.iter().filter(|table| table.name != "audit_event") {
            let mut after = uuid::Uuid::nil();
            loop {
                let rows = table
                    .read(db, after, 5_000, &Before::default())
                    .await
                    .unwrap();
                let Some(last) = rows.last().map(|row| row.id) else {
                    break;
                };
                let unknown = rows.into_iter().filter(|row| row.written.is_none());
                if table.kept == Kept::InTheRow {
                    let prints = unknown.filter_map(|row| {
                        let (id, print) = (self.uuid(row.id), self.uuid(row.now?));
                        Some(format!("({id}, {print})"))
                    });
                    let prints: Vec<_> = prints.collect();
                    if !prints.is_empty() {
                        self.run(&format!(
                            "UPDATE {} SET fingerprint = p.column2 FROM (VALUES {}) AS p WHERE id = p.column1",
                            table.name,
                            prints.join(",")
                        ))
                        .await;
                    }
                    after = last;
                    continue;
                }
                let prints: Vec<_> = unknown
                    .map(|row| row_fingerprint::Model {
                        row_id: row.id,
                        table_name: table.name.to_owned(),
                        fingerprint: row.now,
                    })
                    .collect();
                self.t
                    .write(move |tx| Box::pin(tx.insert_models(prints.clone())))
                    .await
                    .unwrap();
                after = last;
            }
        }
    }

    /// An id in a list of values, which PostgreSQL takes for a text otherwise.
    fn uuid(&self, id: uuid::Uuid) -> String {
        match self.t.app.db().backend() {
            DbBackend::Postgres => format!("'{id}'::uuid"),
            _ => self.literal(id),
        }
    }
}

const OF_PARTNERS: [(&str, &str); 5] = [
    ("00c1", "ACCRUED"),
    ("00c2", "CLAWBACK_RECEIVABLE"),
    ("00c3", "PAYABLE"),
    ("00c4", "IN_PAYOUT"),
    ("00c5", "PAID"),
];
const OF_THE_HOUSE: [(&str, &str); 3] = [
    ("00d1", "COMMISSION_EXPENSE"),
    ("00d2", "CASH"),
    ("00d3", "PAID"),
];

async fn a_million_entries_are_verified_within_a_minute(t: TestApp) {
    let entries = from_environment("ENSEMBLE_TEST_ENTRIES").unwrap_or(ENTRIES);
    let realm = Realm::open(&t, market(&t).await).await;
    let db = t.app.db().reader();
    let plan = realm
        .plan(json!({
            "name": "A tenth by credit", "clawbackDays": 3_660,
            "components": [{ "kind": "INFLUENCE_POOL", "ratePercent": "10" }],
        }))
        .await;
    let version = ensemble::entity::program_version::Entity::find()
        .all(db)
        .await
        .unwrap()
        .into_iter()
        .find(|version| version.program_id == realm.market.program)
        .unwrap();
    let mut press = Press {
        t: &t,
        program: String::new(),
        version: String::new(),
        plan: String::new(),
        user: String::new(),
        approver: realm.checker.id,
    };
    press.program = press.literal(realm.market.program.uuid());
    press.version = press.literal(version.id.uuid());
    press.plan = press.literal(plan.uuid());
    press.user = press.literal(realm.maker.id.uuid());
    let made = Instant::now();
    press
        .books(entries.div_ceil(6), (entries / 500).max(4))
        .await;
    press.fingerprints().await;
    let pressed = made.elapsed();
    let sealing = Instant::now();
    press.trail(entries, entries.div_ceil(6)).await;
    let sealed = sealing.elapsed();
    if t.app.db().backend() == DbBackend::Postgres {
        // As autovacuum would have done long ago.
        t.app
            .db()
            .maintenance()
            .execute_unprepared("ANALYZE")
            .await
            .unwrap();
    }
    let written = ledger_entry::Entity::find().count(db).await.unwrap();
    assert!(written >= u64::from(entries), "{written}");

    let started = Instant::now();
    let report = verify::verify(db).await.unwrap();
    let took = started.elapsed();
    assert!(report.is_clean(), "{report}");
    let events = audit_event::Entity::find().count(db).await.unwrap();
    assert_eq!(report.audit_head.position, i64::try_from(events).unwrap());
    assert!(events >= u64::from(entries));
    eprintln!(
        "{:?}: {written} entries and {events} audit rows verified in {took:.1?} (written in {pressed:.1?}, sealed in {sealed:.1?})",
        t.app.db().backend()
    );
    let fair = LIMIT.mul_f64(f64::from(entries.max(1_000_000)) / 1_000_000.0);
    assert!(took < fair, "{took:?}");
}
