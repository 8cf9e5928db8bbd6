//! Registrations (a partner's claim, its review and its protection) and deals (the opportunity and its pipeline).

crate::ddl::migration!("m0006_deals", sql: SQL, facts: ["deal_stage_change", "deal_refund"], tables: [
    "deal_refund", "deal_stage_change", "deal_participant", "deal_product", "protection",
    "deal_registration_product", "deal_registration", "deal"
]);

const SQL: &str = r#"
CREATE TABLE deal (
    id {id} PRIMARY KEY,
    external_id TEXT UNIQUE,
    number TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    program_id {id} NOT NULL REFERENCES program (id),
    program_version_id {id} NOT NULL REFERENCES program_version (id),
    customer_id {id} REFERENCES customer (id),
    partner_id {id} REFERENCES partner (id),
    value_minor {money:value_minor} NOT NULL CHECK (value_minor >= 0),
    currency CHAR(3) NOT NULL,
    stage TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('OPEN', 'WON', 'LOST')),
    time_zone TEXT NOT NULL,
    expected_close_on {date},
    opened_at {time} NOT NULL,
    closed_at {time},
    loss_reason TEXT,
    loss_detail TEXT,
    competitor TEXT,
    refunded_minor {money:refunded_minor} NOT NULL,
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    CHECK (refunded_minor BETWEEN 0 AND value_minor),
    CHECK ((status = 'OPEN') = (closed_at IS NULL))
)
;;
-- The lists of deals: all, by state, by partner, by customer.
CREATE INDEX deal_status ON deal (status, id)
;;
CREATE INDEX deal_partner ON deal (partner_id, id)
;;
CREATE INDEX deal_customer ON deal (customer_id, id)
;;
-- Batches over the won deals of a programme, in the order in which they were won.
CREATE INDEX deal_program_closed ON deal (program_id, status, closed_at, id)
;;
CREATE TABLE deal_product (
    deal_id {id} NOT NULL REFERENCES deal (id),
    product_id {id} NOT NULL REFERENCES product (id),
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (deal_id, product_id)
)
;;
CREATE TABLE deal_registration (
    id {id} PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    program_id {id} NOT NULL REFERENCES program (id),
    program_version_id {id} NOT NULL REFERENCES program_version (id),
    partner_id {id} NOT NULL REFERENCES partner (id),
    submitted_by {id} NOT NULL,
    customer_id {id} NOT NULL REFERENCES customer (id),
    customer_name TEXT NOT NULL,
    customer_domain TEXT,
    customer_country CHAR(2),
    value_minor {money:value_minor} NOT NULL CHECK (value_minor > 0),
    currency CHAR(3) NOT NULL,
    expected_close_on {date} NOT NULL,
    time_zone TEXT NOT NULL,
    need TEXT,
    competitor TEXT,
    contacts {json} NOT NULL,
    tier TEXT NOT NULL,
    status TEXT NOT NULL,
    conflict_outcome TEXT NOT NULL,
    conflict_reasons {json} NOT NULL,
    submitted_at {time} NOT NULL,
    review_due_at {time} NOT NULL,
    question TEXT,
    question_at {time},
    answer TEXT,
    decided_by {id},
    decided_at {time},
    rejection_reason TEXT,
    decision_note TEXT,
    protected_until {time},
    reminder_due_at {time},
    extensions INTEGER NOT NULL,
    extended_at {time},
    extension_evidence TEXT,
    deal_id {id} UNIQUE REFERENCES deal (id),
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL
)
;;
CREATE INDEX deal_registration_partner ON deal_registration (partner_id, id)
;;
-- The approver's queue, oldest promise first.
CREATE INDEX deal_registration_status ON deal_registration (status, id)
;;
CREATE INDEX deal_registration_customer ON deal_registration (customer_id, id)
;;
-- Lists of a period.
CREATE INDEX deal_registration_submitted ON deal_registration (submitted_at)
;;
-- Which partner is to be reminded next.
CREATE INDEX deal_registration_reminder ON deal_registration (reminder_due_at) WHERE reminder_due_at IS NOT NULL
;;
CREATE TABLE deal_registration_product (
    registration_id {id} NOT NULL REFERENCES deal_registration (id),
    product_id {id} NOT NULL REFERENCES product (id),
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (registration_id, product_id)
)
;;
-- The place a registration holds per customer and product family: PENDING from submission, ACTIVE from approval.
CREATE TABLE protection (
    id {id} PRIMARY KEY,
    registration_id {id} NOT NULL REFERENCES deal_registration (id),
    customer_id {id} NOT NULL REFERENCES customer (id),
    family_id {id} NOT NULL REFERENCES product_family (id),
    partner_id {id} NOT NULL REFERENCES partner (id),
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'ENDED')),
    expires_at {time},
    ended_at {time},
    created_at {time} NOT NULL,
    CHECK ((status = 'ENDED') = (ended_at IS NOT NULL)),
    CHECK ((status = 'ACTIVE') <= (expires_at IS NOT NULL))
)
;;
-- The promise itself: one open protection per customer and product family, under any number of callers.
CREATE UNIQUE INDEX protection_open ON protection (customer_id, family_id) WHERE status <> 'ENDED'
;;
CREATE INDEX protection_registration ON protection (registration_id)
;;
-- What expires next.
CREATE INDEX protection_expiry ON protection (expires_at) WHERE status = 'ACTIVE'
;;
CREATE TABLE deal_participant (
    id {id} PRIMARY KEY,
    deal_id {id} NOT NULL REFERENCES deal (id),
    partner_id {id} NOT NULL REFERENCES partner (id),
    role TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('INVITED', 'ACCEPTED', 'DECLINED', 'EXPIRED', 'REMOVED')),
    scope TEXT,
    invited_by {id},
    invited_at {time} NOT NULL,
    expires_at {time},
    accepted_at {time},
    ended_at {time},
    end_reason TEXT,
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL
)
;;
-- A partner holds a role on a deal once, and a deal has one reseller of record.
CREATE UNIQUE INDEX deal_participant_role ON deal_participant (deal_id, partner_id, role)
    WHERE status IN ('INVITED', 'ACCEPTED')
;;
CREATE UNIQUE INDEX deal_participant_reseller ON deal_participant (deal_id)
    WHERE role = 'RESELLER' AND status IN ('INVITED', 'ACCEPTED')
;;
CREATE INDEX deal_participant_partner ON deal_participant (partner_id, deal_id)
;;
CREATE INDEX deal_participant_deal ON deal_participant (deal_id, id)
;;
-- Which invitation lapses next.
CREATE INDEX deal_participant_invitation ON deal_participant (expires_at) WHERE status = 'INVITED'
;;
CREATE TABLE deal_stage_change (
    id {id} PRIMARY KEY,
    deal_id {id} NOT NULL REFERENCES deal (id),
    from_stage TEXT,
    to_stage TEXT NOT NULL,
    actor_id {id},
    at {time} NOT NULL
)
;;
CREATE INDEX deal_stage_change_deal ON deal_stage_change (deal_id, id)
;;
CREATE TABLE deal_refund (
    id {id} PRIMARY KEY,
    deal_id {id} NOT NULL REFERENCES deal (id),
    amount_minor {money:amount_minor} NOT NULL CHECK (amount_minor > 0),
    currency CHAR(3) NOT NULL,
    reason TEXT NOT NULL,
    refunded_at {time} NOT NULL,
    actor_id {id},
    created_at {time} NOT NULL
)
;;
CREATE INDEX deal_refund_deal ON deal_refund (deal_id, id)
"#;
