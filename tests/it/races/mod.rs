//! Promises that only parallel callers, several processes, jumping clocks or large books can break.

mod books;
mod bounds;
mod claims;
mod client;
mod columns;
mod decisions;
mod facts;
mod keys;
mod lanes;
mod model;
mod unreadable;
mod verify;
mod volume;
mod work;

use ensemble::{
    access::{Actor, SignedIn},
    entity::{
        enrollment,
        ids::{
            EnrollmentId, IncentivePlanId, PartnerId, ProgramId, ProgramVersionId, SessionId,
            UserId,
        },
        partner::{self, PartnerStatus},
        program::{self, ProgramStatus},
        program_version,
        user::{self, Role, UserStatus},
    },
    ledger::balance::{self, Balance},
    platform::{
        ids::{self, TypedId},
        money::Currency,
    },
    settings::ProgramSettings,
};
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};

use crate::{
    deals::market::*,
    support::{Answer, Case, Person, TestApp},
};

/// The cases of this folder.
pub fn cases() -> Vec<Case> {
    [
        books::cases(),
        bounds::cases(),
        claims::cases(),
        columns::cases(),
        decisions::cases(),
        facts::cases(),
        keys::cases(),
        lanes::cases(),
        model::cases(),
        unreadable::cases(),
        verify::cases(),
        volume::cases(),
        work::cases(),
    ]
    .concat()
}

/// A number from the environment, for the long form of a test.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the long form says how long"
)]
fn from_environment(name: &str) -> Option<u32> {
    std::env::var(name).ok()?.parse().ok()
}

/// An idempotency key that nobody else has.
fn fresh_key(t: &TestApp) -> String {
    ids::mint(t.app.clock().now()).to_string()
}

/// Asks as a client does: whoever is told that the database is busy repeats the same call.
async fn answered<F: Future<Output = Answer>>(ask: impl Fn() -> F) -> Answer {
    for _ in 0..100 {
        let answer = ask().await;
        let code = answer.json["errors"][0]["extensions"]["code"].as_str();
        if !matches!(code, Some("RETRY_LATER" | "TIMEOUT")) {
            return answer;
        }
    }
    panic!("the database is busy for ever");
}

/// Starts all at once and awaits them; the outcomes come in their order.
async fn at_once<T, F>(callers: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let running: Vec<_> = callers.into_iter().map(tokio::spawn).collect();
    let mut outcomes = Vec::with_capacity(running.len());
    for caller in running {
        outcomes.push(caller.await.unwrap());
    }
    outcomes
}

/// The refusals of many answers: how many had none, and the codes of the others, sorted.
fn tally(answers: &[Answer], mutation: &str) -> (usize, Vec<String>) {
    let refusals = answers.iter().map(|answer| answer.refusals(mutation));
    let mut codes: Vec<String> = refusals.clone().flatten().collect();
    codes.sort();
    (refusals.filter(Vec::is_empty).count(), codes)
}

/// Many gold partners with a manager each, made in one go. Each one's name contains "Confidential".
async fn many(t: &TestApp, market: Market, count: usize) -> Vec<Seller> {
    let now = t.app.clock().now();
    let sellers: Vec<Seller> = (0..count)
        .map(|_| {
            let (partner, user) = (PartnerId::of(ids::mint(now)), UserId::of(ids::mint(now)));
            let actor = Actor::User(SignedIn {
                user_id: user,
                role: Role::PartnerManager,
                partner_id: Some(partner),
                session_id: SessionId::of(ids::mint(now)),
            });
            let manager = Person {
                id: user,
                email: format!("{}@people.example", user.text()),
                actor,
            };
            Seller { partner, manager }
        })
        .collect();
    let names = |n| format!("Confidential Partner {n}");
    let partners = sellers
        .iter()
        .enumerate()
        .map(|(n, seller)| partner::ActiveModel {
            id: Set(seller.partner),
            external_id: Set(None),
            legal_name: Set(names(n)),
            display_name: Set(names(n)),
            name_key: Set(names(n).to_lowercase()),
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
        });
    let places = sellers.iter().map(|seller| enrollment::ActiveModel {
        id: Set(EnrollmentId::of(ids::mint(now))),
        program_id: Set(market.program),
        partner_id: Set(seller.partner),
        tier: Set("GOLD".to_owned()),
        version: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    });
    let users = sellers.iter().map(|seller| user::ActiveModel {
        id: Set(seller.manager.id),
        email: Set(seller.manager.email.clone()),
        name: Set("Manager".to_owned()),
        role: Set(Role::PartnerManager),
        partner_id: Set(Some(seller.partner)),
        status: Set(UserStatus::Active),
        password_hash: Set(None),
        locale: Set("en".to_owned()),
        version: Set(1),
        created_at: Set(now),
        updated_at: Set(now),
    });
    let rows = (
        partners.collect::<Vec<_>>(),
        places.collect::<Vec<_>>(),
        users.collect::<Vec<_>>(),
    );
    t.write(move |tx| {
        let (partners, places, users) = rows.clone();
        Box::pin(async move {
            tx.insert_all(partners).await?;
            tx.insert_all(places).await?;
            tx.insert_all(users).await
        })
    })
    .await
    .unwrap();
    sellers
}

/// A programme of its own that pays the partner who brings a deal ten percent of it, a quarter of that held back for
/// thirty days, and takes it back after refunds; without a smallest payout.
#[derive(Clone)]
struct Realm {
    t: TestApp,
    market: Market,
    /// Wins deals.
    manager: Person,
    /// Refunds, creates and cancels runs.
    maker: Person,
    /// Approves and executes them.
    checker: Person,
}

