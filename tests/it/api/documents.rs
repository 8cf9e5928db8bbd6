//! What the documents of the project cost, and what does not fit into one request.

use async_graphql::{
    Variables,
    parser::{
        parse_query,
        types::{BaseType, Type},
    },
};
use ensemble::{
    graphql::guard::{Guard, Limits, Words},
    schema::{limits, sdl},
};
use serde_json::{Map, Value, json};

use crate::{
    access::sdl::{Sdl, named},
    cases,
    support::TestApp,
};

cases!(
    every_document_of_the_project_fits_into_one_request,
    a_page_of_every_list_with_all_of_its_objects_fits_into_one_request,
    the_question_who_made_a_deal_happen_is_cheap,
    heavy_fields_cannot_be_asked_for_many_times,
);

/// Every operation of the demo, and every example of the documentation.
fn documents() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    let mut found = Vec::new();
    let demo = read(&root.join("seeds/demo.graphql"));
    found.extend(
        demo.split("\n\n")
            .map(|text| ("seeds/demo.graphql".to_owned(), text.to_owned())),
    );
    let mut pages = vec![root.join("README.md")];
    let docs = std::fs::read_dir(root.join("docs")).unwrap();
    pages.extend(
        docs.map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file()),
    );
    for page in pages {
        let text = read(&page);
        let examples = text.split("```graphql\n").skip(1);
        let examples = examples.map(|rest| rest.split("```").next().unwrap_or_default());
        found.extend(examples.map(|text| (page.display().to_string(), text.to_owned())));
    }
    found.retain(|(_, text)| {
        let lines = text.lines().map(str::trim);
        lines
            .into_iter()
            .any(|line| !line.is_empty() && !line.starts_with('#'))
    });
    found
}

/// A value that a type takes.
fn sample(sdl: &Sdl, ty: &Type) -> Value {
    let name = match &ty.base {
        BaseType::List(inner) => return json!([sample(sdl, inner)]),
        BaseType::Named(name) => name.as_str(),
    };
    match name {
        "Int" | "Float" => json!(1),
        "Boolean" => json!(true),
        "String" | "ID" => json!("text"),
        "Decimal" | "BigInt" => json!("1"),
        "Date" => json!("2026-03-01"),
        "DateTime" => json!("2026-03-01T00:00:00Z"),
        "CurrencyCode" => json!("USD"),
        "CountryCode" => json!("DE"),
        "EmailAddress" => json!("anna@acme.com"),
        name => match sdl.values(name).first() {
            Some(value) => json!(value),
            None => {
                let fields = sdl.inputs(name).into_iter();
                let needed =
                    fields.filter(|field| !field.ty.node.nullable && field.default_value.is_none());
                let given =
                    needed.map(|field| (field.name.node.to_string(), sample(sdl, &field.ty.node)));
                Value::Object(given.collect::<Map<_, _>>())
            }
        },
    }
}

async fn every_document_of_the_project_fits_into_one_request(_: TestApp) {
    let (schema, guard) = (Sdl::read(), Guard::new(&sdl(), limits()).unwrap());
    let found = documents();
    assert!(found.len() > 20, "{}", found.len());
    for (place, text) in found {
        let parsed = parse_query(&text).unwrap_or_else(|error| panic!("{place}: {error}\n{text}"));
        for (name, operation) in parsed.operations.iter() {
            let variables = operation.node.variable_definitions.iter();
            let variables = variables.map(|declared| {
                let declared = &declared.node;
                (
                    declared.name.node.to_string(),
                    sample(&schema, &declared.var_type.node),
                )
            });
            let variables = Variables::from_json(Value::Object(variables.collect()));
            let name = name.map(|name| name.as_str());
            let checked = guard.check(&text, name, &variables, Words::Open);
            let cost = checked
                .unwrap_or_else(|refusal| panic!("{place}: {}\n{text}", refusal.message))
                .cost;
            assert!(
                cost <= Limits::default().cost / 4,
                "{place}: {cost} points\n{text}"
            );
        }
    }
}

