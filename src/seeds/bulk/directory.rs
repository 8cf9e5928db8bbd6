//! Whom deals are made with, under which rules, and what is sold.

use chrono::TimeDelta;
use sea_orm::{ActiveEnum, EntityTrait, Iterable};

use super::{
    END, HISTORY,
    dice::{Mint, Of, capital, word},
};
use crate::{
    customers::identity::{block_keys, name_key},
    entity::{
        customer, customer_block_key, enrollment,
        ids::{
            CustomerId, EnrollmentId, IncentivePlanId, LifecycleEventId, PartnerId,
            ProductFamilyId, ProductId, ProgramVersionId, TierChangeId, UserId,
        },
        incentive_plan::{self, PlanStatus},
        partner::{self, PartnerSize, PartnerStatus},
        partner_attribute::{self, AttributeKind},
        partner_lifecycle_event::{self, PartnerAction},
        product, product_family,
        program::{self, ProgramStatus},
        program_version, tier_change,
        user::{self, Role, UserStatus},
    },
    error::Result,
    events::Event,
    incentives::{
        PlanTerms,
        terms::{Component, ComponentKind, Holdback},
    },
    partners::{self, PartnerType},
    platform::{audit, money::Currency, ppm::Ppm},
    settings::ProgramSettings,
    tx::{Tx, Work},
};

/// People of the vendor in each role.
const VENDOR_PEOPLE: u64 = 5;
/// Product families; each holds a tenth of the products.
const FAMILIES: [&str; 10] = [
    "Analytics",
    "Backup",
    "Collaboration",
    "Database",
    "Edge",
    "Firewall",
    "Hosting",
    "Identity",
    "Monitoring",
    "Storage",
];
/// Products.
pub const PRODUCTS: u64 = 100;
const COUNTRIES: [&str; 12] = [
    "AT", "BR", "CA", "CH", "DE", "ES", "FR", "GB", "IN", "JP", "NL", "US",
];
const SECTORS: [&str; 24] = [
    "Aviation",
    "Bank",
    "Brewery",
    "Chemicals",
    "Clinics",
    "Energy",
    "Foods",
    "Glass",
    "Hotels",
    "Insurance",
    "Labs",
    "Logistics",
    "Machines",
    "Media",
    "Mining",
    "Motors",
    "Optics",
    "Paper",
    "Pharma",
    "Plastics",
    "Shipping",
    "Steel",
    "Textiles",
    "Water",
];
const TIERS: [&str; 3] = ["REGISTERED", "SILVER", "GOLD"];
const TRADES: [&str; 8] = [
    "Consulting",
    "Digital",
    "Integration",
    "IT",
    "Networks",
    "Partners",
    "Services",
    "Systems",
];
const LEGAL_FORMS: [&str; 6] = ["AG", "BV", "GmbH", "Inc", "Ltd", "SA"];

/// The version of the rules that all deals are under.
pub fn version(mint: Mint) -> ProgramVersionId {
    mint.id(Of::ProgramVersion, 0, END - HISTORY)
}

/// A person of the vendor, in the order of roles and people.
pub fn vendor_user(mint: Mint, number: u64) -> UserId {
    mint.id(Of::VendorUser, number, END - HISTORY)
}

/// The person of a partner.
pub fn partner_user(mint: Mint, partner: u64) -> UserId {
    mint.id(Of::PartnerUser, partner, END - HISTORY)
}

/// A partner by its number.
pub fn partner(mint: Mint, number: u64) -> PartnerId {
    mint.id(Of::Partner, number, END - HISTORY)
}

/// A customer by its number.
pub fn customer(mint: Mint, number: u64) -> CustomerId {
    mint.id(Of::Customer, number, END - HISTORY)
}

/// The name of a customer, without its legal form.
pub fn customer_name(number: u64) -> String {
    let (word, round) = word(number);
    let sector = usize::try_from(round).unwrap_or_default() % SECTORS.len();
    // Neighbours in number are in different sectors, and every round moves on to the next.
    let place = (usize::try_from(number).unwrap_or_default() + sector) % SECTORS.len();
    format!("{} {}", capital(&word), SECTORS[place])
}

fn family(mint: Mint, number: u64) -> ProductFamilyId {
    mint.id(Of::Family, number, END - HISTORY)
}

/// A product by its number.
pub fn product(mint: Mint, number: u64) -> ProductId {
    mint.id(Of::Product, number, END - HISTORY)
}

/// Its name.
pub fn product_name(number: u64) -> String {
    let family = usize::try_from(number).unwrap_or_default() % FAMILIES.len();
    format!("{} {}", FAMILIES[family], 100 + number)
}

