//! Work that is due by the clock.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use crate::{
    app::{App, Site},
    entity::schedule_run,
    error::Result,
    tx::{Call, Tx, Work},
};

/// A scheduled job: its name, its interval, and its unit of work, which returns whether there may be more to do.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Its name: a metric label, and the key of its stored due times.
    pub name: &'static str,
    /// The time between two due times, which are counted from the epoch.
    pub every: TimeDelta,
    /// A unit of work, repeated until there is nothing left to do.
    pub run: for<'t> fn(&'t Tx) -> Work<'t, bool>,
    /// Whether this installation runs it.
    pub wanted: fn(&Site) -> bool,
}

impl Schedule {
    /// The latest due time at or before a point in time.
    #[must_use]
    pub fn due(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let elapsed = now.timestamp().rem_euclid(self.every.num_seconds().max(1));
        DateTime::from_timestamp(now.timestamp() - elapsed, 0).unwrap_or(now)
    }

    /// Runs the schedule for a due time, unless another process claimed it; returns whether it ran here. The first unit
    /// of work claims the due time. Each further chunk is a separate unit of work, so that none holds its locks for
    /// long. Work left by an interruption is done at the next due time.
    ///
    /// # Errors
    /// The database failed.
    pub async fn run_for(&self, app: &App, due: DateTime<Utc>) -> Result<bool> {
        let (name, body) = (self.name, self.run);
        let (own, mut more) = app
            .write(Call::system(name), move |tx| {
                Box::pin(async move {
                    let row = schedule_run::ActiveModel {
                        schedule: Set(name.to_owned()),
                        scheduled_for: Set(due),
                        started_at: Set(tx.now()),
                    };
                    let own = tx.insert_new(row).await?;
                    let more = own && body(tx).await?;
                    Ok((own, more))
                })
            })
            .await?;
        while more {
            more = app.write(Call::system(name), body).await?;
        }
        Ok(own)
    }
}

/// Removes the due times before a point in time.
///
/// # Errors
/// The database failed.
pub async fn sweep_schedules(tx: &Tx, before: DateTime<Utc>) -> Result<()> {
    schedule_run::Entity::delete_many()
        .filter(schedule_run::Column::ScheduledFor.lt(before))
        .exec(tx)
        .await?;
    Ok(())
}
