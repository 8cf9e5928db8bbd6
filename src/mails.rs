//! The mails of all domains, and the jobs that write and send them.

use std::sync::LazyLock;

use crate::{
    app::App,
    attribution::mails::AttributionMails,
    deals::mails::DealMails,
    entity::job::JobLane,
    events::Event,
    identity::mails::IdentityMails,
    incentives::mails::IncentiveMails,
    notifications::{
        jobs::{self, Letter},
        post::Post,
    },
    partners::mails::PartnerMails,
    payouts::mails::PayoutMails,
    platform::jobs::{BackgroundJob, Failure, Happened, Job, Priority, Settled},
};

/// All mails with their texts, compiled once.
pub static POST: LazyLock<Post> = LazyLock::new(|| {
    Post::new(&[
        &IdentityMails,
        &PartnerMails,
        &DealMails,
        &AttributionMails,
        &IncentiveMails,
        &PayoutMails,
    ])
});

impl BackgroundJob for Happened {
    const TOPIC: &'static str = "event";
    const LANE: JobLane = JobLane::Bulk;

    fn priority(&self) -> Priority {
        priority(&self.event)
    }

    async fn run(self, app: &App, job: &Job) -> Result<Settled, Failure> {
        jobs::expand(app, &POST, job, self.event).await
    }
}

impl BackgroundJob for Letter {
    const TOPIC: &'static str = "mail";
    const LANE: JobLane = JobLane::Mail;

    fn priority(&self) -> Priority {
        priority(&self.facts)
    }

    fn key(&self) -> Option<String> {
        self.told_by
            .map(|told_by| format!("mail:{told_by}:{}", self.user_id))
    }

    async fn run(self, app: &App, job: &Job) -> Result<Settled, Failure> {
        jobs::send(app, &POST, job, &self).await
    }
}

/// Links that a person is waiting for are sent first, monthly statements last.
const fn priority(event: &Event) -> Priority {
    match event {
        Event::UserInvited { .. } | Event::PasswordResetRequested { .. } => Priority::High,
        Event::StatementPublished { .. } => Priority::Low,
        _ => Priority::Normal,
    }
}

#[cfg(test)]
mod tests {
    use minijinja::value::Value;

    use super::*;
    use crate::platform::templates::facts;

    /// Every fact that any mail may know.
    fn known(note: &str) -> Value {
        let money = serde_json::json!({"amount": "1234.50", "currency": "EUR"});
        facts(&serde_json::json!({
            "reader": {"name": "Ann Lee"},
            "url": "https://prm.example/x",
            "expires": "2026-03-04 09:00 UTC",
            "partner": {"name": "Acme <b>Bold</b>"},
            "status": "ON_WATCH",
            "registration": {
                "number": "DR-1", "customer": "Contoso & Co", "value": money, "note": note,
                "reason": "OUT_OF_TERRITORY", "protectedUntil": "2026-05-30", "timeZone": "Europe/Berlin",
                "reviewDue": "2026-03-03 09:00 UTC",
            },
            "daysLeft": 3,
            "deal": {"number": "D-1", "name": "Contoso 2026", "customer": "Contoso & Co"},
            "participant": {"role": "IMPLEMENTER", "scope": note, "expires": "2026-03-16 09:00 UTC"},
            "touchpoint": {"kind": "POC", "occurred": "2026-02-01"},
            "commission": {"total": [money], "held": [money], "heldUntil": "2026-06-01"},
            "refund": {"amount": money},
            "run": {"number": "PR-1", "periodStart": "2026-03-01", "periodEnd": "2026-03-31", "creator": "Finn",
                "totals": [money], "payouts": 2},
            "account": {"lastFour": "4931", "changed": "2026-03-01 09:00 (UTC)"},
            "statement": {"periodStart": "2026-03-01", "periodEnd": "2026-03-31", "opening": money, "earned": money,
                "adjustments": {"amount": "-357.14", "currency": "EUR"}, "paid": money, "closing": money},
            "payout": {"number": "P-1", "amount": money, "failure": note},
        }))
    }

    #[test]
    fn every_mail_is_written_in_every_language_it_exists_in() {
        for mail in POST.mails() {
            for locale in ["en", "de-CH"] {
                for note in ["", "Line one\n\nLine <two>"] {
                    let written = POST.write(mail, locale, &known(note)).unwrap();
                    let name = mail.name;
                    assert!(!written.subject.is_empty(), "{name}");
                    assert!(written.text.contains("https://prm.example/x"), "{name}");
                    assert!(
                        written
                            .html
                            .contains("https:&#x2f;&#x2f;prm.example&#x2f;x"),
                        "{name}\n{}",
                        written.html
                    );
                    assert!(
                        !written.html.contains("<b>") && !written.html.contains("<two>"),
                        "{name}"
                    );
                    assert!(!written.text.contains("\n\n\n"), "{name}\n{}", written.text);
                }
            }
        }
    }

