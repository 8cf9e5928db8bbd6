//! Where a partner stands with the vendor, from first interest to farewell, and what it may do in
//! each place.
//!
//! A partner is found (prospect), applies, is vetted, approved, onboarded and then active. One whose
//! agreement was made outside of Ensemble is activated by the vendor as it enters the directory;
//! an applicant never is, because it waits for the decision it asked for. Trouble leads to a watch
//! or a suspension and back, or to offboarding, during which what was earned is still paid.
//! Rejected applicants may apply again; retired partners are history.
//!
//! Pure: decides from facts alone.

use crate::{
    entity::{partner::PartnerStatus, partner_lifecycle_event::PartnerAction},
    platform::transition::StateMachine,
};

crate::text_enum! {
    /// What kind of business a partner is. A partner may be of several types.
    pub enum PartnerType {
        /// Independent software vendor.
        Isv,
        /// System integrator.
        Si,
        /// Managed service provider.
        Msp,
        /// Buys and sells on, in its own name.
        Reseller,
        /// Advises customers without selling to them.
        Consultancy,
        /// Sells to resellers.
        Distributor,
        /// Refers customers for a fee.
        Agent,
        /// Adds services of its own around the product.
        ValueAddedService,
        /// Brings hardware, cloud or a platform that the product works with.
        Technology,
        /// Tests or certifies products.
        TestCertification,
    }
}

impl StateMachine for PartnerStatus {
    type Action = PartnerAction;

    fn target(self, action: PartnerAction) -> Option<Self> {
        use PartnerAction as A;
        use PartnerStatus as S;
        Some(match (self, action) {
            (S::Prospect | S::Rejected, A::Apply) => S::Applied,
            (S::Applied, A::StartReview) => S::UnderReview,
            (S::UnderReview, A::Approve) => S::Approved,
            (S::Applied | S::UnderReview, A::Reject) => S::Rejected,
            (S::Approved, A::StartOnboarding) => S::Onboarding,
            (S::Prospect | S::Approved | S::Onboarding, A::Activate) => S::Active,
            (S::Active, A::Watch) => S::OnWatch,
            (S::Active | S::OnWatch, A::Suspend) => S::Suspended,
            (S::OnWatch | S::Suspended, A::Reinstate) => S::Active,
            (S::Onboarding | S::Active | S::OnWatch | S::Suspended, A::StartOffboarding) => {
                S::Offboarding
            }
            (S::Prospect | S::Approved | S::Offboarding, A::Retire) => S::Retired,
            _ => return None,
        })
    }

    fn needs_reason(action: PartnerAction) -> bool {
        use PartnerAction as A;
        matches!(
            action,
            A::Reject | A::Watch | A::Suspend | A::StartOffboarding
        )
    }
}

impl PartnerStatus {
    /// Whether the partner may register deals and extend their protection.
    pub fn may_register_deals(self) -> bool {
        matches!(self, Self::Active | Self::OnWatch)
    }

    /// Whether the partner may be invited to deals and accept a role on them.
    pub fn may_join_deals(self) -> bool {
        matches!(self, Self::Active | Self::OnWatch)
    }

    /// Whether a payout run may pay the partner. Where it may not, what was earned is held, never
    /// lost. Offboarding lasts until the account is settled, so a partner that leaves is paid in
    /// full before it retires.
    pub fn may_be_paid(self) -> bool {
        matches!(self, Self::Active | Self::OnWatch | Self::Offboarding)
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveEnum, Iterable};

    use crate::{
        entity::{partner::PartnerStatus as S, partner_lifecycle_event::PartnerAction as A},
        platform::transition::{IllegalTransition, Refusal, StateMachine, table},
    };

    #[test]
    fn every_status_allows_exactly_the_listed_actions() {
        insta::assert_snapshot!(table::<S>(), @r"
        PROSPECT: APPLY > APPLIED, ACTIVATE > ACTIVE, RETIRE > RETIRED
        APPLIED: START_REVIEW > UNDER_REVIEW, REJECT! > REJECTED
        UNDER_REVIEW: APPROVE > APPROVED, REJECT! > REJECTED
        APPROVED: START_ONBOARDING > ONBOARDING, ACTIVATE > ACTIVE, RETIRE > RETIRED
        ONBOARDING: ACTIVATE > ACTIVE, START_OFFBOARDING! > OFFBOARDING
        ACTIVE: WATCH! > ON_WATCH, SUSPEND! > SUSPENDED, START_OFFBOARDING! > OFFBOARDING
        ON_WATCH: SUSPEND! > SUSPENDED, REINSTATE > ACTIVE, START_OFFBOARDING! > OFFBOARDING
        SUSPENDED: REINSTATE > ACTIVE, START_OFFBOARDING! > OFFBOARDING
        OFFBOARDING: RETIRE > RETIRED
        RETIRED: -
        REJECTED: APPLY > APPLIED
        ");
    }

    #[test]
    fn abilities_follow_from_the_status() {
        let rows = S::iter().map(|status| {
            let able = [
                (status.may_register_deals(), "register"),
                (status.may_join_deals(), "join"),
                (status.may_be_paid(), "paid"),
            ];
            let able = able
                .iter()
                .filter(|(may, _)| *may)
                .map(|(_, name)| format!(" {name}"));
            format!("{}:{}", status.to_value(), able.collect::<String>())
        });
        insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"), @r"
        PROSPECT:
        APPLIED:
        UNDER_REVIEW:
        APPROVED:
        ONBOARDING:
        ACTIVE: register join paid
        ON_WATCH: register join paid
        SUSPENDED:
        OFFBOARDING: paid
        RETIRED:
        REJECTED:
        ");
    }

    #[test]
    fn an_applicant_cannot_be_activated() {
        let refused = IllegalTransition {
            from: "APPLIED".into(),
            action: "ACTIVATE".into(),
        };
        assert_eq!(
            refused.to_string(),
            "ACTIVATE is not possible in status APPLIED"
        );
        assert_eq!(S::Applied.apply(A::Activate), Err(refused));
    }

    #[test]
    fn a_partner_with_an_agreement_from_elsewhere_is_activated_at_once() {
        assert_eq!(S::Prospect.apply(A::Activate), Ok(S::Active));
    }

    #[test]
    fn a_partner_can_walk_through_its_whole_life() {
        let life = [
            (A::Apply, S::Applied),
            (A::StartReview, S::UnderReview),
            (A::Approve, S::Approved),
            (A::StartOnboarding, S::Onboarding),
            (A::Activate, S::Active),
            (A::Watch, S::OnWatch),
            (A::Suspend, S::Suspended),
            (A::Reinstate, S::Active),
            (A::StartOffboarding, S::Offboarding),
            (A::Retire, S::Retired),
        ];
        life.iter().fold(S::Prospect, |status, (action, next)| {
            assert_eq!(status.apply(*action), Ok(*next));
            *next
        });
    }

    #[test]
    fn nobody_is_suspended_without_a_reason() {
        let refused = Err(Refusal::ReasonRequired {
            action: "SUSPEND".into(),
        });
        assert_eq!(S::Active.apply_because(A::Suspend, None), refused);
        assert_eq!(S::Active.apply_because(A::Suspend, Some(" \t")), refused);
        assert_eq!(
            S::Active.apply_because(A::Suspend, Some("expired insurance")),
            Ok(S::Suspended)
        );
        assert_eq!(
            S::Suspended.apply_because(A::Reinstate, None),
            Ok(S::Active)
        );
    }
}
