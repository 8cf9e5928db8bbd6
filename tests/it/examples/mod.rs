//! Worked examples, played to the cent through the API by the people who would play them. Only people are there from
//! the start, as if they had signed in; everything else comes from operations.

mod carried;
mod compared;
mod mails;
mod paid;
mod taken_back;

use chrono::TimeDelta;
use ensemble::{
    entity::{ids::PartnerId, user::Role},
    platform::ids::{self, TypedId},
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::{
    deals::market::{invited, on_deal, on_participant},
    money::{APPROVE, CREATE, EXECUTE},
    support::{Answer, Case, Person, TestApp},
};

/// The cases of this folder.
pub fn cases() -> Vec<Case> {
    [
        carried::cases(),
        compared::cases(),
        mails::cases(),
        paid::cases(),
        taken_back::cases(),
    ]
    .concat()
}

/// A partner and its administrator.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: &'static str,
    pub id: PartnerId,
    pub own: Person,
}

/// A touchpoint: whose, so many days ago, of which kind, and what it brought about.
type Touch = (usize, i64, &'static str, Option<&'static str>);

/// One touchpoint of each partner, 60, 30 and 0 days before the close.
const ONE_EACH: [Touch; 3] = [
    (0, 60, "REFERRAL", None),
    (1, 30, "WORKSHOP", None),
    (2, 0, "IMPLEMENTATION", None),
];

/// In which role each of the three takes part in deals.
const ROLES: [&str; 3] = ["INFLUENCER", "RESELLER", "IMPLEMENTER"];

/// A programme with three partners.
#[derive(Clone)]
pub struct House {
    pub t: TestApp,
    pub program: String,
    pub product: String,
    /// Administrator: sets the programme up, approves runs.
    pub ada: Person,
    /// Alliance manager: looks after partners and deals, drafts plans.
    pub luis: Person,
    /// Finance: puts plans into force, refunds, makes runs and executes them.
    pub mina: Person,
    pub partners: [Member; 3],
}

impl House {
    /// A programme that pays by time decay with a half-life of 30 days, with these settings more.
    pub async fn open(t: &TestApp, settings: Value) -> Self {
        let [ada, luis, mina] = [
            t.admin().await,
            t.vendor(Role::AllianceManager).await,
            t.vendor(Role::Finance).await,
        ];
        let mut all =
            json!({ "officialModel": "TIME_DECAY", "attribution": { "halfLifeDays": 30 } });
        for (name, value) in settings.as_object().unwrap() {
            all[name] = value.clone();
        }
        let program = json!({ "name": "Partner programme", "settings": all });
        let program = done(t, &ada, "programCreate", "program { id }", program)
            .await
            .text("programCreate/program/id");
        let family = json!({ "code": "CARE", "name": "Care" });
        done(
            t,
            &ada,
            "productFamilyCreate",
            "productFamily { id }",
            family,
        )
        .await;
        let product = json!({ "family": "CARE", "sku": "CARE-1", "name": "Care One" });
        let product = done(t, &ada, "productCreate", "product { id }", product)
            .await
            .text("productCreate/product/id");
        let mut partners = Vec::new();
        for name in ["Northwind", "Blue Fjord", "Cobalt"] {
            partners.push(member(t, &luis, &program, name).await);
        }
        Self {
            t: t.clone(),
            program,
            product,
            ada,
            luis,
            mina,
            partners: partners.try_into().unwrap(),
        }
    }

    /// A plan, drafted by the alliance manager and put into force by finance.
    pub async fn plan(&self, mut input: Value) {
        input["programId"] = json!(self.program);
        let plan = done(
            &self.t,
            &self.luis,
            "incentivePlanCreate",
            "incentivePlan { id }",
            input,
        )
        .await
        .text("incentivePlanCreate/incentivePlan/id");
        let plan = json!({ "planId": plan });
        done(
            &self.t,
            &self.mina,
            "incentivePlanActivate",
            "incentivePlan { id }",
            plan,
        )
        .await;
    }

