//! The questions, in SQL that both databases understand.

use super::Check;
use crate::{
    entity::ids::{
        AccrualId, AttributionRunId, DealId, IncentivePlanId, LedgerAccountId, LedgerEntryId,
        LedgerTransactionId, PartnerId, PaymentDetailsId, PayoutId, PayoutRunId, RebateEntryId,
    },
    platform::ids::TypedId,
};

/// Every promise of the ledger and of what feeds it.
pub(super) const ALL: &[Check] = &[
    Check {
        promise: "the entries of every transaction sum to zero per currency",
        prefix: LedgerTransactionId::PREFIX,
        rows: "SELECT COUNT(*) FROM ledger_entry",
        sql: "SELECT transaction_id AS id, currency || ' sums to ' || CAST(SUM(amount_minor) AS TEXT) AS detail \
              FROM ledger_entry GROUP BY transaction_id, currency HAVING SUM(amount_minor) <> 0",
    },
    Check {
        promise: "every transaction has entries",
        prefix: LedgerTransactionId::PREFIX,
        rows: "SELECT COUNT(*) FROM ledger_transaction",
        sql: "SELECT t.id AS id, 'has no entries' AS detail FROM ledger_transaction t \
              WHERE NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.transaction_id = t.id)",
    },
    Check {
        promise: "the balance of every account is the sum of its entries",
        prefix: LedgerAccountId::PREFIX,
        rows: "SELECT COUNT(*) FROM ledger_account",
        sql: "SELECT a.id AS id, 'balance ' || CAST(a.balance_minor AS TEXT) || ', entries ' || \
              CAST(COALESCE(s.total, 0) AS TEXT) AS detail FROM ledger_account a LEFT JOIN \
              (SELECT account_id, CAST(SUM(amount_minor) AS BIGINT) AS total FROM ledger_entry GROUP BY account_id) s \
              ON s.account_id = a.id WHERE a.balance_minor <> COALESCE(s.total, 0)",
    },
    Check {
        promise: "every entry is in the currency of its account",
        prefix: LedgerEntryId::PREFIX,
        rows: "SELECT COUNT(*) FROM ledger_entry",
        sql: "SELECT e.id AS id, e.currency || ' on an account in ' || a.currency AS detail \
              FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id WHERE e.currency <> a.currency",
    },
    Check {
        promise: "the accounts of every partner tie to its commission lines and payouts",
        prefix: PartnerId::PREFIX,
        rows: "SELECT COUNT(*) FROM accrual",
        sql: TIES,
    },
    Check {
        promise: "every payout is the sum of its lines, all of its partner and currency",
        prefix: PayoutId::PREFIX,
        rows: "SELECT COUNT(*) FROM payout",
        sql: "SELECT p.id AS id, p.number || ' of ' || CAST(p.amount_minor AS TEXT) || ' has ' || \
              CAST(COALESCE(s.lines, 0) AS TEXT) || ' lines of ' || CAST(COALESCE(s.total, 0) AS TEXT) AS detail \
              FROM payout p LEFT JOIN (SELECT l.payout_id, COUNT(*) AS lines, CAST(SUM(l.amount_minor) AS BIGINT) AS total, \
              SUM(CASE WHEN l.partner_id = q.partner_id AND l.currency = q.currency THEN 0 ELSE 1 END) AS foreign_lines \
              FROM accrual l JOIN payout q ON q.id = l.payout_id GROUP BY l.payout_id) s ON s.payout_id = p.id \
              WHERE CASE WHEN p.status = 'CANCELLED' THEN s.lines IS NOT NULL ELSE s.lines IS NULL \
              OR s.total <> p.amount_minor OR s.lines <> p.line_count OR s.foreign_lines <> 0 END",
    },
    Check {
        promise: "nobody is paid by a payout run of which he is an exception in that currency",
        prefix: PayoutId::PREFIX,
        rows: "SELECT COUNT(*) FROM payout_exception",
        sql: "SELECT p.id AS id, p.number || ' is of a partner who is an exception' AS detail FROM payout_exception x \
              JOIN payout p ON p.run_id = x.run_id AND p.partner_id = x.partner_id AND p.currency = x.currency",
    },
    Check {
        promise: "a payout has a date of payment exactly when it is paid",
        prefix: PayoutId::PREFIX,
        rows: "SELECT COUNT(*) FROM payout",
        sql: "SELECT id, status AS detail FROM payout WHERE (status = 'PAID') <> (paid_at IS NOT NULL)",
    },
    Check {
        promise: "the credit of every computation sums to the value it was computed from",
        prefix: AttributionRunId::PREFIX,
        rows: "SELECT COUNT(*) FROM attribution_run",
        sql: "SELECT r.id AS id, 'value ' || CAST(r.value_minor AS TEXT) || ', credit ' || \
              CAST(COALESCE(s.total, 0) AS TEXT) AS detail FROM attribution_run r LEFT JOIN \
              (SELECT run_id, CAST(SUM(amount_minor) AS BIGINT) AS total FROM attribution_credit GROUP BY run_id) s \
              ON s.run_id = r.id WHERE r.value_minor <> COALESCE(s.total, 0)",
    },
    Check {
        promise: "the volume and the rebate of every partner and period are the sums of their entries",
        prefix: PartnerId::PREFIX,
        rows: "SELECT COUNT(*) FROM rebate_volume",
        sql: "SELECT v.partner_id AS id, 'volume ' || CAST(v.volume_minor AS TEXT) || ' of ' || \
              CAST(COALESCE(s.volume, 0) AS TEXT) || ', rebate ' || CAST(v.rebate_minor AS TEXT) || ' of ' || \
              CAST(COALESCE(s.rebate, 0) AS TEXT) AS detail FROM rebate_volume v LEFT JOIN \
              (SELECT plan_id, component, partner_id, period_start, CAST(SUM(volume_minor) AS BIGINT) AS volume, \
              CAST(SUM(rebate_minor) AS BIGINT) AS rebate FROM rebate_entry \
              GROUP BY plan_id, component, partner_id, period_start) s ON s.plan_id = v.plan_id \
              AND s.component = v.component AND s.partner_id = v.partner_id AND s.period_start = v.period_start \
              WHERE v.volume_minor <> COALESCE(s.volume, 0) OR v.rebate_minor <> COALESCE(s.rebate, 0) \
              UNION ALL SELECT e.partner_id AS id, 'no volume, entries of ' || CAST(SUM(e.volume_minor) AS TEXT) AS detail \
              FROM rebate_entry e WHERE NOT EXISTS (SELECT 1 FROM rebate_volume v WHERE v.plan_id = e.plan_id \
              AND v.component = e.component AND v.partner_id = e.partner_id AND v.period_start = e.period_start) \
              GROUP BY e.plan_id, e.component, e.partner_id, e.period_start",
    },
    Check {
        promise: "the commission lines of every deal and refund add to a rebate what was counted of it",
        prefix: RebateEntryId::PREFIX,
        rows: "SELECT COUNT(*) FROM rebate_entry",
        sql: "SELECT e.id AS id, 'rebate ' || CAST(e.rebate_minor AS TEXT) || ', lines ' || \
              CAST(COALESCE(l.total, 0) AS TEXT) AS detail FROM rebate_entry e LEFT JOIN \
              (SELECT deal_id, plan_id, component, partner_id, refund_id, CAST(SUM(amount_minor) AS BIGINT) AS total \
              FROM accrual GROUP BY deal_id, plan_id, component, partner_id, refund_id) l ON l.deal_id = e.deal_id \
              AND l.plan_id = e.plan_id AND l.component = e.component AND l.partner_id = e.partner_id \
              AND (l.refund_id = e.refund_id OR (l.refund_id IS NULL AND e.refund_id IS NULL)) \
              WHERE e.rebate_minor <> COALESCE(l.total, 0)",
    },
    Check {
        promise: "the refunds of every deal sum to what it counts as refunded, and to no more than its value",
        prefix: DealId::PREFIX,
        rows: "SELECT COUNT(*) FROM deal",
        sql: "SELECT d.id AS id, d.number || ' refunded ' || CAST(d.refunded_minor AS TEXT) || ', refunds ' || \
              CAST(COALESCE(s.total, 0) AS TEXT) || ' of ' || CAST(d.value_minor AS TEXT) AS detail FROM deal d LEFT JOIN \
              (SELECT deal_id, CAST(SUM(amount_minor) AS BIGINT) AS total FROM deal_refund GROUP BY deal_id) s \
              ON s.deal_id = d.id \
              WHERE d.refunded_minor <> COALESCE(s.total, 0) OR COALESCE(s.total, 0) > d.value_minor",
    },
    Check {
        promise: "every deal whose credit counts says what the credit was computed from, and is won",
        prefix: DealId::PREFIX,
        rows: "SELECT COUNT(*) FROM attribution_run WHERE official AND superseded_at IS NULL",
        sql: "SELECT d.id AS id, d.number || ' is ' || d.status || ' at ' || CAST(d.value_minor AS TEXT) || ' ' || d.currency || \
              ', the credit is of ' || CAST(r.value_minor AS TEXT) || ' ' || r.currency AS detail \
              FROM attribution_run r JOIN deal d ON d.id = r.deal_id WHERE r.official AND r.superseded_at IS NULL \
              AND (d.status <> 'WON' OR d.value_minor <> r.value_minor OR d.currency <> r.currency \
              OR d.closed_at <> r.as_of OR d.program_version_id <> r.program_version_id)",
    },
    Check {
        promise: "every deal with credit has one computation that counts",
        prefix: DealId::PREFIX,
        rows: "SELECT COUNT(DISTINCT deal_id) FROM attribution_run WHERE official",
        sql: "SELECT deal_id AS id, 'has ' || CAST(SUM(CASE WHEN superseded_at IS NULL THEN 1 ELSE 0 END) AS TEXT) AS detail \
              FROM attribution_run WHERE official GROUP BY deal_id \
              HAVING SUM(CASE WHEN superseded_at IS NULL THEN 1 ELSE 0 END) <> 1",
    },
    Check {
        promise: "every commission line is of its deal: programme, currency and the day it was won",
        prefix: AccrualId::PREFIX,
        rows: "SELECT COUNT(*) FROM accrual",
        sql: "SELECT a.id AS id, 'is not of ' || d.number AS detail FROM accrual a JOIN deal d ON d.id = a.deal_id \
              WHERE d.status <> 'WON' OR a.program_id <> d.program_id OR a.currency <> d.currency \
              OR (a.kind IN ('EARNED', 'HOLDBACK') AND a.earned_at <> d.closed_at)",
    },
    Check {
        promise: "every payout run was approved, started and cancelled by whom and when the audit trail says",
        prefix: PayoutRunId::PREFIX,
        rows: "SELECT COUNT(*) FROM payout_run",
        sql: RUNS,
    },
    Check {
        promise: "every plan was activated and retired by whom and when the audit trail says",
        prefix: IncentivePlanId::PREFIX,
        rows: "SELECT COUNT(*) FROM incentive_plan",
        sql: PLANS,
    },
    Check {
        promise: "every payment is dated as its settlement in the ledger",
        prefix: PayoutId::PREFIX,
        rows: "SELECT COUNT(*) FROM payout WHERE paid_at IS NOT NULL",
        sql: "SELECT p.id AS id, 'has no settlement of its date of payment' AS detail FROM payout p \
              WHERE p.paid_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ledger_transaction t WHERE t.subject_id = p.id \
              AND t.kind = 'PAYOUT_SETTLEMENT' AND t.effective_at = p.paid_at)",
    },
    Check {
        promise: "every payment has the attempts and the reference recorded in the audit trail",
        prefix: PayoutId::PREFIX,
        rows: "SELECT COUNT(*) FROM payout",
        sql: ATTEMPTS,
    },
    Check {
        promise: "every partner is paid to the account that was set last",
        prefix: PaymentDetailsId::PREFIX,
        rows: "SELECT COUNT(*) FROM payment_details",
        sql: "SELECT id, CASE WHEN followed_at IS NULL THEN 'is the last and counts as replaced' \
              ELSE 'was followed by another and does not say so' END AS detail FROM \
              (SELECT id, replaced_at, LEAD(created_at) OVER (PARTITION BY partner_id ORDER BY id) AS followed_at \
              FROM payment_details) s WHERE replaced_at IS DISTINCT FROM followed_at",
    },
];

