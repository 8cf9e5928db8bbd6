//! What a row says about a deal.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::{
    deals::{DealBusiness, LossReason, ParticipantRole},
    import::cells::{Cells, NAME, TEXT},
    platform::money::Currency,
};

/// What a row says about a deal.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its name.
    pub name: Option<String>,
    /// External id of the partner that brought it.
    pub partner: Option<String>,
    /// In which role; that of the sourcer unless the file says otherwise.
    pub role: ParticipantRole,
    /// External id of the customer; none while the deal awaits one.
    pub customer: Option<String>,
    /// External id of the product.
    pub product: Option<String>,
    /// How many of it; one unless the file says otherwise.
    pub quantity: i64,
    /// Key of the stage it is in.
    pub stage: String,
    /// Key of the stage in which it was opened, for closed deals.
    pub opening_stage: Option<String>,
    /// New business or a renewal; new business unless the file says otherwise.
    pub business: DealBusiness,
    /// Its value in minor units.
    pub value: Option<i64>,
    /// The currency of the value.
    pub currency: Option<Currency>,
    /// When it was opened.
    pub opened_at: Option<DateTime<Utc>>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// When it is expected to close.
    pub expected_close_on: Option<NaiveDate>,
    /// Why it was lost.
    pub loss_reason: Option<LossReason>,
    /// The same in words.
    pub loss_detail: Option<String>,
    /// To whom it was lost.
    pub competitor: Option<String>,
    /// The time zone of its days.
    pub time_zone: Option<Tz>,
}

impl Facts {
    /// Understands a row.
    pub fn of(cells: &mut Cells<'_>) -> Self {
        let currency = cells.currency("currency");
        let facts = Self {
            name: cells.text("name", NAME),
            partner: cells.text("partner", NAME),
            role: cells.word("role").unwrap_or(ParticipantRole::Sourcer),
            customer: cells.text("customer", NAME),
            product: cells.text("product", NAME),
            quantity: cells.whole("quantity", 1).unwrap_or(1),
            stage: cells.required("stage", NAME),
            opening_stage: cells.text("opening_stage", NAME),
            business: cells.word("business").unwrap_or_default(),
            value: cells.amount("value", currency),
            currency,
            opened_at: cells.instant("opened_on"),
            closed_at: cells.instant("closed_on"),
            expected_close_on: cells.date("expected_close_on"),
            loss_reason: cells.word("loss_reason"),
            loss_detail: cells.text("loss_detail", TEXT),
            competitor: cells.text("competitor", NAME),
            time_zone: time_zone(cells),
        };
        if facts
            .opened_at
            .zip(facts.closed_at)
            .is_some_and(|(opened, closed)| closed < opened)
        {
            cells.fault(
                "closed_on",
                "lies before the day on which the deal was opened",
            );
        }
        facts
    }
}

fn time_zone(cells: &mut Cells<'_>) -> Option<Tz> {
    let zone = cells.raw("time_zone")?.parse().ok();
    if zone.is_none() {
        cells.fault("time_zone", "is not an IANA time zone");
    }
    zone
}
