//! Documents of rules that take effect on their own: drafted by one person, activated by another, checked again at their
//! date. A kind of the test's own stands for those of the domains.

use chrono::{DateTime, TimeDelta, Utc};
use ensemble::{
    access::{Action, Actor},
    entity::{
        audit_event,
        ids::{ProgramId, RuleDocumentId},
        partner, rule_document,
        rule_document::RuleStatus,
        user::Role,
    },
    error::{Code, Error, Result},
    platform::{fault::Fault, ids::TypedId},
    rules::{Check, Range, RuleDocument, Series, Version, VersionedRule, activate, draft, version},
    tx::{Call, Tx, Work},
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};

use crate::{
    cases,
    directory::programs::{open, program_id},
    money::operator,
    support::{Person, TestApp},
};

cases!(
    a_document_is_drafted_by_one_person_and_activated_by_another,
    a_version_follows_the_one_without_end_and_no_two_overlap,
    a_version_is_withdrawn_before_it_takes_effect_and_the_one_before_holds_on,
    a_version_that_no_longer_fits_is_withdrawn_at_its_date_with_the_reason,
    an_active_document_cannot_be_changed_in_the_database,
);

/// How much a partner must sell, and a partner that must be there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Threshold {
    revenue: i64,
    partners: u64,
}

impl RuleDocument for Threshold {
    fn check(&self, check: &mut Check) {
        check.within(self.revenue, 1, 1_000_000, "revenue");
    }
}

impl VersionedRule for Threshold {
    const KIND: &'static str = "THRESHOLD";
    const NAME: &'static str = "threshold";
    const MANAGE: Action = Action::PlanManage;
    const ACTIVATE: Action = Action::PlanActivate;

    async fn conflicts(&self, tx: &Tx, _: &Series) -> Result<Vec<Fault>> {
        let partners = partner::Entity::find().count(tx).await?;
        let message = format!("must be at least {partners}");
        Ok((partners > self.partners)
            .then(|| Fault::at("partners", message))
            .into_iter()
            .collect())
    }
}

struct Office<'t> {
    t: &'t TestApp,
    ada: Person,
    ben: Person,
    series: Series,
}

impl<'t> Office<'t> {
    async fn open(t: &'t TestApp) -> Self {
        let (ada, ben) = (t.admin().await, t.admin().await);
        let program: ProgramId = program_id(&open(t, &ada, "Programme").await);
        Self {
            t,
            ada,
            ben,
            series: Series::of::<Threshold>(program),
        }
    }

    async fn by<T, F>(&self, actor: &Actor, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'x> Fn(&'x Tx) -> Work<'x, T> + Send + Sync + 'static,
    {
        self.t
            .app
            .write(Call::of("test", actor.clone()), body)
            .await
    }

    async fn draft(&self, revenue: i64, range: Range) -> Result<RuleDocumentId> {
        let series = self.series.clone();
        self.by(&self.ada.actor, move |tx| {
            let series = series.clone();
            Box::pin(async move {
                let document = Threshold {
                    revenue,
                    partners: 0,
                };
                draft::draft(tx, &series, &document, range, "rules").await
            })
        })
        .await
    }

    /// Changes a draft that takes effect now.
    async fn change(
        &self,
        by: &Person,
        id: RuleDocumentId,
        revenue: i64,
        expected: Option<i64>,
    ) -> Result<RuleDocumentId> {
        let range = Range::since(self.t.app.clock().now());
        self.by(&by.actor, move |tx| {
            Box::pin(async move {
                let document = Threshold {
                    revenue,
                    partners: 0,
                };
                draft::change(tx, id, expected, &document, range, "rules").await
            })
        })
        .await
    }

    async fn activate(&self, by: &Person, id: RuleDocumentId) -> Result<RuleDocumentId> {
        self.by(&by.actor, move |tx| {
            Box::pin(activate::activate::<Threshold>(tx, id, None))
        })
        .await
    }

    async fn withdraw(&self, id: RuleDocumentId) -> Result<RuleDocumentId> {
        self.by(&self.ada.actor, move |tx| {
            Box::pin(activate::withdraw::<Threshold>(tx, id, None))
        })
        .await
    }

    /// A version that a colleague activated.
    async fn active(&self, revenue: i64, range: Range) -> Result<RuleDocumentId> {
        let id = self.draft(revenue, range).await?;
        self.activate(&self.ben, id).await
    }

