//! The catalogue.

use ensemble::{
    catalog::lookup,
    entity::{ids::ProductId, product, product_family, user::Role},
    error::Error,
    platform::ids::TypedId,
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use super::{fields, run, traces};
use crate::{
    cases,
    support::{Person, TestApp},
};

cases!(
    products_belong_to_families,
    products_are_found_by_family_and_name,
    a_product_changes_and_keeps_the_rest,
    products_are_looked_up_in_the_order_asked_for,
);

async fn create(t: &TestApp, person: &Person, input: Value) -> String {
    let made = run(t, person, "productCreate", input, "product { id }").await;
    made.done("productCreate").text("productCreate/product/id")
}

async fn written(t: &TestApp) -> [u64; 2] {
    let db = t.app.db().reader();
    [
        product::Entity::find().count(db).await.unwrap(),
        product_family::Entity::find().count(db).await.unwrap(),
    ]
}

async fn products_belong_to_families(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let input = json!({ "code": "care", "name": "Care Platform" });
    let family = run(
        &t,
        &ada,
        "productFamilyCreate",
        input.clone(),
        "productFamily { code name }",
    )
    .await;
    let expected = json!({ "code": "CARE", "name": "Care Platform" });
    assert_eq!(
        family
            .done("productFamilyCreate")
            .at("productFamilyCreate/productFamily"),
        &expected
    );
    let selection = "product { sku version listPrice { amount currency } family { code name } }";
    let price = json!({ "amount": "48000", "currency": "USD" });
    let core =
        json!({ "sku": "CARE-CORE", "name": "Care Core", "family": " Care ", "listPrice": price });
    let made = run(&t, &ada, "productCreate", core.clone(), selection).await;
    let expected = json!({
        "sku": "CARE-CORE", "version": 1, "listPrice": { "amount": "48000.00", "currency": "USD" }, "family": expected,
    });
    assert_eq!(
        made.done("productCreate").at("productCreate/product"),
        &expected
    );
    let made = run(
        &t,
        &ada,
        "productCreate",
        json!({ "sku": "X", "name": "X", "family": "edge" }),
        selection,
    )
    .await;
    let expected = json!({ "sku": "X", "version": 1, "listPrice": null, "family": { "code": "EDGE", "name": "EDGE" } });
    assert_eq!(
        made.done("productCreate").at("productCreate/product"),
        &expected
    );

    let before = (traces(&t).await, written(&t).await);
    let again = run(
        &t,
        &ada,
        "productFamilyCreate",
        input,
        "productFamily { code }",
    )
    .await;
    assert_eq!(again.refusal("productFamilyCreate"), "DUPLICATE");
    let mut new_family = core;
    new_family["family"] = json!("NEW");
    let again = run(&t, &ada, "productCreate", new_family, selection).await;
    assert_eq!(
        (
            again.refusal("productCreate").as_str(),
            fields(&again, "productCreate")
        ),
        ("DUPLICATE", vec!["sku".to_owned()])
    );
    let negative = json!({ "sku": "", "name": "", "family": "", "listPrice": { "amount": "-1", "currency": "USD" } });
    let refused = run(&t, &ada, "productCreate", negative, selection).await;
    assert_eq!(
        fields(&refused, "productCreate"),
        ["sku", "name", "family", "listPrice.amount"]
    );
    let finance = t.vendor(Role::Finance).await;
    let refused = run(
        &t,
        &finance,
        "productCreate",
        json!({ "sku": "Y", "name": "Y", "family": "CARE" }),
        selection,
    )
    .await;
    assert_eq!(refused.refusal("productCreate"), "FORBIDDEN");
    assert_eq!((traces(&t).await, written(&t).await), before);
}

async fn products_are_found_by_family_and_name(t: TestApp) {
    let ada = t.admin().await;
    for (sku, name, family) in [
        ("B", "Care Core", "CARE"),
        ("A", "Flow Core", "FLOW"),
        ("C", "Care Mobile", "CARE"),
    ] {
        t.advance(chrono::TimeDelta::seconds(1));
        create(
            &t,
            &ada,
            json!({ "sku": sku, "name": name, "family": family }),
        )
        .await;
    }
    let document = "query($filter: ProductFilter, $order: [ProductOrder!]) {
        products(filter: $filter, orderBy: $order) { totalCount nodes { sku } } productFamilies { nodes { code } } }";
    let found = async |variables: Value| {
        let answer = t.ask(&ada, document, variables).await;
        assert_eq!(
            answer.at("productFamilies/nodes"),
            &json!([{ "code": "CARE" }, { "code": "FLOW" }])
        );
        let nodes = answer.at("products/nodes").as_array().unwrap();
        nodes
            .iter()
            .map(|node| node["sku"].as_str().unwrap())
            .collect::<String>()
    };
    assert_eq!(found(json!({})).await, "ABC");
    assert_eq!(
        found(json!({ "order": [{ "field": "CREATED_AT", "direction": "DESC" }] })).await,
        "CAB"
    );
    assert_eq!(found(json!({ "filter": { "family": "care" } })).await, "BC");
    assert_eq!(found(json!({ "filter": { "family": "OTHER" } })).await, "");
    assert_eq!(
        found(json!({ "filter": { "name": { "contains": "CORE" } } })).await,
        "AB"
    );
    assert_eq!(
        found(json!({ "filter": { "name": { "startsWith": "care", "contains": "core" } } })).await,
        "B"
    );
}

