//! A statement as a table for a spreadsheet.

use std::io;

use chrono::SecondsFormat;
use chrono_tz::Tz;
use sea_orm::ConnectionTrait;

use super::{Subject, store};
use crate::{
    error::{Error, Refusal, Result},
    platform::spreadsheet,
};

/// The longest export.
pub const MAX_ROWS: usize = 50_000;

/// The statement as CSV: a row for the opening balance, one per line and payment, payments negative, so that the column
/// `amount` sums to the closing balance.
///
/// # Errors
/// `BAD_USER_INPUT` at `periodEnd` when there are more than [`MAX_ROWS`] lines; the database failed.
pub async fn file<C: ConnectionTrait>(db: &C, subject: &Subject) -> Result<String> {
    let rows = store::rows_of(db, subject, MAX_ROWS + 1).await?;
    if rows.len() > MAX_ROWS {
        return Err(Refusal::input(
            "periodEnd",
            format!("the export has more than {MAX_ROWS} lines; choose a shorter period"),
        )
        .into());
    }
    let sums = super::sums(db, &[subject.partner], &subject.span).await?;
    let sums = sums.get(&subject.partner).copied().unwrap_or_default();
    table(subject, sums.opening, &rows).map_err(|error| Error::Internal(Box::new(error)))
}

fn table(subject: &Subject, opening: i64, rows: &[store::Line]) -> io::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let (amount, currency) = (
        |minor| subject.span.currency.decimal(minor),
        subject.span.currency.code(),
    );
    writer.write_record(["date", "type", "reference", "name", "amount", "currency"])?;
    let period = &subject.span.period;
    let zone = period.bounds.first().map_or(Tz::UTC, |bound| bound.zone);
    let first_day = period
        .start()
        .with_timezone(&zone)
        .to_rfc3339_opts(SecondsFormat::Secs, true);
    writer.write_record([
        first_day.as_str(),
        "OPENING",
        "",
        "",
        &amount(opening),
        currency,
    ])?;
    for row in rows {
        let at = row.at.with_timezone(&period.zone(row.program_id));
        let at = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let (reference, name) = (
            spreadsheet::harmless(&row.reference),
            spreadsheet::harmless(&row.name),
        );
        writer.write_record([
            at.as_str(),
            &row.kind,
            &reference,
            &name,
            &amount(row.amount_minor),
            currency,
        ])?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| io::Error::other(error.to_string()))?;
    String::from_utf8(bytes).map_err(io::Error::other)
}
