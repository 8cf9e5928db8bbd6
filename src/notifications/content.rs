//! What a mail may tell its reader.
//!
//! Everything is read when the mail is written, under the view of its reader: the vendor's people see what the mail is
//! about, a partner's people their own partner's part of it. Where there is nothing that the reader may see any more,
//! there is no mail.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::store;
use crate::{
    app::App,
    entity::{
        accrual::{self, AccrualKind},
        customer, deal,
        deal_participant::{self, ParticipantStatus},
        deal_registration,
        ids::{
            DealId, DealParticipantId, DealRefundId, DealRegistrationId, PartnerId,
            PartnerStatementId, PaymentDetailsId, PayoutId, PayoutRunId, TouchpointId, UserTokenId,
        },
        partner, partner_statement, payment_details, payout, payout_run, touchpoint, user,
        user_token::TokenPurpose,
    },
    error::{Error, Result},
    events::Event,
    identity::links,
    incentives::statement::Sums,
    platform::{ids::TypedId, money::Currency, reader::Reader},
};

/// The facts of a mail about this event to this reader; none when there is nothing to tell.
///
/// # Errors
/// The database failed.
pub async fn facts(app: &App, event: &Event, reader: &user::Model) -> Result<Option<Value>> {
    let view = View {
        app,
        db: &app.db().reading(),
        own: reader.partner_id,
    };
    let Some(mut facts) = view.of(event).await? else {
        return Ok(None);
    };
    facts["reader"] = json!({ "name": reader.name });
    Ok(Some(facts))
}

/// What one reader may see.
struct View<'a> {
    app: &'a App,
    db: &'a Reader,
    /// The reader's partner; none for the vendor's people.
    own: Option<PartnerId>,
}

