//! The real program, killed at random moments while clients play the main journey; and the same while writes and syncs of
//! its files fail, or its connections to the database are cut.
//!
//! The short form runs with every test. The long one:
//! `ENSEMBLE_CRASH_KILLS=50 cargo test --test it -- whatever_is_acknowledged`; `ENSEMBLE_CRASH_SEED` repeats a run's
//! moments.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;
use tokio::sync::watch;

use super::{
    account::{self, counted, difference, effects, number},
    disk::{BROKEN, Disk, FULL},
    journey::{Client, Ground},
    ordered,
    proxy::{Fault, Proxy},
};
use crate::{
    cases,
    support::{
        TestApp,
        http::Http,
        program::{Installation, Server},
        until,
    },
};

cases!(
    whatever_is_acknowledged_survives_kills_exactly_once,
    disk: [whatever_is_acknowledged_survives_a_failing_disk],
    postgres: [whatever_is_acknowledged_survives_a_failing_line],
);

/// Clients that win deals, beside one that pays.
const CLIENTS: usize = 3;

const PAID: &str =
    "SELECT CAST(COALESCE(sum(amount_minor), 0) AS BIGINT) FROM payout WHERE status = 'PAID'";

/// How often the program is killed.
fn kills() -> u32 {
    ordered("ENSEMBLE_CRASH_KILLS").unwrap_or(2)
}

async fn whatever_is_acknowledged_survives_kills_exactly_once(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    play(&url, site, async |stage| {
        for _ in 0..kills() {
            let at = Duration::from_millis(stage.moments.random_range(10..900));
            tokio::time::sleep(at).await;
            stage.restart().await;
        }
        format!("{} kills", kills())
    })
    .await;
}

async fn whatever_is_acknowledged_survives_a_failing_disk(t: TestApp) {
    let url = t.fresh_database().await;
    let disk = Disk::new(&t.folder());
    let site = disk.under(Installation::new(t.folder().join("site"), &url));
    play(&url, site, async |stage| {
        let mut met = 0;
        for _ in 0..10 * kills() {
            let error = if stage.moments.random() { FULL } else { BROKEN };
            disk.fail_once(error, stage.moments.random_range(0..30));
            until("a write or sync that failed", || async { disk.met() > 0 }).await;
            met += disk.met();
        }
        for error in [FULL, BROKEN] {
            disk.fail(error);
            stage.says(503).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            met += disk.met();
            disk.heal();
            stage.says(200).await;
        }
        format!("{met} failed writes and syncs")
    })
    .await;
}

async fn whatever_is_acknowledged_survives_a_failing_line(t: TestApp) {
    let url = t.fresh_database().await;
    let proxy = Proxy::before(&url).await;
    let site = Installation::new(t.folder().join("site"), &proxy.leading_to(&url));
    play(&url, site, async |stage| {
        let cuts = 10 * kills();
        for _ in 0..cuts {
            proxy.fault_after(Fault::Cut, stage.moments.random_range(0..60));
            proxy.broken().await;
            proxy.mend();
        }
        stage.says(200).await;
        format!("{cuts} cut connections")
    })
    .await;
}

/// The program while the journey is played.
struct Stage {
    site: Installation,
    server: Option<Server>,
    up: watch::Sender<Option<String>>,
    slowest: Duration,
    moments: StdRng,
}

impl Stage {
    /// Kills the program and starts it again.
    async fn restart(&mut self) {
        self.server.take().unwrap().kill();
        self.up.send_replace(None);
        let server = self.site.serve().await;
        self.slowest = self.slowest.max(server.ready_after);
        self.up.send_replace(Some(server.address.clone()));
        self.server = Some(server);
    }

    /// Waits until the program says that it is ready, or that it is not.
    async fn says(&self, status: u16) {
        let address = self.up.borrow().clone().unwrap();
        let (http, probe) = (Http::default(), format!("{address}/readyz"));
        until(&format!("{status} at {probe}"), || async {
            matches!(http.get(&probe).await, Ok((said, _)) if said == status)
        })
        .await;
    }
}

