//! A partner's tier is dated history. The past is filled from the audit trail, which has an event for every partner that
//! joined a programme or changed its tier there.

use crate::{ddl, m0020_fingerprints::refuse_replacing};
use sea_orm_migration::{
    prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager},
    sea_orm::{ConnectionTrait, Statement, prelude::Uuid},
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0042_tier_changes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, SQL).await?;
        fill(manager).await?;
        ddl::append_only(manager, &["tier_change"]).await?;
        ddl::refuse(manager, "tier_change", "TRUNCATE").await?;
        refuse_replacing(manager, "tier_change", &["id = NEW.id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, &["tier_change"]).await
    }
}

const SQL: &str = r#"
-- Which tier a partner has in a programme from an instant on, until its next change.
CREATE TABLE tier_change (
    id {id} PRIMARY KEY,
    enrollment_id {id} NOT NULL REFERENCES enrollment (id),
    program_id {id} NOT NULL REFERENCES program (id),
    partner_id {id} NOT NULL REFERENCES partner (id),
    tier TEXT NOT NULL,
    effective_from {time} NOT NULL,
    decided_by {id},
    created_at {time} NOT NULL
)
;;
CREATE INDEX tier_change_history ON tier_change (enrollment_id, effective_from, id)
"#;

/// Events name a programme by its public id. A row takes over the id of its event.
const OF_EVENTS: &str = "INSERT INTO tier_change \
     (id, enrollment_id, program_id, partner_id, tier, effective_from, decided_by, created_at) \
     SELECT a.id, e.id, e.program_id, e.partner_id, a.details ->> 'tier', a.at, a.actor_id, a.at \
     FROM audit_event a JOIN enrollment e ON e.partner_id = a.subject_id AND e.program_id = $1 \
     WHERE a.action = 'partner.enrolled' AND a.details ->> 'programId' = $2";

/// Enrolments that have no event were generated: the partner has had its tier since it joined.
const WITHOUT_EVENTS: &str = "INSERT INTO tier_change \
     (id, enrollment_id, program_id, partner_id, tier, effective_from, decided_by, created_at) \
     SELECT e.id, e.id, e.program_id, e.partner_id, e.tier, e.created_at, NULL, e.created_at FROM enrollment e \
     WHERE NOT EXISTS (SELECT 1 FROM tier_change c WHERE c.enrollment_id = e.id)";

/// Where the last event does not say the tier that the partner has, the enrolment is right.
const CORRECTED: &str = "INSERT INTO tier_change \
     (id, enrollment_id, program_id, partner_id, tier, effective_from, decided_by, created_at) \
     SELECT e.id, e.id, e.program_id, e.partner_id, e.tier, e.updated_at, NULL, e.updated_at FROM enrollment e \
     WHERE e.tier <> (SELECT c.tier FROM tier_change c WHERE c.enrollment_id = e.id \
       ORDER BY c.effective_from DESC, c.id DESC LIMIT 1)";

async fn fill(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let backend = connection.get_database_backend();
    let programs = Statement::from_string(backend, "SELECT id FROM program");
    for row in connection.query_all_raw(programs).await? {
        let program: Uuid = row.try_get("", "id")?;
        let values = [program.into(), public_id("program", program).into()];
        let fill = Statement::from_sql_and_values(backend, OF_EVENTS, values);
        connection.execute_raw(fill).await?;
    }
    connection.execute_unprepared(WITHOUT_EVENTS).await?;
    connection.execute_unprepared(CORRECTED).await?;
    Ok(())
}

/// The TypeID form of an id: its prefix and 26 characters of Crockford's base 32.
fn public_id(prefix: &str, id: Uuid) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bits = id.as_u128();
    let body = (0..26_u32).rev().map(|place| {
        let index = usize::try_from((bits >> (5 * place)) & 31).unwrap_or_default();
        char::from(ALPHABET[index])
    });
    format!("{prefix}_{}", body.collect::<String>())
}
