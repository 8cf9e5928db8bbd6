//! Deals with everything on them: participants, products, stages and touchpoints.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::Iterable;

use super::{
    END, HISTORY,
    dice::{Dice, Mint, Of},
    directory,
};
use crate::{
    entity::{
        deal::{self, DealBusiness, LossReason, SalesStatus},
        deal_participant::{self, ParticipantRole, ParticipantStatus},
        deal_product, deal_stage_change,
        ids::{DealId, DealParticipantId, DealStageChangeId, PartnerId, TouchpointId},
        touchpoint::{self, JourneyPhase, TouchpointKind, TouchpointStatus},
    },
    platform::{
        ids::{self, TypedId},
        money::Currency,
    },
    tx::{Tx, Work},
};

/// Roles of the three participants; the first brought the deal.
const ROLES: [ParticipantRole; 3] = [
    ParticipantRole::Sourcer,
    ParticipantRole::Reseller,
    ParticipantRole::Implementer,
];
const OPEN_STAGES: [&str; 5] = [
    "PROSPECT",
    "QUALIFIED",
    "PROPOSAL",
    "NEGOTIATION",
    "COMMITTED",
];
/// How long a deal is worked on at most.
const LONGEST: TimeDelta = TimeDelta::days(150);

/// Deals with everything on them.
pub fn deals(tx: &Tx, mint: Mint, from: u64, until: u64) -> Work<'_, ()> {
    Box::pin(async move {
        let drafts: Vec<Draft> = (from..until)
            .map(|number| Draft::of(mint, number))
            .collect();
        let each = || drafts.iter();
        tx.insert_models(each().map(|draft| draft.deal.clone()).collect())
            .await?;
        let products = each().map(|draft| deal_product::Model {
            deal_id: draft.deal.id,
            product_id: directory::product(mint, draft.product),
            quantity: draft.quantity,
        });
        tx.insert_models(products.collect()).await?;
        let participants = each().flat_map(|draft| draft.participants(mint));
        tx.insert_models(participants.collect()).await?;
        let stages = each().flat_map(|draft| draft.stages(mint));
        tx.insert_models(stages.collect()).await?;
        let touchpoints = each().flat_map(|draft| draft.touchpoints(mint));
        tx.insert_models(touchpoints.collect()).await
    })
}

/// A deal and what else was thrown for it.
struct Draft {
    number: u64,
    deal: deal::Model,
    product: u64,
    quantity: i64,
    partners: [PartnerId; 3],
    /// Until when it was worked on.
    until: DateTime<Utc>,
}

impl Draft {
    fn of(mint: Mint, number: u64) -> Self {
        let (scale, mut dice) = (mint.scale, mint.dice(Of::Choices, number));
        let opened_at = opened_at(number, scale.deals);
        let status = status(&mut dice, scale.won_percent);
        let longest = LONGEST.min(END - opened_at - TimeDelta::days(1));
        let until = match status {
            SalesStatus::Open => END - TimeDelta::days(1),
            _ => opened_at + longest / 2 + dice.part_of(longest / 2),
        };
        let partners = partners(mint, number, &mut dice);
        let (customer, product) = (
            dice.below(scale.deals.div_ceil(2)),
            dice.below(directory::PRODUCTS),
        );
        let id: DealId = mint.id(Of::Deal, number, opened_at);
        let losses: Vec<LossReason> = LossReason::iter().collect();
        let lost = status == SalesStatus::Lost;
        let stage = match status {
            SalesStatus::Open => dice.pick(&OPEN_STAGES).unwrap_or("PROSPECT"),
            SalesStatus::Won => "WON",
            SalesStatus::Lost => "LOST",
        };
        let deal = deal::Model {
            id,
            external_id: None,
            number: ids::number("D", id.uuid()),
            name: format!(
                "{}: {}",
                directory::customer_name(customer),
                directory::product_name(product)
            ),
            program_id: mint.program(),
            program_version_id: directory::version(mint),
            customer_id: Some(directory::customer(mint, customer)),
            partner_id: Some(partners[0]),
            business: DealBusiness::NewBusiness,
            value_minor: value(&mut dice),
            currency: Currency::USD,
            stage: stage.to_owned(),
            status,
            time_zone: "UTC".to_owned(),
            expected_close_on: Some((opened_at + LONGEST).date_naive()),
            opened_at,
            closed_at: (status != SalesStatus::Open).then_some(until),
            loss_reason: lost.then(|| dice.pick(&losses)).flatten(),
            loss_detail: None,
            competitor: lost.then(|| "Another vendor".to_owned()),
            refunded_minor: 0,
            version: 1,
            created_at: opened_at,
            updated_at: until,
            fingerprint: None,
        };
        Self {
            number,
            deal,
            product,
            quantity: i64::try_from(1 + dice.below(20)).unwrap_or(1),
            partners,
            until,
        }
    }

