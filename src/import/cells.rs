//! From the text of a cell to a fact: names, words, amounts, dates. Every fault of a row is found at once.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ActiveEnum, Iterable};

use super::{
    dates::{self, When},
    mapping::Source,
    numbers::{self, Number},
    reader::{Cell, Row},
};
use crate::{
    error::{Error, Faults, Refusal},
    platform::{
        country::{self, CountryFault},
        money::{Currency, Money},
        text,
    },
};

/// The longest name or id.
pub const NAME: usize = 200;
/// The longest free text.
pub const TEXT: usize = 4_000;

/// A row that is being understood.
pub struct Cells<'a> {
    source: &'a Source,
    row: &'a Row,
    now: DateTime<Utc>,
    faults: Faults,
    seen: Seen,
}

/// What a row says that may be legal but odd beside other rows.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Amounts in minor units, by field.
    pub amounts: Vec<(&'static str, Currency, i64)>,
    /// Days, by field.
    pub days: Vec<(&'static str, NaiveDate)>,
}

impl<'a> Cells<'a> {
    /// Begins with a row.
    pub fn of(source: &'a Source, row: &'a Row, now: DateTime<Utc>) -> Self {
        Self {
            source,
            row,
            now,
            faults: Faults::default(),
            seen: Seen::default(),
        }
    }

    fn cell(&self, field: &str) -> Option<&'a Cell> {
        let place = self
            .source
            .entity
            .fields()
            .iter()
            .position(|known| *known == field)?;
        self.row.cells.get(place)?.as_ref()
    }

    /// The text of a cell, none where it is blank or not mapped.
    pub fn raw(&self, field: &str) -> Option<&'a str> {
        self.cell(field).map(|cell| cell.text.as_str())
    }

    /// What the row says beside its facts.
    pub fn seen(&mut self) -> Seen {
        std::mem::take(&mut self.seen)
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

    /// The key of a row in the other system: the same text wherever it is named.
    pub fn key(&mut self, field: &str) -> Option<String> {
        let key = self.text(field, NAME)?;
        if let Some(c) = key.chars().find(|c| text::is_invisible(*c)) {
            let code = u32::from(c);
            self.fault(
                field,
                format!("has an invisible character (U+{code:04X}) inside"),
            );
        } else if numbers::is_shortened(&key) {
            self.fault(
                field,
                format!("{key:?} is in scientific notation; did a spreadsheet shorten it?"),
            );
        }
        Some(key)
    }

    /// A key that every row must have.
    pub fn required_key(&mut self, field: &str) -> String {
        let key = self.key(field);
        key.unwrap_or_else(|| self.required(field, NAME))
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

    /// One of the words of the API, in its wire form; case does not matter.
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

    /// An ISO 3166-1 alpha-2 code, in capital or small letters.
    pub fn country(&mut self, field: &str) -> Option<String> {
        let text = self.raw(field)?;
        self.country_code(field, text)
    }

    /// The same for a text that was taken from a list.
    pub fn country_code(&mut self, field: &str, text: &str) -> Option<String> {
        let code = match country::check(&text.to_ascii_uppercase()) {
            Err(CountryFault::Form(_)) => Err(CountryFault::Form(text.to_owned())),
            checked => checked,
        };
        self.faults.take(field, code).map(str::to_owned)
    }

    /// A whole number of at least `least`.
    pub fn whole(&mut self, field: &str, least: i64) -> Option<i64> {
        let number = self.number(field)?;
        let whole = number.plain.parse().ok().filter(|whole| *whole >= least);
        if whole.is_none() {
            self.fault(field, format!("must be a whole number of at least {least}"));
        }
        whole
    }

    /// The currency of the row: its own, else the one that stands beside one of these amounts, else that of the file.
    pub fn currency(&mut self, field: &str, amounts: &[&str]) -> Option<Currency> {
        if let Some(code) = self.raw(field) {
            return self.faults.take(field, code.parse());
        }
        let beside = amounts.iter().find_map(|amount| {
            let cell = self.cell(amount).filter(|cell| !cell.json_number)?;
            numbers::read(&cell.text, &self.source.conventions)
                .ok()?
                .currency
        });
        beside.or(self.source.conventions.currency)
    }

    /// An amount that is not negative, in minor units of the currency.
    pub fn amount(&mut self, field: &'static str, currency: Option<Currency>) -> Option<i64> {
        let number = self.number(field)?;
        let Some(currency) = currency else {
            // A currency that is wrong was refused already.
            if self.raw("currency").is_none() {
                self.fault(
                    field,
                    "needs a currency: map the field `currency` or set it in the conventions",
                );
            }
            return None;
        };
        if let Some(named) = number.currency.filter(|named| *named != currency) {
            self.fault(
                field,
                format!("is in {named}, but the currency of the row is {currency}"),
            );
            return None;
        }
        let amount = self
            .faults
            .take(field, Money::parse(&number.plain, currency))?;
        if amount.minor() < 0 {
            self.fault(field, "must not be negative");
            return None;
        }
        self.seen.amounts.push((field, currency, amount.minor()));
        Some(amount.minor())
    }

    /// A date or a time. A date is a business day: it begins in the time zone of the programme.
    pub fn when(&mut self, field: &'static str) -> Option<When> {
        let text = self.raw(field)?;
        let conventions = &self.source.conventions;
        let when = self
            .faults
            .take(field, dates::read(text, conventions, self.now))?;
        let day = when
            .day
            .and_then(|day| dates::begin(day, self.source.day_zone));
        let when = day.unwrap_or(when);
        self.seen.days.push((field, self.day_of(when)));
        Some(when)
    }

    /// The instant of a date or time; a date means the beginning of that day in the time zone of the programme.
    pub fn instant(&mut self, field: &'static str) -> Option<DateTime<Utc>> {
        self.when(field).map(|when| when.at)
    }

    /// A calendar day.
    pub fn date(&mut self, field: &'static str) -> Option<NaiveDate> {
        let when = self.when(field)?;
        Some(self.day_of(when))
    }

    /// The day of a time in the time zone of the file.
    pub fn day_of(&self, when: When) -> NaiveDate {
        let zone = self.source.conventions.time_zone;
        when.day
            .unwrap_or_else(|| when.at.with_timezone(&zone).date_naive())
    }

    /// A number in plain decimal notation: by the conventions of the file, or of JSON.
    fn number(&mut self, field: &str) -> Option<Number> {
        let cell = self.cell(field)?;
        if cell.json_number {
            let plain = numbers::json(&cell.text);
            if plain.is_none() {
                self.fault(field, "is out of range");
            }
            return Some(Number {
                plain: plain?,
                currency: None,
            });
        }
        let number = numbers::read(&cell.text, &self.source.conventions);
        self.faults.take(field, number)
    }
}
