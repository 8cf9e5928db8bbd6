//! One seeded world, and everybody who may come to it.

use std::collections::BTreeMap;

use ensemble::{
    entity::{
        deal,
        ids::{DealId, JobId, PartnerId, SessionId},
        job, payout, user,
    },
    identity::{Actor, Role, SignedIn, TokenPurpose},
    platform::{
        ids::{self, TypedId},
        jobs::JobStatus,
    },
    seeds::{self, Player, Step},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::sdl::Sdl;
use crate::{
    identity::{latest_token, member},
    support::{Answer, Person, TestApp},
};

/// Whose eyes a column of a table sees with, relative to the deal in the middle of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Nobody,
    Vendor,
    /// The deal's own partner.
    Owner,
    /// A partner with an accepted role on the deal.
    Participant,
    /// A partner who had a role, recorded work, and was removed.
    Removed,
    /// A partner who was invited and declined.
    Declined,
    /// A partner who never had to do with the deal.
    Stranger,
}

/// A caller.
pub struct Column {
    pub head: &'static str,
    pub side: Side,
    pub role: Option<Role>,
    pub partner: Option<PartnerId>,
    pub actor: Actor,
}

impl Column {
    pub fn is_partner(&self) -> bool {
        self.partner.is_some()
    }
}

pub struct World {
    pub t: TestApp,
    pub sdl: Sdl,
    /// The callers, in the order of the tables.
    pub columns: Vec<Column>,
    /// Ids by name.
    pub ids: BTreeMap<String, String>,
    player: Player,
}

/// The partners of the world beside those of the demo.
const EXTRA: [(&str, &str); 3] = [
    ("kestrel", "Kestrel Laboratories"),
    ("quarry", "Quarry Analytics"),
    ("tundra", "Tundra Logistics"),
];

/// Who sets an account for which partner.
pub const ACCOUNTS: [(&str, &str, &str); 2] = [
    ("own.adm", "northwind", "DE44500105175407324931"),
    ("part.adm", "bluefjord", "FR1420041010050500013M02606"),
];

impl World {
    pub async fn build(t: &TestApp) -> Self {
        seeds::load(&t.app).await.unwrap();
        let mut world = Self {
            t: t.clone(),
            sdl: Sdl::read(),
            columns: Vec::new(),
            ids: BTreeMap::new(),
            player: Player::new(&t.app),
        };
        world.look_around().await;
        world.welcome().await;
        world.set_accounts().await;
        world.share_a_deal().await;
        world.pay_the_deal_of_the_demo().await;
        world.lay_out_what_changes_need().await;
        t.settle().await;
        world
    }

    /// The id known under a name.
    #[track_caller]
    pub fn id(&self, name: &str) -> &str {
        self.ids
            .get(name)
            .unwrap_or_else(|| panic!("nothing is called {name}"))
    }

    fn partner(&self, name: &str) -> PartnerId {
        PartnerId::parse(self.id(name)).unwrap()
    }

    pub fn column(&self, head: &str) -> &Column {
        self.columns
            .iter()
            .find(|column| column.head == head)
            .unwrap()
    }

