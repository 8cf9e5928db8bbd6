//! Payout runs, as the vendor sees them.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, dataloader::Loader};
use sea_orm::{EntityTrait, Select};

use super::payment::{Payout, PayoutConnection};
use crate::{
    access::{Action, Scope},
    connection,
    entity::{
        ids::{PaymentDetailsId, PayoutRunId},
        payout::{self, PayoutStatus},
        payout_exception::{self, ExceptionReason},
        payout_run::{self, RunStatus},
    },
    error::{Error, Result},
    graphql::{
        ContextExt, Shown,
        context::{self, LoadError, Rows},
        errors::top_level,
        paging::{self, Below, Direction, PageArgs, Sort},
        scalars::{Date, DateTime, Money},
    },
    identity::graphql::User,
    partners::{graphql::Partner, payment},
    payouts::{
        export,
        status::RunAction,
        store::{self, Total, WantedPayments, WantedRuns},
    },
    platform::transition::StateMachine,
    programs::graphql::Program,
};

/// A payout run: what is paid to the partners of a programme at one time. Administrators, alliance managers, finance
/// and auditors see it; partners see only their own payments.
#[derive(Clone, Debug)]
pub struct PayoutRun(pub payout_run::Model);

/// A payout run: what is paid to the partners of a programme at one time. Administrators, alliance managers, finance
/// and auditors see it; partners see only their own payments.
#[Object]
impl PayoutRun {
    /// The object's id.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The number for people, such as `PR-7K3M9QX2P4`.
    fn number(&self) -> &str {
        &self.0.number
    }

    /// Where the run stands.
    fn status(&self) -> RunStatus {
        self.0.status
    }

    /// The programme whose commission it pays.
    async fn program(&self, ctx: &Context<'_>) -> async_graphql::Result<Program> {
        let program = Program::load(ctx, self.0.program_id)
            .await
            .map_err(top_level)?;
        program.ok_or_else(|| top_level(Error::internal("a payout run has no programme")))
    }

    /// The first day of its period.
    fn period_start(&self) -> Date {
        Date(self.0.period_start)
    }

    /// The last day of its period: commission earned and available until its end in the programme's time zone is
    /// paid.
    fn period_end(&self) -> Date {
        Date(self.0.period_end)
    }

