//! Payment files: one of each run, whichever process writes it, and whenever it ends.

use std::{
    collections::BTreeMap,
    future::Future,
    path::Path,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use chrono::TimeDelta;
use ensemble::{
    app::App,
    entity::{
        ids::PayoutRunId,
        job,
        payout::{self, PayoutStatus},
        payout_export, payout_run,
    },
    payouts::{execute, export, provider},
    platform::{
        audit,
        files::{Bucket, Files, Location},
        ids::TypedId,
    },
    tx::Call,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::{Books, earned};
use crate::{
    cases,
    support::{TestApp, s3},
};

cases!(
    a_file_that_is_there_already_stays_as_it_is,
    processes_with_folders_of_their_own_write_one_file_of_each_run,
    a_file_that_cannot_be_written_leaves_nothing_and_is_written_later,
    a_file_that_cannot_be_written_whole_is_removed,
    files_are_kept_in_a_bucket,
    bucket: [files_are_kept_in_a_bucket_of_a_real_service],
);

/// A future that ends after so many polls, as the work of a process does that is killed.
struct Killed<F> {
    work: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future> Future for Killed<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.work.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending if self.polls == 0 => Poll::Ready(()),
            Poll::Pending => {
                self.polls -= 1;
                Poll::Pending
            }
        }
    }
}

async fn started(books: &Books) -> PayoutRunId {
    let run = books.created("2026-03-01", "2026-03-31").await;
    books
        .approve(&books.checker, &run)
        .await
        .done("payoutRunApprove");
    let run = PayoutRunId::parse(&run).unwrap();
    let call = Call::of("test", books.checker.actor.clone());
    let started = books.t.app.write(call, move |tx| {
        Box::pin(execute::start(tx, run, export::NAME))
    });
    started.await.unwrap()
}

async fn go_on(app: &App, run: PayoutRunId) {
    let provider = provider::configured(app);
    execute::go_on(app, &Call::system("test"), &provider, run, None)
        .await
        .unwrap();
}

/// The names and hashes of the files in the folders of two processes.
fn files(folders: [&Path; 2]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(folder.join("payouts")) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let content = std::fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            found.push((name, audit::digest(&content)));
        }
    }
    found.sort();
    found
}

async fn processes_with_folders_of_their_own_write_one_file_of_each_run(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    let beside = t.beside().await;
    let folder = t.folder().join("other");
    let other = beside.app.with_files(Files::folder(folder.clone()));
    for round in 0..15 {
        books
            .win("2026-03-01T08:00:00Z", &[earned(partner, 1_000 + round)])
            .await;
        let run = started(&books).await;
        let polls = |shift: usize| usize::try_from(round).unwrap() * shift % 31;
        let killed = |app: App, polls: usize| {
            let work = Box::pin(async move { go_on(&app, run).await });
            Killed { work, polls }
        };
        let one = pin!(killed(t.app.clone(), polls(2)));
        let two = pin!(killed(other.clone(), polls(3)));
        tokio::join!(one, two);
        // What the killed processes had sent to the database is done or not by now.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        t.advance(TimeDelta::seconds(16));
        go_on(if round % 2 == 0 { &other } else { &t.app }, run).await;
        let state = payout_run::Entity::find_by_id(run)
            .one(t.app.db().reader())
            .await
            .unwrap();
        assert!(state.unwrap().completed_at.is_some(), "round {round}");
    }
    // The processes that were killed start again.
    export::recover(&t.app).await.unwrap();
    export::recover(&other).await.unwrap();
    let stored = payout_export::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(stored.len(), 15);
    assert!(stored.iter().all(|row| row.written_at.is_some()));
    let expected: BTreeMap<String, String> = stored
        .into_iter()
        .map(|row| (row.name, row.content_hash))
        .collect();
    assert_eq!(
        files([&t.folder(), &folder]),
        expected.into_iter().collect::<Vec<_>>()
    );
    let paid = payout::Entity::find().filter(payout::Column::Status.eq(PayoutStatus::Paid));
    assert_eq!(paid.count(t.app.db().reader()).await.unwrap(), 15);
    let _ = beside.app.db().clone().close().await;
    t.settle().await;
}

async fn a_file_that_cannot_be_written_leaves_nothing_and_is_written_later(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    books
        .win("2026-03-01T08:00:00Z", &[earned(partner, 1_000)])
        .await;
    let run = started(&books).await;
    let in_the_way = t.folder().join("payouts");
    std::fs::write(&in_the_way, "").unwrap();
    t.settle().await;
    let state = payout::Entity::find().one(t.app.db().reader());
    assert_eq!(state.await.unwrap().unwrap().status, PayoutStatus::Unknown);
    let export = payout_export::Entity::find().one(t.app.db().reader());
    assert_eq!(export.await.unwrap().unwrap().written_at, None);
    let waiting = job::Entity::find()
        .filter(job::Column::Topic.eq("payout.resume"))
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    let error = waiting.last_error.unwrap();
    assert!(
        error.contains("Payments of this run are still open"),
        "{error}"
    );

    std::fs::remove_file(&in_the_way).unwrap();
    t.advance(TimeDelta::hours(1));
    t.settle().await;
    assert_eq!(books.balance(partner).await.paid, 1_000);
    let found = files([&t.folder(), Path::new("")]);
    let row = payout_run::Entity::find_by_id(run).one(t.app.db().reader());
    let number = row.await.unwrap().unwrap().number;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, format!("{number}.csv"));
}

