//! Deals from a file: the opportunity, the partner that brought it, its product, and the stages it went through.
//!
//! Imported history may lack what a deal closed here must have: why it was lost and to whom, and, for a deal that
//! awaits one, the customer. The value of a won deal is what was paid and must be told. The value of any other
//! deal is an estimate: where the file has none (or zero), that of the product's list price.
//!
//! Money that may have been paid already is not rewritten: a won deal keeps its value, currency, partner, product,
//! status and closing date, and a closed deal does not move.

mod closing;
mod decide;
mod facts;

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

pub use facts::Facts;

use super::{
    customers,
    known::{Known, KnownProduct},
    partners, products, table,
    totals::Totals,
    unit::{Draft, Ground, Importable, Outcome, Remark},
};
use crate::{
    entity::{
        deal,
        deal_participant::{self, ParticipantStatus},
        deal_product, deal_stage_change,
        ids::{CustomerId, DealId, PartnerId},
    },
    error::Result,
    tx::{CHUNK, Tx, Work},
};

impl Importable for Facts {
    fn read(cells: &mut super::cells::Cells<'_>) -> Self {
        Self::of(cells)
    }

    fn import<'t>(tx: &'t Tx, ground: &'t Ground, drafts: &'t [Draft<Self>]) -> Work<'t, Outcome> {
        Box::pin(import(tx, ground, drafts))
    }
}

/// What is stored about the deals of a unit of work and what they name.
struct Stored {
    deals: HashMap<String, deal::Model>,
    products: HashMap<DealId, Vec<deal_product::Model>>,
    participants: HashMap<(DealId, PartnerId), Vec<deal_participant::Model>>,
    partners: HashMap<String, PartnerId>,
    customers: HashMap<String, CustomerId>,
    catalogue: HashMap<String, KnownProduct>,
}

#[derive(Default)]
struct Writes {
    created: Vec<deal::Model>,
    changed: Vec<deal::Model>,
    products: Vec<deal_product::Model>,
    /// Deals whose products are replaced.
    emptied: Vec<DealId>,
    participants: Vec<deal_participant::Model>,
    /// Participants who are on their deal no longer.
    left: Vec<deal_participant::Model>,
    stages: Vec<deal_stage_change::Model>,
    /// What they change in the totals.
    tally: Totals,
    remarks: Vec<Remark>,
}

async fn import(tx: &Tx, ground: &Ground, drafts: &[Draft<Facts>]) -> Result<Outcome> {
    let stored = load(tx, &ground.known, drafts).await?;
    let (mut writes, mut outcome) = (Writes::default(), Outcome::default());
    for draft in drafts {
        outcome
            .fates
            .push(decide::decide(tx, ground, &stored, draft, &mut writes));
    }
    outcome.totals = std::mem::take(&mut writes.tally);
    outcome.remarks = std::mem::take(&mut writes.remarks);
    if ground.dry_run {
        let made = writes
            .created
            .iter()
            .filter(|_| ground.names_deals)
            .filter_map(|deal| Some((deal.external_id.clone()?, deal.id)));
        outcome.learned.deals = made.collect();
    } else {
        write(tx, writes).await?;
    }
    outcome.learned.partners = stored.partners;
    outcome.learned.customers = stored.customers;
    outcome.learned.products = stored.catalogue;
    Ok(outcome)
}

async fn load(tx: &Tx, known: &Known, drafts: &[Draft<Facts>]) -> Result<Stored> {
    let names = drafts.iter().map(|draft| draft.external_id.as_str());
    let deals = table::find::<deal::Entity, _>(tx, deal::Column::ExternalId, names).await?;
    let ids = || deals.iter().map(|deal| deal.id);
    let mut products: HashMap<_, Vec<_>> = HashMap::new();
    for row in
        table::find::<deal_product::Entity, _>(tx, deal_product::Column::DealId, ids()).await?
    {
        products.entry(row.deal_id).or_default().push(row);
    }
    let mut participants: HashMap<_, Vec<_>> = HashMap::new();
    for row in
        table::find::<deal_participant::Entity, _>(tx, deal_participant::Column::DealId, ids())
            .await?
    {
        participants
            .entry((row.deal_id, row.partner_id))
            .or_default()
            .push(row);
    }
    let facts = || drafts.iter().map(|draft| &draft.facts);
    Ok(Stored {
        products,
        participants,
        partners: partners::find_all(
            tx,
            known,
            facts().filter_map(|facts| facts.partner.as_deref()),
        )
        .await?,
        customers: customers::find_all(
            tx,
            known,
            facts().filter_map(|facts| facts.customer.as_deref()),
        )
        .await?,
        catalogue: products::find_all(
            tx,
            known,
            facts().filter_map(|facts| facts.product.as_deref()),
        )
        .await?,
        deals: deals
            .into_iter()
            .filter_map(|row| Some((row.external_id.clone()?, row)))
            .collect(),
    })
}

/// The deals of these external ids, as far as they exist or a dry run would have made them.
pub async fn find_all<'n>(
    tx: &Tx,
    known: &Known,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<HashMap<String, DealId>> {
    let names: HashSet<&str> = names.into_iter().collect();
    let promised = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), *known.deals.get(*name)?)));
    let mut found: HashMap<_, _> = promised.collect();
    let unknown = names
        .into_iter()
        .filter(|name| !known.deals.contains_key(*name));
    let rows = table::find::<deal::Entity, _>(tx, deal::Column::ExternalId, unknown).await?;
    found.extend(
        rows.into_iter()
            .filter_map(|row| Some((row.external_id?, row.id))),
    );
    Ok(found)
}

async fn write(tx: &Tx, writes: Writes) -> Result<()> {
    tx.insert_models(writes.created).await?;
    tx.replace_all(writes.changed).await?;
    for chunk in writes.emptied.chunks(CHUNK) {
        let theirs = deal_product::Column::DealId.is_in(chunk.iter().copied());
        deal_product::Entity::delete_many()
            .filter(theirs)
            .exec(tx)
            .await?;
    }
    tx.insert_models(writes.products).await?;
    let left = writes.left.into_iter().map(|row| deal_participant::Model {
        status: ParticipantStatus::Removed,
        ended_at: Some(tx.now()),
        end_reason: Some("the import names another partner".to_owned()),
        version: row.version + 1,
        updated_at: tx.now(),
        ..row
    });
    tx.replace_all(left.collect()).await?;
    tx.insert_models(writes.participants).await?;
    tx.insert_models(writes.stages).await
}