    fn participants(&self, mint: Mint) -> impl Iterator<Item = deal_participant::Model> {
        let (deal, partners, number) = (&self.deal, self.partners, self.number);
        ROLES
            .into_iter()
            .zip(partners)
            .zip(0_u64..)
            .map(move |((role, partner_id), place)| {
                let hours = i64::try_from(place).unwrap_or_default();
                let invited_at = deal.opened_at + TimeDelta::hours(hours);
                let accepted_at = invited_at + TimeDelta::minutes(10 * hours);
                deal_participant::Model {
                    id: mint.id::<DealParticipantId>(
                        Of::Participant,
                        number * 3 + place,
                        invited_at,
                    ),
                    deal_id: deal.id,
                    partner_id,
                    role,
                    status: ParticipantStatus::Accepted,
                    scope: None,
                    invited_by: None,
                    invited_at,
                    expires_at: None,
                    accepted_at: Some(accepted_at),
                    ended_at: None,
                    end_reason: None,
                    version: 1,
                    created_at: invited_at,
                    updated_at: accepted_at,
                    fingerprint: None,
                }
            })
    }

    fn stages(&self, mint: Mint) -> impl Iterator<Item = deal_stage_change::Model> {
        let (deal, number) = (&self.deal, self.number);
        let opened = (None, "PROSPECT".to_owned(), deal.opened_at);
        let moved = (
            Some("PROSPECT".to_owned()),
            deal.stage.clone(),
            deal.closed_at
                .unwrap_or(deal.opened_at + TimeDelta::days(1)),
        );
        let moved = (deal.stage != "PROSPECT").then_some(moved);
        [Some(opened), moved].into_iter().flatten().zip(0..).map(
            move |((from_stage, to_stage, at), place)| deal_stage_change::Model {
                id: mint.id::<DealStageChangeId>(Of::StageChange, number * 2 + place, at),
                deal_id: deal.id,
                from_stage,
                to_stage,
                actor_id: None,
                at,
            },
        )
    }

    fn touchpoints(&self, mint: Mint) -> impl Iterator<Item = touchpoint::Model> {
        let (per_deal, number) = (mint.scale.touchpoints_per_deal, self.number);
        let kinds: Vec<TouchpointKind> = TouchpointKind::iter().collect();
        let phases: Vec<JourneyPhase> = JourneyPhase::iter().collect();
        (0..per_deal).map(move |place| {
            let mut dice = mint.dice(Of::Touchpoint, number * per_deal + place);
            let day = TimeDelta::days(1);
            let occurred_at =
                self.deal.opened_at + dice.part_of(self.until - self.deal.opened_at - day);
            let recorded_at = occurred_at + TimeDelta::hours(1);
            let verified = dice.below(10) > 0;
            touchpoint::Model {
                id: mint.id::<TouchpointId>(Of::Touchpoint, number * per_deal + place, recorded_at),
                external_id: None,
                deal_id: self.deal.id,
                partner_id: dice.pick(&self.partners).unwrap_or(self.partners[0]),
                kind: dice.pick(&kinds).unwrap_or(TouchpointKind::Other),
                phase: dice.pick(&phases).unwrap_or(JourneyPhase::Awareness),
                milestone: None,
                occurred_at,
                evidence: None,
                status: if verified {
                    TouchpointStatus::Verified
                } else {
                    TouchpointStatus::Claimed
                },
                corrects_id: None,
                recorded_by: None,
                recorded_by_partner: None,
                recorded_at,
                verified_by: None,
                verified_at: verified.then(|| recorded_at + TimeDelta::hours(2)),
                rejection_reason: None,
                version: if verified { 2 } else { 1 },
                fingerprint: None,
            }
        })
    }
}

/// Deals are opened one after the other, the last ten days before the end.
fn opened_at(number: u64, deals: u64) -> DateTime<Utc> {
    let span = (HISTORY - TimeDelta::days(10))
        .num_microseconds()
        .unwrap_or_default();
    let into = i128::from(span) * i128::from(number) / i128::from(deals.max(1));
    END - HISTORY + TimeDelta::microseconds(i64::try_from(into).unwrap_or_default())
}

fn status(dice: &mut Dice, won_percent: u64) -> SalesStatus {
    let rest = 100 - won_percent;
    match dice.below(100) {
        thrown if thrown < won_percent => SalesStatus::Won,
        thrown if (thrown - won_percent) * 5 < rest * 2 => SalesStatus::Lost,
        _ => SalesStatus::Open,
    }
}

/// Three different partners; everybody brings about as many deals.
fn partners(mint: Mint, number: u64, dice: &mut Dice) -> [PartnerId; 3] {
    let count = mint.scale.partners;
    let first = number % count;
    let second = (first + 1 + dice.below(count - 1)) % count;
    let mut third = (first + 1 + dice.below(count - 1)) % count;
    while third == second {
        third = (first + 1 + dice.below(count - 1)) % count;
    }
    [first, second, third].map(|number| directory::partner(mint, number))
}

/// From 5,000.00 to 255,000.00, smaller ones more often.
fn value(dice: &mut Dice) -> i64 {
    let most = 1 + dice.below(25_000_000);
    i64::try_from(500_000 + dice.below(most)).unwrap_or(500_000)
}
