//! Technique without a business word: the job queue (outbox), schedules, idempotency keys and the audit trail.

crate::ddl::migration!("m0002_platform", sql: SQL, facts: ["audit_event", "audit_seal"], tables: [
    "audit_seal", "audit_event", "idempotency", "schedule_run", "job"
]);

const SQL: &str = r#"
-- Written in the transaction of the effect, worked off afterwards. A dedupe key makes enqueueing idempotent.
CREATE TABLE job (
    id {id} PRIMARY KEY,
    topic TEXT NOT NULL,
    payload {json} NOT NULL,
    dedupe_key TEXT UNIQUE,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'DONE', 'DEAD')),
    run_at {time} NOT NULL,
    attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    lease_until {time},
    lease_epoch INTEGER NOT NULL,
    last_error TEXT,
    request_id TEXT,
    created_at {time} NOT NULL,
    finished_at {time}
)
;;
-- What the worker claims next.
CREATE INDEX job_due ON job (run_at, id) WHERE status = 'PENDING'
;;
-- Dead letters for the operator.
CREATE INDEX job_dead ON job (id) WHERE status = 'DEAD'
;;
-- One row per due time of a scheduled job: whoever inserts it runs it.
CREATE TABLE schedule_run (
    schedule TEXT NOT NULL,
    scheduled_for {time} NOT NULL,
    started_at {time} NOT NULL,
    PRIMARY KEY (schedule, scheduled_for)
)
;;
CREATE TABLE idempotency (
    actor_id {id} NOT NULL,
    operation TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    input_hash TEXT NOT NULL,
    result {json} NOT NULL,
    created_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    PRIMARY KEY (actor_id, operation, idempotency_key)
)
;;
CREATE INDEX idempotency_expiry ON idempotency (expires_at)
;;
-- One row per business event, without personal data: only ids of subjects.
CREATE TABLE audit_event (
    id {id} PRIMARY KEY,
    at {time} NOT NULL,
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('USER', 'SYSTEM')),
    actor_id {id},
    action TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id {id} NOT NULL,
    details {json} NOT NULL,
    request_id TEXT
)
;;
CREATE INDEX audit_event_subject ON audit_event (subject_id, id)
;;
CREATE INDEX audit_event_actor ON audit_event (actor_id, id)
;;
CREATE INDEX audit_event_action ON audit_event (action, id)
;;
-- The hash chain over audit_event, appended by one background job.
CREATE TABLE audit_seal (
    position BIGINT PRIMARY KEY,
    audit_event_id {id} NOT NULL UNIQUE REFERENCES audit_event (id),
    hash TEXT NOT NULL,
    sealed_at {time} NOT NULL
)
"#;
