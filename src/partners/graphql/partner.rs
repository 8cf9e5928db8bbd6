//! A partner as the API shows it, and the directory.

use std::sync::Arc;

use async_graphql::{Context, ID, MergedObject, Object};
use sea_orm::{ActiveEnum, QueryFilter};

use super::{
    PaymentDetails,
    filter::{PartnerFilter, PartnerOrder},
    history::{LifecycleEvent, LifecycleEventConnection},
    loaders::AttributesOf,
};
use crate::{
    access::{self, Action, Visible},
    connection,
    entity::{
        ids::{PartnerId, ProgramId},
        partner::{self, PartnerSize, PartnerStatus},
        partner_attribute::AttributeKind,
        partner_lifecycle_event::{self, PartnerAction},
    },
    error::{Error, Result},
    graphql::{
        ContextExt, List, Objects, Shown, context,
        errors::top_level,
        paging::{Below, Direction, Page, PageArgs, Sort},
        scalars::{CountryCode, CurrencyCode, Date, DateTime, counter},
    },
    incentives::statement::graphql::{
        PartnerStatement, PublishedStatement, PublishedStatementConnection, published_statements,
        statement,
    },
    ledger::{self, graphql::PartnerBalance},
    lists,
    partners::PartnerType,
    platform::transition::StateMachine,
    programs::graphql::{Enrollment, EnrollmentsOf, tier_on},
};

/// A partner.
#[derive(Clone, Debug)]
pub struct Partner(pub Arc<partner::Model>);

impl Shown for Partner {
    type Entity = partner::Entity;

    fn of(row: Arc<partner::Model>) -> Self {
        Self(row)
    }
}

/// A company that sells, builds or advises together with the vendor. A partner's people see their own.
#[Object]
impl Partner {
    /// The partner's id, such as `partner_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The name in contracts.
    fn legal_name(&self) -> &str {
        &self.0.legal_name
    }

