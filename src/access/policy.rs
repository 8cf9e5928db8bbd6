//! Who may do what. One table of role and action; what it does not list is denied.
//!
//! The table says which kinds of work a role has. Which rows a person sees is the scope's business:
//! a partner's people act only on their own partner, whatever the table permits. It does not say
//! either that a payout run is approved by somebody other than its creator: that holds for every
//! role, administrators included, and the run checks it.
//!
//! Pure: decides from facts alone.

use crate::entity::user::Role;

crate::text_enum! {
    /// A kind of work that is guarded.
    pub enum Action {
        /// See the people of the vendor and of all partners.
        UserReadAll,
        /// Invite anybody, in any role.
        UserInvite,
        /// Invite people of any partner, in partner roles.
        UserInvitePartner,
        /// Invite people of one's own partner.
        UserInviteOwnPartner,
        /// Change roles, block and unblock people.
        UserManage,
        /// Read partners; a partner's people read their own.
        PartnerRead,
        /// Create a partner.
        PartnerCreate,
        /// Change a partner's facts.
        PartnerUpdate,
        /// Change the facts of one's own partner.
        PartnerUpdateOwn,
        /// Move a partner through its life: approve, activate, suspend and so on.
        PartnerLifecycle,
        /// Read programmes.
        ProgramRead,
        /// Create programmes, change their settings, enrol partners.
        ProgramManage,
        /// Read products and families.
        CatalogRead,
        /// Change products and families.
        CatalogManage,
        /// Read exchange rates.
        RateRead,
        /// Record and correct exchange rates.
        RateRecord,
        /// Read all customers, not only those of one's own registrations and deals.
        CustomerReadAll,
        /// Change and merge customers.
        CustomerManage,
        /// Read registrations; a partner's people read their own.
        RegistrationRead,
        /// Hand in a registration, and answer questions about it.
        RegistrationSubmit,
        /// Decide about registrations.
        RegistrationReview,
        /// Take back a registration of one's own partner.
        RegistrationWithdraw,
        /// Ask for longer protection of a registration of one's own partner.
        RegistrationExtend,
        /// Read deals; a partner's people read those they take part in.
        DealRead,
        /// Move deals through the stages, win and lose them.
        DealManage,
        /// Record that a customer got money back.
        DealRefund,
        /// Invite partners to a deal and take them off it.
        ParticipantInvite,
        /// Accept or decline a role on a deal for one's own partner.
        ParticipantAccept,
        /// Read touchpoints; a partner's people read their own.
        TouchpointRead,
        /// Record what a partner did for a deal.
        TouchpointRecord,
        /// Confirm or refuse what was recorded.
        TouchpointVerify,
        /// Confirm or refuse what the vendor recorded about one's own partner.
        TouchpointVerifyOwn,
        /// Read credit for deals; a partner's people read their own.
        AttributionRead,
        /// Compare models on a deal, with all partners named.
        AttributionCompare,
        /// Read incentive plans.
        PlanRead,
        /// Draft and change incentive plans.
        PlanManage,
        /// Put an incentive plan into force.
        PlanActivate,
        /// Create a payout run.
        PayoutRunCreate,
        /// Approve a payout run that somebody else created.
        PayoutRunApprove,
        /// Send the money of an approved payout run, and settle failures.
        PayoutRunExecute,
        /// Read payouts and statements; a partner's people read their own.
        PayoutRead,
        /// Publish the statements of a period, which mails them to the partners.
        StatementPublish,
        /// See to which accounts partners are paid, masked; a partner's people see their own.
        PaymentDetailsRead,
        /// Set to which account a partner is paid; a partner's people their own.
        PaymentDetailsSet,
        /// Read the ledger.
        LedgerRead,
        /// Read aggregates over all partners.
        InsightRead,
        /// Read the audit trail.
        AuditRead,
        /// See background work, and replay what failed.
        JobManage,
    }
}

