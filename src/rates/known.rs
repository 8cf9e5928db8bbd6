//! The rates that a computation needs, read at once.

use chrono::{Days, NaiveDate};
use sea_orm::ConnectionTrait;

use super::{
    rate::{Amount, Rate, Rates},
    store,
};
use crate::{
    error::{Error, Result},
    platform::money::Currency,
};

/// The rates into one currency from others, for days of a range.
///
/// # Errors
/// The database failed.
pub async fn known<C: ConnectionTrait>(
    db: &C,
    target: Currency,
    max_age_days: u16,
    others: &[Currency],
    (from, to): (NaiveDate, NaiveDate),
) -> Result<Rates> {
    let mut rates = Rates::into(target, max_age_days);
    let from = from
        .checked_sub_days(Days::new(max_age_days.into()))
        .unwrap_or(from);
    for row in store::between(db, target, others, from, to).await? {
        let amount = |text: &str| {
            let amount = text.parse::<Amount>();
            amount.map_err(|error| Error::Internal(Box::new(error)))
        };
        let rate = Rate::of(amount(&row.from_amount)?, amount(&row.to_amount)?)
            .map_err(|error| Error::Internal(Box::new(error)))?;
        if row.to_currency == target {
            rates.learn(row.from_currency, row.rate_on, rate);
        } else {
            rates.learn(row.to_currency, row.rate_on, rate.inverse());
        }
    }
    Ok(rates)
}
