//! Exchange rates in the API.

use std::collections::HashMap;

use async_graphql::{Context, ID, InputObject, Object};

use super::{Amount, Entry, MAX_ENTRIES, record, store};
use crate::{
    access::Action,
    connection,
    entity::{
        exchange_rate,
        ids::{ExchangeRateId, UserId},
    },
    error::{Error, Faults, Result},
    graphql::{
        ContextExt,
        errors::top_level,
        paging::{self, Direction, Page, PageArgs, Sort},
        scalars::{CurrencyCode, Date, DateTime, Decimal},
    },
    payload,
};

/// What one currency was worth in another on a day.
#[derive(Clone, Debug)]
pub struct ExchangeRate(exchange_rate::Model);

/// What one currency was worth in another on a day: `fromAmount` of `from` was worth `toAmount` of `to`. The two stand
/// in the order of their codes, whichever way round they were given, and convert both ways.
#[Object]
impl ExchangeRate {
    /// The rate's id, such as `rate_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The day. Amounts are converted by the day in the time zone of the programme they are about.
    fn on(&self) -> Date {
        Date(self.0.rate_on)
    }

    /// The currency whose code comes first.
    fn from(&self) -> CurrencyCode {
        CurrencyCode(self.0.from_currency.to_string())
    }

    /// So much of it.
    #[expect(clippy::wrong_self_convention, reason = "it is the name of the field")]
    fn from_amount(&self) -> Decimal {
        Decimal(self.0.from_amount.clone())
    }

    /// The currency whose code comes second.
    fn to(&self) -> CurrencyCode {
        CurrencyCode(self.0.to_currency.to_string())
    }

    /// What that was worth.
    fn to_amount(&self) -> Decimal {
        Decimal(self.0.to_amount.clone())
    }

    /// Counts what was recorded for this pair and day, from 1; the highest number counts.
    fn number(&self) -> i32 {
        self.0.number
    }

    /// Who recorded it; null for the server itself, and for everybody but the vendor's people.
    fn recorded_by_id(&self, ctx: &Context<'_>) -> Option<ID> {
        let known = ctx.actor().is_vendor();
        self.0.recorded_by.filter(|_| known).map(UserId::into)
    }

    /// When it was recorded.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

connection!(ExchangeRateConnection, ExchangeRateEdge, ExchangeRate);

/// Which exchange rates; all fields must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ExchangeRateFilter {
    /// With this currency on either side.
    currency: Option<CurrencyCode>,
    /// Of this day or later.
    gte: Option<Date>,
    /// Of a day before this one.
    lt: Option<Date>,
}

/// An exchange rate to be recorded, either way round.
#[derive(Clone, Debug, InputObject)]
pub struct ExchangeRateInput {
    /// The day; not in the future, anywhere.
    on: Date,
    /// A currency.
    from: CurrencyCode,
    /// So much of it, at most 13 digits and 10 decimals. Give 100 where a rate is published per 100.
    #[graphql(default_with = "Decimal(String::from(\"1\"))")]
    from_amount: Decimal,
    /// Another currency.
    to: CurrencyCode,
    /// What that was worth, at most 13 digits and 10 decimals.
    to_amount: Decimal,
}

/// Exchange rates to be recorded.
#[derive(Clone, Debug, InputObject)]
pub struct ExchangeRateRecordInput {
    /// The rates, 1 to 100, each pair and day once. All are recorded, or none.
    rates: Vec<ExchangeRateInput>,
}

impl ExchangeRateRecordInput {
    fn entries(&self) -> Result<Vec<Entry>> {
        let mut faults = Faults::default();
        // One more than is taken, so that too many are refused and not read to the end.
        let given = self.rates.iter().take(MAX_ENTRIES + 1).enumerate();
        let entries: Vec<_> = given
            .filter_map(|(place, rate)| rate.read(&mut faults, place))
            .collect();
        faults.check()?;
        Ok(entries)
    }
}

impl ExchangeRateInput {
    fn read(&self, faults: &mut Faults, place: usize) -> Option<Entry> {
        let at = |field: &str| format!("rates.{place}.{field}");
        let from = faults.take(&at("from"), self.from.0.parse());
        let from_amount = faults.take(&at("fromAmount"), self.from_amount.0.parse::<Amount>());
        let to = faults.take(&at("to"), self.to.0.parse());
        let to_amount = faults.take(&at("toAmount"), self.to_amount.0.parse::<Amount>());
        Some(Entry {
            on: self.on.0,
            from: from?,
            from_amount: from_amount?,
            to: to?,
            to_amount: to_amount?,
        })
    }
}

payload!(
    /// The exchange rates that count now.
    ExchangeRateRecordPayload {
        /// The rates, in the order of the input. At most 100. Null exactly when there are errors.
        #[graphql(directive = crate::graphql::cost::list_size::apply(20, None))]
        exchange_rates: Vec<ExchangeRate>
    }
);

/// Reading exchange rates.
#[derive(Default)]
pub struct RatesQuery;

#[Object]
impl RatesQuery {
    /// The exchange rates, the last recorded first, corrected ones included.
    async fn exchange_rates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which; all when left out.")] filter: Option<ExchangeRateFilter>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")] first: Option<i32>,
        #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
        last: Option<i32>,
    ) -> async_graphql::Result<ExchangeRateConnection> {
        ctx.may(Action::RateRead)?;
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = list(ctx, filter.unwrap_or_default(), args).await;
        Ok(ExchangeRateConnection::of(
            page.map_err(top_level)?,
            ExchangeRate,
        ))
    }
}

async fn list(
    ctx: &Context<'_>,
    filter: ExchangeRateFilter,
    args: PageArgs,
) -> Result<Page<exchange_rate::Model>> {
    let currency = filter
        .currency
        .map(|code| code.read("filter.currency"))
        .transpose()?;
    let wanted = store::Wanted {
        currency,
        from: filter.gte.map(|day| day.0),
        before: filter.lt.map(|day| day.0),
    };
    let sort = Sort {
        column: None,
        id: exchange_rate::Column::Id,
        direction: Direction::Desc,
    };
    paging::page(ctx, ctx.db(), store::rates(wanted), sort, args).await
}

/// Recording exchange rates.
#[derive(Default)]
pub struct RatesMutation;

#[Object]
impl RatesMutation {
    /// Records exchange rates. What is known already changes nothing; a different rate for a pair and a day corrects
    /// the one before. For administrators and finance of the vendor.
    async fn exchange_rate_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rates.")] input: ExchangeRateRecordInput,
    ) -> async_graphql::Result<ExchangeRateRecordPayload> {
        let result = async {
            ctx.actor().may(Action::RateRecord)?;
            let entries = input.entries()?;
            let ids = ctx
                .write("exchangeRateRecord", move |tx| {
                    let entries = entries.clone();
                    Box::pin(async move { record(tx, entries).await })
                })
                .await?;
            found(ctx, &ids).await
        };
        ExchangeRateRecordPayload::of(result.await)
    }
}

/// The rates of these ids, in their order.
async fn found(ctx: &Context<'_>, ids: &[ExchangeRateId]) -> Result<Vec<ExchangeRate>> {
    let rows = store::find_all(ctx.db(), ids).await?;
    let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
    ids.iter()
        .map(|id| rows.remove(id).map(ExchangeRate))
        .collect::<Option<_>>()
        .ok_or_else(|| Error::internal("a recorded exchange rate is gone"))
}
