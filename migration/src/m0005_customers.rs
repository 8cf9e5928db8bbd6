//! End customers: one record each, found again by domain or name.

crate::ddl::migration!("m0005_customers", sql: SQL, facts: [], tables: ["customer_block_key", "customer"]);

const SQL: &str = r#"
CREATE TABLE customer (
    id {id} PRIMARY KEY,
    external_id TEXT UNIQUE,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    domain TEXT,
    country CHAR(2),
    industry TEXT,
    registration_number TEXT,
    phone TEXT,
    employees BIGINT,
    parent_id {id} REFERENCES customer (id),
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL
)
;;
-- One customer per registrable domain, whatever its spelling: what makes protection race-proof.
CREATE UNIQUE INDEX customer_domain ON customer (domain) WHERE domain IS NOT NULL
;;
-- Without a domain the normalised name and the country are the identity.
CREATE UNIQUE INDEX customer_name ON customer (name_key, country) WHERE domain IS NULL AND country IS NOT NULL
;;
CREATE UNIQUE INDEX customer_name_only ON customer (name_key) WHERE domain IS NULL AND country IS NULL
;;
CREATE INDEX customer_by_name ON customer (name_key, id)
;;
CREATE INDEX customer_registration_number ON customer (registration_number) WHERE registration_number IS NOT NULL
;;
CREATE INDEX customer_phone ON customer (phone) WHERE phone IS NOT NULL
;;
CREATE INDEX customer_parent ON customer (parent_id, id)
;;
-- A few exact-match keys per name: candidates of a fuzzy match come from an index, never from a scan.
CREATE TABLE customer_block_key (
    block_key TEXT NOT NULL,
    customer_id {id} NOT NULL REFERENCES customer (id),
    PRIMARY KEY (block_key, customer_id)
)
;;
CREATE INDEX customer_block_key_customer ON customer_block_key (customer_id)
"#;
