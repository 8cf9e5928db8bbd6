//! Payout runs: calculated, reviewed by a second person, executed through a provider.

crate::ddl::migration!("m0009_payouts", sql: SQL, facts: ["payout_exception"], tables: [
    "payout_exception", "payout", "payout_run"
]);

const SQL: &str = r#"
CREATE TABLE payout_run (
    id {id} PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    program_id {id} NOT NULL REFERENCES program (id),
    program_version_id {id} NOT NULL REFERENCES program_version (id),
    period_start {date} NOT NULL,
    period_end {date} NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('REVIEW', 'APPROVED', 'EXECUTING', 'COMPLETED', 'PARTIALLY_FAILED', 'CANCELLED')),
    created_by {id} NOT NULL,
    approved_by {id},
    approved_at {time},
    executed_by {id},
    executed_at {time},
    completed_at {time},
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    CHECK (approved_by IS NULL OR approved_by <> created_by),
    CHECK (period_start <= period_end)
)
;;
CREATE INDEX payout_run_program ON payout_run (program_id, id)
;;
CREATE INDEX payout_run_status ON payout_run (status, id)
;;
-- One payment to one partner in one currency. The provider's key is this id, for ever.
CREATE TABLE payout (
    id {id} PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    run_id {id} NOT NULL REFERENCES payout_run (id),
    partner_id {id} NOT NULL REFERENCES partner (id),
    amount_minor {money:amount_minor} NOT NULL CHECK (amount_minor > 0),
    currency CHAR(3) NOT NULL,
    line_count BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('REVIEW', 'APPROVED', 'EXECUTING', 'PAID', 'FAILED', 'UNKNOWN', 'CANCELLED')),
    provider TEXT,
    provider_reference TEXT,
    failure TEXT,
    paid_at {time},
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    UNIQUE (run_id, partner_id, currency)
)
;;
CREATE INDEX payout_partner ON payout (partner_id, id)
;;
CREATE INDEX payout_status ON payout (status, id)
;;
-- Who is not paid by a run, how much waits, and why.
CREATE TABLE payout_exception (
    id {id} PRIMARY KEY,
    run_id {id} NOT NULL REFERENCES payout_run (id),
    partner_id {id} NOT NULL REFERENCES partner (id),
    currency CHAR(3) NOT NULL,
    amount_minor {money:amount_minor} NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (run_id, partner_id, currency)
)
;;
CREATE INDEX payout_exception_partner ON payout_exception (partner_id, id)
"#;
