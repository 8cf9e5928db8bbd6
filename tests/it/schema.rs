//! The schema as portal developers meet it: committed, described, bounded.

use std::collections::BTreeSet;

use async_graphql::parser::{
    parse_schema,
    types::{TypeKind, TypeSystemDefinition},
};
use ensemble::{
    graphql::guard::{Guard, Limits},
    schema::sdl,
};
use serde_json::json;

use crate::{
    access::sdl::{Sdl, named},
    cases,
    support::TestApp,
};

cases!(
    the_committed_schema_is_the_served_one,
    everything_is_described,
    every_plain_list_declares_its_size,
    every_scalar_is_known_to_the_guard,
    directives_and_inputs_are_described,
    the_catalogue_of_codes_is_complete,
    the_names_that_clients_rely_on_stay,
);

/// What clients outside ask for. To rename or to remove one of them breaks somebody: add beside it instead.
const QUERIES: [(&str, &[&str]); 21] = [
    ("viewer", &[]),
    ("node", &["id"]),
    ("nodes", &["ids"]),
    ("partners", &[]),
    ("partner", &["id"]),
    ("programs", &[]),
    ("program", &["id"]),
    ("customers", &[]),
    ("customer", &["id"]),
    ("products", &[]),
    ("dealRegistrations", &[]),
    ("dealRegistration", &["id"]),
    ("deals", &[]),
    ("deal", &["id"]),
    ("incentivePlans", &[]),
    ("payoutRuns", &[]),
    ("payoutRun", &["id"]),
    ("payouts", &[]),
    ("ledgerAccounts", &[]),
    ("attributionExplanation", &["dealId"]),
    ("auditEvents", &[]),
];

/// Each with one argument, `input`.
const MUTATIONS: [&str; 31] = [
    "login",
    "tokenRefresh",
    "logout",
    "userInvite",
    "invitationAccept",
    "passwordResetRequest",
    "passwordReset",
    "partnerCreate",
    "partnerUpdate",
    "partnerActivate",
    "partnerSuspend",
    "programCreate",
    "productCreate",
    "dealRegistrationSubmit",
    "dealRegistrationApprove",
    "dealRegistrationReject",
    "dealRegistrationWithdraw",
    "dealRegistrationExtend",
    "dealParticipantInvite",
    "dealParticipantAccept",
    "touchpointRecord",
    "touchpointVerify",
    "dealStageChange",
    "dealWin",
    "dealLose",
    "dealRefund",
    "incentivePlanCreate",
    "incentivePlanActivate",
    "payoutRunCreate",
    "payoutRunApprove",
    "payoutRunExecute",
];

/// Below an object: the field, and what is given to it.
const BELOW: [(&str, &[&str]); 18] = [
    ("LoginPayload.accessToken", &[]),
    ("LoginPayload.refreshToken", &[]),
    ("LoginPayload.expiresAt", &[]),
    ("Deal.participants", &[]),
    ("Deal.touchpoints", &[]),
    ("Deal.accruals", &[]),
    ("Deal.attribution", &[]),
    ("Attribution.model", &[]),
    ("Attribution.credits", &[]),
    ("AttributionCredit.partner", &[]),
    ("AttributionCredit.share", &[]),
    ("AttributionCredit.amount", &[]),
    ("Partner.statement", &["periodStart", "periodEnd"]),
    ("PartnerBalance.accrued", &[]),
    ("PartnerBalance.held", &[]),
    ("PartnerBalance.payable", &[]),
    ("PartnerBalance.inPayout", &[]),
    ("PartnerBalance.paid", &[]),
];

async fn the_names_that_clients_rely_on_stay(_: TestApp) {
    let sdl = Sdl::read();
    let queries = QUERIES.map(|(name, given)| (format!("Query.{name}"), given));
    let mutations = MUTATIONS.map(|name| (format!("Mutation.{name}"), &["input"] as &[_]));
    let below = BELOW.map(|(name, given)| (name.to_owned(), given));
    for (name, given) in queries.into_iter().chain(mutations).chain(below) {
        let (parent, field) = name.split_once('.').unwrap();
        let field = sdl.field(parent, field);
        let arguments: Vec<_> = field.arguments.iter().map(|a| &a.node).collect();
        for given in given {
            let known = arguments.iter().any(|a| a.name.node.as_str() == *given);
            assert!(known, "{name}({given}:) is gone");
        }
        // Whatever was added can be left out.
        for argument in arguments {
            let optional = argument.ty.node.nullable || argument.default_value.is_some();
            let name_of_it = argument.name.node.as_str();
            assert!(
                optional || given.contains(&name_of_it),
                "{name}({name_of_it}:) is demanded"
            );
        }
    }
    for (parent, field, inner) in [
        ("Mutation", "login", "LoginPayload"),
        ("Deal", "attribution", "Attribution"),
        ("Attribution", "credits", "AttributionCredit"),
        ("Partner", "balance", "PartnerBalance"),
    ] {
        assert_eq!(named(&sdl.field(parent, field).ty.node), inner);
    }
    let login: Vec<_> = sdl
        .inputs("LoginInput")
        .iter()
        .map(|field| field.name.node.as_str())
        .collect();
    assert_eq!(login, ["email", "password"]);
}

