//! The audit trail: one row per business event, sealed into a hash chain by a background job.
//!
//! Rows carry ids, never personal data, so a person can be erased and the chain still verifies. The seal is a
//! table of its own: the position and hash of each row, each hash over the one before it. A chain shows what was altered
//! inside it, not that its end was cut off: for that somebody notes its [`Head`] elsewhere.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, Order, QueryFilter,
    QueryOrder, QuerySelect,
};
use sha2::{Digest, Sha256};

use crate::{
    entity::{
        audit_event, audit_seal,
        ids::{AuditEventId, UserId},
    },
    error::Result,
    events::Event,
    platform::ids,
    tx::Tx,
};

/// Writes what a unit of work leaves behind for verification: the rows of its events, and the fingerprints of what it
/// wrote.
///
/// # Errors
/// The database failed.
pub async fn append(tx: &Tx, events: &[Event]) -> Result<()> {
    let (actor, now) = (tx.actor().user_id(), tx.now());
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        let row = row(tx.id(), now, actor, event)?;
        rows.push(audit_event::ActiveModel {
            request_id: Set(tx.request_id().map(str::to_owned)),
            ..row
        });
    }
    tx.insert_all(rows).await?;
    tx.insert_models(tx.take_fingerprints()).await
}

/// Writes the row of an event of the past, of which nobody is notified: for data that is generated.
///
/// # Errors
/// The database failed.
pub async fn append_past(
    tx: &Tx,
    event: &Event,
    at: DateTime<Utc>,
    actor: Option<UserId>,
) -> Result<()> {
    let row = row(tx.id(), at, actor, event)?;
    tx.insert(row).await
}

fn row(
    id: AuditEventId,
    at: DateTime<Utc>,
    actor: Option<UserId>,
    event: &Event,
) -> Result<audit_event::ActiveModel> {
    let (subject_type, subject_id) = event.subject();
    let kind = if actor.is_some() { "USER" } else { "SYSTEM" };
    Ok(audit_event::ActiveModel {
        id: Set(id),
        at: Set(at),
        actor_kind: Set(kind.to_owned()),
        actor_id: Set(actor),
        action: Set(event.name().to_owned()),
        subject_type: Set(subject_type.to_owned()),
        subject_id: Set(subject_id),
        details: Set(event.payload()?),
        request_id: Set(None),
        fingerprint: Set(None),
    })
}

/// Seals up to `limit` rows that are not in the chain yet; returns how many.
///
/// # Errors
/// The database failed.
pub async fn seal(tx: &Tx, limit: u64) -> Result<u64> {
    seal_since(tx, DateTime::UNIX_EPOCH, limit).await
}

/// The same for rows that happened at an instant or later: it looks at no older ones, however many there are. A unit of
/// work that was under way for longer is left to [`seal`].
///
/// # Errors
/// The database failed.
pub async fn seal_since(tx: &Tx, since: DateTime<Utc>, limit: u64) -> Result<u64> {
    if tx.backend() == DbBackend::Postgres {
        // Two processes whose clocks differ may seal for different due times at once: one goes on where the other ends.
        tx.execute_unprepared("LOCK TABLE audit_seal IN SHARE ROW EXCLUSIVE MODE")
            .await?;
    }
    let last = audit_seal::Entity::find()
        .order_by(audit_seal::Column::Position, Order::Desc)
        .one(tx)
        .await?;
    let (mut position, mut previous) =
        last.map_or((0, String::new()), |seal| (seal.position, seal.hash));
    let unsealed = audit_event::Entity::find()
        .left_join(audit_seal::Entity)
        .filter(audit_seal::Column::Position.is_null())
        .filter(audit_event::Column::Id.gte(AuditEventId(ids::first_at(since))))
        .order_by_asc(audit_event::Column::Id)
        .limit(limit)
        .all(tx)
        .await?;
    let mut seals = Vec::with_capacity(unsealed.len());
    for event in &unsealed {
        position += 1;
        previous = hash(&previous, event);
        seals.push(audit_seal::ActiveModel {
            position: Set(position),
            audit_event_id: Set(event.id),
            hash: Set(previous.clone()),
            sealed_at: Set(tx.now()),
        });
    }
    tx.insert_all(seals).await?;
    Ok(u64::try_from(unsealed.len()).unwrap_or(u64::MAX))
}