    async fn take_effect(&self) {
        let more = self
            .t
            .write(|tx| Box::pin(activate::take_effect::<Threshold>(tx)));
        assert!(!more.await.unwrap());
    }

    /// The threshold in force at an instant.
    async fn at(&self, at: DateTime<Utc>) -> Option<i64> {
        let db = self.t.app.db().reader();
        let found: Option<Version<Threshold>> =
            version::in_force(db, &self.series, at).await.unwrap();
        found.map(|version| version.document.revenue)
    }

    /// Number, status, end, and whether it took effect, of every version.
    async fn all(&self) -> Vec<(i32, RuleStatus, Option<DateTime<Utc>>, bool)> {
        let rows = rule_document::Entity::find().order_by_asc(rule_document::Column::Number);
        let rows = rows.all(self.t.app.db().reader()).await.unwrap();
        rows.into_iter()
            .map(|row| {
                let took_effect = row.took_effect_at.is_some();
                (row.number, row.status, row.effective_to, took_effect)
            })
            .collect()
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T>) -> (Code, Vec<String>) {
    match result.unwrap_err() {
        Error::Refused(refusals) => (
            refusals[0].code,
            refusals.iter().map(|one| one.field.join(".")).collect(),
        ),
        other => panic!("{other}"),
    }
}

async fn a_document_is_drafted_by_one_person_and_activated_by_another(t: TestApp) {
    let office = Office::open(&t).await;
    let now = t.app.clock().now();
    assert_eq!(
        refused(
            office
                .draft(
                    0,
                    Range {
                        from: now,
                        until: Some(now)
                    }
                )
                .await
        ),
        (
            Code::BadUserInput,
            vec!["rules.revenue".to_owned(), "effectiveTo".to_owned()]
        )
    );
    let id = office.draft(500, Range::since(now)).await.unwrap();
    assert_eq!(office.at(now).await, None);
    let found: Version<Threshold> = version::find(t.app.db().reader(), id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.number, found.document.revenue), (1, 500));

    assert_eq!(
        refused(office.change(&office.ben, id, 600, Some(7)).await).0,
        Code::StaleObject
    );
    office.change(&office.ben, id, 600, Some(1)).await.unwrap();
    // Ben changed the words, so they are his.
    assert_eq!(
        refused(office.activate(&office.ben, id).await).0,
        Code::SamePerson
    );
    let auditor = t.vendor(Role::Auditor).await;
    assert_eq!(
        refused(office.activate(&auditor, id).await).0,
        Code::Forbidden
    );
    assert_eq!(office.all().await, [(1, RuleStatus::Draft, None, false)]);
    office.activate(&office.ada, id).await.unwrap();
    assert_eq!(office.all().await, [(1, RuleStatus::Active, None, true)]);
    assert_eq!(office.at(now).await, Some(600));
    assert_eq!(
        refused(office.change(&office.ada, id, 700, None).await).0,
        Code::IllegalTransition
    );
    let events = audit_event::Entity::find()
        .filter(audit_event::Column::SubjectId.eq(id.uuid()))
        .order_by_asc(audit_event::Column::Id)
        .all(t.app.db().reader())
        .await
        .unwrap();
    let events: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(
        events,
        [
            "rule_document.drafted",
            "rule_document.drafted",
            "rule_document.activated"
        ]
    );
}

async fn a_version_follows_the_one_without_end_and_no_two_overlap(t: TestApp) {
    let office = Office::open(&t).await;
    let now = t.app.clock().now();
    let day = |n: i64| now + TimeDelta::days(n);
    office.active(500, Range::since(now)).await.unwrap();
    office.active(600, Range::since(day(90))).await.unwrap();
    let step = TimeDelta::microseconds(1);
    for (at, threshold) in [
        (now - step, None),
        (now, Some(500)),
        (day(90) - step, Some(500)),
        (day(90), Some(600)),
        (day(900), Some(600)),
    ] {
        assert_eq!(office.at(at).await, threshold, "{at}");
    }
    let before = office.all().await;
    for range in [
        Range::since(day(90)),
        Range::since(day(30)),
        Range {
            from: day(30),
            until: Some(day(31)),
        },
    ] {
        let refused = refused(office.active(700, range).await);
        assert_eq!(
            refused,
            (Code::BadUserInput, vec!["effectiveFrom".to_owned()]),
            "{range:?}"
        );
    }
    assert_eq!(office.all().await[..2], before);
    let past = refused(office.active(700, Range::since(day(-1))).await);
    assert_eq!(past, (Code::BadUserInput, vec!["effectiveFrom".to_owned()]));
}

