use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use async_graphql::{Value, Variables, value};

use super::*;
use crate::graphql::tiny;

fn guard() -> Guard {
    Guard::new(&tiny::schema().sdl(), tiny::limits()).unwrap()
}

fn cause(text: &str) -> Option<Cause> {
    let start = Instant::now();
    let cause = guard()
        .check(text, None, &Variables::default(), Words::Open)
        .err()
        .map(|refusal| refusal.cause);
    assert!(
        start.elapsed() < Duration::from_millis(200),
        "took {:?}",
        start.elapsed()
    );
    cause
}

fn cost(text: &str) -> u64 {
    guard()
        .check(text, None, &Variables::default(), Words::Open)
        .unwrap()
        .cost
}

#[test]
fn objects_connections_lists_and_mutations_have_their_price() {
    assert_eq!(cost("{ version }"), 1);
    assert_eq!(cost("{ deal { id title } }"), 1);
    assert_eq!(cost("{ deal { parent { id } } }"), 2);
    assert_eq!(cost("{ deals { totalCount } }"), 2);
    assert_eq!(cost("{ deals { nodes { id } } }"), 2 + 25);
    assert_eq!(
        cost("{ deals(first: 10) { edges { cursor node { id } } pageInfo { hasNextPage } } }"),
        2 + 10 + 1
    );
    assert_eq!(
        cost("{ deals(first: 10) { nodes { parent { id } } } }"),
        2 + 20
    );
    assert_eq!(
        cost("{ deals(first: 7) { nodes { deals(last: 3) { nodes { id } } } } }"),
        2 + 7 * (1 + 2 + 3)
    );
    assert_eq!(
        cost("{ deal { related { id } siblings { id } } }"),
        1 + 20 + 3
    );
    assert_eq!(cost("{ dealsOf(ids: [\"a\", \"b\"]) { id } }"), 2);
    assert_eq!(cost("mutation { dealCreate { deal { id } } }"), 11);
    assert_eq!(cost("mutation { login }"), 10);
    assert_eq!(cost("{ deals(first: 500) { nodes { id } } }"), 102);
}

#[test]
fn a_fragment_costs_what_it_would_cost_written_out() {
    let written = "{ deals(first: 10) { nodes { id parent { id } } totalCount } }";
    let spread = "{ deals(first: 10) { ...page } } fragment page on DealConnection { nodes { ...deal } totalCount }
        fragment deal on Deal { id ... { parent { id } } }";
    assert_eq!(cost(spread), cost(written));
}

#[test]
fn pages_come_from_variables_and_their_defaults() {
    let guard = guard();
    let text = "query($n: Int = 5) { deals(first: $n) { nodes { id } } }";
    let cost = |variables: Value| {
        guard
            .check(text, None, &Variables::from_value(variables), Words::Open)
            .unwrap()
            .cost
    };
    assert_eq!(cost(value!({})), 7);
    assert_eq!(cost(value!({"n": 50})), 52);
    assert_eq!(cost(value!({"n": null})), 27);
    let huge = Variables::from_value(value!({"n": 4_611_686_018_427_387_904_u64}));
    assert_eq!(
        guard
            .check(text, None, &huge, Words::Open)
            .unwrap_err()
            .cause,
        Cause::BadUserInput
    );
}

#[test]
fn the_standard_introspection_query_passes() {
    let of_type = |levels: usize| {
        format!(
            "{}name{}",
            "kind name ofType { ".repeat(levels),
            " }".repeat(levels)
        )
    };
    let text = format!(
        "query IntrospectionQuery {{ __schema {{ queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }}
         types {{ ...FullType }} directives {{ name locations args {{ ...InputValue }} }} }} }}
         fragment FullType on __Type {{ kind name description fields(includeDeprecated: true) {{ name args {{ ...InputValue }}
         type {{ ...TypeRef }} isDeprecated }} inputFields {{ ...InputValue }} interfaces {{ ...TypeRef }}
         enumValues(includeDeprecated: true) {{ name }} possibleTypes {{ ...TypeRef }} }}
         fragment InputValue on __InputValue {{ name type {{ ...TypeRef }} defaultValue }}
         fragment TypeRef on __Type {{ {} }}",
        of_type(9)
    );
    assert_eq!(cost(&text), price::INTROSPECTION);
    let circles = format!(
        "{{ __schema {{ types {}{} }} }}",
        "{ fields { type ".repeat(5) + "{ name }",
        "} }".repeat(5)
    );
    assert_eq!(cause(&circles), Some(Cause::TooComplex));
    let many: String = (0..20).fold(String::new(), |mut text, at| {
        let _ = write!(
            text,
            "a{at}: __schema {{ types {{ fields {{ type {{ fields {{ name }} }} }} }} }} "
        );
        text
    });
    assert_eq!(cause(&format!("{{ {many} }}")), Some(Cause::TooComplex));
}

