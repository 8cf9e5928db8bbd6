//! Mail over real connections to a mail server with misfortunes.

use std::time::Duration;

use chrono::TimeDelta;
use ensemble::{
    entity::job::{self, JobStatus},
    error::{Code, Refusal},
    events::Event,
    platform::mail::MailTransport,
    worker,
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::json;

use super::{
    account::{number, observer},
    post::{Misfortune, PostOffice},
};
use crate::{
    cases,
    support::{TestApp, http::Http, program::Installation, until},
};

cases!(
    every_misfortune_of_a_mail_server_delays_a_mail_and_loses_none,
    a_mail_server_that_is_down_three_times_gets_the_mail_once,
    a_mail_refused_for_good_is_a_dead_letter_and_the_next_goes_out,
    what_is_rolled_back_or_refused_mails_nothing,
    a_recipient_with_a_line_break_is_refused_at_the_door,
    a_mail_sent_before_a_crash_goes_out_once_more_under_its_id,
    a_job_that_panics_is_put_back_and_the_worker_lives,
);

/// The application with its mail going to this server.
fn posting(t: &TestApp, url: &str) -> TestApp {
    let transport = MailTransport::smtp(&url.to_owned().into()).unwrap();
    t.posting_by(transport, Duration::from_millis(300))
}

/// Somebody is told that the password was changed: one event, one mail.
async fn tell(t: &TestApp) {
    let user_id = t.admin().await.id;
    t.write(move |tx| {
        tx.record(Event::PasswordChanged { user_id });
        Box::pin(async { Ok(()) })
    })
    .await
    .unwrap();
}

async fn mails(t: &TestApp) -> Vec<job::Model> {
    let mails = job::Entity::find()
        .filter(job::Column::Topic.eq("mail"))
        .order_by_asc(job::Column::Id);
    mails.all(t.app.db().reader()).await.unwrap()
}

async fn every_misfortune_of_a_mail_server_delays_a_mail_and_loses_none(t: TestApp) {
    for (misfortune, kept) in [
        (Misfortune::Greeted("421 busy\r\n"), 1),
        (Misfortune::Recipient("452 mailbox full\r\n"), 1),
        (Misfortune::Recipient("535 sign in\r\n"), 1),
        (Misfortune::Mail("451 try later\r\n"), 1),
        (Misfortune::SilentAfterAccept, 1),
        (Misfortune::GoneInData, 1),
        // The server has the mail and could not say so: once more, under the same id.
        (Misfortune::SilentAfterData, 2),
        (Misfortune::GoneAfterData, 2),
    ] {
        let office = PostOffice::open(&[misfortune]).await;
        let posting = posting(&t, &office.url());
        tell(&t).await;
        posting.settle().await;
        let put_back = mails(&t).await;
        let put_back: Vec<_> = put_back
            .iter()
            .filter(|mail| mail.status != JobStatus::Done)
            .map(|mail| (mail.status, mail.attempts, mail.last_error.is_some()))
            .collect();
        assert_eq!(put_back, [(JobStatus::Pending, 1, true)], "{misfortune:?}");
        t.advance(TimeDelta::hours(1));
        posting.settle().await;
        let mut ids = office.message_ids();
        assert_eq!(ids.len(), kept, "{misfortune:?}");
        ids.dedup();
        assert_eq!(ids.len(), 1, "{misfortune:?}");
        assert!(
            mails(&t)
                .await
                .iter()
                .all(|mail| mail.status == JobStatus::Done)
        );
        t.advance(TimeDelta::days(1));
        posting.settle().await;
        assert_eq!((office.kept().len(), office.connections()), (kept, 2));
    }
}

async fn a_mail_server_that_is_down_three_times_gets_the_mail_once(t: TestApp) {
    // A port at which nobody listens yet.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let posting = posting(&t, &format!("smtp://127.0.0.1:{port}"));
    tell(&t).await;
    for attempt in 1..=3 {
        posting.settle().await;
        let mail = mails(&t).await.remove(0);
        assert_eq!((mail.status, mail.attempts), (JobStatus::Pending, attempt));
        t.advance(TimeDelta::hours(1));
    }
    let office = PostOffice::at(port, &[]).await;
    posting.settle().await;
    t.advance(TimeDelta::days(1));
    posting.settle().await;
    assert_eq!((office.kept().len(), office.connections()), (1, 1));
    let mail = mails(&t).await.remove(0);
    assert_eq!((mail.status, mail.attempts), (JobStatus::Done, 4));
}

async fn a_mail_refused_for_good_is_a_dead_letter_and_the_next_goes_out(t: TestApp) {
    let office = PostOffice::open(&[Misfortune::Recipient("550 nobody here\r\n")]).await;
    let posting = posting(&t, &office.url());
    tell(&t).await;
    posting.settle().await;
    t.advance(TimeDelta::days(1));
    tell(&t).await;
    posting.settle().await;
    let states: Vec<_> = mails(&t)
        .await
        .iter()
        .map(|mail| (mail.status, mail.attempts))
        .collect();
    assert_eq!(states, [(JobStatus::Dead, 1), (JobStatus::Done, 1)]);
    assert_eq!(office.kept().len(), 1);
}

const RESET: &str = "mutation($email: String!) { passwordResetRequest(input: {email: $email}) { userErrors { code } } }";

async fn what_is_rolled_back_or_refused_mails_nothing(t: TestApp) {
    let office = PostOffice::open(&[]).await;
    let posting = posting(&t, &office.url());
    let admin = t.admin().await;
    let user_id = admin.id;
    let rolled_back: ensemble::error::Result<()> = t
        .write(move |tx| {
            Box::pin(async move {
                tx.record(Event::PasswordChanged { user_id });
                tx.execute_unprepared("SELECT 1").await?;
                Err(Refusal::new(Code::NotEligible, "no").into())
            })
        })
        .await;
    assert_eq!(rolled_back.unwrap_err().code(), Code::NotEligible);
    let invite = json!({"input": {"email": admin.email, "name": "Ann", "role": "FINANCE"}});
    let refused = t.ask(&admin, INVITE, invite).await;
    assert_eq!(refused.refusal("userInvite"), "DUPLICATE");
    posting.settle().await;
    assert_eq!((office.connections(), mails(&t).await.len()), (0, 0));
}

const INVITE: &str = "mutation($input: UserInviteInput!) { userInvite(input: $input) { user { status } userErrors { code field } } }";

async fn a_recipient_with_a_line_break_is_refused_at_the_door(t: TestApp) {
    let office = PostOffice::open(&[]).await;
    let posting = posting(&t, &office.url());
    let admin = t.admin().await;
    let people = observer(t.url()).await;
    for name in ["Ann\r\nBcc: eve@example.com", "Ann\nLee", "Ann\u{2028}Lee"] {
        let invite =
            json!({"input": {"email": "ann@example.com", "name": name, "role": "FINANCE"}});
        let refused = t.ask(&admin, INVITE, invite).await;
        assert_eq!(
            refused.at("userInvite/userErrors"),
            &json!([{"code": "BAD_USER_INPUT", "field": ["name"]}]),
            "{name:?}"
        );
    }
    let address = json!({"input": {"email": "ann@example.com\r\nBcc: eve@example.com", "name": "Ann", "role": "FINANCE"}});
    let refused = t.ask(&admin, INVITE, address).await;
    assert!(
        refused.json.get("errors").is_some() || refused.refusal("userInvite") == "BAD_USER_INPUT"
    );
    assert_eq!(number(&people, "SELECT count(*) FROM \"user\"").await, 1);
    // The same person with a good name is invited, and gets the one mail.
    let invite =
        json!({"input": {"email": "ann@example.com", "name": "Ann Lee", "role": "FINANCE"}});
    let invited = t.ask(&admin, INVITE, invite).await;
    assert_eq!(
        invited.done("userInvite").at("userInvite/user/status"),
        &json!("INVITED")
    );
    posting.settle().await;
    assert_eq!(office.kept().len(), 1);
}

async fn a_mail_sent_before_a_crash_goes_out_once_more_under_its_id(t: TestApp) {
    let office = PostOffice::open(&[Misfortune::SilentAfterData]).await;
    let url = t.fresh_database().await;
    let site =
        Installation::new(t.folder().join("site"), &url).with("ENSEMBLE_SMTP_URL", office.url());
    site.administrator("correct horse battery").await;
    let server = site.serve().await;
    let asked = json!({"email": "root@vendor.example"});
    let http = Http::default();
    let answer = http
        .graphql(&server.address, None, RESET, &asked)
        .await
        .unwrap();
    assert_eq!(
        answer["data"]["passwordResetRequest"]["userErrors"],
        json!([])
    );
    until("the mail at the server", || async {
        office.kept().len() == 1
    })
    .await;
    server.kill();
    // As if the lease of the dead worker had run out.
    let db = observer(&url).await;
    db.execute_unprepared("UPDATE job SET lease_until = NULL WHERE status = 'PENDING'")
        .await
        .unwrap();
    let _server = site.serve().await;
    until("a settled mail", || async {
        number(&db, "SELECT count(*) FROM job WHERE status <> 'DONE'").await == 0
    })
    .await;
    let ids = office.message_ids();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

async fn a_job_that_panics_is_put_back_and_the_worker_lives(t: TestApp) {
    tell(&t).await;
    let claimed = t.claim().await.remove(0);
    worker::attempt(&t.app, &claimed, async { panic!("a job that breaks") })
        .await
        .unwrap();
    let job = job::Entity::find_by_id(claimed.id)
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            job.status,
            job.attempts,
            job.lease_until,
            job.last_error.as_deref()
        ),
        (
            JobStatus::Pending,
            1,
            None,
            Some("Internal error. The log has the cause under this job's ID.")
        )
    );
    t.advance(TimeDelta::hours(1));
    t.settle().await;
    assert_eq!(t.outbox.sent().len(), 1);
}
