//! What people type about a deal: amounts, products, days and time zones, read with every fault noted at its
//! field.

use std::{collections::BTreeSet, str::FromStr};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::{
    catalog::lookup,
    entity::ids::{ProductFamilyId, ProductId},
    error::{Code, Error, Faults, Refusal, Result},
    platform::{
        calendar,
        money::{Currency, Money},
    },
    tx::Tx,
};

/// The most products of one registration or deal.
pub const MAX_PRODUCTS: usize = 50;
/// The largest quantity of one product.
const MAX_QUANTITY: i64 = 1_000_000_000;

/// An amount as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    /// Plain decimal notation.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
}

impl Amount {
    /// The amount, which must be more than zero; faults are noted at `path.amount` and `path.currency`.
    pub fn read(&self, faults: &mut Faults, path: &str) -> Option<Money> {
        let currency = faults.take(
            &format!("{path}.currency"),
            Currency::from_str(&self.currency),
        );
        let path = format!("{path}.amount");
        let is_positive = self
            .amount
            .bytes()
            .any(|digit| (b'1'..=b'9').contains(&digit))
            && !self.amount.starts_with('-');
        if !is_positive {
            faults.add(&path, "must be more than zero");
            return None;
        }
        faults.take(&path, Money::parse(&self.amount, currency?))
    }
}

/// A product and how many of it, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The product.
    pub product: ProductId,
    /// How many.
    pub quantity: i64,
}

/// Products that exist, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Product and quantity, in the order given.
    pub products: Vec<(ProductId, i64)>,
    /// The families they belong to, in the order in which places are taken.
    pub families: BTreeSet<ProductFamilyId>,
}

/// Reads 1 to [`MAX_PRODUCTS`] products under `products`.
///
/// # Errors
/// The database failed; faults of the input are noted.
pub async fn lines(tx: &Tx, faults: &mut Faults, typed: &[Line]) -> Result<Lines> {
    if typed.is_empty() || typed.len() > MAX_PRODUCTS {
        faults.add("products", format!("must have 1 to {MAX_PRODUCTS} entries"));
        return Ok(Lines::default());
    }
    let mut known = BTreeSet::new();
    let mut read = Vec::new();
    for (position, line) in typed.iter().enumerate() {
        if !(1..=MAX_QUANTITY).contains(&line.quantity) {
            faults.add(
                &format!("products.{position}.quantity"),
                format!("must be from 1 to {MAX_QUANTITY}"),
            );
        }
        if known.insert(line.product) {
            read.push((position, line.product, line.quantity));
        } else {
            faults.add(&format!("products.{position}.productId"), "is listed twice");
        }
    }
    let ids: Vec<_> = read.iter().map(|(_, product, _)| *product).collect();
    let families = match lookup::products(tx, &ids, "products").await {
        Ok(products) => products
            .into_iter()
            .map(|product| product.family_id)
            .collect(),
        Err(Error::Refused(refusals)) => {
            let missing = refusals
                .iter()
                .filter_map(|refusal| refusal.field.last()?.parse::<usize>().ok());
            missing
                .filter_map(|index| read.get(index))
                .for_each(|line| faults.push(unknown_product(line.0)));
            BTreeSet::new()
        }
        Err(error) => return Err(error),
    };
    Ok(Lines {
        products: read
            .into_iter()
            .map(|(_, product, quantity)| (product, quantity))
            .collect(),
        families,
    })
}

fn unknown_product(position: usize) -> Refusal {
    Refusal::new(Code::NotFound, "There is no such object.")
        .at(&format!("products.{position}.productId"))
}

/// The time zone named by its IANA name at `timeZone`, or the programme's.
pub fn zone(faults: &mut Faults, typed: Option<&str>, default: Tz) -> Tz {
    let Some(name) = typed else { return default };
    name.parse().unwrap_or_else(|_| {
        faults.add("timeZone", "is not an IANA time zone such as Europe/Berlin");
        default
    })
}

/// A stored time zone.
///
/// # Errors
/// The stored text is no zone, which the use cases never write.
pub fn stored_zone(name: &str) -> Result<Tz> {
    name.parse()
        .map_err(|_| Error::internal(format!("unknown time zone {name}")))
}

/// Notes a day at `expectedCloseOn` that is over in the zone.
pub fn not_past(faults: &mut Faults, day: NaiveDate, zone: Tz, now: DateTime<Utc>) {
    if day < calendar::day_of(zone, now) {
        faults.add("expectedCloseOn", "must not be in the past");
    }
}

/// Notes an instant at `path` that is still to come, or before `earliest`.
pub fn happened(
    faults: &mut Faults,
    path: &str,
    at: DateTime<Utc>,
    earliest: DateTime<Utc>,
    now: DateTime<Utc>,
) {
    if at > now {
        faults.add(path, "must not be in the future");
    } else if at < earliest {
        faults.add(
            path,
            format!(
                "must not be before {}",
                earliest.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
            ),
        );
    }
}