/// Plays the journey on a new demo while misfortunes happen, which are told in the end; then looks whether everything
/// acknowledged is there, exactly once.
async fn play(url: &str, site: Installation, misfortunes: impl AsyncFnOnce(&mut Stage) -> String) {
    let seed = ordered("ENSEMBLE_CRASH_SEED").unwrap_or_else(|| rand::rng().random());
    let site = site.with("ENSEMBLE_LOG", "warn");
    site.done(["seed"]).await;
    let db = account::observer(url).await;
    let before = effects(&db).await;
    let paid_before = number(&db, PAID).await;

    let server = site.serve().await;
    // The mails of the demo are not of this journey.
    settled(&db).await;
    let written_before = written(&db).await;
    let (up, address) = watch::channel(Some(server.address.clone()));
    let ground = Arc::new(Ground {
        address,
        known: known(&server.address).await,
        acknowledged: Mutex::default(),
        repeated: AtomicUsize::new(0),
        sign_ins: AtomicUsize::new(0),
    });
    let enough = Arc::new(AtomicBool::new(false));
    let winning: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (ground, enough) = (Arc::clone(&ground), Arc::clone(&enough));
            tokio::spawn(async move {
                let mut client = Client::new(format!("c{number}"), ground);
                let mut won = 0;
                while !enough.load(Ordering::Relaxed) {
                    client.win(won).await;
                    won += 1;
                }
                won
            })
        })
        .collect();
    let paying = tokio::spawn({
        let (ground, enough) = (Arc::clone(&ground), Arc::clone(&enough));
        async move {
            let mut client = Client::new("payer".to_owned(), ground);
            let mut runs = 0;
            while !enough.load(Ordering::Relaxed) {
                client.pay(runs).await;
                runs += 1;
            }
            (client, runs)
        }
    });

    let mut stage = Stage {
        slowest: server.ready_after,
        site,
        server: Some(server),
        up,
        moments: StdRng::seed_from_u64(seed),
    };
    let told = misfortunes(&mut stage).await;
    let Stage {
        site,
        server,
        slowest,
        ..
    } = stage;
    enough.store(true, Ordering::Relaxed);
    let mut won = 0;
    for client in winning {
        won += client.await.unwrap();
    }
    let (mut client, mut runs) = paying.await.unwrap();
    client.pay(runs).await;
    runs += 1;
    let acknowledged = ground.acknowledged.lock().unwrap().clone();
    let repeated = ground.repeated.load(Ordering::Relaxed);

    // Every acknowledged call is known under its key, with the object it was acknowledged with.
    for one in &acknowledged {
        assert_eq!(
            client.until_acknowledged(&one.call).await,
            one.id,
            "{one:?}"
        );
    }
    // A payment whose file could not be written is tried again after a pause.
    worked_off(&db).await;
    let effects = difference(&before, &effects(&db).await);
    assert_eq!(effects, expected(won, runs, &effects), "seed {seed}");
    check_money(&db, &site, paid_before, won).await;
    let mails = mails_of(won, runs, effects["payout.paid"]);
    check_mail(&db, &site, &written_before, mails).await;
    drop(server);
    let verified = site.run(["verify"]).await;
    assert!(verified.status.success(), "seed {seed}: {verified:#?}");
    assert!(slowest < Duration::from_secs(10), "ready after {slowest:?}");
    eprintln!(
        "{:?}, seed {seed}: {told}, {} calls acknowledged and replayed, {repeated} repeated after a lost connection, \
         {won} deals, {runs} runs, {} effects, slowest ready {slowest:?}",
        db.get_database_backend(),
        acknowledged.len(),
        effects.values().sum::<i64>(),
    );
}

/// What the demo calls the objects of the journey.
async fn known(address: &str) -> BTreeMap<&'static str, String> {
    let http = Http::default();
    let sign_in = json!({"email": "ada@vendor.example", "password": ensemble::seeds::PASSWORD});
    let document = ensemble::seeds::operation("SignIn").unwrap();
    let answer = http
        .graphql(address, None, document, &sign_in)
        .await
        .unwrap();
    let token = answer["data"]["login"]["accessToken"].as_str();
    let document = "{ programs(first: 1) { nodes { id } } products(first: 1) { nodes { id } }
        partners(first: 50) { nodes { id displayName } } }";
    let answer = http.graphql(address, token, document, &json!({})).await;
    let data = answer.unwrap()["data"].take();
    let id = |list: &str| data[list]["nodes"][0]["id"].as_str().unwrap().to_owned();
    let partner = |name: &str| {
        let partners = data["partners"]["nodes"].as_array().unwrap();
        let partner = partners
            .iter()
            .find(|partner| partner["displayName"] == name);
        partner.unwrap()["id"].as_str().unwrap().to_owned()
    };
    BTreeMap::from([
        ("program", id("programs")),
        ("product", id("products")),
        ("bluefjord", partner("Blue Fjord Systems")),
        ("cobalt", partner("Cobalt Implementation")),
    ])
}

/// What so many deals and runs leave: each effect exactly once. Sign-ins have no key: a session whose answer was lost
/// is one more; each has its event.
fn expected(won: i64, runs: i64, found: &account::Counts) -> account::Counts {
    let (sessions, paid) = (found["session"], found["payout.paid"]);
    let effects = [
        ("session", sessions),
        ("session.started", sessions),
        ("customer", won),
        ("customer.created", won),
        ("deal_registration", won),
        ("deal_registration.submitted", won),
        ("deal_registration.approved", won),
        ("deal", won),
        ("deal.created", won),
        ("deal_participant", 3 * won),
        ("deal_participant.invited", 2 * won),
        ("deal_participant.accepted", 2 * won),
        ("touchpoint", 3 * won),
        ("touchpoint.recorded", 3 * won),
        ("touchpoint.verified", 3 * won),
        ("deal.won", won),
        ("attribution_run", won),
        ("attribution_credit", 3 * won),
        ("accrual", 3 * won),
        ("commission.accrued", 3 * won),
        ("payout_run", runs),
        ("payout_run.created", runs),
        ("payout_run.calculated", runs),
        ("payout_run.approved", runs),
        ("payout_run.executing", runs),
        ("payout_run.completed", runs),
        ("payout", paid),
        ("payout.paid", paid),
    ];
    effects
        .map(|(name, n)| (name.to_owned(), n))
        .into_iter()
        .collect()
}

