//! A large ecosystem, made up: as many partners, deals and touchpoints as asked for, the same ones for the same
//! arguments. It serves measuring, and trying the product at the size at which it is to be used.
//!
//! Master data and history are written in bulk, which no use case does; the credit, commission and books of the won
//! deals come from the rules themselves, by the batch that catches up on any programme. History ends with the year
//! 2025, so that holdbacks are due and payouts can be run whenever the data is looked at.

mod dice;
mod directory;
mod pipeline;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter};
use secrecy::SecretString;

use super::PASSWORD;
use crate::{
    app::App,
    entity::{
        deal::{self, SalesStatus},
        partner, program, user,
    },
    error::{Error, Refusal, Result},
    incentives,
    platform::clock::{Clock, ManualClock},
    tx::{Call, Tx, Work},
};
use dice::Mint;

/// The end of the history: 2026-01-01 00:00 UTC.
const END: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);
/// How far back the first deal was opened.
const HISTORY: TimeDelta = TimeDelta::days(3 * 365);
/// Deals, or rows of master data, of one unit of work.
const CHUNK: u64 = 2_000;

/// How much to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Partner companies; each has one person who signs in. At least 3.
    pub partners: u64,
    /// Deals, each with three participants; half as many customers.
    pub deals: u64,
    /// Touchpoints of each deal.
    pub touchpoints_per_deal: u64,
    /// Of a hundred deals so many are won; two fifths of the others are lost, the rest is open.
    pub won_percent: u64,
    /// The same number gives the same data.
    pub seed: u64,
    /// Whether the won deals get their credit and commission.
    pub commission: bool,
}

/// What was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Partners.
    pub partners: u64,
    /// Customers.
    pub customers: u64,
    /// Deals.
    pub deals: u64,
    /// Touchpoints.
    pub touchpoints: u64,
    /// Commission lines.
    pub commission_lines: u64,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} partners, {} customers, {} deals, {} touchpoints and {} commission lines are loaded.",
            self.partners, self.customers, self.deals, self.touchpoints, self.commission_lines
        )
    }
}

impl Scale {
    /// How many customers there are.
    const fn customers(self) -> u64 {
        self.deals.div_ceil(2)
    }
}

/// Makes the data in a new database. Everybody signs in with the password of the demo: `administrator-1@vendor.example`
/// and so on for each role of the vendor, `person-1@partners.example` for the first partner.
///
/// # Errors
/// `BAD_USER_INPUT` when the database holds anything already, or the scale is out of range; the database failed.
pub async fn load(app: &App, scale: Scale, progress: bool) -> Result<Made> {
    if scale.partners < 3 || scale.deals == 0 || scale.won_percent > 100 {
        let bounds = "needs at least 3 partners and a deal, and at most 100 percent won";
        return Err(Refusal::input("scale", bounds).into());
    }
    if !is_new(app).await? {
        return Err(Refusal::input("database", "is not new; nothing was changed").into());
    }
    let app = app.with_clock(Clock::from(&ManualClock::new(END)));
    let hash = app
        .passwords()
        .hash(SecretString::from(PASSWORD))
        .await
        .map_err(|error| Error::Internal(Box::new(error)))?;
    let mint = Mint::new(scale);
    let all = scale.partners + scale.customers() + scale.deals;
    let bar = bar("partners, customers, deals", all, progress);

    write(&app, move |tx| {
        let hash = hash.clone();
        Box::pin(async move { directory::foundation(tx, mint, &hash).await })
    })
    .await?;
    in_chunks(&app, &bar, scale.partners, mint, directory::partners).await?;
    in_chunks(&app, &bar, scale.customers(), mint, directory::customers).await?;
    in_chunks(&app, &bar, scale.deals, mint, pipeline::deals).await?;
    bar.finish_and_clear();
    gather_statistics(&app).await?;

    let mut made = Made {
        partners: scale.partners,
        customers: scale.customers(),
        deals: scale.deals,
        touchpoints: scale.deals * scale.touchpoints_per_deal,
        commission_lines: 0,
    };
    if scale.commission {
        made.commission_lines = commission(&app, mint, progress).await?;
        gather_statistics(&app).await?;
    }
    Ok(made)
}

async fn is_new(app: &App) -> Result<bool> {
    let db = app.db().reader();
    Ok(user::Entity::find().count(db).await? == 0
        && partner::Entity::find().count(db).await? == 0
        && program::Entity::find().count(db).await? == 0)
}

async fn write<F>(app: &App, body: F) -> Result<()>
where
    F: for<'t> Fn(&'t Tx) -> Work<'t, ()> + Send + Sync + 'static,
{
    app.write(Call::system("seed"), body).await
}

/// A step that makes the numbers `from` to `until`.
type Step = for<'t> fn(&'t Tx, Mint, u64, u64) -> Work<'t, ()>;

async fn in_chunks(app: &App, bar: &ProgressBar, count: u64, mint: Mint, step: Step) -> Result<()> {
    let mut from = 0;
    while from < count {
        let until = (from + CHUNK).min(count);
        write(app, move |tx| step(tx, mint, from, until)).await?;
        bar.inc(until - from);
        from = until;
    }
    Ok(())
}

/// A database plans by what it knows of its tables, and of a table that was filled a moment ago it knows nothing.
async fn gather_statistics(app: &App) -> Result<()> {
    let sql = match app.db().backend() {
        DbBackend::Postgres => "VACUUM (ANALYZE)",
        _ => "ANALYZE",
    };
    app.db().maintenance().execute_unprepared(sql).await?;
    Ok(())
}

async fn commission(app: &App, mint: Mint, progress: bool) -> Result<u64> {
    let won = deal::Entity::find()
        .filter(deal::Column::Status.eq(SalesStatus::Won))
        .count(app.db().reader())
        .await?;
    let bar = bar("commission", won, progress);
    let call = Call::system("accrualRun");
    let watch = |report: &incentives::batch::Report| bar.set_position(report.deals);
    let report = incentives::batch::run_as(app, call, mint.program(), watch).await?;
    bar.finish_and_clear();
    Ok(report.lines)
}

fn bar(message: &'static str, length: u64, progress: bool) -> ProgressBar {
    if !progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length);
    let style = "{msg:26} {wide_bar} {pos}/{len} {elapsed_precise} {eta}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.set_message(message);
    bar
}
