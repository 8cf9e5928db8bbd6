//! The mails that exist, and their texts.
//!
//! A text is written once, in `templates/`: a subject, paragraphs (`body`), and the words of the link (`action`). The
//! layout makes a plain and an HTML mail of it. English exists for every mail and stands in for languages that a mail
//! is not translated to.

use std::sync::LazyLock;

use minijinja::value::Value;
use serde::{Deserialize, Serialize};

use crate::platform::templates::{Rendered, Templates};

/// Declares the mails: variant, name, languages.
macro_rules! mails {
    ($($(#[$doc:meta])* $variant:ident = $name:literal in [$($locale:literal),+];)+) => {
        /// A kind of mail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Mail {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl Mail {
            /// Every kind of mail.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        const SOURCES: &[(&str, &str)] = &[
            ("layout", include_str!("templates/layout.jinja")),
            ("german", include_str!("templates/german.jinja")),
            ("words", include_str!("templates/words.jinja")),
            $($((
                concat!($name, ".", $locale),
                include_str!(concat!("templates/", $name, ".", $locale, ".jinja")),
            ),)+)+
        ];
    };
}

mails! {
    /// Come and choose a password.
    Invitation = "invitation" in ["en", "de"];
    /// Choose a new password.
    PasswordReset = "password_reset" in ["en", "de"];
    /// The password is another one now.
    PasswordChanged = "password_changed" in ["en", "de"];
    /// The partner's standing with the vendor is another one now.
    PartnerStatusChanged = "partner_status_changed" in ["en"];
    /// The registration has arrived; its number.
    RegistrationReceived = "registration_received" in ["en", "de"];
    /// A registration waits for review.
    RegistrationToReview = "registration_to_review" in ["en", "de"];
    /// The reviewer asks something.
    RegistrationInfoRequested = "registration_info_requested" in ["en"];
    /// The partner answered the reviewer.
    RegistrationAnswered = "registration_answered" in ["en"];
    /// The registration is approved and protected.
    RegistrationApproved = "registration_approved" in ["en", "de"];
    /// The registration is turned down, and why.
    RegistrationRejected = "registration_rejected" in ["en", "de"];
    /// The protection lasts longer.
    RegistrationExtended = "registration_extended" in ["en"];
    /// The protection ends in some days.
    ProtectionReminder = "protection_reminder" in ["en", "de"];
    /// The protection has ended.
    RegistrationExpired = "registration_expired" in ["en"];
    /// The partner is asked to take a role on a deal.
    ParticipantInvited = "participant_invited" in ["en", "de"];
    /// A partner took a role.
    ParticipantAccepted = "participant_accepted" in ["en"];
    /// A partner refused a role.
    ParticipantDeclined = "participant_declined" in ["en"];
    /// A partner did not answer in time.
    ParticipantExpired = "participant_expired" in ["en"];
    /// The partner is no longer on a deal.
    ParticipantRemoved = "participant_removed" in ["en"];
    /// A deal is won, without commission for the reader.
    DealWon = "deal_won" in ["en"];
    /// A deal is won, and what the partner earned.
    CommissionEarned = "commission_earned" in ["en", "de"];
    /// What a refund took back.
    CommissionClawedBack = "commission_clawed_back" in ["en"];
    /// A partner recorded work that waits for verification.
    TouchpointToVerify = "touchpoint_to_verify" in ["en"];
    /// Recorded work counts.
    TouchpointVerified = "touchpoint_verified" in ["en"];
    /// Recorded work does not count.
    TouchpointRejected = "touchpoint_rejected" in ["en"];
    /// A payout run waits for a second person.
    PayoutRunToApprove = "payout_run_to_approve" in ["en", "de"];
    /// The partner is paid to another account from now on.
    PaymentDetailsChanged = "payment_details_changed" in ["en", "de"];
    /// Money is on its way.
    PayoutPaid = "payout_paid" in ["en", "de"];
    /// The statement about a period.
    StatementPublished = "statement_published" in ["en", "de"];
    /// Money could not be sent; the partner keeps its claim.
    PayoutFailed = "payout_failed" in ["en"];
    /// The same, for those who mend it.
    PayoutToMend = "payout_to_mend" in ["en"];
}

static TEXTS: LazyLock<Result<Templates, minijinja::Error>> =
    LazyLock::new(|| Templates::new(SOURCES));

/// Writes a mail in the reader's language.
///
/// # Errors
/// A fact that the text needs is missing.
pub fn write(mail: Mail, locale: &str, facts: &Value) -> Result<Rendered, minijinja::Error> {
    match &*TEXTS {
        Ok(texts) => texts.render(mail.name(), locale, facts),
        Err(fault) => Err(minijinja::Error::new(fault.kind(), fault.to_string())),
    }
}

#[cfg(test)]
mod tests {
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
        for mail in Mail::ALL {
            for locale in ["en", "de-CH"] {
                for note in ["", "Line one\n\nLine <two>"] {
                    let written = write(*mail, locale, &known(note)).unwrap();
                    let name = mail.name();
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
        let written = write(Mail::RegistrationToReview, "en", &known("")).unwrap();
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
}
