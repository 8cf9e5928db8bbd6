//! Revenue that partners influenced without having brought it.
//!
//! Two answers stand side by side and must not be mixed: full credit (each influencing partner is shown
//! the whole deal, so partners overlap and do not add up) and fractional credit (each is shown its part by
//! attribution, so partners add up).
//!
//! Pure: decides from facts alone.

use std::collections::BTreeMap;

use crate::platform::money::{MoneyError, allocate, sum};

/// One partner's part in a won deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Involvement<K> {
    /// Who.
    pub partner: K,
    /// Whether it brought the deal; then the deal is sourced, not influenced, revenue.
    pub sourcer: bool,
    /// Whether it has an accepted role.
    pub accepted_role: bool,
    /// How many of its touchpoints are verified.
    pub touches: u32,
}

/// A won deal of the period. All deals of one question are in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WonDeal<K> {
    /// Its value in minor units, less what was refunded.
    pub value_minor: i64,
    /// Who was involved, each partner once.
    pub involved: Vec<Involvement<K>>,
    /// The official credit, in its order; `None` is the house.
    pub credits: Vec<(Option<K>, u64)>,
}

/// What one partner influenced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Influenced {
    /// Sum of the values of the deals it influenced. Not additive over partners.
    pub full_minor: i64,
    /// Sum of its parts of those deals. Additive over partners.
    pub fractional_minor: i64,
    /// How many deals.
    pub deals: u32,
}

/// Influenced revenue of a period in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<K> {
    /// By partner; only those who influenced something.
    pub partners: BTreeMap<K, Influenced>,
    /// Sum of the values of the influenced deals, each counted once.
    pub distinct_minor: i64,
    /// How many deals were influenced by somebody.
    pub deals: u32,
    /// The part of `distinct_minor` that belongs to sourcers, partners below the threshold or the house;
    /// with the fractional parts of all partners it makes exactly `distinct_minor`.
    pub elsewhere_minor: i64,
}

/// Sums up what each partner influenced: deals in which it has an accepted role, or at least `threshold`
/// verified touchpoints (and at least one), and which it did not bring.
///
/// # Errors
///
/// [`MoneyError`] if a sum is out of range or a deal of some value has no credit at all.
pub fn report<K: Ord + Copy>(
    deals: &[WonDeal<K>],
    threshold: u32,
) -> Result<Report<K>, MoneyError> {
    let mut report = Report {
        partners: BTreeMap::new(),
        distinct_minor: 0,
        deals: 0,
        elsewhere_minor: 0,
    };
    for deal in deals {
        let influences = |row: &&Involvement<K>| {
            !row.sourcer && (row.accepted_role || row.touches >= threshold.max(1))
        };
        let influencers: Vec<K> = deal
            .involved
            .iter()
            .filter(influences)
            .map(|row| row.partner)
            .collect();
        if influencers.is_empty() {
            continue;
        }
        let weights: Vec<u64> = deal.credits.iter().map(|(_, weight)| *weight).collect();
        let parts = allocate(deal.value_minor, &weights)?;
        let mut elsewhere = deal.value_minor;
        for partner in influencers {
            let own = deal
                .credits
                .iter()
                .zip(&parts)
                .filter(|((holder, _), _)| *holder == Some(partner));
            let own = sum(own.map(|(_, part)| *part))?;
            let row = report.partners.entry(partner).or_default();
            row.full_minor = sum([row.full_minor, deal.value_minor])?;
            row.fractional_minor = sum([row.fractional_minor, own])?;
            row.deals += 1;
            elsewhere -= own;
        }
        report.distinct_minor = sum([report.distinct_minor, deal.value_minor])?;
        report.elsewhere_minor = sum([report.elsewhere_minor, elsewhere])?;
        report.deals += 1;
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: u8 = 1;
    const B: u8 = 2;

    fn influencer(partner: u8) -> Involvement<u8> {
        Involvement {
            partner,
            sourcer: false,
            accepted_role: false,
            touches: 1,
        }
    }

    fn linear(value_minor: i64, involved: &[Involvement<u8>]) -> WonDeal<u8> {
        WonDeal {
            value_minor,
            involved: involved.to_vec(),
            credits: involved.iter().map(|row| (Some(row.partner), 1)).collect(),
        }
    }

    #[test]
    fn full_credit_overlaps_and_fractional_credit_adds_up() {
        let deals = [
            linear(10_000_000, &[influencer(A), influencer(B)]),
            linear(5_000_000, &[influencer(B)]),
        ];
        let report = report(&deals, 1).unwrap();
        let of = |full_minor, fractional_minor, deals| Influenced {
            full_minor,
            fractional_minor,
            deals,
        };
        assert_eq!(report.partners[&A], of(10_000_000, 5_000_000, 1));
        assert_eq!(report.partners[&B], of(15_000_000, 10_000_000, 2));
        assert_eq!(
            (report.distinct_minor, report.elsewhere_minor, report.deals),
            (15_000_000, 0, 2)
        );
    }

    #[test]
    fn the_sourcer_and_those_below_the_threshold_influence_nothing() {
        let sourcer = Involvement {
            sourcer: true,
            accepted_role: true,
            ..influencer(A)
        };
        let deal = linear(10_000_000, &[sourcer, influencer(B)]);
        let both = report(std::slice::from_ref(&deal), 1).unwrap();
        assert_eq!(both.partners.keys().collect::<Vec<_>>(), [&B]);
        assert_eq!(both.elsewhere_minor, 5_000_000);
        let strict = report(&[deal], 2).unwrap();
        assert_eq!((strict.partners.len(), strict.distinct_minor), (0, 0));
        let role = Involvement {
            accepted_role: true,
            touches: 0,
            ..influencer(B)
        };
        assert_eq!(
            report(&[linear(5_000_000, &[role])], 2).unwrap().partners[&B].full_minor,
            5_000_000
        );
    }

    proptest! {
        #[test]
        fn fractional_parts_and_the_rest_make_the_distinct_total(rows in prop::collection::vec((0_i64..1_000_000, prop::collection::btree_map(0_u8..6, (any::<bool>(), 0_u32..4, 0_u64..9), 1..6)), 0..20)) {
            let deals: Vec<_> = rows.into_iter().map(|(value_minor, partners)| WonDeal {
                value_minor,
                involved: partners.iter().map(|(partner, (sourcer, touches, _))| Involvement { partner: *partner, sourcer: *sourcer, accepted_role: false, touches: *touches }).collect(),
                credits: partners.iter().map(|(partner, (_, _, weight))| (Some(*partner), *weight)).chain([(None, 1)]).collect(),
            }).collect();
            let report = report(&deals, 2).unwrap();
            let fractional: i64 = report.partners.values().map(|row| row.fractional_minor).sum();
            prop_assert_eq!(fractional + report.elsewhere_minor, report.distinct_minor);
            prop_assert!(report.partners.values().all(|row| row.fractional_minor <= row.full_minor && row.full_minor <= report.distinct_minor));
        }
    }
}