/// Everything below a type that needs no argument: its leaves, and those of the objects that it names, so many levels
/// deep. Lists that can grow, and fields with a price of their own, are not entered.
fn all(sdl: &Sdl, name: &str, levels: usize) -> String {
    let mut selected = vec!["__typename".to_owned()];
    for field in sdl.fields(name) {
        let target = named(&field.ty.node);
        let demands = |argument: &async_graphql::parser::types::InputValueDefinition| {
            !argument.ty.node.nullable && argument.default_value.is_none()
        };
        let weighty = field
            .directives
            .iter()
            .any(|directive| directive.node.name.node == "cost");
        if weighty
            || field
                .arguments
                .iter()
                .any(|argument| demands(&argument.node))
        {
            continue;
        }
        if sdl.is_leaf(target) {
            selected.push(field.name.node.to_string());
        } else if levels > 0 && !target.ends_with("Connection") {
            selected.push(format!(
                "{} {{ {} }}",
                field.name.node,
                all(sdl, target, levels - 1)
            ));
        }
    }
    selected.join(" ")
}

async fn a_page_of_every_list_with_all_of_its_objects_fits_into_one_request(_: TestApp) {
    let schema = Sdl::read();
    // Only the price is the subject here: a portal asks for a part of these fields.
    let wide = Limits {
        fields: 100_000,
        ..limits()
    };
    let guard = Guard::new(&sdl(), wide).unwrap();
    let mut lists = 0;
    for field in schema.fields("Query") {
        let target = named(&field.ty.node);
        let Some(node) = target.strip_suffix("Connection") else {
            continue;
        };
        lists += 1;
        let text = format!(
            "{{ {} {{ nodes {{ {} }} }} }}",
            field.name.node,
            all(&schema, node, 1)
        );
        let checked = guard.check(&text, None, &Variables::default(), Words::Open);
        let cost = checked
            .unwrap_or_else(|refusal| panic!("{text}: {}", refusal.message))
            .cost;
        assert!(cost <= Limits::default().cost / 2, "{cost} points: {text}");
    }
    assert!(lists > 10, "{lists}");
}

async fn the_question_who_made_a_deal_happen_is_cheap(_: TestApp) {
    let guard = Guard::new(&sdl(), limits()).unwrap();
    let cost = |text: &str| {
        let checked = guard.check(text, None, &Variables::default(), Words::Open);
        checked
            .unwrap_or_else(|refusal| panic!("{text}: {}", refusal.message))
            .cost
    };
    let explanation = cost(
        "{ attributionExplanation(dealId: \"deal_1\") { model totalWeight otherPartners
            credits { share amount { amount currency } weight text partner { id displayName }
                touchpoints { weight counted exclusion touchpoint { id kind occurredAt recordedBy { name } } } }
            whatIf { model credits { share amount { amount } partner { displayName } } } } }",
    );
    assert!(explanation < 2_000, "{explanation}");
    let page = cost(
        "{ deals { pageInfo { hasNextPage endCursor } nodes { id name stage value { amount currency } customer { name }
            participants { role partner { displayName } }
            attribution { model credits { share amount { amount } partner { displayName } } } } } }",
    );
    assert!(page < 2_500, "{page}");
}

async fn heavy_fields_cannot_be_asked_for_many_times(_: TestApp) {
    let guard = Guard::new(&sdl(), limits()).unwrap();
    let refused = |text: &str| {
        let checked = guard.check(text, None, &Variables::default(), Words::Open);
        checked.err().map(|refusal| refusal.cause.code())
    };
    let times = |count: usize, field: &str| {
        let fields: Vec<_> = (0..count).map(|at| format!("a{at}: {field}")).collect();
        format!("{{ {} }}", fields.join(" "))
    };
    for field in [
        "influencedRevenue { currency }",
        "dealForecast { total { currency } }",
    ] {
        assert_eq!(refused(&times(20, field)), Some("TOO_COMPLEX"), "{field}");
        assert_eq!(refused(&times(2, field)), None, "{field}");
    }
    let csv = "statement(periodStart: \"2026-01-01\", periodEnd: \"2026-01-31\") { csv }";
    let one = format!("{{ partner(id: \"partner_1\") {{ {csv} }} }}");
    let two = format!("{{ partner(id: \"partner_1\") {{ {csv} again: {csv} }} }}");
    let page = format!("{{ partners(first: 2) {{ nodes {{ {csv} }} }} }}");
    assert_eq!(refused(&one), None);
    assert_eq!(refused(&two), Some("TOO_COMPLEX"));
    assert_eq!(refused(&page), Some("TOO_COMPLEX"));
}
