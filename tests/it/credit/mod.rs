//! A small world of deals to give credit for, written straight into the tables.

mod attribution;
mod closing;
mod commission;
mod days;
mod once;
mod plans;
mod rebates;
mod recomputed;
mod touchpoints;

use chrono::{DateTime, TimeDelta, Utc};
use ensemble::{
    attribution::attribute,
    entity::{
        attribution_run::{self, AttributionModel},
        audit_event,
        deal::{self, SalesStatus},
        deal_participant::{self, ParticipantRole, ParticipantStatus},
        deal_refund,
        ids::{DealId, DealRefundId, PartnerId, ProgramId, ProgramVersionId, TouchpointId},
        job,
        partner::{self, PartnerStatus},
        program::{self, ProgramStatus},
        program_version,
        touchpoint::{self, DealMilestone, JourneyPhase, TouchpointKind, TouchpointStatus},
        user::Role,
    },
    incentives::accrue,
    platform::ids::{self, TypedId},
    settings::ProgramSettings,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    sea_query::Expr,
};
use serde_json::{Value, json};

use crate::support::{Answer, Case, Person, TestApp};

/// The cases of this folder.
pub fn cases() -> Vec<Case> {
    [
        touchpoints::cases(),
        attribution::cases(),
        plans::cases(),
        commission::cases(),
        once::cases(),
        rebates::cases(),
        recomputed::cases(),
        closing::cases(),
        days::cases(),
    ]
    .concat()
}

/// A programme, people of the vendor, and ways to make partners and deals.
#[derive(Clone)]
pub struct World {
    t: TestApp,
    program: ProgramId,
    version: ProgramVersionId,
    manager: Person,
    finance: Person,
    admin: Person,
}

impl World {
    /// A programme that pays by this model.
    pub async fn paying_by(t: &TestApp, model: AttributionModel) -> Self {
        Self::with(t, |settings| settings.attribution.official_model = model).await
    }

