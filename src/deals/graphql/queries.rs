//! Lists of registrations and deals, and single ones.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter};

use super::{Deal, DealRegistration};
use crate::{
    access::{Action, Scope},
    connection,
    deals::store,
    entity::{
        deal::{self, SalesStatus},
        deal_registration::{self, MatchOutcome, RegistrationStatus},
        ids::{CustomerId, PartnerId, ProgramId},
    },
    error::Error,
    graphql::{
        ContextExt, Objects, Shown,
        ahead::Ahead,
        context::id,
        errors::top_level,
        paging::{self, Branches, DateTimeFilter, Direction, Page, PageArgs, Sort},
    },
};

connection!(
    DealRegistrationConnection,
    DealRegistrationEdge,
    DealRegistration
);
connection!(DealConnection, DealEdge, Deal);

/// Which registrations. Conditions that are left out do not restrict; those given hold together.
#[derive(Clone, Debug, Default, InputObject)]
pub struct DealRegistrationFilter {
    /// In one of these statuses.
    status: Option<Vec<RegistrationStatus>>,
    /// Of this partner. An unknown one, and for a partner's people any but their own, gives an empty list.
    partner_id: Option<ID>,
    /// For this customer.
    customer_id: Option<ID>,
    /// With this outcome of the comparison with other claims.
    conflict_outcome: Option<MatchOutcome>,
    /// Handed in in this period.
    submitted_at: Option<DateTimeFilter>,
}

/// Which deals. Conditions that are left out do not restrict; those given hold together.
#[derive(Clone, Debug, Default, InputObject)]
pub struct DealFilter {
    /// With one of these outcomes.
    status: Option<Vec<SalesStatus>>,
    /// In one of the stages with these keys.
    stage: Option<Vec<String>>,
    /// Owned by this partner, or with it as a live participant. For a partner's people any but their own gives an
    /// empty list.
    partner_id: Option<ID>,
    /// For this customer.
    customer_id: Option<ID>,
    /// Of this programme.
    program_id: Option<ID>,
    /// Won or lost in this period.
    closed_at: Option<DateTimeFilter>,
}

/// By what registrations are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum DealRegistrationOrderField {
    /// When they were handed in.
    SubmittedAt,
}

/// The order of registrations.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct DealRegistrationOrder {
    /// By what.
    field: DealRegistrationOrderField,
    /// Which way.
    #[graphql(default)]
    direction: Direction,
}

/// By what deals are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum DealOrderField {
    /// When they were recorded.
    CreatedAt,
}

/// The order of deals.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct DealOrder {
    /// By what.
    field: DealOrderField,
    /// Which way.
    #[graphql(default)]
    direction: Direction,
}

/// Lists and single objects.
#[derive(Default)]
pub struct ListQuery;