/// Walks the chain and names the first position at which it breaks.
///
/// # Errors
/// The database failed.
pub async fn verify<C: ConnectionTrait>(db: &C) -> Result<Chain> {
    let mut head = Head::default();
    loop {
        let seals = audit_seal::Entity::find()
            .find_also_related(audit_event::Entity)
            .filter(audit_seal::Column::Position.gt(head.position))
            .order_by_asc(audit_seal::Column::Position)
            .limit(1_000)
            .all(db)
            .await?;
        if seals.is_empty() {
            return Ok(Chain {
                head,
                broken_at: None,
            });
        }
        for (seal, event) in seals {
            let next = head.position + 1;
            let expected = event.as_ref().map(|event| hash(&head.digest, event));
            if seal.position != next || expected.as_deref() != Some(seal.hash.as_str()) {
                return Ok(Chain {
                    head,
                    broken_at: Some(next),
                });
            }
            head = Head {
                position: next,
                digest: seal.hash,
            };
        }
    }
}

/// What the trail has at the position of a head now; nothing when it ends before it.
///
/// # Errors
/// The database failed.
pub async fn at<C: ConnectionTrait>(db: &C, position: i64) -> Result<Option<Head>> {
    let seal = audit_seal::Entity::find_by_id(position).one(db).await?;
    Ok(seal.map(|seal| Head {
        position,
        digest: seal.hash,
    }))
}

/// What a walk over the chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The end of what is intact from the beginning.
    pub head: Head,
    /// The first position whose row or seal was altered or removed.
    pub broken_at: Option<i64>,
}

/// The end of a sealed trail: how many rows it holds and the digest over all of them, as `POSITION:DIGEST`. Kept where
/// the database's owner cannot reach, it tells later whether any of these rows was altered or cut off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The position of the last row; 0 when none is sealed.
    pub position: i64,
    /// Its hash, which is over the hash before it.
    pub digest: String,
}

/// A text is not a head.
#[derive(Debug, thiserror::Error)]
#[error("a head is a position and a digest, such as 1204:9f86d081…, as `ensemble verify` tells it")]
pub struct NotAHead;

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.position, self.digest)
    }
}

impl FromStr for Head {
    type Err = NotAHead;

    fn from_str(text: &str) -> std::result::Result<Self, NotAHead> {
        let (position, digest) = text.trim().split_once(':').ok_or(NotAHead)?;
        let position = position.parse().map_err(|_| NotAHead)?;
        let whole = digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit());
        if position < 1 || !whole {
            return Err(NotAHead);
        }
        Ok(Self {
            position,
            digest: digest.to_ascii_lowercase(),
        })
    }
}

fn hash(previous: &str, event: &audit_event::Model) -> String {
    // Length-prefixed fields: no two different rows give the same text.
    let mut text = String::new();
    let at = event.at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let actor = event.actor_id.map(|id| id.to_string()).unwrap_or_default();
    let details = canonical(&event.details);
    for field in [
        previous,
        &event.id.to_string(),
        &at,
        &event.actor_kind,
        &actor,
        &event.action,
        &event.subject_type,
        &event.subject_id.to_string(),
        &details,
        event.request_id.as_deref().unwrap_or_default(),
    ] {
        let _ = write!(text, "{}:{field};", field.len());
    }
    hex(&Sha256::digest(text.as_bytes()))
}

/// JSON with sorted keys and no spaces: the same text whatever a database does to a document.
#[must_use]
pub fn canonical(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            let fields: Vec<_> = entries
                .into_iter()
                .map(|(key, value)| {
                    format!(
                        "{}:{}",
                        serde_json::Value::from(key.as_str()),
                        canonical(value)
                    )
                })
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        serde_json::Value::Array(items) => {
            let items: Vec<_> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        scalar => scalar.to_string(),
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// SHA-256 of a text, in hexadecimal.
#[must_use]
pub fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}
