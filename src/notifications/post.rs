//! The mails of all domains together: who gets which, and what stands in it.

use minijinja::value::Value as Facts;
use serde_json::{Value, json};

use super::{
    mail::{Mail, Mails, View},
    recipients::{self, Audience},
};
use crate::{
    app::App,
    entity::user,
    error::Result,
    events::Event,
    platform::templates::{Rendered, Templates},
    tx::Tx,
};

/// The layouts that the mails extend.
const LAYOUTS: &[(&str, &str)] = &[
    ("layout", include_str!("templates/layout.jinja")),
    ("german", include_str!("templates/german.jinja")),
    ("words", include_str!("templates/words.jinja")),
];

/// The mails of all domains.
pub struct Post {
    domains: &'static [&'static dyn Mails],
    texts: Result<Templates, minijinja::Error>,
}

impl Post {
    /// Compiles the texts of all mails.
    #[must_use]
    pub fn new(domains: &'static [&'static dyn Mails]) -> Self {
        let of_mails = domains.iter().flat_map(|domain| domain.mails());
        let sources = of_mails.flat_map(|mail| mail.texts).chain(LAYOUTS);
        Self {
            domains,
            texts: Templates::new(&sources.copied().collect::<Vec<_>>()),
        }
    }

    /// Every kind of mail.
    pub fn mails(&self) -> impl Iterator<Item = &'static Mail> {
        self.domains.iter().flat_map(|domain| domain.mails())
    }

    /// The mail of this name.
    #[must_use]
    pub fn mail(&self, name: &str) -> Option<&'static Mail> {
        self.mails().find(|mail| mail.name == name)
    }

    /// Who gets which mail about an event.
    ///
    /// # Errors
    /// The database failed.
    pub async fn told(&self, tx: &Tx, event: &Event) -> Result<Vec<(Audience, &'static Mail)>> {
        let mut told = Vec::new();
        for domain in self.domains {
            let mails = domain.mails().iter();
            let mails: Vec<_> = mails.filter(|mail| mail.on == event.name()).collect();
            if mails.is_empty() {
                continue;
            }
            if let Some(concerned) = domain.concerned(tx, event).await? {
                told.extend(recipients::decide(&mails, &concerned));
            }
        }
        Ok(told)
    }

    /// What a mail about an event tells its reader; none when there is nothing to tell any more.
    ///
    /// # Errors
    /// The database failed.
    pub async fn facts(
        &self,
        app: &App,
        mail: &Mail,
        event: &Event,
        reader: &user::Model,
    ) -> Result<Option<Value>> {
        let mut domains = self.domains.iter();
        let domain = domains.find(|domain| domain.mails().iter().any(|own| own.name == mail.name));
        let Some(domain) = domain else {
            return Ok(None);
        };
        let view = View {
            app,
            db: &app.db().reading(),
            own: reader.partner_id,
        };
        let mut facts = domain.facts(&view, event).await?;
        if let Some(facts) = &mut facts {
            facts["reader"] = json!({ "name": reader.name });
        }
        Ok(facts)
    }

    /// Writes a mail in the reader's language. English exists for every mail and stands in for languages that a mail is
    /// not translated to.
    ///
    /// # Errors
    /// A fact that the text needs is missing.
    pub fn write(
        &self,
        mail: &Mail,
        locale: &str,
        facts: &Facts,
    ) -> Result<Rendered, minijinja::Error> {
        match &self.texts {
            Ok(texts) => texts.render(mail.name, locale, facts),
            Err(fault) => Err(minijinja::Error::new(fault.kind(), fault.to_string())),
        }
    }
}
