//! What deals are expected to bring, in one currency.

use async_graphql::{Context, Object, SimpleObject};
use sea_orm::ColumnTrait;

use super::pipeline::DealPipelineFilter;
use crate::{
    access::Action,
    connection,
    deals::{
        forecast::{self, Outlook, Question},
        pipeline::Grouping,
        pipeline::{Forecast, Unconverted},
    },
    entity::{
        deal::{self, SalesStatus},
        ids::PartnerId,
    },
    error::{Error, Result},
    graphql::{
        ContextExt, Objects,
        context::id,
        errors::top_level,
        paging::{self, PageArgs},
        scalars::{CurrencyCode, Date, Money},
    },
    partners::graphql::Partner,
    platform::{ids::TypedId, money::Currency},
};

/// Deals of one currency that cannot be converted.
#[derive(Clone, Debug, SimpleObject)]
pub struct DealWithoutRate {
    /// Their currency.
    currency: CurrencyCode,
    /// How many deals.
    count: i32,
    /// The earliest day that has no rate.
    from: Date,
    /// The latest day that has no rate.
    to: Date,
}

impl DealWithoutRate {
    fn all(forecast: &Forecast) -> Vec<Self> {
        let entry = |(currency, missing): (&Currency, &Unconverted)| Self {
            currency: CurrencyCode(currency.to_string()),
            count: super::counter(missing.deals),
            from: Date(missing.from),
            to: Date(missing.to),
        };
        forecast.unconverted.iter().map(entry).collect()
    }
}

/// A sum, which says nothing while deals are missing from it.
fn sum(forecast: &Forecast, sum: i128, currency: Currency) -> Option<async_graphql::Result<Money>> {
    if !forecast.unconverted.is_empty() {
        return None;
    }
    let minor =
        i64::try_from(sum).map_err(|_| Error::internal("the forecast exceeds what can be counted"));
    Some(
        minor
            .map(|minor| Money::minor(minor, currency))
            .map_err(top_level),
    )
}

/// What deals are expected to bring.
#[derive(Clone, Debug)]
pub struct DealForecast(Outlook);

/// What deals are expected to bring, in one currency; refunds of won deals are subtracted. Each deal is converted at the
/// stored exchange rate of the day on which it was closed, or opened while it is open, in the time zone of its programme.
/// Where that day has none, the last one before it counts that is no older than the programme's `rateMaxAgeDays`. Deals
/// of one stage, currency and day are converted together and rounded half to even once.
#[Object]
impl DealForecast {
    /// The currency of all sums.
    fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency.to_string())
    }

    /// How many deals.
    fn count(&self) -> i32 {
        super::counter(self.0.all.deals)
    }

    /// Their value less refunds. Null when `withoutRate` names deals that cannot be converted.
    fn value(&self) -> Option<async_graphql::Result<Money>> {
        sum(&self.0.all, self.0.all.value, self.0.currency)
    }

    /// Their value less refunds times the probability of their stage. Null when `withoutRate` names deals that cannot be converted.
    fn weighted(&self) -> Option<async_graphql::Result<Money>> {
        sum(&self.0.all, self.0.all.weighted, self.0.currency)
    }

    /// Deals that cannot be converted because a rate is missing, by currency. At most 200; empty when all is well.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    fn without_rate(&self) -> Vec<DealWithoutRate> {
        DealWithoutRate::all(&self.0.all)
    }

    /// The groups, by key; deals that have none come first. Empty when `groupBy` was left out.
    fn groups(
        &self,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")] first: Option<i32>,
        #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
        last: Option<i32>,
    ) -> async_graphql::Result<DealForecastGroupConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let rows: Vec<_> = self.0.groups.iter().collect();
        let cursor = |(key, _): &(&Option<String>, &Forecast)| match key {
            None => "-".to_owned(),
            Some(key) => format!("={key}"),
        };
        let page = paging::cut(rows, cursor, &args).map_err(top_level)?;
        let currency = self.0.currency;
        Ok(DealForecastGroupConnection::of(page, |(key, forecast)| {
            DealForecastGroup {
                key: key.clone(),
                forecast: forecast.clone(),
                currency,
            }
        }))
    }
}

/// The deals of one group.
#[derive(Clone, Debug)]
pub struct DealForecastGroup {
    key: Option<String>,
    forecast: Forecast,
    currency: Currency,
}

/// What the deals of one group are expected to bring.
#[Object]
impl DealForecastGroup {
    /// What they have in common: a partner's id, the key of a tier, a country by ISO 3166-1 such as `DE`, or a quarter
    /// such as `2026-Q3`. Null for deals that have none. For a partner's people, partner and tier are null on deals that
    /// somebody else owns.
    fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The partner, when grouped by partner; null otherwise.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        let id = PartnerId::parse(self.key.as_deref()?)?;
        ctx.object(id).await
    }

    /// How many deals.
    fn count(&self) -> i32 {
        super::counter(self.forecast.deals)
    }

    /// Their value less refunds. Null when `withoutRate` names deals that cannot be converted.
    fn value(&self) -> Option<async_graphql::Result<Money>> {
        sum(&self.forecast, self.forecast.value, self.currency)
    }

    /// Their value less refunds times the probability of their stage. Null when `withoutRate` names deals that cannot be converted.
    fn weighted(&self) -> Option<async_graphql::Result<Money>> {
        sum(&self.forecast, self.forecast.weighted, self.currency)
    }

    /// Deals that cannot be converted because a rate is missing, by currency. At most 200; empty when all is well.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    fn without_rate(&self) -> Vec<DealWithoutRate> {
        DealWithoutRate::all(&self.forecast)
    }
}

connection!(
    DealForecastGroupConnection,
    DealForecastGroupEdge,
    DealForecastGroup
);

/// The forecast.
#[derive(Default)]
pub struct ForecastQuery;

#[Object]
impl ForecastQuery {
    /// What the deals that you see are expected to bring, in the reporting currency of the programme: that of the
    /// filter, or the only active one. `BAD_USER_INPUT` when there are several and none is named.
    #[graphql(directive = crate::graphql::cost::points::apply("1000".to_owned()))]
    async fn deal_forecast(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which deals; all when left out.")] filter: Option<DealPipelineFilter>,
        #[graphql(desc = "With one of these outcomes; open deals when left out.")] status: Option<
            Vec<SalesStatus>,
        >,
        #[graphql(desc = "By what to put deals together in `groups`.")] group_by: Option<Grouping>,
        #[graphql(desc = "Another currency than the programme's.")] currency: Option<CurrencyCode>,
    ) -> async_graphql::Result<DealForecast> {
        ctx.may(Action::DealRead)?;
        let answer = async {
            let filter = filter.unwrap_or_default();
            let program = filter.program_id.as_ref().map(id);
            let matching = filter.condition(ctx.actor().partner_id());
            let status = status.unwrap_or_else(|| vec![SalesStatus::Open]);
            let question = Question {
                filter: matching.add(deal::Column::Status.is_in(status)),
                program,
                currency: currency.map(|code| code.read("currency")).transpose()?,
                grouping: group_by,
            };
            let now = ctx.app().clock().now();
            forecast::forecast(ctx.db(), ctx.actor(), now, question).await
        };
        let answer: Result<Outlook> = answer.await;
        answer.map(DealForecast).map_err(top_level)
    }
}
