//! What a row says about a deal.

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::{
    entity::{
        deal::{DealBusiness, LossReason, SalesStatus},
        deal_participant::ParticipantRole,
    },
    import::{
        cells::{Cells, NAME, TEXT},
        dates::When,
    },
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
    /// Whether it is open, won or lost, where a column beside the stage says so.
    pub outcome: Option<SalesStatus>,
    /// Key of the stage in which it was opened, for closed deals.
    pub opening_stage: Option<String>,
    /// New business or a renewal; new business unless the file says otherwise.
    pub business: DealBusiness,
    /// Its value in minor units.
    pub value: Option<i64>,
    /// What it was estimated at, where a column of its own says so.
    pub expected_value: Option<i64>,
    /// The currency of the value.
    pub currency: Option<Currency>,
    /// When it was opened.
    pub opened: Option<When>,
    /// When it was closed.
    pub closed: Option<When>,
    /// When it is expected to close.
    pub expected_close_on: Option<NaiveDate>,
    /// When it was closed if it is closed, else when it is expected to close.
    pub close: Option<Close>,
    /// Why it was lost.
    pub loss_reason: Option<LossReason>,
    /// The same in words.
    pub loss_detail: Option<String>,
    /// To whom it was lost.
    pub competitor: Option<String>,
    /// The time zone of its days.
    pub time_zone: Option<Tz>,
}

/// A date that means the close, expected or actual.
#[derive(Clone, Copy, Debug)]
pub struct Close {
    /// As an actual one.
    pub when: When,
    /// As an expected one.
    pub day: NaiveDate,
}

impl Facts {
    /// Understands a row.
    pub fn of(cells: &mut Cells<'_>) -> Self {
        let currency = cells.currency("currency", &["value", "expected_value"]);
        let time_zone = time_zone(cells);
        let mut when = |field| cells.when(field);
        let (opened, closed, close) = (when("opened_on"), when("closed_on"), when("close_date"));
        Self {
            name: cells.text("name", NAME),
            partner: cells.key("partner"),
            role: cells.word("role").unwrap_or(ParticipantRole::Sourcer),
            customer: cells.key("customer"),
            product: cells.key("product"),
            quantity: cells.whole("quantity", 1).unwrap_or(1),
            stage: cells.required("stage", NAME),
            outcome: cells.word("outcome"),
            opening_stage: cells.text("opening_stage", NAME),
            business: cells.word("business").unwrap_or_default(),
            value: cells.amount("value", currency),
            expected_value: cells.amount("expected_value", currency),
            currency,
            opened,
            closed,
            expected_close_on: cells.date("expected_close_on"),
            close: close.map(|when| Close {
                when,
                day: cells.day_of(when),
            }),
            loss_reason: cells.word("loss_reason"),
            loss_detail: cells.text("loss_detail", TEXT),
            competitor: cells.text("competitor", NAME),
            time_zone,
        }
    }
}

fn time_zone(cells: &mut Cells<'_>) -> Option<Tz> {
    let zone = cells.raw("time_zone")?.parse().ok();
    if zone.is_none() {
        cells.fault("time_zone", "is not an IANA time zone");
    }
    zone
}
