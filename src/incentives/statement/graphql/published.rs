//! Statements as they were published.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};

use super::visible;
use crate::{
    access::Action,
    connection,
    entity::{ids::PartnerId, partner_statement},
    error::{Error, Result},
    graphql::{
        ContextExt, Objects, Shown,
        errors::top_level,
        paging::{Below, Direction, Page, PageArgs, Sort},
        scalars::{CurrencyCode, Date, DateTime, Money},
    },
    incentives::statement::{Period, Sums, publish},
    partners::graphql::Partner,
    payload,
    programs::graphql::calendar,
};

/// A statement as it was published and mailed: it stays as it was told. What was booked later for one of its days is in
/// `Partner.statement` and in the opening of the next one. Whoever sees a partner's `statement` sees it.
#[derive(Clone, Debug)]
pub struct PublishedStatement(Arc<partner_statement::Model>);

impl Shown for PublishedStatement {
    type Entity = partner_statement::Entity;

    fn of(row: Arc<partner_statement::Model>) -> Self {
        Self(row)
    }
}

/// A statement as it was published and mailed: it stays as it was told. What was booked later for one of its days is in
/// `Partner.statement` and in the opening of the next one. Whoever sees a partner's `statement` sees it.
#[Object]
impl PublishedStatement {
    /// The object's id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Whom it is about.
    async fn partner(&self, ctx: &Context<'_>) -> async_graphql::Result<Partner> {
        let partner = Partner::load(ctx, self.0.partner_id)
            .await
            .map_err(top_level)?;
        partner.ok_or_else(|| top_level(Error::internal("a published statement has no partner")))
    }

    /// The first day, in the time zone of each line's programme.
    fn period_start(&self) -> Date {
        Date(self.0.period_start)
    }

    /// The last day, in the time zone of each line's programme.
    fn period_end(&self) -> Date {
        Date(self.0.period_end)
    }

    /// The currency of all amounts.
    fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency.to_string())
    }

    /// Owed at the start of the first day; negative when more was taken back than earned.
    fn opening(&self) -> Money {
        self.money(self.0.opening_minor)
    }

    /// Earned in the period, parts that are held back included.
    fn earned(&self) -> Money {
        self.money(self.0.earned_minor)
    }

    /// Taken back in the period after refunds; zero or negative.
    fn adjustments(&self) -> Money {
        self.money(self.0.adjustments_minor)
    }

    /// Paid in the period.
    fn paid(&self) -> Money {
        self.money(self.0.paid_minor)
    }

    /// Owed at the end of the last day: opening + earned + adjustments − paid.
    fn closing(&self) -> Money {
        self.money(Sums::from(&*self.0).closing())
    }

    /// When it was published.
    fn published_at(&self) -> DateTime {
        DateTime(self.0.published_at)
    }
}

impl PublishedStatement {
    fn money(&self, minor: i64) -> Money {
        Money::minor(minor, self.0.currency)
    }
}

connection!(
    PublishedStatementConnection,
    PublishedStatementEdge,
    PublishedStatement
);

/// The published statements of a partner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Published;

impl Below for Published {
    type Entity = partner_statement::Entity;

    fn parent() -> partner_statement::Column {
        partner_statement::Column::PartnerId
    }

    fn sort() -> Sort<partner_statement::Column> {
        Sort {
            column: Some(partner_statement::Column::PeriodEnd),
            id: partner_statement::Column::Id,
            direction: Direction::Desc,
        }
    }
}

/// The published statements of a partner, the latest period first.
///
/// # Errors
/// `FORBIDDEN` for roles that may not read payouts, `NOT_FOUND` for another partner's people; impossible paging
/// arguments.
pub async fn published_statements(
    ctx: &Context<'_>,
    partner: PartnerId,
    args: PageArgs,
) -> Result<Page<PublishedStatement>> {
    ctx.actor().may(Action::PayoutRead)?;
    visible(ctx, partner)?;
    ctx.below(partner, Published, args).await
}

/// Queries of published statements.
#[derive(Default)]
pub struct StatementQuery;

#[Object]
impl StatementQuery {
    /// A published statement by its id; null with `NOT_FOUND` for an unknown one and one of somebody else.
    async fn published_statement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The statement's id.")] id: ID,
    ) -> Option<async_graphql::Result<PublishedStatement>> {
        ctx.by_id(&id).await
    }
}

/// A period whose statements are to be published.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct StatementsPublishInput {
    /// The first day, in the time zone of each programme.
    pub period_start: Date,
    /// The last day; it must be over in the time zone of every programme.
    pub period_end: Date,
}

payload!(
    /// The result of `statementsPublish`.
    StatementsPublishPayload {
        /// How many statements were published; null exactly when there are errors.
        published: i32
    }
);

/// Mutations of statements.
#[derive(Default)]
pub struct StatementMutation;

#[Object]
impl StatementMutation {
    /// Publishes the statements of all partners about a period that is over, and mails them to the partners: in each
    /// currency in which there is an opening balance, a line or a payment. What is published already for these very days
    /// stays, so it may be repeated, and goes on where it stopped. By itself each month is published when it is over,
    /// unless the installation does without. Refused with `BAD_USER_INPUT` for a period that is not over.
    async fn statements_publish(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which period.")] input: StatementsPublishInput,
    ) -> async_graphql::Result<StatementsPublishPayload> {
        StatementsPublishPayload::of(published(ctx, input).await)
    }
}

async fn published(ctx: &Context<'_>, input: StatementsPublishInput) -> Result<i32> {
    ctx.actor().may(Action::StatementPublish)?;
    let calendar = calendar(ctx).await?;
    let period = Period::days(&calendar, input.period_start.0, input.period_end.0)?;
    let published = ctx.finish("statementsPublish", |app, call| async move {
        publish::run_as(&app, call, &period).await
    });
    let published = published.await?;
    Ok(i32::try_from(published).unwrap_or(i32::MAX))
}
