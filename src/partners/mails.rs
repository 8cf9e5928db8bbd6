//! Mails about a partner's standing and its account.

use async_trait::async_trait;
use chrono_tz::Tz;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    entity::{ids::PaymentDetailsId, payment_details},
    error::Result,
    events::Event,
    mails,
    notifications::mail::{Concerned, Mail, Mails, View, moment},
    platform::ids::TypedId,
    tx::Tx,
};

/// The mails.
pub struct PartnerMails;

#[async_trait]
impl Mails for PartnerMails {
    fn mails(&self) -> &'static [Mail] {
        mails! {
            "partner_status_changed" on "partner.status_changed" to [Deciders] in ["en"];
            "payment_details_changed" on "payment_details.changed" to [PartnerAdministrators] in ["en", "de"];
        }
    }

    async fn concerned(&self, _: &Tx, event: &Event) -> Result<Option<Concerned>> {
        Ok(match event {
            Event::PartnerStatusChanged { partner_id, .. }
            | Event::PaymentDetailsChanged { partner_id, .. } => {
                Some(Concerned::partner(*partner_id))
            }
            _ => None,
        })
    }

    async fn facts(&self, view: &View<'_>, event: &Event) -> Result<Option<Value>> {
        match event {
            Event::PartnerStatusChanged { partner_id, to, .. } if view.sees(*partner_id) => {
                Ok(Some(json!({
                    "url": view.home(), "partner": view.partner(*partner_id).await?, "status": to,
                })))
            }
            Event::PaymentDetailsChanged {
                details_id,
                partner_id,
            } if view.sees(*partner_id) => account(view, *details_id).await,
            _ => Ok(None),
        }
    }
}

async fn account(view: &View<'_>, id: PaymentDetailsId) -> Result<Option<Value>> {
    let row = payment_details::Entity::find_by_id(id).one(view.db).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(json!({
        "url": view.page("partners", &row.partner_id.text()),
        "partner": view.partner(row.partner_id).await?,
        "account": { "lastFour": row.last_four, "changed": moment(row.created_at, Tz::UTC) },
    })))
}
