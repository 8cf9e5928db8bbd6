//! Published statements: what is told of a month when it is over, to whom, and that it stays as it was told.

pub mod many;
pub mod seen;

use chrono::TimeDelta;
use ensemble::{
    entity::{audit_event, ids::PartnerId, partner_statement, user::Role},
    platform::ids::TypedId,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

use super::{Books, at, earned, mailed};
use crate::{
    cases,
    support::{Answer, Person, TestApp},
};

cases!(
    a_month_is_published_when_it_is_over,
    what_is_booked_later_is_in_the_next_opening,
    finance_publishes_a_period_once,
    a_period_that_is_not_over_is_refused,
    only_finance_and_administrators_publish,
    the_first_month_is_passed_over_and_of_missed_ones_the_last_is_made_up_for,
    an_installation_may_do_without,
);

const PUBLISH: &str = "mutation($start: Date!, $end: Date!) { statementsPublish(input: {periodStart: $start, periodEnd: $end}) \
    { published userErrors { code field } } }";
const PUBLISHED: &str = "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) { partner(id: $id) { \
    publishedStatements(first: $first, after: $after, last: $last, before: $before) { totalCount \
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } \
    nodes { id periodStart periodEnd currency opening { amount } earned { amount } adjustments { amount } \
    paid { amount } closing { amount currency } publishedAt partner { id } } } } }";

/// The event of a published statement.
const EVENT: &str = "statement.published";

/// Two partners with their people, and books that say something about the first.
struct Story {
    books: Books,
    alpha: PartnerId,
    administrator: Person,
    manager: Person,
    member: Person,
    beta: PartnerId,
    stranger: Person,
}

/// A worker that ran in January; 1,428.57 earned in it, 357.14 taken back. Beta has nothing.
async fn january(t: &TestApp) -> Story {
    t.clock.set(at("2026-01-05T08:00:00Z"));
    let books = Books::open(t, 150_000).await;
    let (alpha, beta) = (books.partner("Alpha").await, books.partner("Beta").await);
    let administrator = t.person(Role::PartnerAdministrator, Some(alpha)).await;
    let manager = t.person(Role::PartnerManager, Some(alpha)).await;
    let member = t.person(Role::PartnerMember, Some(alpha)).await;
    let stranger = t.person(Role::PartnerAdministrator, Some(beta)).await;
    t.settle().await;
    t.clock.set(at("2026-01-31T12:00:00Z"));
    let deal = books
        .win("2026-01-05T08:00:00Z", &[earned(alpha, 142_857)])
        .await;
    books
        .refund(deal, "2026-01-31T11:00:00Z", 2_500_000, &[(alpha, 35_714)])
        .await;
    Story {
        books,
        alpha,
        administrator,
        manager,
        member,
        beta,
        stranger,
    }
}

/// After January: 600.00 more in February, and all of it paid.
async fn february(t: &TestApp) -> Story {
    let story = january(t).await;
    t.clock.set(at("2026-02-01T00:00:00Z"));
    t.settle().await;
    t.clock.set(at("2026-02-28T12:00:00Z"));
    let books = &story.books;
    books
        .win("2026-02-10T08:00:00Z", &[earned(story.alpha, 60_000)])
        .await;
    let run = books.pay("2026-02-01", "2026-02-28").await;
    assert_eq!(books.paid(&run, &[story.alpha]).await, [Some(167_143)]);
    story
}

async fn publish(t: &TestApp, by: &Person, start: &str, end: &str) -> Answer {
    t.ask(by, PUBLISH, json!({ "start": start, "end": end }))
        .await
}

async fn published(t: &TestApp, by: &Person, partner: PartnerId) -> Answer {
    t.ask(by, PUBLISHED, json!({ "id": partner.text() })).await
}

/// Days and amounts of the statements in an answer.
fn told(answer: &Answer) -> Vec<String> {
    let nodes = answer.at("partner/publishedStatements/nodes");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let line = |node: &Value| {
        let amounts = ["opening", "earned", "adjustments", "paid", "closing"];
        let amounts = amounts.map(|name| text(&node[name]["amount"]));
        let days = ["periodStart", "periodEnd", "currency"].map(|name| text(&node[name]));
        format!("{}: {}", days.join(" "), amounts.join(" "))
    };
    nodes.as_array().unwrap().iter().map(line).collect()
}

/// Whom a mail told of a statement, sorted, each with the text.
fn mails(t: &TestApp) -> Vec<(String, String)> {
    let mut mails: Vec<_> = mailed(t, EVENT)
        .map(|message| (message.to_address, message.text.replace('\u{a0}', " ")))
        .collect();
    mails.sort();
    mails
}

fn readers(t: &TestApp) -> Vec<String> {
    mails(t).into_iter().map(|(reader, _)| reader).collect()
}

fn sorted<const N: usize>(people: [&Person; N]) -> Vec<String> {
    let mut addresses: Vec<_> = people.map(|person| person.email.clone()).into();
    addresses.sort();
    addresses
}

/// All rows, in the order in which they were written.
async fn rows(t: &TestApp) -> Vec<partner_statement::Model> {
    let rows = partner_statement::Entity::find().order_by_asc(partner_statement::Column::Id);
    rows.all(t.app.db().reader()).await.unwrap()
}

async fn events(t: &TestApp) -> u64 {
    audit_event::Entity::find()
        .filter(audit_event::Column::Action.eq(EVENT))
        .count(t.app.db().reader())
        .await
        .unwrap()
}

async fn a_month_is_published_when_it_is_over(t: TestApp) {
    let story = january(&t).await;
    t.clock.set(at("2026-01-31T23:59:59Z"));
    t.settle().await;
    assert_eq!(
        (rows(&t).await.len(), events(&t).await, mails(&t).len()),
        (0, 0, 0)
    );
    t.clock.set(at("2026-02-01T00:00:00Z"));
    t.settle().await;
    let first = "2026-01-01 2026-01-31 USD: 0.00 1428.57 -357.14 0.00 1071.43";
    for person in [&story.books.maker, &story.manager] {
        assert_eq!(told(&published(&t, person, story.alpha).await), [first]);
    }
    let [(reader, text), (other, _)] = mails(&t).try_into().unwrap();
    assert_eq!(
        vec![reader, other],
        sorted([&story.administrator, &story.manager])
    );
    let id = rows(&t).await[0].id.text();
    let expected = "Hello PartnerAdministrator,\n\n\
        Your statement from 2026-01-01 to 2026-01-31 is published.\n\n\
        Opening: USD 0.00\nEarned: USD 1,428.57\nAdjustments: USD -357.14\nPaid: USD 0.00\nClosing: USD 1,071.43\n\n\
        Adjustments are what refunds took back. What is booked later for one of these days is in the opening of your next \
        statement.\n\n\
        Open the statement:\nhttp://localhost:8080/partner-statements/";
    let greeted = text.replace("PartnerManager", "PartnerAdministrator");
    assert!(greeted.starts_with(&format!("{expected}{id}\n")), "{text}");

    // Nothing more is told of January, however often somebody looks.
    for minutes in [1, 60, 24 * 60] {
        t.advance(TimeDelta::minutes(minutes));
        t.settle().await;
    }
    t.clock.set(at("2026-02-28T12:00:00Z"));
    story
        .books
        .win("2026-02-10T08:00:00Z", &[earned(story.alpha, 60_000)])
        .await;
    story.books.pay("2026-02-01", "2026-02-28").await;
    t.settle().await;
    assert_eq!(mails(&t).len(), 2);
    t.clock.set(at("2026-03-01T06:00:00Z"));
    t.settle().await;
    let second = "2026-02-01 2026-02-28 USD: 1071.43 600.00 0.00 1671.43 0.00";
    let answer = published(&t, &story.administrator, story.alpha).await;
    assert_eq!(told(&answer), [second, first]);
    assert_eq!(mails(&t).len(), 4);

    // In March nothing moves and nothing is owed: there is nothing to tell.
    t.clock.set(at("2026-04-01T06:00:00Z"));
    t.settle().await;
    assert_eq!((rows(&t).await.len(), mails(&t).len()), (2, 4));
    assert_eq!(events(&t).await, 2);
    assert!(
        rows(&t)
            .await
            .iter()
            .all(|row| row.published_by.is_none() && row.partner_id == story.alpha)
    );
}

async fn what_is_booked_later_is_in_the_next_opening(t: TestApp) {
    let story = february(&t).await;
    t.clock.set(at("2026-03-01T00:00:00Z"));
    t.settle().await;
    let february = "2026-02-01 2026-02-28 USD: 1071.43 600.00 0.00 1671.43 0.00";
    let finance = &story.books.maker;
    assert_eq!(
        told(&published(&t, finance, story.alpha).await)[0],
        february
    );

    // A deal is noted as won ten days after it was, in euros and in dollars.
    t.clock.set(at("2026-03-07T12:00:00Z"));
    let won_at = "2026-02-25T08:00:00Z";
    let line = [earned(story.alpha, 1_000)];
    story.books.win(won_at, &line).await;
    let euro = "EUR".parse().unwrap();
    story.books.win_in(euro, won_at, &line).await;
    t.advance(TimeDelta::hours(1));
    t.settle().await;
    let answer = published(&t, finance, story.alpha).await;
    assert_eq!(answer.count("partner/publishedStatements/nodes"), 2);
    assert_eq!(told(&answer)[0], february);
    let live = "query($id: ID!) { partner(id: $id) { statement(periodStart: \"2026-02-01\", periodEnd: \"2026-02-28\", \
        currency: \"USD\") { earned { amount } closing { amount } } } }";
    let live = t
        .ask(finance, live, json!({ "id": story.alpha.text() }))
        .await;
    assert_eq!(
        live.at("partner/statement"),
        &json!({ "earned": { "amount": "610.00" }, "closing": { "amount": "10.00" } })
    );

    t.clock.set(at("2026-04-01T00:00:00Z"));
    t.settle().await;
    let mut march = told(&published(&t, finance, story.alpha).await);
    march.truncate(2);
    march.sort();
    let opened =
        |currency: &str| format!("2026-03-01 2026-03-31 {currency}: 10.00 0.00 0.00 0.00 10.00");
    assert_eq!(march, [opened("EUR"), opened("USD")]);
    // One mail for each statement and reader.
    assert_eq!(
        (rows(&t).await.len(), mails(&t).len(), events(&t).await),
        (4, 8, 4)
    );
}

async fn finance_publishes_a_period_once(t: TestApp) {
    let story = january(&t).await;
    let finance = &story.books.checker;
    t.clock.set(at("2026-02-01T00:00:00Z"));
    let answer = publish(&t, finance, "2026-01-01", "2026-01-31").await;
    assert_eq!(
        answer.done("statementsPublish").at("statementsPublish"),
        &json!({ "published": 1, "userErrors": [] })
    );
    let before = rows(&t).await;
    assert_eq!(before[0].published_by, Some(finance.id));
    t.settle().await;
    assert_eq!(readers(&t), sorted([&story.administrator, &story.manager]));
    let shown = "2026-01-01 2026-01-31 USD: 0.00 1428.57 -357.14 0.00 1071.43";
    assert_eq!(
        told(&published(&t, &story.manager, story.alpha).await),
        [shown]
    );

    // Neither by itself nor by hand a second time, whatever was booked meanwhile.
    story
        .books
        .win("2026-01-20T08:00:00Z", &[earned(story.alpha, 5)])
        .await;
    t.advance(TimeDelta::hours(1));
    let again = publish(&t, finance, "2026-01-01", "2026-01-31").await;
    assert_eq!(
        again
            .done("statementsPublish")
            .at("statementsPublish/published"),
        0
    );
    t.settle().await;
    assert_eq!(rows(&t).await, before);
    assert_eq!((mails(&t).len(), events(&t).await), (2, 1));

    // Other days are another statement; who had nothing to be told gets it when there is something.
    story
        .books
        .win("2026-01-20T08:00:00Z", &[earned(story.beta, 7)])
        .await;
    for (start, end, count) in [
        ("2026-01-01", "2026-01-31", 1),
        ("2026-01-31", "2026-01-31", 2),
        ("2025-12-01", "2025-12-31", 0),
    ] {
        let answer = publish(&t, &story.books.maker, start, end).await;
        assert_eq!(
            answer
                .done("statementsPublish")
                .at("statementsPublish/published"),
            count,
            "{start} {end}"
        );
    }
    assert_eq!(
        told(&published(&t, &story.stranger, story.beta).await),
        [
            "2026-01-31 2026-01-31 USD: 0.07 0.00 0.00 0.00 0.07",
            "2026-01-01 2026-01-31 USD: 0.00 0.07 0.00 0.00 0.07"
        ]
    );
    t.settle().await;
}

async fn a_period_that_is_not_over_is_refused(t: TestApp) {
    let story = january(&t).await;
    let before = story.books.rows().await;
    for (start, end) in [
        ("2026-01-01", "2026-01-31"),
        ("2026-01-31", "2026-01-31"),
        ("2025-01-01", "2027-01-01"),
        ("2026-01-02", "2026-01-01"),
    ] {
        let answer = publish(&t, &story.books.maker, start, end).await;
        assert_eq!(
            answer.at("statementsPublish"),
            &json!({ "published": null, "userErrors": [{ "code": "BAD_USER_INPUT", "field": ["periodEnd"] }] }),
            "{start} {end}"
        );
    }
    assert_eq!(story.books.rows().await, before);
    assert_eq!(rows(&t).await, []);
    t.settle().await;
    assert_eq!(mails(&t), []);
}

async fn only_finance_and_administrators_publish(t: TestApp) {
    let story = january(&t).await;
    t.clock.set(at("2026-02-01T00:00:00Z"));
    let mut people = vec![
        story.administrator.clone(),
        story.manager.clone(),
        story.member.clone(),
    ];
    for role in [Role::AllianceManager, Role::Auditor, Role::Executive] {
        people.push(t.vendor(role).await);
    }
    let before = story.books.rows().await;
    for person in people {
        let answer = publish(&t, &person, "2026-01-01", "2026-01-31").await;
        assert_eq!(answer.refusal("statementsPublish"), "FORBIDDEN");
        // The right is asked for first.
        let answer = publish(&t, &person, "2026-02-01", "2026-02-28").await;
        assert_eq!(answer.refusal("statementsPublish"), "FORBIDDEN");
    }
    assert_eq!(story.books.rows().await, before);
    assert_eq!(rows(&t).await, []);
    let answer = publish(&t, &t.admin().await, "2026-01-01", "2026-01-31").await;
    assert_eq!(
        answer
            .done("statementsPublish")
            .at("statementsPublish/published"),
        1
    );
    t.settle().await;
}

async fn the_first_month_is_passed_over_and_of_missed_ones_the_last_is_made_up_for(t: TestApp) {
    // Books of February that were there before a worker first ran, in March.
    let books = Books::open(&t, 0).await;
    let alpha = books.partner("Alpha").await;
    books
        .win("2026-02-10T08:00:00Z", &[earned(alpha, 100)])
        .await;
    for minutes in [0, 1, 60 * 24 * 30] {
        t.advance(TimeDelta::minutes(minutes));
        t.settle().await;
    }
    assert_eq!(rows(&t).await, []);
    // Nobody works from April until June.
    books
        .win("2026-04-10T08:00:00Z", &[earned(alpha, 20)])
        .await;
    t.clock.set(at("2026-06-20T09:00:00Z"));
    t.settle().await;
    assert_eq!(
        told(&published(&t, &books.maker, alpha).await),
        ["2026-05-01 2026-05-31 USD: 1.20 0.00 0.00 0.00 1.20"]
    );
    // A clock that is set back publishes nothing.
    t.clock.set(at("2026-05-03T09:00:00Z"));
    t.settle().await;
    assert_eq!(rows(&t).await.len(), 1);
}

async fn an_installation_may_do_without(t: TestApp) {
    let story = january(&t).await;
    let without = t.without_publishing();
    t.clock.set(at("2026-02-01T00:00:00Z"));
    without.settle().await;
    assert_eq!(rows(&t).await, []);
    let answer = publish(&without, &story.books.maker, "2026-01-01", "2026-01-31").await;
    answer.done("statementsPublish");
    without.settle().await;
    assert_eq!(readers(&t), sorted([&story.administrator, &story.manager]));
    // Whoever begins again gets what was missed last.
    t.clock.set(at("2026-03-15T00:00:00Z"));
    without.settle().await;
    assert_eq!(rows(&t).await.len(), 1);
    t.advance(TimeDelta::minutes(1));
    t.settle().await;
    assert_eq!(
        told(&published(&t, &story.manager, story.alpha).await)[0],
        "2026-02-01 2026-02-28 USD: 1071.43 0.00 0.00 0.00 1071.43"
    );
}
