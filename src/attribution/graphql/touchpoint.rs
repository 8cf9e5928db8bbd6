//! Touchpoints in the API.

use std::sync::Arc;

use async_graphql::{Context, Description, ID, InputObject, Object};

use crate::{
    access::{Action, Visible},
    attribution::{confirm, record, touchpoint::TouchpointAction},
    connection,
    deals::graphql::Deal,
    entity::touchpoint::{self, DealMilestone, JourneyPhase, TouchpointKind, TouchpointStatus},
    error::Result,
    graphql::{
        ContextExt, Objects, Shown,
        context::id,
        paging::{Below, Direction, Page, PageArgs, Sort},
        scalars::DateTime,
    },
    partners::graphql::Partner,
    payload,
    platform::transition::StateMachine,
};

/// Something that a partner did for a deal. It is never changed: a correction is another touchpoint. The vendor sees
/// all; a partner's people see those of their own partner, on shared deals too.
#[derive(Clone, Debug, Description)]
pub struct Touchpoint(Arc<touchpoint::Model>);

impl Shown for Touchpoint {
    type Entity = touchpoint::Entity;

    fn of(row: Arc<touchpoint::Model>) -> Self {
        Self(row)
    }
}

#[Object(use_type_description)]
impl Touchpoint {
    /// The object's id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The deal it was done for; null when you cannot see the deal any more.
    async fn deal(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Deal>> {
        ctx.object(self.0.deal_id).await
    }

    /// The partner who did it.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        ctx.object(self.0.partner_id).await
    }

    /// What the partner did.
    fn kind(&self) -> TouchpointKind {
        self.0.kind
    }

    /// Where in the customer's journey.
    fn phase(&self) -> JourneyPhase {
        self.0.phase
    }

    /// The step of the deal it brought about; null for none.
    fn milestone(&self) -> Option<DealMilestone> {
        self.0.milestone
    }

    /// When it happened.
    fn occurred_at(&self) -> DateTime {
        DateTime(self.0.occurred_at)
    }

    /// When it was entered.
    fn recorded_at(&self) -> DateTime {
        DateTime(self.0.recorded_at)
    }

    /// Whether the vendor (or its systems) recorded it; otherwise the partner did.
    fn recorded_by_vendor(&self) -> bool {
        self.0.recorded_by_partner.is_none()
    }

    /// What shows that it happened, as it was entered; null for nothing.
    fn evidence(&self) -> Option<&str> {
        self.0.evidence.as_deref()
    }

    /// How far it is confirmed. Only VERIFIED ones count.
    fn status(&self) -> TouchpointStatus {
        self.0.status
    }

    /// What can be done to it in this status, by somebody who may. At most 3.
    fn allowed_actions(&self) -> Vec<TouchpointAction> {
        self.0.status.allowed()
    }

    /// When it was confirmed; null while it is not.
    fn verified_at(&self) -> Option<DateTime> {
        self.0.verified_at.map(DateTime)
    }

    /// Why it was refused; null unless it was.
    fn rejection_reason(&self) -> Option<&str> {
        self.0.rejection_reason.as_deref()
    }

    /// The id of the touchpoint that this one corrects; null when it corrects none.
    fn corrects_id(&self) -> Option<ID> {
        self.0.corrects_id.map(ID::from)
    }

    /// Grows with every decision; send it back as `expectedVersion`.
    fn version(&self) -> i32 {
        i32::try_from(self.0.version).unwrap_or(i32::MAX)
    }
}

connection!(TouchpointConnection, TouchpointEdge, Touchpoint);

/// The touchpoints of a deal that the caller may see, by time.
///
/// # Errors
/// `FORBIDDEN` for roles that do not read touchpoints.
pub async fn touchpoints_for(
    ctx: &Context<'_>,
    deal: &Deal,
    args: PageArgs,
) -> Result<Page<Touchpoint>> {
    touchpoint::Entity::may_read(ctx.actor())?;
    ctx.below(deal.0.id, Touchpoints, args).await
}

/// The touchpoints of a deal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Touchpoints;

impl Below for Touchpoints {
    type Entity = touchpoint::Entity;

    fn parent() -> touchpoint::Column {
        touchpoint::Column::DealId
    }

    fn sort() -> Sort<touchpoint::Column> {
        Sort {
            column: Some(touchpoint::Column::OccurredAt),
            id: touchpoint::Column::Id,
            direction: Direction::Asc,
        }
    }
}

/// What a partner did.
#[derive(Clone, Debug, InputObject)]
pub struct TouchpointRecordInput {
    /// The deal it was done for.
    deal_id: ID,
    /// The partner who did it. The vendor's people must name it; a partner's people may leave it out, it is their own.
    partner_id: Option<ID>,
    /// What the partner did.
    kind: TouchpointKind,
    /// Where in the customer's journey.
    phase: JourneyPhase,
    /// The step of the deal it brought about, if any.
    milestone: Option<DealMilestone>,
    /// When it happened; not in the future.
    occurred_at: DateTime,
    /// What shows it, such as a link or the name of a meeting; at most 2,000 characters.
    evidence: Option<String>,
    /// The touchpoint that this one corrects: of the same deal and partner, not corrected before. It stays visible and
    /// counts no more.
    corrects_id: Option<ID>,
}

impl TouchpointRecordInput {
    pub(super) fn command(self, ctx: &Context<'_>) -> Result<record::Record> {
        ctx.actor().may(Action::TouchpointRecord)?;
        Ok(record::Record {
            deal: id(&self.deal_id),
            partner: self.partner_id.map(|text| id(&text)),
            kind: self.kind,
            phase: self.phase,
            milestone: self.milestone,
            occurred_at: self.occurred_at.0,
            evidence: self.evidence,
            corrects: self.corrects_id.map(|text| id(&text)),
        })
    }
}

/// A touchpoint to be confirmed.
#[derive(Clone, Debug, InputObject)]
pub struct TouchpointVerifyInput {
    /// The touchpoint.
    touchpoint_id: ID,
    /// The version that you saw; another one is refused with STALE_OBJECT. Not checked unless given.
    expected_version: Option<i32>,
}

/// A touchpoint to be refused.
#[derive(Clone, Debug, InputObject)]
pub struct TouchpointRejectInput {
    /// The touchpoint.
    touchpoint_id: ID,
    /// Why; the partner reads it. 1 to 1,000 characters.
    reason: String,
    /// The version that you saw; another one is refused with STALE_OBJECT. Not checked unless given.
    expected_version: Option<i32>,
}

impl TouchpointVerifyInput {
    pub(super) fn command(self) -> Result<confirm::Decide> {
        Ok(confirm::Decide {
            touchpoint: id(&self.touchpoint_id),
            expected_version: self.expected_version.map(i64::from),
        })
    }
}

impl TouchpointRejectInput {
    pub(super) fn command(self) -> Result<confirm::Reject> {
        Ok(confirm::Reject {
            touchpoint: confirm::Decide {
                touchpoint: id(&self.touchpoint_id),
                expected_version: self.expected_version.map(i64::from),
            },
            reason: self.reason,
        })
    }
}

payload! {
    /// What became of recording a touchpoint.
    TouchpointRecordPayload {
        /// The touchpoint; null exactly when there are errors.
        touchpoint: Touchpoint
    }
}

payload! {
    /// What became of confirming a touchpoint.
    TouchpointVerifyPayload {
        /// The touchpoint; null exactly when there are errors.
        touchpoint: Touchpoint
    }
}

payload! {
    /// What became of refusing a touchpoint.
    TouchpointRejectPayload {
        /// The touchpoint; null exactly when there are errors.
        touchpoint: Touchpoint
    }
}
