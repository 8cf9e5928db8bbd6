//! The proof that the books are in order: every promise about money, asked of the rows themselves.
//!
//! First every value is read (`readable`), so that what follows can say what it could not decide. Then three kinds of
//! checks: sums and states that follow from other rows are recomputed (`checks`, `plans`, `commission`, `recomputed`,
//! `unpaid`, `ledger`), references are followed from both sides (`references`), and what follows from nothing else
//! is compared with the fingerprint that was taken when it was written (`prints`) or with the audit trail, which is a
//! hash chain of its own. Reading only; each question sees one consistent state.

use std::fmt;

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    platform::{
        audit::{self, Head},
        ids,
        trouble::Trouble,
    },
};

mod checks;
mod commission;
mod ledger;
mod plans;
mod prints;
mod readable;
mod recomputed;
mod references;
mod unpaid;

/// The promise of the audit trail.
const SEALED: &str = "the audit trail is the one that was sealed";

/// How many offending rows a finding names.
const NAMED: usize = 20;

/// One promise, how many rows it was asked of, and what breaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The promise, as a sentence.
    pub promise: &'static str,
    /// How many rows were looked at.
    pub rows: u64,
    /// The rows that break it, by id, at most 20; none when it holds.
    pub offenders: Vec<String>,
    /// Whether there are more than the named ones.
    pub more: bool,
}

impl Finding {
    const fn new(promise: &'static str, rows: u64) -> Self {
        Self {
            promise,
            rows,
            offenders: Vec::new(),
            more: false,
        }
    }

    /// Names a row, unless enough are named.
    fn name(&mut self, offender: String) {
        if self.offenders.len() < NAMED {
            self.offenders.push(offender);
        } else {
            self.more = true;
        }
    }
}

/// What a verification found: one finding per promise, kept or broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Every promise that was looked at.
    pub findings: Vec<Finding>,
    /// The end of the intact part of the audit trail, to be recorded elsewhere.
    pub audit_head: Head,
    /// How many rows were written before fingerprints were taken: that they exist is checked, what they say is not.
    pub older: u64,
}

impl Report {
    /// Whether every promise holds.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.broken() == 0
    }

    /// Whether there was nothing to check.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.iter().all(|finding| finding.rows == 0) && self.is_clean()
    }

    fn broken(&self) -> usize {
        let broken = |finding: &&Finding| !finding.offenders.is_empty();
        self.findings.iter().filter(broken).count()
    }
}

impl fmt::Display for Report {
    /// One line per promise, and one per offending row below it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let verdict = match (finding.offenders.is_empty(), finding.rows) {
                (false, _) => "BROKEN",
                (true, 0) => "empty ",
                (true, _) => "ok    ",
            };
            let rows = if finding.rows == 1 { "row" } else { "rows" };
            writeln!(f, "{verdict} {} ({} {rows})", finding.promise, finding.rows)?;
            for offender in &finding.offenders {
                writeln!(f, "         {offender}")?;
            }
            if finding.more {
                writeln!(f, "         and more")?;
            }
        }
        if self.older > 0 {
            writeln!(
                f,
                "       {} rows are older than fingerprints: that they exist is checked, not what they say",
                self.older
            )?;
        }
        match self.broken() {
            0 => writeln!(f, "       all {} checks hold", self.findings.len())?,
            broken => writeln!(
                f,
                "       {broken} of {} checks are broken",
                self.findings.len()
            )?,
        }
        write!(f, "       {} audit rows sealed", self.audit_head.position)?;
        if self.audit_head.position > 0 {
            write!(f, "; the head is {}", self.audit_head)?;
        }
        Ok(())
    }
}

/// A question whose every answer is a row that breaks a promise.
struct Check {
    promise: &'static str,
    /// The id prefix of the rows it names.
    prefix: &'static str,
    /// Selects how many rows are looked at.
    rows: &'static str,
    /// Selects `id` and `detail`.
    sql: &'static str,
}

#[derive(FromQueryResult)]
struct Offender {
    id: Uuid,
    detail: String,
}

/// Asks every question.
///
/// # Errors
/// The database failed. A broken promise is not an error but a finding.
pub async fn verify<C: ConnectionTrait>(db: &C) -> Result<Report> {
    verify_since(db, None).await
}

