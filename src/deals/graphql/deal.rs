//! The opportunity as the vendor and the partners on it see it.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::Utc;

use super::{
    DealRegistration,
    loaders::{MovesOf, OthersOn, ParticipantsOf, ProductsOf, RefundsOf, RegistrationOf, RulesOf},
    parts::{DealParticipant, DealRefund, DealStage, ProductLine, StageDwell, StageStay},
};
use crate::{
    attribution::graphql::{Attribution, TouchpointConnection, attribution_for, touchpoints_for},
    customers::graphql::Customer,
    deals::{pipeline, rules::Rules},
    entity::{
        attribution_run::AttributionModel,
        deal::{self, DealBusiness, LossReason, SalesStatus},
        deal_stage_change,
    },
    error::{Error, Result},
    graphql::{
        ContextExt, List, Objects, Shown,
        context::unshared,
        errors::top_level,
        paging::{Answer, PageArgs},
        scalars::{BigInt, Date, DateTime, Decimal, Money},
    },
    incentives::graphql::{AccrualConnection, accruals_for},
    partners::graphql::Partner,
    programs::graphql::Program,
};

/// An opportunity and its pipeline.
#[derive(Clone, Debug)]
pub struct Deal(pub Arc<deal::Model>);

impl Shown for Deal {
    type Entity = deal::Entity;

    fn of(row: Arc<deal::Model>) -> Self {
        Self(row)
    }
}

/// An opportunity and its pipeline. Visible to the vendor, to the partner that owns it, and to partners that take part
/// in it or are invited to; whoever declined, was removed or let the invitation lapse sees it no more.
#[Object]
impl Deal {
    /// The object's id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The number for people, such as `D-7K3M9QX2P4`.
    fn number(&self) -> &str {
        &self.0.number
    }

    /// What people call it.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it is still being sold.
    fn status(&self) -> SalesStatus {
        self.0.status
    }

    /// Where it stands in the pipeline of its programme.
    async fn stage(&self, ctx: &Context<'_>) -> async_graphql::Result<DealStage> {
        let rules = self.rules(ctx).await.map_err(top_level)?;
        let stage = rules
            .settings
            .stages
            .iter()
            .find(|stage| stage.key == self.0.stage);
        stage
            .map(DealStage::from)
            .ok_or_else(|| top_level(Error::internal(format!("no stage {}", self.0.stage))))
    }

    /// Whether the customer buys something new or goes on with what it has; incentive plans pay by it.
    fn business(&self) -> DealBusiness {
        self.0.business
    }

    /// What it is worth; the final value once it is won.
    fn value(&self) -> Money {
        Money::minor(self.0.value_minor, self.0.currency)
    }

