//! Who is told what: each their own, in their language.

use ensemble::{
    entity::{
        accrual::AccrualKind,
        deal_participant::ParticipantStatus,
        job::{self, JobStatus},
        user::{Role, UserStatus},
    },
    error::Error,
    events::Event,
};
use sea_orm::{ActiveValue::Set, EntityTrait, PaginatorTrait};

use super::{
    approved, expected, jobs_of, mail_to,
    money::{Line, earned},
    record,
    rows::{self, World, change},
    told,
};
use crate::{cases, support::TestApp};

cases!(
    an_approval_is_told_to_the_partner_s_deciders_and_the_submitter,
    a_submission_is_confirmed_to_the_partner_and_told_to_the_alliance_managers,
    a_unit_of_work_rolled_back_mails_nothing,
    each_partner_of_a_won_deal_reads_of_its_own_commission_only,
    a_clawback_tells_each_partner_its_own_amount,
    an_invitation_to_a_deal_reaches_the_invited_partner_only,
    a_payout_run_is_laid_before_everybody_but_its_creator,
    a_failed_payment_is_explained_to_finance_only,
    a_german_reader_gets_a_german_mail,
);

async fn an_approval_is_told_to_the_partner_s_deciders_and_the_submitter(t: TestApp) {
    let world = World::new(&t).await;
    let admin = t.person(Role::PartnerAdministrator, Some(world.acme)).await;
    let member = t.person(Role::PartnerMember, Some(world.acme)).await;
    let idle = t.person(Role::PartnerMember, Some(world.acme)).await;
    let gone = t.person(Role::PartnerManager, Some(world.acme)).await;
    change(&t, &gone, |user| user.status = Set(UserStatus::Deactivated)).await;
    let id = member.id;
    let registration = world.registration;
    t.write(move |tx| {
        Box::pin(async move {
            use ensemble::entity::deal_registration as table;
            let row = table::ActiveModel {
                id: Set(registration),
                submitted_by: Set(id),
                ..Default::default()
            };
            table::Entity::update(row).exec(tx).await?;
            Ok(())
        })
    })
    .await
    .unwrap();
    record(&t, approved(&world)).await;
    t.settle().await;
    let subject = "Approved: your registration DR-7K3M9QX2P4, Contoso";
    assert_eq!(
        told(&t),
        expected([(&world.ann, subject), (&admin, subject), (&member, subject)])
    );
    assert!(told(&t).iter().all(|(address, _)| *address != idle.email));
    let mail = mail_to(&t, &world.ann);
    for part in [
        "Number: DR-7K3M9QX2P4\nCustomer: Contoso\nValue: USD\u{a0}100,000.00\n",
        "until the end of 2026-05-30 (Europe/Berlin)",
        &format!(
            "http://localhost:8080/deal-registrations/{}\n",
            world.registration
        ),
    ] {
        assert!(
            mail.message.text.contains(part),
            "{part} is not in\n{}",
            mail.message.text
        );
    }
    for header in [
        "Auto-Submitted: auto-generated",
        "X-Ensemble-Event: deal_registration.approved",
    ] {
        assert!(
            mail.raw.lines().any(|line| line == header),
            "{header} is not in\n{}",
            mail.raw
        );
    }
    assert!(
        jobs_of(&t, "event")
            .await
            .iter()
            .chain(&jobs_of(&t, "mail").await)
            .all(|job| job.status == JobStatus::Done)
    );
}

async fn a_submission_is_confirmed_to_the_partner_and_told_to_the_alliance_managers(t: TestApp) {
    let world = World::new(&t).await;
    t.vendor(Role::Finance).await;
    record(
        &t,
        Event::RegistrationSubmitted {
            registration_id: world.registration,
            partner_id: world.acme,
        },
    )
    .await;
    t.settle().await;
    assert_eq!(
        told(&t),
        expected([
            (
                &world.ann,
                "We have your registration DR-7K3M9QX2P4: Contoso"
            ),
            (&world.alma, "To review: DR-7K3M9QX2P4 by Acme, Contoso"),
        ])
    );
}

