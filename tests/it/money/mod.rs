//! Money: the ledger, payouts and statements, on commission that is booked as winning and refunding book it.

pub mod accounts;
pub mod execution;
pub mod exports;
pub mod ledger;
pub mod payouts;
pub mod publishing;
pub mod shown;
pub mod statements;
pub mod steps;
pub mod verify;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};
use ensemble::{
    entity::{
        accrual::{self, AccrualKind},
        deal::{self, SalesStatus},
        deal_refund,
        ids::{
            DealId, DealRefundId, IncentivePlanId, PartnerId, PayoutRunId, ProgramId,
            ProgramVersionId,
        },
        incentive_plan::{self, PlanStatus},
        ledger_transaction::LedgerTransactionKind,
        partner::{self, PartnerStatus},
        payout,
        program::{self, ProgramStatus},
        program_version,
        user::Role,
    },
    events::Event,
    incentives::{
        PlanTerms,
        terms::{Component, ComponentKind},
    },
    ledger::{
        balance::{self, Balance},
        post::{self, NewTransaction},
        rules,
    },
    platform::{
        audit,
        ids::{self, TypedId},
        mail::Message,
        money::Currency,
        ppm::Ppm,
    },
    settings::ProgramSettings,
};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder,
};
use serde_json::{Value, json};

use crate::support::{Answer, Case, Person, TestApp};

