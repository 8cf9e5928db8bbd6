//! Which partner has a registration number. Registers are kept by countries, so one number in two countries is two
//! companies; where a country is not known, the number alone decides.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement, Value};

use crate::{
    entity::{ids::PartnerId, partner},
    error::{Code, Refusal, Result},
    tx::Tx,
};

/// Whether two countries may be the same one.
#[must_use]
pub fn may_be_same(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// Refuses the number of a partner that another one has. Others who record it wait until the end of the unit of work.
///
/// # Errors
/// `DUPLICATE` at `registrationNumber`.
pub(super) async fn claim(
    tx: &Tx,
    partner: PartnerId,
    number: Option<&str>,
    country: Option<&str>,
) -> Result<()> {
    let Some(number) = number else {
        return Ok(());
    };
    hold(tx, number).await?;
    let holders = partner::Entity::find()
        .filter(partner::Column::RegistrationNumber.eq(number))
        .filter(partner::Column::Id.ne(partner))
        .all(tx)
        .await?;
    let mut holders = holders.iter();
    if holders.any(|other| may_be_same(other.country.as_deref(), country)) {
        return Err(taken());
    }
    Ok(())
}

async fn hold(tx: &Tx, number: &str) -> Result<()> {
    let sql = "INSERT INTO partner_number (number) VALUES ($1) \
        ON CONFLICT (number) DO UPDATE SET number = excluded.number";
    let statement = Statement::from_sql_and_values(tx.backend(), sql, [Value::from(number)]);
    tx.execute_raw(statement).await?;
    Ok(())
}

fn taken() -> crate::error::Error {
    let message = "Another partner has this registration number.";
    Refusal::new(Code::Duplicate, message)
        .at("registrationNumber")
        .into()
}