/// Per partner, currency and kind of account: what lines and payouts say should be there, against what is there.
///
/// Lines are signed as earned, balances as booked (owed to the partner is negative), so the two cancel out. A line
/// that no approved payout has claimed is accrued, held until its release, or receivable; from the approval on, the
/// payout speaks for its lines.
const TIES: &str = "SELECT partner_id AS id, kind || ' ' || currency || ' differs by ' || CAST(SUM(amount) AS TEXT) AS detail \
     FROM (\
       SELECT a.partner_id AS partner_id, a.currency AS currency, \
         CASE WHEN a.kind = 'CLAWBACK' THEN 'CLAWBACK_RECEIVABLE' WHEN a.kind = 'HOLDBACK' AND r.id IS NULL THEN 'HELD' \
         ELSE 'ACCRUED' END AS kind, a.amount_minor AS amount \
       FROM accrual a LEFT JOIN payout p ON p.id = a.payout_id \
       LEFT JOIN ledger_transaction r ON a.kind = 'HOLDBACK' AND r.subject_id = a.id AND r.kind = 'HOLDBACK_RELEASE' \
       WHERE p.id IS NULL OR p.status = 'REVIEW' \
       UNION ALL \
       SELECT partner_id, currency, CASE WHEN status = 'PAID' THEN 'PAID' WHEN status IN ('EXECUTING', 'UNKNOWN') \
         THEN 'IN_PAYOUT' ELSE 'PAYABLE' END, amount_minor FROM payout WHERE status NOT IN ('REVIEW', 'CANCELLED') \
       UNION ALL \
       SELECT partner_id, currency, kind, balance_minor FROM ledger_account WHERE partner_id IS NOT NULL\
     ) movements GROUP BY partner_id, currency, kind HAVING SUM(amount) <> 0";

