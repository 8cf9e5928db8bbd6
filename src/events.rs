//! Every business event with its stable wire name.
//!
//! An event names what happened and to whom, by ids only: no personal data, no secrets. It becomes one row
//! of the audit trail and one job of the outbox, in the transaction of its effect.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{entity::ids::*, platform::ids::TypedId};

/// Declares the events: variant, wire name, subject, fields.
macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal on $subject:ident: $id:ident { $($field:ident: $type:ty),* $(,)? })+) => {
        /// Something that happened.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type", rename_all_fields = "camelCase")]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $name)] $variant { $subject: $id, $($field: $type),* },)+
        }

        impl Event {
            /// The wire name: `deal.won`.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name,)+ }
            }

            /// The type and id of the object it happened to.
            #[must_use]
            pub fn subject(&self) -> (&'static str, Uuid) {
                match self { $(Self::$variant { $subject, .. } => (<$id as TypedId>::PREFIX, $subject.uuid()),)+ }
            }

            /// All wire names, for the documentation and for subscribers.
            pub const NAMES: &'static [&'static str] = &[$($name),+];
        }
    };
}

events! {
    /// A person was invited; the mail carries a link derived from the token's id.
    UserInvited = "user.invited" on user_id: UserId { token_id: UserTokenId }
    /// An invitation was accepted.
    UserActivated = "user.activated" on user_id: UserId {}
    /// A user may no longer sign in.
    UserDeactivated = "user.deactivated" on user_id: UserId {}
    /// Somebody asked for a new password.
    PasswordResetRequested = "user.password_reset_requested" on user_id: UserId { token_id: UserTokenId }
    /// A password was set by reset; all sessions ended.
    PasswordChanged = "user.password_changed" on user_id: UserId {}
    /// A user signed in.
    SessionStarted = "session.started" on user_id: UserId { session_id: SessionId }
    /// A user signed out, or the session was ended for the reason given.
    SessionEnded = "session.ended" on user_id: UserId { session_id: SessionId, reason: String }

    /// A partner entered the directory.
    PartnerCreated = "partner.created" on partner_id: PartnerId {}
    /// Facts about a partner changed: field names only.
    PartnerUpdated = "partner.updated" on partner_id: PartnerId { fields: Vec<String> }
    /// A partner moved in its life.
    PartnerStatusChanged = "partner.status_changed" on partner_id: PartnerId { from: String, to: String }
    /// A partner is paid to another account from now on.
    PaymentDetailsChanged = "payment_details.changed" on details_id: PaymentDetailsId { partner_id: PartnerId }
    /// A partner joined a programme or changed its tier.
    PartnerEnrolled = "partner.enrolled" on partner_id: PartnerId { program_id: ProgramId, tier: String }

    /// A programme was created.
    ProgramCreated = "program.created" on program_id: ProgramId {}
    /// A programme got a new version of its rules.
    ProgramVersioned = "program.versioned" on program_id: ProgramId { number: i32 }
    /// A version of a programme's rules was withdrawn before it took effect; by the server with the reason.
    ProgramVersionWithdrawn = "program.version_withdrawn" on program_id: ProgramId { number: i32, reason: Option<String> }
    /// A document of rules was drafted, or its draft changed.
    RuleDrafted = "rule_document.drafted" on rule_id: RuleDocumentId {}
    /// A document of rules was activated; it takes effect at its date.
    RuleActivated = "rule_document.activated" on rule_id: RuleDocumentId {}
    /// A document of rules was withdrawn before it took effect; by the server with the reason.
    RuleWithdrawn = "rule_document.withdrawn" on rule_id: RuleDocumentId { reason: Option<String> }
    /// A product entered the catalogue.
    ProductCreated = "product.created" on product_id: ProductId {}
    /// Facts about a product changed: field names only.
    ProductUpdated = "product.updated" on product_id: ProductId { fields: Vec<String> }
    /// A product family entered the catalogue.
    ProductFamilyCreated = "product_family.created" on family_id: ProductFamilyId {}
    /// An exchange rate was recorded, or corrected when the number is above 1.
    ExchangeRateRecorded = "exchange_rate.recorded" on rate_id: ExchangeRateId { number: i32 }
    /// A customer was recorded.
    CustomerCreated = "customer.created" on customer_id: CustomerId {}
    /// A person confirmed that a new customer is different from the similar ones.
    CustomerConflictDismissed = "customer.conflict_dismissed" on customer_id: CustomerId {}
    /// Facts about a customer changed: field names only.
    CustomerUpdated = "customer.updated" on customer_id: CustomerId { fields: Vec<String> }

    /// A partner claimed a deal.
    RegistrationSubmitted = "deal_registration.submitted" on registration_id: DealRegistrationId { partner_id: PartnerId }
    /// A reviewer took the registration up.
    RegistrationReviewStarted = "deal_registration.review_started" on registration_id: DealRegistrationId { partner_id: PartnerId }
    /// The reviewer asks the partner for more.
    RegistrationInfoRequested = "deal_registration.info_requested" on registration_id: DealRegistrationId { partner_id: PartnerId }
    /// The partner answered.
    RegistrationAnswered = "deal_registration.answered" on registration_id: DealRegistrationId { partner_id: PartnerId }
    /// The claim was granted and is protected.
    RegistrationApproved = "deal_registration.approved" on registration_id: DealRegistrationId { partner_id: PartnerId, deal_id: DealId }
    /// A reviewer decided that the customer is none of those that look like it.
    RegistrationConflictDismissed = "deal_registration.conflict_dismissed" on registration_id: DealRegistrationId { partner_id: PartnerId }
    /// The claim was refused.
    RegistrationRejected = "deal_registration.rejected" on registration_id: DealRegistrationId { partner_id: PartnerId }
    /// The partner took the claim back.
    RegistrationWithdrawn = "deal_registration.withdrawn" on registration_id: DealRegistrationId { partner_id: PartnerId }
    /// The protection was prolonged.
    RegistrationExtended = "deal_registration.extended" on registration_id: DealRegistrationId { partner_id: PartnerId }
    /// The protection will end in some days.
    ProtectionReminder = "deal_registration.protection_reminder" on registration_id: DealRegistrationId { partner_id: PartnerId, days_left: i64 }
    /// The protection ended.
    RegistrationExpired = "deal_registration.expired" on registration_id: DealRegistrationId { partner_id: PartnerId }

    /// A deal came into being.
    DealCreated = "deal.created" on deal_id: DealId {}
    /// A deal moved in the pipeline.
    DealStageChanged = "deal.stage_changed" on deal_id: DealId { from: String, to: String }
    /// A deal was won; credit, commission and ledger entries are in the same transaction.
    DealWon = "deal.won" on deal_id: DealId {}
    /// A deal was lost.
    DealLost = "deal.lost" on deal_id: DealId {}
    /// Money went back to the customer.
    DealRefunded = "deal.refunded" on deal_id: DealId { refund_id: DealRefundId }
    /// A partner was asked to take a role.
    ParticipantInvited = "deal_participant.invited" on participant_id: DealParticipantId { deal_id: DealId, partner_id: PartnerId }
    /// A partner took the role.
    ParticipantAccepted = "deal_participant.accepted" on participant_id: DealParticipantId { deal_id: DealId, partner_id: PartnerId }
    /// A partner refused the role.
    ParticipantDeclined = "deal_participant.declined" on participant_id: DealParticipantId { deal_id: DealId, partner_id: PartnerId }
    /// A partner left the deal.
    ParticipantRemoved = "deal_participant.removed" on participant_id: DealParticipantId { deal_id: DealId, partner_id: PartnerId }
    /// Nobody answered the invitation in time.
    ParticipantExpired = "deal_participant.expired" on participant_id: DealParticipantId { deal_id: DealId, partner_id: PartnerId }

    /// A touchpoint was claimed.
    TouchpointRecorded = "touchpoint.recorded" on touchpoint_id: TouchpointId { deal_id: DealId, partner_id: PartnerId }
    /// A touchpoint counts.
    TouchpointVerified = "touchpoint.verified" on touchpoint_id: TouchpointId { deal_id: DealId, partner_id: PartnerId }
    /// A touchpoint does not count.
    TouchpointRejected = "touchpoint.rejected" on touchpoint_id: TouchpointId { deal_id: DealId, partner_id: PartnerId }

    /// A plan was drafted.
    PlanCreated = "incentive_plan.created" on plan_id: IncentivePlanId { effective_to: Option<DateTime<Utc>> }
    /// A plan came into force.
    PlanActivated = "incentive_plan.activated" on plan_id: IncentivePlanId {}
    /// A plan was taken out of force.
    PlanRetired = "incentive_plan.retired" on plan_id: IncentivePlanId {}
    /// A partner earned commission on a deal.
    CommissionAccrued = "commission.accrued" on deal_id: DealId { partner_id: PartnerId }
    /// Commission was taken back after a refund.
    CommissionClawedBack = "commission.clawed_back" on deal_id: DealId { partner_id: PartnerId, refund_id: DealRefundId }
    /// Commission was posted for a batch of won deals.
    CommissionBatch = "commission.batch" on program_id: ProgramId { deals: u64, lines: u64 }

    /// A partner's statement about a period that is over was published.
    StatementPublished = "statement.published" on statement_id: PartnerStatementId { partner_id: PartnerId }

    /// A ledger transaction was undone by its opposite.
    LedgerReversed = "ledger_transaction.reversed" on transaction_id: LedgerTransactionId { reason: String }

    /// A payout run was created; it is calculated next.
    PayoutRunCreated = "payout_run.created" on run_id: PayoutRunId {}
    /// A payout run was calculated and waits for review.
    PayoutRunCalculated = "payout_run.calculated" on run_id: PayoutRunId {}
    /// A payout run was approved by a second person.
    PayoutRunApproved = "payout_run.approved" on run_id: PayoutRunId {}
    /// A payout run was given up; its lines are freed next.
    PayoutRunCancelled = "payout_run.cancelled" on run_id: PayoutRunId {}
    /// The payments of a run were handed to the provider.
    PayoutRunExecuting = "payout_run.executing" on run_id: PayoutRunId {}
    /// Every payment of a run is settled.
    PayoutRunCompleted = "payout_run.completed" on run_id: PayoutRunId {}
    /// A partner was paid. `reference` is the provider's reference for the payment; earlier events have none.
    PayoutPaid = "payout.paid" on payout_id: PayoutId { partner_id: PartnerId, reference: Option<String> }
    /// A payment failed; its amount is payable again.
    PayoutFailed = "payout.failed" on payout_id: PayoutId { partner_id: PartnerId }
    /// A failed payment was handed to the provider again.
    PayoutRetried = "payout.retried" on payout_id: PayoutId {
        partner_id: PartnerId,
        from_details_id: Option<PaymentDetailsId>,
        to_details_id: Option<PaymentDetailsId>,
    }

    /// Rows of a file were taken over in one unit of work, a thousand at most.
    RowsImported = "import.rows_taken" on program_id: ProgramId { entity: String, created: u64, changed: u64, refused: u64 }
    /// An operator let work that had been given up be tried again.
    JobReplayed = "job.replayed" on job_id: JobId {}
}

impl Event {
    /// The event as the payload of its job and the details of its audit row.
    ///
    /// # Errors
    /// Never for the events above; the signature follows serde.
    pub fn payload(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }
}