/// What everything else stands on: the vendor's people, programme, plan and products.
pub async fn foundation(tx: &Tx, mint: Mint, password_hash: &str) -> Result<()> {
    let start = END - HISTORY;
    tx.insert_models(vendor(mint, password_hash)).await?;
    let program = program::Model {
        id: mint.program(),
        name: "Growth".to_owned(),
        status: ProgramStatus::Active,
        version: 1,
        created_at: start,
        updated_at: start,
    };
    tx.insert_models(vec![program]).await?;
    let rules = program_version::Model {
        id: version(mint),
        program_id: mint.program(),
        number: 1,
        effective_from: start,
        settings: ProgramSettings::default().documents()?,
        created_by: Some(vendor_user(mint, 0)),
        created_at: start,
    };
    tx.insert_models(vec![rules]).await?;
    let plan = plan(mint);
    let (activated, by) = (Event::PlanActivated { plan_id: plan.id }, plan.activated_by);
    tx.insert_models(vec![plan]).await?;
    audit::append_past(tx, &activated, start, by).await?;
    let families = FAMILIES.iter().zip(0..);
    let families = families.map(|(name, number)| product_family::Model {
        id: family(mint, number),
        code: name.to_uppercase(),
        name: (*name).to_owned(),
        created_at: start,
    });
    tx.insert_models(families.collect()).await?;
    let products = (0..PRODUCTS).map(|number| product::Model {
        id: product(mint, number),
        external_id: None,
        sku: format!("P-{:04}", number + 1),
        name: product_name(number),
        family_id: family(mint, number % 10),
        list_price_minor: i64::try_from((number + 1) * 100_000).ok(),
        currency: Some(Currency::USD),
        version: 1,
        created_at: start,
        updated_at: start,
    });
    tx.insert_models(products.collect()).await
}

/// The people of the vendor, role by role.
fn vendor(mint: Mint, password_hash: &str) -> Vec<user::Model> {
    let ours = Role::iter().filter(|role| !role.to_value().starts_with("PARTNER"));
    let places = ours.flat_map(|role| (1..=VENDOR_PEOPLE).map(move |place| (role, place)));
    let people = places.zip(0..).map(|((role, place), number)| {
        let word = role.to_value().to_lowercase();
        let person = Person {
            id: vendor_user(mint, number),
            email: format!("{}-{place}@vendor.example", word.replace('_', "-")),
            name: format!("{} {place}", capital(&word.replace('_', " "))),
            role,
            partner: None,
        };
        person.row(Some(password_hash.to_owned()))
    });
    people.collect()
}

/// Ten percent of every won deal, shared by credit.
fn plan(mint: Mint) -> incentive_plan::Model {
    let start = END - HISTORY;
    let finance = 2 * VENDOR_PEOPLE;
    incentive_plan::Model {
        id: mint.id::<IncentivePlanId>(Of::Plan, 0, start),
        program_id: mint.program(),
        name: "Influence pool".to_owned(),
        number: 1,
        status: PlanStatus::Active,
        terms: PlanTerms {
            currency: Currency::USD,
            components: vec![Component {
                kind: ComponentKind::InfluencePool,
                rate_ppm: Some(Ppm::new(100_000)),
                flat_minor: None,
                cap_minor: None,
                product_family: None,
                includes_renewals: false,
                rebate: None,
            }],
            holdback: Holdback::default(),
            clawback_days: 90,
        },
        currency: Currency::USD,
        effective_from: start,
        effective_to: None,
        created_by: vendor_user(mint, finance),
        activated_by: Some(vendor_user(mint, finance + 1)),
        activated_at: Some(start),
        version: 2,
        created_at: start,
        updated_at: start,
    }
}

struct Person {
    id: UserId,
    email: String,
    name: String,
    role: Role,
    partner: Option<PartnerId>,
}

impl Person {
    fn row(self, password_hash: Option<String>) -> user::Model {
        user::Model {
            id: self.id,
            email: self.email,
            name: self.name,
            role: self.role,
            partner_id: self.partner,
            status: UserStatus::Active,
            password_hash,
            locale: "en".to_owned(),
            version: 1,
            created_at: END - HISTORY,
            updated_at: END - HISTORY,
        }
    }
}

