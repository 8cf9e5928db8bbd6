//! The API of `ledger`: accounts with their entries, and the balances of a partner.

pub mod balance;

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, dataloader::Loader};
use sea_orm::{EntityTrait, Select};

pub use balance::{PartnerBalance, balance, balances};

use super::store;
use crate::{
    access::Action,
    connection,
    entity::{
        ids::LedgerTransactionId,
        ledger_account::{self, LedgerAccountKind},
        ledger_entry,
        ledger_transaction::{self, LedgerTransactionKind},
    },
    error::{Error, Result},
    graphql::{
        ContextExt, Objects,
        context::{self, LoadError, Rows},
        errors::top_level,
        paging::{self, Below, Direction, Page, PageArgs, Sort},
        scalars::{CurrencyCode, DateTime, Money},
    },
    partners::graphql::Partner,
    platform::ids,
};

/// An account of the double-entry ledger, of a partner or of the house. Finance roles see all; a partner's
/// people (not members) see those of their own partner.
#[derive(Clone, Debug)]
pub struct LedgerAccount(pub ledger_account::Model);

/// An account of the double-entry ledger, of a partner or of the house. Finance roles see all; a partner's
/// people (not members) see those of their own partner.
#[Object]
impl LedgerAccount {
    /// The object's id.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// What the account is for.
    fn kind(&self) -> LedgerAccountKind {
        self.0.kind
    }

    /// Whose account it is; null for an account of the house.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        ctx.object(self.0.partner_id?).await
    }

    /// The currency of the account and of all its entries.
    fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency.to_string())
    }

    /// The sum of the entries, signed as people read it: what is owed or was paid to a partner is positive, and so
    /// are amounts taken back, costs and cash. Money paid out makes the house's CASH negative.
    fn balance(&self) -> Money {
        Money::minor(self.0.kind.shown(self.0.balance_minor), self.0.currency)
    }

    /// The entries, newest first.
    async fn entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100; not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<LedgerEntryConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = paging::below(ctx, self.0.id, Entries, args)
            .await
            .map_err(top_level)?;
        let kind = self.0.kind;
        Ok(LedgerEntryConnection::of(page, |row| LedgerEntry {
            row,
            kind,
        }))
    }
}

/// The entries of an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entries;

impl Below for Entries {
    type Entity = ledger_entry::Entity;

    fn parent() -> ledger_entry::Column {
        ledger_entry::Column::AccountId
    }

    fn sort() -> Sort<ledger_entry::Column> {
        Sort {
            column: None,
            id: ledger_entry::Column::Id,
            direction: Direction::Desc,
        }
    }

    /// Entries are reached through accounts that the caller was shown.
    fn rows(&self, _: &Rows) -> Select<ledger_entry::Entity> {
        ledger_entry::Entity::find()
    }
}

/// One movement on an account.
#[derive(Clone, Debug)]
pub struct LedgerEntry {
    row: ledger_entry::Model,
    kind: LedgerAccountKind,
}

/// One movement on an account.
#[Object]
impl LedgerEntry {
    /// The object's id.
    fn id(&self) -> ID {
        self.row.id.into()
    }

    /// The amount, signed like the account's balance: the entries of an account sum to its balance.
    fn amount(&self) -> Money {
        Money::minor(self.kind.shown(self.row.amount_minor), self.row.currency)
    }

    /// The balanced transaction that the entry is part of.
    async fn transaction(&self, ctx: &Context<'_>) -> async_graphql::Result<LedgerTransaction> {
        let row = ctx
            .loaders()
            .load_one(self.row.transaction_id)
            .await
            .map_err(top_level)?;
        let row = row.ok_or_else(|| top_level(Error::internal("an entry has no transaction")))?;
        Ok(LedgerTransaction::of(row))
    }
}

/// A business event in the ledger. Its entries sum to zero; it is never changed, only reversed.
#[derive(Clone, Debug, SimpleObject)]
pub struct LedgerTransaction {
    /// The object's id.
    id: ID,
    /// What happened.
    kind: LedgerTransactionKind,
    /// The text under which it was posted, once for ever.
    key: String,
    /// The id of the object it is about: a deal, a refund, a commission line, a payout, or a transaction.
    subject: ID,
    /// When it happened in the business.
    effective_at: DateTime,
    /// When it was posted.
    recorded_at: DateTime,
    /// The accounting period, `YYYY-MM` of `effectiveAt` in UTC.
    period: String,
    /// The transaction that this one undoes; null for all but reversals.
    reverses: Option<ID>,
}

impl LedgerTransaction {
    fn of(row: ledger_transaction::Model) -> Self {
        Self {
            id: row.id.into(),
            kind: row.kind,
            key: row.transaction_key,
            subject: ids::encode(&row.subject_type, row.subject_id).into(),
            effective_at: DateTime(row.effective_at),
            recorded_at: DateTime(row.recorded_at),
            period: row.period,
            reverses: row.reverses_id.map(ID::from),
        }
    }
}

connection!(LedgerAccountConnection, LedgerAccountEdge, LedgerAccount);
connection!(LedgerEntryConnection, LedgerEntryEdge, LedgerEntry);

/// Which ledger accounts; parts that are absent do not restrict.
#[derive(Clone, Debug, Default, InputObject)]
pub struct LedgerAccountFilter {
    /// Of this partner.
    pub partner_id: Option<ID>,
    /// Of this kind.
    pub kind: Option<LedgerAccountKind>,
    /// In this currency.
    pub currency: Option<CurrencyCode>,
}

/// Queries of the ledger.
#[derive(Default)]
pub struct LedgerQuery;

#[Object]
impl LedgerQuery {
    /// Ledger accounts, oldest first. Finance roles see all; a partner's people see those of their own partner.
    async fn ledger_accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which accounts; all that you may see unless given.")] filter: Option<
            LedgerAccountFilter,
        >,
        #[graphql(desc = "The first so many, 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100; not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<LedgerAccountConnection> {
        let actor = ctx.actor();
        ctx.may(if actor.is_vendor() {
            Action::LedgerRead
        } else {
            Action::PayoutRead
        })?;
        let wanted = wanted(filter.unwrap_or_default()).map_err(top_level)?;
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let sort = Sort {
            column: None,
            id: ledger_account::Column::Id,
            direction: Direction::Asc,
        };
        let page = match store::accounts(actor.scope(), wanted) {
            Some(select) => paging::page(ctx, ctx.db(), select, sort, args)
                .await
                .map_err(top_level)?,
            None => Page::empty(),
        };
        Ok(LedgerAccountConnection::of(page, LedgerAccount))
    }
}

fn wanted(filter: LedgerAccountFilter) -> Result<store::Wanted> {
    let currency = filter
        .currency
        .map(|code| code.read("filter.currency"))
        .transpose()?;
    Ok(store::Wanted {
        partner: filter.partner_id.map(|id| context::id(&id)),
        kind: filter.kind,
        currency,
    })
}

impl Loader<LedgerTransactionId> for Rows {
    type Value = ledger_transaction::Model;
    type Error = LoadError;

    /// Transactions are reached through entries of accounts that the caller was shown.
    async fn load(
        &self,
        ids: &[LedgerTransactionId],
    ) -> Result<HashMap<LedgerTransactionId, Self::Value>, LoadError> {
        let rows = store::transactions(&self.db, ids).await.map_err(Arc::new)?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}