impl Role {
    /// Whether this is a role at the vendor; the others are roles at a partner.
    pub fn is_vendor(self) -> bool {
        match self {
            Self::Administrator
            | Self::AllianceManager
            | Self::Finance
            | Self::Auditor
            | Self::Executive => true,
            Self::PartnerAdministrator | Self::PartnerManager | Self::PartnerMember => false,
        }
    }
}

/// Whether people in `role` have this kind of work.
pub fn permits(role: Role, action: Action) -> bool {
    use Action as A;
    use Role as R;
    match action {
        A::PartnerRead | A::ProgramRead | A::CatalogRead | A::RateRead => true,

        A::UserInvite | A::UserManage | A::JobManage => role == R::Administrator,
        A::UserReadAll => matches!(role, R::Administrator | R::AllianceManager | R::Auditor),
        A::UserInvitePartner => matches!(role, R::Administrator | R::AllianceManager),
        A::UserInviteOwnPartner | A::PartnerUpdateOwn => {
            matches!(role, R::Administrator | R::PartnerAdministrator)
        }

        A::PartnerCreate
        | A::PartnerUpdate
        | A::PartnerLifecycle
        | A::ProgramManage
        | A::CatalogManage => {
            matches!(role, R::Administrator | R::AllianceManager)
        }
        A::CustomerManage
        | A::RegistrationReview
        | A::DealManage
        | A::ParticipantInvite
        | A::TouchpointVerify => {
            matches!(role, R::Administrator | R::AllianceManager)
        }
        A::CustomerReadAll | A::AttributionCompare => {
            matches!(
                role,
                R::Administrator | R::AllianceManager | R::Finance | R::Auditor
            )
        }
        A::RegistrationRead | A::DealRead | A::TouchpointRead => role != R::Executive,
        A::AttributionRead | A::PlanRead | A::PayoutRead => {
            !matches!(role, R::Executive | R::PartnerMember)
        }

        A::RegistrationSubmit => matches!(
            role,
            R::Administrator | R::PartnerAdministrator | R::PartnerManager | R::PartnerMember
        ),
        A::TouchpointRecord => !matches!(role, R::Finance | R::Auditor | R::Executive),
        A::RegistrationWithdraw
        | A::RegistrationExtend
        | A::ParticipantAccept
        | A::TouchpointVerifyOwn => {
            matches!(
                role,
                R::Administrator | R::PartnerAdministrator | R::PartnerManager
            )
        }

        A::PlanManage | A::PayoutRunCreate | A::PayoutRunApprove => {
            matches!(role, R::Administrator | R::AllianceManager | R::Finance)
        }
        A::PlanActivate
        | A::PayoutRunExecute
        | A::StatementPublish
        | A::DealRefund
        | A::RateRecord => {
            matches!(role, R::Administrator | R::Finance)
        }
        A::PaymentDetailsRead => matches!(
            role,
            R::Administrator
                | R::AllianceManager
                | R::Finance
                | R::Auditor
                | R::PartnerAdministrator
        ),
        A::PaymentDetailsSet => matches!(
            role,
            R::Administrator | R::Finance | R::PartnerAdministrator
        ),
        A::LedgerRead => matches!(role, R::Administrator | R::Finance | R::Auditor),
        A::AuditRead => matches!(role, R::Administrator | R::Auditor),
        A::InsightRead => role.is_vendor(),
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveEnum, Iterable};

    use super::*;

    fn of(role: Role) -> Vec<Action> {
        Action::iter()
            .filter(|action| permits(role, *action))
            .collect()
    }

    #[test]
    fn each_role_has_exactly_its_work() {
        let head: Vec<_> = Role::iter().map(|role| role.to_value()).collect();
        let rows = Action::iter().map(|action| {
            let cells = Role::iter().map(|role| if permits(role, action) { " x" } else { " ." });
            format!("{:<24}{}", action.to_value(), cells.collect::<String>())
        });
        let table = format!(
            "{}\n{}",
            head.join(" "),
            rows.collect::<Vec<_>>().join("\n")
        );
        insta::assert_snapshot!(table, @r"
        ADMINISTRATOR ALLIANCE_MANAGER FINANCE AUDITOR EXECUTIVE PARTNER_ADMINISTRATOR PARTNER_MANAGER PARTNER_MEMBER
        USER_READ_ALL            x x . x . . . .
        USER_INVITE              x . . . . . . .
        USER_INVITE_PARTNER      x x . . . . . .
        USER_INVITE_OWN_PARTNER  x . . . . x . .
        USER_MANAGE              x . . . . . . .
        PARTNER_READ             x x x x x x x x
        PARTNER_CREATE           x x . . . . . .
        PARTNER_UPDATE           x x . . . . . .
        PARTNER_UPDATE_OWN       x . . . . x . .
        PARTNER_LIFECYCLE        x x . . . . . .
        PROGRAM_READ             x x x x x x x x
        PROGRAM_MANAGE           x x . . . . . .
        CATALOG_READ             x x x x x x x x
        CATALOG_MANAGE           x x . . . . . .
        RATE_READ                x x x x x x x x
        RATE_RECORD              x . x . . . . .
        CUSTOMER_READ_ALL        x x x x . . . .
        CUSTOMER_MANAGE          x x . . . . . .
        REGISTRATION_READ        x x x x . x x x
        REGISTRATION_SUBMIT      x . . . . x x x
        REGISTRATION_REVIEW      x x . . . . . .
        REGISTRATION_WITHDRAW    x . . . . x x .
        REGISTRATION_EXTEND      x . . . . x x .
        DEAL_READ                x x x x . x x x
        DEAL_MANAGE              x x . . . . . .
        DEAL_REFUND              x . x . . . . .
        PARTICIPANT_INVITE       x x . . . . . .
        PARTICIPANT_ACCEPT       x . . . . x x .
        TOUCHPOINT_READ          x x x x . x x x
        TOUCHPOINT_RECORD        x x . . . x x x
        TOUCHPOINT_VERIFY        x x . . . . . .
        TOUCHPOINT_VERIFY_OWN    x . . . . x x .
        ATTRIBUTION_READ         x x x x . x x .
        ATTRIBUTION_COMPARE      x x x x . . . .
        PLAN_READ                x x x x . x x .
        PLAN_MANAGE              x x x . . . . .
        PLAN_ACTIVATE            x . x . . . . .
        PAYOUT_RUN_CREATE        x x x . . . . .
        PAYOUT_RUN_APPROVE       x x x . . . . .
        PAYOUT_RUN_EXECUTE       x . x . . . . .
        PAYOUT_READ              x x x x . x x .
        STATEMENT_PUBLISH        x . x . . . . .
        PAYMENT_DETAILS_READ     x x x x . x . .
        PAYMENT_DETAILS_SET      x . x . . x . .
        LEDGER_READ              x . x x . . . .
        INSIGHT_READ             x x x x x . . .
        AUDIT_READ               x . . x . . . .
        JOB_MANAGE               x . . . . . . .
        ");
    }

    #[test]
    fn auditors_and_executives_only_read() {
        for role in [Role::Auditor, Role::Executive] {
            let changes = of(role).into_iter().filter(|action| !reads(*action));
            assert_eq!(changes.collect::<Vec<_>>(), []);
        }
        let unread: Vec<_> = Action::iter()
            .filter(|a| reads(*a) && !permits(Role::Auditor, *a))
            .collect();
        assert_eq!(unread, []);
    }

    fn reads(action: Action) -> bool {
        action.to_value().contains("READ") || action == Action::AttributionCompare
    }

    #[test]
    fn partners_never_do_the_vendor_s_work() {
        let own = of(Role::PartnerAdministrator);
        assert!(
            own.iter()
                .all(|action| permits(Role::Administrator, *action))
        );
        let manager = of(Role::PartnerManager);
        assert!(manager.iter().all(|action| own.contains(action)));
        assert!(
            of(Role::PartnerMember)
                .iter()
                .all(|action| manager.contains(action))
        );
        for vendor_only in [
            Action::PartnerLifecycle,
            Action::RegistrationReview,
            Action::DealManage,
        ] {
            assert!(!own.contains(&vendor_only));
        }
    }
}
