//! The write path and what stands under it.

use std::time::Duration;

use ensemble::{
    entity::{
        audit_event,
        ids::JobId,
        job::{self, JobLane},
    },
    error::{Code, Error, Refusal},
    events::Event,
    platform::{ids::TypedId, jobs::Happened, migrations},
    tx::Call,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, Iterable, PaginatorTrait, QueryFilter,
    QuerySelect, Statement, sea_query::Expr,
};
use serde_json::json;

use crate::{cases, support::TestApp};

cases!(
    a_failed_statement_never_commits,
    a_refused_unit_of_work_leaves_nothing,
    a_caller_who_goes_away_leaves_no_half_effect,
    contended_changes_lose_none,
    four_migrators_at_once_agree,
    readers_cannot_write,
    facts_cannot_be_changed,
    unknown_ids_answer_not_found,
    only_work_wakes_the_worker,
    // A transaction of SQLite is the writer's; only PostgreSQL has sessions that wait inside one.
    postgres: [
        a_session_inside_a_transaction_that_does_nothing_is_ended,
    ],
);

async fn count_jobs(t: &TestApp) -> u64 {
    job::Entity::find()
        .count(t.app.db().reader())
        .await
        .unwrap()
}

async fn a_failed_statement_never_commits(t: TestApp) {
    let id = t.admin().await.id;
    let result = t
        .write(move |tx| {
            Box::pin(async move {
                tx.record(Event::UserActivated { user_id: id });
                // The error is swallowed: the unit of work must notice all the same.
                let _ = tx
                    .execute_unprepared("SELECT no_such_column FROM job")
                    .await;
                Ok(())
            })
        })
        .await;
    assert!(matches!(result, Err(Error::Internal(_))), "{result:?}");
    assert_eq!(
        audit_event::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        0
    );
}

async fn a_refused_unit_of_work_leaves_nothing(t: TestApp) {
    let id = t.admin().await.id;
    let result: Result<(), Error> = t
        .write(move |tx| {
            Box::pin(async move {
                tx.record(Event::UserActivated { user_id: id });
                tx.enqueue(&Happened {
                    event: Event::UserActivated { user_id: id },
                })?;
                Err(Refusal::new(Code::NotEligible, "no").into())
            })
        })
        .await;
    assert_eq!(result.unwrap_err().code(), Code::NotEligible);
    assert_eq!(
        audit_event::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        0
    );
    assert_eq!(count_jobs(&t).await, 0);
}

async fn a_caller_who_goes_away_leaves_no_half_effect(t: TestApp) {
    let id = t.admin().await.id;
    let (app, clone) = (t.app.clone(), t.app.clone());
    let caller = tokio::spawn(async move {
        app.write(Call::system("slow"), move |tx| {
            Box::pin(async move {
                tx.record(Event::UserActivated { user_id: id });
                tx.execute_unprepared("SELECT 1").await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok(())
            })
        })
        .await
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    caller.abort();
    // The unit of work goes on by itself; what is under way is awaited as at a shutdown.
    clone.tasks().close();
    clone.tasks().wait().await;
    assert_eq!(
        audit_event::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        1
    );
    if t.app.db().backend() == DbBackend::Postgres {
        let idle = t
            .app
            .db()
            .reader()
            .query_one_raw(Statement::from_string(
                DbBackend::Postgres,
                "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
            ))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(idle.try_get::<i64>("", "n").unwrap(), 0);
    }
}

async fn contended_changes_lose_none(t: TestApp) {
    let counter = t.queue("counter", json!({}), None).await;
    let callers = (0..16).map(|_| {
        let t = t.clone();
        tokio::spawn(async move {
            for _ in 0..40 {
                t.write(move |tx| {
                    Box::pin(async move {
                        let one = job::Entity::find_by_id(counter)
                            .lock_exclusive()
                            .one(tx)
                            .await?
                            .ok_or_else(|| Error::internal("no counter"))?;
                        job::Entity::update_many()
                            .col_expr(job::Column::MaxAttempts, Expr::value(one.max_attempts + 1))
                            .filter(job::Column::Id.eq(one.id))
                            .exec(tx)
                            .await?;
                        Ok(())
                    })
                })
                .await
                .unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let counter = job::Entity::find_by_id(counter)
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(counter.max_attempts, 12 + 640);
}

async fn four_migrators_at_once_agree(t: TestApp) {
    let url = t.fresh_database().await;
    let runs: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { migrations::up(&url).await })
        })
        .collect();
    for run in runs {
        run.await.unwrap().unwrap();
    }
    // Once more, on a database that has everything; and a newer program's migration is refused.
    migrations::up(&url).await.unwrap();
    let connection = sea_orm::Database::connect(&url).await.unwrap();
    connection
        .execute_unprepared("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_from_the_future', 0)")
        .await
        .unwrap();
    connection.close().await.unwrap();
    assert!(matches!(
        migrations::up(&url).await,
        Err(migrations::MigrationFault::Newer(_))
    ));
}

async fn readers_cannot_write(t: TestApp) {
    let refused = t
        .app
        .db()
        .reader()
        .execute_unprepared("DELETE FROM job")
        .await;
    assert!(refused.is_err());
}

async fn facts_cannot_be_changed(t: TestApp) {
    let id = t.admin().await.id;
    t.write(move |tx| {
        Box::pin(async move {
            tx.record(Event::UserActivated { user_id: id });
            Ok(())
        })
    })
    .await
    .unwrap();
    for statement in [
        "UPDATE audit_event SET action = 'nothing'",
        "DELETE FROM audit_event",
    ] {
        let refused = t
            .app
            .db()
            .maintenance()
            .execute_unprepared(statement)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
    assert_eq!(
        audit_event::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        1
    );
}

async fn unknown_ids_answer_not_found(t: TestApp) {
    let admin = t.admin().await;
    let unknown = JobId::of(uuid::Uuid::nil()).text();
    for id in ["nothing", "deal_01", &unknown] {
        let answer = t
            .ask(
                &admin,
                "query($id: ID!) { node(id: $id) { id } }",
                json!({"id": id}),
            )
            .await;
        assert_eq!(answer.error(), "NOT_FOUND", "{id}");
        assert_eq!(answer.json["data"]["node"], json!(null));
    }
}

async fn only_work_wakes_the_worker(t: TestApp) {
    use futures_util::FutureExt;

    let id = t.admin().await.id;
    t.settle().await;
    // Whatever woke it before.
    let _ = t.app.woken(JobLane::Bulk).now_or_never();
    ensemble::worker::turn(&t.app).await.unwrap();
    for lane in JobLane::iter() {
        let woken = t.app.woken(lane).now_or_never();
        assert!(woken.is_none(), "an idle turn wakes {lane:?}");
    }
    t.write(move |tx| {
        Box::pin(async move {
            tx.record(Event::UserActivated { user_id: id });
            Ok(())
        })
    })
    .await
    .unwrap();
    let woken = |lane| t.app.woken(lane).now_or_never().is_some();
    let woken: Vec<_> = JobLane::iter().filter(|lane| woken(*lane)).collect();
    assert_eq!(woken, [JobLane::Bulk]);
    t.settle().await;
}

async fn a_session_inside_a_transaction_that_does_nothing_is_ended(t: TestApp) {
    let db = t.app.db();
    for (role, sessions) in [("writer", db.maintenance()), ("reader", db.reader())] {
        let limit = "SHOW idle_in_transaction_session_timeout";
        let limit = Statement::from_string(DbBackend::Postgres, limit);
        let row = sessions.query_one_raw(limit).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "10s", "{role}");
    }
}
