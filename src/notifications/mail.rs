//! What a domain declares about its mails, and what it reads to write them.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    app::App,
    entity::{
        ids::{PartnerId, UserId},
        partner,
        user::UserStatus,
    },
    error::Result,
    events::Event,
    platform::{money::Currency, reader::Reader},
    tx::Tx,
};

/// A kind of mail: which event it is about, who gets it, and how it reads.
#[derive(Debug)]
pub struct Mail {
    /// Its stable name, such as `registration_received`.
    pub name: &'static str,
    /// The wire name of the event.
    pub on: &'static str,
    /// Who gets it.
    pub to: &'static [To],
    /// Its texts by language: `<name>.<locale>` and the template.
    pub texts: &'static [(&'static str, &'static str)],
}

impl Mail {
    /// The status that a person must have to get it. Who may not sign in gets no mail; the invitation alone goes to people who may
    /// not sign in yet.
    #[must_use]
    pub fn status(&self) -> UserStatus {
        if self.to.contains(&To::Invited) {
            UserStatus::Invited
        } else {
            UserStatus::Active
        }
    }
}

/// Who gets a mail. Members of a partner see no amounts and answer no invitations, so no mail goes to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// The administrators and managers of the partners concerned.
    Deciders,
    /// The administrators of the partners concerned.
    PartnerAdministrators,
    /// The vendor's alliance managers.
    AllianceManagers,
    /// The vendor's finance people.
    Finance,
    /// The vendor's finance people and administrators, without whoever made what they are asked to approve.
    Approvers,
    /// The person concerned.
    Person,
    /// The person concerned, who cannot sign in yet.
    Invited,
}

/// Whom an event concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concerned {
    /// The partners.
    pub partners: Vec<PartnerId>,
    /// The person.
    pub person: Option<UserId>,
    /// Who made what waits for approval.
    pub maker: Option<UserId>,
}

impl Concerned {
    /// One partner.
    #[must_use]
    pub fn partner(partner: PartnerId) -> Self {
        Self {
            partners: vec![partner],
            ..Self::default()
        }
    }

    /// One person.
    #[must_use]
    pub fn person(person: UserId) -> Self {
        Self {
            person: Some(person),
            ..Self::default()
        }
    }
}

/// The mails of one domain.
#[async_trait]
pub trait Mails: Send + Sync {
    /// All of them. Whoever would get two about one event gets the one that is listed first.
    fn mails(&self) -> &'static [Mail];

    /// Whom an event concerns; none when nobody is to be told.
    ///
    /// # Errors
    /// The database failed.
    async fn concerned(&self, tx: &Tx, event: &Event) -> Result<Option<Concerned>>;

    /// What a mail about an event tells its reader; none when there is nothing that the reader may see.
    ///
    /// # Errors
    /// The database failed.
    async fn facts(&self, view: &View<'_>, event: &Event) -> Result<Option<Value>>;
}

/// Declares the mails of a domain. The templates are `mails/<name>.<locale>.jinja` beside the file that declares them.
#[macro_export]
macro_rules! mails {
    ($($name:literal on $event:literal to [$($to:ident),+] in [$($locale:literal),+];)+) => {
        &[$($crate::notifications::mail::Mail {
            name: $name,
            on: $event,
            to: &[$($crate::notifications::mail::To::$to),+],
            texts: &[$((
                concat!($name, ".", $locale),
                include_str!(concat!("mails/", $name, ".", $locale, ".jinja")),
            )),+],
        }),+]
    };
}

/// What one reader may see when the mail is written.
pub struct View<'a> {
    /// The application.
    pub app: &'a App,
    /// The database.
    pub db: &'a Reader,
    /// The reader's partner; none for the vendor's people.
    pub own: Option<PartnerId>,
}

impl View<'_> {
    /// Whether the reader sees what belongs to this partner.
    #[must_use]
    pub fn sees(&self, partner: PartnerId) -> bool {
        self.own.is_none_or(|own| own == partner)
    }

    /// The address of the start page.
    #[must_use]
    pub fn home(&self) -> &str {
        &self.app.site().public_url
    }

    /// The address of an object's page.
    #[must_use]
    pub fn page(&self, folder: &str, id: &str) -> String {
        format!("{}/{folder}/{id}", self.home())
    }

    /// A partner by its name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn partner(&self, id: PartnerId) -> Result<Value> {
        let row = partner::Entity::find_by_id(id).one(self.db).await?;
        Ok(row.map_or(Value::Null, |row| json!({ "name": row.display_name })))
    }
}

/// An amount, for the filter `money`.
#[must_use]
pub fn money(minor: i64, currency: Currency) -> Value {
    json!({ "amount": currency.decimal(minor), "currency": currency.code() })
}

/// A time zone by its name; UTC where the name is unknown.
#[must_use]
pub fn zone(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

/// An instant as the people of a zone read it.
#[must_use]
pub fn moment(at: DateTime<Utc>, zone: Tz) -> String {
    format!(
        "{} ({})",
        at.with_timezone(&zone).format("%Y-%m-%d %H:%M"),
        zone.name()
    )
}

/// The last local day before an end: protection until midnight lasts through the day before.
#[must_use]
pub fn last_day(end: DateTime<Utc>, zone: Tz) -> String {
    (end - TimeDelta::microseconds(1))
        .with_timezone(&zone)
        .date_naive()
        .to_string()
}
