//! What makes an account one that can be paid to: an IBAN that adds up, or, where there is none, a number and the code of
//! its bank.

use std::fmt;

use iban::{Iban, IbanLike, ParseIbanError};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{entity::payment_details::PaymentAccountKind, platform::fault::Fault};

/// An account as somebody types it. Printing it shows nothing of it.
#[derive(Clone, Debug)]
pub struct Typed {
    /// In whose name it is.
    pub holder: SecretString,
    /// The IBAN; either this or the three below.
    pub iban: Option<SecretString>,
    /// The number.
    pub account_number: Option<SecretString>,
    /// The code of the bank, such as a routing number or sort code.
    pub bank_code: Option<SecretString>,
    /// Where the bank is, by ISO 3166.
    pub country: Option<String>,
    /// The bank's BIC, where it is needed.
    pub bic: Option<SecretString>,
}

/// An account that can be paid to. Printing it shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// How it is written.
    pub kind: PaymentAccountKind,
    /// In whose name it is.
    pub holder: String,
    /// IBAN or number, without spaces.
    pub number: String,
    /// The code of the bank; none for an IBAN.
    pub bank_code: Option<String>,
    /// The bank's BIC, if known.
    pub bic: Option<String>,
    /// Where the bank is.
    pub country: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").finish_non_exhaustive()
    }
}

impl Account {
    /// The end of the number, for people to recognise it: at most its last four characters.
    #[must_use]
    pub fn last_four(&self) -> &str {
        let start = self.number.len().saturating_sub(4);
        self.number.get(start..).unwrap_or_default()
    }

    /// Reads an account; every fault at its field, none of which repeats what was typed.
    ///
    /// # Errors
    /// The faults, at least one.
    pub fn read(typed: &Typed) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let holder = typed.holder.expose_secret().trim().to_owned();
        if !(1..=140).contains(&holder.chars().count()) || holder.contains(char::is_control) {
            let problem = "must have 1 to 140 characters and no control characters";
            faults.push(Fault::at("accountHolder", problem));
        }
        let bic = typed.bic.as_ref().map(compact);
        if bic.as_deref().is_some_and(|bic| !is_bic(bic)) {
            faults.push(Fault::at("bic", "is not a BIC of 8 or 11 characters"));
        }
        let account = match &typed.iban {
            Some(text) => by_iban(typed, &compact(text), &mut faults),
            None => by_number(typed, &mut faults),
        };
        match account {
            Some((kind, number, bank_code, country)) if faults.is_empty() => Ok(Self {
                kind,
                holder,
                number,
                bank_code,
                bic,
                country,
            }),
            _ => Err(faults),
        }
    }
}

type Place = (PaymentAccountKind, String, Option<String>, String);

fn by_iban(typed: &Typed, text: &str, faults: &mut Vec<Fault>) -> Option<Place> {
    let beside = [
        ("accountNumber", typed.account_number.is_some()),
        ("bankCode", typed.bank_code.is_some()),
        ("country", typed.country.is_some()),
    ];
    for (field, _) in beside.into_iter().filter(|(_, given)| *given) {
        faults.push(Fault::at(
            field,
            "is left out beside an IBAN, which holds it",
        ));
    }
    match text.parse::<Iban>() {
        Ok(iban) => Some((
            PaymentAccountKind::Iban,
            iban.electronic_str().to_owned(),
            None,
            iban.country_code().to_owned(),
        )),
        Err(_) => {
            let problem = "is not an IBAN: its country, length or check digits are wrong";
            faults.push(Fault::at("iban", problem));
            None
        }
    }
}