impl Realm {
    async fn open(t: &TestApp, market: Market) -> Self {
        let now = t.app.clock().now();
        let (program, version) = (
            ProgramId::of(ids::mint(now)),
            ProgramVersionId::of(ids::mint(now)),
        );
        let mut settings = ProgramSettings::default();
        settings.payouts.minimum_payout.clear();
        let settings = settings.documents().unwrap();
        t.write(move |tx| {
            let settings = settings.clone();
            Box::pin(async move {
                tx.insert(program::ActiveModel {
                    id: Set(program),
                    name: Set(program.text()),
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
                    settings: Set(settings),
                    created_by: Set(None),
                    created_at: Set(now),
                })
                .await
            })
        })
        .await
        .unwrap();
        let realm = Self {
            t: t.clone(),
            market: Market { program, ..market },
            manager: t.vendor(Role::AllianceManager).await,
            maker: t.vendor(Role::Finance).await,
            checker: t.vendor(Role::Finance).await,
        };
        realm
            .plan(json!({
                "name": "Ten percent", "clawbackDays": 3_660,
                "components": [{ "kind": "REFERRAL_FEE", "ratePercent": "10" }],
                "holdback": { "percent": "25", "days": 30 },
            }))
            .await;
        realm
    }

    /// A plan in dollars that pays from now on.
    async fn plan(&self, mut input: Value) -> IncentivePlanId {
        let create = "mutation($input: IncentivePlanCreateInput!) { incentivePlanCreate(input: $input) { incentivePlan { id } userErrors { code field message } } }";
        input["programId"] = json!(self.market.program.text());
        input["currency"] = json!("USD");
        let made = self
            .t
            .ask(&self.manager, create, json!({ "input": input }))
            .await;
        let plan = made
            .done("incentivePlanCreate")
            .text("incentivePlanCreate/incentivePlan/id");
        let activate = "mutation($id: ID!) { incentivePlanActivate(input: {planId: $id}) { incentivePlan { id } userErrors { code } } }";
        self.t
            .ask(&self.checker, activate, json!({ "id": plan }))
            .await
            .done("incentivePlanActivate");
        IncentivePlanId::parse(&plan).unwrap()
    }

    async fn seller(&self, name: &str) -> Seller {
        gold(&self.t, self.market, name).await
    }

    /// An open deal of so many cents that a partner brought.
    async fn deal(&self, seller: &Seller, cents: i64) -> String {
        let t = &self.t;
        let input = json!({
            "programId": self.market.program.text(),
            "name": "Deal",
            "products": [{ "productId": self.market.router.text() }],
            "value": { "amount": decimal(cents), "currency": "USD" },
        });
        let deal = on_deal(t, &self.manager, "dealCreate", input)
            .await
            .done("dealCreate")
            .text("dealCreate/deal/id");
        let participant = invited(t, &self.manager, &deal, seller.partner, "SOURCER").await;
        let input = json!({ "participantId": participant });
        on_participant(t, &seller.manager, "dealParticipantAccept", input)
            .await
            .done("dealParticipantAccept");
        deal
    }

    /// A won deal of so many cents that a partner brought.
    async fn win(&self, seller: &Seller, cents: i64) -> String {
        let deal = self.deal(seller, cents).await;
        on_deal(&self.t, &self.manager, "dealWin", json!({ "dealId": deal }))
            .await
            .done("dealWin");
        deal
    }

    async fn refund(&self, on: &TestApp, deal: &str, cents: i64) -> Answer {
        on_deal(on, &self.maker, "dealRefund", refund_of(deal, cents)).await
    }

    async fn create(&self, on: &TestApp) -> Answer {
        let input = json!({
            "programId": self.market.program.text(), "periodStart": "2026-01-01", "periodEnd": "2999-12-31",
        });
        let variables = json!({ "input": input, "key": fresh_key(on) });
        on.ask(&self.maker, crate::money::CREATE, variables).await
    }

    /// Creates a run; returns its id.
    async fn created(&self) -> String {
        let answer = self.create(&self.t).await;
        answer
            .done("payoutRunCreate")
            .text("payoutRunCreate/payoutRun/id")
    }

    async fn approve(&self, on: &TestApp, run: &str) -> Answer {
        on.ask(&self.checker, crate::money::APPROVE, json!({ "id": run }))
            .await
    }

    async fn cancel(&self, on: &TestApp, run: &str) -> Answer {
        let cancel = "mutation($id: ID!) { payoutRunCancel(input: {payoutRunId: $id}) { payoutRun { id status } userErrors { code } } }";
        on.ask(&self.maker, cancel, json!({ "id": run })).await
    }

    async fn execute(&self, on: &TestApp, run: &str) -> Answer {
        let variables = json!({ "id": run, "key": fresh_key(on) });
        on.ask(&self.checker, crate::money::EXECUTE, variables)
            .await
    }

    /// Creates, approves and executes a run; returns its id.
    async fn pay(&self) -> String {
        let run = self.created().await;
        self.approve(&self.t, &run).await.done("payoutRunApprove");
        self.execute(&self.t, &run).await.done("payoutRunExecute");
        run
    }

    async fn balance(&self, partner: PartnerId) -> Balance {
        let db = self.t.app.db().reader();
        let balances = balance::of(db, partner).await.unwrap();
        balances
            .into_iter()
            .next()
            .unwrap_or(Balance::zero(Currency::USD))
    }
}

fn refund_of(deal: &str, cents: i64) -> Value {
    json!({ "dealId": deal, "amount": { "amount": decimal(cents), "currency": "USD" }, "reason": "returned goods" })
}

/// Cents as a decimal text.
fn decimal(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