impl View<'_> {
    async fn of(&self, event: &Event) -> Result<Option<Value>> {
        match event {
            Event::UserInvited { token_id, .. }
            | Event::PasswordResetRequested { token_id, .. } => self.link(*token_id).await,
            Event::PasswordChanged { .. } => Ok(Some(json!({ "url": self.page("", "") }))),
            Event::PartnerStatusChanged { partner_id, to, .. } if self.sees(*partner_id) => {
                Ok(Some(json!({
                    "url": self.page("", ""), "partner": self.partner(*partner_id).await?, "status": to,
                })))
            }
            Event::RegistrationSubmitted {
                registration_id, ..
            }
            | Event::RegistrationInfoRequested {
                registration_id, ..
            }
            | Event::RegistrationAnswered {
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
            | Event::RegistrationExpired {
                registration_id, ..
            } => self.registration(*registration_id).await,
            Event::ProtectionReminder {
                registration_id,
                days_left,
                ..
            } => {
                let mut facts = self.registration(*registration_id).await?;
                if let Some(facts) = &mut facts {
                    facts["daysLeft"] = json!(days_left);
                }
                Ok(facts)
            }
            Event::ParticipantInvited { participant_id, .. }
            | Event::ParticipantAccepted { participant_id, .. }
            | Event::ParticipantDeclined { participant_id, .. }
            | Event::ParticipantExpired { participant_id, .. }
            | Event::ParticipantRemoved { participant_id, .. } => {
                self.participant(*participant_id).await
            }
            Event::TouchpointRecorded { touchpoint_id, .. }
            | Event::TouchpointVerified { touchpoint_id, .. }
            | Event::TouchpointRejected { touchpoint_id, .. } => {
                self.touchpoint(*touchpoint_id).await
            }
            Event::DealWon { deal_id } => self.deal(*deal_id).await,
            Event::CommissionAccrued {
                deal_id,
                partner_id,
            } if self.sees(*partner_id) => self.earned(*deal_id, *partner_id).await,
            Event::CommissionClawedBack {
                deal_id,
                partner_id,
                refund_id,
            } if self.sees(*partner_id) => {
                self.clawed_back(*deal_id, *partner_id, *refund_id).await
            }
            Event::PaymentDetailsChanged {
                details_id,
                partner_id,
            } if self.sees(*partner_id) => self.account(*details_id).await,
            Event::PayoutRunCalculated { run_id } if self.own.is_none() => self.run(*run_id).await,
            Event::PayoutPaid { payout_id, .. } | Event::PayoutFailed { payout_id, .. } => {
                self.payout(*payout_id).await
            }
            Event::StatementPublished { statement_id, .. } => self.statement(*statement_id).await,
            _ => Ok(None),
        }
    }

    fn sees(&self, partner: PartnerId) -> bool {
        self.own.is_none_or(|own| own == partner)
    }

    fn page(&self, folder: &str, id: &str) -> String {
        let site = &self.app.site().public_url;
        if folder.is_empty() {
            site.clone()
        } else {
            format!("{site}/{folder}/{id}")
        }
    }

    async fn partner(&self, id: PartnerId) -> Result<Value> {
        let row = partner::Entity::find_by_id(id).one(self.db).await?;
        Ok(row.map_or(Value::Null, |row| json!({ "name": row.display_name })))
    }

    /// The link of an invitation or a password reset: made anew from the row of its token.
    async fn link(&self, id: UserTokenId) -> Result<Option<Value>> {
        let Some(row) = store::live_token(self.db, id, self.app.clock().now()).await? else {
            return Ok(None);
        };
        let url = match row.purpose {
            TokenPurpose::Invitation => links::invitation(self.app, id, &row.token_hash),
            TokenPurpose::PasswordReset => links::password_reset(self.app, id, &row.token_hash),
        };
        let Some(url) = url else { return Ok(None) };
        let partner = match self.own {
            Some(own) => self.partner(own).await?,
            None => Value::Null,
        };
        let expires = moment(row.expires_at, Tz::UTC);
        Ok(Some(
            json!({ "url": url.expose_secret(), "expires": expires, "partner": partner }),
        ))
    }

    async fn registration(&self, id: DealRegistrationId) -> Result<Option<Value>> {
        let row = deal_registration::Entity::find_by_id(id)
            .one(self.db)
            .await?;
        let Some(row) = row.filter(|row| self.sees(row.partner_id)) else {
            return Ok(None);
        };
        let zone = zone(&row.time_zone);
        Ok(Some(json!({
            "url": self.page("deal-registrations", &id.text()),
            "partner": self.partner(row.partner_id).await?,
            "registration": {
                "number": row.number,
                "customer": row.customer_name,
                "value": money(row.value_minor, row.currency),
                "reviewDue": moment(row.review_due_at, zone),
                "protectedUntil": row.protected_until.map(|end| last_day(end, zone)),
                "timeZone": zone.name(),
                "reason": row.rejection_reason,
                "note": row.decision_note,
            },
        })))
    }

    /// A deal as the reader sees it. The customer is named to the vendor and to whoever is, or is asked to be, on the
    /// deal.
    async fn deal(&self, id: DealId) -> Result<Option<Value>> {
        let Some(row) = deal::Entity::find_by_id(id).one(self.db).await? else {
            return Ok(None);
        };
        let customer = match row.customer_id {
            Some(customer) if self.is_on(&row).await? => customer::Entity::find_by_id(customer)
                .one(self.db)
                .await?
                .map(|row| row.name),
            _ => None,
        };
        Ok(Some(json!({
            "url": self.page("deals", &id.text()),
            "deal": { "number": row.number, "name": row.name, "customer": customer },
        })))
    }

    async fn is_on(&self, deal: &deal::Model) -> Result<bool> {
        let Some(own) = self.own.filter(|own| deal.partner_id != Some(*own)) else {
            return Ok(true);
        };
        let live = deal_participant::Entity::find()
            .filter(deal_participant::Column::DealId.eq(deal.id))
            .filter(deal_participant::Column::PartnerId.eq(own))
            .filter(
                deal_participant::Column::Status
                    .is_in([ParticipantStatus::Invited, ParticipantStatus::Accepted]),
            )
            .count(self.db)
            .await?;
        Ok(live > 0)
    }

    async fn participant(&self, id: DealParticipantId) -> Result<Option<Value>> {
        let row = deal_participant::Entity::find_by_id(id)
            .one(self.db)
            .await?;
        let Some(row) = row.filter(|row| self.sees(row.partner_id)) else {
            return Ok(None);
        };
        let Some(mut facts) = self.deal(row.deal_id).await? else {
            return Ok(None);
        };
        facts["partner"] = self.partner(row.partner_id).await?;
        facts["participant"] = json!({
            "role": row.role, "scope": row.scope, "expires": row.expires_at.map(|at| moment(at, Tz::UTC)),
        });
        Ok(Some(facts))
    }

    async fn touchpoint(&self, id: TouchpointId) -> Result<Option<Value>> {
        let row = touchpoint::Entity::find_by_id(id).one(self.db).await?;
        let Some(row) = row.filter(|row| self.sees(row.partner_id)) else {
            return Ok(None);
        };
        let Some(mut facts) = self.deal(row.deal_id).await? else {
            return Ok(None);
        };
        facts["partner"] = self.partner(row.partner_id).await?;
        facts["touchpoint"] = json!({ "kind": row.kind, "occurred": row.occurred_at.date_naive() });
        Ok(Some(facts))
    }

    async fn earned(&self, deal: DealId, partner: PartnerId) -> Result<Option<Value>> {
        let lines = accrual::Entity::find()
            .filter(accrual::Column::DealId.eq(deal))
            .filter(accrual::Column::PartnerId.eq(partner))
            .filter(accrual::Column::Kind.is_in(store::EARNINGS))
            .all(self.db)
            .await?;
        let Some(mut facts) = self.deal(deal).await?.filter(|_| !lines.is_empty()) else {
            return Ok(None);
        };
        let held: Vec<_> = lines
            .iter()
            .filter(|line| line.kind == AccrualKind::Holdback)
            .collect();
        facts["commission"] = json!({
            "total": sums(&lines)?,
            "held": sums(held.iter().copied())?,
            "heldUntil": held.iter().map(|line| line.available_at.date_naive()).max(),
        });
        Ok(Some(facts))
    }

    async fn clawed_back(
        &self,
        deal: DealId,
        partner: PartnerId,
        refund: DealRefundId,
    ) -> Result<Option<Value>> {
        let lines = accrual::Entity::find()
            .filter(accrual::Column::DealId.eq(deal))
            .filter(accrual::Column::PartnerId.eq(partner))
            .filter(accrual::Column::RefundId.eq(refund))
            .all(self.db)
            .await?;
        let Some(mut facts) = self.deal(deal).await?.filter(|_| !lines.is_empty()) else {
            return Ok(None);
        };
        facts["commission"] = json!({ "total": sums(&lines)? });
        Ok(Some(facts))
    }

    async fn run(&self, id: PayoutRunId) -> Result<Option<Value>> {
        let Some(row) = payout_run::Entity::find_by_id(id).one(self.db).await? else {
            return Ok(None);
        };
        let creator = user::Entity::find_by_id(row.created_by)
            .one(self.db)
            .await?;
        let totals = store::run_totals(self.db, id).await?;
        Ok(Some(json!({
            "url": self.page("payout-runs", &id.text()),
            "run": {
                "number": row.number,
                "periodStart": row.period_start,
                "periodEnd": row.period_end,
                "creator": creator.map(|user| user.name),
                "payouts": totals.iter().map(|total| total.payouts).sum::<i64>(),
                "totals": totals.iter().map(|total| money(total.minor, total.currency)).collect::<Vec<_>>(),
            },
        })))
    }

    async fn account(&self, id: PaymentDetailsId) -> Result<Option<Value>> {
        let row = payment_details::Entity::find_by_id(id).one(self.db).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(json!({
            "url": self.page("partners", &row.partner_id.text()),
            "partner": self.partner(row.partner_id).await?,
            "account": { "lastFour": row.last_four, "changed": moment(row.created_at, Tz::UTC) },
        })))
    }

    async fn payout(&self, id: PayoutId) -> Result<Option<Value>> {
        let row = payout::Entity::find_by_id(id).one(self.db).await?;
        let Some(row) = row.filter(|row| self.sees(row.partner_id)) else {
            return Ok(None);
        };
        Ok(Some(json!({
            "url": self.page("payouts", &id.text()),
            "partner": self.partner(row.partner_id).await?,
            "payout": {
                "number": row.number,
                "amount": money(row.amount_minor, row.currency),
                // The provider's words may name accounts; they are for those who mend the payment.
                "failure": row.failure.filter(|_| self.own.is_none()),
            },
        })))
    }

    async fn statement(&self, id: PartnerStatementId) -> Result<Option<Value>> {
        let row = partner_statement::Entity::find_by_id(id)
            .one(self.db)
            .await?;
        let Some(row) = row.filter(|row| self.sees(row.partner_id)) else {
            return Ok(None);
        };
        let (sums, money) = (Sums::from(&row), |minor| money(minor, row.currency));
        Ok(Some(json!({
            "url": self.page("partner-statements", &id.text()),
            "partner": self.partner(row.partner_id).await?,
            "statement": {
                "periodStart": row.period_start,
                "periodEnd": row.period_end,
                "opening": money(sums.opening),
                "earned": money(sums.earned),
                "adjustments": money(sums.adjustments),
                "paid": money(sums.paid),
                "closing": money(sums.closing()),
            },
        })))
    }
}

fn money(minor: i64, currency: Currency) -> Value {
    json!({ "amount": currency.decimal(minor), "currency": currency.code() })
}

/// The absolute sum of commission lines in each currency.
fn sums<'l>(lines: impl IntoIterator<Item = &'l accrual::Model>) -> Result<Vec<Value>> {
    let mut sums = BTreeMap::<Currency, i64>::new();
    for line in lines {
        let sum = sums.entry(line.currency).or_default();
        *sum = sum
            .checked_add(line.amount_minor)
            .ok_or_else(|| Error::internal("commission lines add up too high"))?;
    }
    Ok(sums
        .into_iter()
        .map(|(currency, minor)| money(minor.saturating_abs(), currency))
        .collect())
}

fn zone(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

fn moment(at: DateTime<Utc>, zone: Tz) -> String {
    format!(
        "{} ({})",
        at.with_timezone(&zone).format("%Y-%m-%d %H:%M"),
        zone.name()
    )
}

/// The last local day before an end: protection until midnight lasts through the day before.
fn last_day(end: DateTime<Utc>, zone: Tz) -> String {
    (end - TimeDelta::microseconds(1))
        .with_timezone(&zone)
        .date_naive()
        .to_string()
}
