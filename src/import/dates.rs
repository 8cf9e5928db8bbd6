//! Dates and times as files write them.
//!
//! A text means one instant or one day, or the row is refused: an offset in the text is honoured, two digits of a year
//! need the mapping to say which century they are of, and two formats that both fit must agree.

use chrono::{
    DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, SubsecRound, TimeDelta, TimeZone, Utc,
    format::{Fixed, Item, Numeric, Parsed, StrftimeItems, parse},
};
use chrono_tz::Tz;

use super::mapping::Conventions;

/// How far ahead a date may lie.
const YEARS_AHEAD: u32 = 50;

/// What is understood whatever the mapping says: ISO 8601 with an offset. RFC 3339 is one form of it.
const ALWAYS: &str = "%Y-%m-%dT%H:%M:%S%.f%z";

/// What a text says about a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// The instant, in microseconds; of a day alone, its beginning in the time zone of the file.
    pub at: DateTime<Utc>,
    /// The day, where the text is a day without a time.
    pub day: Option<NaiveDate>,
}

/// Checks a format of the mapping.
///
/// # Errors
/// What is wrong with it.
pub fn check_format(format: &str, two_digit_years_from: Option<i32>) -> Result<(), String> {
    let items: Vec<_> = StrftimeItems::new(format).collect();
    let has = |wanted: fn(&Item<'_>) -> bool| items.iter().any(wanted);
    if has(|item| matches!(item, Item::Error)) {
        return Err("is not a date format".to_owned());
    }
    if has(|item| matches!(item, Item::Fixed(Fixed::TimezoneName))) {
        return Err(
            "has %Z: the name of a zone in a text is ambiguous; use %z for offsets, or `time_zone`"
                .to_owned(),
        );
    }
    let short = |item: &Item<'_>| matches!(item, Item::Numeric(Numeric::YearMod100, _));
    if let Some(zone) = items
        .iter()
        .find_map(|item| literal(item).filter(|text| is_zone(text)))
    {
        return Err(format!(
            "has the zone {zone:?} as literal text, which would be ignored; use %z for offsets, or `time_zone`"
        ));
    }
    if has(short) && two_digit_years_from.is_none() {
        return Err(
            "has a year of two digits; set `two_digit_years_from`, such as 1970 for 1970 to 2069"
                .to_owned(),
        );
    }
    Ok(())
}

/// What a format has in so many letters, without the white space around it.
fn literal<'a>(item: &'a Item<'_>) -> Option<&'a str> {
    match item {
        Item::Literal(text) => Some(text.trim()),
        Item::OwnedLiteral(text) => Some(text.trim()),
        _ => None,
    }
}

/// Whether letters of a format mean UTC.
fn is_utc(text: &str) -> bool {
    matches!(text, "Z" | "UTC" | "GMT" | "+00:00" | "+0000" | "+00")
}

/// Whether letters of a format are another zone, which reading would pass over: an abbreviation or an offset.
fn is_zone(text: &str) -> bool {
    let name = text.len() >= 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let offset = text.starts_with(['+', '-']) && text.bytes().any(|byte| byte.is_ascii_digit());
    (name || offset) && !is_utc(text)
}

/// Reads a text.
///
/// # Errors
/// Why it is not read, in words.
pub fn read(text: &str, conventions: &Conventions, now: DateTime<Utc>) -> Result<When, String> {
    let always = std::iter::once(ALWAYS);
    let formats = always.chain(conventions.date_formats.iter().map(String::as_str));
    let rfc3339 = DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|at| ("RFC 3339", Ok(instant(at.to_utc()))));
    let read = formats.filter_map(|format| Some((format, in_format(text, format, conventions)?)));
    let mut found: Option<(&str, When)> = None;
    for (format, when) in rfc3339.into_iter().chain(read) {
        let when = when?;
        match found {
            Some((_, other)) if other == when => {}
            Some((other_format, other)) => {
                return Err(format!(
                    "{text:?} is ambiguous: {} by `{other_format}`, {} by `{format}`",
                    shown(other),
                    shown(when)
                ));
            }
            None => found = Some((format, when)),
        }
    }
    let (_, when) = found.ok_or_else(|| unknown(text, conventions))?;
    bounded(text, when, now)
}

