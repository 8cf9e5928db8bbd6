//! Recording and changing customers.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::Customer;
use crate::{
    customers::{
        claim::ClaimedCustomer,
        create::{self, Create},
        update::{self, Patch, Update},
    },
    graphql::{Changes, context, scalars::CountryCode},
    payload,
};

/// A customer to be recorded.
#[derive(Clone, Debug, InputObject)]
pub struct CustomerCreateInput {
    /// Its name; at most 200 characters.
    name: String,
    /// A web address, email address or domain. Its registrable domain is stored, such as `acme.co.uk`. A page path
    /// or an unknown subdomain may belong to another company; its domain is stored as `domainHint`. Hosts that many
    /// companies share, such as mail services and social networks, are ignored.
    domain: Option<String>,
    /// Its country.
    country: Option<CountryCode>,
    /// Its industry, in your words; at most 80 characters.
    industry: Option<String>,
    /// How many people it employs; at most 100 million.
    employees: Option<i32>,
    /// Its number in a public register; letters and digits are kept. Placeholders count as none.
    registration_number: Option<String>,
    /// A telephone number; digits are kept. Placeholders count as none.
    phone: Option<String>,
    /// The company it belongs to. A tree of companies has at most 8 levels.
    parent_id: Option<ID>,
    /// Its key in another system of yours; unique, at most 200 characters.
    external_id: Option<String>,
    /// Confirms that this is a different company from the similar customers that are already recorded. If it is
    /// false and a similar customer exists, the mutation fails with `CONFLICT`.
    #[graphql(default = false)]
    different_customer: bool,
}

impl CustomerCreateInput {
    fn command(self) -> Create {
        let named = ClaimedCustomer {
            name: self.name,
            domain: self.domain,
            country: self.country.map(|country| country.0),
            registration_number: self.registration_number,
            phone: self.phone,
        };
        Create {
            named,
            industry: self.industry,
            employees: self.employees.map(i64::from),
            parent: self.parent_id.map(|id| context::id(&id)),
            external_id: self.external_id,
            different_customer: self.different_customer,
        }
    }
}

/// Changes of facts about a customer: a field that is left out keeps its value, null clears it.
#[derive(Clone, Debug, InputObject)]
pub struct CustomerUpdateInput {
    /// The customer.
    customer_id: ID,
    /// The `version` you read; the change is refused with `STALE_OBJECT` when the customer has changed since. Without it
    /// the change is made on whatever is stored.
    expected_version: Option<i32>,
    /// Its name; cannot be cleared.
    name: MaybeUndefined<String>,
    /// A web address, mail address or domain.
    domain: MaybeUndefined<String>,
    /// Its country.
    country: MaybeUndefined<CountryCode>,
    /// Its industry, in your words.
    industry: MaybeUndefined<String>,
    /// How many people it employs.
    employees: MaybeUndefined<i32>,
    /// Its number in a public register.
    registration_number: MaybeUndefined<String>,
    /// A telephone number.
    phone: MaybeUndefined<String>,
    /// The company it belongs to.
    parent_id: MaybeUndefined<ID>,
    /// Its key in another system of yours; unique.
    external_id: MaybeUndefined<String>,
}

impl CustomerUpdateInput {
    fn command(self) -> Update {
        let patch = Patch {
            name: self.name,
            domain: self.domain,
            country: self.country.map_value(|country| country.0),
            industry: self.industry,
            employees: self.employees.map_value(i64::from),
            registration_number: self.registration_number,
            phone: self.phone,
            parent: self.parent_id.map_value(|id| context::id(&id)),
            external_id: self.external_id,
        };
        Update {
            customer: context::id(&self.customer_id),
            expected_version: self.expected_version.map(i64::from),
            patch,
        }
    }
}

payload!(
    /// The customer that was recorded.
    CustomerCreatePayload {
        /// The customer; null when nothing was created.
        customer: Customer
    }
);

payload!(
    /// The customer that was changed.
    CustomerUpdatePayload {
        /// The customer; null when nothing was changed.
        customer: Customer
    }
);

/// What can be done with customers.
#[derive(Default)]
pub struct CustomerMutation;

#[Object]
impl CustomerMutation {
    /// Records a customer. Fails with `DUPLICATE` if a customer has the same domain, or the same registration
    /// number unless the two countries are known to differ. Fails with `CONFLICT` at `differentCustomer` if a
    /// customer has a similar name, the same telephone number or the same host, until you confirm that it is a
    /// different company. Customers that each have their own domain are treated as different. For administrators
    /// and alliance managers of the vendor.
    async fn customer_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer.")] input: CustomerCreateInput,
    ) -> async_graphql::Result<CustomerCreatePayload> {
        ctx.change("customerCreate", Ok(input.command()), create::create)
            .await
    }

    /// Changes facts about a customer. For administrators and alliance managers of the vendor.
    async fn customer_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which customer, and its changes.")] input: CustomerUpdateInput,
    ) -> async_graphql::Result<CustomerUpdatePayload> {
        ctx.change("customerUpdate", Ok(input.command()), update::update)
            .await
    }
}
