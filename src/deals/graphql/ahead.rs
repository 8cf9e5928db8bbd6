//! What a page of deals is asked for, read once for all of them.

use super::loaders::{
    MovesOf, OthersOn, ParticipantsOf, ProductsOf, RefundsOf, RegistrationOf, RulesOf,
};
use crate::{
    access::{Action, Scope},
    entity::{customer, deal, partner},
    error::Result,
    graphql::{ahead::Ahead, objects::ById},
    incentives::graphql::AccrualsOf,
};

/// Reads what is asked for below deals that the caller was shown.
///
/// # Errors
/// The database failed.
pub async fn deals(ahead: &Ahead<'_>, deals: &[&deal::Model]) -> Result<()> {
    let ids = || deals.iter().map(|deal| deal.id);
    let mut partners = Vec::new();
    if ahead.asks(&["partner"]) {
        let owners = deals.iter().filter_map(|deal| deal.partner_id);
        partners.extend(owners.filter(|owner| match ahead.reader().scope() {
            Scope::All => true,
            Scope::Partner(own) => *owner == own,
            Scope::Nothing => false,
        }));
    }
    if let Some(participants) = ahead.field("participants") {
        let named = participants.asks(&["partner"]);
        let of = ids().map(ParticipantsOf);
        ahead
            .load(of, |rows| {
                if named {
                    partners.extend(rows.iter().map(|row| row.partner_id));
                }
            })
            .await?;
    }
    if let Some(accruals) = ahead
        .field("accruals")
        .filter(|_| ahead.reader().actor.can(Action::PayoutRead))
    {
        let mut plans = Vec::new();
        let named = accruals.connection();
        let (partner, plan) = (
            named.asks(&["partner"]),
            named.asks(&["plan", "component", "share"]),
        );
        ahead
            .load(ids().map(AccrualsOf), |rows| {
                if partner {
                    partners.extend(rows.iter().map(|row| row.partner_id));
                }
                if plan {
                    plans.extend(rows.iter().map(|row| row.plan_id));
                }
            })
            .await?;
        ahead.load(plans, |_| ()).await?;
    }
    let partners = partners.into_iter().map(ById::<partner::Entity>);
    ahead.load(partners, |_| ()).await?;
    if ahead.asks(&["customer"]) {
        let customers = deals.iter().filter_map(|deal| deal.customer_id);
        let customers = customers.map(ById::<customer::Entity>);
        ahead.load(customers, |_| ()).await?;
    }
    if ahead.asks(&["stage", "probability", "programVersion"]) {
        let versions = deals.iter().map(|deal| RulesOf(deal.program_version_id));
        ahead.load(versions, |_| ()).await?;
    }
    if ahead.asks(&["program"]) {
        let programs = deals.iter().map(|deal| deal.program_id);
        ahead.load(programs, |_| ()).await?;
    }
    if ahead.asks(&["products"]) {
        ahead.load(ids().map(ProductsOf), |_| ()).await?;
    }
    if ahead.asks(&["stageHistory", "timeInStages"]) {
        ahead.load(ids().map(MovesOf), |_| ()).await?;
    }
    if ahead.asks(&["refunds"]) {
        ahead.load(ids().map(RefundsOf), |_| ()).await?;
    }
    if ahead.asks(&["otherPartnerCount"]) {
        ahead.load(ids().map(OthersOn), |_| ()).await?;
    }
    if ahead.asks(&["registration"]) {
        ahead.load(ids().map(RegistrationOf), |_| ()).await?;
    }
    Ok(())
}
