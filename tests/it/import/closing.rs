//! When deals close, as other systems say it.

use super::{
    Files, counts, refusals,
    rows::{faults, stored_deal},
};
use crate::{cases, support::TestApp};
use ensemble::entity::deal::SalesStatus;

cases!(
    a_deal_opened_at_nine_may_close_on_that_day,
    one_date_is_expected_while_a_deal_is_open_and_actual_when_it_is_closed,
    a_column_beside_the_stage_may_say_that_a_deal_is_closed,
    one_column_is_not_two_dates,
);

fn mapping(columns: &str) -> String {
    format!(
        "program = \"Partner programme\"\n[conventions]\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n\
         date_formats = [\"%Y-%m-%d\", \"%Y-%m-%d %H:%M\"]\n[[files]]\nfile = \"deals.csv\"\nformat = \"csv\"\nentity = \"deal\"\n\
         columns = {{ external_id = \"id\", {columns} }}\n"
    )
}

async fn a_deal_opened_at_nine_may_close_on_that_day(t: TestApp) {
    let mapping = mapping(
        "stage = \"stage\", value = \"value\", opened_on = \"opened\", closed_on = \"closed\", time_zone = \"zone\"",
    );
    let rows = "id,stage,value,opened,closed,zone\n\
        d1,WON,1,2026-02-10T09:00:00Z,2026-02-10,\n\
        d2,WON,1,2026-02-10T23:30:00Z,2026-02-10,\n\
        d3,WON,1,2026-02-10T23:30:00Z,2026-02-10,America/New_York\n\
        d4,WON,1,2026-02-10 09:00,2026-02-10 08:59,\n\
        d5,WON,1,2026-02-11,2026-02-10,\n\
        d6,WON,1,2026-02-10,2026-02-10,\n";
    let files = Files::new(&mapping, &[("deals.csv", rows)]);
    let report = files.import(&t).await;
    assert_eq!(counts(&report), [[3, 0, 0, 3]]);
    // Half past eleven in the evening in UTC is the next day in Berlin.
    let earlier =
        |line: u64| format!("{line} closed_on: is before the day on which the deal was opened");
    assert_eq!(refusals(&report), [earlier(3), earlier(5), earlier(6)]);
    // A day alone stays one: it begins at midnight in the time zone of the programme, whatever that of the deal.
    for (name, zone, closed) in [
        ("d1", "Europe/Berlin", "2026-02-09 23:00:00 UTC"),
        ("d3", "America/New_York", "2026-02-09 23:00:00 UTC"),
        ("d6", "Europe/Berlin", "2026-02-09 23:00:00 UTC"),
    ] {
        let deal = stored_deal(&t, name).await;
        assert_eq!(
            (
                deal.time_zone.as_str(),
                deal.closed_at.unwrap().to_string().as_str()
            ),
            (zone, closed)
        );
    }
    assert_eq!(
        stored_deal(&t, "d1").await.opened_at.to_string(),
        "2026-02-10 09:00:00 UTC"
    );
    assert_eq!(counts(&files.import(&t).await), [[0, 0, 3, 3]]);
}

async fn one_date_is_expected_while_a_deal_is_open_and_actual_when_it_is_closed(t: TestApp) {
    let mapping = mapping("stage = \"stage\", value = \"value\", close_date = \"close\"");
    let rows = "id,stage,value,close\nd1,WON,1,2026-02-10\nd2,PROPOSAL,1,2026-12-10\nd3,PROPOSAL,1,2026-01-10\nd4,WON,1,2026-12-10\nd5,LOST,1,\n";
    let files = Files::new(&mapping, &[("deals.csv", rows)]);
    let report = files.import(&t).await;
    assert_eq!(
        refusals(&report),
        [
            "5 close_date: is in the future, but the deal is closed",
            "6 close_date: is needed in the stage LOST",
        ]
    );
    let won = stored_deal(&t, "d1").await;
    assert_eq!(
        won.closed_at.unwrap().to_string(),
        "2026-02-09 23:00:00 UTC"
    );
    assert_eq!(
        (won.expected_close_on, won.opened_at),
        (None, won.closed_at.unwrap())
    );
    // An open deal that is late was not opened on that day.
    for (name, expected) in [("d2", "2026-12-10"), ("d3", "2026-01-10")] {
        let deal = stored_deal(&t, name).await;
        assert_eq!((deal.status, deal.closed_at), (SalesStatus::Open, None));
        assert_eq!(deal.expected_close_on.unwrap().to_string(), expected);
        assert_eq!(deal.opened_at.to_string(), "2026-03-01 09:00:00 UTC");
    }
    // It is won: the date is the actual one, and what was expected stays.
    files.write("deals.csv", "id,stage,value,close\nd2,WON,1,2026-02-28\n");
    assert_eq!(counts(&files.import(&t).await), [[0, 1, 0, 0]]);
    let won = stored_deal(&t, "d2").await;
    assert_eq!(
        won.closed_at.unwrap().to_string(),
        "2026-02-27 23:00:00 UTC"
    );
    assert_eq!(won.expected_close_on.unwrap().to_string(), "2026-12-10");
    assert_eq!(counts(&files.import(&t).await), [[0, 0, 1, 0]]);
}

