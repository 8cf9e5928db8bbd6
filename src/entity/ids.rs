//! The id types of all objects, with the prefix that each shows outside.

crate::typed_ids! {
    /// A person who may sign in.
    UserId = "user";
    /// A sign-in of a user.
    SessionId = "session";
    /// One refresh token of a session.
    RefreshTokenId = "refresh";
    /// An invitation or password reset.
    UserTokenId = "token";
    /// A failed sign-in.
    LoginFailureId = "failure";
    /// A unit of background work.
    JobId = "job";
    /// A row of the audit trail.
    AuditEventId = "audit";
    /// A partner company.
    PartnerId = "partner";
    /// An account of a partner.
    PaymentDetailsId = "paymentdetails";
    /// A move in a partner's life.
    LifecycleEventId = "lifecycle";
    /// A partner programme.
    ProgramId = "program";
    /// One version of a programme's rules.
    ProgramVersionId = "programversion";
    /// One version of a document of rules.
    RuleDocumentId = "rules";
    /// A partner's place in a programme.
    EnrollmentId = "enrollment";
    /// A tier that a partner has from an instant on.
    TierChangeId = "tierchange";
    /// A product family.
    ProductFamilyId = "family";
    /// A product.
    ProductId = "product";
    /// An end customer.
    CustomerId = "customer";
    /// What one currency was worth in another on a day.
    ExchangeRateId = "rate";
    /// A deal registration.
    DealRegistrationId = "registration";
    /// A place held per customer and product family.
    ProtectionId = "protection";
    /// A deal.
    DealId = "deal";
    /// A partner's role on a deal.
    DealParticipantId = "participant";
    /// A move in a deal's pipeline.
    DealStageChangeId = "stagechange";
    /// Money returned to the customer of a won deal.
    DealRefundId = "refund";
    /// Something a partner did for a deal.
    TouchpointId = "touchpoint";
    /// One computation of credit.
    AttributionRunId = "attribution";
    /// One partner's part of a computation.
    AttributionCreditId = "credit";
    /// One version of an incentive plan.
    IncentivePlanId = "plan";
    /// What a deal or a refund added to a volume.
    RebateEntryId = "rebate";
    /// A commission line.
    AccrualId = "accrual";
    /// A published statement.
    PartnerStatementId = "statement";
    /// A ledger account.
    LedgerAccountId = "account";
    /// A balanced set of ledger entries.
    LedgerTransactionId = "transaction";
    /// One ledger entry.
    LedgerEntryId = "entry";
    /// A payout run.
    PayoutRunId = "payoutrun";
    /// A payment file.
    PayoutExportId = "payoutexport";
    /// A payment to one partner.
    PayoutId = "payout";
    /// A reason why a partner is not paid by a run.
    PayoutExceptionId = "exception";
}
