//! The wall between partners, as a condition on any table whose rows belong to one partner.

use sea_orm::{ColumnTrait, Condition};

use crate::{access::Scope, entity::ids::PartnerId};

/// The rows that the caller may see, by the column that names the partner they belong to.
pub fn only(scope: Scope, column: impl ColumnTrait) -> Condition {
    match scope {
        Scope::All => Condition::all(),
        Scope::Partner(own) => Condition::all().add(column.eq(own)),
        Scope::Nothing => Condition::all().add(column.is_in(std::iter::empty::<PartnerId>())),
    }
}
