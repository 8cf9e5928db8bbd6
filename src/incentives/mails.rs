//! Mails about what a partner earned, lost again, and about its published statements.
//!
//! A deal that is won reaches each partner in one mail: `commission_earned` tells the win and the amount, `deal_won` those
//! to whom no commission fell. In the same way a refund is told by what it takes back.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use serde_json::{Value, json};

use super::statement::Sums;
use crate::{
    deals::mails::deal,
    entity::{
        accrual::{self, AccrualKind},
        deal_participant::{self, ParticipantStatus},
        ids::{DealId, DealRefundId, PartnerId, PartnerStatementId},
        partner_statement,
    },
    error::{Error, Result},
    events::Event,
    mails,
    notifications::mail::{Concerned, Mail, Mails, View, money},
    platform::{ids::TypedId, money::Currency},
    tx::Tx,
};

/// The mails.
pub struct IncentiveMails;

#[async_trait]
impl Mails for IncentiveMails {
    fn mails(&self) -> &'static [Mail] {
        mails! {
            "deal_won" on "deal.won" to [Deciders] in ["en"];
            "commission_earned" on "commission.accrued" to [Deciders] in ["en", "de"];
            "commission_clawed_back" on "commission.clawed_back" to [Deciders] in ["en"];
            "statement_published" on "statement.published" to [Deciders] in ["en", "de"];
        }
    }

    async fn concerned(&self, tx: &Tx, event: &Event) -> Result<Option<Concerned>> {
        match event {
            Event::DealWon { deal_id } => Ok(Some(Concerned {
                partners: without_commission(tx, *deal_id).await?,
                ..Concerned::default()
            })),
            Event::CommissionAccrued { partner_id, .. }
            | Event::CommissionClawedBack { partner_id, .. }
            | Event::StatementPublished { partner_id, .. } => {
                Ok(Some(Concerned::partner(*partner_id)))
            }
            _ => Ok(None),
        }
    }

    async fn facts(&self, view: &View<'_>, event: &Event) -> Result<Option<Value>> {
        match event {
            Event::DealWon { deal_id } => deal(view, *deal_id).await,
            Event::CommissionAccrued {
                deal_id,
                partner_id,
            } if view.sees(*partner_id) => earned(view, *deal_id, *partner_id).await,
            Event::CommissionClawedBack {
                deal_id,
                partner_id,
                refund_id,
            } if view.sees(*partner_id) => {
                clawed_back(view, *deal_id, *partner_id, *refund_id).await
            }
            Event::StatementPublished { statement_id, .. } => statement(view, *statement_id).await,
            _ => Ok(None),
        }
    }
}

/// The kinds of commission lines that a win makes.
const EARNINGS: [AccrualKind; 2] = [AccrualKind::Earned, AccrualKind::Holdback];

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

async fn earned(view: &View<'_>, deal_id: DealId, partner: PartnerId) -> Result<Option<Value>> {
    let lines = accrual::Entity::find()
        .filter(accrual::Column::DealId.eq(deal_id))
        .filter(accrual::Column::PartnerId.eq(partner))
        .filter(accrual::Column::Kind.is_in(EARNINGS))
        .all(view.db)
        .await?;
    let Some(mut facts) = deal(view, deal_id).await?.filter(|_| !lines.is_empty()) else {
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
    view: &View<'_>,
    deal_id: DealId,
    partner: PartnerId,
    refund: DealRefundId,
) -> Result<Option<Value>> {
    let lines = accrual::Entity::find()
        .filter(accrual::Column::DealId.eq(deal_id))
        .filter(accrual::Column::PartnerId.eq(partner))
        .filter(accrual::Column::RefundId.eq(refund))
        .all(view.db)
        .await?;
    let Some(mut facts) = deal(view, deal_id).await?.filter(|_| !lines.is_empty()) else {
        return Ok(None);
    };
    facts["commission"] = json!({ "total": sums(&lines)? });
    Ok(Some(facts))
}

async fn statement(view: &View<'_>, id: PartnerStatementId) -> Result<Option<Value>> {
    let row = partner_statement::Entity::find_by_id(id)
        .one(view.db)
        .await?;
    let Some(row) = row.filter(|row| view.sees(row.partner_id)) else {
        return Ok(None);
    };
    let (sums, money) = (Sums::from(&row), |minor| money(minor, row.currency));
    Ok(Some(json!({
        "url": view.page("partner-statements", &id.text()),
        "partner": view.partner(row.partner_id).await?,
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
