//! Queries of the mails: what the decision about recipients needs, who they are, and whether a job is still ours.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select,
    sea_query::{Expr, ExprTrait},
};

use super::{
    recipients::{Audience, Candidate, Circumstances},
    texts::Mail,
};
use crate::{
    entity::{
        accrual::{self, AccrualKind},
        deal_participant::{self, ParticipantStatus},
        deal_registration,
        ids::{DealId, JobId, PartnerId, PayoutRunId, TouchpointId, UserId, UserTokenId},
        job::{self, JobStatus},
        payout, payout_run, touchpoint, user, user_token,
    },
    error::Result,
    events::Event,
    platform::{jobs::Job, money::Currency},
};

/// The kinds of commission lines that a win makes.
pub const EARNINGS: [AccrualKind; 2] = [AccrualKind::Earned, AccrualKind::Holdback];

/// What the decision about this event's recipients needs; a query for the few events that need one.
///
/// # Errors
/// The database failed.
pub async fn circumstances(db: &impl ConnectionTrait, event: &Event) -> Result<Circumstances> {
    let mut known = Circumstances::default();
    match event {
        Event::RegistrationSubmitted {
            registration_id, ..
        }
        | Event::RegistrationInfoRequested {
            registration_id, ..
        }
        | Event::RegistrationApproved {
            registration_id, ..
        }
        | Event::RegistrationRejected {
            registration_id, ..
        }
        | Event::RegistrationExtended {
            registration_id, ..
        }
        | Event::ProtectionReminder {
            registration_id, ..
        }
        | Event::RegistrationExpired {
            registration_id, ..
        } => {
            let row = deal_registration::Entity::find_by_id(*registration_id)
                .one(db)
                .await?;
            known.submitter = row.map(|row| row.submitted_by);
        }
        Event::PayoutRunCalculated { run_id } => {
            let row = payout_run::Entity::find_by_id(*run_id).one(db).await?;
            known.creator = row.map(|row| row.created_by);
        }
        Event::TouchpointRecorded { touchpoint_id, .. } => {
            known.recorded_by_partner = recorded_by_partner(db, *touchpoint_id).await?;
        }
        Event::DealWon { deal_id } => {
            known.without_commission = without_commission(db, *deal_id).await?
        }
        _ => {}
    }
    Ok(known)
}

async fn recorded_by_partner(db: &impl ConnectionTrait, id: TouchpointId) -> Result<bool> {
    let row = touchpoint::Entity::find_by_id(id).one(db).await?;
    Ok(row.is_some_and(|row| row.recorded_by_partner.is_some()))
}

async fn without_commission(db: &impl ConnectionTrait, deal: DealId) -> Result<Vec<PartnerId>> {
    let earners = accrual::Entity::find()
        .select_only()
        .column(accrual::Column::PartnerId)
        .filter(accrual::Column::DealId.eq(deal))
        .filter(accrual::Column::Kind.is_in(EARNINGS));
    let partners = deal_participant::Entity::find()
        .select_only()
        .column(deal_participant::Column::PartnerId)
        .distinct()
        .filter(deal_participant::Column::DealId.eq(deal))
        .filter(deal_participant::Column::Status.eq(ParticipantStatus::Accepted))
        .filter(deal_participant::Column::PartnerId.not_in_subquery(earners.into_query()))
        .order_by_asc(deal_participant::Column::PartnerId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(partners)
}

/// The people of all audiences in one query, each with the mail of the first audience that includes them.
///
/// # Errors
/// The database failed.
pub async fn people(
    db: &impl ConnectionTrait,
    told: &[(Audience, Mail)],
) -> Result<Vec<(UserId, Mail)>> {
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
            .find(|(audience, mail)| audience.includes(*mail, &person));
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

/// The token of an invitation or a password reset, as long as it can be used at this instant.
///
/// # Errors
/// The database failed.
pub async fn live_token(
    db: &impl ConnectionTrait,
    id: UserTokenId,
    now: DateTime<Utc>,
) -> Result<Option<user_token::Model>> {
    Ok(user_token::Entity::find_by_id(id)
        .filter(user_token::Column::UsedAt.is_null())
        .filter(user_token::Column::ExpiresAt.gt(now))
        .one(db)
        .await?)
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

/// What a payout run pays in one currency.
#[derive(Clone, Debug, FromQueryResult)]
pub struct RunTotal {
    /// The currency.
    pub currency: Currency,
    /// The sum in minor units.
    pub minor: i64,
    /// How many payments.
    pub payouts: i64,
}

/// What a payout run pays, by currency.
///
/// # Errors
/// The database failed.
pub async fn run_totals(db: &impl ConnectionTrait, run: PayoutRunId) -> Result<Vec<RunTotal>> {
    Ok(payout::Entity::find()
        .select_only()
        .column(payout::Column::Currency)
        .column_as(
            Expr::col(payout::Column::AmountMinor)
                .sum()
                .cast_as("BIGINT"),
            "minor",
        )
        .column_as(Expr::col(payout::Column::Id).count(), "payouts")
        .filter(payout::Column::RunId.eq(run))
        .group_by(payout::Column::Currency)
        .order_by_asc(payout::Column::Currency)
        .into_model::<RunTotal>()
        .all(db)
        .await?)
}
