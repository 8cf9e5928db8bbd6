//! The vendor enters a partner into the directory.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::{PartnerType, facts, number, store};
use crate::{
    access::{Action, Held},
    entity::{
        ids::PartnerId,
        partner::{self, PartnerSize, PartnerStatus},
        partner_attribute::AttributeKind,
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    platform::hierarchy::HierarchyFault,
    tx::Tx,
};

/// A partner to be entered.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// The name in contracts.
    pub legal_name: String,
    /// The name in lists; the legal name when left out.
    pub display_name: Option<String>,
    /// What the partner is; at least one.
    pub types: Vec<PartnerType>,
    /// How big it is.
    pub size: Option<PartnerSize>,
    /// The country of its head office, ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Where it works; the country of the head office when left out.
    pub countries: Option<Vec<String>>,
    /// The vendor's sales region.
    pub region: Option<String>,
    /// Its website.
    pub website: Option<String>,
    /// Its number in a public register.
    pub registration_number: Option<String>,
    /// The industries it serves.
    pub industries: Vec<String>,
    /// What it is good at.
    pub competencies: Vec<String>,
    /// The company it belongs to.
    pub parent: Option<PartnerId>,
    /// The last day of the data processing agreement on file.
    pub dpa_valid_until: Option<NaiveDate>,
    /// Its key in another system; unique.
    pub external_id: Option<String>,
}

/// Texts and lists in the form in which they are kept.
struct Sound {
    legal_name: String,
    display_name: String,
    region: Option<String>,
    website: Option<String>,
    registration_number: Option<String>,
    external_id: Option<String>,
    attributes: BTreeSet<(AttributeKind, String)>,
}

/// Enters a partner as a prospect.
///
/// # Errors
/// `FORBIDDEN` for everybody but the vendor's administrators and alliance managers; `BAD_USER_INPUT` with every
/// fault at its field; `NOT_FOUND` at `parentId`; `DUPLICATE` at `externalId` or `registrationNumber`.
/// Records `partner.created`.
pub async fn create(tx: &Tx, command: Create) -> Result<Held<partner::Entity>> {
    tx.actor().may(Action::PartnerCreate)?;
    let sound = check(&command)?;
    if let Some(parent) = command.parent {
        check_parent(tx, None, parent).await?;
    }
    let id: PartnerId = tx.id();
    let number = sound.registration_number.as_deref();
    number::claim(tx, id, number, command.country.as_deref()).await?;
    let row = partner::Model {
        id,
        external_id: sound.external_id,
        name_key: facts::name_key(&sound.display_name),
        legal_name: sound.legal_name,
        display_name: sound.display_name,
        size: command.size,
        country: command.country,
        region: sound.region,
        website: sound.website,
        registration_number: sound.registration_number,
        parent_id: command.parent,
        status: PartnerStatus::Prospect,
        dpa_valid_until: command.dpa_valid_until,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    let partner = tx.add_new(row).await?.ok_or_else(taken)?;
    store::add_attributes(tx, partner.id, sound.attributes).await?;
    tx.record(Event::PartnerCreated {
        partner_id: partner.id,
    });
    Ok(partner)
}

fn check(command: &Create) -> Result<Sound> {
    let mut faults = Faults::default();
    let legal_name = faults.text("legalName", &command.legal_name, facts::NAME);
    let display_name =
        faults.optional_text("displayName", command.display_name.as_deref(), facts::NAME);
    let region = faults.optional_text("region", command.region.as_deref(), facts::WORD);
    let website = facts::website(&mut faults, "website", command.website.as_deref());
    let number = command.registration_number.as_deref();
    let registration_number = facts::registration_number(&mut faults, "registrationNumber", number);
    let external_id =
        faults.optional_text("externalId", command.external_id.as_deref(), facts::KEY);
    let types = facts::types(&mut faults, "types", &command.types);
    let at_home = || command.country.iter().cloned().collect();
    let countries = command.countries.clone().unwrap_or_else(at_home);
    let countries = facts::words(&mut faults, "countries", &countries);
    let industries = facts::words(&mut faults, "industries", &command.industries);
    let competencies = facts::words(&mut faults, "competencies", &command.competencies);
    faults.check()?;
    let attributes = [
        (AttributeKind::Type, types),
        (AttributeKind::Country, countries),
        (AttributeKind::Industry, industries),
        (AttributeKind::Competency, competencies),
    ];
    Ok(Sound {
        display_name: display_name.unwrap_or_else(|| legal_name.clone()),
        legal_name,
        region,
        website,
        registration_number,
        external_id,
        attributes: attributes
            .into_iter()
            .flat_map(|(kind, values)| facts::of_kind(kind, values))
            .collect(),
    })
}

/// Refuses a parent that does not exist, makes a circle or a tree of too many levels.
pub(super) async fn check_parent(tx: &Tx, own: Option<PartnerId>, parent: PartnerId) -> Result<()> {
    store::TREE
        .check(tx, own, parent)
        .await?
        .map_err(|fault| match fault {
            HierarchyFault::Missing => Error::not_found("parentId"),
            HierarchyFault::Circle | HierarchyFault::TooDeep => {
                Refusal::input("parentId", fault.to_string()).into()
            }
        })
}

/// Another partner has this key.
pub(super) fn taken() -> Error {
    Refusal::new(Code::Duplicate, "Another partner has this external id.")
        .at("externalId")
        .into()
}
