//! What becomes of one deal of a file.

use chrono::{DateTime, Utc};

use super::{
    Facts, Stored, Writes,
    closing::{closing, current, expected, says_closed, stage, zone},
};
use crate::{
    deals::stage::{Stage, first},
    entity::{
        deal::{self, SalesStatus},
        deal_participant::{self, ParticipantStatus},
        deal_product, deal_stage_change,
        ids::{CustomerId, DealId, PartnerId},
    },
    import::{
        known::KnownProduct,
        unit::{Draft, Fate, Ground, Remark},
    },
    platform::{
        ids::{self, TypedId},
        money::{Currency, MAX_MINOR},
    },
    tx::Tx,
};

/// What a row names, by id.
struct Named {
    partner: Option<PartnerId>,
    customer: Option<CustomerId>,
    product: Option<KnownProduct>,
}

pub fn decide(
    tx: &Tx,
    ground: &Ground,
    stored: &Stored,
    draft: &Draft<Facts>,
    writes: &mut Writes,
) -> Fate {
    let before = stored.deals.get(&draft.external_id);
    let decided = named(ground, stored, &draft.facts).and_then(|named| match before {
        Some(before) => change(tx, ground, stored, before, draft, &named, writes),
        None => create(tx, ground, draft, &named, writes),
    });
    decided.unwrap_or_else(|refused| refused)
}

fn named(ground: &Ground, stored: &Stored, facts: &Facts) -> Result<Named, Fate> {
    let unknown = |field: &str, name: &str| {
        Fate::refused(
            field,
            format!("there is no {field} with the external id {name:?}"),
        )
    };
    let (known, mut found) = (
        &ground.known,
        Named {
            partner: None,
            customer: None,
            product: None,
        },
    );
    if let Some(name) = &facts.partner {
        let id = known
            .partners
            .get(name)
            .or_else(|| stored.partners.get(name));
        found.partner = Some(*id.ok_or_else(|| unknown("partner", name))?);
    }
    if let Some(name) = &facts.customer {
        let id = known
            .customers
            .get(name)
            .or_else(|| stored.customers.get(name));
        found.customer = Some(*id.ok_or_else(|| unknown("customer", name))?);
    }
    if let Some(name) = &facts.product {
        let product = known
            .products
            .get(name)
            .or_else(|| stored.catalogue.get(name));
        found.product = Some(*product.ok_or_else(|| unknown("product", name))?);
    }
    Ok(found)
}

/// The value in minor units: what the file tells, else an estimate, which a won deal may not have.
fn value(
    status: SalesStatus,
    currency: Currency,
    facts: &Facts,
    named: &Named,
    stored: Option<i64>,
) -> Result<i64, Fate> {
    let told = match status {
        SalesStatus::Won => facts.value,
        // An estimate of zero beside an actual value is none.
        SalesStatus::Open | SalesStatus::Lost => {
            let estimate = facts.expected_value.filter(|value| *value > 0);
            estimate.or(facts.value)
        }
    };
    match (status, told) {
        (SalesStatus::Won, None) => Err(Fate::refused("value", "a won deal needs its value")),
        (SalesStatus::Won, Some(value)) => Ok(value),
        (_, Some(value)) if value > 0 => Ok(value),
        _ => {
            let price = named.product.and_then(|product| product.list_price);
            let price = price
                .filter(|(_, priced_in)| *priced_in == currency)
                .map_or(0, |(minor, _)| minor);
            let listed = price
                .checked_mul(facts.quantity)
                .filter(|value| *value <= MAX_MINOR);
            let listed =
                listed.ok_or_else(|| Fate::refused("quantity", "makes the value too large"))?;
            Ok(stored.unwrap_or(listed))
        }
    }
}