fn by_number(typed: &Typed, faults: &mut Vec<Fault>) -> Option<Place> {
    let (Some(number), Some(bank_code), Some(country)) =
        (&typed.account_number, &typed.bank_code, &typed.country)
    else {
        let problem = "give an IBAN, or accountNumber, bankCode and country";
        faults.push(Fault::at("iban", problem));
        return None;
    };
    let (number, bank_code) = (compact(number), compact(bank_code));
    for (field, text, least, most) in [
        ("accountNumber", &number, 4, 34),
        ("bankCode", &bank_code, 3, 20),
    ] {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain || !(least..=most).contains(&text.len()) {
            let problem = format!("must have {least} to {most} letters and digits");
            faults.push(Fault::at(field, problem));
        }
    }
    if has_ibans(country) {
        faults.push(Fault::at("iban", "is needed for accounts in this country"));
    }
    let kind = PaymentAccountKind::AccountNumber;
    Some((kind, number, Some(bank_code), country.clone()))
}

/// In capitals, without the spaces and hyphens that people write for the eye.
fn compact(text: &SecretString) -> String {
    let text = text.expose_secret().chars();
    text.filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

fn is_bic(text: &str) -> bool {
    let letters = |range| {
        let part: Option<&str> = text.get(range);
        part.is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_alphabetic()))
    };
    matches!(text.len(), 8 | 11)
        && letters(4..6)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a country writes its accounts as IBANs: of an IBAN with right check digits, only its country can be unknown.
fn has_ibans(country: &str) -> bool {
    let known = |check: u8| match format!("{country}{check:02}0000000000").parse::<Iban>() {
        Ok(_) | Err(ParseIbanError::InvalidBban(_)) => Some(true),
        Err(ParseIbanError::UnknownCountry(_)) => Some(false),
        Err(_) => None,
    };
    (2..=98).find_map(known).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iban(text: &str) -> Typed {
        Typed {
            holder: "Acme GmbH".into(),
            iban: Some(text.into()),
            account_number: None,
            bank_code: None,
            country: None,
            bic: None,
        }
    }

    fn number(number: &str, bank: &str, country: &str) -> Typed {
        Typed {
            iban: None,
            account_number: Some(number.into()),
            bank_code: Some(bank.into()),
            country: Some(country.to_owned()),
            ..iban("")
        }
    }

    fn fields(typed: &Typed) -> Vec<String> {
        let faults = Account::read(typed).unwrap_err();
        faults.into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn an_iban_must_add_up() {
        let account = Account::read(&iban("de44 5001 0517 5407 3249 31")).unwrap();
        assert_eq!(
            (
                account.number.as_str(),
                account.country.as_str(),
                account.last_four()
            ),
            ("DE44500105175407324931", "DE", "4931")
        );
        for bad in [
            "DE45500105175407324931",
            "DE4450010517540732493",
            "XX44500105175407324931",
            "",
        ] {
            assert_eq!(fields(&iban(bad)), ["iban"], "{bad}");
        }
    }

    #[test]
    fn where_there_are_no_ibans_a_number_and_a_bank_do() {
        let account = Account::read(&number("0012-3456 789", "021000021", "US")).unwrap();
        assert_eq!(account.kind, PaymentAccountKind::AccountNumber);
        assert_eq!(
            (account.number.as_str(), account.last_four()),
            ("00123456789", "6789")
        );
        assert_eq!(
            fields(&number("12", "0", "US")),
            ["accountNumber", "bankCode"]
        );
        assert_eq!(fields(&number("532013000", "37040044", "DE")), ["iban"]);
        let mut nothing = iban("");
        nothing.iban = None;
        assert_eq!(fields(&nothing), ["iban"]);
        let mut both = number("00123456789", "021000021", "US");
        both.iban = Some("DE44500105175407324931".into());
        both.bic = Some("COBADEFF1".into());
        both.holder = " ".into();
        assert_eq!(
            fields(&both),
            [
                "accountHolder",
                "bic",
                "accountNumber",
                "bankCode",
                "country"
            ]
        );
    }

    #[test]
    fn neither_faults_nor_prints_tell_an_account() {
        let typed = iban("DE45500105175407324931");
        let told = format!("{:?} {:?}", Account::read(&typed), typed);
        assert!(!told.contains("4931") && !told.contains("Acme"), "{told}");
        let sound = Account::read(&iban("DE44500105175407324931"));
        let told = format!("{sound:?}");
        assert!(!told.contains("4931") && !told.contains("Acme"), "{told}");
    }
}
