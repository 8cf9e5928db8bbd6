//! What the API answered, and short ways to ask it.

use serde_json::Value;

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Answer {
    document: String,
    /// The whole answer.
    pub json: Value,
}

impl Answer {
    /// Wraps a response.
    pub fn new(document: &str, response: async_graphql::Response) -> Self {
        Self {
            document: document.to_owned(),
            json: serde_json::to_value(response).unwrap(),
        }
    }

    /// A value of the data by JSON pointer without the leading slash: `deal/customer/name`.
    #[track_caller]
    pub fn at(&self, path: &str) -> &Value {
        assert!(
            self.json.get("errors").is_none(),
            "unexpected errors: {:#}\n{}",
            self.json,
            self.document
        );
        self.json
            .pointer(&format!("/data/{path}"))
            .unwrap_or_else(|| panic!("nothing at {path}: {:#}\n{}", self.json, self.document))
    }

    /// A text of the data.
    #[track_caller]
    pub fn text(&self, path: &str) -> String {
        self.at(path)
            .as_str()
            .unwrap_or_else(|| panic!("no text at {path}: {:#}", self.json))
            .to_owned()
    }

    /// The number of items of a list.
    #[track_caller]
    pub fn count(&self, path: &str) -> usize {
        self.at(path)
            .as_array()
            .unwrap_or_else(|| panic!("no list at {path}: {:#}", self.json))
            .len()
    }

    /// The object that a mutation returned; it must not have refused.
    #[track_caller]
    pub fn done(&self, mutation: &str) -> &Self {
        let errors = self.at(&format!("{mutation}/userErrors"));
        assert_eq!(errors, &Value::Array(Vec::new()), "{}", self.document);
        self
    }

    /// The codes with which a mutation refused.
    #[track_caller]
    pub fn refusals(&self, mutation: &str) -> Vec<String> {
        let errors = self
            .at(&format!("{mutation}/userErrors"))
            .as_array()
            .unwrap();
        errors
            .iter()
            .map(|error| error["code"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The one code with which a mutation refused.
    #[track_caller]
    pub fn refusal(&self, mutation: &str) -> String {
        let codes = self.refusals(mutation);
        assert_eq!(codes.len(), 1, "expected one refusal: {:#}", self.json);
        codes[0].clone()
    }

    /// The code of the one top-level error.
    #[track_caller]
    pub fn error(&self) -> String {
        let errors = self.json["errors"]
            .as_array()
            .unwrap_or_else(|| panic!("no errors: {:#}", self.json));
        assert_eq!(errors.len(), 1, "expected one error: {:#}", self.json);
        errors[0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}
