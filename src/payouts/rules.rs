//! What a vendor decides about payouts: the smallest that is paid, and whether partners need an account.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    platform::money::Currency,
    rules::{Check, RuleDocument},
};

/// Largest amount of money in minor units, as everywhere.
const LARGEST_AMOUNT: i64 = 1_000_000_000_000_000;

/// The rules of payouts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayoutRules {
    /// Smallest payout by currency code, in minor units; less is carried forward. None where a
    /// currency is not listed.
    pub minimum_payout: BTreeMap<String, i64>,
    /// Whether only partners with payment details are paid; what others earned waits until they have set them.
    #[serde(default)]
    pub requires_payment_details: bool,
}

impl RuleDocument for PayoutRules {
    fn check(&self, check: &mut Check) {
        for (place, (code, minor)) in self.minimum_payout.iter().enumerate() {
            let at = |field: &str| format!("minimumPayout.{place}.{field}");
            check.that(
                code.parse::<Currency>().is_ok(),
                &at("currency"),
                "is not a known currency",
            );
            check.within(*minor, 0, LARGEST_AMOUNT, &at("amount"));
        }
    }
}

impl Default for PayoutRules {
    /// The payouts that a vendor starts from.
    fn default() -> Self {
        Self {
            minimum_payout: BTreeMap::from([("USD".to_owned(), 5_000)]),
            requires_payment_details: false,
        }
    }
}