    /// An open deal of this value in US dollars: the three were invited, accepted, and recorded what they did, which
    /// the alliance manager verified.
    pub async fn deal(&self, value: &str, touches: &[Touch]) -> String {
        let t = &self.t;
        let deal = json!({
            "programId": self.program, "name": "Aurora", "products": [{ "productId": self.product }],
            "value": { "amount": value, "currency": "USD" },
        });
        let deal = on_deal(t, &self.luis, "dealCreate", deal)
            .await
            .done("dealCreate")
            .text("dealCreate/deal/id");
        for (member, role) in self.partners.iter().zip(ROLES) {
            let participant = invited(t, &self.luis, &deal, member.id, role).await;
            let input = json!({ "participantId": participant });
            on_participant(t, &member.own, "dealParticipantAccept", input)
                .await
                .done("dealParticipantAccept");
        }
        for (partner, days, kind, milestone) in touches {
            let touch = json!({
                "dealId": deal, "kind": kind, "phase": "CONSIDERATION", "milestone": milestone,
                "occurredAt": (t.app.clock().now() - TimeDelta::days(*days)).to_rfc3339(), "evidence": "minutes",
            });
            let own = &self.partners[*partner].own;
            let touch = done(t, own, "touchpointRecord", "touchpoint { id }", touch)
                .await
                .text("touchpointRecord/touchpoint/id");
            let touch = json!({ "touchpointId": touch });
            done(
                t,
                &self.luis,
                "touchpointVerify",
                "touchpoint { id }",
                touch,
            )
            .await;
        }
        deal
    }

    /// Closes a deal as won now.
    pub async fn win(&self, deal: &str) {
        on_deal(&self.t, &self.luis, "dealWin", json!({ "dealId": deal }))
            .await
            .done("dealWin");
    }

    /// A deal that the three won now, with one touchpoint each.
    pub async fn won(&self, value: &str) -> String {
        let deal = self.deal(value, &ONE_EACH).await;
        self.win(&deal).await;
        deal
    }

    /// Money goes back to the customer now.
    pub async fn refund(&self, deal: &str, amount: &str) {
        let input = json!({
            "dealId": deal, "amount": { "amount": amount, "currency": "USD" }, "reason": "Returned",
        });
        on_deal(&self.t, &self.mina, "dealRefund", input)
            .await
            .done("dealRefund");
    }

    /// Makes a run over these days, has it approved by another, and executes it; returns it.
    pub async fn pay(&self, start: &str, end: &str) -> Value {
        let t = &self.t;
        let input = json!({ "programId": self.program, "periodStart": start, "periodEnd": end });
        let run = t
            .ask(&self.mina, CREATE, json!({ "input": input, "key": key(t) }))
            .await
            .done("payoutRunCreate")
            .text("payoutRunCreate/payoutRun/id");
        t.ask(&self.ada, APPROVE, json!({ "id": run }))
            .await
            .done("payoutRunApprove");
        t.ask(&self.mina, EXECUTE, json!({ "id": run, "key": key(t) }))
            .await
            .done("payoutRunExecute");
        t.settle().await;
        let document = "query($id: ID!) { payoutRun(id: $id) { status payoutCount totals { amount currency }
            payouts { nodes { status lineCount amount { amount } lines { nodes { kind amount { amount } } } } } } }";
        let answer = t.ask(&self.mina, document, json!({ "id": run })).await;
        assert_eq!(answer.at("payoutRun/status"), "COMPLETED");
        answer.at("payoutRun").clone()
    }

    /// The amounts of one kind of a deal's commission lines, in the order of the partners, as finance sees them.
    pub async fn lines(&self, deal: &str, kind: &str) -> Vec<String> {
        let document = "query($id: ID!) { deal(id: $id) { accruals { nodes { kind amount { amount } partner { id } } } } }";
        let answer = self
            .t
            .ask(&self.mina, document, json!({ "id": deal }))
            .await;
        let lines = answer.at("deal/accruals/nodes").as_array().unwrap();
        let of = |member: &Member| {
            let own = lines
                .iter()
                .filter(|line| line["partner"]["id"] == member.id.text() && line["kind"] == kind);
            own.map(|line| line["amount"]["amount"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        self.partners.iter().flat_map(of).collect()
    }

    /// What each of the three reads of its own statement: opening, earned, adjustments, paid and closing.
    pub async fn statements(&self, start: &str, end: &str) -> Vec<[String; 5]> {
        let mut read = Vec::new();
        for member in &self.partners {
            let answer = statement(&self.t, &member.own, member, start, end).await;
            read.push(sums(&answer));
        }
        read
    }

    /// What each of the three reads of its own balance: accrued, held, payable, in payout, paid, and to give back.
    pub async fn balances(&self) -> Vec<[String; 6]> {
        let document = "query($id: ID!) { partner(id: $id) { balance { accrued { amount } held { amount }
            payable { amount } inPayout { amount } paid { amount } clawbackReceivable { amount } } } }";
        let mut read = Vec::new();
        for Member { id, own, .. } in &self.partners {
            let answer = self.t.ask(own, document, json!({ "id": id.text() })).await;
            let names = [
                "accrued",
                "held",
                "payable",
                "inPayout",
                "paid",
                "clawbackReceivable",
            ];
            read.push(names.map(|name| answer.text(&format!("partner/balance/{name}/amount"))));
        }
        read
    }
}

