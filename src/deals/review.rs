//! The vendor reviews a registration: takes it up, asks, approves or rejects; the partner answers or withdraws.

use super::{
    conflict, input, occupy, open, protection, refusal, register,
    registration_status::RegistrationAction, rules::Rules,
};
use crate::{
    access::{Action, Held},
    entity::{
        deal_registration::{self, MatchOutcome, RegistrationStatus, RejectionReason},
        ids::DealRegistrationId,
    },
    error::{Code, Faults, Refusal, Result},
    events::Event,
    platform::transition::StateMachine,
    programs::rules,
    tx::Tx,
};

/// The longest note, in characters.
const MAX_NOTE: usize = 4_000;

/// A step of the review.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which registration.
    pub registration: DealRegistrationId,
    /// The words that go with it: a question, an answer, the ground of a decision.
    pub note: Option<String>,
    /// The version that the caller saw.
    pub expected_version: Option<i64>,
}

/// A rejection.
#[derive(Clone, Debug)]
pub struct Reject {
    /// Which registration, and the reviewer's words.
    pub step: Step,
    /// Why.
    pub reason: Option<RejectionReason>,
}

/// An approval.
#[derive(Clone, Debug)]
pub struct Approve {
    /// Which registration, and words to the partner.
    pub step: Step,
    /// The reviewer has looked at the customers that look alike, and this is another company.
    pub different_customer: bool,
}

/// A reviewer takes a registration up, so that others see that somebody is on it.
///
/// # Errors
/// `FORBIDDEN`, `NOT_FOUND`, `STALE_OBJECT`, `ILLEGAL_TRANSITION`. Records `deal_registration.review_started`.
pub async fn start(tx: &Tx, step: Step) -> Result<Held<deal_registration::Entity>> {
    tx.actor().may(Action::RegistrationReview)?;
    let moved = Moved::by(tx, &step, RegistrationAction::StartReview, None).await?;
    tx.record(Event::RegistrationReviewStarted {
        registration_id: moved.before.id,
        partner_id: moved.before.partner_id,
    });
    moved.save(tx, |_| {}).await
}

/// A reviewer asks the partner for more; the review clock stands still until the answer.
///
/// # Errors
/// As for [`start`]; `REASON_REQUIRED` without a question. Records `deal_registration.info_requested`.
pub async fn request_info(tx: &Tx, step: Step) -> Result<Held<deal_registration::Entity>> {
    tx.actor().may(Action::RegistrationReview)?;
    let note = note(&step)?;
    let moved = Moved::by(tx, &step, RegistrationAction::RequestInfo, note.as_deref()).await?;
    tx.record(Event::RegistrationInfoRequested {
        registration_id: moved.before.id,
        partner_id: moved.before.partner_id,
    });
    moved
        .save(tx, |row| {
            row.question = note;
            row.question_at = Some(tx.now());
            row.answer = None;
        })
        .await
}

/// The partner answers; the time it took is added to the day of decision.
///
/// # Errors
/// As for [`start`]; `BAD_USER_INPUT` without an answer. Records `deal_registration.answered`.
pub async fn answer(tx: &Tx, step: Step) -> Result<Held<deal_registration::Entity>> {
    tx.actor().may(Action::RegistrationSubmit)?;
    let mut faults = Faults::default();
    let answer = faults.text("note", step.note.as_deref().unwrap_or_default(), MAX_NOTE);
    let moved = Moved::by(tx, &step, RegistrationAction::Answer, None).await?;
    faults.check()?;
    let waited = moved
        .before
        .question_at
        .map(|asked| tx.now() - asked)
        .unwrap_or_default();
    tx.record(Event::RegistrationAnswered {
        registration_id: moved.before.id,
        partner_id: moved.before.partner_id,
    });
    moved
        .save(tx, |row| {
            row.answer = Some(answer);
            row.review_due_at = moved.before.review_due_at + waited;
        })
        .await
}

/// A reviewer grants the claim: the partner is protected until the end of the tier's last day in the registration's
/// zone, and the deal comes into being with the partner as its sourcer.
///
/// # Errors
/// As for [`start`]; `SAME_PERSON` for the person who submitted it; `CONFLICT` at `differentCustomer` when another open
/// registration may be for the same customer and the reviewer has not decided that it is not. Records
/// `deal_registration.approved` and `deal.created`, and `deal_registration.conflict_dismissed` for such a decision.
pub async fn approve(tx: &Tx, command: Approve) -> Result<Held<deal_registration::Entity>> {
    let step = command.step;
    tx.actor().may(Action::RegistrationReview)?;
    let approver = tx.actor().person()?;
    let note = note(&step)?;
    let moved = Moved::by(tx, &step, RegistrationAction::Approve, None).await?;
    let registration = &moved.before;
    if registration.submitted_by == approver {
        return Err(Refusal::new(
            Code::SamePerson,
            "Who handed a registration in cannot approve it.",
        )
        .into());
    }
    let rules = rules_of(tx, registration).await?;
    decide_conflict(tx, registration, &rules, command.different_customer).await?;
    let days = register::tier_in(&rules, &registration.tier)?.protection_days;
    let zone = input::stored_zone(&registration.time_zone)?;
    let until = protection::window(tx.now(), days, zone);
    let reminders = protection::reminders(tx.now(), until, zone, &rules.settings.reminder_days);

    let deal = open::from_registration(tx, registration, &rules.settings.stages).await?;
    occupy::grant(tx, registration.id, until).await?;
    let (registration_id, partner_id) = (registration.id, registration.partner_id);
    tx.record(Event::RegistrationApproved {
        registration_id,
        partner_id,
        deal_id: deal,
    });
    moved
        .save(tx, |row| {
            row.decided_by = Some(approver);
            row.decided_at = Some(tx.now());
            row.decision_note = note;
            row.protected_until = Some(until);
            row.reminder_due_at = reminders.first().map(|reminder| reminder.due_at);
            row.deal_id = Some(deal);
        })
        .await
}

