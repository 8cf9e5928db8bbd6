//! What the start page of a development server shows of the demo.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{PASSWORD, operation, people, walk};
use crate::{
    app::App,
    entity::partner,
    error::Result,
    graphql::page::{Example, SignIn, StartPage},
    platform::{config::Config, ids::TypedId},
};

/// The start page, with the people and the walk of the demo where it is loaded.
///
/// # Errors
/// The database failed.
pub async fn start_page(app: &App, config: &Config) -> Result<StartPage> {
    let mut page = StartPage {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        address: format!("http://{}", config.listen),
        mails: app.mail().folder().map(ToOwned::to_owned),
        ..StartPage::default()
    };
    let people = people(app).await?;
    if people.is_empty() {
        return Ok(page);
    }
    page.examples = [
        ("Deals with their partners and credit", "DealPage"),
        ("A partner's balance and payments", "MyMoney"),
    ]
    .into_iter()
    .filter_map(|(title, name)| {
        let document = operation(name)?.to_owned();
        Some(Example {
            title: title.to_owned(),
            document,
        })
    })
    .collect();
    let partners = partner::Entity::find()
        .filter(partner::Column::Id.is_in(people.iter().filter_map(|person| person.partner_id)))
        .all(app.db().reader())
        .await?;
    page.database = people
        .first()
        .map(|person| person.id.text())
        .unwrap_or_default();
    for person in people {
        let company = partners
            .iter()
            .find(|partner| Some(partner.id) == person.partner_id);
        page.sign_ins.push(SignIn {
            name: person.name,
            email: person.email,
            password: PASSWORD.to_owned(),
            role: role(&serde_json::to_value(person.role)?),
            company: company
                .map(|partner| partner.display_name.clone())
                .unwrap_or_default(),
        });
    }
    let walk = walk()?;
    page.customers = serde_json::to_value(&walk.customers)?;
    for step in &walk.steps {
        let mut shown = serde_json::to_value(step)?;
        for (act, shown) in step
            .acts
            .iter()
            .zip(shown["acts"].as_array_mut().into_iter().flatten())
        {
            shown["document"] = operation(&act.run).into();
        }
        page.walk.push(shown);
    }
    Ok(page)
}

/// `ALLIANCE_MANAGER` as `alliance manager`.
fn role(name: &serde_json::Value) -> String {
    name.as_str()
        .unwrap_or_default()
        .to_lowercase()
        .replace('_', " ")
}

/// A first query to try from a shell.
#[must_use]
pub fn first_query(address: &str) -> String {
    format!(
        "  curl -s {address}/graphql -H 'content-type: application/json' \\\n    -d '{{\"query\":\"mutation {{ login(input: {{email: \\\"ada@vendor.example\\\", password: \\\"{PASSWORD}\\\"}}) {{ accessToken }} }}\"}}'"
    )
}
