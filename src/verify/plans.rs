//! Until when a plan pays: what its draft said, or the beginning of a later number that was activated since.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::Finding;
use crate::{
    entity::{audit_event, ids::IncentivePlanId, incentive_plan},
    error::Result,
    platform::ids::TypedId,
};

/// What is promised.
pub(super) const PROMISE: &str =
    "every plan ends when its draft and the activation of later numbers say";

/// A plan as the events about it leave it.
struct Told<'p> {
    plan: &'p incentive_plan::Model,
    is_active: bool,
    until: Option<DateTime<Utc>>,
}

pub(super) async fn as_told<C: ConnectionTrait>(db: &C) -> Result<Finding> {
    let mut finding = Finding::new(PROMISE, 0);
    let plans = incentive_plan::Entity::find().all(db).await?;
    let events = audit_event::Entity::find()
        .filter(audit_event::Column::SubjectType.eq(IncentivePlanId::PREFIX))
        .order_by_asc(audit_event::Column::At)
        .order_by_asc(audit_event::Column::Id)
        .all(db)
        .await?;
    for (plan, until) in ends(&plans, &events) {
        finding.rows += 1;
        // The trail tells instants more finely than the database keeps them.
        let micros = |at: DateTime<Utc>| at.timestamp_micros();
        if plan.effective_to.map(micros) != until.map(micros) {
            let said = |at: Option<DateTime<Utc>>| {
                at.map_or_else(|| "never".to_owned(), |at| at.to_rfc3339())
            };
            finding.name(format!(
                "{} ends {}, by the audit trail {}",
                plan.id,
                said(plan.effective_to),
                said(until)
            ));
        }
    }
    Ok(finding)
}

/// When plans end by the events about them; those whose draft did not tell the trail its end are left out.
fn ends<'p>(
    plans: &'p [incentive_plan::Model],
    events: &[audit_event::Model],
) -> Vec<(&'p incentive_plan::Model, Option<DateTime<Utc>>)> {
    let by_id: HashMap<Uuid, &incentive_plan::Model> =
        plans.iter().map(|plan| (plan.id.uuid(), plan)).collect();
    let mut told: HashMap<Uuid, Told<'p>> = HashMap::new();
    for event in events {
        let Some(plan) = by_id.get(&event.subject_id) else {
            continue;
        };
        match event.action.as_str() {
            "incentive_plan.created" => {
                if let Some(until) = event.details.get("effectiveTo") {
                    let until = until.as_str().and_then(|at| at.parse().ok());
                    let draft = Told {
                        plan,
                        is_active: false,
                        until,
                    };
                    told.insert(event.subject_id, draft);
                }
            }
            "incentive_plan.activated" => {
                for earlier in told.values_mut().filter(|earlier| earlier.is_active) {
                    earlier.follow(plan);
                }
                if let Some(told) = told.get_mut(&event.subject_id) {
                    told.is_active = true;
                }
            }
            "incentive_plan.retired" => {
                if let Some(told) = told.get_mut(&event.subject_id) {
                    told.is_active = false;
                }
            }
            _ => {}
        }
    }
    told.into_values()
        .map(|told| (told.plan, told.until))
        .collect()
}

impl Told<'_> {
    /// Another plan is activated: a later number of this one ends it where it begins, unless it leaves it no time.
    fn follow(&mut self, next: &incentive_plan::Model) {
        let is_number = self.plan.program_id == next.program_id && self.plan.name == next.name;
        let from = next.effective_from;
        let ends_before = self.until.is_some_and(|until| until <= from);
        if is_number && !ends_before && from > self.plan.effective_from {
            self.until = Some(from);
        }
    }
}
