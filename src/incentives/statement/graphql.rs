//! The API of statements.

mod published;

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, ID, Object, SimpleObject, dataloader::Loader};
use sea_orm::Select;

pub use published::{
    PublishedStatement, PublishedStatementConnection, PublishedStatementEdge, StatementMutation,
    StatementQuery, StatementsPublishInput, StatementsPublishPayload, published_statements,
};

use super::{Period, ROUNDING, Span, Subject, Sums, store};
use crate::{
    access::{Action, Scope},
    connection,
    entity::{
        accrual::{self, AccrualKind},
        ids::PartnerId,
        payout,
    },
    error::{Error, Result},
    graphql::{
        context::{ContextExt, LoadError, Rows, unshared},
        errors::top_level,
        paging::{self, Below, Direction, PageArgs, Sort},
        scalars::{CurrencyCode, Date, DateTime, Money},
    },
    ledger::graphql::balance::{balances_of, usual_currency},
    programs::graphql::calendar,
};

/// What a partner earned, lost again and was paid in a period, in one currency: opening + earned + adjustments − paid =
/// closing. Days are those of the programme's time zone (`defaultTimeZone`). Administrators, alliance managers, finance and auditors see every partner's; a partner's
/// people (not members) see their own.
#[derive(Clone, Debug)]
pub struct PartnerStatement {
    subject: Subject,
    sums: Sums,
}

/// What a partner earned, lost again and was paid in a period, in one currency: opening + earned + adjustments − paid =
/// closing. Days are those of the programme's time zone (`defaultTimeZone`). Administrators, alliance managers, finance and auditors see every partner's; a partner's
/// people (not members) see their own.
#[Object]
impl PartnerStatement {
    /// The first day.
    fn period_start(&self) -> Date {
        Date(self.subject.span.period.first_day)
    }

    /// The last day.
    fn period_end(&self) -> Date {
        Date(self.subject.span.period.last_day)
    }

    /// The currency of all amounts.
    fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.subject.span.currency.to_string())
    }

    /// Owed at the start of the first day; negative when more was taken back than earned.
    fn opening(&self) -> Money {
        self.money(self.sums.opening)
    }

    /// Earned in the period, parts that are held back included.
    fn earned(&self) -> Money {
        self.money(self.sums.earned)
    }

    /// Taken back in the period after refunds; zero or negative.
    fn adjustments(&self) -> Money {
        self.money(self.sums.adjustments)
    }

    /// Paid in the period.
    fn paid(&self) -> Money {
        self.money(self.sums.paid)
    }

    /// Owed at the end of the last day. Up to today it equals what the ledger owes: accrued, held, payable and in payout,
    /// less what was taken back.
    fn closing(&self) -> Money {
        self.money(self.sums.closing())
    }

    /// How every line was rounded, in English.
    fn rounding(&self) -> &str {
        ROUNDING
    }

    /// The commission lines of the period, oldest first; they sum to earned and adjustments.
    async fn lines(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100; not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<StatementLineConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let Subject { partner, span } = self.subject.clone();
        let page = paging::below(ctx, partner, Lines(span), args)
            .await
            .map_err(top_level)?;
        Ok(StatementLineConnection::of(page, StatementLine::of))
    }

    /// The payments of the period, oldest first; they sum to paid.
    async fn payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100; not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<StatementPaymentConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let Subject { partner, span } = self.subject.clone();
        let page = paging::below(ctx, partner, Payments(span), args)
            .await
            .map_err(top_level)?;
        Ok(StatementPaymentConnection::of(page, |row| {
            StatementPayment::of(ctx, row)
        }))
    }

    /// The statement as CSV with the columns date, type, reference, name, amount and currency: a row for the opening
    /// balance, then every line and, negative, every payment, so that the amounts sum to the closing balance. Texts that
    /// a spreadsheet would take for a formula start with an apostrophe. At most 50,000 lines; beyond, `BAD_USER_INPUT`.
    #[graphql(directive = crate::graphql::cost::points::apply("5000".to_owned()))]
    async fn csv(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<String>> {
        Some(
            super::file(ctx.db(), &self.subject)
                .await
                .map_err(top_level),
        )
    }
}

impl PartnerStatement {
    fn money(&self, minor: i64) -> Money {
        Money::minor(minor, self.subject.span.currency)
    }
}

/// A commission line in a statement.
#[derive(Clone, Debug, SimpleObject)]
pub struct StatementLine {
    /// The commission line's id.
    id: ID,
    /// Earned, held back or taken back.
    kind: AccrualKind,
    /// The id of the deal.
    deal_id: ID,
    /// How much; negative when taken back.
    amount: Money,
    /// The whole that was divided among the partners.
    pool: Money,
    /// When it was earned or taken back.
    earned_at: DateTime,
    /// From when on it can be paid.
    available_at: DateTime,
}

