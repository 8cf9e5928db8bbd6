//! A programme, products and partners to sell them, and short ways to do what a test is not about.

use chrono::{DateTime, Utc};
use ensemble::{
    entity::{
        audit_event, customer, deal, deal_participant, deal_refund, deal_registration,
        deal_stage_change, enrollment,
        ids::{EnrollmentId, PartnerId, ProductFamilyId, ProductId, ProgramId, ProgramVersionId},
        job,
        partner::{self, PartnerStatus},
        product, product_family,
        program::{self, ProgramStatus},
        program_version, protection,
        user::Role,
    },
    platform::ids::{self, TypedId},
    settings::ProgramSettings,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

/// What everything is sold in.
#[derive(Clone, Copy, Debug)]
pub struct Market {
    /// The one programme.
    pub program: ProgramId,
    /// A product.
    pub router: ProductId,
    /// Another one of the same family.
    pub switch: ProductId,
    /// One of another family.
    pub backup: ProductId,
}

/// A partner with a manager.
#[derive(Clone, Debug)]
pub struct Seller {
    /// The partner.
    pub partner: PartnerId,
    /// Somebody who may do all that partners may do with deals.
    pub manager: Person,
}

/// Sets the market up, with the default rules.
pub async fn market(t: &TestApp) -> Market {
    market_with(t, ProgramSettings::default()).await
}

/// Sets the market up under these rules.
pub async fn market_with(t: &TestApp, settings: ProgramSettings) -> Market {
    let now = t.app.clock().now();
    let program = ProgramId::of(ids::mint(now));
    let version = ProgramVersionId::of(ids::mint(now));
    let [network, storage]: [ProductFamilyId; 2] = [(); 2].map(|()| TypedId::of(ids::mint(now)));
    let [router, switch, backup]: [ProductId; 3] = [(); 3].map(|()| TypedId::of(ids::mint(now)));
    let family = move |id, code: &str| product_family::ActiveModel {
        id: Set(id),
        code: Set(code.to_owned()),
        name: Set(code.to_owned()),
        created_at: Set(now),
    };
    let item = move |id, sku: &str, family| product::ActiveModel {
        id: Set(id),
        external_id: Set(None),
        sku: Set(sku.to_owned()),
        name: Set(sku.to_owned()),
        family_id: Set(family),
        list_price_minor: Set(None),
        currency: Set(None),
        version: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    };
    t.write(move |tx| {
        let settings = settings.clone();
        Box::pin(async move {
            tx.insert(program::ActiveModel {
                id: Set(program),
                name: Set("Partner programme".to_owned()),
                status: Set(ProgramStatus::Active),
                version: Set(1),
                created_at: Set(now),
                updated_at: Set(now),
            })
            .await?;
            tx.insert(program_version::ActiveModel {
                id: Set(version),
                program_id: Set(program),
                number: Set(1),
                effective_from: Set(now),
                settings: Set(settings.documents()?),
                created_by: Set(None),
                created_at: Set(now),
            })
            .await?;
            tx.insert_all([family(network, "NETWORK"), family(storage, "STORAGE")])
                .await?;
            let items = [
                item(router, "ROUTER", network),
                item(switch, "SWITCH", network),
                item(backup, "BACKUP", storage),
            ];
            tx.insert_all(items).await
        })
    })
    .await
    .unwrap();
    Market {
        program,
        router,
        switch,
        backup,
    }
}

/// A partner with 90 days of protection.
pub async fn gold(t: &TestApp, market: Market, name: &str) -> Seller {
    seller(t, market, name, "GOLD", PartnerStatus::Active).await
}

/// A partner of a tier and status.
pub async fn seller(
    t: &TestApp,
    market: Market,
    name: &str,
    tier: &str,
    status: PartnerStatus,
) -> Seller {
    let now = t.app.clock().now();
    let partner = PartnerId::of(ids::mint(now));
    let enrollment = EnrollmentId::of(ids::mint(now));
    let (name, tier) = (name.to_owned(), tier.to_owned());
    t.write(move |tx| {
        let row = partner::ActiveModel {
            id: Set(partner),
            external_id: Set(None),
            legal_name: Set(name.clone()),
            display_name: Set(name.clone()),
            name_key: Set(name.to_lowercase()),
            size: Set(None),
            country: Set(Some("DE".to_owned())),
            region: Set(None),
            website: Set(None),
            registration_number: Set(None),
            parent_id: Set(None),
            status: Set(status),
            dpa_valid_until: Set(None),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let place = enrollment::ActiveModel {
            id: Set(enrollment),
            program_id: Set(market.program),
            partner_id: Set(partner),
            tier: Set(tier.clone()),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
        };
        Box::pin(async move {
            tx.insert(row).await?;
            tx.insert(place).await
        })
    })
    .await
    .unwrap();
    Seller {
        partner,
        manager: t.person(Role::PartnerManager, Some(partner)).await,
    }
}

/// A sound claim over 100,000 USD.
pub fn claim(product: ProductId, name: &str, domain: Option<&str>) -> Value {
    json!({
        "customer": { "name": name, "domain": domain },
        "products": [{ "productId": product.text() }],
        "value": { "amount": "100000", "currency": "USD" },
        "expectedCloseOn": "2026-09-30",
    })
}

const SUBMIT: &str = "mutation($input: DealRegistrationSubmitInput!, $key: String!) {
    dealRegistrationSubmit(input: $input) @idempotent(key: $key) {
        dealRegistration { id number status version submittedAt reviewDueAt conflict { outcome reasons } }
        userErrors { code message field ... on ConflictError { reasons } }
    }
}";

/// Hands a claim in under a key of its own.
pub async fn submit(t: &TestApp, person: &Person, input: Value) -> Answer {
    let key = ids::mint(t.app.clock().now()).to_string();
    submit_keyed(t, person, input, &key).await
}

/// Hands a claim in.
pub async fn submit_keyed(t: &TestApp, person: &Person, input: Value, key: &str) -> Answer {
    t.ask(person, SUBMIT, json!({ "input": input, "key": key }))
        .await
}

/// Hands a claim in that must be accepted; returns its id.
pub async fn registered(t: &TestApp, person: &Person, input: Value) -> String {
    let answer = submit(t, person, input).await;
    answer
        .done("dealRegistrationSubmit")
        .text("dealRegistrationSubmit/dealRegistration/id")
}

/// Does one of the mutations on registrations.
pub async fn decide(t: &TestApp, person: &Person, mutation: &str, input: Value) -> Answer {
    let type_name = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation($input: {type_name}!) {{ {mutation}(input: $input) {{
            dealRegistration {{ id status version protectedUntil reviewDueAt extensions question answer allowedActions
                decision {{ by at reason note }} deal {{ id number status }} }}
            userErrors {{ code message field ... on ExtensionError {{ reasons }} }} }} }}"
    );
    t.ask(person, &document, json!({ "input": input })).await
}

