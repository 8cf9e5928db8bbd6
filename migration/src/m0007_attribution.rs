//! Touchpoints, and the credit computed from them.

crate::ddl::migration!("m0007_attribution", sql: SQL, facts: ["attribution_credit"], tables: [
    "attribution_credit", "attribution_run", "touchpoint"
]);

const SQL: &str = r#"
CREATE TABLE touchpoint (
    id {id} PRIMARY KEY,
    external_id TEXT UNIQUE,
    deal_id {id} NOT NULL REFERENCES deal (id),
    partner_id {id} NOT NULL REFERENCES partner (id),
    kind TEXT NOT NULL,
    phase TEXT NOT NULL,
    milestone TEXT,
    occurred_at {time} NOT NULL,
    evidence TEXT,
    status TEXT NOT NULL,
    corrects_id {id} UNIQUE REFERENCES touchpoint (id),
    recorded_by {id},
    recorded_by_partner {id},
    recorded_at {time} NOT NULL,
    verified_by {id},
    verified_at {time},
    rejection_reason TEXT,
    version BIGINT NOT NULL
)
;;
CREATE INDEX touchpoint_deal ON touchpoint (deal_id, occurred_at, id)
;;
CREATE INDEX touchpoint_partner ON touchpoint (partner_id, id)
;;
-- Append-only: what was claimed stays; a correction is a row of its own and a decision only moves the status.
CREATE TABLE attribution_run (
    id {id} PRIMARY KEY,
    deal_id {id} NOT NULL REFERENCES deal (id),
    program_version_id {id} NOT NULL REFERENCES program_version (id),
    model TEXT NOT NULL,
    official BOOLEAN NOT NULL,
    basis TEXT NOT NULL,
    value_minor {money:value_minor} NOT NULL,
    currency CHAR(3) NOT NULL,
    as_of {time} NOT NULL,
    inputs_hash TEXT NOT NULL,
    created_at {time} NOT NULL,
    superseded_at {time}
)
;;
-- One official result per deal at any time.
CREATE UNIQUE INDEX attribution_run_official ON attribution_run (deal_id) WHERE official AND superseded_at IS NULL
;;
CREATE INDEX attribution_run_deal ON attribution_run (deal_id, id)
;;
-- partner_id NULL is credit that stays with the vendor (unattributed).
CREATE TABLE attribution_credit (
    id {id} PRIMARY KEY,
    run_id {id} NOT NULL REFERENCES attribution_run (id),
    deal_id {id} NOT NULL REFERENCES deal (id),
    partner_id {id} REFERENCES partner (id),
    position INTEGER NOT NULL,
    weight BIGINT NOT NULL CHECK (weight >= 0),
    share_ppm INTEGER NOT NULL CHECK (share_ppm BETWEEN 0 AND 1000000),
    amount_minor {money:amount_minor} NOT NULL,
    currency CHAR(3) NOT NULL,
    touches INTEGER NOT NULL,
    UNIQUE (run_id, position)
)
;;
CREATE INDEX attribution_credit_deal ON attribution_credit (deal_id, run_id, position)
;;
CREATE INDEX attribution_credit_partner ON attribution_credit (partner_id, id)
"#;
