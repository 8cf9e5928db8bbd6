//! A database with everything on it, the people who ask, and the servers that answer.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use chrono::TimeDelta;
use ensemble::{
    entity::{
        customer, deal,
        ids::{PartnerId, SessionId, UserId},
        partner, product, session,
        user::{self, Role, UserStatus},
    },
    platform::{
        auth::token::Keys,
        bulk::{self, Known},
        clock::Clock,
        db::Db,
        ids::{self, TypedId},
    },
};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, Order, QueryFilter, QueryOrder, QuerySelect,
};
use secrecy::SecretSlice;
use uuid::Uuid;

use crate::{
    Result,
    machine::{Server, free_port, run},
};

const SECRET: &str = "the secret of a server that nobody but the benchmark knows";
const PUBLIC_URL: &str = "http://localhost:8080";
/// People of the vendor and of partners who ask; each has a budget of its own, as in life.
const PEOPLE: u64 = 1_000;

/// A user with a session.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// The user.
    pub user: Uuid,
    /// The session.
    pub session: Uuid,
    /// The partner, for partner people.
    pub partner: Option<Uuid>,
}

/// What is on the stage.
pub struct Stage {
    /// The address of the database.
    pub url: String,
    /// People of the vendor who read everything.
    pub auditors: Vec<Person>,
    /// People of partners.
    pub partners: Vec<Person>,
    /// Some deals.
    pub deals: Vec<Uuid>,
    /// Customers: name, domain and country.
    pub customers: Vec<(String, String, String)>,
    /// Products.
    pub products: Vec<Uuid>,
    /// Partners to be looked at.
    pub statements: Vec<Uuid>,
    keys: Keys,
}

impl Stage {
    /// Adds people to a loaded database and notes what there is to ask for.
    pub async fn set(url: &str) -> Result<Self> {
        let db = Db::connect(url, 2).await?;
        let auditors = auditors(&db).await?;
        let partners = partner_people(&db).await?;
        let deals = deal::Entity::find()
            .select_only()
            .column(deal::Column::Id)
            .order_by_asc(deal::Column::Number)
            .limit(5_000);
        let customers: Vec<(String, Option<String>, Option<String>)> = customer::Entity::find()
            .select_only()
            .columns([
                customer::Column::Name,
                customer::Column::Domain,
                customer::Column::Country,
            ])
            .order_by_asc(customer::Column::Id)
            .limit(100_000)
            .into_tuple()
            .all(db.reader())
            .await?;
        let known = customers
            .into_iter()
            .filter_map(|(name, domain, country)| Some((name, domain?, country?)));
        let products = product::Entity::find()
            .select_only()
            .column(product::Column::Id);
        let statements = partner::Entity::find()
            .select_only()
            .column(partner::Column::Id)
            .limit(2_000);
        let secret = SecretSlice::from(SECRET.as_bytes().to_vec());
        let stage = Self {
            url: url.to_owned(),
            auditors,
            partners,
            deals: deals.into_tuple().all(db.reader()).await?,
            customers: known.collect(),
            products: products.into_tuple().all(db.reader()).await?,
            statements: statements.into_tuple().all(db.reader()).await?,
            keys: Keys::new(&secret, None, PUBLIC_URL, "ensemble")?,
        };
        db.close().await?;
        Ok(stage)
    }

    /// Tokens of two people of finance.
    pub async fn finance(&self, url: &str) -> Result<[Arc<str>; 2]> {
        let db = Db::connect(url, 1).await?;
        let who = user::Column::Role.eq(Role::Finance);
        let users = user::Entity::find().filter(who).limit(2);
        let person = |user: user::Model| Person {
            user: user.id.uuid(),
            session: ids::mint(Clock::System.now()),
            partner: None,
        };
        let people = users.all(db.reader()).await?.into_iter().map(person);
        let people: Vec<Person> = people.collect();
        sign_in(&db, &people).await?;
        db.close().await?;
        let tokens = self.tokens(&people)?;
        tokens.try_into().map_err(|_| "finance is alone".into())
    }

