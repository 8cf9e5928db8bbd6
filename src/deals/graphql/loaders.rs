//! Registrations, deals and their parts, read for all parents of a page together and under the caller's scope.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::Arc,
};

use async_graphql::dataloader::Loader;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    access::Scope,
    deals::{participant_store, rules::Rules, store},
    entity::{
        deal_participant, deal_product, deal_refund, deal_registration, deal_registration_product,
        deal_stage_change,
        ids::{DealId, DealRegistrationId, PartnerId, ProgramVersionId},
    },
    error::Result,
    graphql::context::{LoadError, Rows},
    platform::sql::any_of,
    programs::rules,
    tx::CHUNK,
};

/// Declares keys that name a list or a relation of a parent.
macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident($id:ident);)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(pub $id);
    )+};
}

keys! {
    /// The participants of a deal that the caller sees.
    ParticipantsOf(DealId);
    /// How many other partners take part in a deal.
    OthersOn(DealId);
    /// The products of a deal.
    ProductsOf(DealId);
    /// The moves of a deal, earliest first.
    MovesOf(DealId);
    /// The refunds of a deal, earliest first.
    RefundsOf(DealId);
    /// The registration from which a deal was made, if the caller sees it.
    RegistrationOf(DealId);
    /// The products of a registration.
    RegisteredProducts(DealRegistrationId);
    /// The rules that a deal remembers.
    RulesOf(ProgramVersionId);
}

/// Loads one chunk of keys after the other, so that an IN list stays within the databases' bounds.
macro_rules! loader {
    ($key:ty => $value:ty, $load:expr) => {
        impl Loader<$key> for Rows {
            type Value = $value;
            type Error = LoadError;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $value>, LoadError> {
                let mut found = HashMap::with_capacity(keys.len());
                for chunk in keys.chunks(CHUNK) {
                    let load: Result<HashMap<$key, $value>> = $load(self, chunk).await;
                    found.extend(load.map_err(Arc::new)?);
                }
                Ok(found)
            }
        }
    };
}

loader!(ParticipantsOf => Vec<deal_participant::Model>, participants_of);
loader!(OthersOn => usize, others_on);
loader!(ProductsOf => Vec<deal_product::Model>, products_of);
loader!(MovesOf => Vec<deal_stage_change::Model>, moves_of);
loader!(RefundsOf => Vec<deal_refund::Model>, refunds_of);
loader!(RegistrationOf => Option<deal_registration::Model>, registrations_of);
loader!(RegisteredProducts => Vec<deal_registration_product::Model>, registered_products);
loader!(RulesOf => Arc<Rules>, rules_of);

async fn participants_of(
    rows: &Rows,
    keys: &[ParticipantsOf],
) -> Result<HashMap<ParticipantsOf, Vec<deal_participant::Model>>> {
    let select = participant_store::participants(rows.scope())
        .filter(any_of(
            &rows.db,
            deal_participant::Column::DealId,
            keys.iter().map(|key| key.0),
        ))
        .order_by_asc(deal_participant::Column::Id);
    Ok(listed(keys, select.all(&rows.db).await?, |row| {
        ParticipantsOf(row.deal_id)
    }))
}

async fn others_on(rows: &Rows, keys: &[OthersOn]) -> Result<HashMap<OthersOn, usize>> {
    let Scope::Partner(own) = rows.scope() else {
        return Ok(HashMap::new());
    };
    let others: Vec<(DealId, PartnerId)> = deal_participant::Entity::find()
        .select_only()
        .column(deal_participant::Column::DealId)
        .column(deal_participant::Column::PartnerId)
        .filter(any_of(
            &rows.db,
            deal_participant::Column::DealId,
            keys.iter().map(|key| key.0),
        ))
        .filter(deal_participant::Column::PartnerId.ne(own))
        .filter(store::live_participants())
        .into_tuple()
        .all(&rows.db)
        .await?;
    let partners: BTreeSet<_> = others.into_iter().collect();
    let mut counts = HashMap::new();
    for (deal, _) in partners {
        *counts.entry(OthersOn(deal)).or_default() += 1;
    }
    Ok(counts)
}