/// Two customers that look alike are one or two by the decision of a person, never by an approval that did not look.
async fn decide_conflict(
    tx: &Tx,
    registration: &deal_registration::Model,
    rules: &Rules,
    different_customer: bool,
) -> Result<()> {
    let similarity = rules.settings.conflict.name_similarity_ppm;
    let verdict = conflict::at_review(tx, registration, similarity).await?;
    if verdict.outcome == MatchOutcome::Clear {
        return Ok(());
    }
    if !different_customer {
        let message = "Another open registration may be for the same customer. Reject one of the two, or approve this \
            one with `differentCustomer: true` if it is another company.";
        let reasons = verdict.reasons.0.iter().map(sea_orm::ActiveEnum::to_value);
        return Err(Refusal::new(Code::Conflict, message)
            .at("differentCustomer")
            .because(reasons)
            .into());
    }
    tx.record(Event::RegistrationConflictDismissed {
        registration_id: registration.id,
        partner_id: registration.partner_id,
    });
    Ok(())
}

/// A reviewer refuses the claim; its place is free again.
///
/// # Errors
/// As for [`start`]; `REASON_REQUIRED` without a reason or without words. Records `deal_registration.rejected`.
pub async fn reject(tx: &Tx, command: Reject) -> Result<Held<deal_registration::Entity>> {
    tx.actor().may(Action::RegistrationReview)?;
    let decider = tx.actor().person()?;
    let note = note(&command.step)?;
    let moved = Moved::by(
        tx,
        &command.step,
        RegistrationAction::Reject,
        note.as_deref(),
    )
    .await?;
    let Some(reason) = command.reason else {
        return Err(
            Refusal::new(Code::ReasonRequired, "A rejection needs a reason.")
                .at("reason")
                .into(),
        );
    };
    occupy::free(tx, &[moved.before.id]).await?;
    tx.record(Event::RegistrationRejected {
        registration_id: moved.before.id,
        partner_id: moved.before.partner_id,
    });
    moved
        .save(tx, |row| {
            row.decided_by = Some(decider);
            row.decided_at = Some(tx.now());
            row.rejection_reason = Some(reason);
            row.decision_note = note;
        })
        .await
}

/// The partner takes the claim back before the decision; its place is free again.
///
/// # Errors
/// As for [`start`]. Records `deal_registration.withdrawn`.
pub async fn withdraw(tx: &Tx, step: Step) -> Result<Held<deal_registration::Entity>> {
    tx.actor().may(Action::RegistrationWithdraw)?;
    let note = note(&step)?;
    let moved = Moved::by(tx, &step, RegistrationAction::Withdraw, None).await?;
    occupy::free(tx, &[moved.before.id]).await?;
    tx.record(Event::RegistrationWithdrawn {
        registration_id: moved.before.id,
        partner_id: moved.before.partner_id,
    });
    moved
        .save(tx, |row| {
            row.decision_note = note;
        })
        .await
}

/// The rules under which a registration was handed in.
///
/// # Errors
/// The version does not exist.
pub(super) async fn rules_of(tx: &Tx, registration: &deal_registration::Model) -> Result<Rules> {
    rules::of(tx, registration.program_version_id).await
}

fn note(step: &Step) -> Result<Option<String>> {
    let mut faults = Faults::default();
    let note = faults.optional_text("note", step.note.as_deref(), MAX_NOTE);
    faults.check()?;
    Ok(note)
}

/// A registration under its lock, with the status it moves to.
struct Moved {
    before: Held<deal_registration::Entity>,
    status: RegistrationStatus,
}

impl Moved {
    async fn by(
        tx: &Tx,
        step: &Step,
        action: RegistrationAction,
        reason: Option<&str>,
    ) -> Result<Self> {
        let before = tx
            .load_seen::<deal_registration::Entity>(step.registration)
            .await?;
        before.at_version(step.expected_version)?;
        let moved = before.status.apply_because(action, reason);
        let status = moved.map_err(|error| refusal::transition(&error, "note"))?;
        Ok(Self { before, status })
    }

    async fn save(
        &self,
        tx: &Tx,
        edit: impl FnOnce(&mut deal_registration::Model),
    ) -> Result<Held<deal_registration::Entity>> {
        tx.save(&self.before, |row| {
            row.status = self.status;
            edit(row);
        })
        .await
    }
}
