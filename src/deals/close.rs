//! A deal ends: it is won, and its partners earn; or it is lost, and somebody says why.

use super::{
    advance,
    input::{self, Amount},
    occupy, participant_store, refusal,
    registration_status::RegistrationAction,
    stage, store,
};
use crate::{
    access::{Action, Held},
    entity::{
        deal::{self, LossReason, SalesStatus},
        deal_registration::RegistrationStatus,
        ids::DealId,
    },
    error::{Error, Faults, Result},
    events::Event,
    platform::{money::Money, transition::StateMachine},
    tx::Tx,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// A deal that the customer bought.
#[derive(Clone, Debug)]
pub struct Win {
    /// Which deal.
    pub deal: DealId,
    /// When; now when left out.
    pub won_at: Option<DateTime<Utc>>,
    /// The final value; unchanged when left out.
    pub value: Option<Amount>,
    /// The version that the caller saw.
    pub expected_version: Option<i64>,
}

/// A deal that the customer did not buy.
#[derive(Clone, Debug)]
pub struct Lose {
    /// Which deal.
    pub deal: DealId,
    /// Why.
    pub reason: Option<LossReason>,
    /// More about it.
    pub detail: Option<String>,
    /// To whom; "none" where there was nobody.
    pub competitor: Option<String>,
    /// The version that the caller saw.
    pub expected_version: Option<i64>,
}

/// A deal that was just won.
#[derive(Debug)]
pub struct Won {
    /// The deal.
    pub deal: Held<deal::Entity>,
    /// The time zone of the rules that it follows.
    pub zone: Tz,
}

/// Wins a deal: its registration is won and its protection over. What its partners earn follows in
/// [`crate::outcomes::win`].
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `STALE_OBJECT`; `ILLEGAL_TRANSITION` for a closed deal; `ROLES_INCOMPLETE` while an
/// invitation stands open and a stage ahead asks for accepted roles; `BAD_USER_INPUT` for a day that is not between the
/// opening and now, or a value in another currency. Records `deal.won`.
pub async fn win(tx: &Tx, command: Win) -> Result<Won> {
    let deal = tx
        .load::<deal::Entity>(command.deal, Action::DealManage)
        .await?;
    deal.at_version(command.expected_version)?;
    let rules = advance::rules_of(tx, &deal).await?;
    let unanswered = participant_store::unanswered(tx, deal.id).await?;
    let stage = stage::win(&rules.settings.stages, advance::position(&deal, unanswered))
        .map_err(|refused| refusal::stage_move(&refused))?;

    let won_at = command.won_at.unwrap_or_else(|| tx.now());
    let mut faults = Faults::default();
    input::happened(&mut faults, "wonAt", won_at, deal.opened_at, tx.now());
    let value = command
        .value
        .and_then(|value| final_value(&mut faults, &value, &deal));
    faults.check()?;

    let close = Close {
        status: SalesStatus::Won,
        stage: &stage.key,
        at: won_at,
    };
    let won = |row: &mut deal::Model| {
        row.value_minor = value.map_or(row.value_minor, Money::minor);
    };
    let deal = close.save(tx, &deal, won).await?;
    settle_registration(tx, deal.id, RegistrationAction::Win).await?;
    tx.record(Event::DealWon { deal_id: deal.id });
    Ok(Won {
        deal,
        zone: rules.program.default_time_zone,
    })
}

fn final_value(faults: &mut Faults, value: &Amount, deal: &deal::Model) -> Option<Money> {
    let value = value.read(faults, "value")?;
    if value.currency() != deal.currency {
        faults.add(
            "value.currency",
            format!("must be {}, the currency of the deal", deal.currency),
        );
    }
    Some(value)
}

/// Closes a deal as lost; its registration is lost and its place free again.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `STALE_OBJECT`; `ILLEGAL_TRANSITION` for a closed deal; `REASON_REQUIRED` without a reason;
/// `BAD_USER_INPUT` without a competitor. Records `deal.lost`.
pub async fn lose(tx: &Tx, command: Lose) -> Result<Held<deal::Entity>> {
    tx.actor().may(Action::DealManage)?;
    let mut faults = Faults::default();
    let detail = faults.optional_text("detail", command.detail.as_deref(), 4_000);
    let competitor = faults.optional_text("competitor", command.competitor.as_deref(), 200);
    let deal = tx.load_seen::<deal::Entity>(command.deal).await?;
    faults.check()?;
    deal.at_version(command.expected_version)?;
    let rules = advance::rules_of(tx, &deal).await?;
    let stages = &rules.settings.stages;
    let stage = stage::lose(
        stages,
        advance::position(&deal, 0),
        command.reason,
        competitor.as_deref(),
    )
    .map_err(|refused| refusal::loss(&refused))?;

    let close = Close {
        status: SalesStatus::Lost,
        stage: &stage.key,
        at: tx.now(),
    };
    let lost = |row: &mut deal::Model| {
        row.loss_reason = command.reason;
        row.loss_detail = detail;
        row.competitor = competitor;
    };
    let deal = close.save(tx, &deal, lost).await?;
    settle_registration(tx, deal.id, RegistrationAction::Lose).await?;
    tx.record(Event::DealLost { deal_id: deal.id });
    Ok(deal)
}

/// How a deal ends.
struct Close<'a> {
    status: SalesStatus,
    stage: &'a str,
    at: DateTime<Utc>,
}

impl Close<'_> {
    async fn save(
        &self,
        tx: &Tx,
        deal: &Held<deal::Entity>,
        edit: impl FnOnce(&mut deal::Model),
    ) -> Result<Held<deal::Entity>> {
        // A win may be entered days later, but the stage history must stay in order.
        let entered = self.at.max(store::last_move_at(tx, deal).await?);
        advance::log(tx, deal, self.stage, entered).await?;
        tx.save(deal, |row| {
            edit(row);
            row.status = self.status;
            self.stage.clone_into(&mut row.stage);
            row.closed_at = Some(self.at);
        })
        .await
    }
}

/// Closes the registration of a deal with it, whether its protection still runs or not.
async fn settle_registration(tx: &Tx, deal: DealId, action: RegistrationAction) -> Result<()> {
    let Some(registration) = tx.lock(store::registration_of(deal)).await?.pop() else {
        return Ok(());
    };
    let status: RegistrationStatus = registration
        .status
        .apply(action)
        .map_err(|illegal| Error::Internal(Box::new(illegal)))?;
    let closed = tx.save(&registration, |row| {
        row.status = status;
        row.reminder_due_at = None;
    });
    closed.await?;
    occupy::free(tx, &[registration.id]).await
}
