//! How many deals there are and what they are worth, by currency and status: before an import and after it.

use std::collections::BTreeMap;

use sea_orm::{
    EntityTrait, QuerySelect,
    sea_query::{Expr, ExprTrait, Func},
};
use serde::Serialize;

use crate::{
    entity::deal::{self, SalesStatus},
    error::Result,
    platform::money::Currency,
    tx::Tx,
};

/// The deals of a currency in a status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// How many; of a difference, also fewer.
    pub deals: i64,
    /// Their value in minor units.
    pub minor: i128,
}

/// Totals by currency and status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals(pub BTreeMap<(Currency, SalesStatus), Total>);

impl Totals {
    /// The totals of every deal that is stored.
    ///
    /// # Errors
    /// The database failed.
    pub async fn stored(tx: &Tx) -> Result<Self> {
        use deal::Column;
        // A sum of many amounts may not fit where one does: thousands and the rest are summed apart.
        const PART: i64 = 1_000_000;
        let sum = |part: Expr| {
            let sum = Func::sum(part);
            Expr::expr(sum).cast_as("BIGINT")
        };
        let rows = deal::Entity::find()
            .select_only()
            .column(Column::Currency)
            .column(Column::Status)
            .expr(Expr::col(Column::Id).count())
            .expr(sum(Expr::col(Column::ValueMinor).div(PART)))
            .expr(sum(Expr::col(Column::ValueMinor).modulo(PART)))
            .group_by(Column::Currency)
            .group_by(Column::Status)
            .into_tuple::<(Currency, SalesStatus, i64, i64, i64)>()
            .all(tx)
            .await?;
        let totals = rows
            .into_iter()
            .map(|(currency, status, deals, parts, rest)| {
                let minor = i128::from(parts) * i128::from(PART) + i128::from(rest);
                ((currency, status), Total { deals, minor })
            });
        Ok(Self(totals.collect()))
    }

    /// A deal more.
    pub fn add(&mut self, deal: &deal::Model) {
        self.book(deal, 1);
    }

    /// A deal that is another one now.
    pub fn change(&mut self, before: &deal::Model, after: &deal::Model) {
        self.book(before, -1);
        self.book(after, 1);
    }

    fn book(&mut self, deal: &deal::Model, sign: i64) {
        let total = self.0.entry((deal.currency, deal.status)).or_default();
        total.deals += sign;
        total.minor += i128::from(sign) * i128::from(deal.value_minor);
    }

    /// Takes in a difference.
    pub fn take(&mut self, difference: Self) {
        for (key, more) in difference.0 {
            let total = self.0.entry(key).or_default();
            total.deals += more.deals;
            total.minor += more.minor;
        }
    }

    /// The total of a currency and status.
    #[must_use]
    pub fn of(&self, currency: Currency, status: SalesStatus) -> Total {
        self.0.get(&(currency, status)).copied().unwrap_or_default()
    }
}

/// A sum in plain decimal notation.
#[must_use]
pub fn decimal(minor: i128, currency: Currency) -> String {
    let scale = 10_i128.pow(currency.exponent());
    let sign = if minor < 0 { "-" } else { "" };
    let (whole, rest) = ((minor / scale).abs(), (minor % scale).abs());
    match usize::try_from(currency.exponent()) {
        Ok(places) if places > 0 => format!("{sign}{whole}.{rest:0places$}"),
        _ => format!("{sign}{whole}"),
    }
}