impl StatementLine {
    fn of(row: accrual::Model) -> Self {
        Self {
            id: row.id.into(),
            kind: row.kind,
            deal_id: row.deal_id.into(),
            amount: Money::minor(row.amount_minor, row.currency),
            pool: Money::minor(row.pool_minor, row.currency),
            earned_at: DateTime(row.earned_at),
            available_at: DateTime(row.available_at),
        }
    }
}

/// A payment in a statement.
#[derive(Clone, Debug, SimpleObject)]
pub struct StatementPayment {
    /// The payment's id.
    id: ID,
    /// The number for people and bank statements.
    number: String,
    /// How much.
    amount: Money,
    /// When it was paid.
    paid_at: Option<DateTime>,
    /// The reference under which the payment is found: the provider's for the vendor, the payment's number for the
    /// partner.
    reference: Option<String>,
}

impl StatementPayment {
    fn of(ctx: &Context<'_>, row: payout::Model) -> Self {
        let reference = if ctx.actor().is_vendor() {
            row.provider_reference
        } else {
            row.provider_reference.map(|_| row.number.clone())
        };
        Self {
            id: row.id.into(),
            number: row.number,
            amount: Money::minor(row.amount_minor, row.currency),
            paid_at: row.paid_at.map(DateTime),
            reference,
        }
    }
}

/// The commission lines of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Lines(Span);

impl Below for Lines {
    type Entity = accrual::Entity;

    fn parent() -> accrual::Column {
        accrual::Column::PartnerId
    }

    fn sort() -> Sort<accrual::Column> {
        Sort {
            column: Some(accrual::Column::EarnedAt),
            id: accrual::Column::Id,
            direction: Direction::Asc,
        }
    }

    /// Lines are reached through statements that the caller was shown.
    fn rows(&self, _: &Rows) -> Select<accrual::Entity> {
        store::lines(&self.0)
    }
}

/// The payments of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Payments(Span);

impl Below for Payments {
    type Entity = payout::Entity;

    fn parent() -> payout::Column {
        payout::Column::PartnerId
    }

    fn sort() -> Sort<payout::Column> {
        Sort {
            column: None,
            id: payout::Column::Id,
            direction: Direction::Asc,
        }
    }

    /// Payments are reached through statements that the caller was shown.
    fn rows(&self, _: &Rows) -> Select<payout::Entity> {
        store::payments(&self.0)
    }
}

connection!(StatementLineConnection, StatementLineEdge, StatementLine);
connection!(
    StatementPaymentConnection,
    StatementPaymentEdge,
    StatementPayment
);

/// The statement of a partner about the days from the first to the last, both included. Without a currency: the
/// partner's only one, else the reporting currency.
///
/// # Errors
/// `FORBIDDEN` for roles that may not read payouts, `NOT_FOUND` for another partner's people, `BAD_USER_INPUT` for an
/// impossible period or currency.
pub async fn statement(
    ctx: &Context<'_>,
    partner: PartnerId,
    period_start: Date,
    period_end: Date,
    currency: Option<CurrencyCode>,
) -> async_graphql::Result<PartnerStatement> {
    ctx.may(Action::PayoutRead)?;
    read(ctx, partner, period_start, period_end, currency)
        .await
        .map_err(top_level)
}

async fn read(
    ctx: &Context<'_>,
    partner: PartnerId,
    period_start: Date,
    period_end: Date,
    currency: Option<CurrencyCode>,
) -> Result<PartnerStatement> {
    visible(ctx, partner)?;
    let calendar = calendar(ctx).await?;
    let period = Period::days(&calendar, period_start.0, period_end.0)?;
    let currency = match currency {
        Some(code) => code.read("currency")?,
        None => usual_currency(ctx, &balances_of(ctx, partner).await?).await?,
    };
    let span = Span { currency, period };
    let subject = Subject { partner, span };
    let sums = ctx
        .loaders()
        .load_one(subject.clone())
        .await
        .map_err(unshared)?;
    Ok(PartnerStatement {
        subject,
        sums: sums.ok_or_else(|| Error::internal("a statement was not summed"))?,
    })
}

/// Refuses another partner's people.
fn visible(ctx: &Context<'_>, partner: PartnerId) -> Result<()> {
    match ctx.actor().scope() {
        Scope::All => Ok(()),
        Scope::Partner(own) if own == partner => Ok(()),
        Scope::Partner(_) | Scope::Nothing => Err(Error::not_found("id")),
    }
}

impl Loader<Subject> for Rows {
    type Value = Sums;
    type Error = LoadError;

    async fn load(&self, keys: &[Subject]) -> Result<HashMap<Subject, Sums>, LoadError> {
        let mut by_span: HashMap<Span, Vec<PartnerId>> = HashMap::new();
        for Subject { partner, span } in keys {
            by_span.entry(span.clone()).or_default().push(*partner);
        }
        let mut found = HashMap::with_capacity(keys.len());
        for (span, partners) in by_span {
            let sums = super::sums(&self.db, &partners, &span).await;
            for (partner, sums) in sums.map_err(Arc::new)? {
                let span = span.clone();
                found.insert(Subject { partner, span }, sums);
            }
        }
        Ok(found)
    }
}
