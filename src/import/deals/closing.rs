//! In which stage a deal of a file is, and when it closed or is expected to.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::Facts;
use crate::{
    deals::stage::{Stage, StageKind},
    entity::{deal::SalesStatus, ids::ProgramVersionId},
    import::{
        dates::When,
        unit::{Fate, Ground},
    },
    tx::Tx,
};

/// The time zone of a deal's days.
pub fn zone(ground: &Ground, facts: &Facts) -> Tz {
    facts
        .time_zone
        .unwrap_or(ground.source.conventions.time_zone)
}

fn check_times(
    tx: &Tx,
    ground: &Ground,
    facts: &Facts,
    closed: Option<(&'static str, When)>,
) -> Result<(), Fate> {
    if facts.opened.is_some_and(|opened| opened.at > tx.now()) {
        return Err(Fate::refused("opened_on", "is in the future"));
    }
    let Some((field, closed)) = closed else {
        return Ok(());
    };
    if closed.at > tx.now() {
        let reason = if field == "closed_on" {
            "is in the future; map it to expected_close_on"
        } else {
            "is in the future, but the deal is closed"
        };
        return Err(Fate::refused(field, reason));
    }
    let zone = zone(ground, facts);
    let earlier = facts.opened.is_some_and(|opened| match closed.day {
        // Of a day alone nobody knows the hour: a deal may be opened at nine and closed on that day.
        Some(day) => opened.at.with_timezone(&zone).date_naive() > day,
        None => closed.at < opened.at,
    });
    if earlier {
        return Err(Fate::refused(
            field,
            "is before the day on which the deal was opened",
        ));
    }
    Ok(())
}

/// The stage of a deal: the one that the file names, or the closing one where another column says that it is closed.
pub fn current<'g>(
    ground: &'g Ground,
    version: ProgramVersionId,
    facts: &Facts,
) -> Result<&'g Stage, Fate> {
    let named = stage(ground, version, &facts.stage, "stage")?;
    let closing = match facts.outcome {
        Some(SalesStatus::Won) => StageKind::Won,
        Some(SalesStatus::Lost) => StageKind::Lost,
        Some(SalesStatus::Open) if named.kind != StageKind::Open => {
            return Err(Fate::refused(
                "outcome",
                format!("is OPEN, but the stage {} is a closed one", named.key),
            ));
        }
        Some(SalesStatus::Open) | None => return Ok(named),
    };
    if named.kind == closing {
        return Ok(named);
    }
    if named.kind != StageKind::Open {
        return Err(Fate::refused(
            "outcome",
            format!("contradicts the stage {}", named.key),
        ));
    }
    let stages = ground.programme.stages(version);
    let found = stages.iter().find(|stage| stage.kind == closing);
    found.ok_or_else(|| Fate::refused("outcome", "the programme has no stage for it"))
}

/// Whether a row says that its deal is closed, under the rules of today.
pub fn says_closed(ground: &Ground, facts: &Facts, now: DateTime<Utc>) -> bool {
    let rules = ground.programme.at(now);
    let stage = rules.and_then(|rules| current(ground, rules.id, facts).ok());
    stage.is_some_and(|stage| stage.kind != StageKind::Open)
}

/// The status of a deal in this stage and when it closed, as far as both fit together.
pub fn closing(
    tx: &Tx,
    ground: &Ground,
    stage: &Stage,
    facts: &Facts,
) -> Result<(SalesStatus, Option<DateTime<Utc>>), Fate> {
    let own = facts.closed.map(|closed| ("closed_on", closed));
    let shared = facts.close.map(|close| ("close_date", close.when));
    let status = match stage.kind {
        StageKind::Won => SalesStatus::Won,
        StageKind::Lost => SalesStatus::Lost,
        StageKind::Open => SalesStatus::Open,
    };
    if status == SalesStatus::Open {
        check_times(tx, ground, facts, own)?;
        if own.is_some() {
            return Err(Fate::refused(
                "closed_on",
                format!(
                    "the stage {} is an open one; map the date to expected_close_on",
                    stage.key
                ),
            ));
        }
        return Ok((status, None));
    }
    let closed = own.or(shared);
    check_times(tx, ground, facts, closed)?;
    let field = if ground.source.gives("close_date") {
        "close_date"
    } else {
        "closed_on"
    };
    let missing = || Fate::refused(field, format!("is needed in the stage {}", stage.key));
    let (_, closed) = closed.ok_or_else(missing)?;
    Ok((status, Some(closed.at)))
}

/// When an open deal is expected to close; of a closed one, what was expected as far as the file says it.
pub fn expected(status: SalesStatus, facts: &Facts) -> Option<NaiveDate> {
    let shared = facts.close.filter(|_| status == SalesStatus::Open);
    facts.expected_close_on.or(shared.map(|close| close.day))
}

/// A stage of the programme, under the rules that a deal remembers.
pub fn stage<'g>(
    ground: &'g Ground,
    version: ProgramVersionId,
    key: &str,
    field: &str,
) -> Result<&'g Stage, Fate> {
    let stage = ground.programme.stage(version, key);
    stage.ok_or_else(|| Fate::refused(field, format!("the programme has no stage {key:?}")))
}
