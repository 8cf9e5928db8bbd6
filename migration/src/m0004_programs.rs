//! Programmes, whose rules are versioned documents, the partners enrolled in them, and the catalogue.

crate::ddl::migration!("m0004_programs", sql: SQL, facts: [], tables: [
    "product", "product_family", "enrollment", "program_version", "program"
]);

const SQL: &str = r#"
CREATE TABLE program (
    id {id} PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL CHECK (status IN ('ACTIVE', 'RETIRED')),
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL
)
;;
-- The rules in force from effective_from until the next version begins.
CREATE TABLE program_version (
    id {id} PRIMARY KEY,
    program_id {id} NOT NULL REFERENCES program (id),
    number INTEGER NOT NULL,
    effective_from {time} NOT NULL,
    settings {json} NOT NULL,
    created_by {id},
    created_at {time} NOT NULL,
    UNIQUE (program_id, number),
    UNIQUE (program_id, effective_from)
)
;;
CREATE TABLE enrollment (
    id {id} PRIMARY KEY,
    program_id {id} NOT NULL REFERENCES program (id),
    partner_id {id} NOT NULL REFERENCES partner (id),
    tier TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    UNIQUE (program_id, partner_id)
)
;;
CREATE INDEX enrollment_partner ON enrollment (partner_id, id)
;;
CREATE TABLE product_family (
    id {id} PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at {time} NOT NULL
)
;;
CREATE TABLE product (
    id {id} PRIMARY KEY,
    external_id TEXT UNIQUE,
    sku TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    family_id {id} NOT NULL REFERENCES product_family (id),
    list_price_minor {money:list_price_minor},
    currency CHAR(3),
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    CHECK ((list_price_minor IS NULL) = (currency IS NULL))
)
;;
CREATE INDEX product_family_member ON product (family_id, id)
"#;
