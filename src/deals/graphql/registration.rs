//! A partner's claim as its partner and the vendor see it.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::{
    Deal,
    loaders::{RegisteredProducts, RulesOf},
    parts::{ContactAtCustomer, ProductLine},
};
use crate::{
    access::{Action, Actor},
    customers::graphql::Customer,
    deals::registration_status::RegistrationAction,
    entity::{
        deal::DealBusiness,
        deal_registration::{self, MatchOutcome, MatchReason, RegistrationStatus, RejectionReason},
    },
    graphql::{
        ContextExt, List, Objects, Shown,
        errors::top_level,
        scalars::{CountryCode, Date, DateTime, Money},
    },
    partners::graphql::Partner,
    platform::transition::StateMachine,
    programs::graphql::Program,
};

/// A partner's claim on a deal.
#[derive(Clone, Debug)]
pub struct DealRegistration(pub Arc<deal_registration::Model>);

impl Shown for DealRegistration {
    type Entity = deal_registration::Entity;

    fn of(row: Arc<deal_registration::Model>) -> Self {
        Self(row)
    }
}

/// Whether the claim meets another one.
#[derive(Clone, Debug, SimpleObject)]
pub struct RegistrationConflict {
    /// `CLEAR`, or `POSSIBLE_CONFLICT` when a place was held at a customer that looks alike when it was submitted. A
    /// reviewer decides, by what is held then. A sure conflict is never stored: it is refused at once.
    outcome: MatchOutcome,
    /// What the customers have in common. At most 5. Who the other is, is told to nobody here.
    reasons: Vec<MatchReason>,
}

/// The vendor's decision.
#[derive(Clone, Debug, SimpleObject)]
pub struct RegistrationDecision {
    /// Who decided; null for partners.
    by: Option<ID>,
    /// When.
    at: DateTime,
    /// Why it was rejected; null when approved.
    reason: Option<RejectionReason>,
    /// The reviewer's words; the partner reads them.
    note: Option<String>,
}

/// A partner's claim on a deal, with its review and its protection. Visible to the vendor and to the partner itself.
#[Object]
impl DealRegistration {
    /// The object's id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The number for people, such as `DR-7K3M9QX2P4`.
    fn number(&self) -> &str {
        &self.0.number
    }

    /// Where it stands. Apart from the stage of the deal.
    fn status(&self) -> RegistrationStatus {
        self.0.status
    }

    /// What you may do to it now, by its status and your role. At most 9.
    fn allowed_actions(&self, ctx: &Context<'_>) -> Vec<RegistrationAction> {
        let allowed = self.0.status.allowed().into_iter();
        allowed
            .filter(|action| offered(ctx.actor(), *action))
            .collect()
    }

