//! Amounts of money as clients write them: exact, or told where they are wrong.

use serde_json::{Value, json};

use super::{Door, demo};
use crate::{cases, support::TestApp};

cases!(
    decimals_beyond_the_currency_are_told_at_their_field,
    what_is_no_decimal_is_told_at_its_field,
);

const CREATE: &str = "mutation($input: ProductCreateInput!) { productCreate(input: $input)
    { product { listPrice { amount currency } } userErrors { code field } } }";

/// The code of a product family of the demo.
async fn family(door: &Door, ada: &str) -> Value {
    let document = "{ productFamilies(first: 1) { nodes { code } } }";
    let answer = door.ask(ada, document, json!({})).await;
    answer.data()["productFamilies"]["nodes"][0]["code"].clone()
}

fn product(family: &Value, amount: &str, currency: &str) -> Value {
    json!({ "input": { "sku": format!("S-{amount}-{currency}"), "name": "Product", "family": family,
        "listPrice": { "amount": amount, "currency": currency } } })
}

async fn decimals_beyond_the_currency_are_told_at_their_field(t: TestApp) {
    let (door, ada) = demo(&t).await;
    let family = family(&door, &ada).await;
    for (amount, currency) in [
        ("1.005", "USD"),
        ("1.5", "JPY"),
        ("1.0005", "KWD"),
        ("99999999999999999", "USD"),
    ] {
        let answer = door
            .ask(&ada, CREATE, product(&family, amount, currency))
            .await;
        assert_eq!(
            answer.data()["productCreate"],
            json!({ "product": null, "userErrors": [{ "code": "BAD_USER_INPUT", "field": ["listPrice", "amount"] }] }),
            "{amount} {currency}"
        );
    }
    for (amount, currency, told) in [
        ("1.50", "USD", "1.50"),
        ("2", "JPY", "2"),
        ("1.005", "KWD", "1.005"),
        ("3", "USD", "3.00"),
    ] {
        let answer = door
            .ask(&ada, CREATE, product(&family, amount, currency))
            .await;
        assert_eq!(
            answer.data()["productCreate"]["product"]["listPrice"],
            json!({ "amount": told, "currency": currency })
        );
    }
}

async fn what_is_no_decimal_is_told_at_its_field(t: TestApp) {
    let (door, ada) = demo(&t).await;
    let family = family(&door, &ada).await;
    for amount in ["1e3", "1,5", "", "0x10", "111111111111111111111"] {
        let answer = door
            .ask(&ada, CREATE, product(&family, amount, "USD"))
            .await;
        assert_eq!(answer.refused(), "BAD_USER_INPUT", "{amount}");
        let told = format!(
            "Variable \"$input\" got invalid value \"{amount}\" at \"input.listPrice.amount\"; \
             Expected value of type \"Decimal\", found \"{amount}\". An exact decimal number"
        );
        let message = answer.json["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with(&told), "{message}");
        // Written into the document it is told at its field, too.
        let written = format!(
            r#"mutation {{ productCreate(input: {{ sku: "S", name: "Product", family: {family},
               listPrice: {{ amount: "{amount}", currency: "USD" }} }}) {{ product {{ id }} userErrors {{ code }} }} }}"#
        );
        let answer = door.ask(&ada, &written, json!({})).await;
        assert_eq!(answer.refused(), "BAD_USER_INPUT", "{amount}");
        let told = format!(
            "Argument \"input\" got invalid value \"{amount}\" at \"input.listPrice.amount\"; "
        );
        let message = answer.json["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with(&told), "{message}");
    }
}
