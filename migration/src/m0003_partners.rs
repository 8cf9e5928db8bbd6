//! The partner directory and each partner's life.

crate::ddl::migration!("m0003_partners", sql: SQL, facts: ["partner_lifecycle_event"], tables: [
    "partner_lifecycle_event", "partner_attribute", "partner"
]);

const SQL: &str = r#"
CREATE TABLE partner (
    id {id} PRIMARY KEY,
    external_id TEXT UNIQUE,
    legal_name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    size TEXT,
    country CHAR(2),
    region TEXT,
    website TEXT,
    parent_id {id} REFERENCES partner (id),
    status TEXT NOT NULL,
    dpa_valid_until {date},
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL
)
;;
-- The directory by name, and by state.
CREATE INDEX partner_name ON partner (name_key, id)
;;
CREATE INDEX partner_status ON partner (status, id)
;;
CREATE INDEX partner_parent ON partner (parent_id, id)
;;
-- What a partner has several of: TYPE, COUNTRY, INDUSTRY, COMPETENCY.
CREATE TABLE partner_attribute (
    partner_id {id} NOT NULL REFERENCES partner (id),
    kind TEXT NOT NULL CHECK (kind IN ('TYPE', 'COUNTRY', 'INDUSTRY', 'COMPETENCY')),
    value TEXT NOT NULL,
    PRIMARY KEY (partner_id, kind, value)
)
;;
-- `partners(filter: {type: SI, country: "DE"})`.
CREATE INDEX partner_attribute_value ON partner_attribute (kind, value, partner_id)
;;
CREATE TABLE partner_lifecycle_event (
    id {id} PRIMARY KEY,
    partner_id {id} NOT NULL REFERENCES partner (id),
    action TEXT NOT NULL,
    from_status TEXT,
    to_status TEXT NOT NULL,
    actor_id {id},
    reason TEXT,
    at {time} NOT NULL
)
;;
CREATE INDEX partner_lifecycle_event_partner ON partner_lifecycle_event (partner_id, id)
"#;