fn instant(at: DateTime<Utc>) -> When {
    When {
        at: at.trunc_subsecs(6),
        day: None,
    }
}

fn shown(when: When) -> String {
    match when.day {
        Some(day) => day.to_string(),
        None => when.at.to_rfc3339(),
    }
}

/// What a text means in a format; nothing where it does not fit.
fn in_format(text: &str, format: &str, conventions: &Conventions) -> Option<Result<When, String>> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, StrftimeItems::new(format)).ok()?;
    if let (None, None, Some(short), Some(from)) = (
        parsed.year(),
        parsed.year_div_100(),
        parsed.year_mod_100(),
        conventions.two_digit_years_from,
    ) {
        let year = from + (short - from).rem_euclid(100);
        parsed.set_year(i64::from(year)).ok()?;
    }
    if parsed.timestamp().is_some() {
        let at = parsed.to_naive_datetime_with_offset(0).ok()?;
        return Some(Ok(instant(at.and_utc())));
    }
    let day = parsed.to_naive_date().ok()?;
    let time = parsed.to_naive_time().ok();
    if time.is_none() && (parsed.hour_div_12().is_some() || parsed.hour_mod_12().is_some()) {
        return None;
    }
    let local = day.and_time(time.unwrap_or(NaiveTime::MIN));
    let utc = || {
        let mut literals = StrftimeItems::new(format);
        literals
            .any(|item| literal(&item).is_some_and(is_utc))
            .then_some(0)
    };
    if let Some(seconds) = parsed.offset().or_else(utc) {
        let at = local.checked_sub_signed(TimeDelta::seconds(i64::from(seconds)))?;
        return Some(Ok(instant(at.and_utc())));
    }
    let zone = conventions.time_zone;
    Some(match time {
        None => {
            begin(day, zone).ok_or_else(|| format!("{text:?} is a day that {zone} does not have"))
        }
        // Of the two instants when clocks go back, the first.
        Some(_) => zone
            .from_local_datetime(&local)
            .earliest()
            .map(|at| instant(at.to_utc()))
            .ok_or_else(|| {
                format!("{text:?} is a time that {zone} skips, as its clocks go forward")
            }),
    })
}

/// A day of a time zone, which begins at midnight, or later where clocks go forward at midnight; nothing where the zone left
/// the day out.
pub fn begin(day: NaiveDate, zone: Tz) -> Option<When> {
    let midnight = day.and_time(NaiveTime::MIN);
    let quarters = (0..96).map(|quarter| midnight + TimeDelta::minutes(15 * quarter));
    let mut begins = quarters.filter_map(|local| zone.from_local_datetime(&local).earliest());
    let at = begins.next()?.to_utc();
    Some(When { at, day: Some(day) })
}

fn bounded(text: &str, when: When, now: DateTime<Utc>) -> Result<When, String> {
    let day = when.day.unwrap_or(when.at.date_naive());
    let last = now
        .date_naive()
        .checked_add_months(Months::new(12 * YEARS_AHEAD));
    let within = day.year() >= 1970 && last.is_some_and(|last| day <= last);
    if within {
        return Ok(when);
    }
    let bound = last.map_or(0, |last| last.year());
    let hint = if (0..100).contains(&day.year()) {
        format!(
            " It is read as the year {}; two digits need `%y` and `two_digit_years_from`.",
            day.year()
        )
    } else {
        String::new()
    };
    Err(format!(
        "{text:?} is outside the years 1970 to {bound}.{hint}"
    ))
}

