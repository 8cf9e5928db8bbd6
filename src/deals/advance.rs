//! A deal moves among the open stages of its programme.

use sea_orm::ActiveValue::Set;

use super::{
    participant_store, refusal,
    rules::Rules,
    stage::{self, Position},
};
use crate::{
    access::{Action, Held},
    entity::{deal, deal_stage_change, ids::DealId},
    error::Result,
    events::Event,
    programs::rules,
    tx::Tx,
};

/// A move to another stage.
#[derive(Clone, Debug)]
pub struct Advance {
    /// Which deal.
    pub deal: DealId,
    /// The key of the stage.
    pub stage: String,
    /// The version that the caller saw.
    pub expected_version: Option<i64>,
}

/// Moves an open deal, forward or back.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `STALE_OBJECT`; `BAD_USER_INPUT` for an unknown stage; `ILLEGAL_TRANSITION` for a closed
/// deal, the same stage or a closing one; `ROLES_INCOMPLETE` when the move passes a stage that asks for accepted roles
/// and an invitation stands open. Records `deal.stage_changed`.
pub async fn advance(tx: &Tx, command: Advance) -> Result<Held<deal::Entity>> {
    let deal = tx
        .load::<deal::Entity>(command.deal, Action::DealManage)
        .await?;
    deal.at_version(command.expected_version)?;
    let rules = rules_of(tx, &deal).await?;
    let unanswered = participant_store::unanswered(tx, deal.id).await?;
    let next = stage::advance(
        &rules.settings.stages,
        position(&deal, unanswered),
        &command.stage,
    )
    .map_err(|refused| refusal::stage_move(&refused))?;
    log(tx, &deal, &next.key, tx.now()).await?;
    tx.record(Event::DealStageChanged {
        deal_id: deal.id,
        from: deal.stage.clone(),
        to: next.key.clone(),
    });
    tx.save(&deal, |row| row.stage.clone_from(&next.key)).await
}

/// The rules that a deal remembers.
///
/// # Errors
/// The version does not exist.
pub(super) async fn rules_of(tx: &Tx, deal: &deal::Model) -> Result<Rules> {
    rules::of(tx, deal.program_version_id).await
}

/// Where a deal stands, as the rules of the pipeline ask for it.
pub(super) fn position(deal: &deal::Model, unanswered: usize) -> Position<'_> {
    Position {
        status: deal.status,
        stage: &deal.stage,
        unanswered,
    }
}

/// Notes the entry into a stage.
///
/// # Errors
/// The database failed.
pub(super) async fn log(
    tx: &Tx,
    deal: &deal::Model,
    to: &str,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<()> {
    tx.insert(deal_stage_change::ActiveModel {
        id: Set(tx.id()),
        deal_id: Set(deal.id),
        from_stage: Set(Some(deal.stage.clone())),
        to_stage: Set(to.to_owned()),
        actor_id: Set(tx.actor().user_id()),
        at: Set(at),
    })
    .await
}
