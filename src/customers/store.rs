//! Reading and writing customers, always under the scope of who asks.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, JoinType, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{SelectStatement, UnionType},
};

use crate::{
    access::{Action, Actor, Scope, Versioned, Visible, with_partner},
    entity::{
        customer, deal,
        deal_participant::{self, ParticipantStatus},
        deal_registration,
        ids::PartnerId,
    },
    error::Result,
    platform::hierarchy::Tree,
};

/// Customers as a tree of companies.
pub const TREE: Tree<customer::Entity> = Tree {
    id: customer::Column::Id,
    parent: customer::Column::ParentId,
};

impl Visible for customer::Entity {
    const ID: Self::Column = customer::Column::Id;
    const ARGUMENT: &'static str = "customerId";
    const READ: Action = Action::CustomerReadAll;

    /// A partner sees the customers of its registrations, of the deals it owns and of those it is invited to or takes part in.
    fn visible(scope: Scope) -> Condition {
        with_partner(scope, |own| {
            Condition::all().add(customer::Column::Id.in_subquery(known_to(own)))
        })
    }

    /// A partner's people read those of their work, the vendor's by their role.
    fn may_read(actor: &Actor) -> Result<()> {
        match actor.partner_id() {
            Some(_) => Ok(()),
            None => actor.may(Self::READ),
        }
    }
}

impl Versioned for customer::Entity {
    const VERSION: Self::Column = customer::Column::Version;
    const UPDATED_AT: Option<Self::Column> = Some(customer::Column::UpdatedAt);
}

/// The customers of a partner's work: found from the partner, however many other customers there are.
fn known_to(own: PartnerId) -> SelectStatement {
    let mut registered = registered_by(own);
    let deals = || {
        deal::Entity::find()
            .select_only()
            .column(deal::Column::CustomerId)
    };
    let owned = deals().filter(deal::Column::PartnerId.eq(own));
    let present = [ParticipantStatus::Invited, ParticipantStatus::Accepted];
    let to_participant = deal::Entity::belongs_to(deal_participant::Entity)
        .from(deal::Column::Id)
        .to(deal_participant::Column::DealId)
        .into();
    let joined = deals()
        .join(JoinType::InnerJoin, to_participant)
        .filter(deal_participant::Column::PartnerId.eq(own))
        .filter(deal_participant::Column::Status.is_in(present));
    registered
        .union(UnionType::Distinct, owned.into_query())
        .union(UnionType::Distinct, joined.into_query());
    registered
}

/// The customers that a partner registered.
pub(super) fn registered_by(partner: PartnerId) -> SelectStatement {
    deal_registration::Entity::find()
        .select_only()
        .column(deal_registration::Column::CustomerId)
        .filter(deal_registration::Column::PartnerId.eq(partner))
        .into_query()
}
