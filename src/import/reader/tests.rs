use super::*;
use crate::import::mapping::Mapping;

const MAPPING: &str = "[[files]]\nfile = \"a.csv\"\nformat = \"csv\"\nentity = \"partner\"\n\
    columns = { external_id = \"id\", legal_name = \"name\" }\n";

/// Ids by line, rows that cannot be read, what is odd, or why the file is refused.
async fn read(
    more: &str,
    bytes: &[u8],
) -> Result<(Vec<(u64, String)>, Vec<(u64, String)>), String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), bytes).unwrap();
    let mapping = Mapping::parse(&format!("{MAPPING}{more}")).unwrap();
    check(folder.path(), &mapping.sources).map_err(|error| error.to_string())?;
    let source = Arc::new(mapping.sources.into_iter().next().unwrap());
    let mut portions = start(folder.path(), &source);
    let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
    while let Some(portion) = portions.recv().await {
        let portion = portion.map_err(|error| error.to_string())?;
        unreadable.extend(portion.unreadable);
        rows.extend(portion.rows.into_iter().map(|row| {
            let texts: Vec<_> = row
                .cells
                .into_iter()
                .flatten()
                .map(|cell| cell.text)
                .collect();
            (row.line, texts.join("|"))
        }));
    }
    Ok((rows, unreadable))
}

async fn rows(more: &str, bytes: &[u8]) -> Vec<(u64, String)> {
    let (rows, unreadable) = read(more, bytes).await.unwrap();
    assert_eq!(unreadable, []);
    rows
}

fn row(line: u64, text: &str) -> (u64, String) {
    (line, text.to_owned())
}

#[tokio::test]
async fn rows_are_numbered_by_the_line_on_which_they_begin() {
    let two = [row(2, "a|A"), row(3, "b|B")];
    for text in [
        "id,name\na,A\nb,B",
        "id,name\r\na,A\r\nb,B\r\n",
        "id,name\ra,A\rb,B\r",
        "\u{feff}id,name\na,A\n\u{200f}b\u{200f},\u{a0}B\n",
    ] {
        assert_eq!(rows("", text.as_bytes()).await, two, "{text:?}");
    }
    assert_eq!(
        rows("", b"id,name\n\n\na,\"A\n1\"\n\r\n,\n\"b\",\"B\"\r\n").await,
        [row(4, "a|A\n1"), row(8, "b|B")]
    );
    assert_eq!(
        rows("", b"sep=,\r\nname,id\nA,\"a\"\"1\"\r\n").await,
        [row(3, "a\"1|A")]
    );
    assert_eq!(rows("", b"id,name\n").await, []);
}

#[tokio::test]
async fn encodings_are_recognised_or_declared() {
    let text = "id,name\na,Müller €\n";
    let utf16 = |swap: bool, mark: bool| {
        let units = mark
            .then_some(0xFEFF)
            .into_iter()
            .chain(text.encode_utf16());
        let bytes = units.flat_map(|unit| {
            if swap {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        });
        bytes.collect::<Vec<_>>()
    };
    let expected = [row(2, "a|Müller €")];
    for (more, bytes) in [
        ("", text.as_bytes().to_vec()),
        ("", utf16(false, true)),
        ("", utf16(true, true)),
        ("encoding = \"utf-16\"", utf16(true, true)),
        ("encoding = \"utf-16le\"", utf16(false, false)),
        ("encoding = \"utf-16be\"", utf16(true, false)),
        (
            "encoding = \"windows-1252\"",
            b"id,name\na,M\xFCller \x80\n".to_vec(),
        ),
    ] {
        assert_eq!(rows(more, &bytes).await, expected, "{more}");
    }
    for (more, bytes, told) in [
        ("", utf16(false, false), "set `encoding = \"utf-16le\"`"),
        ("", utf16(true, false), "set `encoding = \"utf-16be\"`"),
        (
            "encoding = \"windows-1252\"",
            utf16(false, true),
            "is marked as UTF-16LE",
        ),
        ("", b"PK\x03\x04xlsx".to_vec(), "is an Excel workbook"),
        ("", b"\x1F\x8B\x08".to_vec(), "is compressed by gzip"),
        ("", b"id,n\xE4me\n".to_vec(), "a header that is not text"),
        ("", b"".to_vec(), "is empty"),
        ("", b"id,name\0\n".to_vec(), "NUL byte in its header"),
    ] {
        let error = read(more, &bytes).await.unwrap_err();
        assert!(error.contains(told), "{error}");
    }
    let (good, bad) = read("", b"id,name\na,M\xFCller\nb,B\nc,C\0\n")
        .await
        .unwrap();
    assert_eq!(good, [row(3, "b|B")]);
    assert_eq!(
        bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        [2, 4]
    );
    assert!(bad[0].1.contains("windows-1252"), "{bad:?}");
}

#[tokio::test]
async fn rows_that_do_not_fit_are_named() {
    let text = b"id,name\na,A,more\nb\nc,5\" disk\nid,name\nd,D\n";
    let (good, bad) = read("", text).await.unwrap();
    assert_eq!(good, [row(6, "d|D")]);
    let starts = [
        (2, "has 3 columns where the header has 2"),
        (3, "has 1 columns where the header has 2"),
        (4, "has a quote inside column 2"),
        (5, "repeats the header"),
    ];
    for ((line, told), (expected, start)) in bad.iter().zip(starts) {
        assert!(
            *line == expected && told.starts_with(start),
            "{line} {told}"
        );
    }
    assert_eq!(bad.len(), 4);
}

#[tokio::test]
async fn ten_thousand_columns_are_read() {
    let header: Vec<_> = (0..10_000).map(|n| format!("c{n}")).collect();
    let cells: Vec<_> = (0..10_000).map(|n| n.to_string()).collect();
    let text = format!("{},id,name\n{},a,A\n", header.join(","), cells.join(","));
    assert_eq!(rows("", text.as_bytes()).await, [row(2, "a|A")]);
}

#[tokio::test]
async fn a_gigabyte_without_a_line_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::create(folder.path().join("a.csv")).unwrap();
    file.set_len(1 << 30).unwrap();
    let sources = Mapping::parse(MAPPING).unwrap().sources;
    let error = check(folder.path(), &sources).unwrap_err().to_string();
    assert!(
        error.contains("line 1: The row that begins here is longer than"),
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_delimiter_is_suspected() {
    let error = read("", b"id;name\na;A\n").await.unwrap_err();
    assert!(
        error.contains("there is no column \"id\"; there are id;name. Is the delimiter ';'?"),
        "{error}"
    );
    let error = read("", b"sep=;\nid;name\n").await.unwrap_err();
    assert!(error.contains("another character separates"), "{error}");
}
