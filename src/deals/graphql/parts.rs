//! The parts of registrations and deals: products, contacts, participants, moves and refunds.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::Deal;
use crate::{
    access::{Action, Actor},
    catalog::graphql::Product,
    deals::{
        participant::ParticipantAction,
        stage::{Stage, StageKind},
    },
    entity::{
        deal_participant::{self, ParticipantRole, ParticipantStatus},
        deal_refund,
        deal_registration::Contact,
        ids::ProductId,
    },
    graphql::{
        Objects, Shown,
        context::ContextExt,
        scalars::{BigInt, DateTime, Decimal, EmailAddress, Money, percent},
    },
    partners::graphql::Partner,
    platform::{ppm::Ppm, transition::StateMachine},
};

/// A product and how many of it.
#[derive(Clone, Debug)]
pub struct ProductLine {
    /// The product.
    pub product: ProductId,
    /// How many.
    pub quantity: i64,
}

/// A product and how many of it.
#[Object]
impl ProductLine {
    /// The product.
    async fn product(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Product>> {
        ctx.object(self.product).await
    }

    /// How many; at least 1.
    fn quantity(&self) -> BigInt {
        BigInt(self.quantity)
    }
}

/// A person at the customer. Personal data: the vendor and the registering partner see it.
#[derive(Clone, Debug, SimpleObject)]
pub struct ContactAtCustomer {
    /// The name.
    name: String,
    /// An e-mail address.
    email: Option<EmailAddress>,
    /// The part the person plays, such as buyer or sponsor.
    role: Option<String>,
}

impl From<Contact> for ContactAtCustomer {
    fn from(contact: Contact) -> Self {
        Self {
            name: contact.name,
            email: contact.email.map(EmailAddress),
            role: contact.role,
        }
    }
}

/// A stage of the programme's pipeline.
#[derive(Clone, Debug, SimpleObject)]
pub struct DealStage {
    /// The stable name for programs, such as `QUALIFIED`.
    key: String,
    /// The name for people.
    name: String,
    /// How likely a deal in this stage is won, in percent with up to four decimals.
    probability: Decimal,
    /// Whether deals in it are being sold, won or lost.
    kind: StageKind,
}

impl From<&Stage> for DealStage {
    fn from(stage: &Stage) -> Self {
        Self {
            key: stage.key.clone(),
            name: stage.name.clone(),
            probability: percent(Ppm::new(stage.probability_ppm)),
            kind: stage.kind,
        }
    }
}

/// A stay in a stage.
#[derive(Clone, Debug, SimpleObject)]
pub struct StageStay {
    /// The key of the stage.
    pub stage: String,
    /// The key of the stage before; null where the deal began.
    pub from_stage: Option<String>,
    /// When the deal entered it.
    pub entered_at: DateTime,
    /// When it left it; null while it is there.
    pub left_at: Option<DateTime>,
    /// How long it stayed, in seconds, up to now while it is there; null for the stage in which it was closed.
    pub dwell_seconds: Option<BigInt>,
}

/// How long a deal was in a stage, all stays together.
#[derive(Clone, Debug, SimpleObject)]
pub struct StageDwell {
    /// The key of the stage.
    pub stage: String,
    /// Seconds, up to now while the deal is there.
    pub seconds: BigInt,
}

/// Money returned to the customer of a won deal.
#[derive(Clone, Debug)]
pub struct DealRefund(pub deal_refund::Model);

/// Money returned to the customer of a won deal.
#[Object]
impl DealRefund {
    /// The object's id.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// How much.
    fn amount(&self) -> Money {
        Money::minor(self.0.amount_minor, self.0.currency)
    }

    /// Why; null for partners.
    fn reason(&self, ctx: &Context<'_>) -> Option<&str> {
        ctx.actor().is_vendor().then_some(self.0.reason.as_str())
    }

    /// When the money went back.
    fn refunded_at(&self) -> DateTime {
        DateTime(self.0.refunded_at)
    }
}

/// A partner's role on a deal.
#[derive(Clone, Debug)]
pub struct DealParticipant(pub Arc<deal_participant::Model>);

impl Shown for DealParticipant {
    type Entity = deal_participant::Entity;

    fn of(row: Arc<deal_participant::Model>) -> Self {
        Self(row)
    }
}

/// A partner's role on a deal. The vendor sees all; a partner sees its own.
#[Object]
impl DealParticipant {
    /// The object's id.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The partner.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        ctx.object(self.0.partner_id).await
    }

    /// What the partner does on the deal.
    fn role(&self) -> ParticipantRole {
        self.0.role
    }

    /// Whether it is on the deal.
    fn status(&self) -> ParticipantStatus {
        self.0.status
    }

    /// What you may do about it now, by its status and your role. At most 5.
    fn allowed_actions(&self, ctx: &Context<'_>) -> Vec<ParticipantAction> {
        let allowed = self.0.status.allowed().into_iter();
        allowed
            .filter(|action| offered(ctx.actor(), &self.0, *action))
            .collect()
    }

    /// What exactly the partner is to do, in words.
    fn scope(&self) -> Option<&str> {
        self.0.scope.as_deref()
    }

    /// When it was invited.
    fn invited_at(&self) -> DateTime {
        DateTime(self.0.invited_at)
    }

    /// Until when the invitation can be accepted; null for who came with the registration.
    fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// When it accepted; null until it did.
    fn accepted_at(&self) -> Option<DateTime> {
        self.0.accepted_at.map(DateTime)
    }

    /// When it declined, lapsed or was removed; null while it is live.
    fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime)
    }

    /// Why it was removed.
    fn end_reason(&self) -> Option<&str> {
        self.0.end_reason.as_deref()
    }

    /// The deal; null for a partner that is no longer on it.
    async fn deal(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Deal>> {
        ctx.object(self.0.deal_id).await
    }

    /// Counts the changes.
    fn version(&self) -> i32 {
        super::counter(self.0.version)
    }
}

fn offered(actor: &Actor, row: &deal_participant::Model, action: ParticipantAction) -> bool {
    use ParticipantAction as A;
    match action {
        A::Accept | A::Decline => {
            actor.can(Action::ParticipantAccept) && actor.partner_id() == Some(row.partner_id)
        }
        A::Remove | A::InviteAgain => actor.can(Action::ParticipantInvite),
        A::Expire => false,
    }
}
