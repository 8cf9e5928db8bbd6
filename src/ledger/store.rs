//! Queries of the ledger.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select, sea_query::Expr,
};

use crate::{
    access::{Action, Actor, Scope, Visible, of_partner, with_partner},
    entity::{
        ids::{LedgerTransactionId, PartnerId},
        ledger_account::{self, LedgerAccountKind},
        ledger_entry, ledger_transaction, program_version,
    },
    error::Result,
    platform::{money::Currency, sql::any_of},
};

impl Visible for ledger_account::Entity {
    const ID: Self::Column = ledger_account::Column::Id;
    const ARGUMENT: &'static str = "accountId";
    const READ: Action = Action::LedgerRead;

    /// A partner's people see the accounts of their partner, never those of the vendor.
    fn visible(scope: Scope) -> Condition {
        of_partner(scope, ledger_account::Column::PartnerId)
    }

    /// The vendor reads the ledger by a right of its own, a partner's people with their payments.
    fn may_read(actor: &Actor) -> Result<()> {
        actor.may(match actor.partner_id() {
            Some(_) => Action::PayoutRead,
            None => Self::READ,
        })
    }
}

impl Visible for ledger_entry::Entity {
    const ID: Self::Column = ledger_entry::Column::Id;
    const ARGUMENT: &'static str = "entryId";
    const READ: Action = Action::LedgerRead;

    /// The entries of the accounts that the scope shows.
    fn visible(scope: Scope) -> Condition {
        with_partner(scope, |own| {
            let accounts = ledger_account::Entity::find()
                .select_only()
                .column(ledger_account::Column::Id)
                .filter(ledger_account::Column::PartnerId.eq(own));
            let of_these = ledger_entry::Column::AccountId.in_subquery(accounts.into_query());
            Condition::all().add(of_these)
        })
    }

    fn may_read(actor: &Actor) -> Result<()> {
        ledger_account::Entity::may_read(actor)
    }
}

/// Which accounts a caller asks for; absent parts do not restrict.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Of this partner.
    pub partner: Option<PartnerId>,
    /// Of this kind.
    pub kind: Option<LedgerAccountKind>,
    /// In this currency.
    pub currency: Option<Currency>,
}

/// The accounts under a scope: a partner's people see the accounts of their partner, never those of the house.
pub fn accounts(scope: Scope, wanted: Wanted) -> Option<Select<ledger_account::Entity>> {
    use ledger_account::Column;
    let mut select = ledger_account::Entity::find();
    match scope {
        Scope::All => {}
        Scope::Partner(partner) => select = select.filter(Column::PartnerId.eq(partner)),
        Scope::Nothing => return None,
    }
    if let Some(partner) = wanted.partner {
        select = select.filter(Column::PartnerId.eq(partner));
    }
    if let Some(kind) = wanted.kind {
        select = select.filter(Column::Kind.eq(kind));
    }
    if let Some(currency) = wanted.currency {
        select = select.filter(Column::Currency.eq(currency));
    }
    Some(select)
}

/// The accounts of partners.
pub async fn accounts_of<C: ConnectionTrait>(
    db: &C,
    partners: &[PartnerId],
) -> Result<Vec<ledger_account::Model>> {
    let of_partners = any_of(
        db,
        ledger_account::Column::PartnerId,
        partners.iter().copied(),
    );
    Ok(ledger_account::Entity::find()
        .filter(of_partners)
        .all(db)
        .await?)
}

/// Transactions by id.
pub async fn transactions<C: ConnectionTrait>(
    db: &C,
    ids: &[LedgerTransactionId],
) -> Result<Vec<ledger_transaction::Model>> {
    let by_id = any_of(db, ledger_transaction::Column::Id, ids.iter().copied());
    Ok(ledger_transaction::Entity::find()
        .filter(by_id)
        .all(db)
        .await?)
}

/// The reporting currency: that of the rules that came into being last, of whichever programme.
pub async fn reporting_currency<C: ConnectionTrait>(db: &C) -> Result<Option<Currency>> {
    // Only this of the rules, which may be long.
    let currency = Expr::cust("settings ->> 'reportingCurrency'");
    let latest: Option<String> = program_version::Entity::find()
        .select_only()
        .expr(currency)
        .order_by_desc(program_version::Column::Id)
        .into_tuple()
        .one(db)
        .await?;
    Ok(latest.and_then(|code| code.parse().ok()))
}