fn unknown(text: &str, conventions: &Conventions) -> String {
    let formats: Vec<_> = conventions
        .date_formats
        .iter()
        .map(|format| format!("`{format}`"))
        .collect();
    let mut told = format!("{text:?} does not match {}.", formats.join(" or "));
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<f64>().ok().filter(|_| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    });
    if number.is_some_and(|number| (20_000.0..80_000.0).contains(&number)) {
        // Excel counts from the last day but one of 1899, because it takes 1900 for a leap year.
        let whole = text.split('.').next().and_then(|days| days.parse().ok());
        let day = whole
            .zip(NaiveDate::from_ymd_opt(1899, 12, 30))
            .and_then(|(days, from)| from.checked_add_days(Days::new(days)));
        let means = day
            .map(|day| format!(" It would be {day}."))
            .unwrap_or_default();
        told.push_str(&format!(
            " Is it an Excel serial date?{means} Format the column as a date and export it again."
        ));
    } else if digits && (9..=10).contains(&text.len()) {
        told.push_str(" Is it a Unix timestamp? Add the format `%s`.");
    } else if digits && text.len() == 13 {
        told.push_str(
            " Is it a Unix timestamp in milliseconds? Export it as a date or in seconds.",
        );
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conventions(zone: &str, formats: &[&str], from: Option<i32>) -> Conventions {
        Conventions {
            currency: None,
            time_zone: zone.parse().unwrap(),
            date_formats: formats.iter().map(|format| (*format).to_owned()).collect(),
            decimal: '.',
            thousands: None,
            symbols: Default::default(),
            two_digit_years_from: from,
        }
    }

    fn now() -> DateTime<Utc> {
        "2026-03-01T09:00:00Z".parse().unwrap()
    }

    fn at(text: &str, zone: &str, formats: &[&str]) -> String {
        match read(text, &conventions(zone, formats, Some(1970)), now()) {
            Ok(When { day: Some(day), at }) => format!("{day} {}", at.format("%d %H:%M")),
            Ok(When { at, .. }) => at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
            Err(told) => told,
        }
    }

    #[test]
    fn an_offset_in_the_text_is_honoured() {
        for (text, format) in [
            ("2026-04-01T01:30:00+02:00", "%Y-%m-%d"),
            ("2026-04-01T01:30:00.000+0200", "%Y-%m-%d"),
            ("2026-03-31T23:30:00Z", "%Y-%m-%d"),
            ("2026-03-31T23:30:00.000Z", "%Y-%m-%d"),
            ("01.04.2026 01:30 +0200", "%d.%m.%Y %H:%M %z"),
            ("01.04.2026 01:30+02:00", "%d.%m.%Y %H:%M%:z"),
            ("1774999800", "%s"),
            ("2026-03-31 23:30:00 UTC", "%Y-%m-%d %H:%M:%S UTC"),
            ("31.03.2026 23:30Z", "%d.%m.%Y %H:%MZ"),
            ("2026-03-31T23:30:00Z", "%Y-%m-%dT%H:%M:%SZ"),
        ] {
            assert_eq!(
                at(text, "Asia/Tokyo", &[format]),
                "2026-03-31T23:30:00Z",
                "{text}"
            );
        }
    }

    #[test]
    fn wall_times_and_days_are_of_the_file_s_zone() {
        assert_eq!(
            at("01.05.2026", "Europe/Berlin", &["%d.%m.%Y"]),
            "2026-05-01 30 22:00"
        );
        assert_eq!(
            at(
                "2026-05-01 09:15",
                "Europe/Berlin",
                &["%Y-%m-%d", "%Y-%m-%d %H:%M"]
            ),
            "2026-05-01T07:15:00Z"
        );
        // Clocks went back: the first of two. Clocks went forward: there is no such time.
        assert_eq!(
            at("2025-10-26 02:30", "Europe/Berlin", &["%Y-%m-%d %H:%M"]),
            "2025-10-26T00:30:00Z"
        );
        assert!(at("2026-03-29 02:30", "Europe/Berlin", &["%Y-%m-%d %H:%M"]).contains("skips"));
        // A day that begins at one o'clock, and one that was left out.
        assert_eq!(
            at("2026-04-24", "Africa/Cairo", &["%Y-%m-%d"]),
            "2026-04-24 23 22:00"
        );
        assert!(at("2011-12-30", "Pacific/Apia", &["%Y-%m-%d"]).contains("does not have"));
    }

    #[test]
    fn two_digits_of_a_year_need_their_century() {
        for (from, text, year) in [
            (1970, "01.03.26", 2026),
            (1970, "01.03.69", 2069),
            (1970, "01.03.70", 1970),
            (2000, "01.03.70", 2070),
            (1950, "01.03.99", 1999),
        ] {
            let read = read(text, &conventions("UTC", &["%d.%m.%y"], Some(from)), now());
            assert_eq!(read.unwrap().day.unwrap().year(), year, "{from} {text}");
        }
        let told = at("01.03.26", "UTC", &["%d.%m.%Y"]);
        assert!(
            told.contains("outside the years 1970 to 2076") && told.contains("year 26"),
            "{told}"
        );
        for format in ["%d.%m.%y", "%D", "%x"] {
            assert!(
                check_format(format, None)
                    .unwrap_err()
                    .contains("two_digit_years_from")
            );
            assert_eq!(check_format(format, Some(1970)), Ok(()));
        }
        assert!(
            check_format("%Y-%m-%d %H:%M %Z", None)
                .unwrap_err()
                .contains("%Z")
        );
        for format in [
            "%Y-%m-%d %H:%M CET",
            "%Y-%m-%dT%H:%M:%S+02:00",
            "%Y-%m-%d %H:%M -0500",
        ] {
            assert!(
                check_format(format, None)
                    .unwrap_err()
                    .contains("would be ignored")
            );
        }
        for format in [
            "%Y-%m-%dT%H:%M:%SZ",
            "%d.%m.%Y um %H:%M Uhr",
            "%Y-%m-%d %H:%M UTC",
        ] {
            assert_eq!(check_format(format, None), Ok(()));
        }
        assert!(check_format("%!", None).is_err());
    }

    #[test]
    fn dates_lie_within_bounds() {
        for text in [
            "1969-12-31",
            "1066-10-14",
            "2076-03-02",
            "9999-12-31",
            "1970-01-01T00:30:00+01:00",
        ] {
            assert!(
                at(text, "UTC", &["%Y-%m-%d"]).contains("outside the years"),
                "{text}"
            );
        }
        assert_eq!(
            at("1970-01-01", "Asia/Tokyo", &["%Y-%m-%d"]),
            "1970-01-01 31 15:00"
        );
        assert_eq!(
            at("2076-03-01", "UTC", &["%Y-%m-%d"]),
            "2076-03-01 01 00:00"
        );
    }

    #[test]
    fn two_formats_must_agree() {
        let formats = ["%d/%m/%Y", "%m/%d/%Y"];
        assert_eq!(at("13/02/2026", "UTC", &formats), "2026-02-13 13 00:00");
        assert_eq!(at("05/05/2026", "UTC", &formats), "2026-05-05 05 00:00");
        let told = at("04/05/2026", "UTC", &formats);
        assert!(
            told.contains("ambiguous: 2026-05-04 by `%d/%m/%Y`, 2026-04-05 by"),
            "{told}"
        );
    }

    #[test]
    fn what_spreadsheets_make_of_dates_is_recognised() {
        for (text, hint) in [
            (
                "46082",
                "Is it an Excel serial date? It would be 2026-03-01.",
            ),
            (
                "46082.5",
                "Is it an Excel serial date? It would be 2026-03-01.",
            ),
            ("1772323200", "Is it a Unix timestamp? Add the format `%s`."),
            ("1772323200000", "in milliseconds"),
            ("tomorrow", "\"tomorrow\" does not match `%d.%m.%Y`."),
        ] {
            let told = at(text, "UTC", &["%d.%m.%Y"]);
            assert!(told.contains(hint), "{told}");
        }
    }

    #[test]
    fn instants_are_cut_to_microseconds() {
        assert_eq!(
            at("2026-02-10T09:00:00.7654329Z", "UTC", &["%Y-%m-%d"]),
            "2026-02-10T09:00:00.765432Z"
        );
    }
}