async fn a_column_beside_the_stage_may_say_that_a_deal_is_closed(t: TestApp) {
    let mapping = mapping(
        "stage = \"stage\", outcome = \"status\", value = \"actual\", expected_value = \"estimate\", closed_on = \"closed\"",
    );
    let rows = "id,stage,status,actual,estimate,closed\n\
        d1,NEGOTIATION,Won,90,100,2026-02-10\n\
        d2,PROPOSAL,Open,0,100,\n\
        d3,QUALIFIED,Lost,0,50,2026-02-10\n\
        d4,WON,Lost,1,1,2026-02-10\n\
        d5,WON,Open,1,1,\n\
        d6,PROPOSAL,Won,,100,2026-02-10\n\
        d7,NOWHERE,Won,1,1,2026-02-10\n";
    let files = Files::new(&mapping, &[("deals.csv", rows)]);
    let report = files.import(&t).await;
    assert_eq!(
        refusals(&report),
        [
            "5 outcome: contradicts the stage WON",
            "6 outcome: is OPEN, but the stage WON is a closed one",
            "7 value: a won deal needs its value",
            "8 stage: the programme has no stage \"NOWHERE\"",
        ]
    );
    for (name, stage, value) in [
        ("d1", "WON", 9_000),
        ("d2", "PROPOSAL", 10_000),
        ("d3", "LOST", 5_000),
    ] {
        let deal = stored_deal(&t, name).await;
        assert_eq!(
            (deal.stage.as_str(), deal.value_minor),
            (stage, value),
            "{name}"
        );
    }
    assert_eq!(counts(&files.import(&t).await), [[0, 0, 3, 4]]);
    // It was closed from the stage in which the other system has it.
    let moves = super::contents(&t).await;
    assert!(moves.contains("from_stage: Some(\"NEGOTIATION\"), to_stage: \"WON\""));
}

async fn one_column_is_not_two_dates(t: TestApp) {
    let both = mapping("stage = \"stage\", closed_on = \"close\", expected_close_on = \"close\"");
    let files = Files::new(&both, &[("deals.csv", "id,stage,close\n")]);
    assert_eq!(
        faults(files.try_import(&t, false, None).await.unwrap_err()),
        [
            "files.0.columns.expected_close_on: reads the column \"close\", as `closed_on` does; map it once, to `close_date`: the expected date while the deal is open, the actual one when it is closed"
        ]
    );
    for (columns, told) in [
        (
            "stage = \"stage\", value = \"n\", quantity = \"n\"",
            "files.0.columns.value: reads the column \"n\", as `quantity` does; map it once",
        ),
        (
            "stage = \"stage\", close_date = \"a\", closed_on = \"b\"",
            "files.0.columns.close_date: covers `closed_on` and `expected_close_on`; map either this or those two",
        ),
    ] {
        let files = Files::new(&mapping(columns), &[("deals.csv", "id,stage,n,a,b\n")]);
        assert_eq!(
            faults(files.try_import(&t, false, None).await.unwrap_err()),
            [told]
        );
    }
    // Names may come from one column.
    let names = mapping("stage = \"stage\", name = \"id\", partner = \"p\", competitor = \"p\"");
    let files = Files::new(&names, &[("deals.csv", "id,stage,p\nd1,PROPOSAL,\n")]);
    assert_eq!(counts(&files.import(&t).await), [[1, 0, 0, 0]]);
}
