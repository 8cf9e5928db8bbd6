//! Taking, granting and freeing the place that a registration holds at a customer, one per product family.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use crate::{
    entity::{
        ids::{CustomerId, DealRegistrationId, PartnerId, ProductFamilyId},
        protection::{self, ProtectionStatus},
    },
    error::Result,
    tx::{CHUNK, Tx},
};

/// Who takes a place, and where.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    /// The claim.
    pub registration: DealRegistrationId,
    /// Whose claim.
    pub partner: PartnerId,
    /// At which customer.
    pub customer: CustomerId,
}

/// Takes the place of every family; `false` when somebody else has one of them.
///
/// The families come sorted, so that two claims on overlapping families meet at the first they share instead of
/// waiting for each other.
///
/// # Errors
/// The database failed.
pub async fn take(tx: &Tx, holder: Holder, families: &BTreeSet<ProductFamilyId>) -> Result<bool> {
    for family in families {
        let row = protection::ActiveModel {
            id: Set(tx.id()),
            registration_id: Set(holder.registration),
            customer_id: Set(holder.customer),
            family_id: Set(*family),
            partner_id: Set(holder.partner),
            status: Set(ProtectionStatus::Pending),
            expires_at: Set(None),
            ended_at: Set(None),
            created_at: Set(tx.now()),
        };
        if !tx.insert_new(row).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Protects what a registration holds until an instant.
///
/// # Errors
/// The database failed.
pub async fn grant(tx: &Tx, registration: DealRegistrationId, until: DateTime<Utc>) -> Result<()> {
    protection::Entity::update_many()
        .set(protection::ActiveModel {
            status: Set(ProtectionStatus::Active),
            expires_at: Set(Some(until)),
            ..Default::default()
        })
        .filter(protection::Column::RegistrationId.eq(registration))
        .filter(protection::Column::Status.ne(ProtectionStatus::Ended))
        .exec(tx)
        .await?;
    Ok(())
}

/// Frees what registrations hold.
///
/// # Errors
/// The database failed.
pub async fn free(tx: &Tx, registrations: &[DealRegistrationId]) -> Result<()> {
    for chunk in registrations.chunks(CHUNK) {
        protection::Entity::update_many()
            .set(protection::ActiveModel {
                status: Set(ProtectionStatus::Ended),
                ended_at: Set(Some(tx.now())),
                ..Default::default()
            })
            .filter(protection::Column::RegistrationId.is_in(chunk.iter().copied()))
            .filter(protection::Column::Status.ne(ProtectionStatus::Ended))
            .exec(tx)
            .await?;
    }
    Ok(())
}
