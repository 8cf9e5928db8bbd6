//! Who sees which published statements, and in which order.

use ensemble::{
    entity::{ids::PartnerStatementId, user::Role},
    platform::ids::{self, TypedId},
};
use serde_json::{Value, json};

use super::{PUBLISHED, at, february, january, publish, published, rows, told};
use crate::{
    cases,
    support::{Person, TestApp},
};

cases!(
    a_partner_sees_its_own_published_statements,
    the_latest_period_comes_first,
);

async fn a_partner_sees_its_own_published_statements(t: TestApp) {
    let story = february(&t).await;
    let (executive, auditor) = (
        t.vendor(Role::Executive).await,
        t.vendor(Role::Auditor).await,
    );
    let id = rows(&t).await[0].id.text();
    for person in [&story.administrator, &story.manager, &auditor] {
        let answer = published(&t, person, story.alpha).await;
        assert_eq!(told(&answer).len(), 1);
        assert_eq!(
            answer.text("partner/publishedStatements/nodes/0/partner/id"),
            story.alpha.text()
        );
    }
    for person in [&story.member, &executive] {
        let answer = published(&t, person, story.alpha).await;
        assert_eq!(answer.error(), "FORBIDDEN");
        assert_eq!(
            answer.json["data"],
            json!({ "partner": { "publishedStatements": null } })
        );
    }
    let answer = published(&t, &story.stranger, story.alpha).await;
    assert_eq!(
        (answer.error().as_str(), &answer.json["data"]),
        ("NOT_FOUND", &json!({ "partner": null }))
    );
    assert_eq!(
        told(&published(&t, &story.stranger, story.beta).await),
        Vec::<String>::new()
    );

    // By its id.
    for document in [
        "query($id: ID!) { publishedStatement(id: $id) { id closing { amount currency } } }",
        "query($id: ID!) { node(id: $id) { ... on PublishedStatement { id closing { amount currency } } } }",
    ] {
        let ask = |person: &Person, id: &str| {
            let (t, person, id) = (t.clone(), person.clone(), id.to_owned());
            async move { t.ask(&person, document, json!({ "id": id })).await }
        };
        let answer = ask(&story.manager, &id).await;
        let object = answer.json["data"].as_object().unwrap().values().next();
        let closing = json!({ "amount": "1071.43", "currency": "USD" });
        assert_eq!(object, Some(&json!({ "id": id, "closing": closing })));
        assert_eq!(ask(&story.stranger, &id).await.error(), "NOT_FOUND");
        let nothing = ids::mint(t.app.clock().now());
        let nothing = PartnerStatementId::of(nothing).text();
        assert_eq!(ask(&story.manager, &nothing).await.error(), "NOT_FOUND");
    }
    t.settle().await;
}

async fn the_latest_period_comes_first(t: TestApp) {
    let story = january(&t).await;
    t.clock.set(at("2026-02-01T00:00:00Z"));
    for (start, end) in [
        ("2026-01-20", "2026-01-20"),
        ("2026-01-01", "2026-01-31"),
        ("2026-01-01", "2026-01-10"),
    ] {
        publish(&t, &story.books.maker, start, end)
            .await
            .done("statementsPublish");
    }
    let page = |more: Value| {
        let (t, manager, mut asked) = (t.clone(), story.manager.clone(), more);
        asked["id"] = json!(story.alpha.text());
        async move {
            let answer = t.ask(&manager, PUBLISHED, asked).await;
            let days = answer.at("partner/publishedStatements/nodes").as_array();
            let days = days.unwrap().iter().map(|node| node["periodEnd"].clone());
            let info = answer.at("partner/publishedStatements/pageInfo").clone();
            (days.collect::<Vec<_>>(), info)
        }
    };
    let (first, info) = page(json!({ "first": 2 })).await;
    assert_eq!(first, ["2026-01-31", "2026-01-20"]);
    assert_eq!(info["hasNextPage"], true);
    let (rest, end) = page(json!({ "first": 2, "after": info["endCursor"] })).await;
    assert_eq!(
        (rest, &end["hasNextPage"]),
        (vec![json!("2026-01-10")], &json!(false))
    );
    let (back, _) = page(json!({ "last": 1, "before": info["endCursor"] })).await;
    assert_eq!(back, ["2026-01-31"]);
    t.settle().await;
}
