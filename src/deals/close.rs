//! A deal ends: it is won, and its partners earn; or it is lost, and somebody says why.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sea_orm::ActiveValue::Set;

use super::{
    advance,
    input::{self, Amount},
    occupy, participant_store, refusal,
    registration_status::RegistrationAction,
    stage, store,
};
use crate::{
    access::Action,
    entity::{
        deal::{self, LossReason, SalesStatus},
        deal_registration::{self, RegistrationStatus},
        ids::DealId,
    },
    error::{Error, Faults, Result},
    events::Event,
    platform::{money::Money, transition::StateMachine},
    tx::Tx,
};

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

/// A deal that was just won, still held by the transaction.
#[derive(Clone, Debug)]
pub struct Won {
    /// The deal.
    pub deal: deal::Model,
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
    tx.actor().may(Action::DealManage)?;
    let deal = store::lock_deal(tx, command.deal, "dealId").await?;
    refusal::check_version(command.expected_version, deal.version)?;
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
    let change = deal::ActiveModel {
        value_minor: Set(value.map_or(deal.value_minor, Money::minor)),
        ..Default::default()
    };
    close.save(tx, &deal, change).await?;
    settle_registration(tx, deal.id, RegistrationAction::Win).await?;
    tx.record(Event::DealWon { deal_id: deal.id });
    Ok(Won {
        deal: store::lock_deal(tx, deal.id, "dealId").await?,
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
pub async fn lose(tx: &Tx, command: Lose) -> Result<DealId> {
    tx.actor().may(Action::DealManage)?;
    let mut faults = Faults::default();
    let detail = faults.optional_text("detail", command.detail.as_deref(), 4_000);
    let competitor = faults.optional_text("competitor", command.competitor.as_deref(), 200);
    let deal = store::lock_deal(tx, command.deal, "dealId").await?;
    faults.check()?;
    refusal::check_version(command.expected_version, deal.version)?;
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
    let change = deal::ActiveModel {
        loss_reason: Set(command.reason),
        loss_detail: Set(detail),
        competitor: Set(competitor),
        ..Default::default()
    };
    close.save(tx, &deal, change).await?;
    settle_registration(tx, deal.id, RegistrationAction::Lose).await?;
    tx.record(Event::DealLost { deal_id: deal.id });
    Ok(deal.id)
}

/// How a deal ends.
struct Close<'a> {
    status: SalesStatus,
    stage: &'a str,
    at: DateTime<Utc>,
}

impl Close<'_> {
    async fn save(&self, tx: &Tx, deal: &deal::Model, mut change: deal::ActiveModel) -> Result<()> {
        // A deal may be told as won days later; the log of its stages still runs forward.
        let entered = self.at.max(store::last_move_at(tx, deal).await?);
        change.status = Set(self.status);
        change.stage = Set(self.stage.to_owned());
        change.closed_at = Set(Some(self.at));
        store::save_deal(tx, deal, change).await?;
        advance::log(tx, deal, self.stage, entered).await
    }
}

/// Closes the registration of a deal with it, whether its protection still runs or not.
async fn settle_registration(tx: &Tx, deal: DealId, action: RegistrationAction) -> Result<()> {
    let Some(registration) = store::lock_registration_of(tx, deal).await? else {
        return Ok(());
    };
    let status: RegistrationStatus = registration
        .status
        .apply(action)
        .map_err(|illegal| Error::Internal(Box::new(illegal)))?;
    let change = deal_registration::ActiveModel {
        status: Set(status),
        reminder_due_at: Set(None),
        ..Default::default()
    };
    store::save_registration(tx, &registration, change).await?;
    occupy::free(tx, &[registration.id]).await
}
