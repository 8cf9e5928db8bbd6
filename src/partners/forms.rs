//! Partners are looked up by the stored canonical form of their registration numbers. When the form or one of its lists
//! changes, the stored numbers are rewritten before the server accepts requests.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};

use crate::{
    app::App,
    entity::{ids::PartnerId, partner},
    error::Result,
    platform::{
        company_number::{self, registration_number_key},
        forms::Forms,
    },
    tx::{CHUNK, Tx},
};

const STORED: Forms = Forms("partner_forms");

/// Rewrites the stored registration numbers of all partners unless they have the current version; returns how many were checked.
///
/// # Errors
/// The database failed.
pub async fn bring_up_to_date(app: &App) -> Result<u64> {
    STORED
        .bring_up_to_date(app, "partnerForms", company_number::FORMS, |tx, after| {
            Box::pin(rewrite_chunk(tx, after))
        })
        .await
}

/// The next partners with a number; after the last one the version is recorded.
async fn rewrite_chunk(tx: &Tx, after: Option<PartnerId>) -> Result<(u64, Option<PartnerId>)> {
    use partner::{Column, Entity};
    let rows: Vec<(PartnerId, String)> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::RegistrationNumber])
        .filter(Column::RegistrationNumber.is_not_null())
        .apply_if(after, |select, after| select.filter(Column::Id.gt(after)))
        .order_by_asc(Column::Id)
        .limit(u64::try_from(CHUNK).unwrap_or(u64::MAX))
        .lock_exclusive()
        .into_tuple()
        .all(tx)
        .await?;
    let Some((last, _)) = rows.last() else {
        STORED.store(tx, company_number::FORMS).await?;
        return Ok((0, None));
    };
    for (id, stored) in &rows {
        let number = registration_number_key(stored);
        if number.as_ref() == Some(stored) {
            continue;
        }
        // Few numbers change when the form changes.
        let change = partner::ActiveModel {
            registration_number: sea_orm::ActiveValue::Set(number),
            ..Default::default()
        };
        let row = Entity::update_many().set(change).filter(Column::Id.eq(*id));
        row.exec(tx).await?;
    }
    Ok((u64::try_from(rows.len()).unwrap_or(u64::MAX), Some(*last)))
}