/// Partners with their place in the programme, their history and their person.
pub fn partners(tx: &Tx, mint: Mint, from: u64, until: u64) -> Work<'_, ()> {
    Box::pin(async move {
        let (start, numbers) = (END - HISTORY, from..until);
        let hash = password_hash(tx, mint).await?;
        let rows: Vec<_> = numbers
            .clone()
            .map(|number| partner_row(mint, number))
            .collect();
        let attributes = rows
            .iter()
            .zip(from..)
            .flat_map(|(row, number)| attributes(mint, row, number));
        let attributes = attributes.collect();
        tx.insert_models(rows).await?;
        tx.insert_models(attributes).await?;
        let events = numbers
            .clone()
            .map(|number| partner_lifecycle_event::Model {
                id: mint.id::<LifecycleEventId>(Of::PartnerEvent, number, start),
                partner_id: partner(mint, number),
                action: PartnerAction::Activate,
                from_status: None,
                to_status: PartnerStatus::Active,
                actor_id: None,
                reason: None,
                at: start,
            });
        tx.insert_models(events.collect()).await?;
        let enrollments = numbers.clone().map(|number| enrollment::Model {
            id: mint.id::<EnrollmentId>(Of::Enrollment, number, start),
            program_id: mint.program(),
            partner_id: partner(mint, number),
            tier: mint
                .dice(Of::Enrollment, number)
                .pick(&TIERS)
                .unwrap_or("REGISTERED")
                .to_owned(),
            version: 1,
            created_at: start,
            updated_at: start,
        });
        let enrollments: Vec<_> = enrollments.collect();
        let tiers = enrollments.iter().map(|row| tier_change::Model {
            id: TierChangeId(row.id.0),
            enrollment_id: row.id,
            program_id: row.program_id,
            partner_id: row.partner_id,
            tier: row.tier.clone(),
            effective_from: start,
            decided_by: None,
            created_at: start,
        });
        let tiers: Vec<_> = tiers.collect();
        tx.insert_models(enrollments).await?;
        tx.insert_models(tiers).await?;
        let people = numbers.map(|number| {
            let person = Person {
                id: partner_user(mint, number),
                email: format!("person-{}@partners.example", number + 1),
                name: format!("Person {}", number + 1),
                role: Role::PartnerAdministrator,
                partner: Some(partner(mint, number)),
            };
            person.row(hash.clone())
        });
        tx.insert_models(people.collect()).await
    })
}

fn attributes(
    mint: Mint,
    row: &partner::Model,
    number: u64,
) -> impl Iterator<Item = partner_attribute::Model> + use<> {
    let kinds: Vec<PartnerType> = PartnerType::iter().collect();
    let kind = mint.dice(Of::PartnerEvent, number).pick(&kinds);
    let kind = kind.map(|kind| (AttributeKind::Type, kind.to_value()));
    let country = row
        .country
        .clone()
        .map(|code| (AttributeKind::Country, code));
    let partner_id = row.id;
    [kind, country]
        .into_iter()
        .flatten()
        .map(move |(kind, value)| partner_attribute::Model {
            partner_id,
            kind,
            value,
        })
}

/// What the foundation wrote: hashing is meant to be slow, and everybody has the same password.
async fn password_hash(tx: &Tx, mint: Mint) -> Result<Option<String>> {
    let first = user::Entity::find_by_id(vendor_user(mint, 0))
        .one(tx)
        .await?;
    Ok(first.and_then(|user| user.password_hash))
}

fn partner_row(mint: Mint, number: u64) -> partner::Model {
    let (start, mut dice) = (END - HISTORY, mint.dice(Of::Partner, number));
    let (word, _) = word(number);
    let trade = dice.pick(&TRADES).unwrap_or_default();
    let display_name = format!("{} {trade}", capital(&word));
    let sizes: Vec<PartnerSize> = PartnerSize::iter().collect();
    partner::Model {
        id: partner(mint, number),
        external_id: None,
        legal_name: format!(
            "{display_name} {}",
            dice.pick(&LEGAL_FORMS).unwrap_or_default()
        ),
        name_key: partners::name_key(&display_name),
        display_name,
        size: dice.pick(&sizes),
        country: dice.pick(&COUNTRIES).map(str::to_owned),
        region: None,
        website: None,
        registration_number: None,
        parent_id: None,
        status: PartnerStatus::Active,
        dpa_valid_until: Some((END + TimeDelta::days(3_650)).date_naive()),
        version: 1,
        created_at: start,
        updated_at: start,
    }
}

/// Customers with the keys under which they are found.
pub fn customers(tx: &Tx, mint: Mint, from: u64, until: u64) -> Work<'_, ()> {
    Box::pin(async move {
        let rows: Vec<customer::Model> = (from..until)
            .map(|number| customer_row(mint, number))
            .collect();
        let keys = rows.iter().flat_map(|row| {
            let customer_id = row.id;
            let keys = block_keys(&row.name).into_iter();
            keys.map(move |block_key| customer_block_key::Model {
                block_key,
                customer_id,
            })
        });
        let keys = keys.collect();
        tx.insert_models(rows).await?;
        tx.insert_models(keys).await
    })
}

fn customer_row(mint: Mint, number: u64) -> customer::Model {
    let mut dice = mint.dice(Of::Customer, number);
    let (start, name) = (END - HISTORY, customer_name(number));
    let domain = format!("{}.com", name.to_lowercase().replace(' ', "-"));
    let full = format!("{name} {}", dice.pick(&LEGAL_FORMS).unwrap_or_default());
    customer::Model {
        id: customer(mint, number),
        external_id: None,
        name_key: name_key(&full),
        name: full,
        domain: Some(domain),
        domain_hint: None,
        country: dice.pick(&COUNTRIES).map(str::to_owned),
        industry: name.split(' ').next_back().map(str::to_owned),
        registration_number: Some(format!("{:010}", dice.below(10_000_000_000))),
        phone: None,
        employees: i64::try_from(10 + dice.below(20_000)).ok(),
        parent_id: None,
        version: 1,
        created_at: start,
        updated_at: start,
    }
}