async fn a_unit_of_work_rolled_back_mails_nothing(t: TestApp) {
    let world = World::new(&t).await;
    let event = approved(&world);
    let refused: Result<(), Error> = t
        .write(move |tx| {
            tx.record(event.clone());
            Box::pin(async { Err(Error::stale()) })
        })
        .await;
    assert!(refused.is_err());
    t.settle().await;
    assert_eq!(told(&t), []);
    assert_eq!(
        job::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        0
    );
}

async fn each_partner_of_a_won_deal_reads_of_its_own_commission_only(t: TestApp) {
    let world = World::new(&t).await;
    let quiet = rows::partner(&t, "Quiet").await;
    let quinn = t.person(Role::PartnerManager, Some(quiet)).await;
    let plan = world.plan(&t).await;
    for partner in [world.acme, world.bolt, quiet] {
        world
            .participant(&t, partner, ParticipantStatus::Accepted)
            .await;
    }
    let held = earned(plan, world.acme, 28_571);
    let lines = [
        earned(plan, world.acme, 114_286),
        Line {
            kind: AccrualKind::Holdback,
            ..held
        },
        earned(plan, world.bolt, 200_000),
    ];
    for line in lines {
        world.commission(&t, line).await;
    }
    let (deal_id, acme, bolt) = (world.deal, world.acme, world.bolt);
    t.write(move |tx| {
        tx.record(Event::DealWon { deal_id });
        tx.record(Event::CommissionAccrued {
            deal_id,
            partner_id: acme,
        });
        tx.record(Event::CommissionAccrued {
            deal_id,
            partner_id: bolt,
        });
        Box::pin(async { Ok(()) })
    })
    .await
    .unwrap();
    t.settle().await;
    assert_eq!(
        told(&t),
        expected([
            (
                &world.ann,
                "Won: Contoso 2026. Your commission: USD 1,428.57"
            ),
            (
                &world.bob,
                "Won: Contoso 2026. Your commission: USD 2,000.00"
            ),
            (&quinn, "Won: Contoso 2026"),
        ])
    );
    let ann = mail_to(&t, &world.ann).message.text;
    assert!(
        ann.contains("Of this held back until 2026-05-30: USD\u{a0}285.71\n"),
        "{ann}"
    );
    for (person, foreign) in [
        (&world.ann, ["Bolt", "2,000"]),
        (&world.bob, ["Acme", "1,428"]),
        (&quinn, ["Bolt", "USD"]),
    ] {
        let message = mail_to(&t, person).message;
        for word in foreign {
            assert!(
                ![&message.subject, &message.text, &message.html]
                    .iter()
                    .any(|part| part.contains(word)),
                "{word}"
            );
        }
    }
}

async fn a_clawback_tells_each_partner_its_own_amount(t: TestApp) {
    let world = World::new(&t).await;
    let (plan, refund_id) = (world.plan(&t).await, world.refund(&t).await);
    for (partner, amount) in [(world.acme, -35_714), (world.bolt, -50_000)] {
        let line = earned(plan, partner, amount);
        let (kind, refund) = (AccrualKind::Clawback, Some(refund_id));
        world
            .commission(
                &t,
                Line {
                    kind,
                    refund,
                    ..line
                },
            )
            .await;
    }
    let deal_id = world.deal;
    record(&t, Event::DealRefunded { deal_id, refund_id }).await;
    record(
        &t,
        Event::CommissionClawedBack {
            deal_id,
            partner_id: world.acme,
            refund_id,
        },
    )
    .await;
    t.settle().await;
    assert_eq!(
        told(&t),
        expected([(&world.ann, "Commission taken back: Contoso 2026")])
    );
    let text = mail_to(&t, &world.ann).message.text;
    assert!(
        text.contains("Taken back: USD\u{a0}357.14\n") && !text.contains("500"),
        "{text}"
    );
}