/// All cases of this folder.
pub fn cases() -> Vec<Case> {
    [
        accounts::cases(),
        execution::cases(),
        exports::cases(),
        ledger::cases(),
        payouts::cases(),
        publishing::cases(),
        publishing::many::cases(),
        publishing::seen::cases(),
        shown::cases(),
        statements::cases(),
        steps::cases(),
        verify::cases(),
    ]
    .concat()
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A programme with one plan, and commission booked under it.
#[derive(Clone)]
pub struct Books {
    pub t: TestApp,
    pub program: ProgramId,
    pub version: ProgramVersionId,
    pub plan: IncentivePlanId,
    /// Creates runs.
    pub maker: Person,
    /// Approves and executes them.
    pub checker: Person,
}

impl Books {
    /// A programme with this minimum payout in US cents.
    pub async fn open(t: &TestApp, minimum: i64) -> Self {
        let (maker, checker) = (t.vendor(Role::Finance).await, t.vendor(Role::Finance).await);
        let now = t.app.clock().now();
        let (program, version, plan) = (
            ProgramId::of(ids::mint(now)),
            ProgramVersionId::of(ids::mint(now)),
            IncentivePlanId::of(ids::mint(now)),
        );
        let mut settings = ProgramSettings::default();
        settings.payouts.minimum_payout = BTreeMap::from([("USD".to_owned(), minimum)]);
        let terms = PlanTerms {
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
            holdback: Default::default(),
            clawback_days: 90,
        };
        let rows = (
            program::Model {
                id: program,
                name: "Growth".to_owned(),
                status: ProgramStatus::Active,
                version: 1,
                created_at: now,
                updated_at: now,
            },
            program_version::Model {
                id: version,
                program_id: program,
                number: 1,
                effective_from: now,
                settings: settings.documents().unwrap(),
                created_by: None,
                created_at: now,
            },
            incentive_plan::Model {
                id: plan,
                program_id: program,
                name: "Ten percent".to_owned(),
                number: 1,
                status: PlanStatus::Active,
                terms,
                currency: Currency::USD,
                effective_from: now,
                effective_to: None,
                created_by: maker.id,
                activated_by: Some(checker.id),
                activated_at: Some(now),
                version: 1,
                created_at: now,
                updated_at: now,
            },
        );
        t.write(move |tx| {
            let (program, version, plan) = rows.clone();
            Box::pin(async move {
                tx.insert(whole(program)).await?;
                tx.insert(whole(version)).await?;
                let activated = Event::PlanActivated { plan_id: plan.id };
                audit::append_past(tx, &activated, now, plan.activated_by).await?;
                tx.insert(whole(plan)).await
            })
        })
        .await
        .unwrap();
        Self {
            t: t.clone(),
            program,
            version,
            plan,
            maker,
            checker,
        }
    }

    pub async fn partner(&self, name: &str) -> PartnerId {
        self.partners([name.to_owned()]).await[0]
    }

    /// Partners in full standing, in the order of their ids.
    async fn partners(&self, names: impl IntoIterator<Item = String>) -> Vec<PartnerId> {
        let now = self.t.app.clock().now();
        let row = |name: String| partner::Model {
            id: PartnerId::of(ids::mint(now)),
            external_id: None,
            legal_name: name.clone(),
            display_name: name.clone(),
            name_key: name.to_lowercase(),
            size: None,
            country: None,
            region: None,
            website: None,
            registration_number: None,
            parent_id: None,
            status: PartnerStatus::Active,
            dpa_valid_until: None,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let rows: Vec<_> = names.into_iter().map(row).collect();
        let mut partners: Vec<_> = rows.iter().map(|row| row.id).collect();
        self.t
            .write(move |tx| Box::pin(tx.insert_models(rows.clone())))
            .await
            .unwrap();
        partners.sort();
        partners
    }

    /// So many partners, with a cent for each from one deal.
    pub async fn crowd(&self, size: usize) -> Vec<PartnerId> {
        let names = (0..size).map(|place| format!("Partner {place}"));
        let partners = self.partners(names).await;
        let lines: Vec<Earned> = partners.iter().map(|partner| earned(*partner, 1)).collect();
        self.win("2026-01-10T08:00:00Z", &lines).await;
        partners
    }

    /// Changes a partner's facts.
    pub async fn change(&self, partner: PartnerId, change: fn(&mut partner::Model)) {
        let mut row = partner::Entity::find_by_id(partner)
            .one(self.t.app.db().reader())
            .await
            .unwrap()
            .unwrap();
        change(&mut row);
        self.t
            .write(move |tx| {
                let row = whole(row.clone());
                Box::pin(async move { Ok(row.update(tx).await.map(|_: partner::Model| ())?) })
            })
            .await
            .unwrap();
    }

    /// A won deal of 100,000.00 with these lines, booked as winning books them.
    pub async fn win(&self, won_at: &str, lines: &[Earned]) -> DealId {
        self.win_in(Currency::USD, won_at, lines).await
    }

    pub async fn win_in(&self, currency: Currency, won_at: &str, lines: &[Earned]) -> DealId {
        let (books, lines, won_at): (Self, Arc<[Earned]>, _) =
            (self.clone(), lines.into(), at(won_at));
        let deal = DealId::of(ids::mint(won_at));
        self.t
            .write(move |tx| {
                let (books, lines) = (books.clone(), Arc::clone(&lines));
                Box::pin(async move {
                    tx.insert(whole(books.deal(deal, currency, won_at))).await?;
                    let mut transactions = Vec::new();
                    for line in lines.iter() {
                        let earned = books.line(
                            tx.id(),
                            deal,
                            line.partner,
                            AccrualKind::Earned,
                            line.amount,
                            currency,
                            won_at,
                        );
                        tx.insert(whole(earned)).await?;
                        if line.held > 0 {
                            let held = books.line(
                                tx.id(),
                                deal,
                                line.partner,
                                AccrualKind::Holdback,
                                line.held,
                                currency,
                                won_at,
                            );
                            let held = accrual::Model {
                                available_at: at(line.held_until),
                                ..held
                            };
                            tx.insert(whole(held)).await?;
                        }
                        transactions.push(NewTransaction {
                            kind: LedgerTransactionKind::Commission,
                            key: format!("deal:{deal}:commission:{}", line.partner),
                            subject_type: DealId::PREFIX,
                            subject_id: deal.uuid(),
                            effective_at: won_at,
                            currency,
                            postings: rules::won(line.partner.uuid(), line.amount, line.held)
                                .unwrap(),
                        });
                    }
                    post::post(tx, transactions).await.map(|_| ())
                })
            })
            .await
            .unwrap();
        deal
    }

    /// One more line of a deal that is won, earned or held, booked under this plan.
    pub async fn more(&self, deal: DealId, won_at: &str, line: &Earned) {
        let (books, won_at) = (self.clone(), at(won_at));
        let (partner, now, held) = (line.partner, line.amount, line.held);
        self.t
            .write(move |tx| {
                let books = books.clone();
                Box::pin(async move {
                    let id: ensemble::entity::ids::AccrualId = tx.id();
                    let usd = Currency::USD;
                    let kind = if held > 0 {
                        AccrualKind::Holdback
                    } else {
                        AccrualKind::Earned
                    };
                    let row = books.line(id, deal, partner, kind, now + held, usd, won_at);
                    tx.insert(whole(row)).await?;
                    let booked = NewTransaction {
                        kind: LedgerTransactionKind::Commission,
                        key: format!("more:{id}"),
                        subject_type: DealId::PREFIX,
                        subject_id: deal.uuid(),
                        effective_at: won_at,
                        currency: usd,
                        postings: rules::won(partner.uuid(), now, held).unwrap(),
                    };
                    post::post(tx, vec![booked]).await.map(|_| ())
                })
            })
            .await
            .unwrap();
    }

    /// So many more deals that hold this back, in one unit of work.
    pub async fn hold(&self, won_at: &str, held: &Earned, deals: usize) {
        let (books, held, won_at) = (self.clone(), *held, at(won_at));
        self.t
            .write(move |tx| {
                let books = books.clone();
                Box::pin(async move {
                    let usd = Currency::USD;
                    let deals: Vec<DealId> = (0..deals).map(|_| tx.id()).collect();
                    let won = deals.iter().map(|deal| books.deal(*deal, usd, won_at));
                    let line = |deal: &DealId| accrual::Model {
                        available_at: at(held.held_until),
                        ..books.line(
                            tx.id(),
                            *deal,
                            held.partner,
                            AccrualKind::Holdback,
                            held.held,
                            usd,
                            won_at,
                        )
                    };
                    let posted = deals.iter().map(|deal| NewTransaction {
                        kind: LedgerTransactionKind::Commission,
                        key: format!("deal:{deal}:commission"),
                        subject_type: DealId::PREFIX,
                        subject_id: deal.uuid(),
                        effective_at: won_at,
                        currency: usd,
                        postings: rules::won(held.partner.uuid(), 0, held.held).unwrap(),
                    });
                    tx.insert_models(won.collect()).await?;
                    tx.insert_models(deals.iter().map(line).collect()).await?;
                    post::post(tx, posted.collect()).await.map(|_| ())
                })
            })
            .await
            .unwrap();
    }

    /// A refund that takes these amounts back, booked as refunding books it.
    pub async fn refund(
        &self,
        deal: DealId,
        refunded_at: &str,
        amount: i64,
        taken_back: &[(PartnerId, i64)],
    ) {
        let (books, taken_back, refunded_at): (Self, Arc<[(PartnerId, i64)]>, _) =
            (self.clone(), taken_back.into(), at(refunded_at));
        self.t
            .write(move |tx| {
                let (books, taken_back) = (books.clone(), Arc::clone(&taken_back));
                Box::pin(async move {
                    let refund: DealRefundId = tx.id();
                    let row = deal::Entity::find_by_id(deal).one(tx).await?.unwrap();
                    let refunded = row.refunded_minor + amount;
                    let mut row = row.into_active_model();
                    row.refunded_minor = Set(refunded);
                    let _: deal::Model = row.update(tx).await?;
                    tx.insert(whole(deal_refund::Model {
                        id: refund,
                        deal_id: deal,
                        amount_minor: amount,
                        currency: Currency::USD,
                        reason: "Returned".to_owned(),
                        refunded_at,
                        actor_id: None,
                        created_at: tx.now(),
                    }))
                    .await?;
                    let mut transactions = Vec::new();
                    for (partner, back) in taken_back.iter() {
                        let line = books.line(
                            tx.id(),
                            deal,
                            *partner,
                            AccrualKind::Clawback,
                            -back,
                            Currency::USD,
                            refunded_at,
                        );
                        tx.insert(whole(accrual::Model {
                            refund_id: Some(refund),
                            ..line
                        }))
                        .await?;
                        transactions.push(NewTransaction {
                            kind: LedgerTransactionKind::Clawback,
                            key: format!("refund:{refund}:clawback:{partner}"),
                            subject_type: DealRefundId::PREFIX,
                            subject_id: refund.uuid(),
                            effective_at: refunded_at,
                            currency: Currency::USD,
                            postings: rules::clawed_back(partner.uuid(), *back).unwrap(),
                        });
                    }
                    post::post(tx, transactions).await.map(|_| ())
                })
            })
            .await
            .unwrap();
    }

    fn deal(&self, id: DealId, currency: Currency, won_at: DateTime<Utc>) -> deal::Model {
        deal::Model {
            id,
            external_id: None,
            number: ids::number("D", id.uuid()),
            name: "=HYPERLINK(evil)".to_owned(),
            program_id: self.program,
            program_version_id: self.version,
            customer_id: None,
            partner_id: None,
            business: Default::default(),
            value_minor: 10_000_000,
            currency,
            stage: "WON".to_owned(),
            status: SalesStatus::Won,
            time_zone: "UTC".to_owned(),
            expected_close_on: None,
            opened_at: won_at,
            closed_at: Some(won_at),
            loss_reason: None,
            loss_detail: None,
            competitor: None,
            refunded_minor: 0,
            version: 1,
            created_at: won_at,
            updated_at: won_at,
            fingerprint: None,
        }
    }

    fn line(
        &self,
        id: ensemble::entity::ids::AccrualId,
        deal_id: DealId,
        partner_id: PartnerId,
        kind: AccrualKind,
        amount_minor: i64,
        currency: Currency,
        earned_at: DateTime<Utc>,
    ) -> accrual::Model {
        accrual::Model {
            id,
            deal_id,
            plan_id: self.plan,
            component: 0,
            partner_id,
            program_id: self.program,
            kind,
            amount_minor,
            currency,
            weight: 1,
            pool_minor: 1_000_000,
            run_id: None,
            refund_id: None,
            earned_at,
            available_at: earned_at,
            payout_id: None,
            created_at: self.t.app.clock().now(),
        }
    }

    /// Creates a run through the API.
    pub async fn create(&self, by: &Person, start: &str, end: &str) -> Answer {
        let key = ids::mint(self.t.app.clock().now()).to_string();
        let input =
            json!({ "programId": self.program.text(), "periodStart": start, "periodEnd": end });
        self.t
            .ask(by, CREATE, json!({ "input": input, "key": key }))
            .await
    }

    /// Creates a run and returns its id.
    pub async fn created(&self, start: &str, end: &str) -> String {
        let answer = self.create(&self.maker, start, end).await;
        answer
            .done("payoutRunCreate")
            .text("payoutRunCreate/payoutRun/id")
    }

    pub async fn approve(&self, by: &Person, run: &str) -> Answer {
        self.t.ask(by, APPROVE, json!({ "id": run })).await
    }

    pub async fn execute(&self, by: &Person, run: &str, key: &str) -> Answer {
        self.t
            .ask(by, EXECUTE, json!({ "id": run, "key": key }))
            .await
    }

    /// Creates, approves and executes a run; returns its id.
    pub async fn pay(&self, start: &str, end: &str) -> String {
        let run = self.created(start, end).await;
        self.approve(&self.checker, &run)
            .await
            .done("payoutRunApprove");
        self.execute(&self.checker, &run, &run)
            .await
            .done("payoutRunExecute");
        run
    }

    /// The payments of a run by partner, in the order of the partners given.
    pub async fn paid(&self, run: &str, partners: &[PartnerId]) -> Vec<Option<i64>> {
        let run = PayoutRunId::parse(run).unwrap();
        let rows = payout::Entity::find()
            .filter(payout::Column::RunId.eq(run))
            .all(self.t.app.db().reader())
            .await
            .unwrap();
        let of = |partner: &PartnerId| {
            rows.iter()
                .find(|row| row.partner_id == *partner)
                .map(|row| row.amount_minor)
        };
        partners.iter().map(of).collect()
    }

    /// The balance of a partner in US dollars.
    pub async fn balance(&self, partner: PartnerId) -> Balance {
        let balances = balance::of(self.t.app.db().reader(), partner)
            .await
            .unwrap();
        balances
            .into_iter()
            .find(|b| b.currency == Currency::USD)
            .unwrap_or(Balance::zero(Currency::USD))
    }

    /// All commission lines, oldest first.
    pub async fn lines(&self) -> Vec<accrual::Model> {
        accrual::Entity::find()
            .order_by_asc(accrual::Column::Id)
            .all(self.t.app.db().reader())
            .await
            .unwrap()
    }

    /// How many rows every table of a change holds: payouts, runs, ledger, audit and jobs.
    pub async fn rows(&self) -> Vec<u64> {
        use ensemble::entity::{
            audit_event, job, ledger_entry, ledger_transaction, payout_exception, payout_run,
        };
        let db = self.t.app.db().reader();
        vec![
            payout_run::Entity::find().count(db).await.unwrap(),
            payout::Entity::find().count(db).await.unwrap(),
            payout_exception::Entity::find().count(db).await.unwrap(),
            accrual::Entity::find()
                .filter(accrual::Column::PayoutId.is_not_null())
                .count(db)
                .await
                .unwrap(),
            ledger_transaction::Entity::find().count(db).await.unwrap(),
            ledger_entry::Entity::find().count(db).await.unwrap(),
            audit_event::Entity::find().count(db).await.unwrap(),
            job::Entity::find().count(db).await.unwrap(),
        ]
    }
}

/// The mails that went out for an event.
pub fn mailed(t: &TestApp, event: &str) -> impl Iterator<Item = Message> {
    let sent = t.outbox.sent().into_iter().map(|mail| mail.message);
    sent.filter(move |message| {
        let mut headers = message.headers.iter();
        headers.any(|(name, value)| name == "X-Ensemble-Event" && value == event)
    })
}

/// A line of a win.
#[derive(Clone, Copy)]
pub struct Earned {
    pub partner: PartnerId,
    pub amount: i64,
    pub held: i64,
    pub held_until: &'static str,
}

/// A line without holdback.
pub fn earned(partner: PartnerId, amount: i64) -> Earned {
    Earned {
        partner,
        amount,
        held: 0,
        held_until: "",
    }
}

/// Every column of a row is written.
pub fn whole<M, A>(row: M) -> A
where
    M: IntoActiveModel<A>,
    A: ActiveModelTrait,
{
    row.into_active_model().reset_all()
}

/// Statements that the migrations' triggers refuse, run as an operator would.
pub async fn operator(t: &TestApp, sql: &str) -> Result<u64, String> {
    let done = t.app.db().maintenance().execute_unprepared(sql).await;
    done.map(|done| done.rows_affected())
        .map_err(|error| error.to_string())
}

pub fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

pub const CREATE: &str = r"mutation($input: PayoutRunCreateInput!, $key: String!) {
    payoutRunCreate(input: $input) @idempotent(key: $key) {
        payoutRun { id number status payoutCount totals { amount currency } allowedActions }
        userErrors { code message field }
    }
}";
pub const APPROVE: &str = r"mutation($id: ID!) {
    payoutRunApprove(input: {payoutRunId: $id}) { payoutRun { id status createdBy { id } approvedBy { id } } userErrors { code message field } }
}";
pub const EXECUTE: &str = r"mutation($id: ID!, $key: String!) {
    payoutRunExecute(input: {payoutRunId: $id}) @idempotent(key: $key) {
        payoutRun { id number status exportFile allowedActions } userErrors { code message field }
    }
}";
