//! One seeded world, and everybody who may come to it.

use std::collections::BTreeMap;

use ensemble::{
    access::{Actor, SignedIn},
    entity::{
        ids::{PartnerId, SessionId},
        user::{self, Role},
    },
    platform::ids::{self, TypedId},
    seeds::{self, Player, Step},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::sdl::Sdl;
use crate::support::{Answer, Person, TestApp};

mod played;

pub use played::ACCOUNTS;

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
        let rest = format!("{} {rest}", self.directive(root, name));
        let document = self
            .sdl
            .document(root, name, arguments.as_object().unwrap(), &rest);
        self.t.ask_as(actor, &document, arguments.clone()).await
    }

    /// An idempotency key for a mutation, a new one each time; some demand one, and those that sign in or out take none.
    pub fn directive(&self, root: &str, name: &str) -> String {
        match root {
            "Mutation" if !ensemble::schema::limits().keyless.contains(name) => format!(
                "@idempotent(key: \"{}\")",
                ids::mint(self.t.app.clock().now())
            ),
            _ => String::new(),
        }
    }

    async fn look_around(&mut self) {
        let admin = self.t.admin().await;
        let document =
            "{ partners(first: 100) { nodes { id displayName } } programs { nodes { id versions(first: 1) { nodes { id } } } }
            products(first: 1) { nodes { id } } productFamilies(first: 1) { nodes { id } }
            incentivePlans { nodes { id } } payoutRuns { nodes { id } }
            deals(first: 100) { nodes { id name registration { id } customer { id } } } }";
        let answer = self.t.ask(&admin, document, json!({})).await;
        for (name, path) in [
            ("program", "programs/nodes/0/id"),
            ("version", "programs/nodes/0/versions/nodes/0/id"),
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
}
