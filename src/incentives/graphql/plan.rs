//! Incentive plans in the API.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Description, ID, InputObject, Object, dataloader::Loader};

use super::component::{
    IncentiveComponent, IncentiveComponentInput, IncentiveHoldback, IncentiveHoldbackInput,
};
use crate::{
    access::Action,
    connection,
    entity::{
        ids::IncentivePlanId,
        incentive_plan::{self, PlanStatus},
    },
    error::{Error, Result},
    graphql::{
        ContextExt,
        context::{LoadError, Rows, id},
        errors::top_level,
        scalars::{CurrencyCode, DateTime},
    },
    incentives::{
        plan::Draft,
        status::PlanAction,
        store,
        terms::{Component, Holdback},
    },
    payload,
    platform::transition::StateMachine,
    programs::graphql::Program,
};

/// What partners earn for won deals: at most three promises, told in plain sentences. Once in force, its promises never
/// change; another number of the same name takes over.
#[derive(Clone, Debug, Description)]
pub struct IncentivePlan(pub incentive_plan::Model);

#[Object(use_type_description)]
impl IncentivePlan {
    /// The object's id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The programme whose deals it pays for.
    async fn program(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Program>> {
        Program::load(ctx, self.0.program_id)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// What people call it; its numbers share the name.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Which plan of this name, from 1.
    fn number(&self) -> i32 {
        self.0.number
    }

    /// Where it stands.
    fn status(&self) -> PlanStatus {
        self.0.status
    }

    /// What can be done to it in this status, by somebody who may. At most 2.
    fn allowed_actions(&self) -> Vec<PlanAction> {
        self.0.status.allowed()
    }

    /// The currency of the deals it pays for, and of its amounts.
    fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency.to_string())
    }

    /// What it pays for; the amounts add up. At most 3.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    fn components(&self) -> Vec<IncentiveComponent> {
        let component = |component: &Component| IncentiveComponent {
            component: component.clone(),
            currency: self.0.currency,
        };
        self.0.terms.components.iter().map(component).collect()
    }

    /// What is held back of each partner's amount; null for nothing.
    fn holdback(&self) -> Option<IncentiveHoldback> {
        let holdback = self.0.terms.holdback;
        (holdback != Holdback::default()).then_some(IncentiveHoldback(holdback))
    }

    /// A refund up to this many days after the win takes the same part back; 0 never does.
    fn clawback_days(&self) -> i32 {
        i32::try_from(self.0.terms.clawback_days).unwrap_or(i32::MAX)
    }

    /// The plan in plain English, made only from its data.
    fn plan_text(&self) -> async_graphql::Result<String> {
        self.0
            .terms
            .plan_text()
            .map_err(|error| top_level(Error::Internal(Box::new(error))))
    }

    /// Deals won from this instant on are paid by it.
    fn effective_from(&self) -> DateTime {
        DateTime(self.0.effective_from)
    }

    /// Deals won before this instant; null has no end.
    fn effective_to(&self) -> Option<DateTime> {
        self.0.effective_to.map(DateTime)
    }

    /// The id of the user who drafted it; null for a partner's people.
    fn created_by(&self, ctx: &Context<'_>) -> Option<ID> {
        ctx.actor().is_vendor().then(|| self.0.created_by.into())
    }

    /// The id of the user who put it into force; null before, and for a partner's people.
    fn activated_by(&self, ctx: &Context<'_>) -> Option<ID> {
        self.0
            .activated_by
            .filter(|_| ctx.actor().is_vendor())
            .map(ID::from)
    }

    /// When it was put into force; null before.
    fn activated_at(&self) -> Option<DateTime> {
        self.0.activated_at.map(DateTime)
    }

    /// When it was drafted.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Grows with every change; send it back as `expectedVersion`.
    fn version(&self) -> i32 {
        i32::try_from(self.0.version).unwrap_or(i32::MAX)
    }
}

impl IncentivePlan {
    /// The object under the caller's scope; none when it is absent or hidden.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(ctx: &Context<'_>, id: IncentivePlanId) -> Result<Option<Self>> {
        if !ctx.actor().can(Action::PlanRead) {
            return Ok(None);
        }
        let row = ctx.loaders().load_one(id).await.map_err(shared)?;
        Ok(row.map(Self))
    }

    /// The plan as it is stored now.
    ///
    /// # Errors
    /// The database failed; it is hidden from the caller.
    pub async fn fresh(ctx: &Context<'_>, id: IncentivePlanId) -> Result<Self> {
        let row = store::plans_by_id(ctx.db(), ctx.actor().scope(), &[id])
            .await?
            .pop();
        row.map(Self).ok_or_else(|| Error::not_found("planId"))
    }
}

