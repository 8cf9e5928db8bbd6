//! A programme as the API shows it, with its versions and the partners in it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_graphql::{Context, ID, Object, dataloader::Loader};
use chrono::{NaiveDate, Utc};
use sea_orm::{EntityTrait, Select};

use crate::{
    access::Action,
    connection,
    entity::{
        enrollment,
        ids::{EnrollmentId, PartnerId, ProgramId, ProgramVersionId},
        program::{self, ProgramStatus},
        program_version,
        program_version_outcome::{self, VersionOutcome},
        tier_change,
    },
    error::{Error, Result},
    graphql::{
        Objects,
        context::{self, ContextExt, LoadError, Rows},
        errors::top_level,
        paging::{self, Below, Direction, PageArgs, Sort},
        scalars::{Date, DateTime, counter},
    },
    partners::graphql::Partner,
    programs::{rules::Part, store, tiers},
    settings::{self, graphql::ProgramSettings},
};

/// A partner programme.
#[derive(Clone, Debug)]
pub struct Program(pub program::Model);

/// A partner programme: the rules under which partners register, are credited and are paid.
#[Object]
impl Program {
    /// The programme's id, such as `program_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Its name.
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it takes registrations.
    fn status(&self) -> ProgramStatus {
        self.0.status
    }

    /// The rules in force at an instant; before the first version begins, the first.
    async fn settings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The instant; now unless given.")] at: Option<DateTime>,
    ) -> async_graphql::Result<ProgramSettings> {
        let at = at.map_or_else(|| ctx.app().clock().now(), |at| at.0);
        let version = ctx
            .loaders()
            .load_one(InForce {
                program: self.0.id,
                at,
            })
            .await
            .map_err(top_level)?;
        let version =
            version.ok_or_else(|| top_level(Error::internal("a programme has no rules")))?;
        shown(&version)
    }

    /// The versions of its rules, latest first; those to come included.
    async fn versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")] first: Option<i32>,
        #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
        last: Option<i32>,
    ) -> async_graphql::Result<ProgramVersionConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = paging::below(ctx, self.0.id, Versions, args).await;
        Ok(ProgramVersionConnection::of(
            page.map_err(top_level)?,
            ProgramVersion,
        ))
    }

    /// The partners in it, in the order in which they joined. A partner's people find their own place only.
    async fn enrollments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")] first: Option<i32>,
        #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
        last: Option<i32>,
    ) -> async_graphql::Result<EnrollmentConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = paging::below(ctx, self.0.id, Places, args).await;
        Ok(EnrollmentConnection::of(
            page.map_err(top_level)?,
            Enrollment,
        ))
    }

    /// Counts the changes, from 1; give it as `expectedVersion` with the next change of the rules.
    fn version(&self) -> i32 {
        counter(self.0.version)
    }

    /// When it was opened.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When its rules last got a version.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

impl Program {
    /// The object; none when it is absent. Programmes are open to everybody who is signed in.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(ctx: &Context<'_>, id: ProgramId) -> Result<Option<Self>> {
        Ok(ctx
            .loaders()
            .load_one(id)
            .await
            .map_err(context::unshared)?
            .map(Self))
    }

    /// The object as stored now.
    ///
    /// # Errors
    /// `NOT_FOUND`; the database failed.
    pub async fn fresh(ctx: &Context<'_>, id: ProgramId) -> Result<Self> {
        store::find(ctx.db(), id)
            .await?
            .map(Self)
            .ok_or_else(|| Error::not_found("programId"))
    }
}

/// The rules of a version as one object.
fn shown(version: &program_version::Model) -> async_graphql::Result<ProgramSettings> {
    settings::ProgramSettings::read(&version.settings)
        .map(ProgramSettings)
        .map_err(|error| top_level(Error::from(error)))
}

/// One version of a programme's rules.
#[derive(Clone, Debug)]
pub struct ProgramVersion(pub program_version::Model);

/// One version of a programme's rules. What was registered, credited or paid keeps the version it was made under.
#[Object]
impl ProgramVersion {
    /// The version's id, such as `programversion_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// Its number in the programme, from 1.
    fn number(&self) -> i32 {
        self.0.number
    }

    /// From when on it holds, until the next version begins. The first also covers what lies before.
    fn effective_from(&self) -> DateTime {
        DateTime(self.0.effective_from)
    }

    /// The rules.
    fn settings(&self) -> async_graphql::Result<ProgramSettings> {
        shown(&self.0)
    }