    #[test]
    fn one_text_makes_a_plain_and_an_html_mail() {
        let written = POST
            .write(
                POST.mail("registration_to_review").unwrap(),
                "en",
                &known(""),
            )
            .unwrap();
        assert_eq!(
            written.subject,
            "To review: DR-1 by Acme <b>Bold</b>, Contoso & Co"
        );
        let (text, html) = (
            written.text.replace('\u{a0}', "~").replace("-- ", "--~"),
            written.html.replace('\u{a0}', "~"),
        );
        insta::assert_snapshot!(text, @r"
        Hello Ann Lee,

        Acme <b>Bold</b> registered a deal, which waits for your review.

        Number: DR-1
        Customer: Contoso & Co
        Value: EUR~1,234.50

        The decision is promised by 2026-03-03 09:00 UTC.

        Review the registration:
        https://prm.example/x

        --~
        You get this mail because it concerns your work in our partner programme.
        ");
        insta::assert_snapshot!(html, @r#"
        <!doctype html>
        <html lang="en">
        <body style="font-family: sans-serif; line-height: 1.5; color: #222; max-width: 36em">
        <p>Hello Ann Lee,</p>
        <p>Acme &lt;b&gt;Bold&lt;&#x2f;b&gt; registered a deal, which waits for your review.</p>
        <p>Number: DR-1<br>
        Customer: Contoso &amp; Co<br>
        Value: EUR~1,234.50</p>
        <p>The decision is promised by 2026-03-03 09:00 UTC.</p>

        <p><a href="https:&#x2f;&#x2f;prm.example&#x2f;x">Review the registration</a></p>
        <p style="color: #666; font-size: small">You get this mail because it concerns your work in our partner programme.</p>
        </body>
        </html>
        "#);
    }

    #[test]
    fn every_mail_has_one_name_and_an_event() {
        let names: std::collections::BTreeSet<_> = POST.mails().map(|mail| mail.name).collect();
        assert_eq!(names.len(), POST.mails().count());
        for mail in POST.mails() {
            assert!(Event::NAMES.contains(&mail.on), "{}", mail.on);
        }
    }

    /// Every other event goes without mail.
    #[test]
    fn who_gets_which_mail() {
        let rows = POST.mails().map(|mail| {
            let to: Vec<_> = mail.to.iter().map(|to| format!("{to:?}")).collect();
            format!("{:<41}{:<29}{}", mail.on, mail.name, to.join(", "))
        });
        let rows: Vec<_> = rows.collect();
        insta::assert_snapshot!(rows.join("\n"), @r"
        user.invited                             invitation                   Invited
        user.password_reset_requested            password_reset               Person
        user.password_changed                    password_changed             Person
        partner.status_changed                   partner_status_changed       Deciders
        payment_details.changed                  payment_details_changed      PartnerAdministrators
        deal_registration.submitted              registration_received        Deciders, Person
        deal_registration.submitted              registration_to_review       AllianceManagers
        deal_registration.info_requested         registration_info_requested  Deciders, Person
        deal_registration.answered               registration_answered        AllianceManagers
        deal_registration.approved               registration_approved        Deciders, Person
        deal_registration.rejected               registration_rejected        Deciders, Person
        deal_registration.extended               registration_extended        Deciders, Person
        deal_registration.protection_reminder    protection_reminder          Deciders, Person
        deal_registration.expired                registration_expired         Deciders, Person
        deal_participant.invited                 participant_invited          Deciders
        deal_participant.accepted                participant_accepted         AllianceManagers
        deal_participant.declined                participant_declined         AllianceManagers
        deal_participant.expired                 participant_expired          AllianceManagers
        deal_participant.removed                 participant_removed          Deciders
        touchpoint.recorded                      touchpoint_to_verify         AllianceManagers
        touchpoint.verified                      touchpoint_verified          Deciders
        touchpoint.rejected                      touchpoint_rejected          Deciders
        deal.won                                 deal_won                     Deciders
        commission.accrued                       commission_earned            Deciders
        commission.clawed_back                   commission_clawed_back       Deciders
        statement.published                      statement_published          Deciders
        payout_run.calculated                    payout_run_to_approve        Approvers
        payout.paid                              payout_paid                  Deciders
        payout.failed                            payout_failed                Deciders
        payout.failed                            payout_to_mend               Finance
        ");
    }
}