    /// The partner that claims.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        ctx.object(self.0.partner_id).await
    }

    /// The programme.
    async fn program(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Program>> {
        Program::load(ctx, self.0.program_id)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// The number of the version of the programme's rules that it was handed in under.
    async fn program_version(&self, ctx: &Context<'_>) -> async_graphql::Result<i32> {
        let rules = ctx
            .loaders()
            .load_one(RulesOf(self.0.program_version_id))
            .await;
        let rules = rules.map_err(top_level)?;
        Ok(rules.map_or(0, |rules| rules.number))
    }

    /// The partner's tier when it was handed in; it decides the days of protection.
    fn tier(&self) -> &str {
        &self.0.tier
    }

    /// The one record of the customer; null when you may not see it.
    async fn customer(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Customer>> {
        ctx.object(self.0.customer_id).await
    }

    /// The customer's name as the partner typed it.
    fn customer_name(&self) -> &str {
        &self.0.customer_name
    }

    /// The customer's domain as the partner typed it.
    fn customer_domain(&self) -> Option<&str> {
        self.0.customer_domain.as_deref()
    }

    /// The customer's country as the partner named it.
    fn customer_country(&self) -> Option<CountryCode> {
        self.0.customer_country.clone().map(CountryCode)
    }

    /// What is to be sold. At most 50.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    async fn products(&self, ctx: &Context<'_>) -> async_graphql::Result<List<ProductLine>> {
        let rows = ctx.loaders().load_one(RegisteredProducts(self.0.id)).await;
        let rows = rows.map_err(top_level)?.unwrap_or_default();
        Ok(rows
            .into_iter()
            .map(|row| ProductLine {
                product: row.product_id,
                quantity: row.quantity,
            })
            .collect())
    }

    /// Whether the customer buys something new or goes on with what it has; incentive plans pay by it.
    fn business(&self) -> DealBusiness {
        self.0.business
    }

    /// What the deal is worth, as the partner expects.
    fn value(&self) -> Money {
        Money::minor(self.0.value_minor, self.0.currency)
    }

    /// When the customer is expected to buy.
    fn expected_close_on(&self) -> Date {
        Date(self.0.expected_close_on)
    }

    /// The IANA time zone in which protection is counted.
    fn time_zone(&self) -> &str {
        &self.0.time_zone
    }

    /// What the customer needs.
    fn need(&self) -> Option<&str> {
        self.0.need.as_deref()
    }

    /// Who else is after the deal.
    fn competitor(&self) -> Option<&str> {
        self.0.competitor.as_deref()
    }

    /// People at the customer. At most 10.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    fn contacts(&self) -> Vec<ContactAtCustomer> {
        self.0
            .contacts
            .0
            .iter()
            .cloned()
            .map(ContactAtCustomer::from)
            .collect()
    }

    /// Whether it meets another claim.
    fn conflict(&self) -> RegistrationConflict {
        let reasons = self.0.conflict_reasons.0.clone();
        RegistrationConflict {
            outcome: self.0.conflict_outcome,
            reasons,
        }
    }

    /// When it was handed in.
    fn submitted_at(&self) -> DateTime {
        DateTime(self.0.submitted_at)
    }

    /// By when the vendor has promised to decide; later by the time that questions waited for an answer.
    fn review_due_at(&self) -> DateTime {
        DateTime(self.0.review_due_at)
    }

    /// The reviewer's last question; null when nothing was asked.
    fn question(&self) -> Option<&str> {
        self.0.question.as_deref()
    }

    /// The partner's answer to it; null when it was not answered yet.
    fn answer(&self) -> Option<&str> {
        self.0.answer.as_deref()
    }

    /// The decision; null until there is one.
    fn decision(&self, ctx: &Context<'_>) -> Option<RegistrationDecision> {
        Some(RegistrationDecision {
            by: self
                .0
                .decided_by
                .filter(|_| ctx.actor().is_vendor())
                .map(ID::from),
            at: DateTime(self.0.decided_at?),
            reason: self.0.rejection_reason,
            note: self.0.decision_note.clone(),
        })
    }

    /// The end of protection, the first moment after the last protected day; null unless it was approved.
    fn protected_until(&self) -> Option<DateTime> {
        self.0.protected_until.map(DateTime)
    }

    /// How often protection was prolonged.
    fn extensions(&self) -> i32 {
        self.0.extensions
    }

    /// The deal that approval made; null before.
    async fn deal(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Deal>> {
        ctx.object(self.0.deal_id?).await
    }

    /// Counts the changes; send it back as `expectedVersion`.
    fn version(&self) -> i32 {
        super::counter(self.0.version)
    }

    /// When it last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// Whether a person has the work that an action belongs to. Expiring, winning and losing follow from elsewhere.
fn offered(actor: &Actor, action: RegistrationAction) -> bool {
    use RegistrationAction as A;
    match action {
        A::StartReview | A::RequestInfo | A::Approve | A::Reject => {
            actor.can(Action::RegistrationReview)
        }
        A::Answer => actor.can(Action::RegistrationSubmit),
        A::Withdraw => actor.can(Action::RegistrationWithdraw),
        A::Expire | A::Win | A::Lose => false,
    }
}
