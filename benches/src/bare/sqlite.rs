//! SQLite through rusqlite: a statement runs where it is asked for, without a thread of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, TransactionBehavior, params, params_from_iter, types::Value};
use uuid::Uuid;

use super::{
    Base, CONNECTIONS, Fault, Row, With,
    register::{
        CandidateRow, Claim, FamilyRow, PlaceRow, Read, StandingRow, Written, eligible, refusal,
    },
};
use crate::Result;

/// The file, open for many readers and one writer.
#[derive(Clone)]
pub struct Files {
    readers: Arc<Mutex<Vec<Connection>>>,
    writer: Arc<Mutex<Connection>>,
}

impl Files {
    /// Opens it.
    pub fn open(file: &str) -> Result<Self> {
        let readers: rusqlite::Result<Vec<_>> = (0..CONNECTIONS).map(|_| connect(file)).collect();
        Ok(Self {
            readers: Arc::new(Mutex::new(readers?)),
            writer: Arc::new(Mutex::new(connect(file)?)),
        })
    }
}

fn connect(file: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.execute_batch(
        "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL",
    )?;
    connection.set_prepared_statement_cache_capacity(100);
    Ok(connection)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn id(id: Uuid) -> Value {
    Value::Blob(id.as_bytes().to_vec())
}

/// As the tables keep instants.
fn at(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

impl Base for Files {
    async fn rows<T: Row>(&self, sql: &'static str, values: &[With]) -> Result<Vec<T>, Fault> {
        let reader = lock(&self.readers).pop();
        let reader = reader.ok_or("every reader is busy")?;
        let values = values.iter().map(|value| match *value {
            With::Id(uuid) => id(uuid),
            With::At(instant) => Value::Text(at(instant)),
        });
        // A name with a dollar counts by its first place in the statement.
        let rows = read(&reader, &sql.replace('$', "?"), values);
        lock(&self.readers).push(reader);
        Ok(rows?)
    }

    async fn submit(&self, claim: Claim) -> Result<Response, Fault> {
        let read = Read::of(claim);
        Ok(submit(&mut lock(&self.writer), &read)?)
    }
}

fn read<T: Row>(
    connection: &Connection,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| T::try_from(row))?;
    rows.collect()
}

fn submit(writer: &mut Connection, read: &Read) -> rusqlite::Result<Response> {
    let (claim, now) = (&read.claim, at(read.now));
    let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let standing: StandingRow = tx
        .prepare_cached(STANDING)?
        .query_row(params![claim.partner, now], |row| row.try_into())?;
    if !eligible(&standing) {
        return Ok(refusal("LIMIT_REACHED"));
    }
    let (family, customer): FamilyRow = tx
        .prepare_cached(FAMILY_AND_CUSTOMER)?
        .query_row(params![claim.product, read.domain], |row| row.try_into())?;
    // The load names customers that exist.
    let Some(customer) = customer else {
        return Ok(refusal("NOT_FOUND"));
    };
    let places = |count: usize| vec!["?"; count].join(",");
    let keys = read.block_keys.iter().map(|key| Value::Text(key.clone()));
    let candidates: Vec<CandidateRow> = self::read(
        &tx,
        &CANDIDATES.replace("KEYS", &places(read.block_keys.len())),
        keys.chain([id(customer)]),
    )?;
    let alike = read.alike(&candidates, standing.7);
    let customers = [customer]
        .into_iter()
        .chain(alike.iter().map(|(id, _)| *id));
    let held: Vec<(Uuid, String, Option<String>)> = {
        let mut statement =
            tx.prepare_cached(&PLACES.replace("CUSTOMERS", &places(alike.len() + 1)))?;
        let values = [id(family)].into_iter().chain(customers.map(id));
        let rows = statement.query_map(params_from_iter(values), |row| row.try_into())?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    let held: Vec<PlaceRow> = held
        .into_iter()
        .map(|(customer, status, until)| {
            (customer, status, until.and_then(|until| until.parse().ok()))
        })
        .collect();
    let Some(rows) = Written::of(read, &standing, customer, &alike, &held) else {
        return Ok(refusal("CONFLICT"));
    };
    tx.prepare_cached(REGISTRATION)?.execute(params![
        rows.id,
        rows.number,
        standing.2,
        standing.3,
        claim.partner,
        claim.user,
        customer,
        claim.name,
        claim.domain,
        claim.country,
        claim.value_minor,
        claim.close.to_string(),
        standing.1,
        rows.outcome,
        rows.reasons,
        now,
        at(rows.review_due_at),
    ])?;
    tx.prepare_cached("INSERT INTO deal_registration_product (registration_id, product_id, quantity) VALUES (?, ?, ?)")?
        .execute(params![rows.id, claim.product, claim.quantity])?;
    tx.prepare_cached(
        "INSERT INTO protection (id, registration_id, customer_id, family_id, partner_id, status, created_at) \
         VALUES (?, ?, ?, ?, ?, 'PENDING', ?)",
    )?
    .execute(params![rows.protection, rows.id, customer, family, claim.partner, now])?;
    tx.prepare_cached(
        "INSERT INTO audit_event (id, at, actor_kind, actor_id, action, subject_type, subject_id, details, request_id) \
         VALUES (?, ?, 'USER', ?, 'deal_registration.submitted', 'registration', ?, ?, ?)",
    )?
    .execute(params![rows.event_id, now, claim.user, rows.id, rows.event, claim.key])?;
    tx.prepare_cached(
        "INSERT INTO job (id, topic, payload, status, run_at, attempts, max_attempts, lease_epoch, request_id, created_at) \
         VALUES (?1, 'event', ?2, 'PENDING', ?3, 0, 12, 0, ?4, ?3)",
    )?
    .execute(params![rows.job, rows.job_payload, now, claim.key])?;
    tx.prepare_cached(
        "INSERT INTO idempotency (actor_id, operation, idempotency_key, input_hash, result, created_at, expires_at) \
         VALUES (?, 'dealRegistrationSubmit', ?, ?, ?, ?, ?)",
    )?
    .execute(params![claim.user, claim.key, rows.hash, rows.result, now, at(rows.expires_at)])?;
    tx.commit()?;
    Ok(rows.answer())
}

const STANDING: &str = "SELECT p.status, e.tier, v.program_id, v.id, v.settings->>'reviewSlaHours', \
    (SELECT t.value->>'maxOpenRegistrations' FROM json_each(v.settings, '$.tiers') t WHERE t.value->>'key' = e.tier), \
    (SELECT COUNT(*) FROM deal_registration r WHERE r.partner_id = p.id AND r.program_id = v.program_id \
      AND r.status IN ('SUBMITTED', 'UNDER_REVIEW', 'INFO_REQUESTED', 'APPROVED')), \
    v.settings->>'$.conflict.nameSimilarityPpm' \
    FROM partner p JOIN enrollment e ON e.partner_id = p.id JOIN program_version v ON v.program_id = e.program_id \
    WHERE p.id = ?1 AND v.effective_from <= ?2 ORDER BY v.effective_from DESC LIMIT 1";
const FAMILY_AND_CUSTOMER: &str =
    "SELECT p.family_id, c.id FROM product p LEFT JOIN customer c ON c.domain = ?2 WHERE p.id = ?1";
const CANDIDATES: &str = "SELECT c.id, c.name, c.domain, c.country, c.registration_number, c.phone FROM \
    (SELECT customer_id, COUNT(*) AS shared FROM customer_block_key WHERE block_key IN (KEYS) AND customer_id <> ? \
     GROUP BY customer_id ORDER BY shared DESC, customer_id LIMIT 300) k JOIN customer c ON c.id = k.customer_id";
const PLACES: &str = "SELECT customer_id, status, expires_at FROM protection \
    WHERE family_id = ? AND customer_id IN (CUSTOMERS) AND status <> 'ENDED'";
const REGISTRATION: &str = "INSERT INTO deal_registration (id, number, program_id, program_version_id, partner_id, \
    submitted_by, customer_id, customer_name, customer_domain, customer_country, value_minor, currency, \
    expected_close_on, time_zone, contacts, tier, status, conflict_outcome, conflict_reasons, submitted_at, \
    review_due_at, extensions, version, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, \
    'USD', ?12, 'UTC', '[]', ?13, 'SUBMITTED', ?14, ?15, ?16, ?17, 0, 1, ?16, ?16)";