async fn the_committed_schema_is_the_served_one(_: TestApp) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == sdl(),
        "schema.graphql differs; write it anew: cargo run -- schema > schema.graphql"
    );
}

async fn everything_is_described(_: TestApp) {
    let mut bare = Vec::new();
    for definition in parse_schema(sdl()).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let definition = definition.node;
        let name = definition.name.node.to_string();
        // The library's own names for the roots need no words.
        if definition.description.is_none()
            && !["Query", "Mutation", "Subscription"].contains(&name.as_str())
        {
            bare.push(name.clone());
        }
        let fields = match definition.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            TypeKind::InputObject(input) => {
                bare.extend(
                    input
                        .fields
                        .iter()
                        .filter(|f| f.node.description.is_none())
                        .map(|f| format!("{name}.{}", f.node.name.node)),
                );
                Vec::new()
            }
            TypeKind::Enum(values) => {
                bare.extend(
                    values
                        .values
                        .iter()
                        .filter(|v| v.node.description.is_none())
                        .map(|v| format!("{name}.{}", v.node.value.node)),
                );
                Vec::new()
            }
            _ => Vec::new(),
        };
        for field in fields {
            let field = field.node;
            if field.description.is_none() {
                bare.push(format!("{name}.{}", field.name.node));
            }
            for argument in field
                .arguments
                .iter()
                .filter(|argument| argument.node.description.is_none())
            {
                bare.push(format!(
                    "{name}.{}({}:)",
                    field.name.node, argument.node.name.node
                ));
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

async fn every_plain_list_declares_its_size(_: TestApp) {
    let guard = Guard::new(&sdl(), Limits::default()).unwrap();
    assert_eq!(
        guard.catalog().unsized_lists(),
        &[] as &[String],
        "declare cost::list_size"
    );
}

async fn the_catalogue_of_codes_is_complete(_: TestApp) {
    use ensemble::error::Code;
    use sea_orm::Iterable;

    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).unwrap();
    let documented: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|code| {
            code.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
        .collect();
    let answered: BTreeSet<&str> = Code::iter().map(Code::as_str).collect();
    assert_eq!(documented, answered);
    let definitions = parse_schema(sdl()).unwrap().definitions;
    let declared = definitions.iter().find_map(|definition| match definition {
        TypeSystemDefinition::Type(definition) if definition.node.name.node == "ErrorCode" => {
            match &definition.node.kind {
                TypeKind::Enum(values) => Some(values),
                _ => None,
            }
        }
        _ => None,
    });
    let values = declared.unwrap().values.iter();
    let declared: BTreeSet<&str> = values.map(|value| value.node.value.node.as_str()).collect();
    assert_eq!(declared, answered);
}

async fn every_scalar_is_known_to_the_guard(_: TestApp) {
    let definitions = parse_schema(sdl()).unwrap().definitions;
    let unknown: Vec<String> = definitions
        .into_iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition)
                if matches!(definition.node.kind, TypeKind::Scalar) =>
            {
                Some(definition.node.name.node.to_string())
            }
            _ => None,
        })
        .filter(|name| {
            ensemble::graphql::scalars::takes(name, &async_graphql::Value::Null).is_none()
        })
        .collect();
    assert_eq!(unknown, Vec::<String>::new(), "add it to scalars::takes");
}

async fn directives_and_inputs_are_described(t: TestApp) {
    let ada = t.admin().await;
    let answer = t
        .ask(
            &ada,
            "{ __schema { directives { name description args { name description } } types { name kind inputFields { name description defaultValue } } } }",
            json!({}),
        )
        .await;
    let mut bare = Vec::new();
    let mut see = |owner: &serde_json::Value, item: &serde_json::Value| {
        if item["description"]
            .as_str()
            .is_none_or(|text| text.trim().is_empty())
        {
            bare.push(format!("{}.{}", owner["name"], item["name"]));
        }
    };
    for directive in answer.at("__schema/directives").as_array().unwrap() {
        see(directive, directive);
        for argument in directive["args"].as_array().unwrap() {
            see(directive, argument);
        }
    }
    for object in answer.at("__schema/types").as_array().unwrap() {
        for field in object["inputFields"].as_array().into_iter().flatten() {
            see(object, field);
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}
