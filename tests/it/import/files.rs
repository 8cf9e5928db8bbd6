//! Files as a whole: what cannot be read with certainty is refused before anything is written.

use ensemble::entity::partner;
use sea_orm::{EntityTrait, PaginatorTrait};

use super::{
    Files, contents, counts, refusals,
    rows::{faults, stored_deal},
};
use crate::{cases, support::TestApp};

cases!(
    a_quote_that_is_not_closed_stops_the_import_before_anything_is_written,
    files_come_in_whatever_their_encoding_and_line_ends,
    refusals_are_listed_in_the_order_of_lines_and_all_counted,
);

pub const DEALS: &str = r#"
program = "Partner programme"
[conventions]
currency = "USD"
[[files]]
file = "deals.csv"
format = "csv"
entity = "deal"
columns = { external_id = "id", stage = "stage", value = "value", closed_on = "closed", loss_detail = "text" }
"#;

async fn a_quote_that_is_not_closed_stops_the_import_before_anything_is_written(t: TestApp) {
    let empty = contents(&t).await;
    let head = "id,stage,value,closed,text\nd0,WON,5,2026-02-01,\"fine,\r\nreally\"\n";
    for (text, told) in [
        (
            "d1,LOST,10,2026-02-01,\"went to a rival\nd2,WON,20,2026-02-01,\n",
            "deals.csv: line 4: The quote that opens here, in column 5, is never closed. Nothing after it can be read with certainty.",
        ),
        (
            "d1,LOST,10,2026-02-01,\"went to a rival\nd2,WON,20,2026-02-01,\"good\"\n",
            "deals.csv: line 5: Text follows the closing quote in column 5; the quote opened on line 4. Write a quote inside a quoted cell twice. Nothing after it can be read with certainty.",
        ),
    ] {
        let files = Files::new(DEALS, &[("deals.csv", &format!("{head}{text}"))]);
        for dry_run in [true, false] {
            let error = files.try_import(&t, dry_run, None).await.unwrap_err();
            assert_eq!(faults(error), [told]);
        }
        assert_eq!(contents(&t).await, empty);
    }
    // A quote inside a cell without quotes costs its own row only.
    let text =
        format!("{head}d1,WON,12,2026-02-01,5\" disk\nd2,WON,20,2026-02-01,\"5\"\" disk\"\n");
    let files = Files::new(DEALS, &[("deals.csv", &text)]);
    let report = files.import(&t).await;
    assert_eq!(counts(&report), [[2, 0, 0, 1]]);
    assert_eq!(
        refusals(&report),
        [
            "4 : has a quote inside column 5 that does not begin it; quote the whole cell and write the quote twice"
        ]
    );
    assert_eq!(
        stored_deal(&t, "d0").await.loss_detail.as_deref(),
        Some("fine,\nreally")
    );
    assert_eq!(
        stored_deal(&t, "d2").await.loss_detail.as_deref(),
        Some("5\" disk")
    );
}

async fn files_come_in_whatever_their_encoding_and_line_ends(t: TestApp) {
    let mapping = r#"
program = "Partner programme"
[[files]]
file = "partners.csv"
format = "csv"
entity = "partner"
columns = { external_id = "id", legal_name = "name" }
"#;
    let text = |id: &str, end: &str| format!("id,name{end}{id},Söhne & Co €{end}");
    let utf16: Vec<u8> = std::iter::once(0xFEFF)
        .chain(text("p2", "\r\n").encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let latin = [&b"id,name\np3,S\xF6hne & Co \x80\n"[..]].concat();
    for (mapping, bytes) in [
        (mapping.to_owned(), text("p1", "\r").into_bytes()),
        (mapping.to_owned(), utf16),
        (format!("{mapping}encoding = \"windows-1252\"\n"), latin),
    ] {
        let files = Files::new(&mapping, &[]);
        files.write("partners.csv", bytes);
        assert_eq!(counts(&files.import(&t).await), [[1, 0, 0, 0]]);
    }
    let partners = partner::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(partners.len(), 3);
    assert!(partners.iter().all(|row| row.legal_name == "Söhne & Co €"));
}

async fn refusals_are_listed_in_the_order_of_lines_and_all_counted(t: TestApp) {
    let mapping = r#"
program = "Partner programme"
[[files]]
file = "partners.csv"
format = "csv"
entity = "partner"
columns = { external_id = "id", legal_name = "name", country = "country", parent = "parent" }
"#;
    // Line 2 waits to the end of the file for a parent that never comes; of the others every twentieth is good.
    let mut text = "id,name,country,parent\np2,Partner 2,DE,nobody\n".to_owned();
    for n in 3..=1_160 {
        let (country, parent) = match n % 20 {
            0 => ("UK", ""),
            7 => ("DE", "p2"),
            _ => ("DE", ""),
        };
        let row = if n % 20 == 3 { "x" } else { "" };
        text.push_str(&format!("p{n}{row},Partner {n},{country},{parent}\n"));
    }
    let files = Files::new(mapping, &[("partners.csv", &text)]);
    let report = files
        .try_import(&t, false, Some("refused.csv"))
        .await
        .unwrap();
    // 58 from the United Kingdom, 58 below the one that is refused, and that one.
    assert_eq!(counts(&report), [[1_042, 0, 0, 117]]);
    assert_eq!((report.reasons, report.refusals.len()), (117, 100));
    let lines: Vec<_> = report.refusals.iter().map(|refused| refused.row).collect();
    assert_eq!(lines[..4], [2, 7, 20, 27]);
    assert!(lines.is_sorted());
    let shown = report.to_string();
    assert!(
        shown.contains("\n… and 17 more refusals; `--report FILE` writes all of them.\n"),
        "{shown}"
    );
    let written = std::fs::read_to_string(files.path("refused.csv")).unwrap();
    let rows = csv::Reader::from_reader(written.as_bytes())
        .into_records()
        .map(|record| record.unwrap()[1].parse().unwrap())
        .collect::<Vec<u64>>();
    assert_eq!((rows.len(), rows.is_sorted()), (117, true));
    assert_eq!(
        partner::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        1_042
    );
}
