//! Queries of the mails: who their readers are, and whether a job is still ours.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};

use super::{
    mail::Mail,
    recipients::{Audience, Candidate},
};
use crate::{
    entity::{
        ids::{JobId, UserId},
        job::{self, JobStatus},
        user,
    },
    error::Result,
    platform::jobs::Job,
};

/// The people of all audiences in one query, each with the mail of the first audience that includes them.
///
/// # Errors
/// The database failed.
pub async fn people(
    db: &impl ConnectionTrait,
    told: &[(Audience, &'static Mail)],
) -> Result<Vec<(UserId, &'static Mail)>> {
    if told.is_empty() {
        return Ok(Vec::new());
    }
    let anyone = told.iter().fold(Condition::any(), |any, (audience, _)| {
        any.add(match audience {
            Audience::Partner(partner, _) => user::Column::PartnerId.eq(*partner),
            Audience::Vendor(roles, _) => user::Column::Role.is_in(roles.iter().copied()),
            Audience::Person(id) => user::Column::Id.eq(*id),
        })
    });
    let users = user::Entity::find()
        .select_only()
        .columns([
            user::Column::Id,
            user::Column::Role,
            user::Column::PartnerId,
            user::Column::Status,
        ])
        .filter(anyone)
        .order_by_asc(user::Column::Id)
        .into_tuple()
        .all(db)
        .await?;
    let candidates = users
        .into_iter()
        .map(|(user_id, role, partner_id, status)| Candidate {
            user_id,
            role,
            partner_id,
            status,
        });
    let mail_of = |person: Candidate| {
        let first = told
            .iter()
            .find(|(audience, mail)| audience.includes(mail, &person));
        first.map(|(_, mail)| (person.user_id, *mail))
    };
    Ok(candidates.filter_map(mail_of).collect())
}

/// The reader of a mail.
///
/// # Errors
/// The database failed.
pub async fn reader(db: &impl ConnectionTrait, id: UserId) -> Result<Option<user::Model>> {
    Ok(user::Entity::find_by_id(id).one(db).await?)
}

/// The row of a claimed job, as long as its lease holds at least until an instant.
///
/// # Errors
/// The database failed.
pub async fn held(
    db: &impl ConnectionTrait,
    claimed: &Job,
    until: DateTime<Utc>,
) -> Result<Option<job::Model>> {
    Ok(job::Entity::find_by_id(claimed.id)
        .filter(job::Column::Status.eq(JobStatus::Pending))
        .filter(job::Column::LeaseEpoch.eq(claimed.lease_epoch))
        .filter(job::Column::LeaseUntil.gte(until))
        .one(db)
        .await?)
}

/// The jobs in one of these statuses, if any are named, and of this topic, if one is.
#[must_use]
pub fn jobs(status: Option<&[JobStatus]>, topic: Option<&str>) -> Select<job::Entity> {
    let of = Condition::all()
        .add_option(status.map(|status| job::Column::Status.is_in(status.iter().copied())))
        .add_option(topic.map(|topic| job::Column::Topic.eq(topic)));
    job::Entity::find().filter(of)
}

/// A job, whatever its state.
///
/// # Errors
/// The database failed.
pub async fn job(db: &impl ConnectionTrait, id: JobId) -> Result<Option<job::Model>> {
    Ok(job::Entity::find_by_id(id).one(db).await?)
}
