//! The write path and what stands under it.

use ensemble::{error::Error, events::Event, identity::Role};
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use serde_json::json;

use crate::{cases, support::TestApp};

cases!(a_failed_statement_never_commits, unknown_ids_and_hidden_ones_answer_the_same);

async fn a_failed_statement_never_commits(t: TestApp) {
    let person = t.vendor(Role::Administrator).await;
    let id = person.id;
    let result = t
        .write(move |tx| {
            Box::pin(async move {
                tx.record(Event::UserActivated { user_id: id });
                // The error is swallowed: the unit of work must notice all the same.
                let _ = tx.execute_unprepared("SELECT no_such_column FROM job").await;
                Ok(())
            })
        })
        .await;
    assert!(matches!(result, Err(Error::Internal(_))), "{result:?}");
    let audited = ensemble::entity::audit_event::Entity::find().count(t.app.db().reader()).await.unwrap();
    assert_eq!(audited, 0);
}

async fn unknown_ids_and_hidden_ones_answer_the_same(t: TestApp) {
    let admin = t.admin().await;
    let answer = t.ask(&admin, "query($id: ID!) { node(id: $id) { id } }", json!({"id": "nothing"})).await;
    assert_eq!(answer.error(), "NOT_FOUND");
}