async fn a_product_changes_and_keeps_the_rest(t: TestApp) {
    let ada = t.admin().await;
    let price = json!({ "amount": "10.00", "currency": "USD" });
    let id = create(
        &t,
        &ada,
        json!({ "sku": "A", "name": "Core", "family": "CARE", "listPrice": price }),
    )
    .await;
    let selection = "product { name version listPrice { amount } family { code } }";
    let update = async |input: Value| run(&t, &ada, "productUpdate", input, selection).await;
    let renamed =
        update(json!({ "productId": id, "name": "Care Core", "expectedVersion": 1 })).await;
    let expected = json!({ "name": "Care Core", "version": 2, "listPrice": { "amount": "10.00" }, "family": { "code": "CARE" } });
    assert_eq!(
        renamed.done("productUpdate").at("productUpdate/product"),
        &expected
    );
    let before = traces(&t).await;
    assert_eq!(
        update(json!({ "productId": id, "name": "Other", "expectedVersion": 1 }))
            .await
            .refusal("productUpdate"),
        "STALE_OBJECT"
    );
    assert_eq!(
        fields(
            &update(json!({ "productId": id, "name": null, "family": null })).await,
            "productUpdate"
        ),
        ["name", "family"]
    );
    assert_eq!(
        update(json!({ "productId": "x" }))
            .await
            .refusal("productUpdate"),
        "NOT_FOUND"
    );
    assert_eq!(traces(&t).await, before);
    let moved = update(json!({ "productId": id, "family": "flow", "listPrice": null })).await;
    let expected = json!({ "name": "Care Core", "version": 3, "listPrice": null, "family": { "code": "FLOW" } });
    assert_eq!(
        moved.done("productUpdate").at("productUpdate/product"),
        &expected
    );
}

async fn products_are_looked_up_in_the_order_asked_for(t: TestApp) {
    let ada = t.admin().await;
    let mut ids = Vec::new();
    for sku in ["A", "B"] {
        let id = create(
            &t,
            &ada,
            json!({ "sku": sku, "name": sku, "family": "CARE" }),
        )
        .await;
        ids.push(ProductId::parse(&id).unwrap());
    }
    let db = t.app.db().reader();
    let found = lookup::products(db, &[ids[1], ids[0], ids[1]], "products")
        .await
        .unwrap();
    assert_eq!(
        found
            .iter()
            .map(|product| product.sku.as_str())
            .collect::<String>(),
        "BAB"
    );
    let unknown = ProductId(uuid::Uuid::nil());
    let Err(Error::Refused(refusals)) =
        lookup::products(db, &[ids[0], unknown, unknown], "products").await
    else {
        panic!("unknown products were found")
    };
    assert_eq!(
        refusals
            .iter()
            .map(|refusal| refusal.field.join("."))
            .collect::<Vec<_>>(),
        ["products.1", "products.2"]
    );
}