/// Approves a registration; returns the id of its deal.
pub async fn approved(t: &TestApp, person: &Person, registration: &str) -> String {
    let answer = decide(
        t,
        person,
        "dealRegistrationApprove",
        json!({ "registrationId": registration }),
    )
    .await;
    answer
        .done("dealRegistrationApprove")
        .text("dealRegistrationApprove/dealRegistration/deal/id")
}

/// Does one of the mutations on deals.
pub async fn on_deal(t: &TestApp, person: &Person, mutation: &str, input: Value) -> Answer {
    let type_name = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let directive = match mutation {
        "dealWin" | "dealRefund" => {
            format!("@idempotent(key: \"{}\")", ids::mint(t.app.clock().now()))
        }
        _ => String::new(),
    };
    let document = format!(
        "mutation($input: {type_name}!) {{ {mutation}(input: $input) {directive} {{
            deal {{ id status stage {{ key name probability }} closedAt lossReason competitor version
                value {{ amount currency }} refunded {{ amount }} registration {{ status }} }}
            userErrors {{ code message field }} }} }}"
    );
    t.ask(person, &document, json!({ "input": input })).await
}

/// Does one of the mutations on participants.
pub async fn on_participant(t: &TestApp, person: &Person, mutation: &str, input: Value) -> Answer {
    let type_name = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation($input: {type_name}!) {{ {mutation}(input: $input) {{
            participant {{ id role status scope expiresAt acceptedAt allowedActions deal {{ id }} }}
            userErrors {{ code message field }} }} }}"
    );
    t.ask(person, &document, json!({ "input": input })).await
}

/// Invites a partner; returns the participant's id.
pub async fn invited(
    t: &TestApp,
    person: &Person,
    deal: &str,
    partner: PartnerId,
    role: &str,
) -> String {
    let input = json!({ "dealId": deal, "partnerId": partner.text(), "role": role });
    let answer = on_participant(t, person, "dealParticipantInvite", input).await;
    answer
        .done("dealParticipantInvite")
        .text("dealParticipantInvite/participant/id")
}

/// How many rows there are in everything that a mutation on deals may write.
pub async fn written(t: &TestApp) -> [u64; 9] {
    let db = t.app.db().reader();
    [
        deal_registration::Entity::find().count(db).await.unwrap(),
        protection::Entity::find().count(db).await.unwrap(),
        customer::Entity::find().count(db).await.unwrap(),
        deal::Entity::find().count(db).await.unwrap(),
        deal_participant::Entity::find().count(db).await.unwrap(),
        deal_stage_change::Entity::find().count(db).await.unwrap(),
        deal_refund::Entity::find().count(db).await.unwrap(),
        audit_event::Entity::find().count(db).await.unwrap(),
        job::Entity::find().count(db).await.unwrap(),
    ]
}

/// The recorded events of one name, by their details.
pub async fn events(t: &TestApp, name: &str) -> Vec<Value> {
    let select = audit_event::Entity::find().filter(audit_event::Column::Action.eq(name));
    let rows = select.all(t.app.db().reader()).await.unwrap();
    rows.into_iter().map(|row| row.details).collect()
}

/// An instant by its text.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