fn create(
    tx: &Tx,
    ground: &Ground,
    draft: &Draft<Facts>,
    named: &Named,
    writes: &mut Writes,
) -> Result<Fate, Fate> {
    let (facts, now) = (&draft.facts, tx.now());
    let shared = facts.close.filter(|_| says_closed(ground, facts, now));
    let began = facts
        .opened
        .or(facts.closed)
        .or(shared.map(|close| close.when));
    let opened_at = began.map_or(now, |when| when.at);
    let rules = ground
        .programme
        .at(opened_at)
        .ok_or_else(|| Fate::refused("stage", "the programme has no rules"))?;
    let current = current(ground, rules.id, facts)?;
    let (status, closed_at) = closing(tx, ground, current, facts)?;
    let unknown = || {
        Fate::refused(
            "currency",
            "is needed: map the field or set it in the conventions",
        )
    };
    let currency = facts.currency.ok_or_else(unknown)?;
    let id: DealId = tx.id();
    let deal = deal::Model {
        id,
        external_id: Some(draft.external_id.clone()),
        number: ids::number("D", id.uuid()),
        name: facts.name.clone().unwrap_or_else(|| title(draft)),
        program_id: ground.programme.id,
        program_version_id: rules.id,
        customer_id: named.customer,
        partner_id: named.partner,
        business: facts.business,
        value_minor: value(status, currency, facts, named, None)?,
        currency,
        stage: current.key.clone(),
        status,
        time_zone: zone(ground, facts).name().to_owned(),
        expected_close_on: expected(status, facts),
        opened_at,
        closed_at,
        loss_reason: facts.loss_reason,
        loss_detail: facts.loss_detail.clone(),
        competitor: facts.competitor.clone(),
        refunded_minor: 0,
        version: 1,
        created_at: now,
        updated_at: now,
        fingerprint: None,
    };
    // Where another column says that the deal is closed, the stage is the one from which it was.
    let from = facts
        .outcome
        .and(Some(&facts.stage))
        .filter(|key| **key != deal.stage);
    let opening = match facts.opening_stage.as_ref().or(from) {
        Some(key) if closed_at.is_some() => Some(stage(ground, rules.id, key, "opening_stage")?),
        _ if closed_at.is_some() => first(&rules.settings.pipeline.stages),
        _ => Some(current),
    };
    writes.stages.extend(history(tx, &deal, opening));
    writes.participants.extend(
        named
            .partner
            .map(|partner| participant(tx, &deal, partner, facts)),
    );
    writes.products.extend(sold(id, named, facts));
    writes.tally.add(&deal);
    writes.created.push(deal);
    Ok(Fate::Created)
}

/// A name for a deal without one: what for whom.
fn title(draft: &Draft<Facts>) -> String {
    match (&draft.facts.product, &draft.facts.customer) {
        (Some(product), Some(customer)) => format!("{product} for {customer}"),
        (Some(name), None) | (None, Some(name)) => name.clone(),
        (None, None) => draft.external_id.clone(),
    }
}

/// The moves of a deal that came with its history: opened, and closed where it is.
fn history(tx: &Tx, deal: &deal::Model, opening: Option<&Stage>) -> Vec<deal_stage_change::Model> {
    let opened = opening.map(|stage| moved(tx, deal, None, &stage.key, deal.opened_at));
    let from = opening.map(|stage| stage.key.clone());
    let closed = deal
        .closed_at
        .map(|at| moved(tx, deal, from, &deal.stage, at));
    opened.into_iter().chain(closed).collect()
}

/// A move; the moves of a deal are listed in the order in which their ids were minted.
fn moved(
    tx: &Tx,
    deal: &deal::Model,
    from: Option<String>,
    to: &str,
    at: DateTime<Utc>,
) -> deal_stage_change::Model {
    deal_stage_change::Model {
        id: tx.id(),
        deal_id: deal.id,
        from_stage: from,
        to_stage: to.to_owned(),
        actor_id: None,
        at,
    }
}

fn participant(
    tx: &Tx,
    deal: &deal::Model,
    partner_id: PartnerId,
    facts: &Facts,
) -> deal_participant::Model {
    deal_participant::Model {
        id: tx.id(),
        deal_id: deal.id,
        partner_id,
        role: facts.role,
        status: ParticipantStatus::Accepted,
        scope: None,
        invited_by: None,
        invited_at: deal.opened_at,
        expires_at: None,
        accepted_at: Some(deal.opened_at),
        ended_at: None,
        end_reason: None,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
        fingerprint: None,
    }
}

fn sold(deal_id: DealId, named: &Named, facts: &Facts) -> Option<deal_product::Model> {
    let product = named.product?;
    Some(deal_product::Model {
        deal_id,
        product_id: product.id,
        quantity: facts.quantity,
    })
}

