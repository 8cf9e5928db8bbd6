//! A partner's moves, as the API shows them.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use crate::{
    connection,
    entity::{
        partner::PartnerStatus,
        partner_lifecycle_event::{self, PartnerAction},
    },
    graphql::{ContextExt, Shown, scalars::DateTime},
};

/// A move in a partner's life.
#[derive(Clone, Debug)]
pub struct LifecycleEvent(Arc<partner_lifecycle_event::Model>);

impl Shown for LifecycleEvent {
    type Entity = partner_lifecycle_event::Entity;

    fn of(row: Arc<partner_lifecycle_event::Model>) -> Self {
        Self(row)
    }
}

/// A move in a partner's life, kept for good.
#[Object]
impl LifecycleEvent {
    /// The move's id, such as `lifecycle_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What was done.
    fn action(&self) -> PartnerAction {
        self.0.action
    }

    /// The state before; null when the partner came into the directory with this move.
    fn from(&self) -> Option<PartnerStatus> {
        self.0.from_status
    }

    /// The state after.
    fn to(&self) -> PartnerStatus {
        self.0.to_status
    }

    /// The id of the user who did it; null when it was the server, and for a partner's people.
    fn actor_id(&self, ctx: &Context<'_>) -> Option<ID> {
        let known = ctx.actor().is_vendor();
        self.0.actor_id.filter(|_| known).map(ID::from)
    }

    /// Why, in the words of who did it; null when no reason was given.
    fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// When.
    fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }
}

connection!(LifecycleEventConnection, LifecycleEventEdge, LifecycleEvent);