    /// The name in lists.
    fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// What the partner is; at least one type.
    async fn types(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<PartnerType>> {
        let values = self.values(ctx, AttributeKind::Type).await?;
        let types = values
            .iter()
            .map(PartnerType::try_from_value)
            .collect::<std::result::Result<_, _>>();
        types.map_err(|error| top_level(Error::from(error)))
    }

    /// How big it is; null when not known.
    fn size(&self) -> Option<PartnerSize> {
        self.0.size
    }

    /// The country of its head office; null when not known.
    fn country(&self) -> Option<CountryCode> {
        self.0.country.clone().map(CountryCode)
    }

    /// The countries it works in, in alphabetical order of their codes. At most 50.
    async fn countries(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<CountryCode>> {
        Ok(self
            .values(ctx, AttributeKind::Country)
            .await?
            .into_iter()
            .map(CountryCode)
            .collect())
    }

    /// The vendor's sales region; null when not assigned.
    fn region(&self) -> Option<&str> {
        self.0.region.as_deref()
    }

    /// Its website; null when not known.
    fn website(&self) -> Option<&str> {
        self.0.website.as_deref()
    }

    /// The letters and digits of its number in a public register; null when not known.
    fn registration_number(&self) -> Option<&str> {
        self.0.registration_number.as_deref()
    }

    /// The industries it serves, in the vendor's words, in alphabetical order. At most 50.
    async fn industries(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<String>> {
        self.values(ctx, AttributeKind::Industry).await
    }

    /// What it is good at, in the vendor's words, in alphabetical order. At most 50.
    async fn competencies(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<String>> {
        self.values(ctx, AttributeKind::Competency).await
    }

    /// The company it belongs to; null when there is none, and for the partner's own people.
    async fn parent(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        ctx.object(self.0.parent_id?).await
    }

    #[graphql(flatten)]
    async fn lists(&self) -> PartnerLists<'_> {
        PartnerLists(self)
    }

    /// Where it stands with the vendor.
    fn status(&self) -> PartnerStatus {
        self.0.status
    }

    /// The moves that its state allows and that you may make, each with the mutation of its name; empty for roles that
    /// move no partners. At most 11.
    fn allowed_actions(&self, ctx: &Context<'_>) -> Vec<PartnerAction> {
        if ctx.actor().can(Action::PartnerLifecycle) {
            self.0.status.allowed()
        } else {
            Vec::new()
        }
    }

    /// Its places in programmes, oldest first. At most 20.
    #[graphql(directive = crate::graphql::cost::list_size::apply(2, None))]
    async fn enrollments(&self, ctx: &Context<'_>) -> async_graphql::Result<List<Enrollment>> {
        let rows = ctx
            .loaders()
            .load_one(EnrollmentsOf(self.0.id))
            .await
            .map_err(top_level)?;
        Ok(rows
            .unwrap_or_default()
            .into_iter()
            .map(Enrollment)
            .collect())
    }

    /// The key of its tier in a programme at the end of a day, in the programme's time zone, such as `GOLD`. Null before it
    /// joined the programme, and when it is in several programmes and none is named. A coming day shows the tier of now. For
    /// the vendor and the partner itself.
    async fn tier_on(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day.")] date: Date,
        #[graphql(
            desc = "The programme; may be left out when the partner is in one programme only."
        )]
        program_id: Option<ID>,
    ) -> async_graphql::Result<Option<String>> {
        let tier = async {
            let places = ctx.loaders().load_one(EnrollmentsOf(self.0.id)).await;
            let places = places.map_err(context::unshared)?.unwrap_or_default();
            let wanted = program_id.map(|id| context::id::<ProgramId>(&id));
            let place = match (wanted, places.as_slice()) {
                (Some(program), _) => places.iter().find(|place| place.program_id == program),
                (None, [only]) => Some(only),
                (None, _) => None,
            };
            match place {
                Some(place) => tier_on(ctx, place, date.0).await,
                None => Ok(None),
            }
        };
        tier.await.map_err(top_level)
    }

    /// The last day of the data processing agreement on file, after which it is not paid; null when there is none to
    /// watch.
    fn dpa_valid_until(&self) -> Option<Date> {
        self.0.dpa_valid_until.map(Date)
    }

    /// Its key in another system of the vendor; null when there is none.
    fn external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// Counts the changes, from 1; give it as `expectedVersion` with the next change.
    fn version(&self) -> i32 {
        counter(self.0.version)
    }

    /// What it earned, what is on its way and what it was paid, in one currency. Administrators, finance, alliance
    /// managers and auditors see every partner's, a partner's people their own; null with `FORBIDDEN` for executives and
    /// for members of a partner.
    async fn balance(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The currency; otherwise the partner's only one, else the reporting currency."
        )]
        currency: Option<CurrencyCode>,
    ) -> Option<async_graphql::Result<PartnerBalance>> {
        Some(ledger::graphql::balance(ctx, self.0.id, currency).await)
    }

    /// The balances in every currency in which anything moved. At most 20. For those who see `balance`.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    async fn balances(
        &self,
        ctx: &Context<'_>,
    ) -> Option<async_graphql::Result<Vec<PartnerBalance>>> {
        Some(ledger::graphql::balances(ctx, self.0.id).await)
    }

    /// The statement about the days from the first to the last, both included, in the time zone of each line's
    /// programme. For those who see `balance`.
    #[graphql(directive = crate::graphql::cost::points::apply("50".to_owned()))]
    async fn statement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day.")] period_start: Date,
        #[graphql(desc = "The last day.")] period_end: Date,
        #[graphql(
            desc = "The currency; otherwise the partner's only one, else the reporting currency."
        )]
        currency: Option<CurrencyCode>,
    ) -> Option<async_graphql::Result<PartnerStatement>> {
        Some(statement(ctx, self.0.id, period_start, period_end, currency).await)
    }

    /// The account to which it is paid, masked; null where none is set. Administrators, alliance managers, finance and
    /// auditors see every partner's, a partner's administrators their own; null with `FORBIDDEN` for others.
    async fn payment_details(
        &self,
        ctx: &Context<'_>,
    ) -> Option<async_graphql::Result<PaymentDetails>> {
        PaymentDetails::of_partner(ctx, self.0.id).await.transpose()
    }

    /// When it entered the directory.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was last changed or moved.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

