//! Rows of exchange rates, which everybody who is signed in may read.

use chrono::NaiveDate;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    Select,
};

use crate::{
    entity::{exchange_rate, ids::ExchangeRateId},
    error::Result,
    platform::{
        money::Currency,
        sql::{self, any_of},
    },
    tx::Tx,
};

/// Which rates are wanted; all of it must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// With this currency on either side.
    pub currency: Option<Currency>,
    /// Of this day or later.
    pub from: Option<NaiveDate>,
    /// Of a day before this one.
    pub before: Option<NaiveDate>,
}

/// The rates that are wanted, superseded ones included.
#[must_use]
pub fn rates(wanted: Wanted) -> Select<exchange_rate::Entity> {
    use exchange_rate::Column as C;
    let either = |currency| {
        let first = Condition::any().add(C::FromCurrency.eq(currency));
        first.add(C::ToCurrency.eq(currency))
    };
    let all = Condition::all()
        .add_option(wanted.currency.map(either))
        .add_option(wanted.from.map(|day| C::RateOn.gte(day)))
        .add_option(wanted.before.map(|day| C::RateOn.lt(day)));
    exchange_rate::Entity::find().filter(all)
}

/// The rates between one currency and others in a range of days, both ends included: oldest day first, and of one day
/// the one that counts last.
///
/// # Errors
/// The database failed.
pub async fn between<C: ConnectionTrait>(
    db: &C,
    target: Currency,
    others: &[Currency],
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<exchange_rate::Model>> {
    use exchange_rate::Column as C;
    let side = |own: C, other: C| {
        let own = Condition::all().add(own.eq(target));
        own.add(other.is_in(others.iter().copied()))
    };
    let pair = Condition::any().add(side(C::FromCurrency, C::ToCurrency));
    let pair = pair.add(side(C::ToCurrency, C::FromCurrency));
    Ok(exchange_rate::Entity::find()
        .filter(pair)
        .filter(C::RateOn.between(from, to))
        .order_by_asc(C::RateOn)
        .order_by_asc(C::Number)
        .all(db)
        .await?)
}

/// All rates of these pairs and days, the one that counts last.
///
/// # Errors
/// The database failed.
pub async fn of_days(
    tx: &Tx,
    days: impl IntoIterator<Item = (Currency, Currency, NaiveDate)>,
) -> Result<Vec<exchange_rate::Model>> {
    use exchange_rate::Column as C;
    let any = days
        .into_iter()
        .fold(Condition::any(), |any, (from, to, day)| {
            let one = Condition::all().add(C::FromCurrency.eq(from));
            any.add(one.add(C::ToCurrency.eq(to)).add(C::RateOn.eq(day)))
        });
    Ok(exchange_rate::Entity::find()
        .filter(any)
        .order_by_asc(C::Number)
        .all(tx)
        .await?)
}

/// Rates by id, in no order.
///
/// # Errors
/// The database failed.
pub async fn find_all<C: ConnectionTrait>(
    db: &C,
    ids: &[ExchangeRateId],
) -> Result<Vec<exchange_rate::Model>> {
    Ok(exchange_rate::Entity::find()
        .filter(any_of(db, exchange_rate::Column::Id, ids.iter().copied()))
        .all(db)
        .await?)
}

/// Writes new rates; says whether nobody else took one of their places meanwhile.
///
/// # Errors
/// The database failed.
pub async fn insert(tx: &Tx, rows: Vec<exchange_rate::Model>) -> Result<bool> {
    let count = sql::count(rows.len());
    let rows = rows.into_iter().map(IntoActiveModel::into_active_model);
    Ok(tx.insert_all_new(rows).await? == count)
}
