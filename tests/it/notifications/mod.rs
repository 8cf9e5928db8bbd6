//! Mails about what happened.

mod delivery;
mod money;
mod rows;
mod secrets;
mod told;

use ensemble::{entity::job, events::Event, platform::mail::SentMail};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::support::{Case, Person, TestApp};
use rows::World;

/// The cases of this module.
pub fn cases() -> Vec<Case> {
    [told::cases(), delivery::cases(), secrets::cases()].concat()
}

async fn record(t: &TestApp, event: Event) {
    t.write(move |tx| {
        tx.record(event.clone());
        Box::pin(async { Ok(()) })
    })
    .await
    .unwrap();
}

fn approved(world: &World) -> Event {
    Event::RegistrationApproved {
        registration_id: world.registration,
        partner_id: world.acme,
        deal_id: world.deal,
    }
}

/// Receivers and subjects, sorted.
fn told(t: &TestApp) -> Vec<(String, String)> {
    let mut told: Vec<_> = t
        .outbox
        .sent()
        .into_iter()
        .map(|mail| (mail.message.to_address, mail.message.subject))
        .collect();
    told.sort();
    told
}

fn expected<const N: usize>(people: [(&Person, &str); N]) -> Vec<(String, String)> {
    let mut expected: Vec<_> = people
        .into_iter()
        .map(|(person, subject)| (person.email.clone(), subject.to_owned()))
        .collect();
    expected.sort();
    expected
}

#[track_caller]
fn mail_to(t: &TestApp, person: &Person) -> SentMail {
    let mut mails: Vec<_> = t
        .outbox
        .sent()
        .into_iter()
        .filter(|m| m.message.to_address == person.email)
        .collect();
    assert_eq!(mails.len(), 1, "mails to {person:?}");
    mails.remove(0)
}

async fn jobs_of(t: &TestApp, topic: &str) -> Vec<job::Model> {
    let jobs = job::Entity::find()
        .filter(job::Column::Topic.eq(topic))
        .order_by_asc(job::Column::Id);
    jobs.all(t.app.db().reader()).await.unwrap()
}
