//! Payments, as the vendor and the partner who gets them see them.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, ID, InputObject, Object, dataloader::Loader};

use super::run::{PayoutRun, shared};
use crate::{
    access::{Action, Scope},
    connection,
    entity::{
        ids::PayoutId,
        payout::{self, PayoutStatus},
    },
    error::{Error, Result},
    graphql::{
        ContextExt, Shown,
        context::{self, LoadError, Rows},
        errors::top_level,
        paging::{self, Direction, Page, PageArgs, Sort},
        scalars::{DateTime, Money},
    },
    incentives::graphql::{AccrualConnection, accruals_paid_by},
    partners::graphql::{Partner, PaymentDetails},
    payouts::store::{self, WantedPayments},
};

/// A payment to one partner in one currency. A partner's people (not members) see those of their own partner, from the
/// approval of the run on.
#[derive(Clone, Debug)]
pub struct Payout(pub payout::Model);

/// A payment to one partner in one currency. A partner's people (not members) see those of their own partner, from the
/// approval of the run on.
#[Object]
impl Payout {
    /// The object's id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The number for people and bank statements, such as `PO-7K3M9QX2P4`.
    fn number(&self) -> &str {
        &self.0.number
    }

    /// The run that it is part of; null for partners.
    async fn run(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<PayoutRun>> {
        PayoutRun::load(ctx, self.0.run_id)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// Who is paid.
    async fn partner(&self, ctx: &Context<'_>) -> async_graphql::Result<Partner> {
        let partner = Partner::load(ctx, self.0.partner_id)
            .await
            .map_err(top_level)?;
        partner.ok_or_else(|| top_level(Error::internal("a payout has no partner")))
    }

    /// The id of the partner who is paid.
    fn partner_id(&self) -> ID {
        self.0.partner_id.into()
    }

    /// How much: the sum of its commission lines, clawbacks netted.
    fn amount(&self) -> Money {
        Money::minor(self.0.amount_minor, self.0.currency)
    }

    /// How many commission lines it pays.
    fn line_count(&self) -> i32 {
        i32::try_from(self.0.line_count).unwrap_or(i32::MAX)
    }

    /// The commission lines that it pays, oldest first; they sum to `amount`. None once it is cancelled: its lines were
    /// freed for a later run.
    async fn lines(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100; not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<AccrualConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        accruals_paid_by(ctx, self.0.id, args).await
    }

    /// Where the payment stands.
    fn status(&self) -> PayoutStatus {
        self.0.status
    }

    /// The provider that it was handed to, such as `FILE_EXPORT`; null before.
    fn provider(&self) -> Option<&str> {
        self.0.provider.as_deref()
    }

    /// The reference under which the payment is found: the provider's for the vendor (for a file export, the name of
    /// the file), the payment's number for the partner, as on its bank statement. Null until it is paid.
    fn reference(&self, ctx: &Context<'_>) -> Option<&str> {
        let provider = self.0.provider_reference.as_deref()?;
        // A provider's reference can count the vendor's runs.
        Some(if ctx.actor().is_vendor() {
            provider
        } else {
            &self.0.number
        })
    }

    /// Why the last attempt failed; null unless it did.
    fn failure(&self) -> Option<&str> {
        self.0.failure.as_deref()
    }

    /// The account it goes to, masked: the one that the partner had when the payment was calculated, which later changes
    /// do not redirect. Null where the partner had none; FORBIDDEN for who may not see accounts.
    async fn payment_details(
        &self,
        ctx: &Context<'_>,
    ) -> Option<async_graphql::Result<PaymentDetails>> {
        PaymentDetails::by_id(ctx, self.0.payment_details_id)
            .await
            .transpose()
    }

    /// When it was paid; null before.
    fn paid_at(&self) -> Option<DateTime> {
        self.0.paid_at.map(DateTime)
    }

    /// When it was calculated.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

impl Payout {
    /// The object under the caller's scope; none when it is absent or hidden.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(ctx: &Context<'_>, id: PayoutId) -> Result<Option<Self>> {
        let row = ctx.loaders().load_one(id).await.map_err(shared)?;
        Ok(row.map(Self))
    }

    /// The object as it is after a change.
    ///
    /// # Errors
    /// `NOT_FOUND` for a hidden one; the database failed.
    pub async fn fresh(ctx: &Context<'_>, id: PayoutId) -> Result<Self> {
        let rows = store::payments_by_id(ctx.db(), ctx.actor().scope(), &[id]).await?;
        rows.into_iter()
            .next()
            .map(Self)
            .ok_or_else(|| Error::not_found("payoutId"))
    }
}

connection!(PayoutConnection, PayoutEdge, Payout);

/// Which payouts; parts that are absent do not restrict.
#[derive(Clone, Debug, Default, InputObject)]
pub struct PayoutFilter {
    /// Of this run; finds nothing for partners, who see no runs.
    pub run_id: Option<ID>,
    /// To this partner.
    pub partner_id: Option<ID>,
    /// In this state.
    pub status: Option<PayoutStatus>,
}

/// Queries of payments.
#[derive(Default)]
pub struct PayoutQuery;

#[Object]
impl PayoutQuery {
    /// Payments, newest first. A partner's people see those of their own partner, from approval on.
    async fn payouts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which payments; all that you may see unless given.")] filter: Option<
            PayoutFilter,
        >,
        #[graphql(desc = "The first so many, 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100; not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<PayoutConnection> {
        ctx.may(Action::PayoutRead)?;
        let filter = filter.unwrap_or_default();
        let wanted = WantedPayments {
            run: filter.run_id.map(|id| context::id(&id)),
            partner: filter.partner_id.map(|id| context::id(&id)),
            status: filter.status,
        };
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        Ok(PayoutConnection::of(
            page_of(ctx, wanted, Direction::Desc, args).await?,
            Payout,
        ))
    }

    /// A payment by its id; null with `NOT_FOUND` for an unknown one, one of somebody else, and, for its partner, before
    /// its run is approved.
    async fn payout(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment's id.")] id: ID,
    ) -> Option<async_graphql::Result<Payout>> {
        let found = async {
            ctx.actor().may(Action::PayoutRead)?;
            Payout::load(ctx, context::id(&id))
                .await?
                .ok_or_else(|| Error::not_found("id"))
        };
        Some(found.await.map_err(top_level))
    }
}

/// A page of the payments that the caller may see.
pub(super) async fn page_of(
    ctx: &Context<'_>,
    wanted: WantedPayments,
    direction: Direction,
    args: PageArgs,
) -> async_graphql::Result<Page<payout::Model>> {
    let sort = Sort {
        column: None,
        id: payout::Column::Id,
        direction,
    };
    let payments = store::visible_payments(ctx.actor().scope(), wanted);
    paging::page(ctx, ctx.db(), payments, sort, args)
        .await
        .map_err(top_level)
}

impl Loader<PayoutId> for Rows {
    type Value = payout::Model;
    type Error = LoadError;

    async fn load(&self, ids: &[PayoutId]) -> Result<HashMap<PayoutId, Self::Value>, LoadError> {
        let scope = if self.actor.can(Action::PayoutRead) {
            self.scope()
        } else {
            Scope::Nothing
        };
        let rows = store::payments_by_id(&self.db, scope, ids)
            .await
            .map_err(Arc::new)?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}