async fn a_file_that_is_there_already_stays_as_it_is(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    books
        .win("2026-03-01T08:00:00Z", &[earned(partner, 1_000)])
        .await;
    let run = started(&books).await;
    let row = payout_run::Entity::find_by_id(run).one(t.app.db().reader());
    let name = format!("{}.csv", row.await.unwrap().unwrap().number);
    let folder = t.folder().join("payouts");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(&name), "as the bank has it").unwrap();
    go_on(&t.app, run).await;
    let expected = [(name, audit::digest("as the bank has it"))];
    assert_eq!(files([&t.folder(), Path::new("")]), expected);
    let stored = payout_export::Entity::find().one(t.app.db().reader());
    assert_eq!(stored.await.unwrap().unwrap().content_hash, expected[0].1);
    assert_eq!(books.balance(partner).await.paid, 1_000);
    t.settle().await;
}

async fn a_file_that_cannot_be_written_whole_is_removed(t: TestApp) {
    let folder = t.folder().join("store");
    let files = Files::folder(folder.clone());
    files
        .write("payouts/whole.part", b"2".to_vec())
        .await
        .unwrap();
    std::fs::create_dir(folder.join("payouts/taken.part")).unwrap();
    let refused = files.write("payouts/taken.part", b"1".to_vec()).await;
    assert!(refused.is_err());
    files
        .rename("payouts/whole.part", "payouts/whole.csv")
        .await
        .unwrap();
    assert_eq!(files.list("payouts").await.unwrap(), ["payouts/whole.csv"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name: &str| {
            let found = std::fs::metadata(folder.join(name)).unwrap();
            found.permissions().mode() & 0o777
        };
        assert_eq!(mode("payouts/whole.csv"), 0o640);
        assert_eq!(mode("payouts") & 0o007, 0, "others cannot enter the folder");
    }
    assert!(!files.exists("payouts/whole.part").await.unwrap());
    let again = Files::folder(folder);
    assert_eq!(
        files.identity().await.unwrap(),
        again.identity().await.unwrap()
    );
}

async fn files_are_kept_in_a_bucket(t: TestApp) {
    let service = s3::Service::open("files").await;
    kept_in(&t, service.bucket("files", "prm/eu")).await;
    let names: Vec<_> = service.objects().into_keys().collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].starts_with("prm/eu/payouts/PR-"), "{names:?}");
    assert_eq!(names[1], "prm/eu/store-id");
    let stranger = Bucket {
        keys: s3::keys("someone", "else"),
        ..service.bucket("files", "prm/eu")
    };
    let stranger = Files::at(&Location::Bucket(stranger)).unwrap();
    assert!(stranger.read("store-id").await.is_err());
}

async fn files_are_kept_in_a_bucket_of_a_real_service(t: TestApp) {
    kept_in(&t, s3::service().unwrap()).await;
}

/// Two processes keep their files in one bucket and write one file of a run.
async fn kept_in(t: &TestApp, bucket: Bucket) {
    let process = || Files::at(&Location::Bucket(bucket.clone())).unwrap();
    let (one, two) = (process(), process());
    let (first, second) = tokio::join!(one.identity(), two.identity());
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(two.list("payouts").await.unwrap(), [""; 0]);
    assert_eq!(two.read("payouts/none.csv").await.unwrap(), None);
    two.remove("payouts/none.csv").await.unwrap();

    let books = Books::open(t, 0).await;
    let partner = books.partner("Alpha").await;
    books
        .win("2026-03-01T08:00:00Z", &[earned(partner, 1_000)])
        .await;
    let run = started(&books).await;
    let (here, beside) = (t.app.with_files(one), t.beside().await);
    let there = beside.app.with_files(two.clone());
    tokio::join!(go_on(&here, run), go_on(&there, run));
    assert_eq!(books.balance(partner).await.paid, 1_000);
    let stored = payout_export::Entity::find().one(t.app.db().reader());
    let stored = stored.await.unwrap().unwrap();
    let path = format!("payouts/{}", stored.name);
    assert_eq!(two.list("payouts").await.unwrap(), [path.as_str()]);
    let content = String::from_utf8(two.read(&path).await.unwrap().unwrap()).unwrap();
    assert_eq!(audit::digest(&content), stored.content_hash);

    two.write("left.part", b"1".to_vec()).await.unwrap();
    assert!(two.exists("left.part").await.unwrap());
    two.remove("left.part").await.unwrap();
    assert!(!two.exists("left.part").await.unwrap());
    let _ = beside.app.db().clone().close().await;
    t.settle().await;
}
