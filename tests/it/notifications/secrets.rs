//! What people typed does no harm in a mail, and a link stands nowhere but in its mail.

use chrono::TimeDelta;
use ensemble::{
    entity::{
        audit_event,
        job::{self, JobStatus},
        user::{Role, UserStatus},
        user_token::TokenPurpose,
    },
    events::Event,
    platform::mail::MailFault,
};
use sea_orm::{ActiveValue::Set, EntityTrait};

use super::{
    expected, jobs_of, mail_to, record,
    rows::{World, change, token},
    told,
};
use crate::{
    cases,
    support::{TestApp, logs},
};

cases!(
    names_are_escaped_in_html_and_never_break_a_header,
    an_invitation_carries_its_link_and_the_link_stands_nowhere_else,
    a_used_or_expired_link_is_not_sent,
);

async fn names_are_escaped_in_html_and_never_break_a_header(t: TestApp) {
    let world = World::named(&t, "<b>Acme</b>", "Contoso\r\nBcc: eve@example.com").await;
    change(&t, &world.alma, |user| {
        user.name = Set("Alma\r\nBcc: eve@example.com".to_owned())
    })
    .await;
    record(
        &t,
        Event::RegistrationSubmitted {
            registration_id: world.registration,
            partner_id: world.acme,
        },
    )
    .await;
    t.settle().await;
    let mail = mail_to(&t, &world.alma);
    assert_eq!(
        mail.message.subject,
        "To review: DR-7K3M9QX2P4 by <b>Acme</b>, Contoso Bcc: eve@example.com"
    );
    assert!(
        mail.message
            .html
            .contains("&lt;b&gt;Acme&lt;&#x2f;b&gt; registered a deal"),
        "{}",
        mail.message.html
    );
    assert!(!mail.message.html.contains("<b>"));
    let head = mail.raw.split("\r\n\r\n").next().unwrap();
    assert!(
        head.lines()
            .all(|line| !line.to_lowercase().starts_with("bcc")),
        "{head}"
    );
}

async fn an_invitation_carries_its_link_and_the_link_stands_nowhere_else(t: TestApp) {
    logs::keep();
    let world = World::new(&t).await;
    let guest = t.person(Role::PartnerMember, Some(world.acme)).await;
    change(&t, &guest, |user| user.status = Set(UserStatus::Invited)).await;
    let (token_id, invitation) = token(&t, &guest, TokenPurpose::Invitation).await;
    record(
        &t,
        Event::UserInvited {
            user_id: guest.id,
            token_id,
        },
    )
    .await;
    let (token_id, reset) = token(&t, &world.bob, TokenPurpose::PasswordReset).await;
    record(
        &t,
        Event::PasswordResetRequested {
            user_id: world.bob.id,
            token_id,
        },
    )
    .await;
    t.outbox.fail(1, MailFault::Transient("busy".to_owned()));
    t.settle().await;
    t.advance(TimeDelta::hours(1));
    t.settle().await;
    assert_eq!(
        told(&t),
        expected([
            (&guest, "Your invitation to the partner portal"),
            (&world.bob, "Choose a new password")
        ])
    );
    let mail = mail_to(&t, &guest).message.text;
    assert!(
        mail.contains(&format!(
            "http://localhost:8080/invitation?token={invitation}\n"
        )),
        "{mail}"
    );
    assert!(
        mail.contains("you work for Acme") && mail.contains("until 2026-03-04 09:00 (UTC)"),
        "{mail}"
    );
    let mail = mail_to(&t, &world.bob).message.text;
    assert!(
        mail.contains(&format!(
            "http://localhost:8080/password-reset?token={reset}\n"
        )),
        "{mail}"
    );
    let jobs = format!(
        "{:?}",
        job::Entity::find().all(t.app.db().reader()).await.unwrap()
    );
    let audit = format!(
        "{:?}",
        audit_event::Entity::find()
            .all(t.app.db().reader())
            .await
            .unwrap()
    );
    let log = logs::kept();
    assert!(log.contains("cause=\"busy\""), "the log is not kept");
    for secret in [&invitation, &reset, &guest.email, &world.bob.email] {
        for place in [&jobs, &audit, &log] {
            assert!(
                !place.contains(secret.as_str()),
                "a secret or an address leaked"
            );
        }
    }
}

async fn a_used_or_expired_link_is_not_sent(t: TestApp) {
    let world = World::new(&t).await;
    let (token_id, _) = token(&t, &world.ann, TokenPurpose::PasswordReset).await;
    record(
        &t,
        Event::PasswordResetRequested {
            user_id: world.ann.id,
            token_id,
        },
    )
    .await;
    t.advance(TimeDelta::hours(73));
    t.settle().await;
    assert_eq!(told(&t), []);
    assert_eq!(jobs_of(&t, "mail").await[0].status, JobStatus::Done);
}