#[test]
fn a_fragment_bomb_is_refused() {
    let mut bomb = "{ deal { ...f0 } }".to_owned();
    for at in 0..30 {
        let _ = write!(
            bomb,
            " fragment f{at} on Deal {{ parent {{ ...f{0} ...f{0} }} }}",
            at + 1
        );
    }
    bomb.push_str(" fragment f30 on Deal { id }");
    assert_eq!(cause(&bomb), Some(Cause::TooComplex));
    let flat = bomb
        .replace("parent { ", "")
        .replace(" } }", " }")
        .replace("deal { ...f0 }", "deal { ...f0 } }");
    assert_eq!(cause(&flat), Some(Cause::TooComplex));
}

#[test]
fn nested_lists_and_pages_are_refused() {
    assert_eq!(
        cause("{deal{related{related{related{related{id}}}}}}"),
        Some(Cause::TooComplex)
    );
    let pages = "{deals(first:50){nodes{deals(first:50){nodes{deals(first:50){nodes{deals(first:50){nodes{id}}}}}}}}}";
    assert_eq!(cause(pages), Some(Cause::TooComplex));
    assert_eq!(
        cause("{deals(first: 4611686018427387904){nodes{id}}}"),
        Some(Cause::BadUserInput)
    );
}

#[test]
fn masses_of_aliases_fields_and_directives_are_refused() {
    let many = |part: &dyn Fn(usize) -> String| (0..10_000).map(part).collect::<String>();
    assert_eq!(
        cause(&format!("{{{}}}", many(&|at| format!("a{at}:id ")))),
        Some(Cause::TooComplex)
    );
    assert_eq!(
        cause(&format!("{{{}}}", many(&|_| "id ".to_owned()))),
        Some(Cause::TooComplex)
    );
    assert_eq!(
        cause(&format!("{{id {}}}", many(&|_| "@a ".to_owned()))),
        Some(Cause::TooComplex)
    );
    assert_eq!(
        cause(&format!("{{{}}}", "id@a ".repeat(201))),
        Some(Cause::TooComplex)
    );
    assert_eq!(
        cause(&format!("query @a {}{{id}}", "@a ".repeat(9))),
        Some(Cause::TooComplex)
    );
}

#[test]
fn nesting_is_refused_before_it_is_parsed() {
    for open in ["{a", "[", "(", "{a(b:[", "query($a:["] {
        assert_eq!(
            cause(&open.repeat(400_000 / open.len())),
            Some(Cause::TooComplex)
        );
        assert_eq!(
            cause(&open.repeat(60_000 / open.len())),
            Some(Cause::TooComplex)
        );
    }
    let inline = format!("{{{}id{}}}", "...{".repeat(63), "}".repeat(63));
    assert_eq!(cause(&inline), None);
    assert_eq!(
        cause(&format!("{{{}id{}}}", "a{".repeat(16), "}".repeat(16))),
        Some(Cause::TooComplex)
    );
    assert_eq!(
        cause(&format!("{{{}id{}}}", "a{".repeat(15), "}".repeat(15))),
        None
    );
}

#[test]
fn a_long_chain_of_fragments_is_refused_not_descended() {
    let mut chain = "{...f0}".to_owned();
    for at in 0..1_800 {
        let _ = write!(chain, "fragment f{at} on Query{{...f{}}}", at + 1);
    }
    chain.push_str("fragment f1800 on Query{version}");
    assert_eq!(cause(&chain), Some(Cause::TooComplex));
}

