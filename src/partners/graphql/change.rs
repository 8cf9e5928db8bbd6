//! Creating and changing partners.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::Partner;
use crate::{
    entity::partner::PartnerSize,
    graphql::{
        Changes, context,
        scalars::{CountryCode, Date},
    },
    partners::{
        PartnerType,
        create::{self, Create},
        update::{self, Patch, Update},
    },
    payload,
};

/// A partner to be entered into the directory.
#[derive(Clone, Debug, InputObject)]
pub struct PartnerCreateInput {
    /// The name in contracts; at most 200 characters.
    legal_name: String,
    /// The name in lists; at most 200 characters. The legal name when left out.
    display_name: Option<String>,
    /// What the partner is; at least one. At most 10.
    types: Vec<PartnerType>,
    /// How big it is.
    size: Option<PartnerSize>,
    /// The country of its head office.
    country: Option<CountryCode>,
    /// The countries it works in; that of the head office when left out. At most 50.
    countries: Option<Vec<CountryCode>>,
    /// Your sales region, in your words; at most 80 characters.
    region: Option<String>,
    /// Its website, such as `https://acme.com`.
    website: Option<String>,
    /// Its number in a public register; letters and digits are kept. Placeholders count as none. No two partners of one
    /// country have the same.
    registration_number: Option<String>,
    /// The industries it serves, in your words. At most 50, of 80 characters each.
    industries: Option<Vec<String>>,
    /// What it is good at, in your words. At most 50, of 80 characters each.
    competencies: Option<Vec<String>>,
    /// The company it belongs to. A tree of companies has at most 8 levels.
    parent_id: Option<ID>,
    /// The last day of the data processing agreement on file; after it the partner is not paid. Null when there is none
    /// to watch.
    dpa_valid_until: Option<Date>,
    /// Its key in another system of yours; unique, at most 200 characters.
    external_id: Option<String>,
}

impl PartnerCreateInput {
    fn command(self) -> Create {
        Create {
            legal_name: self.legal_name,
            display_name: self.display_name,
            types: self.types,
            size: self.size,
            country: self.country.map(|country| country.0),
            countries: self.countries.map(codes),
            region: self.region,
            website: self.website,
            registration_number: self.registration_number,
            industries: self.industries.unwrap_or_default(),
            competencies: self.competencies.unwrap_or_default(),
            parent: self.parent_id.map(|id| context::id(&id)),
            dpa_valid_until: self.dpa_valid_until.map(|day| day.0),
            external_id: self.external_id,
        }
    }
}

/// Changes of facts about a partner: a field that is left out keeps its value, null clears it. A partner's own
/// administrator changes `displayName`, `website`, `industries` and `competencies`; the rest is the vendor's.
#[derive(Clone, Debug, InputObject)]
pub struct PartnerUpdateInput {
    /// The partner.
    partner_id: ID,
    /// The `version` you read; the change is refused with `STALE_OBJECT` when the partner has changed since. Without it
    /// the change is made on whatever is stored.
    expected_version: Option<i32>,
    /// The name in contracts; cannot be cleared.
    legal_name: MaybeUndefined<String>,
    /// The name in lists; cannot be cleared.
    display_name: MaybeUndefined<String>,
    /// What the partner is, all types anew; cannot be cleared. At most 10.
    types: MaybeUndefined<Vec<PartnerType>>,
    /// How big it is.
    size: MaybeUndefined<PartnerSize>,
    /// The country of its head office.
    country: MaybeUndefined<CountryCode>,
    /// The countries it works in, all anew. At most 50.
    countries: MaybeUndefined<Vec<CountryCode>>,
    /// Your sales region.
    region: MaybeUndefined<String>,
    /// Its website, such as `https://acme.com`.
    website: MaybeUndefined<String>,
    /// Its number in a public register; letters and digits are kept. Placeholders count as none.
    registration_number: MaybeUndefined<String>,
    /// The industries it serves, all anew. At most 50.
    industries: MaybeUndefined<Vec<String>>,
    /// What it is good at, all anew. At most 50.
    competencies: MaybeUndefined<Vec<String>>,
    /// The company it belongs to.
    parent_id: MaybeUndefined<ID>,
    /// The last day of the data processing agreement on file.
    dpa_valid_until: MaybeUndefined<Date>,
    /// Its key in another system of yours; unique.
    external_id: MaybeUndefined<String>,
}

impl PartnerUpdateInput {
    fn command(self) -> Update {
        let patch = Patch {
            legal_name: self.legal_name,
            display_name: self.display_name,
            types: self.types,
            size: self.size,
            country: self.country.map_value(|country| country.0),
            countries: self.countries.map_value(codes),
            region: self.region,
            website: self.website,
            registration_number: self.registration_number,
            industries: self.industries,
            competencies: self.competencies,
            parent: self.parent_id.map_value(|id| context::id(&id)),
            dpa_valid_until: self.dpa_valid_until.map_value(|day| day.0),
            external_id: self.external_id,
        };
        Update {
            partner: context::id(&self.partner_id),
            expected_version: self.expected_version.map(i64::from),
            patch,
        }
    }
}

fn codes(countries: Vec<CountryCode>) -> Vec<String> {
    countries.into_iter().map(|country| country.0).collect()
}

payload!(
    /// The partner that was entered.
    PartnerCreatePayload {
        /// The partner; null when nothing was created.
        partner: Partner
    }
);

payload!(
    /// The partner that was changed.
    PartnerUpdatePayload {
        /// The partner; null when nothing was changed.
        partner: Partner
    }
);

/// Creating and changing partners.
#[derive(Default)]
pub struct PartnerMutation;

#[Object]
impl PartnerMutation {
    /// Enters a partner into the directory, as a prospect. For administrators and alliance managers of the vendor.
    async fn partner_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The partner.")] input: PartnerCreateInput,
    ) -> async_graphql::Result<PartnerCreatePayload> {
        ctx.change("partnerCreate", Ok(input.command()), create::create)
            .await
    }

    /// Changes facts about a partner. For administrators and alliance managers of the vendor, and for the partner's
    /// own administrator.
    async fn partner_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which partner, and its changes.")] input: PartnerUpdateInput,
    ) -> async_graphql::Result<PartnerUpdatePayload> {
        ctx.change("partnerUpdate", Ok(input.command()), update::update)
            .await
    }
}