async fn a_version_is_withdrawn_before_it_takes_effect_and_the_one_before_holds_on(t: TestApp) {
    let office = Office::open(&t).await;
    let now = t.app.clock().now();
    let day = |n: i64| now + TimeDelta::days(n);
    let first = office.active(500, Range::since(now)).await.unwrap();
    let second = office.active(600, Range::since(day(90))).await.unwrap();
    office.withdraw(second).await.unwrap();
    assert_eq!(
        office.all().await,
        [
            (1, RuleStatus::Active, None, true),
            (2, RuleStatus::Withdrawn, None, false)
        ]
    );
    assert_eq!(office.at(day(90)).await, Some(500));
    let third = office.active(700, Range::since(day(90))).await.unwrap();
    t.advance(TimeDelta::days(90));
    office.take_effect().await;
    for id in [first, second, third] {
        assert_eq!(
            refused(office.withdraw(id).await).0,
            Code::IllegalTransition
        );
    }
    assert_eq!(
        office.all().await,
        [
            (1, RuleStatus::Active, Some(day(90)), true),
            (2, RuleStatus::Withdrawn, None, false),
            (3, RuleStatus::Active, None, true),
        ]
    );
}

async fn a_version_that_no_longer_fits_is_withdrawn_at_its_date_with_the_reason(t: TestApp) {
    let office = Office::open(&t).await;
    let now = t.app.clock().now();
    office.active(500, Range::since(now)).await.unwrap();
    let begins = now + TimeDelta::days(30);
    let second = office.active(600, Range::since(begins)).await.unwrap();
    crate::directory::partner(&t, &office.ada, "Northwind").await;
    let third = office
        .draft(700, Range::since(begins + TimeDelta::days(1)))
        .await
        .unwrap();
    assert_eq!(
        refused(office.activate(&office.ben, third).await),
        (Code::BadUserInput, vec!["partners".to_owned()])
    );
    t.advance(TimeDelta::days(30) - TimeDelta::microseconds(1));
    office.take_effect().await;
    assert_eq!(office.at(begins).await, Some(600));
    t.advance(TimeDelta::microseconds(1));
    office.take_effect().await;
    office.take_effect().await;
    assert_eq!(office.at(begins).await, Some(500));
    assert_eq!(
        office.all().await,
        [
            (1, RuleStatus::Active, None, true),
            (2, RuleStatus::Withdrawn, None, false),
            (3, RuleStatus::Draft, None, false),
        ]
    );
    let withdrawn = audit_event::Entity::find()
        .filter(audit_event::Column::SubjectId.eq(second.uuid()))
        .filter(audit_event::Column::Action.eq("rule_document.withdrawn"))
        .all(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(withdrawn.len(), 1);
    assert_eq!(
        withdrawn[0].details["reason"],
        "partners: must be at least 1"
    );
}

async fn an_active_document_cannot_be_changed_in_the_database(t: TestApp) {
    let office = Office::open(&t).await;
    let now = t.app.clock().now();
    office.active(500, Range::since(now)).await.unwrap();
    let before = rules_of(&t).await;
    for change in [
        "UPDATE rule_document SET document = '{}'",
        "UPDATE rule_document SET effective_from = '2020-01-01 00:00:00+00:00'",
        "UPDATE rule_document SET activated_by = NULL",
        "UPDATE rule_document SET number = 2",
        "DELETE FROM rule_document",
        "UPDATE program_version SET settings = '{}'",
        "UPDATE program_version SET effective_from = '2020-01-01 00:00:00+00:00'",
        "DELETE FROM program_version",
    ] {
        let refused = operator(&t, change).await.unwrap_err();
        assert!(refused.contains("append-only"), "{change}: {refused}");
    }
    // A second version over the first, past the program.
    let copy = "INSERT INTO rule_document SELECT program_id, program_id, kind, name, 2, status, document, effective_from, \
        effective_to, ended_by, created_by, activated_by, activated_at, took_effect_at, withdrawn_by, withdrawn_at, \
        version, created_at, updated_at FROM rule_document";
    let refused = operator(&t, copy).await.unwrap_err();
    assert!(refused.contains("overlaps another version"), "{refused}");
    assert_eq!(rules_of(&t).await, before);
}

async fn rules_of(t: &TestApp) -> Vec<rule_document::Model> {
    let db = t.app.db().reader();
    rule_document::Entity::find().all(db).await.unwrap()
}
