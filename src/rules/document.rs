//! What a domain says about a document of rules, and several documents in one row.
//!
//! Pure: decides from facts alone.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::Check;

/// A document of rules, owned by the domain that reads it.
pub trait RuleDocument: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Checks the document itself. Paths are those of the API's input, such as `stages.0.probability`.
    fn check(&self, check: &mut Check);
}

/// Documents that take effect together, kept in one row: the fields of all of them side by side. Each domain reads its
/// own and ignores the others.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sea_orm::FromJsonQueryResult,
)]
pub struct Documents(Map<String, Value>);

impl Documents {
    /// Puts a document among the others. Fields of a document that was there before are replaced.
    ///
    /// # Errors
    /// The document is no object.
    pub fn with<T: RuleDocument>(mut self, document: &T) -> serde_json::Result<Self> {
        let fields: Map<String, Value> = serde_json::from_value(serde_json::to_value(document)?)?;
        self.0.extend(fields);
        Ok(self)
    }

    /// Reads the document of one domain.
    ///
    /// # Errors
    /// A field is missing or cannot be read.
    pub fn read<T: RuleDocument>(&self) -> serde_json::Result<T> {
        T::deserialize(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Hours {
        review_hours: u16,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Days {
        days: Vec<u16>,
        #[serde(default)]
        closed: bool,
    }

    impl RuleDocument for Hours {
        fn check(&self, check: &mut Check) {
            check.within(self.review_hours, 1, 48, "reviewHours");
        }
    }

    impl RuleDocument for Days {
        fn check(&self, check: &mut Check) {
            check.within(self.days.len(), 0, 3, "days");
        }
    }

    #[test]
    fn documents_lie_side_by_side_and_are_read_one_by_one() {
        let hours = Hours { review_hours: 48 };
        let days = Days {
            days: vec![14, 3],
            closed: false,
        };
        let row = Documents::default().with(&hours).unwrap();
        let row = row.with(&days).unwrap();
        let expected = json!({ "reviewHours": 48, "days": [14, 3], "closed": false });
        assert_eq!(serde_json::to_value(&row).unwrap(), expected);
        assert_eq!(row.read::<Hours>().unwrap(), hours);
        assert_eq!(row.read::<Days>().unwrap(), days);

        let row = row.with(&Hours { review_hours: 24 }).unwrap();
        assert_eq!(row.read::<Hours>().unwrap().review_hours, 24);
        assert_eq!(row.read::<Days>().unwrap(), days);
        assert!(Documents::default().read::<Hours>().is_err());
    }
}