    /// The partner that owns it; null for the vendor's own deals, and for other partners on it.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        let owner = self.0.partner_id?;
        if ctx.actor().partner_id().is_some_and(|own| own != owner) {
            return None;
        }
        ctx.object(owner).await
    }

    /// The customer; null while it is not known, or when you may not see it.
    async fn customer(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Customer>> {
        ctx.object(self.0.customer_id?).await
    }

    /// The registration it came from; null for deals without one, and for partners other than the registering one.
    async fn registration(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<Option<DealRegistration>> {
        let row = ctx.loaders().load_one(RegistrationOf(self.0.id)).await;
        Ok(row
            .map_err(top_level)?
            .flatten()
            .map(DealRegistration::of_row))
    }

    /// What is to be sold. At most 50.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    async fn products(&self, ctx: &Context<'_>) -> async_graphql::Result<List<ProductLine>> {
        let rows = ctx.loaders().load_one(ProductsOf(self.0.id)).await;
        let rows = rows.map_err(top_level)?.unwrap_or_default();
        Ok(rows
            .into_iter()
            .map(|row| ProductLine {
                product: row.product_id,
                quantity: row.quantity,
            })
            .collect())
    }

    /// The roles of partners on it, earliest first: all for the vendor, your own for a partner. At most 20,
    /// those who left included.
    #[graphql(directive = crate::graphql::cost::list_size::apply(4, None))]
    async fn participants(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<List<DealParticipant>> {
        let rows = ctx.loaders().load_one(ParticipantsOf(self.0.id)).await;
        let rows = rows.map_err(top_level)?.unwrap_or_default();
        Ok(rows.into_iter().map(DealParticipant::of_row).collect())
    }

    /// How many other partners take part or are invited. 0 for the vendor, who sees them in `participants`.
    async fn other_partner_count(&self, ctx: &Context<'_>) -> async_graphql::Result<i32> {
        let count = ctx.loaders().load_one(OthersOn(self.0.id)).await;
        let count = count.map_err(top_level)?.unwrap_or_default();
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// The stays in stages, earliest first. At most 50: the latest.
    #[graphql(directive = crate::graphql::cost::list_size::apply(8, None))]
    async fn stage_history(&self, ctx: &Context<'_>) -> async_graphql::Result<List<StageStay>> {
        let moves = self.moves(ctx).await.map_err(top_level)?;
        let now = ctx.app().clock().now();
        let stays = moves.iter().enumerate().map(|(at, entry)| {
            let left_at = moves.get(at + 1).map(|next| next.at);
            self.stay(entry, left_at, now)
        });
        Ok(stays.skip(moves.len().saturating_sub(50)).collect())
    }

    /// How long it was in each stage, in the order of the first entry; the closing stage is left out. At most 30.
    #[graphql(directive = crate::graphql::cost::list_size::apply(8, None))]
    async fn time_in_stages(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<StageDwell>> {
        let moves = self.moves(ctx).await.map_err(top_level)?;
        let closed = self.0.closed_at.is_some();
        let until = if closed {
            moves.last().map(|last| last.at)
        } else {
            None
        };
        let until = until.unwrap_or_else(|| ctx.app().clock().now());
        let open = moves.len() - usize::from(closed && !moves.is_empty());
        let log: Vec<_> = moves
            .iter()
            .take(open)
            .map(|entry| (entry.to_stage.clone(), entry.at))
            .collect();
        let dwell = pipeline::dwell(&log, until).into_iter();
        Ok(dwell
            .map(|(stage, stay)| StageDwell {
                stage,
                seconds: BigInt(stay.num_seconds()),
            })
            .collect())
    }

    /// How likely it is won, in percent with up to four decimals: the probability of its stage.
    async fn probability(&self, ctx: &Context<'_>) -> async_graphql::Result<Decimal> {
        let rules = self.rules(ctx).await.map_err(top_level)?;
        let stage = rules
            .settings
            .stages
            .iter()
            .find(|stage| stage.key == self.0.stage);
        let ppm = stage.map_or(0, |stage| stage.probability_ppm);
        Ok(crate::graphql::scalars::percent(
            crate::platform::ppm::Ppm::new(ppm),
        ))
    }

    /// When the customer is expected to buy; null when nobody said.
    fn expected_close_on(&self) -> Option<Date> {
        self.0.expected_close_on.map(Date)
    }

    /// The IANA time zone of the deal's days.
    fn time_zone(&self) -> &str {
        &self.0.time_zone
    }

    /// When it came into being.
    fn opened_at(&self) -> DateTime {
        DateTime(self.0.opened_at)
    }

    /// When it was won or lost; null while it is open.
    fn closed_at(&self) -> Option<DateTime> {
        self.0.closed_at.map(DateTime)
    }

    /// Why it was lost; null unless it was.
    fn loss_reason(&self) -> Option<LossReason> {
        self.0.loss_reason
    }

    /// More about the loss; null for partners.
    fn loss_detail(&self, ctx: &Context<'_>) -> Option<&str> {
        self.0
            .loss_detail
            .as_deref()
            .filter(|_| ctx.actor().is_vendor())
    }

    /// Who else is after it, or to whom it was lost.
    fn competitor(&self) -> Option<&str> {
        self.0.competitor.as_deref()
    }

    /// All refunds together.
    fn refunded(&self) -> Money {
        Money::minor(self.0.refunded_minor, self.0.currency)
    }

    /// The refunds, earliest first. At most 20: the latest.
    #[graphql(directive = crate::graphql::cost::list_size::apply(2, None))]
    async fn refunds(&self, ctx: &Context<'_>) -> async_graphql::Result<List<DealRefund>> {
        let rows = ctx.loaders().load_one(RefundsOf(self.0.id)).await;
        let rows = rows.map_err(top_level)?.unwrap_or_default();
        let older = rows.len().saturating_sub(20);
        Ok(rows.into_iter().skip(older).map(DealRefund).collect())
    }

    /// The programme.
    async fn program(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Program>> {
        Program::load(ctx, self.0.program_id)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// The number of the version of the programme's rules that it follows.
    async fn program_version(&self, ctx: &Context<'_>) -> async_graphql::Result<i32> {
        Ok(self.rules(ctx).await.map_err(top_level)?.number)
    }

    /// Counts the changes; send it back as `expectedVersion`.
    fn version(&self) -> i32 {
        super::counter(self.0.version)
    }

    /// What partners did for it. The vendor sees all; a partner's people see their own partner's. Null with `FORBIDDEN`
    /// for roles that read no touchpoints.
    async fn touchpoints(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100; not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<async_graphql::Result<TouchpointConnection>> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        Some(Answer::of(touchpoints_for(ctx, self, args).await))
    }

    /// Who made the outcome happen: the official credit of a won deal, and beside it the models asked for. At most 9.
    /// The vendor sees all credits; a partner's people see their own partner's. Null with `FORBIDDEN` for members of a
    /// partner, and for whoever asks for models without the right to compare them.
    #[graphql(directive = crate::graphql::cost::list_size::apply(1, Some(vec!["models".to_owned()])))]
    async fn attribution(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Other models to look at beside the official one; for alliance managers, administrators and auditors. At most 8."
        )]
        models: Option<Vec<AttributionModel>>,
    ) -> Option<async_graphql::Result<Vec<Attribution>>> {
        Some(attribution_for(ctx, &self.0, models).await)
    }

    /// The commission lines. The vendor sees all; a partner's people see their own partner's. Null with `FORBIDDEN` for
    /// members of a partner.
    async fn accruals(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100; not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<async_graphql::Result<AccrualConnection>> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        Some(accruals_for(ctx, &self.0, args).await)
    }

    /// When it last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

impl Deal {
    async fn rules(&self, ctx: &Context<'_>) -> Result<Arc<Rules>> {
        let version = self.0.program_version_id;
        let rules = ctx
            .loaders()
            .load_one(RulesOf(version))
            .await
            .map_err(unshared)?;
        rules.ok_or_else(|| Error::internal(format!("no rules {version}")))
    }

    async fn moves(&self, ctx: &Context<'_>) -> Result<Vec<deal_stage_change::Model>> {
        Ok(ctx
            .loaders()
            .load_one(MovesOf(self.0.id))
            .await
            .map_err(unshared)?
            .unwrap_or_default())
    }

    fn stay(
        &self,
        entry: &deal_stage_change::Model,
        left_at: Option<chrono::DateTime<Utc>>,
        now: chrono::DateTime<Utc>,
    ) -> StageStay {
        let until = left_at.or((self.0.status == SalesStatus::Open).then_some(now));
        StageStay {
            stage: entry.to_stage.clone(),
            from_stage: entry.from_stage.clone(),
            entered_at: DateTime(entry.at),
            left_at: left_at.map(DateTime),
            dwell_seconds: until.map(|until| BigInt((until - entry.at).num_seconds())),
        }
    }
}
