//! The audit trail, as administrators and auditors read it.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context, Enum, ID, InputObject, Json, Object, SimpleObject, dataloader::Loader,
};

use super::user::User;
use crate::{
    access::Action,
    connection,
    entity::{audit_event, ids::AuditEventId},
    error::Result,
    graphql::{
        context::{ContextExt, LoadError, Rows, id},
        errors::top_level,
        paging::{self, DateTimeFilter, Direction, PageArgs, Sort},
        scalars::{BigInt, DateTime},
    },
    identity::trail::{self, Wanted},
    platform::{audit, ids},
};

/// Who acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ActorKind {
    /// A signed-in person.
    User,
    /// The server: a schedule, an import, the command line, or somebody who was not signed in yet.
    System,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct AuditEvent(pub audit_event::Model);

/// Something that happened, kept for good and sealed into a hash chain within seconds. It names objects by their ids
/// only.
#[Object]
impl AuditEvent {
    /// The event's id, such as `audit_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// When it happened.
    fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// Who acted: a person or the server.
    fn actor_kind(&self) -> ActorKind {
        if self.0.actor_id.is_some() {
            ActorKind::User
        } else {
            ActorKind::System
        }
    }

    /// The person who acted; null when it was the server.
    async fn actor(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<User>> {
        let actor = User::mentioned(ctx, self.0.actor_id?).await;
        actor.map_err(top_level).transpose()
    }

    /// What happened, such as `deal.won`.
    fn action(&self) -> &str {
        &self.0.action
    }

    /// The kind of object it happened to: the prefix of its id, such as `deal`.
    fn subject_type(&self) -> &str {
        &self.0.subject_type
    }

    /// The object it happened to.
    fn subject_id(&self) -> ID {
        ids::encode(&self.0.subject_type, self.0.subject_id).into()
    }

    /// Further facts of the event, by ids and without personal data.
    fn details(&self) -> Json<serde_json::Value> {
        Json(self.0.details.clone())
    }

    /// The request that caused it, as in its header `x-request-id`; null when the server acted by itself.
    fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The place in the hash chain, counted from 1; null in the first seconds, until it is sealed.
    async fn sealed_position(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<BigInt>> {
        let position = ctx.loaders().load_one(SealOf(self.0.id)).await;
        position
            .map_err(top_level)
            .map(|position| position.map(BigInt))
            .transpose()
    }
}

/// The place of a row in the hash chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SealOf(pub AuditEventId);

impl Loader<SealOf> for Rows {
    type Value = i64;
    type Error = LoadError;

    async fn load(&self, keys: &[SealOf]) -> Result<HashMap<SealOf, i64>, LoadError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let seals = trail::seals(&self.db, &ids).await.map_err(Arc::new)?;
        Ok(seals
            .into_iter()
            .map(|(id, position)| (SealOf(id), position))
            .collect())
    }
}

connection!(AuditEventConnection, AuditEventEdge, AuditEvent);

/// Which events to list; conditions are combined by "and".
#[derive(Clone, Debug, Default, InputObject)]
pub struct AuditEventFilter {
    /// What happened to this object, of whatever type.
    pub subject_id: Option<ID>,
    /// What this user did.
    pub actor_id: Option<ID>,
    /// What has this name, such as `deal.won`.
    pub action: Option<String>,
    /// When it happened.
    pub at: Option<DateTimeFilter>,
}

impl AuditEventFilter {
    /// Nothing for names that cannot be of any event.
    fn wanted(self) -> Option<Wanted> {
        let at = self.at.unwrap_or_default();
        let mut wanted = Wanted {
            from: at.gte.map(|at| at.0),
            to: at.lt.map(|at| at.0),
            actor_id: self.actor_id.map(|actor| id(&actor)),
            ..Wanted::default()
        };
        if let Some(subject) = self.subject_id {
            let (prefix, _) = subject.rsplit_once('_').unwrap_or_default();
            let known = ids::decode(prefix, &subject);
            wanted.subject_id = Some(known.unwrap_or_else(|| ids::of_nothing(&subject)));
        }
        if let Some(action) = self.action {
            wanted.action = Some(Some(action).filter(|action| !action.contains(char::is_control))?);
        }
        Some(wanted)
    }
}

/// What a walk over the hash chain found.
#[derive(Clone, Debug, SimpleObject)]
pub struct AuditChain {
    /// How many events are intact from the beginning.
    sealed: BigInt,
    /// The place of the first event that was altered or removed; null when the chain is intact.
    broken_at: Option<BigInt>,
}

/// What happened, and whether the record of it is untouched.
#[derive(Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// What happened, newest first. For administrators and auditors.
    async fn audit_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")] first: Option<i32>,
        #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Which events; all unless given.")] filter: Option<AuditEventFilter>,
    ) -> async_graphql::Result<AuditEventConnection> {
        ctx.may(Action::AuditRead)?;
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        events(ctx, args, filter.unwrap_or_default())
            .await
            .map_err(top_level)
    }

    /// Walks over the hash chain of all sealed events and names the first that was altered or removed. For
    /// administrators and auditors.
    async fn audit_chain_verify(&self, ctx: &Context<'_>) -> async_graphql::Result<AuditChain> {
        ctx.may(Action::AuditRead)?;
        let chain = audit::verify(ctx.db()).await.map_err(top_level)?;
        Ok(AuditChain {
            sealed: BigInt(chain.head.position),
            broken_at: chain.broken_at.map(BigInt),
        })
    }
}

async fn events(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: AuditEventFilter,
) -> Result<AuditEventConnection> {
    let Some(wanted) = filter.wanted() else {
        return Ok(AuditEventConnection::of(paging::Page::empty(), AuditEvent));
    };
    let sort = Sort {
        column: None,
        id: audit_event::Column::Id,
        direction: Direction::Desc,
    };
    let page = paging::page(ctx, ctx.db(), trail::events(wanted), sort, args).await?;
    Ok(AuditEventConnection::of(page, AuditEvent))
}
