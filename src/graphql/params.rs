//! The four parameters of a GraphQL request, from a JSON body or a query string.

use async_graphql::{Extensions, Variables};
use serde_json::{Map, Value};

use super::refusal::{Cause, Refusal};

/// One request as it was sent.
#[derive(Debug, Default)]
pub struct Params {
    /// The document.
    pub query: String,
    /// Which operation of it; empty counts as not given.
    pub operation_name: Option<String>,
    /// Values of its variables.
    pub variables: Variables,
    /// Whatever else the client says; not interpreted.
    pub extensions: Extensions,
}

impl Params {
    /// Reads a request body.
    ///
    /// # Errors
    ///
    /// `BAD_REQUEST`.
    pub fn from_body(body: &[u8]) -> Result<Self, Refusal> {
        match serde_json::from_slice(body) {
            Ok(json) => Self::from_json(json),
            Err(_) => Err(bad("the body is not JSON")),
        }
    }

    /// Reads a request that is JSON already.
    ///
    /// # Errors
    ///
    /// `BAD_REQUEST`.
    pub fn from_json(json: Value) -> Result<Self, Refusal> {
        match json {
            Value::Object(mut fields) => Self::from_fields(&mut fields),
            Value::Array(_) => Err(bad("several requests in one body are not supported")),
            _ => Err(bad("the body is not a JSON object")),
        }
    }

    /// Reads a query string, in which `variables` and `extensions` are JSON.
    ///
    /// # Errors
    ///
    /// `BAD_REQUEST`.
    pub fn from_query_string(text: &str) -> Result<Self, Refusal> {
        let mut fields = Map::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let value = match &*name {
                "query" | "operationName" => Value::String(value.into_owned()),
                "variables" | "extensions" if value.is_empty() => Value::Null,
                "variables" | "extensions" => serde_json::from_str(&value)
                    .map_err(|_| bad("variables and extensions must be JSON"))?,
                _ => continue,
            };
            if fields.insert(name.into_owned(), value).is_some() {
                return Err(bad("a parameter is given twice"));
            }
        }
        Self::from_fields(&mut fields)
    }

    fn from_fields(fields: &mut Map<String, Value>) -> Result<Self, Refusal> {
        let mut take = |name| fields.remove(name).unwrap_or_default();
        let Value::String(query) = take("query") else {
            return Err(bad("\"query\" must be a string"));
        };
        let operation_name = match take("operationName") {
            Value::Null => None,
            Value::String(name) => Some(name).filter(|name| !name.is_empty()),
            _ => return Err(bad("\"operationName\" must be a string or null")),
        };
        let variables = match take("variables") {
            Value::Null => Variables::default(),
            object @ Value::Object(_) => {
                serde_json::from_value(object).map_err(|_| bad("\"variables\" cannot be read"))?
            }
            _ => return Err(bad("\"variables\" must be an object or null")),
        };
        let extensions = match take("extensions") {
            Value::Null => Extensions::default(),
            object @ Value::Object(_) => {
                serde_json::from_value(object).map_err(|_| bad("\"extensions\" cannot be read"))?
            }
            _ => return Err(bad("\"extensions\" must be an object or null")),
        };
        Ok(Self {
            query,
            operation_name,
            variables,
            extensions,
        })
    }
}

fn bad(message: &'static str) -> Refusal {
    Refusal::new(Cause::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_string_carries_all_four_parameters() {
        let params = Params::from_query_string(
            "query=query+a%7Bb%7D&operationName=a&variables=%7B%22n%22%3A1%7D&extensions=&utm=x",
        )
        .unwrap();
        assert_eq!(params.query, "query a{b}");
        assert_eq!(params.operation_name.as_deref(), Some("a"));
        assert_eq!(params.variables.len(), 1);
    }

    #[test]
    fn what_is_not_a_request_is_refused() {
        for body in [
            "",
            "{",
            "[]",
            "1",
            "{}",
            r#"{"query": 1}"#,
            r#"{"query": "", "variables": []}"#,
            r#"{"query": "", "operationName": 1}"#,
            r#"{"query": "", "extensions": "x"}"#,
            r#"[{"query": "{a}"}]"#,
        ] {
            assert_eq!(
                Params::from_body(body.as_bytes()).unwrap_err().cause,
                Cause::BadRequest,
                "{body}"
            );
        }
        for query in [
            "",
            "variables={}",
            "query=a&query=b",
            "query=a&variables={",
            "query=a&variables=[]",
        ] {
            assert_eq!(
                Params::from_query_string(query).unwrap_err().cause,
                Cause::BadRequest,
                "{query}"
            );
        }
    }
}