    /// A programme with these settings.
    pub async fn with(t: &TestApp, change: impl FnOnce(&mut ProgramSettings)) -> Self {
        let mut settings = ProgramSettings::default();
        change(&mut settings);
        assert_eq!(settings.faults(), []);
        let now = t.app.clock().now();
        let (program, version) = (
            ProgramId::of(ids::mint(now)),
            ProgramVersionId::of(ids::mint(now)),
        );
        t.write(move |tx| {
            let settings = settings.clone();
            Box::pin(async move {
                let row = program::Model {
                    id: program,
                    name: program.text(),
                    status: ProgramStatus::Active,
                    version: 1,
                    created_at: now,
                    updated_at: now,
                };
                tx.insert(row.into_active_model()).await?;
                let row = program_version::Model {
                    id: version,
                    program_id: program,
                    number: 1,
                    effective_from: now - TimeDelta::days(1_000),
                    settings: settings.documents()?,
                    created_by: None,
                    created_at: now,
                };
                tx.insert(row.into_active_model()).await
            })
        })
        .await
        .unwrap();
        Self {
            manager: t.vendor(Role::AllianceManager).await,
            finance: t.vendor(Role::Finance).await,
            admin: t.admin().await,
            t: t.clone(),
            program,
            version,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.t.app.clock().now()
    }

    /// So many days ago.
    fn ago(&self, days: i64) -> DateTime<Utc> {
        self.now() - TimeDelta::days(days)
    }

    /// An active partner of this name.
    pub async fn partner(&self, name: &'static str) -> PartnerId {
        let now = self.now();
        let id = PartnerId::of(ids::mint(now));
        let row = partner::ActiveModel {
            id: Set(id),
            legal_name: Set(format!("{name} Ltd")),
            display_name: Set(name.to_owned()),
            name_key: Set(name.to_lowercase()),
            status: Set(PartnerStatus::Active),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        self.insert(row).await;
        id
    }

    /// A manager of a partner.
    pub async fn manager_of(&self, partner: PartnerId) -> Person {
        self.t.person(Role::PartnerManager, Some(partner)).await
    }

    async fn insert<A>(&self, row: A)
    where
        A: sea_orm::ActiveModelTrait + Clone + Send + Sync + 'static,
    {
        self.t
            .write(move |tx| {
                let row = row.clone();
                Box::pin(async move { tx.insert(row).await })
            })
            .await
            .unwrap();
    }

    /// An open deal of this value in whole units of the currency.
    pub async fn deal(&self, value_minor: i64, currency: &str) -> DealId {
        let id = DealId::of(ids::mint(self.now()));
        let row = deal::Model {
            id,
            external_id: None,
            number: ids::number("D", id.uuid()),
            name: "Backup for Initech".to_owned(),
            program_id: self.program,
            program_version_id: self.version,
            customer_id: None,
            partner_id: None,
            business: Default::default(),
            value_minor,
            currency: currency.parse().unwrap(),
            stage: "PROPOSAL".to_owned(),
            status: SalesStatus::Open,
            time_zone: "UTC".to_owned(),
            expected_close_on: None,
            opened_at: self.ago(100),
            closed_at: None,
            loss_reason: None,
            loss_detail: None,
            competitor: None,
            refunded_minor: 0,
            version: 1,
            created_at: self.now(),
            updated_at: self.now(),
            fingerprint: None,
        };
        self.insert(row.into_active_model()).await;
        id
    }

    /// Takes a partner into a deal in a role, accepted so many days ago.
    pub async fn join(&self, deal: DealId, partner: PartnerId, role: ParticipantRole, days: i64) {
        let row = deal_participant::ActiveModel {
            id: Set(ensemble::entity::ids::DealParticipantId::of(ids::mint(
                self.now(),
            ))),
            deal_id: Set(deal),
            partner_id: Set(partner),
            role: Set(role),
            status: Set(ParticipantStatus::Accepted),
            invited_at: Set(self.ago(days)),
            accepted_at: Set(Some(self.ago(days))),
            version: Set(1),
            created_at: Set(self.ago(days)),
            updated_at: Set(self.ago(days)),
            ..Default::default()
        };
        self.insert(row).await;
    }

    /// A verified touchpoint so many days ago.
    pub async fn touch(&self, deal: DealId, partner: PartnerId, days: i64) -> TouchpointId {
        self.touch_in(deal, partner, JourneyPhase::Consideration, days)
            .await
    }

    /// The same in a phase of the journey.
    pub async fn touch_in(
        &self,
        deal: DealId,
        partner: PartnerId,
        phase: JourneyPhase,
        days: i64,
    ) -> TouchpointId {
        let id = TouchpointId::of(ids::mint(self.now()));
        let at = self.ago(days);
        let row = touchpoint::ActiveModel {
            id: Set(id),
            deal_id: Set(deal),
            partner_id: Set(partner),
            kind: Set(TouchpointKind::Demo),
            phase: Set(phase),
            milestone: Set(None::<DealMilestone>),
            occurred_at: Set(at),
            status: Set(TouchpointStatus::Verified),
            recorded_at: Set(at),
            verified_at: Set(Some(at)),
            version: Set(1),
            ..Default::default()
        };
        self.insert(row).await;
        id
    }

    /// Marks a deal as won now, as a stage move does, without credit or commission.
    pub async fn close(&self, deal: DealId) {
        let now = self.now();
        let won = move |row: &mut deal::Model| {
            row.status = SalesStatus::Won;
            row.closed_at = Some(now);
        };
        self.t.change_deal(deal, won).await;
    }

    /// Wins a deal now: credit, commission and ledger entries in one unit of work.
    pub async fn win(&self, deal: DealId) {
        self.close(deal).await;
        self.t
            .write(move |tx| {
                Box::pin(async move {
                    let deals = deal::Entity::find_by_id(deal).all(tx).await?;
                    let attributed = attribute::won(tx, &deals).await?;
                    accrue::won(tx, &attributed).await
                })
            })
            .await
            .unwrap();
    }

    /// Gives money back to the customer of a deal; returns how many lines that made.
    pub async fn refund(&self, deal: DealId, amount_minor: i64) -> u64 {
        let refunded_at = self.now();
        self.t
            .write(move |tx| {
                Box::pin(async move {
                    let mut row = deal::Entity::find_by_id(deal).one(tx).await?.unwrap();
                    row.refunded_minor += amount_minor;
                    deal::Entity::update_many()
                        .col_expr(deal::Column::RefundedMinor, Expr::value(row.refunded_minor))
                        .filter(deal::Column::Id.eq(deal))
                        .exec(tx)
                        .await?;
                    let refund = deal_refund::Model {
                        id: tx.id::<DealRefundId>(),
                        deal_id: deal,
                        amount_minor,
                        currency: row.currency,
                        reason: "The customer gave it back".to_owned(),
                        refunded_at,
                        actor_id: None,
                        created_at: tx.now(),
                    };
                    tx.insert(refund.clone().into_active_model()).await?;
                    accrue::refunded(tx, &row, &refund).await
                })
            })
            .await
            .unwrap()
    }

    async fn ask(&self, person: &Person, document: &str, variables: Value) -> Answer {
        self.t.ask(person, document, variables).await
    }

    /// The amounts of the official credit of a deal, as the vendor sees them.
    pub async fn credit(&self, deal: DealId) -> Vec<(String, String, String)> {
        let answer = self
            .ask(
                &self.manager,
                "query($id: ID!) { node(id: $id) { ... on Deal { attribution { credits { partner { displayName } share amount { amount } } } } } }",
                json!({"id": deal.text()}),
            )
            .await;
        rows(answer.at("node/attribution/0/credits"))
    }

    /// The runs, audit rows and jobs there are: a refusal adds to none of them.
    pub async fn written(&self) -> [u64; 4] {
        let db = self.t.app.db().reader();
        [
            touchpoint::Entity::find().count(db).await.unwrap(),
            attribution_run::Entity::find().count(db).await.unwrap(),
            audit_event::Entity::find().count(db).await.unwrap(),
            job::Entity::find().count(db).await.unwrap(),
        ]
    }
}

/// Partner, share and amount of rows of credit; what stays with the vendor has no name.
fn rows(credits: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |row: &Value| {
        (
            text(&row["partner"]["displayName"]),
            text(&row["share"]),
            text(&row["amount"]["amount"]),
        )
    };
    credits.as_array().unwrap().iter().map(row).collect()
}

/// Rows to compare with.
fn expect(rows: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    rows.iter()
        .map(|(name, share, amount)| {
            (
                (*name).to_owned(),
                (*share).to_owned(),
                (*amount).to_owned(),
            )
        })
        .collect()
}
