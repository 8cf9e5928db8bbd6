//! The double-entry ledger. Debits are positive, credits negative; per transaction and currency entries sum to zero.

crate::ddl::migration!("m0008_ledger", sql: SQL, facts: ["ledger_transaction", "ledger_entry"], tables: [
    "ledger_entry", "ledger_transaction", "ledger_account"
]);

const SQL: &str = r#"
-- partner_id NULL is an account of the house. The balance is the cached sum of the account's entries.
CREATE TABLE ledger_account (
    id {id} PRIMARY KEY,
    kind TEXT NOT NULL,
    partner_id {id} REFERENCES partner (id),
    currency CHAR(3) NOT NULL,
    balance_minor {money:balance_minor} NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL
)
;;
CREATE UNIQUE INDEX ledger_account_partner ON ledger_account (partner_id, kind, currency) WHERE partner_id IS NOT NULL
;;
CREATE UNIQUE INDEX ledger_account_house ON ledger_account (kind, currency) WHERE partner_id IS NULL
;;
CREATE TABLE ledger_transaction (
    id {id} PRIMARY KEY,
    kind TEXT NOT NULL,
    transaction_key TEXT NOT NULL UNIQUE,
    input_hash TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id {id} NOT NULL,
    effective_at {time} NOT NULL,
    recorded_at {time} NOT NULL,
    period CHAR(7) NOT NULL,
    reverses_id {id} UNIQUE REFERENCES ledger_transaction (id)
)
;;
CREATE INDEX ledger_transaction_subject ON ledger_transaction (subject_id, id)
;;
CREATE TABLE ledger_entry (
    id {id} PRIMARY KEY,
    transaction_id {id} NOT NULL REFERENCES ledger_transaction (id),
    account_id {id} NOT NULL REFERENCES ledger_account (id),
    currency CHAR(3) NOT NULL,
    amount_minor {money:amount_minor} NOT NULL CHECK (amount_minor <> 0)
)
;;
CREATE INDEX ledger_entry_transaction ON ledger_entry (transaction_id)
;;
CREATE INDEX ledger_entry_account ON ledger_entry (account_id, id)
"#;
