//! Commission for deals that were won before there was a plan, or came by import: in chunks, each a unit of work of
//! its own, so that a large programme can be stopped and taken up again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    accrue,
    exception::{self, Exception, Reason},
    store,
};
use crate::{
    access::Action,
    app::App,
    attribution::attribute,
    entity::ids::{DealId, ProgramId},
    error::Result,
    tx::{Call, Tx},
};

/// Deals of one unit of work.
const CHUNK: u64 = 1_000;

/// The deal up to which a programme was worked through.
pub type Cursor = (DateTime<Utc>, DealId);

/// How many deals of a cause a report names.
pub const NAMED: usize = 20;

/// Won deals that pay no commission for one cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpaid {
    /// How many.
    pub deals: u64,
    /// The first of them, in the order in which they were won; at most [`NAMED`].
    pub first: Vec<DealId>,
}

/// What a chunk, or a whole run, came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Won deals that were looked at.
    pub deals: u64,
    /// Commission lines that were booked.
    pub lines: u64,
    /// Won deals that pay no commission, by cause.
    #[serde(default)]
    pub exceptions: BTreeMap<Reason, Unpaid>,
}

impl Report {
    fn note(&mut self, exceptions: &[Exception]) {
        for exception in exceptions {
            let unpaid = self.exceptions.entry(exception.reason).or_default();
            unpaid.deals += 1;
            if unpaid.first.len() < NAMED {
                unpaid.first.push(exception.deal);
            }
        }
    }

    fn add(&mut self, chunk: Self) {
        self.deals += chunk.deals;
        self.lines += chunk.lines;
        for (reason, more) in chunk.exceptions {
            let unpaid = self.exceptions.entry(reason).or_default();
            unpaid.deals += more.deals;
            let room = NAMED.saturating_sub(unpaid.first.len());
            unpaid.first.extend(more.first.into_iter().take(room));
        }
    }
}

/// Gives the next won deals of a programme the credit and the commission that they lack; what they have stays. Returns
/// what was done and where the next chunk begins, if there is one.
///
/// # Errors
/// `FORBIDDEN`; the database failed; an amount exceeds the bounds of money.
pub async fn catch_up(
    tx: &Tx,
    program: ProgramId,
    after: Option<Cursor>,
    limit: u64,
) -> Result<(Report, Option<Cursor>)> {
    tx.actor().may(Action::PlanActivate)?;
    let deals = store::lock_won(tx, program, after, limit).await?;
    let Some(last) = deals.last() else {
        return Ok((Report::default(), None));
    };
    let next = last.closed_at.map(|at| (at, last.id));
    let attributed = attribute::ensure(tx, &deals).await?;
    let mut report = Report {
        deals: u64::try_from(deals.len()).unwrap_or(u64::MAX),
        lines: accrue::won(tx, &attributed).await?,
        ..Report::default()
    };
    report.note(&exception::of(tx, &attributed).await?);
    Ok((report, next))
}

/// Works through all won deals of a programme as the server itself.
///
/// # Errors
/// As [`catch_up`]; the chunks before the one that failed stay done.
pub async fn run(app: &App, program: ProgramId) -> Result<Report> {
    run_as(app, Call::system("accrualRun"), program, |_| {}).await
}

/// Works through all won deals of a programme for somebody, who is told after every chunk how far it got.
///
/// # Errors
/// As [`run`].
pub async fn run_as(
    app: &App,
    call: Call,
    program: ProgramId,
    mut watch: impl FnMut(&Report),
) -> Result<Report> {
    let mut total = Report::default();
    let mut after = None;
    loop {
        let (done, next) = app
            .write(call.clone(), move |tx| {
                Box::pin(async move { catch_up(tx, program, after, CHUNK).await })
            })
            .await?;
        total.add(done);
        watch(&total);
        if next.is_none() {
            return Ok(total);
        }
        after = next;
    }
}