/// Ten percent of every deal is paid: a line to each of three partners, each line in one payment, each payment once in
/// the ledger and once in a file for the bank.
async fn check_money(db: &DatabaseConnection, site: &Installation, before: i64, won: i64) {
    assert_eq!(number(db, PAID).await - before, won * 1_000_000);
    let unpaid = "SELECT count(*) FROM accrual a JOIN deal d ON d.id = a.deal_id JOIN customer c ON c.id = d.customer_id \
                  LEFT JOIN payout p ON p.id = a.payout_id \
                  WHERE c.name LIKE 'Customer c%' AND (p.status IS NULL OR p.status <> 'PAID')";
    assert_eq!(number(db, unpaid).await, 0);
    let handed_over = "SELECT provider_reference AS name, CAST(sum(amount_minor) AS BIGINT) AS n FROM payout \
                       WHERE provider_reference IS NOT NULL GROUP BY provider_reference";
    let files = std::fs::read_dir(site.folder().join("payouts")).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "csv"));
    let files: account::Counts = files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let mut rows = csv::Reader::from_path(&path).unwrap();
            let amounts = rows.records().map(|row| {
                let amount = row.unwrap()[2].replace('.', "");
                amount.parse::<i64>().unwrap()
            });
            (name, amounts.sum())
        })
        .filter(|(_, sum)| *sum > 0)
        .collect();
    assert_eq!(files, counted(db, handed_over).await);
}

/// The mails that so many deals, runs and payments cause: Nora, Bo and Clara decide for a partner each, Luis looks after
/// all of them, Ada approves.
fn mails_of(won: i64, runs: i64, paid: i64) -> account::Counts {
    let mails = [
        ("registration_received", won),
        ("registration_to_review", won),
        ("registration_approved", won),
        ("participant_invited", 2 * won),
        ("participant_accepted", 2 * won),
        ("touchpoint_to_verify", 3 * won),
        ("touchpoint_verified", 3 * won),
        ("commission_earned", 3 * won),
        ("payout_run_to_approve", runs),
        ("payout_paid", paid),
    ];
    mails.map(|(name, n)| (name.to_owned(), n)).into()
}

/// The mails there are jobs for, by what they tell.
async fn written(db: &DatabaseConnection) -> account::Counts {
    let mails = "SELECT payload ->> 'template' AS name, count(*) AS n FROM job WHERE topic = 'mail' GROUP BY 1";
    counted(db, mails).await
}

async fn settled(db: &DatabaseConnection) {
    until("an empty queue", || async {
        number(db, "SELECT count(*) FROM job WHERE status = 'PENDING'").await == 0
    })
    .await;
}

/// The rest of the work, as if the leases of the dead and the pauses after failures had run out.
async fn worked_off(db: &DatabaseConnection) {
    let due = "UPDATE job SET lease_until = NULL, run_at = created_at WHERE status = 'PENDING'";
    db.execute_unprepared(due).await.unwrap();
    settled(db).await;
}

/// Every event has one job, every person concerned one mail, and each mail is a file under its id.
async fn check_mail(
    db: &DatabaseConnection,
    site: &Installation,
    before: &account::Counts,
    caused: account::Counts,
) {
    assert_eq!(difference(before, &written(db).await), caused);
    let jobs = counted(
        db,
        "SELECT topic || ' ' || status AS name, count(*) AS n FROM job GROUP BY 1",
    )
    .await;
    let events = number(db, "SELECT count(*) FROM audit_event").await;
    let mails = std::fs::read_dir(site.folder().join("mail")).unwrap();
    let mails = i64::try_from(mails.count()).unwrap();
    let runs = number(
        db,
        "SELECT count(*) FROM payout_run WHERE status = 'COMPLETED'",
    )
    .await;
    // One for each run, and more where runs waited for each other.
    let steps = jobs["payout.advance DONE"];
    assert!(steps >= runs, "{steps} of {runs}");
    let settled = [
        ("event DONE", events),
        ("mail DONE", mails),
        ("payout.advance DONE", steps),
        ("payout.resume DONE", runs),
    ];
    let settled = settled.map(|(name, n)| (name.to_owned(), n));
    assert_eq!(jobs, account::Counts::from(settled));
}