/// Who approved, started and cancelled a run is in its columns and, sealed, in the audit trail. What is older than
/// fingerprints may be older than its events.
const RUNS: &str = "SELECT r.id AS id, r.number || ' is ' || r.status || ' and differs from the audit trail' AS detail \
     FROM payout_run r \
     LEFT JOIN audit_event a ON a.subject_id = r.id AND a.action = 'payout_run.approved' \
     LEFT JOIN audit_event c ON c.subject_id = r.id AND c.action = 'payout_run.cancelled' \
     LEFT JOIN row_fingerprint f ON f.row_id = r.id AND f.table_name = 'payout_run' \
     WHERE (a.id IS NOT NULL AND (r.approved_by IS DISTINCT FROM a.actor_id OR r.approved_at IS DISTINCT FROM a.at \
         OR r.status IN ('CALCULATING', 'REVIEW'))) \
       OR ((c.id IS NOT NULL) <> (r.status IN ('CANCELLING', 'CANCELLED')) AND f.fingerprint IS NOT NULL) \
       OR (a.id IS NULL AND f.fingerprint IS NOT NULL AND (r.approved_by IS NOT NULL OR r.approved_at IS NOT NULL \
         OR r.status NOT IN ('CALCULATING', 'REVIEW', 'CANCELLING', 'CANCELLED'))) \
       OR (r.executed_at IS NULL AND EXISTS (SELECT 1 FROM audit_event e WHERE e.subject_id = r.id \
         AND e.action = 'payout_run.executing')) \
       OR (f.fingerprint IS NOT NULL AND (r.executed_at IS NOT NULL OR r.executed_by IS NOT NULL) \
         AND NOT EXISTS (SELECT 1 FROM audit_event e WHERE e.subject_id = r.id AND e.action = 'payout_run.executing' \
           AND e.at = r.executed_at AND e.actor_id IS NOT DISTINCT FROM r.executed_by))";

