//! Rows that mails are about, written directly: two partners, a deal of the first, money for both.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use ensemble::{
    entity::{
        customer,
        deal::{self, SalesStatus},
        deal_participant::{self, ParticipantRole, ParticipantStatus},
        deal_registration::{self, Contacts, MatchOutcome, MatchReasons, RegistrationStatus},
        ids::*,
        partner::{self, PartnerStatus},
        program::{self, ProgramStatus},
        program_version,
        user::{self, Role},
        user_token::{self, TokenPurpose},
    },
    identity::tokens::kind,
    platform::{
        auth::opaque::hash,
        ids::{self, TypedId},
        money::Currency,
    },
    settings::ProgramSettings,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use secrecy::ExposeSecret;

use crate::support::{Person, TestApp};

/// A small world.
#[derive(Clone, Debug)]
pub struct World {
    /// Who registered the deal.
    pub acme: PartnerId,
    /// Another partner.
    pub bolt: PartnerId,
    /// A manager of each.
    pub ann: Person,
    pub bob: Person,
    /// The vendor's alliance manager.
    pub alma: Person,
    pub program: ProgramId,
    pub version: ProgramVersionId,
    pub deal: DealId,
    pub registration: DealRegistrationId,
}

pub fn mint<T: TypedId>(now: DateTime<Utc>) -> T {
    T::of(ids::mint(now))
}

pub async fn insert<A: ActiveModelTrait + Send + Sync + Clone + 'static>(t: &TestApp, row: A) {
    t.write(move |tx| {
        let row = row.clone();
        Box::pin(async move { tx.insert(row).await })
    })
    .await
    .unwrap();
}

pub async fn partner(t: &TestApp, name: &str) -> PartnerId {
    let now = t.app.clock().now();
    let id = mint(now);
    let row = partner::ActiveModel {
        id: Set(id),
        external_id: Set(None),
        legal_name: Set(name.to_owned()),
        display_name: Set(name.to_owned()),
        name_key: Set(name.to_lowercase()),
        size: Set(None),
        country: Set(None),
        region: Set(None),
        website: Set(None),
        registration_number: Set(None),
        parent_id: Set(None),
        status: Set(PartnerStatus::Active),
        dpa_valid_until: Set(None),
        version: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    };
    insert(t, row).await;
    id
}

impl World {
    /// Acme registered a deal with Contoso; Ann and Bob manage Acme and Bolt, Alma looks after both.
    pub async fn new(t: &TestApp) -> Self {
        Self::named(t, "Acme", "Contoso").await
    }

    pub async fn named(t: &TestApp, acme: &str, contoso: &str) -> Self {
        let now = t.app.clock().now();
        let acme = partner(t, acme).await;
        let bolt = partner(t, "Bolt").await;
        let ann = t.person(Role::PartnerManager, Some(acme)).await;
        let (program, version) = program(t).await;
        let mut world = Self {
            acme,
            bolt,
            bob: t.person(Role::PartnerManager, Some(bolt)).await,
            alma: t.vendor(Role::AllianceManager).await,
            ann,
            program,
            version,
            deal: mint(now),
            registration: mint(now),
        };
        let customer = customer(t, contoso).await;
        world.insert_deal(t, customer, contoso).await;
        world.registration = world.register(t, customer, contoso).await;
        world
    }

    async fn insert_deal(&self, t: &TestApp, customer: CustomerId, name: &str) {
        let now = t.app.clock().now();
        let row = deal::ActiveModel {
            id: Set(self.deal),
            external_id: Set(None),
            number: Set("D-1".to_owned()),
            name: Set(format!("{name} 2026")),
            program_id: Set(self.program),
            program_version_id: Set(self.version),
            customer_id: Set(Some(customer)),
            partner_id: Set(Some(self.acme)),
            business: Set(Default::default()),
            value_minor: Set(10_000_000),
            currency: Set(Currency::USD),
            stage: Set("PROSPECT".to_owned()),
            status: Set(SalesStatus::Open),
            time_zone: Set("Europe/Berlin".to_owned()),
            expected_close_on: Set(None),
            opened_at: Set(now),
            closed_at: Set(None),
            loss_reason: Set(None),
            loss_detail: Set(None),
            competitor: Set(None),
            refunded_minor: Set(0),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            fingerprint: Set(None),
        };
        insert(t, row).await;
    }