    /// Fresh access tokens for these people, as a sign-in gives them.
    pub fn tokens(&self, people: &[Person]) -> Result<Vec<Arc<str>>> {
        let now = Clock::System.now();
        let mut tokens = Vec::with_capacity(people.len());
        for person in people {
            let (token, _) = self.keys.sign(person.user, person.session, now)?;
            tokens.push(token.into());
        }
        Ok(tokens)
    }
}

async fn auditors(db: &Db) -> Result<Vec<Person>> {
    let now = Clock::System.now();
    let people: Vec<Person> = (0..PEOPLE)
        .map(|_| Person {
            user: ids::mint(now),
            session: ids::mint(now),
            partner: None,
        })
        .collect();
    let users = people.iter().map(|person| {
        user::Model {
            id: UserId::of(person.user),
            email: format!("{}@vendor.example", person.user),
            name: "Auditor".to_owned(),
            role: Role::Auditor,
            partner_id: None,
            status: UserStatus::Active,
            password_hash: None,
            locale: "en".to_owned(),
            version: 1,
            created_at: now,
            updated_at: now,
        }
        .into_active_model()
    });
    bulk::insert(db.maintenance(), users, Known::Refused).await?;
    sign_in(db, &people).await?;
    Ok(people)
}

async fn partner_people(db: &Db) -> Result<Vec<Person>> {
    let now = Clock::System.now();
    let rows: Vec<(UserId, Option<PartnerId>)> = user::Entity::find()
        .select_only()
        .columns([user::Column::Id, user::Column::PartnerId])
        .filter(user::Column::PartnerId.is_not_null())
        .order_by(user::Column::Email, Order::Asc)
        .limit(PEOPLE)
        .into_tuple()
        .all(db.reader())
        .await?;
    let people: Vec<Person> = rows
        .into_iter()
        .map(|(user, partner)| Person {
            user: user.uuid(),
            session: ids::mint(now),
            partner: partner.map(TypedId::uuid),
        })
        .collect();
    sign_in(db, &people).await?;
    Ok(people)
}

async fn sign_in(db: &Db, people: &[Person]) -> Result<()> {
    let now = Clock::System.now();
    let sessions = people.iter().map(|person| {
        session::Model {
            id: SessionId::of(person.session),
            user_id: UserId::of(person.user),
            created_at: now,
            expires_at: now + TimeDelta::days(30),
            revoked_at: None,
            revoke_reason: None,
            network_hash: None,
        }
        .into_active_model()
    });
    bulk::insert(db.maintenance(), sessions, Known::Refused).await?;
    Ok(())
}

/// The command `ensemble` on a database, set up as for anybody.
pub fn ensemble(binary: &Path, url: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .env("DATABASE_URL", url)
        .env("ENSEMBLE_DATA_DIR", folder)
        .env("ENSEMBLE_SECRET", SECRET)
        .env("ENSEMBLE_PUBLIC_URL", PUBLIC_URL)
        .env("ENSEMBLE_LOG", "error");
    command
}

/// The server as it is used, its background work in a process of its own, as for more than one replica.
pub fn ours(binary: &Path, url: &str, folder: &Path) -> Result<Server> {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let mut command = ensemble(binary, url, folder, &["serve", "--no-worker"]);
    command.env("ENSEMBLE_LISTEN", address.to_string());
    Server::start(&mut command, address)
}

/// The bare server.
pub fn bare(url: &str) -> Result<Server> {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", "--listen", &address.to_string(), "--url", url]);
    Server::start(&mut command, address)
}

/// The command `ensemble` of this source, built as this program was.
pub fn build() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet"]);
    build.args(["--package", "ensemble", "--package", "ensemble-bench"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    run(build.current_dir(root).stderr(Stdio::inherit()))?;
    let ours = std::env::current_exe()?;
    let folder = ours.parent().ok_or("the benchmark stands nowhere")?;
    Ok(folder.join("ensemble"))
}