/// A partner in full standing in the programme, and its administrator.
async fn member(t: &TestApp, luis: &Person, program: &str, name: &'static str) -> Member {
    let partner = json!({ "legalName": name, "types": ["SI"] });
    let id = done(t, luis, "partnerCreate", "partner { id }", partner)
        .await
        .text("partnerCreate/partner/id");
    let active = json!({ "partnerId": id });
    done(t, luis, "partnerActivate", "partner { id }", active).await;
    let place = json!({ "partnerId": id, "programId": program, "tier": "GOLD" });
    done(t, luis, "partnerEnroll", "partner { id }", place).await;
    let id = PartnerId::parse(&id).unwrap();
    let own = t.person(Role::PartnerAdministrator, Some(id)).await;
    Member { name, id, own }
}

/// Runs a mutation that must not refuse.
async fn done(t: &TestApp, person: &Person, mutation: &str, object: &str, input: Value) -> Answer {
    let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!(
        "mutation($input: {kind}!, $key: String!) {{ {mutation}(input: $input) @idempotent(key: $key) \
         {{ {object} userErrors {{ code message field }} }} }}"
    );
    let variables = json!({ "input": input, "key": key(t) });
    let answer = t.ask(person, &document, variables).await;
    answer.done(mutation).clone()
}

/// A key that nothing else has.
fn key(t: &TestApp) -> String {
    ids::mint(t.app.clock().now()).to_string()
}

/// A partner's statement about these days, as somebody asks for it.
async fn statement(t: &TestApp, by: &Person, of: &Member, start: &str, end: &str) -> Answer {
    let document = "query($id: ID!, $start: Date!, $end: Date!) { partner(id: $id) {
        statement(periodStart: $start, periodEnd: $end) {
            currency opening { amount } earned { amount } adjustments { amount } paid { amount } closing { amount } csv } } }";
    let variables = json!({ "id": of.id.text(), "start": start, "end": end });
    t.ask(by, document, variables).await
}

/// Opening, earned, adjustments, paid and closing of a statement.
fn sums(answer: &Answer) -> [String; 5] {
    let names = ["opening", "earned", "adjustments", "paid", "closing"];
    names.map(|name| answer.text(&format!("partner/statement/{name}/amount")))
}

/// The sum of amounts.
fn sum<'a>(amounts: impl IntoIterator<Item = &'a str>) -> Decimal {
    amounts
        .into_iter()
        .map(|amount| amount.parse::<Decimal>().unwrap())
        .sum()
}

fn amount(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A plan of a pool of ten percent, which refunds within 90 days take back.
fn ten_percent() -> Value {
    json!({
        "name": "Ten percent", "currency": "USD", "clawbackDays": 90,
        "components": [{ "kind": "INFLUENCE_POOL", "ratePercent": "10" }],
    })
}
