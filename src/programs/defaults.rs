//! The programme that a vendor starts from.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::settings::{AttributionSettings, ConflictSettings, ProgramSettings, RoleWeight, Tier};
use crate::{
    deals::stage::{Stage, StageKind},
    entity::{attribution_run::AttributionModel, deal_participant::ParticipantRole},
};

impl Default for ProgramSettings {
    /// A sound programme to start from.
    fn default() -> Self {
        Self {
            reporting_currency: "USD".to_owned(),
            rate_max_age_days: 7,
            default_time_zone: Tz::UTC,
            tiers: default_tiers(),
            stages: default_stages(),
            roles: default_roles(),
            official_model: AttributionModel::RoleWeighted,
            attribution: AttributionSettings {
                half_life_days: 30,
                lookback_days: 180,
                phase_weights: None,
                redistribute_empty_phases: false,
                redistribute_empty_roles: true,
                daily_cap: 1,
                kind_weights: Vec::new(),
                influence_threshold: 1,
            },
            conflict: ConflictSettings {
                name_similarity_ppm: 920_000,
            },
            reminder_days: vec![14, 3],
            review_sla_hours: 48,
            invitation_days: 15,
            minimum_payout: BTreeMap::from([("USD".to_owned(), 5_000)]),
            requires_payment_details: false,
        }
    }
}

fn default_tiers() -> Vec<Tier> {
    let tiers = [
        ("REGISTERED", "Registered", 60, 10),
        ("SILVER", "Silver", 60, 25),
        ("GOLD", "Gold", 90, 50),
    ];
    let ranked = tiers.into_iter().zip(1..);
    ranked
        .map(
            |((key, name, protection_days, max_open_registrations), rank)| Tier {
                key: key.to_owned(),
                name: name.to_owned(),
                rank,
                protection_days,
                extension_days: 30,
                max_extensions: 1,
                max_open_registrations,
            },
        )
        .collect()
}

fn default_stages() -> Vec<Stage> {
    let stages = [
        ("PROSPECT", "Prospect", 10, StageKind::Open),
        ("QUALIFIED", "Qualified", 25, StageKind::Open),
        ("PROPOSAL", "Proposal", 50, StageKind::Open),
        ("NEGOTIATION", "Negotiation", 75, StageKind::Open),
        ("COMMITTED", "Committed", 90, StageKind::Open),
        ("WON", "Won", 100, StageKind::Won),
        ("LOST", "Lost", 0, StageKind::Lost),
    ];
    let ranked = stages.into_iter().zip(1..);
    ranked
        .map(|((key, name, percent, kind), rank)| Stage {
            key: key.to_owned(),
            name: name.to_owned(),
            rank,
            probability_ppm: percent * 10_000,
            kind,
            requires_accepted_roles_to_leave: key == "QUALIFIED",
        })
        .collect()
}

fn default_roles() -> Vec<RoleWeight> {
    use ParticipantRole as R;
    let weights = [
        (R::Sourcer, 25),
        (R::Influencer, 10),
        (R::Reseller, 25),
        (R::Implementer, 15),
        (R::ManagedService, 10),
        (R::Technology, 10),
        (R::Distributor, 5),
    ];
    weights
        .map(|(role, weight)| RoleWeight { role, weight })
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_default_programme_is_sound_and_survives_the_wire() {
        let settings = ProgramSettings::default();
        assert_eq!(settings.validate(|code| code == "USD"), Ok(()));
        assert_eq!(
            settings.roles.iter().map(|entry| entry.weight).sum::<u32>(),
            100
        );
        assert_eq!(settings.entry_tier().unwrap().key, "REGISTERED");
        assert_eq!(settings.tier("GOLD").unwrap().protection_days, 90);
        let wire = serde_json::to_string(&settings).unwrap();
        assert_eq!(
            serde_json::from_str::<ProgramSettings>(&wire).unwrap(),
            settings
        );
    }

    #[test]
    fn unknown_fields_are_refused() {
        let mut wire = serde_json::to_value(ProgramSettings::default()).unwrap();
        wire["tiers"][0]["protectionDay"] = 5.into();
        let refused = serde_json::from_value::<ProgramSettings>(wire).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("unknown field `protectionDay`")
        );
    }
}
