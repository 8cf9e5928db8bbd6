//! Publishing at once, and for more partners than one unit of work takes on.

use chrono::TimeDelta;
use ensemble::{entity::user::Role, platform::clock::ManualClock, worker};

use super::{Books, at, events, january, mails, publish, published, readers, rows, sorted};
use crate::{cases, support::TestApp};

cases!(
    two_workers_and_a_person_at_once_publish_once,
    a_thousand_partners_are_published_in_one_turn_and_the_others_in_the_next,
);

async fn two_workers_and_a_person_at_once_publish_once(t: TestApp) {
    let story = january(&t).await;
    t.clock.set(at("2026-02-01T00:00:00Z"));
    let other = t.beside().await;
    // A due time each, so that the schedule keeps neither of them back.
    let later = t
        .beside_at(&ManualClock::new(at("2026-02-01T00:01:00Z")))
        .await;
    let (mut taken, mut taken_later) = Default::default();
    let (one, two, mine, theirs) = tokio::join!(
        worker::run_schedules(&t.app, &mut taken),
        worker::run_schedules(&later.app, &mut taken_later),
        publish(&t, &story.books.maker, "2026-01-01", "2026-01-31"),
        publish(&other, &story.books.checker, "2026-01-01", "2026-01-31"),
    );
    one.unwrap();
    two.unwrap();
    let counts = [mine, theirs].map(|answer| {
        answer
            .done("statementsPublish")
            .at("statementsPublish/published")
            .as_i64()
            .unwrap()
    });
    assert!(counts.iter().sum::<i64>() <= 1, "{counts:?}");
    assert_eq!((rows(&t).await.len(), events(&t).await), (1, 1));
    // Whoever published: the mails are due by the later clock.
    t.clock.set(at("2026-02-01T00:01:00Z"));
    t.settle().await;
    assert_eq!(readers(&t), sorted([&story.administrator, &story.manager]));
    for app in [other, later] {
        assert_eq!(mails(&app), []);
        let _ = app.app.db().clone().close().await;
    }
}

async fn a_thousand_partners_are_published_in_one_turn_and_the_others_in_the_next(t: TestApp) {
    t.clock.set(at("2026-01-05T08:00:00Z"));
    let books = Books::open(&t, 0).await;
    t.settle().await;
    let partners = books.crowd(1_100).await;
    let last = partners[1_099];
    let person = t.person(Role::PartnerAdministrator, Some(last)).await;
    t.clock.set(at("2026-02-01T00:00:00Z"));
    let turn = || async {
        t.statements();
        worker::run_schedules(&t.app, &mut worker::Taken::default())
            .await
            .unwrap();
        let sent = t.statements().len();
        t.advance(TimeDelta::minutes(1));
        (rows(&t).await.len(), sent)
    };
    let (done, sent) = turn().await;
    assert_eq!((done, events(&t).await), (1_000, 1_000));
    // In bulk: a few statements to the database for each of the tables that are written to.
    assert!(sent < 120, "{sent}");
    let (done, _) = turn().await;
    assert_eq!((done, events(&t).await), (1_100, 1_100));
    // Then there is nothing to look for any more.
    let (done, idle) = turn().await;
    assert_eq!((done, turn().await), (1_100, (1_100, idle)));
    let mut told: Vec<_> = rows(&t).await.iter().map(|row| row.partner_id).collect();
    told.sort();
    assert_eq!(told, partners);
    assert_eq!(
        super::told(&published(&t, &person, last).await),
        ["2026-01-01 2026-01-31 USD: 0.00 0.01 0.00 0.00 0.01"]
    );

    // By hand all at once.
    for count in [1_100, 0] {
        let answer = publish(&t, &books.maker, "2026-01-10", "2026-01-12").await;
        assert_eq!(
            answer
                .done("statementsPublish")
                .at("statementsPublish/published"),
            count
        );
    }
    t.settle().await;
    assert_eq!(readers(&t), sorted([&person, &person]));
}