/// The same, and whether the audit trail still holds a head that was recorded: everything up to it is as it was then.
///
/// # Errors
/// As [`verify`].
pub async fn verify_since<C: ConnectionTrait>(db: &C, recorded: Option<&Head>) -> Result<Report> {
    let mut findings = vec![readable::looked_at(db).await?];
    for check in checks::ALL {
        findings.push(decided(check.promise, summed(db, check).await)?);
    }
    let plans = plans::as_told(db).await;
    findings.push(decided(plans::PROMISE, plans)?);
    let contents = ledger::contents(db).await;
    findings.push(decided(ledger::PROMISE, contents)?);
    let commission = commission::within_terms(db).await;
    findings.push(decided(commission::PROMISE, commission)?);
    let recomputed = recomputed::equal(db).await;
    findings.push(decided(recomputed::PROMISE, recomputed)?);
    let unpaid = unpaid::accounted_for(db).await;
    findings.push(decided(unpaid::PROMISE, unpaid)?);
    let followed = references::followed(db).await;
    findings.push(decided(references::FOLLOWED, followed)?);
    let trail = references::of_the_trail(db).await;
    findings.push(decided(references::OF_THE_TRAIL, trail)?);
    let mut older = 0;
    let written = prints::compared(db).await.map(|(written, rows)| {
        older = rows;
        written
    });
    findings.push(decided(prints::WRITTEN, written)?);
    let missing = prints::missing(db).await;
    findings.push(decided(prints::MISSING, missing)?);
    let mut audit_head = Head::default();
    let chain = sealed(db, recorded).await.map(|(chain, head)| {
        audit_head = head;
        chain
    });
    findings.push(decided(SEALED, chain)?);
    Ok(Report {
        findings,
        audit_head,
        older,
    })
}

/// A promise that cannot be looked at because of what rows hold is broken; the other promises are looked at all the same.
fn decided(promise: &'static str, looked_at: Result<Finding>) -> Result<Finding> {
    let error = match looked_at {
        Ok(finding) => return Ok(finding),
        Err(error) => error,
    };
    let of_the_database = match &error {
        Error::Database(error) => Trouble::of(error).is_some(),
        Error::Internal(_) => false,
        Error::Refused(_) | Error::Throttled { .. } => true,
    };
    if of_the_database {
        return Err(error);
    }
    let mut finding = Finding::new(promise, 0);
    finding.name(format!("cannot be decided: {error}"));
    Ok(finding)
}

/// A question that one statement answers.
async fn summed<C: ConnectionTrait>(db: &C, check: &Check) -> Result<Finding> {
    let mut finding = Finding::new(check.promise, count(db, check.rows).await?);
    for row in offenders(db, check.sql).await? {
        let id = ids::encode(check.prefix, row.id);
        finding.name(format!("{id} {}", row.detail));
    }
    Ok(finding)
}

/// The audit trail as one finding: nothing says that it is in order beside something that says it is not.
async fn sealed<C: ConnectionTrait>(db: &C, recorded: Option<&Head>) -> Result<(Finding, Head)> {
    let chain = audit::verify(db).await?;
    let rows = u64::try_from(chain.head.position).unwrap_or_default();
    let mut finding = Finding::new(SEALED, rows);
    if let Some(position) = chain.broken_at {
        finding.name(format!("position {position}"));
    }
    if let Some(head) = recorded {
        match audit::at(db, head.position).await? {
            Some(now) if now == *head => {}
            Some(_) => finding.name(format!(
                "position {} has another digest than the recorded head",
                head.position
            )),
            None => finding.name(format!(
                "position {} of the recorded head is missing",
                head.position
            )),
        }
    }
    Ok((finding, chain.head))
}

async fn offenders<C: ConnectionTrait>(db: &C, sql: &str) -> Result<Vec<Offender>> {
    let sql = format!("{sql} LIMIT {}", NAMED + 1);
    let rows = Statement::from_string(db.get_database_backend(), sql);
    Ok(Offender::find_by_statement(rows).all(db).await?)
}

async fn count<C: ConnectionTrait>(db: &C, sql: &str) -> Result<u64> {
    let row = db
        .query_one_raw(Statement::from_string(db.get_database_backend(), sql))
        .await?;
    let count: i64 = match row {
        Some(row) => row.try_get_by_index(0)?,
        None => 0,
    };
    Ok(u64::try_from(count).unwrap_or_default())
}