    /// Whether an operation is a query or a mutation.
    pub fn root_of(&self, operation: &str) -> &'static str {
        let queries = self.sdl.fields("Query");
        match queries.iter().any(|field| field.name.node == operation) {
            true => "Query",
            false => "Mutation",
        }
    }

    /// Does an operation of the demo's documents.
    async fn play(&mut self, by: &str, run: &str, input: Value, saves: &[(&str, &str)]) {
        let save: BTreeMap<_, _> = saves.iter().copied().collect();
        let step = json!({"as": by, "run": run, "with": {"input": input}, "save": save});
        let step: Step = serde_json::from_value(step).unwrap();
        self.player.play(&step).await.unwrap();
        for (name, _) in saves {
            let id = self.player.saved[*name].as_str().unwrap().to_owned();
            self.ids.insert((*name).to_owned(), id);
        }
    }

    /// Calls a mutation that the demo has no document for; it must succeed.
    async fn act(&self, by: &str, mutation: &str, input: Value) {
        let arguments = json!({ "input": input });
        let answer = self
            .call(
                &self.person(by).await,
                "Mutation",
                mutation,
                &arguments,
                "{ userErrors { code message field } }",
            )
            .await;
        answer.done(mutation);
    }

    async fn person(&self, email: &str) -> Actor {
        let row = user::Entity::find().filter(user::Column::Email.eq(email));
        let row = row.one(self.t.app.db().reader()).await.unwrap().unwrap();
        Actor::User(SignedIn {
            user_id: row.id,
            role: row.role,
            partner_id: row.partner_id,
            session_id: SessionId::of(ids::mint(self.t.app.clock().now())),
        })
    }

    /// Calls one root field; `rest` is its selection.
    pub async fn call(
        &self,
        actor: &Actor,
        root: &str,
        name: &str,
        arguments: &Value,
        rest: &str,
    ) -> Answer {
        let rest = format!("{} {rest}", self.directive(root));
        let document = self
            .sdl
            .document(root, name, arguments.as_object().unwrap(), &rest);
        self.t.ask_as(actor, &document, arguments.clone()).await
    }

    /// An idempotency key for a mutation, a new one each time; some demand one.
    pub fn directive(&self, root: &str) -> String {
        match root {
            "Mutation" => format!(
                "@idempotent(key: \"{}\")",
                ids::mint(self.t.app.clock().now())
            ),
            _ => String::new(),
        }
    }

    async fn look_around(&mut self) {
        let admin = self.t.admin().await;
        let document =
            "{ partners(first: 100) { nodes { id displayName } } programs { nodes { id } }
            products(first: 1) { nodes { id } } productFamilies(first: 1) { nodes { id } }
            incentivePlans { nodes { id } } payoutRuns { nodes { id } }
            deals(first: 100) { nodes { id name registration { id } customer { id } } } }";
        let answer = self.t.ask(&admin, document, json!({})).await;
        for (name, path) in [
            ("program", "programs/nodes/0/id"),
            ("product", "products/nodes/0/id"),
            ("family", "productFamilies/nodes/0/id"),
            ("plan", "incentivePlans/nodes/0/id"),
            ("run", "payoutRuns/nodes/0/id"),
        ] {
            self.ids.insert(name.to_owned(), answer.text(path));
        }
        for row in answer.at("partners/nodes").as_array().unwrap() {
            let name = row["displayName"]
                .as_str()
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .to_lowercase();
            let name = if name == "blue" {
                "bluefjord".to_owned()
            } else {
                name
            };
            self.ids
                .insert(name, row["id"].as_str().unwrap().to_owned());
        }
        for row in answer.at("deals/nodes").as_array().unwrap() {
            let name = row["name"]
                .as_str()
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .to_lowercase();
            self.ids.insert(
                format!("{name} customer"),
                row["customer"]["id"].as_str().unwrap().to_owned(),
            );
            self.ids
                .insert(name, row["id"].as_str().unwrap().to_owned());
        }
    }

    async fn welcome(&mut self) {
        for (name, display) in EXTRA {
            let input = json!({"displayName": display, "legalName": format!("{display} AG"), "types": ["CONSULTANCY"]});
            self.play(
                "luis@vendor.example",
                "AddPartner",
                input,
                &[(name, "partnerCreate/partner/id")],
            )
            .await;
            let id = self.id(name).to_owned();
            self.play(
                "luis@vendor.example",
                "ActivatePartner",
                json!({"partnerId": id}),
                &[],
            )
            .await;
            let input = json!({"partnerId": id, "programId": self.id("program"), "tier": "SILVER"});
            self.play("luis@vendor.example", "Enroll", input, &[]).await;
        }
        let everybody = [
            ("none", Side::Nobody, None, ""),
            ("ADM", Side::Vendor, Some(Role::Administrator), ""),
            ("ALL", Side::Vendor, Some(Role::AllianceManager), ""),
            ("FIN", Side::Vendor, Some(Role::Finance), ""),
            ("AUD", Side::Vendor, Some(Role::Auditor), ""),
            ("EXE", Side::Vendor, Some(Role::Executive), ""),
            (
                "own.adm",
                Side::Owner,
                Some(Role::PartnerAdministrator),
                "northwind",
            ),
            (
                "own.man",
                Side::Owner,
                Some(Role::PartnerManager),
                "northwind",
            ),
            (
                "own.mem",
                Side::Owner,
                Some(Role::PartnerMember),
                "northwind",
            ),
            (
                "part.adm",
                Side::Participant,
                Some(Role::PartnerAdministrator),
                "bluefjord",
            ),
            (
                "part.man",
                Side::Participant,
                Some(Role::PartnerManager),
                "bluefjord",
            ),
            (
                "part.mem",
                Side::Participant,
                Some(Role::PartnerMember),
                "bluefjord",
            ),
            (
                "gone.adm",
                Side::Removed,
                Some(Role::PartnerAdministrator),
                "kestrel",
            ),
            (
                "gone.man",
                Side::Removed,
                Some(Role::PartnerManager),
                "kestrel",
            ),
            (
                "gone.mem",
                Side::Removed,
                Some(Role::PartnerMember),
                "kestrel",
            ),
            (
                "decl.adm",
                Side::Declined,
                Some(Role::PartnerAdministrator),
                "quarry",
            ),
            (
                "else.adm",
                Side::Stranger,
                Some(Role::PartnerAdministrator),
                "tundra",
            ),
            (
                "else.man",
                Side::Stranger,
                Some(Role::PartnerManager),
                "tundra",
            ),
            (
                "else.mem",
                Side::Stranger,
                Some(Role::PartnerMember),
                "tundra",
            ),
        ];
        for (head, side, role, partner) in everybody {
            let partner = (!partner.is_empty()).then(|| self.partner(partner));
            let actor = match role {
                None => Actor::Anonymous,
                Some(role) => {
                    let Person { id, email, actor } = self.t.person(role, partner).await;
                    self.ids.insert(head.to_owned(), id.text());
                    self.ids.insert(format!("{head} email"), email);
                    actor
                }
            };
            self.columns.push(Column {
                head,
                side,
                role,
                partner,
                actor,
            });
        }
    }

    /// Where the owner and the participant are paid.
    async fn set_accounts(&self) {
        for (by, partner, iban) in ACCOUNTS {
            let input =
                json!({"partnerId": self.id(partner), "accountHolder": partner, "iban": iban});
            let by = self.id(&format!("{by} email"));
            self.act(by, "partnerPaymentDetailsSet", input).await;
        }
    }

    /// The deal in the middle: its owner, a participant, one who was removed, one who declined.
    async fn share_a_deal(&mut self) {
        let luis = "luis@vendor.example";
        self.register("Aurora Health", "aurora", &[]).await;
        self.grant("aurora").await;
        for (partner, role, name) in [
            ("bluefjord", "INFLUENCER", "p.participant"),
            ("kestrel", "IMPLEMENTER", "p.removed"),
            ("quarry", "TECHNOLOGY", "p.declined"),
        ] {
            let input = json!({"dealId": self.id("aurora"), "partnerId": self.id(partner), "role": role, "scope": "As agreed"});
            self.play(
                luis,
                "Invite",
                input,
                &[(name, "dealParticipantInvite/participant/id")],
            )
            .await;
        }
        let (bo, kim) = ("bo@bluefjord.example", self.id("gone.adm email").to_owned());
        let quinn = self.id("decl.adm email").to_owned();
        self.play(
            bo,
            "Accept",
            json!({"participantId": self.id("p.participant")}),
            &[],
        )
        .await;
        self.play(
            &kim,
            "Accept",
            json!({"participantId": self.id("p.removed")}),
            &[],
        )
        .await;
        self.act(
            &quinn,
            "dealParticipantDecline",
            json!({"participantId": self.id("p.declined")}),
        )
        .await;
        for (by, name) in [
            ("nora@northwind.example", "t.owner"),
            (bo, "t.participant"),
            (kim.as_str(), "t.removed"),
        ] {
            let input = json!({"dealId": self.id("aurora"), "kind": "WORKSHOP", "phase": "CONSIDERATION",
                "occurredAt": "2026-02-20T09:00:00Z", "evidence": format!("Minutes of {name}")});
            self.play(
                by,
                "Touch",
                input,
                &[(name, "touchpointRecord/touchpoint/id")],
            )
            .await;
            self.play(luis, "Verify", json!({"touchpointId": self.id(name)}), &[])
                .await;
        }
        let input =
            json!({"participantId": self.id("p.removed"), "reason": "The scope went elsewhere"});
        self.act(luis, "dealParticipantRemove", input).await;
        let row = deal::Entity::find_by_id(DealId::parse(self.id("aurora")).unwrap());
        let row = row.one(self.t.app.db().reader()).await.unwrap().unwrap();
        self.ids
            .insert("customer".to_owned(), row.customer_id.unwrap().text());
    }

    /// A registration of the owner's; then these moves of the vendor.
    async fn register(&mut self, customer: &str, name: &str, moves: &[(&str, Value)]) {
        let domain = format!("{}.example", customer.to_lowercase().replace(' ', "-"));
        // The deal that is paid has a value of its own, so that its commission is no part of a shared deal's.
        let value = if name == "klint" {
            "31415.00"
        } else {
            "87654.00"
        };
        let input = json!({
            "customer": {"name": customer, "domain": domain, "country": "SE"},
            "contacts": [{"name": "Sigrid Falk", "email": "sigrid@aurora-health.example"}],
            "products": [{"productId": self.id("product")}],
            "value": {"amount": value, "currency": "USD"},
            "expectedCloseOn": "2026-04-30", "need": "One record per patient",
        });
        let registration = format!("r.{name}");
        self.play(
            "nora@northwind.example",
            "Register",
            input,
            &[(
                registration.as_str(),
                "dealRegistrationSubmit/dealRegistration/id",
            )],
        )
        .await;
        for (mutation, more) in moves {
            let mut input = more.clone();
            input["registrationId"] = json!(self.id(&registration));
            self.act("luis@vendor.example", mutation, input).await;
        }
    }

    async fn grant(&mut self, name: &str) {
        let input = json!({"registrationId": self.id(&format!("r.{name}"))});
        self.play(
            "luis@vendor.example",
            "Approve",
            input,
            &[(name, "dealRegistrationApprove/dealRegistration/deal/id")],
        )
        .await;
    }

    /// Payments of the demo's finished deal to the owner and the participant.
    async fn pay_the_deal_of_the_demo(&mut self) {
        let rows = payout::Entity::find()
            .all(self.t.app.db().reader())
            .await
            .unwrap();
        for (partner, name) in [
            ("northwind", "payout.owner"),
            ("bluefjord", "payout.participant"),
        ] {
            let id = self.partner(partner);
            let row = rows.iter().find(|row| row.partner_id == id).unwrap();
            self.ids.insert(name.to_owned(), row.id.text());
        }
        let input = json!({"dealId": self.id("helios"), "reason": "One seat less",
            "amount": {"amount": "1250.00", "currency": "USD"}});
        self.act("mina@vendor.example", "dealRefund", input).await;
        // Something is due to the owner, who has an account by now; the participant owes.
        let luis = "luis@vendor.example";
        self.register("Klint Mills", "klint", &[]).await;
        self.grant("klint").await;
        let input = json!({"dealId": self.id("klint"), "kind": "WORKSHOP", "phase": "CONSIDERATION", "occurredAt": "2026-02-20T09:00:00Z"});
        self.play(
            "nora@northwind.example",
            "Touch",
            input,
            &[("t.klint", "touchpointRecord/touchpoint/id")],
        )
        .await;
        let input = json!({"touchpointId": self.id("t.klint")});
        self.play(luis, "Verify", input, &[]).await;
        self.act(luis, "dealWin", json!({"dealId": self.id("klint")}))
            .await;
        self.t.settle().await;
    }

    /// For each mutation something that it can change.
    async fn lay_out_what_changes_need(&mut self) {
        let luis = "luis@vendor.example";
        let note = || json!({"note": "Which budget?"});
        for (customer, name, moves) in [
            ("Borg Shipping", "approve", vec![]),
            ("Celest Foods", "reject", vec![]),
            ("Drift Mining", "start", vec![]),
            ("Ember Glass", "withdraw", vec![]),
            (
                "Fjell Trains",
                "ask",
                vec![("dealRegistrationReviewStart", json!({}))],
            ),
            (
                "Gloom Paper",
                "answer",
                vec![
                    ("dealRegistrationReviewStart", json!({})),
                    ("dealRegistrationRequestInfo", note()),
                ],
            ),
            ("Harbor Steel", "extend", vec![]),
            ("Iris Optics", "win", vec![]),
            ("Jade Textiles", "lose", vec![]),
        ] {
            self.register(customer, name, &moves).await;
        }
        for name in ["extend", "win", "lose"] {
            self.grant(name).await;
        }
        let settings = json!({"attribution": {"kindWeights": [{"kind": "DEMO", "weight": 2}],
            "phaseWeights": {"preSales": 30, "transaction": 40, "postSales": 30}}});
        let input = json!({"programId": self.id("program"), "settings": settings});
        self.act(luis, "programSettingsChange", input).await;
        let rate = json!({"on": "2026-02-20", "from": "EUR", "to": "USD", "toAmount": "1.1"});
        self.act(
            "mina@vendor.example",
            "exchangeRateRecord",
            json!({ "rates": [rate] }),
        )
        .await;
        // A deal without a rate, of a partner that nobody in the tables belongs to.
        let input = json!({"name": "Kelp Foods", "ownerPartnerId": self.id("cobalt"), "programId": self.id("program"),
            "products": [{"productId": self.id("product")}], "value": {"amount": "43219.87", "currency": "GBP"}});
        self.act(luis, "dealCreate", input).await;
        self.t.advance(chrono::TimeDelta::days(1));
        self.player = Player::new(&self.t.app);
        self.play(
            luis,
            "Move",
            json!({"dealId": self.id("extend"), "stage": "QUALIFIED"}),
            &[],
        )
        .await;
        for (role, name) in [
            ("RESELLER", "p.accept"),
            ("TECHNOLOGY", "p.decline"),
            ("IMPLEMENTER", "p.remove"),
        ] {
            let input = json!({"dealId": self.id("extend"), "partnerId": self.id("bluefjord"), "role": role});
            self.play(
                luis,
                "Invite",
                input,
                &[(name, "dealParticipantInvite/participant/id")],
            )
            .await;
        }
        for (kind, name) in [("DEMO", "t.verify"), ("EVENT", "t.reject")] {
            let input = json!({"dealId": self.id("aurora"), "kind": kind, "phase": "CONSIDERATION", "occurredAt": "2026-02-21T09:00:00Z"});
            self.play(
                "nora@northwind.example",
                "Touch",
                input,
                &[(name, "touchpointRecord/touchpoint/id")],
            )
            .await;
        }
        for (name, title) in [("plan.activate", "Spring"), ("plan.retire", "Autumn")] {
            let input = json!({"programId": self.id("program"), "name": title, "currency": "EUR",
                "components": [{"kind": "INFLUENCE_POOL", "ratePercent": "5"}, {"kind": "VOLUME_REBATE", "rebate":
                    {"period": "QUARTER", "method": "MARGINAL", "tiers": [{"from": "0.00", "ratePercent": "2"}]}}],
                "holdback": {"percent": "10", "days": 30}});
            self.play(
                luis,
                "DraftPlan",
                input,
                &[(name, "incentivePlanCreate/incentivePlan/id")],
            )
            .await;
        }
        for name in ["run.approve", "run.cancel", "run.execute"] {
            let input = json!({"programId": self.id("program"), "periodStart": "2026-01-01", "periodEnd": "2026-03-02"});
            self.play(
                "mina@vendor.example",
                "DraftRun",
                input,
                &[(name, "payoutRunCreate/payoutRun/id")],
            )
            .await;
        }
        self.play(
            "ada@vendor.example",
            "ApproveRun",
            json!({"payoutRunId": self.id("run.execute")}),
            &[],
        )
        .await;
        for (name, title) in [
            ("life", "Lumen Works"),
            ("refused", "Moor Consulting"),
            ("enroll", "Nadir Systems"),
        ] {
            let input = json!({"displayName": title, "legalName": title, "types": ["SI"]});
            self.play(
                luis,
                "AddPartner",
                input,
                &[(name, "partnerCreate/partner/id")],
            )
            .await;
        }
        self.act(
            luis,
            "partnerApply",
            json!({"partnerId": self.id("refused")}),
        )
        .await;
        self.act(
            luis,
            "partnerReviewStart",
            json!({"partnerId": self.id("refused")}),
        )
        .await;
        self.prepare_the_doors().await;
    }

    /// People with passwords and links, and a dead letter.
    async fn prepare_the_doors(&mut self) {
        let t = self.t.clone();
        member(&t, "wes@vendor.example", Role::Finance, None).await;
        let leaver = t.vendor(Role::Finance).await;
        self.ids.insert("leaver".to_owned(), leaver.id.text());
        let request = "mutation { passwordResetRequest(input: {email: \"wes@vendor.example\"}) { userErrors { code } } }";
        t.ask_as(&Actor::Anonymous, request, json!({}))
            .await
            .done("passwordResetRequest");
        self.ids.insert(
            "reset".to_owned(),
            latest_token(&t, TokenPurpose::PasswordReset).await,
        );
        self.act(
            "ada@vendor.example",
            "userInvite",
            json!({"email": "ivy@vendor.example", "name": "Ivy Stone", "role": "FINANCE"}),
        )
        .await;
        self.ids.insert(
            "invitation".to_owned(),
            latest_token(&t, TokenPurpose::Invitation).await,
        );
        let login = format!(
            "mutation {{ login(input: {{email: \"bo@bluefjord.example\", password: \"{}\"}}) {{ refreshToken userErrors {{ code }} }} }}",
            seeds::PASSWORD
        );
        let answer = t.ask_as(&Actor::Anonymous, &login, json!({})).await;
        self.ids.insert(
            "refresh".to_owned(),
            answer.done("login").text("login/refreshToken"),
        );
        let (now, letter) = (
            t.app.clock().now(),
            JobId::of(ids::mint(t.app.clock().now())),
        );
        self.ids.insert("letter".to_owned(), letter.text());
        t.write(move |tx| {
            let row = job::ActiveModel {
                id: Set(letter),
                topic: Set("mail".to_owned()),
                payload: Set(json!({})),
                dedupe_key: Set(None),
                status: Set(JobStatus::Dead),
                run_at: Set(now),
                attempts: Set(12),
                max_attempts: Set(12),
                lease_until: Set(None),
                lease_epoch: Set(0),
                last_error: Set(Some("refused".to_owned())),
                request_id: Set(None),
                created_at: Set(now),
                finished_at: Set(Some(now)),
            };
            Box::pin(async move { tx.insert(row).await })
        })
        .await
        .unwrap();
    }
}
