//! PostgreSQL through sqlx.

use axum::response::Response;
use sqlx::{PgPool, postgres::PgPoolOptions, query, query_as};

use super::{
    Base, CONNECTIONS, Fault, Row, With,
    register::{
        CandidateRow, Claim, FamilyRow, PlaceRow, Read, StandingRow, Written, eligible, refusal,
    },
};
use crate::Result;

/// Opens the pool.
pub async fn connect(url: &str) -> Result<PgPool> {
    let options = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .test_before_acquire(false);
    Ok(options.connect(url).await?)
}

impl Base for PgPool {
    async fn rows<T: Row>(&self, sql: &'static str, values: &[With]) -> Result<Vec<T>, Fault> {
        let mut query = query_as(sql);
        for value in values {
            query = match *value {
                With::Id(id) => query.bind(id),
                With::At(at) => query.bind(at),
            };
        }
        Ok(query.fetch_all(self).await?)
    }

    async fn submit(&self, claim: Claim) -> Result<Response, Fault> {
        let read = Read::of(claim);
        let mut tx = self.begin().await?;
        let standing: StandingRow = query_as(STANDING)
            .bind(read.claim.partner)
            .bind(read.now)
            .fetch_one(&mut *tx)
            .await?;
        if !eligible(&standing) {
            return Ok(refusal("LIMIT_REACHED"));
        }
        let (family, customer): FamilyRow = query_as(FAMILY_AND_CUSTOMER)
            .bind(read.claim.product)
            .bind(&read.domain)
            .fetch_one(&mut *tx)
            .await?;
        // The load names customers that exist.
        let Some(customer) = customer else {
            return Ok(refusal("NOT_FOUND"));
        };
        let candidates: Vec<CandidateRow> = query_as(CANDIDATES)
            .bind(&read.block_keys)
            .bind(customer)
            .fetch_all(&mut *tx)
            .await?;
        let alike = read.alike(&candidates, standing.7);
        let at: Vec<_> = [customer]
            .into_iter()
            .chain(alike.iter().map(|(id, _)| *id))
            .collect();
        let places: Vec<PlaceRow> = query_as(PLACES)
            .bind(&at)
            .bind(family)
            .fetch_all(&mut *tx)
            .await?;
        let Some(rows) = Written::of(&read, &standing, customer, &alike, &places) else {
            return Ok(refusal("CONFLICT"));
        };
        let claim = &read.claim;
        query(WRITE)
            .bind(rows.id)
            .bind(&rows.number)
            .bind(standing.2)
            .bind(standing.3)
            .bind(claim.partner)
            .bind(claim.user)
            .bind(customer)
            .bind(&claim.name)
            .bind(&claim.domain)
            .bind(&claim.country)
            .bind(claim.value_minor)
            .bind(claim.close)
            .bind(&standing.1)
            .bind(rows.outcome)
            .bind(&rows.reasons)
            .bind(read.now)
            .bind(rows.review_due_at)
            .bind(claim.product)
            .bind(claim.quantity)
            .bind(rows.protection)
            .bind(family)
            .bind(rows.event_id)
            .bind(&rows.event)
            .bind(&claim.key)
            .bind(rows.job)
            .bind(&claim.key)
            .bind(&rows.hash)
            .bind(&rows.result)
            .bind(&rows.job_payload)
            .bind(rows.expires_at)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(rows.answer())
    }
}

const STANDING: &str = "SELECT p.status, e.tier, v.program_id, v.id, (v.settings->>'reviewSlaHours')::bigint, \
    (SELECT (t->>'maxOpenRegistrations')::bigint FROM jsonb_array_elements(v.settings->'tiers') t WHERE t->>'key' = e.tier), \
    (SELECT COUNT(*) FROM deal_registration r WHERE r.partner_id = p.id AND r.program_id = v.program_id \
      AND r.status IN ('SUBMITTED', 'UNDER_REVIEW', 'INFO_REQUESTED', 'APPROVED')), \
    (v.settings#>>'{conflict,nameSimilarityPpm}')::integer \
    FROM partner p JOIN enrollment e ON e.partner_id = p.id JOIN program_version v ON v.program_id = e.program_id \
    WHERE p.id = $1 AND v.effective_from <= $2 ORDER BY v.effective_from DESC LIMIT 1 FOR NO KEY UPDATE OF p";
const FAMILY_AND_CUSTOMER: &str = "SELECT p.family_id, c.id FROM product p \
    LEFT JOIN customer c ON c.domain = $2 WHERE p.id = $1";
const CANDIDATES: &str = "SELECT c.id, c.name, c.domain, c.country, c.registration_number, c.phone FROM \
    (SELECT customer_id, COUNT(*) AS shared FROM customer_block_key WHERE block_key = ANY($1) AND customer_id <> $2 \
     GROUP BY customer_id ORDER BY shared DESC, customer_id LIMIT 300) k JOIN customer c ON c.id = k.customer_id";
const PLACES: &str = "SELECT customer_id, status, expires_at FROM protection \
    WHERE customer_id = ANY($1) AND family_id = $2 AND status <> 'ENDED'";
const WRITE: &str = "WITH registration AS (INSERT INTO deal_registration (id, number, program_id, program_version_id, partner_id, \
     submitted_by, customer_id, customer_name, customer_domain, customer_country, value_minor, currency, expected_close_on, \
     time_zone, contacts, tier, status, conflict_outcome, conflict_reasons, submitted_at, review_due_at, extensions, version, \
     created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'USD', $12, 'UTC', '[]', $13, 'SUBMITTED', \
     $14, $15::text::jsonb, $16, $17, 0, 1, $16, $16)), \
    line AS (INSERT INTO deal_registration_product (registration_id, product_id, quantity) VALUES ($1, $18, $19)), \
    place AS (INSERT INTO protection (id, registration_id, customer_id, family_id, partner_id, status, created_at) \
     VALUES ($20, $1, $7, $21, $5, 'PENDING', $16)), \
    trail AS (INSERT INTO audit_event (id, at, actor_kind, actor_id, action, subject_type, subject_id, details, request_id) \
     VALUES ($22, $16, 'USER', $6, 'deal_registration.submitted', 'registration', $1, $23::text::jsonb, $24)), \
    outbox AS (INSERT INTO job (id, topic, payload, status, run_at, attempts, max_attempts, lease_epoch, request_id, created_at) \
     VALUES ($25, 'event', $29::text::jsonb, 'PENDING', $16, 0, 12, 0, $24, $16)) \
    INSERT INTO idempotency (actor_id, operation, idempotency_key, input_hash, result, created_at, expires_at) \
     VALUES ($6, 'dealRegistrationSubmit', $26, $27, $28::text::jsonb, $16, $30)";