    /// When it was written.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was withdrawn before it took effect; null unless it was. A withdrawn version never holds.
    async fn withdrawn_at(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<DateTime>> {
        let outcome = self.withdrawal(ctx).await.map_err(top_level)?;
        Ok(outcome.map(|outcome| DateTime(outcome.at)))
    }

    /// Why the server withdrew it: what no longer fitted when it was checked again at its date. Null unless it did, and for
    /// a partner's people.
    async fn withdrawal_reason(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<String>> {
        let outcome = self.withdrawal(ctx).await.map_err(top_level)?;
        let outcome = outcome.filter(|_| ctx.actor().is_vendor());
        Ok(outcome.and_then(|outcome| outcome.reason))
    }
}

impl ProgramVersion {
    async fn withdrawal(
        &self,
        ctx: &Context<'_>,
    ) -> Result<Option<program_version_outcome::Model>> {
        let found = ctx.loaders().load_one(OutcomeOf(self.0.id)).await;
        let found = found.map_err(context::unshared)?;
        Ok(found.filter(|outcome| outcome.outcome == VersionOutcome::Withdrawn))
    }
}

/// A partner's place in a programme.
#[derive(Clone, Debug)]
pub struct Enrollment(pub enrollment::Model);

/// A partner's place in a programme.
#[Object]
impl Enrollment {
    /// The enrolment's id, such as `enrollment_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The programme; null only when it cannot be read.
    async fn program(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Program>> {
        Program::load(ctx, self.0.program_id)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// The partner; null only when it cannot be read.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        ctx.object(self.0.partner_id).await
    }

    /// The key of the partner's tier, such as `GOLD`; the programme's settings tell what it gives.
    fn tier(&self) -> &str {
        &self.0.tier
    }

    /// The key of the tier that the partner had at the end of a day, in the programme's time zone; null before it joined.
    /// A coming day shows the tier of now.
    async fn tier_on(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day.")] date: Date,
    ) -> async_graphql::Result<Option<String>> {
        tier_on(ctx, &self.0, date.0).await.map_err(top_level)
    }

    /// The tiers that the partner has had in the programme, latest first.
    async fn tier_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")] first: Option<i32>,
        #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
        last: Option<i32>,
    ) -> async_graphql::Result<TierChangeConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = paging::below(ctx, self.0.id, History, args).await;
        Ok(TierChangeConnection::of(
            page.map_err(top_level)?,
            TierChange,
        ))
    }

    /// Counts the changes of tier, from 1.
    fn version(&self) -> i32 {
        counter(self.0.version)
    }

    /// When the partner joined.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the tier last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// The tier of an enrolment at the end of a day.
///
/// # Errors
/// The database failed.
pub async fn tier_on(
    ctx: &Context<'_>,
    enrollment: &enrollment::Model,
    day: NaiveDate,
) -> Result<Option<String>> {
    let calendar = super::calendar(ctx).await?;
    let Some(at) = tiers::end_of(&calendar, enrollment.program_id, day) else {
        return Ok(None);
    };
    let key = TierAt {
        enrollment: enrollment.id,
        at,
    };
    ctx.loaders().load_one(key).await.map_err(context::unshared)
}

/// A tier that a partner has in a programme from an instant on.
#[derive(Clone, Debug)]
pub struct TierChange(pub tier_change::Model);

/// A tier that a partner has in a programme from an instant on, until the next change.
#[Object]
impl TierChange {
    /// The change's id, such as `tierchange_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The key of the tier, such as `GOLD`.
    fn tier(&self) -> &str {
        &self.0.tier
    }

    /// When the partner got it.
    fn effective_from(&self) -> DateTime {
        DateTime(self.0.effective_from)
    }

    /// The id of the user who gave it; null for imported data, and for a partner's people.
    fn decided_by(&self, ctx: &Context<'_>) -> Option<ID> {
        let decided_by = self.0.decided_by.filter(|_| ctx.actor().is_vendor());
        decided_by.map(ID::from)
    }
}

/// The tiers that a partner has had in a programme.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct History;

impl Below for History {
    type Entity = tier_change::Entity;

    fn parent() -> tier_change::Column {
        tier_change::Column::EnrollmentId
    }

    fn sort() -> Sort<tier_change::Column> {
        Sort {
            column: Some(tier_change::Column::EffectiveFrom),
            id: tier_change::Column::Id,
            direction: Direction::Desc,
        }
    }
}

/// The versions of a programme's rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Versions;

impl Below for Versions {
    type Entity = program_version::Entity;

    fn parent() -> program_version::Column {
        program_version::Column::ProgramId
    }

    fn sort() -> Sort<program_version::Column> {
        Sort {
            column: None,
            id: program_version::Column::Id,
            direction: Direction::Desc,
        }
    }

    fn rows(&self, _: &Rows) -> Select<program_version::Entity> {
        program_version::Entity::find()
    }
}

/// The places of partners in a programme.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Places;

impl Below for Places {
    type Entity = enrollment::Entity;

    fn parent() -> enrollment::Column {
        enrollment::Column::ProgramId
    }

    fn sort() -> Sort<enrollment::Column> {
        Sort {
            column: None,
            id: enrollment::Column::Id,
            direction: Direction::Asc,
        }
    }

    fn rows(&self, rows: &Rows) -> Select<enrollment::Entity> {
        store::visible_enrollments(rows.scope())
    }
}

connection!(ProgramConnection, ProgramEdge, Program);
connection!(ProgramVersionConnection, ProgramVersionEdge, ProgramVersion);
connection!(EnrollmentConnection, EnrollmentEdge, Enrollment);
connection!(TierChangeConnection, TierChangeEdge, TierChange);

impl Loader<ProgramId> for Rows {
    type Value = program::Model;
    type Error = LoadError;

    async fn load(
        &self,
        keys: &[ProgramId],
    ) -> Result<HashMap<ProgramId, program::Model>, LoadError> {
        let found = store::find_all(&self.db, keys).await.map_err(Arc::new)?;
        Ok(found.into_iter().map(|row| (row.id, row)).collect())
    }
}

/// The version in force at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InForce {
    program: ProgramId,
    at: chrono::DateTime<Utc>,
}

impl Loader<InForce> for Rows {
    type Value = program_version::Model;
    type Error = LoadError;

