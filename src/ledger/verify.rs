//! The proof that the books are in order: one set-based question per promise, each naming the rows that break it.

use std::fmt;

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use uuid::Uuid;

use crate::{
    error::Result,
    platform::{
        audit::{self, Head},
        ids,
    },
};

mod checks;

/// How many offending rows a finding names.
const NAMED: usize = 20;

/// One promise and what breaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The promise, as a sentence.
    pub promise: &'static str,
    /// The rows that break it, by id, at most 20; none when it holds.
    pub offenders: Vec<String>,
    /// Whether there are more than the named ones.
    pub more: bool,
}

/// What a verification found: one finding per promise, kept or broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Every promise that was looked at.
    pub findings: Vec<Finding>,
    /// The end of the intact part of the audit trail, to be noted elsewhere.
    pub audit_head: Head,
}

impl Report {
    /// Whether every promise holds.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.offenders.is_empty())
    }
}

impl fmt::Display for Report {
    /// One line per promise, and one per offending row below it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let verdict = if finding.offenders.is_empty() {
                "ok    "
            } else {
                "BROKEN"
            };
            writeln!(f, "{verdict} {}", finding.promise)?;
            for offender in &finding.offenders {
                writeln!(f, "         {offender}")?;
            }
            if finding.more {
                writeln!(f, "         and more")?;
            }
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
    /// Selects `id` and `detail`.
    sql: &'static str,
}

#[derive(FromQueryResult)]
struct Offender {
    id: Uuid,
    detail: String,
}

/// Asks every question. Reading only; each question sees one consistent state.
///
/// # Errors
/// The database failed. A broken promise is not an error but a finding.
pub async fn verify<C: ConnectionTrait>(db: &C) -> Result<Report> {
    let mut findings = Vec::with_capacity(checks::ALL.len() + 1);
    for check in checks::ALL {
        let sql = format!("{} LIMIT {}", check.sql, NAMED + 1);
        let rows =
            Offender::find_by_statement(Statement::from_string(db.get_database_backend(), sql))
                .all(db)
                .await?;
        let more = rows.len() > NAMED;
        let named = rows
            .into_iter()
            .take(NAMED)
            .map(|row| format!("{} {}", ids::encode(check.prefix, row.id), row.detail));
        findings.push(Finding {
            promise: check.promise,
            offenders: named.collect(),
            more,
        });
    }
    let chain = audit::verify(db).await?;
    let broken = chain
        .broken_at
        .map(|position| format!("position {position}"));
    findings.push(Finding {
        promise: "the audit trail is the one that was sealed",
        offenders: broken.into_iter().collect(),
        more: false,
    });
    Ok(Report {
        findings,
        audit_head: chain.head,
    })
}

/// Asks whether the audit trail still holds the head that somebody noted: everything up to it is as it was then.
///
/// # Errors
/// The database failed.
pub async fn still_holds<C: ConnectionTrait>(db: &C, noted: &Head) -> Result<Finding> {
    let offender = match audit::at(db, noted.position).await? {
        Some(now) if now == *noted => None,
        Some(_) => Some(format!("position {} has another digest", noted.position)),
        None => Some(format!("position {} is not there", noted.position)),
    };
    Ok(Finding {
        promise: "the audit trail holds the head that was noted",
        offenders: offender.into_iter().collect(),
        more: false,
    })
}
