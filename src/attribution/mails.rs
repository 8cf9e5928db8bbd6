//! Mails about recorded work.

use async_trait::async_trait;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    deals::mails::deal,
    entity::{ids::TouchpointId, touchpoint},
    error::Result,
    events::Event,
    mails,
    notifications::mail::{Concerned, Mail, Mails, View},
    tx::Tx,
};

/// The mails.
pub struct AttributionMails;

#[async_trait]
impl Mails for AttributionMails {
    fn mails(&self) -> &'static [Mail] {
        mails! {
            "touchpoint_to_verify" on "touchpoint.recorded" to [AllianceManagers] in ["en"];
            "touchpoint_verified" on "touchpoint.verified" to [Deciders] in ["en"];
            "touchpoint_rejected" on "touchpoint.rejected" to [Deciders] in ["en"];
        }
    }

    async fn concerned(&self, tx: &Tx, event: &Event) -> Result<Option<Concerned>> {
        match event {
            // The vendor is not told what its own people recorded.
            Event::TouchpointRecorded {
                touchpoint_id,
                partner_id,
                ..
            } => {
                let row = touchpoint::Entity::find_by_id(*touchpoint_id)
                    .one(tx)
                    .await?;
                let claimed = row.is_some_and(|row| row.recorded_by_partner.is_some());
                Ok(claimed.then(|| Concerned::partner(*partner_id)))
            }
            Event::TouchpointVerified { partner_id, .. }
            | Event::TouchpointRejected { partner_id, .. } => {
                Ok(Some(Concerned::partner(*partner_id)))
            }
            _ => Ok(None),
        }
    }

    async fn facts(&self, view: &View<'_>, event: &Event) -> Result<Option<Value>> {
        match event {
            Event::TouchpointRecorded { touchpoint_id, .. }
            | Event::TouchpointVerified { touchpoint_id, .. }
            | Event::TouchpointRejected { touchpoint_id, .. } => {
                touchpoint(view, *touchpoint_id).await
            }
            _ => Ok(None),
        }
    }
}

async fn touchpoint(view: &View<'_>, id: TouchpointId) -> Result<Option<Value>> {
    let row = touchpoint::Entity::find_by_id(id).one(view.db).await?;
    let Some(row) = row.filter(|row| view.sees(row.partner_id)) else {
        return Ok(None);
    };
    let Some(mut facts) = deal(view, row.deal_id).await? else {
        return Ok(None);
    };
    facts["partner"] = view.partner(row.partner_id).await?;
    facts["touchpoint"] = json!({ "kind": row.kind, "occurred": row.occurred_at.date_naive() });
    Ok(Some(facts))
}