    async fn register(&self, t: &TestApp, customer: CustomerId, name: &str) -> DealRegistrationId {
        let now = t.app.clock().now();
        let id = mint(now);
        let row = deal_registration::ActiveModel {
            id: Set(id),
            number: Set("DR-7K3M9QX2P4".to_owned()),
            program_id: Set(self.program),
            program_version_id: Set(self.version),
            partner_id: Set(self.acme),
            submitted_by: Set(self.ann.id),
            customer_id: Set(customer),
            customer_name: Set(name.to_owned()),
            customer_domain: Set(None),
            customer_country: Set(None),
            business: Set(Default::default()),
            value_minor: Set(10_000_000),
            currency: Set(Currency::USD),
            expected_close_on: Set(NaiveDate::from_ymd_opt(2026, 6, 30).unwrap()),
            time_zone: Set("Europe/Berlin".to_owned()),
            need: Set(None),
            competitor: Set(None),
            contacts: Set(Contacts::default()),
            tier: Set("GOLD".to_owned()),
            status: Set(RegistrationStatus::Approved),
            conflict_outcome: Set(MatchOutcome::Clear),
            conflict_reasons: Set(MatchReasons::default()),
            submitted_at: Set(now),
            review_due_at: Set(now + TimeDelta::hours(48)),
            decided_by: Set(Some(self.alma.id)),
            decided_at: Set(Some(now)),
            rejection_reason: Set(None),
            decision_note: Set(None),
            // 24:00 of 30 May in Berlin.
            protected_until: Set(Some("2026-05-30T22:00:00Z".parse().unwrap())),
            extensions: Set(0),
            question: Set(None),
            question_at: Set(None),
            answer: Set(None),
            reminder_due_at: Set(None),
            extended_at: Set(None),
            extension_evidence: Set(None),
            deal_id: Set(Some(self.deal)),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
        };
        insert(t, row).await;
        id
    }

    /// A partner on the deal, or asked to be.
    pub async fn participant(
        &self,
        t: &TestApp,
        partner: PartnerId,
        status: ParticipantStatus,
    ) -> DealParticipantId {
        let now = t.app.clock().now();
        let id = mint(now);
        let row = deal_participant::ActiveModel {
            id: Set(id),
            deal_id: Set(self.deal),
            partner_id: Set(partner),
            role: Set(ParticipantRole::Implementer),
            status: Set(status),
            scope: Set(Some("Roll-out in Kiel".to_owned())),
            invited_by: Set(Some(self.alma.id)),
            invited_at: Set(now),
            expires_at: Set(Some(now + TimeDelta::days(15))),
            accepted_at: Set(None),
            ended_at: Set(None),
            end_reason: Set(None),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            fingerprint: Set(None),
        };
        insert(t, row).await;
        id
    }
}

async fn program(t: &TestApp) -> (ProgramId, ProgramVersionId) {
    let now = t.app.clock().now();
    let (id, version) = (mint(now), mint(now));
    let row = program::ActiveModel {
        id: Set(id),
        name: Set("Alliance".to_owned()),
        status: Set(ProgramStatus::Active),
        version: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    };
    insert(t, row).await;
    let row = program_version::ActiveModel {
        id: Set(version),
        program_id: Set(id),
        number: Set(1),
        effective_from: Set(now),
        settings: Set(ProgramSettings::default().documents().unwrap()),
        created_by: Set(None),
        created_at: Set(now),
    };
    insert(t, row).await;
    (id, version)
}

async fn customer(t: &TestApp, name: &str) -> CustomerId {
    let now = t.app.clock().now();
    let id = mint(now);
    let row = customer::ActiveModel {
        id: Set(id),
        external_id: Set(None),
        name: Set(name.to_owned()),
        name_key: Set(name.to_lowercase()),
        domain: Set(None),
        domain_hint: Set(None),
        country: Set(None),
        industry: Set(None),
        registration_number: Set(None),
        phone: Set(None),
        employees: Set(None),
        parent_id: Set(None),
        version: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    };
    insert(t, row).await;
    id
}

/// Changes one person.
pub async fn change(
    t: &TestApp,
    person: &Person,
    change: impl Fn(&mut user::ActiveModel) + Send + Sync + 'static,
) {
    let id = person.id;
    let mut row = user::ActiveModel {
        id: Set(id),
        ..Default::default()
    };
    change(&mut row);
    t.write(move |tx| {
        let row = row.clone();
        Box::pin(async move {
            user::Entity::update(row).exec(tx).await?;
            Ok(())
        })
    })
    .await
    .unwrap();
}

/// A single-use token of this person; returns its row and the secret itself.
pub async fn token(t: &TestApp, person: &Person, purpose: TokenPurpose) -> (UserTokenId, String) {
    let now = t.app.clock().now();
    let id: UserTokenId = mint(now);
    let secret = t
        .app
        .tokens()
        .derive(kind(purpose), id.uuid())
        .expose_secret()
        .to_owned();
    let row = user_token::ActiveModel {
        id: Set(id),
        user_id: Set(person.id),
        purpose: Set(purpose),
        token_hash: Set(hash(&secret)),
        created_at: Set(now),
        expires_at: Set(now + TimeDelta::hours(72)),
        used_at: Set(None),
    };
    insert(t, row).await;
    (id, secret)
}