fn change(
    tx: &Tx,
    ground: &Ground,
    stored: &Stored,
    before: &deal::Model,
    draft: &Draft<Facts>,
    named: &Named,
    writes: &mut Writes,
) -> Result<Fate, Fate> {
    let facts = &draft.facts;
    let mut after = updated(tx, ground, before, facts, named)?;
    let product = sold(before.id, named, facts).filter(|_| ground.source.gives("product"));
    let had = stored
        .products
        .get(&before.id)
        .map_or(&[][..], Vec::as_slice);
    let other_product = product
        .as_ref()
        .is_some_and(|product| had != std::slice::from_ref(product));
    refuse_rewriting(before, &after, other_product)?;
    if after == *before && !other_product {
        return Ok(Fate::Unchanged);
    }
    after.version += 1;
    after.updated_at = tx.now();
    if other_product {
        writes.emptied.push(before.id);
        writes.products.extend(product);
    }
    if after.partner_id != before.partner_id {
        hand_over(tx, stored, before, &after, facts, writes);
    }
    if after.stage != before.stage {
        let at = after.closed_at.unwrap_or(tx.now());
        writes.stages.push(moved(
            tx,
            &after,
            Some(before.stage.clone()),
            &after.stage,
            at,
        ));
    }
    let (small, large) = (
        before.value_minor.min(after.value_minor),
        before.value_minor.max(after.value_minor),
    );
    if before.currency == after.currency && small > 0 && large / small >= 10 {
        let text = format!(
            "value: changes from {} to {} {}.",
            before.currency.decimal(before.value_minor),
            after.currency.decimal(after.value_minor),
            after.currency
        );
        writes.remarks.push(Remark::warning(draft.line, text));
    }
    writes.tally.change(before, &after);
    writes.changed.push(after);
    Ok(Fate::Changed)
}

/// The deal as the file tells it; what the file does not tell stays.
fn updated(
    tx: &Tx,
    ground: &Ground,
    before: &deal::Model,
    facts: &Facts,
    named: &Named,
) -> Result<deal::Model, Fate> {
    let gives = |field| ground.source.gives(field);
    let current = current(ground, before.program_version_id, facts)?;
    let (status, closed_at) = closing(tx, ground, current, facts)?;
    let currency = facts.currency.unwrap_or(before.currency);
    let mut after = deal::Model {
        stage: current.key.clone(),
        status,
        closed_at,
        currency,
        ..before.clone()
    };
    if gives("business") {
        after.business = facts.business;
    }
    if gives("value") || gives("expected_value") {
        after.value_minor = value(status, currency, facts, named, Some(before.value_minor))?;
    }
    if let Some(name) = &facts.name {
        after.name.clone_from(name);
    }
    if gives("partner") {
        after.partner_id = named.partner;
    }
    if gives("customer") {
        after.customer_id = named.customer;
    }
    if let Some(opened) = facts.opened {
        after.opened_at = opened.at;
    }
    if let Some(zone) = facts.time_zone {
        zone.name().clone_into(&mut after.time_zone);
    }
    if gives("expected_close_on") || (gives("close_date") && status == SalesStatus::Open) {
        after.expected_close_on = expected(status, facts);
    }
    if gives("loss_reason") {
        after.loss_reason = facts.loss_reason;
    }
    if gives("loss_detail") {
        after.loss_detail.clone_from(&facts.loss_detail);
    }
    if gives("competitor") {
        after.competitor.clone_from(&facts.competitor);
    }
    Ok(after)
}

/// A closed deal does not move, and what a won one is paid by does not change.
fn refuse_rewriting(
    before: &deal::Model,
    after: &deal::Model,
    other_product: bool,
) -> Result<(), Fate> {
    if before.status == SalesStatus::Open {
        return Ok(());
    }
    if after.status != before.status {
        return Err(Fate::refused(
            "stage",
            format!(
                "the deal is closed in the stage {} and does not move",
                before.stage
            ),
        ));
    }
    if before.status == SalesStatus::Lost {
        return Ok(());
    }
    let facts = [
        ("business", after.business != before.business),
        ("value", after.value_minor != before.value_minor),
        ("currency", after.currency != before.currency),
        ("partner", after.partner_id != before.partner_id),
        ("product", other_product),
        ("closed_on", after.closed_at != before.closed_at),
    ];
    match facts.into_iter().find(|(_, differs)| *differs) {
        Some((field, _)) => Err(Fate::refused(
            field,
            "the deal is won and may have been paid for, so this can no longer change",
        )),
        None => Ok(()),
    }
}

/// Takes the partner that no longer brings the deal off it, and puts the other one on.
fn hand_over(
    tx: &Tx,
    stored: &Stored,
    before: &deal::Model,
    after: &deal::Model,
    facts: &Facts,
    writes: &mut Writes,
) {
    let on_deal = |partner: PartnerId| {
        stored
            .participants
            .get(&(before.id, partner))
            .into_iter()
            .flatten()
            .filter(|row| {
                row.role == facts.role
                    && matches!(
                        row.status,
                        ParticipantStatus::Invited | ParticipantStatus::Accepted
                    )
            })
    };
    if let Some(partner) = before.partner_id {
        writes.left.extend(on_deal(partner).cloned());
    }
    if let Some(partner) = after
        .partner_id
        .filter(|partner| on_deal(*partner).next().is_none())
    {
        writes
            .participants
            .push(participant(tx, after, partner, facts));
    }
}