impl Partner {
    /// The object as stored now.
    ///
    /// # Errors
    /// `NOT_FOUND` when it is hidden; the database failed.
    pub async fn fresh(ctx: &Context<'_>, id: PartnerId) -> Result<Self> {
        let found = access::find::<partner::Entity>(ctx.db(), ctx.actor(), id).await?;
        found
            .map(Self::of_row)
            .ok_or_else(|| Error::not_found("partnerId"))
    }

    async fn values(
        &self,
        ctx: &Context<'_>,
        kind: AttributeKind,
    ) -> async_graphql::Result<Vec<String>> {
        let rows = ctx
            .loaders()
            .load_one(AttributesOf(self.0.id))
            .await
            .map_err(top_level)?;
        let of_kind = rows
            .unwrap_or_default()
            .into_iter()
            .filter(|row| row.kind == kind);
        Ok(of_kind.map(|row| row.value).collect())
    }
}

async fn children(ctx: &Context<'_>, partner: &Partner, args: PageArgs) -> Result<Page<Partner>> {
    ctx.below(partner.0.id, Children, args).await
}

async fn moves(
    ctx: &Context<'_>,
    partner: &Partner,
    args: PageArgs,
) -> Result<Page<LifecycleEvent>> {
    ctx.below(partner.0.id, Moves, args).await
}

async fn statements(
    ctx: &Context<'_>,
    partner: &Partner,
    args: PageArgs,
) -> Result<Page<PublishedStatement>> {
    published_statements(ctx, partner.0.id, args).await
}

lists! {
    /// The lists below a partner.
    PartnerLists of Partner {
        /// The partners that belong to it directly, by name; empty for the partner's own people.
        children() -> async_graphql::Result<PartnerConnection> = children;

        /// Its moves through life, oldest first.
        lifecycle_events() -> async_graphql::Result<LifecycleEventConnection> = moves;

        /// The statements that were published, the latest period first. For those who see `balance`.
        published_statements()
            -> Option<async_graphql::Result<PublishedStatementConnection>> = statements;
    }
}

/// The partners that belong to another one directly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Children;

impl Below for Children {
    type Entity = partner::Entity;

    fn parent() -> partner::Column {
        partner::Column::ParentId
    }

    fn sort() -> Sort<partner::Column> {
        Sort {
            column: Some(partner::Column::NameKey),
            id: partner::Column::Id,
            direction: Direction::Asc,
        }
    }
}

/// The moves of a partner through life.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Moves;

impl Below for Moves {
    type Entity = partner_lifecycle_event::Entity;

    fn parent() -> partner_lifecycle_event::Column {
        partner_lifecycle_event::Column::PartnerId
    }

    fn sort() -> Sort<partner_lifecycle_event::Column> {
        Sort {
            column: None,
            id: partner_lifecycle_event::Column::Id,
            direction: Direction::Asc,
        }
    }
}

connection!(PartnerConnection, PartnerEdge, Partner);

async fn partners(
    ctx: &Context<'_>,
    filter: Option<PartnerFilter>,
    order: Option<Vec<PartnerOrder>>,
    args: PageArgs,
) -> Result<Page<Partner>> {
    partner::Entity::may_read(ctx.actor())?;
    let wanted = filter.unwrap_or_default().wanted()?;
    let rows = partner::Entity::seen_by(ctx.actor()).filter(wanted.condition());
    ctx.page(rows, PartnerOrder::sort(order)?, args).await
}

lists! {
    /// The lists of the directory.
    DirectoryLists {
        /// The directory, by name unless another order is asked for. A partner's people find their own company only.
        partners(
            filter: PartnerFilter = "Which partners; all unless given.",
            order_by: Vec<PartnerOrder> = "The order: at most one entry; by name from A to Z unless given.",
        ) -> async_graphql::Result<PartnerConnection> = partners;
    }
}

/// Single partners.
#[derive(Default)]
pub struct PartnerObjects;

#[Object]
impl PartnerObjects {
    /// A partner by its id; null with `NOT_FOUND` when there is none for you.
    async fn partner(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The partner's id.")] id: ID,
    ) -> Option<async_graphql::Result<Partner>> {
        ctx.by_id(&id).await
    }
}

/// Reading the directory.
#[derive(MergedObject, Default)]
pub struct PartnerQuery(PartnerObjects, DirectoryLists);
