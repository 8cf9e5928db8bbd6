//! Files to start from: for each kind of row a header and two rows, and the mapping that reads them.

use clap::ValueEnum;

/// A file to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// The mapping that reads the others.
    Mapping,
    /// Partners.
    #[value(alias = "partner")]
    Partners,
    /// Customers.
    #[value(alias = "customer")]
    Customers,
    /// Products.
    #[value(alias = "product")]
    Products,
    /// Deals.
    #[value(alias = "deal")]
    Deals,
    /// Touchpoints.
    #[value(alias = "touchpoint")]
    Touchpoints,
}

impl Template {
    /// The text of the file.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Mapping => include_str!("../../seeds/templates/mapping.toml"),
            Self::Partners => include_str!("../../seeds/templates/partners.csv"),
            Self::Customers => include_str!("../../seeds/templates/customers.csv"),
            Self::Products => include_str!("../../seeds/templates/products.csv"),
            Self::Deals => include_str!("../../seeds/templates/deals.csv"),
            Self::Touchpoints => include_str!("../../seeds/templates/touchpoints.csv"),
        }
    }
}