async fn products_of(
    rows: &Rows,
    keys: &[ProductsOf],
) -> Result<HashMap<ProductsOf, Vec<deal_product::Model>>> {
    let select = deal_product::Entity::find()
        .filter(any_of(
            &rows.db,
            deal_product::Column::DealId,
            keys.iter().map(|key| key.0),
        ))
        .order_by_asc(deal_product::Column::ProductId);
    Ok(listed(keys, select.all(&rows.db).await?, |row| {
        ProductsOf(row.deal_id)
    }))
}

async fn moves_of(
    rows: &Rows,
    keys: &[MovesOf],
) -> Result<HashMap<MovesOf, Vec<deal_stage_change::Model>>> {
    let select = deal_stage_change::Entity::find()
        .filter(any_of(
            &rows.db,
            deal_stage_change::Column::DealId,
            keys.iter().map(|key| key.0),
        ))
        .order_by_asc(deal_stage_change::Column::At)
        .order_by_asc(deal_stage_change::Column::Id);
    Ok(listed(keys, select.all(&rows.db).await?, |row| {
        MovesOf(row.deal_id)
    }))
}

async fn refunds_of(
    rows: &Rows,
    keys: &[RefundsOf],
) -> Result<HashMap<RefundsOf, Vec<deal_refund::Model>>> {
    let select = deal_refund::Entity::find()
        .filter(any_of(
            &rows.db,
            deal_refund::Column::DealId,
            keys.iter().map(|key| key.0),
        ))
        .order_by_asc(deal_refund::Column::Id);
    Ok(listed(keys, select.all(&rows.db).await?, |row| {
        RefundsOf(row.deal_id)
    }))
}

async fn registrations_of(
    rows: &Rows,
    keys: &[RegistrationOf],
) -> Result<HashMap<RegistrationOf, Option<deal_registration::Model>>> {
    let select = deal_registration::Entity::find()
        .filter(any_of(
            &rows.db,
            deal_registration::Column::DealId,
            keys.iter().map(|key| key.0),
        ))
        .filter(store::visible_registrations(rows.scope()));
    let mut found: HashMap<_, _> = keys.iter().map(|key| (*key, None)).collect();
    for row in select.all(&rows.db).await? {
        if let Some(deal) = row.deal_id {
            found.insert(RegistrationOf(deal), Some(row));
        }
    }
    Ok(found)
}

async fn registered_products(
    rows: &Rows,
    keys: &[RegisteredProducts],
) -> Result<HashMap<RegisteredProducts, Vec<deal_registration_product::Model>>> {
    let select = deal_registration_product::Entity::find()
        .filter(any_of(
            &rows.db,
            deal_registration_product::Column::RegistrationId,
            keys.iter().map(|key| key.0),
        ))
        .order_by_asc(deal_registration_product::Column::ProductId);
    Ok(listed(keys, select.all(&rows.db).await?, |row| {
        RegisteredProducts(row.registration_id)
    }))
}

async fn rules_of(rows: &Rows, keys: &[RulesOf]) -> Result<HashMap<RulesOf, Arc<Rules>>> {
    let versions: Vec<_> = keys.iter().map(|key| key.0).collect();
    let found = rules::by_version(&rows.db, &versions).await?;
    Ok(found
        .into_iter()
        .map(|(version, rules)| (RulesOf(version), Arc::new(rules)))
        .collect())
}

/// The rows of each key; an empty list where there are none.
fn listed<K: Copy + Eq + Hash, M>(
    keys: &[K],
    rows: Vec<M>,
    key: impl Fn(&M) -> K,
) -> HashMap<K, Vec<M>> {
    let mut lists: HashMap<K, Vec<M>> = keys.iter().map(|key| (*key, Vec::new())).collect();
    for row in rows {
        lists.entry(key(&row)).or_default().push(row);
    }
    lists
}