#[test]
fn circles_of_fragments_are_refused_even_unused() {
    assert_eq!(
        cause("{...a} fragment a on Query{...b} fragment b on Query{...a}"),
        Some(Cause::ValidationFailed)
    );
    assert_eq!(
        cause("{version} fragment a on Query{deal{id} ...a}"),
        Some(Cause::ValidationFailed)
    );
}

#[test]
fn roots_are_bounded_and_a_mutation_runs_each_key_once() {
    assert_eq!(
        cause(&format!("{{{}}}", "version ".repeat(21))),
        Some(Cause::TooComplex)
    );
    assert_eq!(cause(&format!("{{{}}}", "version ".repeat(20))), None);
    assert_eq!(cause("mutation {login login}"), None);
    assert_eq!(
        cause("mutation {a: dealCreate{deal{id}} a: login}"),
        Some(Cause::ValidationFailed)
    );
    assert_eq!(
        cause("mutation {dealCreate @idempotent(key: \"1\") {deal{id}} dealCreate{deal{id}}}"),
        Some(Cause::ValidationFailed)
    );
    assert_eq!(
        cause("mutation {a: dealCreate{deal{id}} b: dealCreate{deal{id}}}"),
        None
    );
    assert_eq!(
        cause("mutation {a: login b: login}"),
        Some(Cause::TooComplex)
    );
    assert_eq!(
        cause("mutation {dealCreate{deal{id}} ... on Mutation{login}}"),
        Some(Cause::TooComplex)
    );
    assert_eq!(
        cause("subscription {a: ticks(count: 1) b: ticks(count: 1)}"),
        Some(Cause::TooComplex)
    );
}

#[test]
fn operations_and_variables_must_fit() {
    let guard = guard();
    let cause = |text, name, variables| {
        guard
            .check(text, name, &Variables::from_value(variables), Words::Open)
            .err()
            .map(|refusal| refusal.cause)
    };
    let two = "query a {version} query b {version}";
    assert_eq!(cause(two, Some("b"), value!({})), None);
    assert_eq!(cause(two, Some("c"), value!({})), Some(Cause::BadUserInput));
    assert_eq!(cause(two, None, value!({})), Some(Cause::BadUserInput));
    assert_eq!(cause("query a {version}", None, value!({})), None);
    assert_eq!(
        cause("{version}", Some("a"), value!({})),
        Some(Cause::BadUserInput)
    );
    let needs = "query($n: Int!) {echo(number: $n)}";
    assert_eq!(cause(needs, None, value!({})), Some(Cause::BadUserInput));
    assert_eq!(
        cause(needs, None, value!({"n": null})),
        Some(Cause::BadUserInput)
    );
    assert_eq!(cause(needs, None, value!({"n": 1})), None);
    assert_eq!(
        cause("query($n: Int! = 1) {echo(number: $n)}", None, value!({})),
        None
    );
}

#[test]
fn a_syntax_error_is_one_line_with_its_place() {
    let refusal = guard()
        .check("{ deal( }", None, &Variables::default(), Words::Open)
        .unwrap_err();
    assert_eq!(refusal.cause, Cause::ValidationFailed);
    assert!(
        !refusal.message.contains('\n') && refusal.message.len() < 250,
        "{}",
        refusal.message
    );
    assert!(refusal.position.is_some());
}

#[test]
fn a_text_seen_before_is_not_parsed_again() {
    let guard = guard();
    let first = guard
        .check("{version}", None, &Variables::default(), Words::Open)
        .unwrap();
    let second = guard
        .check("{version}", None, &Variables::default(), Words::Open)
        .unwrap();
    assert!(Arc::ptr_eq(&first.document, &second.document));
}

