//! Finance records what currencies were worth.

use std::collections::{BTreeSet, HashMap};

use chrono::{NaiveDate, TimeDelta};

use super::{
    rate::{Amount, Rate},
    store,
};
use crate::{
    access::Action,
    entity::{exchange_rate, ids::ExchangeRateId},
    error::{Error, Faults, Result},
    events::Event,
    platform::money::Currency,
    tx::Tx,
};

/// How far ahead of UTC the clocks of the easternmost time zone are.
const LATEST_ZONE: TimeDelta = TimeDelta::hours(14);

/// The most rates of one call.
pub const MAX_ENTRIES: usize = 100;

/// A rate: on a day, so much of one currency was worth so much of another.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The day.
    pub on: NaiveDate,
    /// One currency.
    pub from: Currency,
    /// So much of it.
    pub from_amount: Amount,
    /// The other currency.
    pub to: Currency,
    /// What that was worth.
    pub to_amount: Amount,
}

impl Entry {
    /// The same rate with the currencies in the order of their codes, in which a pair stands once.
    fn ordered(self) -> Self {
        if self.from.code() < self.to.code() {
            return self;
        }
        Self {
            on: self.on,
            from: self.to,
            from_amount: self.to_amount,
            to: self.from,
            to_amount: self.from_amount,
        }
    }

    const fn key(&self) -> (Currency, Currency, NaiveDate) {
        (self.from, self.to, self.on)
    }
}

/// Records rates, all or none. One that says what is known already changes nothing; another one for a pair and a day
/// that have a rate corrects it from now on. Returns the rates that count now, in the order of the entries.
///
/// # Errors
/// `FORBIDDEN` for everybody but the vendor's administrators and finance; `BAD_USER_INPUT` with every fault at its
/// entry; `STALE_OBJECT` when somebody else recorded a rate of one of the days at the same moment. Records
/// `exchange_rate.recorded` for every new rate.
pub async fn record(tx: &Tx, entries: Vec<Entry>) -> Result<Vec<ExchangeRateId>> {
    tx.actor().may(Action::RateRecord)?;
    check(tx, &entries)?;
    let entries: Vec<Entry> = entries.into_iter().map(Entry::ordered).collect();
    let known = store::of_days(tx, entries.iter().map(Entry::key)).await?;
    let known: HashMap<_, _> = known
        .into_iter()
        .map(|row| ((row.from_currency, row.to_currency, row.rate_on), row))
        .collect();
    let (mut ids, mut rows) = (Vec::with_capacity(entries.len()), Vec::new());
    for entry in entries {
        let before = known.get(&entry.key());
        let (from_amount, to_amount) = (entry.from_amount.to_string(), entry.to_amount.to_string());
        let same =
            before.filter(|row| (&row.from_amount, &row.to_amount) == (&from_amount, &to_amount));
        if let Some(same) = same {
            ids.push(same.id);
            continue;
        }
        let row = exchange_rate::Model {
            id: tx.id(),
            from_currency: entry.from,
            from_amount,
            to_currency: entry.to,
            to_amount,
            rate_on: entry.on,
            number: before.map_or(1, |row| row.number + 1),
            recorded_by: tx.actor().user_id(),
            created_at: tx.now(),
        };
        tx.record(Event::ExchangeRateRecorded {
            rate_id: row.id,
            number: row.number,
        });
        ids.push(row.id);
        rows.push(row);
    }
    if store::insert(tx, rows).await? {
        Ok(ids)
    } else {
        Err(Error::stale())
    }
}

fn check(tx: &Tx, entries: &[Entry]) -> Result<()> {
    let mut faults = Faults::default();
    if entries.is_empty() || entries.len() > MAX_ENTRIES {
        faults.add("rates", format!("must be from 1 to {MAX_ENTRIES}"));
    }
    // East of UTC it is tomorrow already, at most by 14 hours.
    let today = (tx.now() + LATEST_ZONE).date_naive();
    let mut seen = BTreeSet::new();
    for (place, entry) in entries.iter().enumerate() {
        let at = |field: &str| format!("rates.{place}.{field}");
        if entry.from == entry.to {
            faults.add(&at("to"), "must be another currency");
        }
        if entry.on > today {
            faults.add(&at("on"), "must not lie in the future");
        }
        if let Err(fault) = Rate::of(entry.from_amount, entry.to_amount) {
            faults.add(&at("toAmount"), fault.to_string());
        }
        if !seen.insert(entry.ordered().key()) {
            faults.add(&at("on"), "is given twice for these currencies");
        }
    }
    faults.check()
}
