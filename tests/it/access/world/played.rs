//! What happened in the world before anybody looks at it.

use ensemble::{
    access::Actor,
    entity::{
        deal,
        ids::{DealId, JobId},
        job::{self, JobLane, JobStatus},
        partner_statement, payout,
        user::Role,
        user_token::TokenPurpose,
    },
    platform::ids::{self, TypedId},
    seeds::{self, Player},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::World;
use crate::identity::{latest_token, member};

/// Who sets an account for which partner.
pub const ACCOUNTS: [(&str, &str, &str); 3] = [
    ("own.adm", "northwind", "DE44500105175407324931"),
    ("part.adm", "bluefjord", "FR1420041010050500013M02606"),
    ("FIN", "kestrel", "NL91ABNA0417164300"),
];

impl World {
    /// Where the owner and the participant are paid.
    pub(super) async fn set_accounts(&self) {
        for (by, partner, iban) in ACCOUNTS {
            let input =
                json!({"partnerId": self.id(partner), "accountHolder": partner, "iban": iban});
            let by = self.id(&format!("{by} email"));
            self.act(by, "partnerPaymentDetailsSet", input).await;
        }
    }

    /// The deal in the middle: its owner, a participant, one who was removed, one who declined.
    pub(super) async fn share_a_deal(&mut self) {
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
    pub(super) async fn pay_the_deal_of_the_demo(&mut self) {
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
        // Something is due to the owner, who has an account by now, and to somebody whose agreement has expired; the
        // participant owes.
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
        let input = json!({"dealId": self.id("klint"), "partnerId": self.id("quarry"), "kind": "WORKSHOP",
            "phase": "CONSIDERATION", "occurredAt": "2026-02-20T10:00:00Z"});
        let saves = [("t.quarry", "touchpointRecord/touchpoint/id")];
        self.play(luis, "Touch", input, &saves).await;
        let quinn = self.id("decl.adm email").to_owned();
        let input = json!({"touchpointId": self.id("t.quarry")});
        self.play(&quinn, "Verify", input, &[]).await;
        let input = json!({"partnerId": self.id("quarry"), "dpaValidUntil": "2026-01-31"});
        self.act(luis, "partnerUpdate", input).await;
        self.act(luis, "dealWin", json!({"dealId": self.id("klint")}))
            .await;
        let period = json!({"periodStart": "2025-09-01", "periodEnd": "2026-02-28"});
        self.act("mina@vendor.example", "statementsPublish", period)
            .await;
        let row = partner_statement::Entity::find()
            .filter(partner_statement::Column::PartnerId.eq(self.partner("northwind")))
            .one(self.t.app.db().reader())
            .await
            .unwrap();
        self.ids
            .insert("statement".to_owned(), row.unwrap().id.text());
        self.t.settle().await;
    }

    /// For each mutation something that it can change.
    pub(super) async fn lay_out_what_changes_need(&mut self) {
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
                lane: Set(JobLane::Mail),
                priority: Set(1),
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