async fn an_invitation_to_a_deal_reaches_the_invited_partner_only(t: TestApp) {
    let world = World::new(&t).await;
    let participant_id = world
        .participant(&t, world.bolt, ParticipantStatus::Invited)
        .await;
    let (deal_id, partner_id) = (world.deal, world.bolt);
    record(
        &t,
        Event::ParticipantInvited {
            participant_id,
            deal_id,
            partner_id,
        },
    )
    .await;
    record(
        &t,
        Event::ParticipantAccepted {
            participant_id,
            deal_id,
            partner_id,
        },
    )
    .await;
    t.settle().await;
    assert_eq!(
        told(&t),
        expected([
            (&world.bob, "You are invited to a deal: Contoso 2026"),
            (&world.alma, "Accepted: Bolt on Contoso 2026"),
        ])
    );
    let text = mail_to(&t, &world.bob).message.text;
    assert!(
        text.contains(
            "Customer: Contoso\nYour role: implementer\n\nWhat you would do: Roll-out in Kiel\n"
        ),
        "{text}"
    );
    assert!(
        !text.contains("Acme") && !text.contains("100,000"),
        "{text}"
    );
}

async fn a_payout_run_is_laid_before_everybody_but_its_creator(t: TestApp) {
    let world = World::new(&t).await;
    let (finn, fay, ada) = (
        t.vendor(Role::Finance).await,
        t.vendor(Role::Finance).await,
        t.admin().await,
    );
    let (run_id, ..) = world.payout_run(&t, &finn).await;
    record(&t, Event::PayoutRunCalculated { run_id }).await;
    t.settle().await;
    let subject = "Payout run PR-1 waits for your approval";
    assert_eq!(told(&t), expected([(&fay, subject), (&ada, subject)]));
    let text = mail_to(&t, &fay).message.text;
    assert!(
        text.contains("Period: 2026-02-01 to 2026-02-28\nPayments: 2\nTotal: USD\u{a0}3,428.57\n"),
        "{text}"
    );
}

async fn a_failed_payment_is_explained_to_finance_only(t: TestApp) {
    let world = World::new(&t).await;
    let finn = t.vendor(Role::Finance).await;
    let (_, paid, failed) = world.payout_run(&t, &finn).await;
    record(
        &t,
        Event::PayoutPaid {
            payout_id: paid,
            partner_id: world.acme,
            reference: None,
        },
    )
    .await;
    record(
        &t,
        Event::PayoutFailed {
            payout_id: failed,
            partner_id: world.bolt,
        },
    )
    .await;
    t.settle().await;
    assert_eq!(
        told(&t),
        expected([
            (&world.ann, "Paid: USD 1,428.57, payment P-1"),
            (&world.bob, "Payment P-2 did not go through"),
            (&finn, "Payment P-2 to Bolt failed"),
        ])
    );
    assert!(
        mail_to(&t, &finn)
            .message
            .text
            .contains("The provider says: account 4711 closed")
    );
    assert!(!mail_to(&t, &world.bob).raw.contains("4711"));
}

async fn a_german_reader_gets_a_german_mail(t: TestApp) {
    let world = World::new(&t).await;
    change(&t, &world.ann, |user| user.locale = Set("de-DE".to_owned())).await;
    record(&t, approved(&world)).await;
    t.settle().await;
    let message = mail_to(&t, &world.ann).message;
    assert_eq!(
        message.subject,
        "Genehmigt: Ihre Registrierung DR-7K3M9QX2P4, Contoso"
    );
    assert!(
        message
            .text
            .starts_with("Guten Tag PartnerManager,\n\nIhre Registrierung ist genehmigt.\n"),
        "{}",
        message.text
    );
    assert!(
        message.text.contains("Wert: 100.000,00\u{a0}USD\n"),
        "{}",
        message.text
    );
    assert!(message.html.contains("<html lang=\"de-DE\">"));
}