/// A payment has one attempt, plus one for each retry; the provider's reference came with its answer.
const ATTEMPTS: &str = "SELECT p.id AS id, CASE WHEN p.attempt <> 1 + COALESCE(r.retries, 0) \
       THEN 'counts ' || CAST(p.attempt AS TEXT) || ' attempts instead of ' || CAST(1 + COALESCE(r.retries, 0) AS TEXT) \
       ELSE 'was paid under another reference than ' || COALESCE(p.provider_reference, 'none') END AS detail \
     FROM payout p \
     JOIN row_fingerprint f ON f.row_id = p.id AND f.table_name = 'payout' AND f.fingerprint IS NOT NULL \
     LEFT JOIN (SELECT subject_id, COUNT(*) AS retries FROM audit_event WHERE action = 'payout.retried' \
       GROUP BY subject_id) r ON r.subject_id = p.id \
     LEFT JOIN audit_event e ON e.subject_id = p.id AND e.action = 'payout.paid' \
     WHERE p.attempt <> 1 + COALESCE(r.retries, 0) \
       OR (p.status = 'PAID' AND e.details ->> 'reference' IS DISTINCT FROM p.provider_reference \
         AND e.details ->> 'reference' IS NOT NULL)";

/// The same for plans.
const PLANS: &str = "SELECT p.id AS id, p.status || ' ' || p.name || ' differs from the audit trail' AS detail \
     FROM incentive_plan p \
     LEFT JOIN audit_event a ON a.subject_id = p.id AND a.action = 'incentive_plan.activated' \
     LEFT JOIN row_fingerprint f ON f.row_id = p.id AND f.table_name = 'incentive_plan' \
     WHERE (a.id IS NOT NULL AND (p.activated_by IS DISTINCT FROM a.actor_id OR p.activated_at IS DISTINCT FROM a.at \
         OR p.status = 'DRAFT')) \
       OR (a.id IS NULL AND f.fingerprint IS NOT NULL AND (p.activated_by IS NOT NULL OR p.activated_at IS NOT NULL \
         OR p.status = 'ACTIVE')) \
       OR ((p.status = 'RETIRED') <> EXISTS (SELECT 1 FROM audit_event e WHERE e.subject_id = p.id \
         AND e.action = 'incentive_plan.retired') AND f.fingerprint IS NOT NULL)";
