//! From the text of a cell to a fact: names, words, amounts, dates. Every fault of a row is found at once.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use sea_orm::{ActiveEnum, Iterable};

use super::{mapping::Source, reader::Row};
use crate::{
    error::{Error, Faults, Refusal},
    platform::money::{Currency, Money},
};

/// The longest name or id.
pub const NAME: usize = 200;
/// The longest free text.
pub const TEXT: usize = 4_000;

/// A row that is being understood.
pub struct Cells<'a> {
    source: &'a Source,
    row: &'a Row,
    faults: Faults,
}

impl<'a> Cells<'a> {
    /// Begins with a row.
    pub fn of(source: &'a Source, row: &'a Row) -> Self {
        Self {
            source,
            row,
            faults: Faults::default(),
        }
    }

    /// The text of a cell, none where it is blank or not mapped.
    pub fn raw(&self, field: &str) -> Option<&'a str> {
        let place = self
            .source
            .entity
            .fields()
            .iter()
            .position(|known| *known == field)?;
        self.row.cells.get(place)?.as_deref()
    }

    /// Notes a fault.
    pub fn fault(&mut self, field: &str, problem: impl Into<String>) {
        self.faults.add(field, problem);
    }

    /// What was found, or every fault.
    pub fn finish<T>(self, facts: T) -> Result<T, Vec<Refusal>> {
        match self.faults.check() {
            Ok(()) => Ok(facts),
            Err(Error::Refused(refusals)) => Err(refusals),
            Err(other) => Err(vec![Refusal::input("", other.to_string())]),
        }
    }

    /// A text that every row must have.
    pub fn required(&mut self, field: &str, limit: usize) -> String {
        let text = self.raw(field).unwrap_or_default();
        self.faults.text(field, text, limit)
    }

    /// A text that may be missing.
    pub fn text(&mut self, field: &str, limit: usize) -> Option<String> {
        let text = self.raw(field);
        self.faults.optional_text(field, text, limit)
    }

    /// Texts separated by semicolons, in order, each once.
    pub fn list(&mut self, field: &str) -> Vec<String> {
        let text = self.raw(field).unwrap_or_default();
        let parts = text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let mut parts: Vec<_> = parts
            .map(|part| self.faults.text(field, part, NAME))
            .collect();
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    /// One of the words that the house knows, in its wire form; case does not matter.
    pub fn word<T: ActiveEnum<Value = String> + Iterable>(&mut self, field: &str) -> Option<T> {
        let text = self.raw(field)?;
        self.known(field, text)
    }

    /// The same for a text that was taken from a list.
    pub fn known<T: ActiveEnum<Value = String> + Iterable>(
        &mut self,
        field: &str,
        text: &str,
    ) -> Option<T> {
        let found = T::iter().find(|word| word.to_value().eq_ignore_ascii_case(text));
        if found.is_none() {
            let words: Vec<_> = T::iter().map(|word| word.to_value()).collect();
            self.fault(
                field,
                format!("{text:?} is not one of {}", words.join(", ")),
            );
        }
        found
    }

    /// An ISO 3166-1 alpha-2 code.
    pub fn country(&mut self, field: &str) -> Option<String> {
        let text = self.raw(field)?;
        self.country_code(field, text)
    }

    /// The same for a text that was taken from a list.
    pub fn country_code(&mut self, field: &str, text: &str) -> Option<String> {
        if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Some(text.to_ascii_uppercase());
        }
        self.fault(field, format!("{text:?} is not a two-letter country code"));
        None
    }

    /// A whole number of at least `least`.
    pub fn whole(&mut self, field: &str, least: i64) -> Option<i64> {
        let text = self.number(field)?;
        let number = text.parse().ok().filter(|number| *number >= least);
        if number.is_none() {
            self.fault(field, format!("must be a whole number of at least {least}"));
        }
        number
    }

    /// The currency of the row: its own, else that of the file.
    pub fn currency(&mut self, field: &str) -> Option<Currency> {
        match self.raw(field) {
            Some(code) => self.faults.take(field, code.parse()),
            None => self.source.conventions.currency,
        }
    }

    /// An amount that is not negative, in minor units of the currency.
    pub fn amount(&mut self, field: &str, currency: Option<Currency>) -> Option<i64> {
        let text = self.number(field)?;
        let Some(currency) = currency else {
            self.fault(
                field,
                "needs a currency: map the field `currency` or set it in the conventions",
            );
            return None;
        };
        let amount = self.faults.take(field, Money::parse(&text, currency))?;
        if amount.minor() < 0 {
            self.fault(field, "must not be negative");
            return None;
        }
        Some(amount.minor())
    }

    /// The instant of a date or time; a date means the beginning of that day in the time zone of the file.
    pub fn instant(&mut self, field: &str) -> Option<DateTime<Utc>> {
        let text = self.raw(field)?;
        let found = self.read_instant(text);
        if found.is_none() {
            self.fault(
                field,
                format!("{text:?} is not a date as this file writes them"),
            );
        }
        found
    }

    /// A calendar day.
    pub fn date(&mut self, field: &str) -> Option<NaiveDate> {
        let zone = self.source.conventions.time_zone;
        self.instant(field)
            .map(|instant| instant.with_timezone(&zone).date_naive())
    }

    fn read_instant(&self, text: &str) -> Option<DateTime<Utc>> {
        if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
            return Some(instant.to_utc());
        }
        let conventions = &self.source.conventions;
        let local = conventions.date_formats.iter().find_map(|format| {
            let time = NaiveDateTime::parse_from_str(text, format);
            time.or_else(|_| {
                NaiveDate::parse_from_str(text, format).map(|date| date.and_time(NaiveTime::MIN))
            })
            .ok()
        })?;
        // Where clocks go forward at midnight the day begins an hour later.
        let zone = conventions.time_zone;
        let later = || {
            zone.from_local_datetime(&(local + chrono::TimeDelta::hours(1)))
                .earliest()
        };
        zone.from_local_datetime(&local)
            .earliest()
            .or_else(later)
            .map(|instant| instant.to_utc())
    }

    /// The plain decimal notation of a number as the file writes them.
    fn number(&mut self, field: &str) -> Option<String> {
        let conventions = &self.source.conventions;
        let text = self.raw(field)?;
        let plain = text.chars().filter(|c| Some(*c) != conventions.thousands);
        Some(
            plain
                .map(|c| if c == conventions.decimal { '.' } else { c })
                .collect(),
        )
    }
}
