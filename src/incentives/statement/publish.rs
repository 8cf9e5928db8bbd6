//! Publishing: what the books say of a period that is over is written down and mailed to those whom it is about, once.
//!
//! What was published stays as it was told. What is booked later for an earlier day, such as a deal that is noted as won
//! days after it was, changes the live statement about those days, and is in the opening of the next one.
//!
//! By itself each month is published when it is over, in chunks, each a unit of work of its own. The table
//! `statement_publication` remembers how far that came, so that a month is taken on once and nothing is searched for
//! while there is nothing to do. The month before an installation first worked is passed over: its partners would get
//! statements of a time when there was no Ensemble, perhaps from books that have only just been imported.

use super::{
    Period,
    store::{self, Moved},
};
use crate::{
    access::Action,
    app::App,
    entity::{ids::PartnerId, partner_statement, statement_publication},
    error::{Refusal, Result},
    events::Event,
    partners,
    platform::sql::count,
    programs::calendar,
    tx::{Call, Tx},
};

/// Partners of one unit of work.
const CHUNK: u64 = 1_000;

/// Publishes the statements about a period of the next partners after one, in each currency in which there is something
/// to tell: an opening balance, a line or a payment. Those published already for these very days stay as they are.
/// Returns how many were published, and after which partner the next chunk begins, if there is one.
///
/// Records [`Event::StatementPublished`] for each.
///
/// # Errors
/// `FORBIDDEN`; `BAD_USER_INPUT` at `periodEnd` for a period that is not over; the database failed.
pub async fn chunk(
    tx: &Tx,
    period: &Period,
    after: Option<PartnerId>,
) -> Result<(u64, Option<PartnerId>)> {
    tx.actor().may(Action::StatementPublish)?;
    if tx.now() < period.end() {
        return Err(Refusal::input(
            "periodEnd",
            "must be over in the time zone of every programme",
        )
        .into());
    }
    let partners = partners::Chunk::next(tx, after, CHUNK).await?;
    let moved = store::unpublished(tx, partners, period).await?;
    let rows: Vec<_> = moved.iter().map(|moved| row(tx, period, moved)).collect();
    for row in &rows {
        tx.record(Event::StatementPublished {
            statement_id: row.id,
            partner_id: row.partner_id,
        });
    }
    let published = count(rows.len());
    tx.insert_models(rows).await?;
    Ok((published, partners.last))
}

fn row(tx: &Tx, period: &Period, moved: &Moved) -> partner_statement::Model {
    let sums = moved.sums();
    partner_statement::Model {
        id: tx.id(),
        partner_id: moved.partner_id,
        currency: moved.currency,
        period_start: period.first_day,
        period_end: period.last_day,
        opening_minor: sums.opening,
        earned_minor: sums.earned,
        adjustments_minor: sums.adjustments,
        paid_minor: sums.paid,
        published_by: tx.actor().user_id(),
        published_at: tx.now(),
    }
}

/// Publishes the statements of all partners about a period for somebody; returns how many.
///
/// # Errors
/// As [`chunk`]; the chunks before the one that failed stay published.
pub async fn run_as(app: &App, call: Call, period: &Period) -> Result<u64> {
    let (mut total, mut after) = (0, None);
    loop {
        let (published, next) = app
            .write(call.clone(), {
                let period = period.clone();
                move |tx| {
                    let period = period.clone();
                    Box::pin(async move { chunk(tx, &period, after).await })
                }
            })
            .await?;
        total += published;
        if next.is_none() {
            return Ok(total);
        }
        after = next;
    }
}

/// Publishes the next chunk of the month before this one, unless all of it is published. Of months that were missed, the
/// latest is made up for.
///
/// # Errors
/// The database failed.
pub async fn due(tx: &Tx) -> Result<()> {
    let calendar = calendar::load(tx).await?;
    let month = Period::month_before(&calendar, tx.now())?;
    let publication = match store::lock_publication(tx).await? {
        Some(latest) if latest.period_start >= month.first_day => latest,
        earlier => take_on(tx, &month, earlier.is_none()).await?,
    };
    // When a clock was set back, the latest month is one that is not over yet.
    if publication.period_start > month.first_day || publication.completed_at.is_some() {
        return Ok(());
    }
    let (_, next) = chunk(tx, &month, publication.after_partner_id).await?;
    let publication = statement_publication::Model {
        after_partner_id: next,
        completed_at: next.is_none().then(|| tx.now()),
        ..publication
    };
    store::save_publication(tx, publication).await
}

/// Takes a month on; the first one is passed over.
async fn take_on(tx: &Tx, month: &Period, is_first: bool) -> Result<statement_publication::Model> {
    let publication = statement_publication::Model {
        period_start: month.first_day,
        after_partner_id: None,
        completed_at: is_first.then(|| tx.now()),
    };
    tx.insert_models(vec![publication.clone()]).await?;
    Ok(publication)
}