/// A loader's error for one of those who waited.
fn shared(error: LoadError) -> Error {
    Error::Internal(Box::new(error))
}

pub(super) async fn read(ctx: &Context<'_>, text: &ID) -> async_graphql::Result<IncentivePlan> {
    ctx.may(Action::PlanRead)?;
    let plan = IncentivePlan::load(ctx, id(text))
        .await
        .map_err(top_level)?;
    plan.ok_or_else(|| top_level(Error::not_found("id")))
}

impl Loader<IncentivePlanId> for Rows {
    type Value = incentive_plan::Model;
    type Error = LoadError;

    async fn load(
        &self,
        ids: &[IncentivePlanId],
    ) -> Result<HashMap<IncentivePlanId, Self::Value>, LoadError> {
        let rows = store::plans_by_id(&self.db, self.scope(), ids)
            .await
            .map_err(Arc::new)?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

connection!(IncentivePlanConnection, IncentivePlanEdge, IncentivePlan);

/// Which incentive plans; parts that are absent do not restrict.
#[derive(Clone, Debug, Default, InputObject)]
pub struct IncentivePlanFilter {
    /// Of this programme.
    pub program_id: Option<ID>,
    /// In this status.
    pub status: Option<PlanStatus>,
    /// Of this name.
    pub name: Option<String>,
}

impl IncentivePlanFilter {
    pub(super) fn wanted(self) -> store::WantedPlans {
        store::WantedPlans {
            program: self.program_id.map(|text| id(&text)),
            status: self.status,
            name: self.name,
        }
    }
}

/// What a plan is to promise.
#[derive(Clone, Debug, InputObject)]
pub struct IncentivePlanCreateInput {
    /// The programme; the only active one when left out.
    program_id: Option<ID>,
    /// What people call it, 1 to 120 characters. A name that exists gets the next number.
    name: String,
    /// The currency of the deals it pays for, and of its amounts.
    currency: CurrencyCode,
    /// What it pays for; the amounts add up. 1 to 3.
    components: Vec<IncentiveComponentInput>,
    /// What is held back of each partner's amount; nothing when left out.
    holdback: Option<IncentiveHoldbackInput>,
    /// A refund up to this many days after the win takes the same part back; 0 never does. At most 3,660.
    #[graphql(default)]
    clawback_days: i32,
    /// Deals won from this instant on are paid by it; may lie in the past. Now when left out.
    effective_from: Option<DateTime>,
    /// Deals won before this instant; without end when left out.
    effective_to: Option<DateTime>,
}

impl IncentivePlanCreateInput {
    pub(super) fn draft(self, ctx: &Context<'_>) -> Result<Draft> {
        ctx.actor().may(Action::PlanManage)?;
        Ok(Draft {
            program: self.program_id.map(|text| id(&text)),
            name: self.name,
            currency: self.currency.0,
            components: self
                .components
                .into_iter()
                .map(IncentiveComponentInput::draft)
                .collect(),
            holdback: self
                .holdback
                .map(|holdback| (holdback.percent.0, holdback.days)),
            clawback_days: self.clawback_days,
            effective_from: self.effective_from.map(|at| at.0),
            effective_to: self.effective_to.map(|at| at.0),
        })
    }
}

/// A plan to be put into force.
#[derive(Clone, Debug, InputObject)]
pub struct IncentivePlanActivateInput {
    /// The plan.
    pub(super) plan_id: ID,
    /// The version that you saw; another one is refused with STALE_OBJECT. Not checked unless given.
    pub(super) expected_version: Option<i32>,
}

/// A plan to be taken out of force.
#[derive(Clone, Debug, InputObject)]
pub struct IncentivePlanRetireInput {
    /// The plan.
    pub(super) plan_id: ID,
    /// The version that you saw; another one is refused with STALE_OBJECT. Not checked unless given.
    pub(super) expected_version: Option<i32>,
}

payload! {
    /// What became of drafting a plan.
    IncentivePlanCreatePayload {
        /// The plan; null exactly when there are errors.
        incentive_plan: IncentivePlan
    }
}

payload! {
    /// What became of putting a plan into force.
    IncentivePlanActivatePayload {
        /// The plan; null exactly when there are errors.
        incentive_plan: IncentivePlan
    }
}

payload! {
    /// What became of taking a plan out of force.
    IncentivePlanRetirePayload {
        /// The plan; null exactly when there are errors.
        incentive_plan: IncentivePlan
    }
}