#[Object]
impl ListQuery {
    /// Registrations, newest first: a partner's people see their own partner's.
    async fn deal_registrations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which; all when left out.")] filter: Option<DealRegistrationFilter>,
        #[graphql(desc = "The order; only the first entry counts, the id decides ties.")] order_by: Option<
            Vec<DealRegistrationOrder>,
        >,
        #[graphql(desc = "The first so many, 0 to 100; 25 by default.")] first: Option<i32>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<DealRegistrationConnection> {
        ctx.may(Action::RegistrationRead)?;
        let filter = filter.unwrap_or_default();
        let statuses = filter.status.clone();
        let rows = deal_registration::Entity::find()
            .filter(store::visible_registrations(ctx.actor().scope()))
            .filter(filter.condition());
        let rows = Branches::from(rows).among(deal_registration::Column::Status, statuses);
        let direction = order_by
            .unwrap_or_default()
            .first()
            .map(|order| order.direction)
            .unwrap_or_default();
        // Ids are minted in the order of handing in.
        let sort = Sort {
            column: None,
            id: deal_registration::Column::Id,
            direction,
        };
        let page = paging::page(
            ctx,
            ctx.db(),
            rows,
            sort,
            PageArgs {
                after,
                before,
                first,
                last,
            },
        )
        .await;
        Ok(DealRegistrationConnection::of(
            page.map_err(top_level)?,
            DealRegistration::of_row,
        ))
    }

    /// A registration. `NOT_FOUND` when there is none, or it is another partner's.
    async fn deal_registration(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "id", desc = "The registration's id.")] key: ID,
    ) -> Option<async_graphql::Result<DealRegistration>> {
        ctx.by_id(&key).await
    }

    /// Deals, newest first: a partner's people see those that their partner owns, takes part in or is invited to.
    async fn deals(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which; all when left out.")] filter: Option<DealFilter>,
        #[graphql(desc = "The order; only the first entry counts, the id decides ties.")] order_by: Option<
            Vec<DealOrder>,
        >,
        #[graphql(desc = "The first so many, 0 to 100; 25 by default.")] first: Option<i32>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<DealConnection> {
        ctx.may(Action::DealRead)?;
        let filter = filter.unwrap_or_default();
        let (statuses, stages) = (filter.status.clone(), filter.stage.clone());
        let Some((partner, filter)) = filter.condition(ctx.actor().partner_id()) else {
            return Ok(DealConnection::of(Page::empty(), Deal::of_row));
        };
        let rows = Branches::of(match (ctx.actor().scope(), partner) {
            // A partner's people name no partner but their own.
            (Scope::All, Some(partner)) => store::deals_with(partner),
            (scope, _) => store::deals(scope),
        });
        let direction = order_by
            .unwrap_or_default()
            .first()
            .map(|order| order.direction)
            .unwrap_or_default();
        let rows = rows
            .filter(filter)
            .among(deal::Column::Status, statuses)
            .among(deal::Column::Stage, stages);
        // Ids are minted in the order of recording.
        let sort = Sort {
            column: None,
            id: deal::Column::Id,
            direction,
        };
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = paging::page(ctx, ctx.db(), rows, sort, args)
            .await
            .map_err(top_level)?;
        if let Some(ahead) = Ahead::of(ctx) {
            let deals: Vec<_> = page.rows.iter().map(|(_, deal)| deal).collect();
            super::ahead::deals(&ahead.connection(), &deals)
                .await
                .map_err(top_level)?;
        }
        Ok(DealConnection::of(page, Deal::of_row))
    }

    /// A deal. `NOT_FOUND` when there is none, or your partner has nothing to do with it.
    async fn deal(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "id", desc = "The deal's id.")] key: ID,
    ) -> Option<async_graphql::Result<Deal>> {
        let found = async {
            ctx.actor().may(Action::DealRead)?;
            let found = Deal::load(ctx, id(&key)).await?;
            let deal = found.ok_or_else(|| Error::not_found("id"))?;
            if let Some(ahead) = Ahead::of(ctx) {
                super::ahead::deals(&ahead, &[&deal.0]).await?;
            }
            Ok::<_, Error>(deal)
        };
        Some(found.await.map_err(top_level))
    }
}

fn period<C: ColumnTrait>(column: C, range: Option<DateTimeFilter>) -> Condition {
    let range = range.unwrap_or_default();
    Condition::all()
        .add_option(range.gte.map(|from| column.gte(from.0)))
        .add_option(range.lt.map(|to| column.lt(to.0)))
}

impl DealRegistrationFilter {
    /// The filter for the database.
    fn condition(self) -> Condition {
        use deal_registration::Column as C;
        let partner: Option<PartnerId> = self.partner_id.map(|text| id(&text));
        let customer: Option<CustomerId> = self.customer_id.map(|text| id(&text));
        Condition::all()
            .add_option(partner.map(|partner| C::PartnerId.eq(partner)))
            .add_option(customer.map(|customer| C::CustomerId.eq(customer)))
            .add_option(
                self.conflict_outcome
                    .map(|outcome| C::ConflictOutcome.eq(outcome)),
            )
            .add(period(C::SubmittedAt, self.submitted_at))
    }
}

impl DealFilter {
    /// The partner wanted and the filter for the database; none when nothing can match. Asking a partner's people who
    /// else is on their deals by filtering for another partner finds nothing.
    fn condition(self, own: Option<PartnerId>) -> Option<(Option<PartnerId>, Condition)> {
        use deal::Column as C;
        let partner: Option<PartnerId> = self.partner_id.map(|text| id(&text));
        let customer: Option<CustomerId> = self.customer_id.map(|text| id(&text));
        let program: Option<ProgramId> = self.program_id.map(|text| id(&text));
        if let (Some(own), Some(partner)) = (own, partner)
            && own != partner
        {
            return None;
        }
        let condition = Condition::all()
            .add_option(customer.map(|customer| C::CustomerId.eq(customer)))
            .add_option(program.map(|program| C::ProgramId.eq(program)));
        Some((partner, condition.add(period(C::ClosedAt, self.closed_at))))
    }
}