#[test]
fn values_fit_their_places_with_omitted_variables_beside_them() {
    let guard = guard();
    let cause = |text, variables| {
        guard
            .check(text, None, &Variables::from_value(variables), Words::Open)
            .err()
            .map(|refusal| refusal.cause)
    };
    let list = "query($a: String, $b: String!) {dealsOf(ids: [$b, 5]) {id} version @skip(if: $a)}";
    assert_eq!(cause(list, value!({"b": "x"})), Some(Cause::BadUserInput));
    let position = "query($a: String) {version @skip(if: $a)}";
    assert_eq!(cause(position, value!({})), Some(Cause::ValidationFailed));
    assert_eq!(
        cause("{echo(number: 2147483648)}", value!({})),
        Some(Cause::BadUserInput)
    );
    assert_eq!(cause("{echo(number: 2147483647)}", value!({})), None);
    assert_eq!(
        cause("query($n: Int!) {echo(number: $n)}", value!({"n": "1"})),
        Some(Cause::BadUserInput)
    );
    assert_eq!(
        cause("{dealsOf(ids: \"one\") {id}}", value!({})),
        None,
        "a single value stands for a list of one"
    );
    assert_eq!(
        cause(
            "query($b: String!) {dealsOf(ids: [$b]) {id}}",
            value!({"b": "a\u{0}"})
        ),
        Some(Cause::BadUserInput),
        "a text that PostgreSQL cannot hold"
    );
}

#[test]
fn large_variables_may_not_stand_in_many_places() {
    let guard = guard();
    let text = "query($v: [String!]!) {a: dealsOf(ids: $v) {id} b: dealsOf(ids: $v) {id}}";
    let cause = |count: usize, length: usize| {
        let ids: Vec<Value> = (0..count)
            .map(|_| Value::from("x".repeat(length)))
            .collect();
        guard
            .check(
                text,
                None,
                &Variables::from_value(value!({"v": ids})),
                Words::Open,
            )
            .err()
            .map(|refusal| refusal.cause)
    };
    assert_eq!(cause(9, 1), None);
    assert_eq!(cause(10_000, 1), Some(Cause::TooComplex));
    assert_eq!(cause(1_000, 256 * 10), Some(Cause::TooComplex));
}

/// The root fields of what is executed, with what is selected below each.
fn executed(text: &str, variables: Value) -> Vec<(String, usize)> {
    let variables = Variables::from_value(variables);
    let checked = guard().check(text, None, &variables, Words::Open).unwrap();
    let (_, operation) = checked.document.operations.iter().next().unwrap();
    let roots = roots::roots(&checked.document, &operation.node.selection_set.node);
    roots
        .iter()
        .map(|root| {
            let field = &root.field.node;
            let key = field.response_key().node.to_string();
            (key, field.selection_set.node.items.len())
        })
        .collect()
}

#[test]
fn a_root_field_of_a_mutation_that_is_repeated_is_executed_once() {
    let none = || value!({});
    let once = |items| vec![("dealCreate".to_owned(), items)];
    assert_eq!(
        executed(
            "mutation {dealCreate{deal{id}} dealCreate{deal{title}}}",
            none()
        ),
        once(2)
    );
    assert_eq!(
        executed(
            "mutation {dealCreate{deal{id}} ...m} fragment m on Mutation {dealCreate{...p}}
             fragment p on Payload {deal{title}}",
            none()
        ),
        once(2)
    );
    let conditional = "mutation($a: Boolean!) {dealCreate @skip(if: $a) {deal{id}}
        ... @include(if: $a) {dealCreate{deal{title}}} login @skip(if: $a)}";
    // `login` must be alone, so the two stand in a document of their own.
    let conditional = conditional.replace(" login @skip(if: $a)", "");
    for given in [true, false] {
        assert_eq!(executed(&conditional, value!({"a": given})), once(2));
    }
    let never =
        "mutation {dealCreate @skip(if: true) {deal{id}} dealCreate @skip(if: true) {deal{id}}}";
    assert_eq!(
        executed(never, none()).len(),
        2,
        "kept with their conditions"
    );
}

