//! What the mutations of deals and participants take.

use async_graphql::{ID, InputObject};

use super::registration_inputs::{ProductLineInput, amount, lines};
use crate::{
    deals::{
        advance::Advance,
        close::{Lose, Win},
        invite::{Answer, Invite, Remove},
        open::Create,
        refund::Refund,
    },
    entity::{
        deal::{DealBusiness, LossReason},
        deal_participant::ParticipantRole,
    },
    graphql::{
        context::id,
        scalars::{Date, DateTime, MoneyInput},
    },
};

/// A deal of the vendor's own sales, without a registration and without protection.
#[derive(Clone, Debug, InputObject)]
pub struct DealCreateInput {
    /// What people call it; 1 to 200 characters.
    name: String,
    /// The programme; the only active one when left out.
    program_id: Option<ID>,
    /// The customer; left out while it is not known.
    customer_id: Option<ID>,
    /// The partner that leads it; left out when the vendor does. Leading gives no role: invite the partner to one.
    owner_partner_id: Option<ID>,
    /// What is to be sold: 1 to 50 products, each once.
    products: Vec<ProductLineInput>,
    /// Whether the customer buys something new or goes on with what it has; incentive plans pay by it.
    #[graphql(default)]
    business: DealBusiness,
    /// What it is worth; more than zero.
    value: MoneyInput,
    /// When the customer is expected to buy; not in the past in `timeZone`.
    expected_close_on: Option<Date>,
    /// The IANA time zone of the deal; the programme's when left out.
    time_zone: Option<String>,
}

/// A move to another stage.
#[derive(Clone, Debug, InputObject)]
pub struct DealStageChangeInput {
    /// The deal.
    deal_id: ID,
    /// The key of an open stage of the deal's programme, such as `PROPOSAL`.
    stage: String,
    /// The version that you saw; refused with `STALE_OBJECT` when it is another one now.
    expected_version: Option<i32>,
}

/// A won deal.
#[derive(Clone, Debug, InputObject)]
pub struct DealWinInput {
    /// The deal.
    deal_id: ID,
    /// When it was won, between its opening and now; now when left out.
    won_at: Option<DateTime>,
    /// The final value in the deal's currency, more than zero; unchanged when left out.
    value: Option<MoneyInput>,
    /// The version that you saw; refused with `STALE_OBJECT` when it is another one now.
    expected_version: Option<i32>,
}

/// A lost deal.
#[derive(Clone, Debug, InputObject)]
pub struct DealLoseInput {
    /// The deal.
    deal_id: ID,
    /// Why; mandatory (`REASON_REQUIRED`).
    reason: Option<LossReason>,
    /// More about it; at most 4,000 characters. Partners do not see it.
    detail: Option<String>,
    /// To whom; mandatory, `none` where there was nobody. At most 200 characters.
    competitor: Option<String>,
    /// The version that you saw; refused with `STALE_OBJECT` when it is another one now.
    expected_version: Option<i32>,
}

/// Money returned to the customer of a won deal.
#[derive(Clone, Debug, InputObject)]
pub struct DealRefundInput {
    /// The deal.
    deal_id: ID,
    /// How much, in the deal's currency; all refunds together are at most the deal's value.
    amount: MoneyInput,
    /// Why; mandatory, at most 1,000 characters.
    reason: String,
    /// When, between the win and now; now when left out.
    refunded_at: Option<DateTime>,
}

/// An invitation of a partner to a deal.
#[derive(Clone, Debug, InputObject)]
pub struct DealParticipantInviteInput {
    /// The deal; it must be open.
    deal_id: ID,
    /// The partner.
    partner_id: ID,
    /// What it is to do. A deal has one reseller of record.
    role: ParticipantRole,
    /// What exactly, in words; at most 1,000 characters.
    scope: Option<String>,
}

/// An invitation that is accepted.
#[derive(Clone, Debug, InputObject)]
pub struct DealParticipantAcceptInput {
    /// The participant, as the invitation names it.
    participant_id: ID,
}

/// An invitation that is declined.
#[derive(Clone, Debug, InputObject)]
pub struct DealParticipantDeclineInput {
    /// The participant, as the invitation names it.
    participant_id: ID,
}

/// A partner that is taken off a deal.
#[derive(Clone, Debug, InputObject)]
pub struct DealParticipantRemoveInput {
    /// The participant.
    participant_id: ID,
    /// Why; mandatory (`REASON_REQUIRED`), at most 1,000 characters.
    reason: Option<String>,
}

impl DealCreateInput {
    /// The deal, with every text still to be checked.
    pub fn command(self) -> Create {
        Create {
            name: self.name,
            program: self.program_id.map(|text| id(&text)),
            customer: self.customer_id.map(|text| id(&text)),
            owner: self.owner_partner_id.map(|text| id(&text)),
            lines: lines(&self.products),
            business: self.business,
            value: amount(self.value),
            expected_close_on: self.expected_close_on.map(|day| day.0),
            time_zone: self.time_zone,
        }
    }
}

impl DealStageChangeInput {
    /// The move.
    pub fn command(self) -> Advance {
        Advance {
            deal: id(&self.deal_id),
            stage: self.stage,
            expected_version: self.expected_version.map(i64::from),
        }
    }
}

impl DealWinInput {
    /// The win.
    pub fn command(self) -> Win {
        Win {
            deal: id(&self.deal_id),
            won_at: self.won_at.map(|at| at.0),
            value: self.value.map(amount),
            expected_version: self.expected_version.map(i64::from),
        }
    }
}

impl DealLoseInput {
    /// The loss.
    pub fn command(self) -> Lose {
        Lose {
            deal: id(&self.deal_id),
            reason: self.reason,
            detail: self.detail,
            competitor: self.competitor,
            expected_version: self.expected_version.map(i64::from),
        }
    }
}

impl DealRefundInput {
    /// The refund.
    pub fn command(self) -> Refund {
        Refund {
            deal: id(&self.deal_id),
            amount: amount(self.amount),
            reason: self.reason,
            refunded_at: self.refunded_at.map(|at| at.0),
        }
    }
}

impl DealParticipantInviteInput {
    /// The invitation.
    pub fn command(self) -> Invite {
        Invite {
            deal: id(&self.deal_id),
            partner: id(&self.partner_id),
            role: self.role,
            scope: self.scope,
        }
    }
}

impl DealParticipantAcceptInput {
    /// The answer.
    pub fn command(self) -> Answer {
        Answer {
            participant: id(&self.participant_id),
        }
    }
}

impl DealParticipantDeclineInput {
    /// The answer.
    pub fn command(self) -> Answer {
        Answer {
            participant: id(&self.participant_id),
        }
    }
}

impl DealParticipantRemoveInput {
    /// The removal.
    pub fn command(self) -> Remove {
        Remove {
            participant: id(&self.participant_id),
            reason: self.reason,
        }
    }
}