    async fn load(&self, keys: &[InForce]) -> Result<HashMap<InForce, Self::Value>, LoadError> {
        let mut by_instant: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for key in keys {
            by_instant.entry(key.at).or_default().push(key.program);
        }
        let mut found = HashMap::new();
        for (at, programs) in by_instant {
            let versions = store::all_in_force(&self.db, &programs, at)
                .await
                .map_err(Arc::new)?;
            found.extend(versions.into_iter().map(|version| {
                (
                    InForce {
                        program: version.program_id,
                        at,
                    },
                    version,
                )
            }));
        }
        Ok(found)
    }
}

/// What became of a scheduled version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct OutcomeOf(ProgramVersionId);

impl Loader<OutcomeOf> for Rows {
    type Value = program_version_outcome::Model;
    type Error = LoadError;

    async fn load(&self, keys: &[OutcomeOf]) -> Result<HashMap<OutcomeOf, Self::Value>, LoadError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = store::outcomes(&self.db, &ids).await.map_err(Arc::new)?;
        Ok(found
            .into_iter()
            .map(|outcome| (OutcomeOf(outcome.version_id), outcome))
            .collect())
    }
}

/// The tier of an enrolment at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct TierAt {
    enrollment: EnrollmentId,
    at: chrono::DateTime<Utc>,
}

impl Loader<TierAt> for Rows {
    type Value = String;
    type Error = LoadError;

    async fn load(&self, keys: &[TierAt]) -> Result<HashMap<TierAt, String>, LoadError> {
        let Some(until) = keys.iter().map(|key| key.at).max() else {
            return Ok(HashMap::new());
        };
        let ids: Vec<_> = keys.iter().map(|key| key.enrollment).collect();
        let history = store::tier_history(&self.db, self.scope(), &ids, until)
            .await
            .map_err(Arc::new)?;
        let mut of_enrollment: HashMap<_, Vec<_>> = HashMap::new();
        for change in history {
            of_enrollment
                .entry(change.enrollment_id)
                .or_default()
                .push(change);
        }
        let tier = |key: &TierAt| {
            let changes = of_enrollment.get(&key.enrollment)?;
            let change = changes.iter().rfind(|one| one.effective_from <= key.at)?;
            Some((*key, change.tier.clone()))
        };
        Ok(keys.iter().filter_map(tier).collect())
    }
}

/// The programmes that a partner is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnrollmentsOf(pub PartnerId);

impl Loader<EnrollmentsOf> for Rows {
    type Value = Vec<enrollment::Model>;
    type Error = LoadError;

    async fn load(
        &self,
        keys: &[EnrollmentsOf],
    ) -> Result<HashMap<EnrollmentsOf, Self::Value>, LoadError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for row in store::enrollments_of(&self.db, self.scope(), &ids)
            .await
            .map_err(Arc::new)?
        {
            found
                .entry(EnrollmentsOf(row.partner_id))
                .or_default()
                .push(row);
        }
        Ok(found)
    }
}

/// Reading programmes.
#[derive(Default)]
pub struct ProgramQuery;

#[Object]
impl ProgramQuery {
    /// A programme by its id; null with `NOT_FOUND` when there is none.
    async fn program(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The programme's id.")] id: ID,
    ) -> Option<async_graphql::Result<Program>> {
        let found = async {
            ctx.actor().may(Action::ProgramRead)?;
            let found = store::find(ctx.db(), context::id(&id)).await?;
            found.map(Program).ok_or_else(|| Error::not_found("id"))
        };
        Some(found.await.map_err(top_level))
    }

    /// All programmes, in the order in which they were opened.
    async fn programs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")] first: Option<i32>,
        #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
        last: Option<i32>,
    ) -> async_graphql::Result<ProgramConnection> {
        ctx.may(Action::ProgramRead)?;
        let sort = Sort {
            column: None,
            id: program::Column::Id,
            direction: Direction::Asc,
        };
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        let page = paging::page(ctx, ctx.db(), program::Entity::find(), sort, args).await;
        Ok(ProgramConnection::of(page.map_err(top_level)?, Program))
    }
}