    /// The sum of its payments per currency, ordered by code; none when nobody is paid. Those of a run that is being
    /// calculated grow. At most 20.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    async fn totals(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Money>> {
        let totals = self.sums(ctx).await?;
        Ok(totals
            .into_iter()
            .map(|total| Money::minor(total.amount_minor, total.currency))
            .collect())
    }

    /// How many payments it has.
    async fn payout_count(&self, ctx: &Context<'_>) -> async_graphql::Result<i32> {
        let count: i64 = self
            .sums(ctx)
            .await?
            .iter()
            .map(|total| total.payments)
            .sum();
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// Its payments, one per partner and currency, in the order of their ids.
    async fn payouts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those in this state.")] status: Option<PayoutStatus>,
        #[graphql(desc = "The first so many, 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100; not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<PayoutConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = paging::below(ctx, self.0.id, Payments { status }, args).await;
        Ok(PayoutConnection::of(page.map_err(top_level)?, Payout))
    }

    /// Who is not paid although commission is due, with the amount that waits and the reason.
    async fn exceptions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100; not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<PayoutExceptionConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = paging::below(ctx, self.0.id, Exceptions, args)
            .await
            .map_err(top_level)?;
        Ok(PayoutExceptionConnection::of(page, PayoutException))
    }

    /// A warning: accounts to which the run pays and which several partners have. At most 100.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    async fn shared_accounts(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<Vec<SharedAccount>> {
        let accounts = ctx.loaders().load_one(AccountsOf(self.0.id)).await;
        let accounts = accounts.map_err(top_level)?.unwrap_or_default();
        let seals = ctx.app().tokens().seals();
        let shared = payment::shared(ctx.db(), &seals, &accounts).await;
        let shared = shared.map_err(top_level)?.into_iter().take(100);
        Ok(shared
            .map(|partners| SharedAccount {
                partner_ids: partners.into_iter().take(100).map(ID::from).collect(),
            })
            .collect())
    }

    /// Who created it.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<User>> {
        User::mentioned(ctx, self.0.created_by)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// When it was created.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Who approved it, never its creator; null before approval.
    async fn approved_by(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<User>> {
        User::mentioned(ctx, self.0.approved_by?)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// When it was approved; null before.
    fn approved_at(&self) -> Option<DateTime> {
        self.0.approved_at.map(DateTime)
    }

    /// Who executed it; null before execution.
    async fn executed_by(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<User>> {
        User::mentioned(ctx, self.0.executed_by?)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// When its payments were handed to the provider; null before.
    fn executed_at(&self) -> Option<DateTime> {
        self.0.executed_at.map(DateTime)
    }

    /// When every payment was settled; null before.
    fn completed_at(&self) -> Option<DateTime> {
        self.0.completed_at.map(DateTime)
    }

    /// The name of the file for the bank in the folder `payouts` of the data folder of the process that wrote it; null
    /// before every payment is settled, and when there is nothing to pay. The payouts' `reference` repeats it.
    async fn export_file(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<String>> {
        let pays = |total: &Total| total.amount_minor > 0;
        if self.0.completed_at.is_none() || !self.sums(ctx).await?.iter().any(pays) {
            return Ok(None);
        }
        Ok(Some(export::file_name(&self.0.number)))
    }

    /// What you may do with the run now: `APPROVE`, `CANCEL`, `EXECUTE`, by its state and your role. At most three.
    fn allowed_actions(&self, ctx: &Context<'_>) -> Vec<RunAction> {
        let actor = ctx.actor();
        let may = |action: &RunAction| match action {
            RunAction::Approve => {
                actor.can(Action::PayoutRunApprove) && actor.user_id() != Some(self.0.created_by)
            }
            RunAction::Cancel => actor.can(Action::PayoutRunCreate),
            RunAction::Execute => actor.can(Action::PayoutRunExecute),
            RunAction::Submit
            | RunAction::Free
            | RunAction::Complete
            | RunAction::CompleteWithFailures => false,
        };
        self.0.status.allowed().into_iter().filter(may).collect()
    }

    /// Counts the changes of the run.
    fn version(&self) -> i32 {
        i32::try_from(self.0.version).unwrap_or(i32::MAX)
    }
}

impl PayoutRun {
    /// The object under the caller's scope; none when it is absent or hidden.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(ctx: &Context<'_>, id: PayoutRunId) -> Result<Option<Self>> {
        let row = ctx.loaders().load_one(id).await.map_err(shared)?;
        Ok(row.map(Self))
    }

    /// The object as it is after a change.
    ///
    /// # Errors
    /// `NOT_FOUND` for a hidden one; the database failed.
    pub async fn fresh(ctx: &Context<'_>, id: PayoutRunId) -> Result<Self> {
        let rows = store::runs_by_id(ctx.db(), ctx.actor().scope(), &[id]).await?;
        rows.into_iter()
            .next()
            .map(Self)
            .ok_or_else(|| Error::not_found("payoutRunId"))
    }

    async fn sums(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Total>> {
        let totals = ctx
            .loaders()
            .load_one(TotalsOf(self.0.id))
            .await
            .map_err(top_level)?;
        Ok(totals.unwrap_or_default())
    }
}

/// The error of a loader, which several fields wait for, as one of a use case.
pub(super) fn shared(error: LoadError) -> Error {
    Error::Internal(Box::new(error))
}

/// An account that several partners have.
#[derive(Clone, Debug, SimpleObject)]
pub struct SharedAccount {
    /// The IDs of the partners. At most 100.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    partner_ids: Vec<ID>,
}

/// Why a partner is not paid by a run. The lines wait for a later run.
#[derive(Clone, Debug)]
pub struct PayoutException(pub payout_exception::Model);

/// Why a partner is not paid by a run. The lines wait for a later run.
#[Object]
impl PayoutException {
    /// The object's id.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Who is not paid.
    async fn partner(&self, ctx: &Context<'_>) -> async_graphql::Result<Partner> {
        let partner = Partner::load(ctx, self.0.partner_id)
            .await
            .map_err(top_level)?;
        partner.ok_or_else(|| top_level(Error::internal("an exception has no partner")))
    }

    /// The id of the partner.
    fn partner_id(&self) -> ID {
        self.0.partner_id.into()
    }

    /// How much waits; negative when more was taken back than earned.
    fn amount(&self) -> Money {
        Money::minor(self.0.amount_minor, self.0.currency)
    }

    /// Why.
    fn reason(&self) -> ExceptionReason {
        self.0.reason
    }
}

/// The payments of a run in a state, or all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Payments {
    status: Option<PayoutStatus>,
}

impl Below for Payments {
    type Entity = payout::Entity;

    fn parent() -> payout::Column {
        payout::Column::RunId
    }

    fn sort() -> Sort<payout::Column> {
        Sort {
            column: None,
            id: payout::Column::Id,
            direction: Direction::Asc,
        }
    }

    fn rows(&self, rows: &Rows) -> Select<payout::Entity> {
        let wanted = WantedPayments {
            status: self.status,
            ..WantedPayments::default()
        };
        store::visible_payments(rows.scope(), wanted)
    }
}

/// Who is not paid by a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Exceptions;

impl Below for Exceptions {
    type Entity = payout_exception::Entity;

    fn parent() -> payout_exception::Column {
        payout_exception::Column::RunId
    }

    fn sort() -> Sort<payout_exception::Column> {
        Sort {
            column: None,
            id: payout_exception::Column::Id,
            direction: Direction::Asc,
        }
    }

    /// Exceptions are reached through runs that the caller was shown.
    fn rows(&self, _: &Rows) -> Select<payout_exception::Entity> {
        payout_exception::Entity::find()
    }
}

connection!(PayoutRunConnection, PayoutRunEdge, PayoutRun);
connection!(
    PayoutExceptionConnection,
    PayoutExceptionEdge,
    PayoutException
);

/// Which payout runs; parts that are absent do not restrict.
#[derive(Clone, Debug, Default, InputObject)]
pub struct PayoutRunFilter {
    /// Of this programme.
    pub program_id: Option<ID>,
    /// In this state.
    pub status: Option<RunStatus>,
}

/// Queries of payout runs.
#[derive(Default)]
pub struct PayoutRunQuery;

#[Object]
impl PayoutRunQuery {
    /// Payout runs, newest first. For administrators, alliance managers, finance and auditors.
    async fn payout_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which runs; all unless given.")] filter: Option<PayoutRunFilter>,
        #[graphql(desc = "The first so many, 25 unless given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100; not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<PayoutRunConnection> {
        ctx.may(Action::PayoutRead)?;
        if !ctx.actor().is_vendor() {
            return Err(top_level(Error::forbidden()));
        }
        let filter = filter.unwrap_or_default();
        let wanted = WantedRuns {
            program: filter.program_id.map(|id| context::id(&id)),
            status: filter.status,
        };
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let sort = Sort {
            column: None,
            id: payout_run::Column::Id,
            direction: Direction::Desc,
        };
        let runs = store::runs(ctx.actor().scope(), wanted);
        let page = paging::page(ctx, ctx.db(), runs, sort, args)
            .await
            .map_err(top_level)?;
        Ok(PayoutRunConnection::of(page, PayoutRun))
    }

    /// A payout run by its id; null with `NOT_FOUND` for an unknown one and for partners.
    async fn payout_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run's id.")] id: ID,
    ) -> Option<async_graphql::Result<PayoutRun>> {
        let found = async {
            ctx.actor().may(Action::PayoutRead)?;
            PayoutRun::load(ctx, context::id(&id))
                .await?
                .ok_or_else(|| Error::not_found("id"))
        };
        Some(found.await.map_err(top_level))
    }
}

impl Loader<PayoutRunId> for Rows {
    type Value = payout_run::Model;
    type Error = LoadError;

    async fn load(
        &self,
        ids: &[PayoutRunId],
    ) -> Result<HashMap<PayoutRunId, Self::Value>, LoadError> {
        let scope = if self.actor.can(Action::PayoutRead) {
            self.scope()
        } else {
            Scope::Nothing
        };
        let rows = store::runs_by_id(&self.db, scope, ids)
            .await
            .map_err(Arc::new)?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

/// The sums of a run that the caller was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct TotalsOf(PayoutRunId);

impl Loader<TotalsOf> for Rows {
    type Value = Vec<Total>;
    type Error = LoadError;

    async fn load(&self, keys: &[TotalsOf]) -> Result<HashMap<TotalsOf, Self::Value>, LoadError> {
        let ids: Vec<PayoutRunId> = keys.iter().map(|key| key.0).collect();
        let mut totals: HashMap<TotalsOf, Self::Value> = HashMap::new();
        for total in store::totals(&self.db, &ids).await.map_err(Arc::new)? {
            totals
                .entry(TotalsOf(total.run_id))
                .or_default()
                .push(total);
        }
        Ok(totals)
    }
}

/// The accounts to which a run pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct AccountsOf(PayoutRunId);

impl Loader<AccountsOf> for Rows {
    type Value = Vec<PaymentDetailsId>;
    type Error = LoadError;

    async fn load(
        &self,
        keys: &[AccountsOf],
    ) -> Result<HashMap<AccountsOf, Self::Value>, LoadError> {
        let ids: Vec<PayoutRunId> = keys.iter().map(|key| key.0).collect();
        let mut accounts: HashMap<AccountsOf, Self::Value> = HashMap::new();
        for (run, account) in store::accounts(&self.db, &ids).await.map_err(Arc::new)? {
            accounts.entry(AccountsOf(run)).or_default().push(account);
        }
        Ok(accounts)
    }
}
