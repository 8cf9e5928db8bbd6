//! The balances of a partner, in one currency or in all it has.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, SimpleObject, dataloader::Loader};

use crate::{
    access::{Action, Scope},
    entity::{ids::PartnerId, ledger_account},
    error::{Error, Result},
    graphql::{
        ContextExt,
        context::{LoadError, Rows, unshared},
        errors::top_level,
        scalars::{CurrencyCode, Money},
    },
    ledger::{
        balance::{self, Balance},
        store,
    },
    platform::money::Currency,
};

/// What a partner has earned, what is on its way and what it was paid, in one currency. Finance, alliance managers
/// and auditors see every partner's; a partner's people (not members) see their own.
#[derive(Clone, Debug, SimpleObject)]
pub struct PartnerBalance {
    /// The currency of all amounts.
    currency: CurrencyCode,
    /// Earned and available, not yet approved for payment.
    accrued: Money,
    /// Earned, but held back until a date.
    held: Money,
    /// Approved for payment.
    payable: Money,
    /// Handed to the payment provider, answer outstanding.
    in_payout: Money,
    /// Paid so far.
    paid: Money,
    /// Taken back after refunds, not yet netted against what was earned; a positive amount.
    clawback_receivable: Money,
}

impl From<Balance> for PartnerBalance {
    fn from(balance: Balance) -> Self {
        let money = |minor| Money::minor(minor, balance.currency);
        Self {
            currency: CurrencyCode(balance.currency.to_string()),
            accrued: money(balance.accrued),
            held: money(balance.held),
            payable: money(balance.payable),
            in_payout: money(balance.in_payout),
            paid: money(balance.paid),
            clawback_receivable: money(balance.clawback_receivable),
        }
    }
}

/// The balance of a partner in one currency, zeros where nothing moved. Without a currency: the partner's only one,
/// else the reporting currency.
///
/// # Errors
/// `FORBIDDEN` for roles that may not read payouts, `BAD_USER_INPUT` for an unknown currency.
pub async fn balance(
    ctx: &Context<'_>,
    partner: PartnerId,
    currency: Option<CurrencyCode>,
) -> async_graphql::Result<PartnerBalance> {
    let balances = read(ctx, partner).await?;
    let currency = match currency {
        Some(code) => code.read("currency"),
        None => usual_currency(ctx, &balances).await,
    };
    let currency = currency.map_err(top_level)?;
    let found = balances
        .into_iter()
        .find(|balance| balance.currency == currency);
    Ok(found.unwrap_or_else(|| Balance::zero(currency)).into())
}

/// The balances of a partner in every currency in which anything moved, ordered by code: at most one per currency.
///
/// # Errors
/// `FORBIDDEN` for roles that may not read payouts.
pub async fn balances(
    ctx: &Context<'_>,
    partner: PartnerId,
) -> async_graphql::Result<Vec<PartnerBalance>> {
    Ok(read(ctx, partner)
        .await?
        .into_iter()
        .map(PartnerBalance::from)
        .collect())
}

async fn read(ctx: &Context<'_>, partner: PartnerId) -> async_graphql::Result<Vec<Balance>> {
    ctx.may(Action::PayoutRead)?;
    balances_of(ctx, partner).await.map_err(top_level)
}

/// The balances of a partner, as far as the caller may see them.
///
/// # Errors
/// The database failed.
pub async fn balances_of(ctx: &Context<'_>, partner: PartnerId) -> Result<Vec<Balance>> {
    let accounts = ctx.loaders().load_one(AccountsOf(partner)).await;
    let accounts = accounts.map_err(unshared)?.unwrap_or_default();
    Ok(balance::by_currency(&accounts))
}

/// The currency in which a partner with these balances is shown when nobody names one.
///
/// # Errors
/// The database failed.
pub async fn usual_currency(ctx: &Context<'_>, balances: &[Balance]) -> Result<Currency> {
    if let [only] = balances {
        return Ok(only.currency);
    }
    let reporting = ctx.loaders().load_one(Reporting).await.map_err(unshared)?;
    Ok(balance::usual_currency(balances, reporting))
}

/// The reporting currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reporting;

impl Loader<Reporting> for Rows {
    type Value = Currency;
    type Error = LoadError;

    async fn load(&self, _: &[Reporting]) -> Result<HashMap<Reporting, Currency>, LoadError> {
        let reporting = store::reporting_currency(&self.db)
            .await
            .map_err(Arc::new)?;
        Ok(reporting
            .map(|currency| (Reporting, currency))
            .into_iter()
            .collect())
    }
}

/// The ledger accounts of a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountsOf(pub PartnerId);

impl Loader<AccountsOf> for Rows {
    type Value = Vec<ledger_account::Model>;
    type Error = LoadError;

    async fn load(
        &self,
        keys: &[AccountsOf],
    ) -> Result<HashMap<AccountsOf, Self::Value>, LoadError> {
        let visible = |key: &&AccountsOf| match self.scope() {
            Scope::All => true,
            Scope::Partner(own) => key.0 == own,
            Scope::Nothing => false,
        };
        let partners: Vec<PartnerId> = keys.iter().filter(visible).map(|key| key.0).collect();
        let mut accounts: HashMap<AccountsOf, Self::Value> =
            keys.iter().map(|key| (*key, Vec::new())).collect();
        for row in store::accounts_of(&self.db, &partners)
            .await
            .map_err(Arc::new)?
        {
            let partner = row
                .partner_id
                .ok_or_else(|| Arc::new(Error::internal("an account of no partner")))?;
            accounts.entry(AccountsOf(partner)).or_default().push(row);
        }
        Ok(accounts)
    }
}