#[test]
fn a_key_stands_only_where_it_is_kept() {
    let limits = Limits {
        keyless: ["login".to_owned()].into(),
        ..tiny::limits()
    };
    let guard = Guard::new(&tiny::schema().sdl(), limits).unwrap();
    let refused = |text: &str| {
        let checked = guard.check(text, None, &Variables::default(), Words::Open);
        checked.err().map(|refusal| refusal.message.into_owned())
    };
    let elsewhere = Some(
        "Directive \"@idempotent\" is only allowed on the root fields of a mutation.".to_owned(),
    );
    assert_eq!(
        refused("mutation {dealCreate @idempotent(key: \"1\") {deal{id}}}"),
        None
    );
    assert_eq!(
        refused("mutation {dealCreate {deal @idempotent(key: \"1\") {id}}}"),
        elsewhere
    );
    assert_eq!(refused("{version @idempotent(key: \"1\")}"), elsewhere);
    assert_eq!(
        refused(
            "mutation {dealCreate {...p}} fragment p on Payload {deal @idempotent(key: \"1\") {id}}"
        ),
        elsewhere
    );
    assert!(
        refused("mutation {login @idempotent(key: \"1\")}")
            .is_some_and(|text| text.contains("\"login\""))
    );
}

#[test]
fn a_wrong_value_is_named_with_its_argument_and_type() {
    let guard = guard();
    let says = |text: &str, variables: Value, words| {
        let refused = guard.check(text, None, &Variables::from_value(variables), words);
        refused.unwrap_err().message.into_owned()
    };
    assert_eq!(
        says(
            "{deals(first: \"ten\") {totalCount}}",
            value!({}),
            Words::Open
        ),
        "Argument \"first\" got invalid value \"ten\"; Int cannot represent non-integer value: \"ten\"."
    );
    assert_eq!(
        says(
            "{deals(first: 4611686018427387904) {totalCount}}",
            value!({}),
            Words::Open
        ),
        "Argument \"first\" got invalid value 4611686018427387904; Int cannot represent non 32-bit signed integer value: \
         4611686018427387904."
    );
    assert_eq!(
        says("{dealsOf(ids: [\"a\", 5]) {id}}", value!({}), Words::Open),
        "Argument \"ids\" got invalid value 5 at \"ids[1]\"; String cannot represent a non string value: 5."
    );
    assert_eq!(
        says(
            "query($v: [String!]!) {dealsOf(ids: $v) {id}}",
            value!({"v": ["a", null]}),
            Words::Open
        ),
        "Variable \"$v\" got invalid value null at \"v[1]\"; Expected non-nullable type \"String!\" not to be null."
    );
    assert_eq!(
        says("query($v: Strin) {version}", value!({}), Words::Open),
        "Unknown type \"Strin\". Did you mean \"String\"?"
    );
    assert_eq!(
        says("query($v: Strin) {version}", value!({}), Words::Reserved),
        "Unknown type \"Strin\"."
    );
    assert_eq!(
        says("{... on Dea {id}}", value!({}), Words::Open),
        "Unknown type \"Dea\". Did you mean \"Deal\"?"
    );
}

#[test]
fn a_declared_weight_is_the_price_of_its_field() {
    let sdl = "type Query { text: String @cost(weight: \"40\") deal: Deal @cost(weight: \"7\") pages(first: Int): DealConnection \
               sums: [Deal!]! @cost(weight: \"100\") @listSize(assumedSize: 4) } \
               type DealConnection { nodes: [Deal!]! totalCount: Int @cost(weight: \"10\") } \
               type Deal { id: ID text: String @cost(weight: \"5\") } schema { query: Query }";
    let guard = Guard::new(sdl, Limits::default()).unwrap();
    let cost = |text: &str| {
        let checked = guard.check(text, None, &Variables::default(), Words::Open);
        checked.unwrap().cost
    };
    assert_eq!(cost("{ text }"), 40);
    assert_eq!(cost("{ a: text b: text }"), 80);
    assert_eq!(cost("{ deal { id } }"), 7);
    assert_eq!(cost("{ sums { id } }"), 100 + 4);
    assert_eq!(
        cost("{ pages(first: 3) { nodes { text } totalCount } }"),
        2 + 10 + 3 * (1 + 5)
    );
}
