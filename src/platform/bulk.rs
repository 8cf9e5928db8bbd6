//! Many rows into one table: the one way in which rows are written in bulk.
//!
//! A statement per row costs a round trip and the reading of the statement each time; a VALUES list of thousands of
//! parameters has to be read and planned anew whenever its length changes. So the text of the statement stays the
//! same however many rows there are: PostgreSQL takes one array per column and unrolls it, SQLite takes full batches
//! of one size, which it keeps prepared, and what remains.

use std::fmt::Write as _;

use chrono::SecondsFormat;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityName,
    EntityTrait, IdenStatic, Iterable, Statement, Value, sea_query::ColumnType,
};

/// Rows of one statement on PostgreSQL: some hundred kilobytes of text.
const UNROLLED: usize = 2_000;
/// Bound values of one statement on SQLite: few enough to be read quickly, enough to be worth the call.
const BOUND: usize = 1_000;

/// What becomes of a row that a unique index knows already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The statement fails.
    Refused,
    /// The row is left out.
    LeftOut,
}

/// Writes rows; a field that is not set is NULL. Returns how many were written.
///
/// # Errors
/// The database refused a row; a column has a type that no table of ours has.
pub async fn insert<C, A>(
    db: &C,
    rows: impl IntoIterator<Item = A>,
    known: Known,
) -> Result<u64, DbErr>
where
    C: ConnectionTrait,
    A: ActiveModelTrait,
{
    let mut written = 0;
    for statement in statements(db.get_database_backend(), rows, known)? {
        written += db.execute_raw(statement).await?.rows_affected();
    }
    Ok(written)
}

fn statements<A: ActiveModelTrait>(
    backend: DbBackend,
    rows: impl IntoIterator<Item = A>,
    known: Known,
) -> Result<Vec<Statement>, DbErr> {
    let columns: Vec<_> = <A::Entity as EntityTrait>::Column::iter().collect();
    let names = columns.iter().map(|column| column.as_str().to_owned());
    let types = columns
        .iter()
        .map(|column| column.def().get_column_type().clone());
    let table = Table {
        backend,
        name: A::Entity::default().table_name().to_owned(),
        columns: names.collect(),
        types: types.collect(),
        known,
    };
    let values = |mut row: A| -> Vec<Option<Value>> {
        let value = |column: &_| match row.take(*column) {
            ActiveValue::Set(value) | ActiveValue::Unchanged(value) => Some(value),
            ActiveValue::NotSet => None,
        };
        columns.iter().map(value).collect()
    };
    let size = match backend {
        DbBackend::Postgres => UNROLLED,
        _ => (BOUND / columns.len()).max(1),
    };
    let mut rows = rows.into_iter().map(values).peekable();
    let mut statements = Vec::new();
    while rows.peek().is_some() {
        let batch = rows.by_ref().take(size);
        statements.push(match backend {
            DbBackend::Postgres => table.unrolled(batch)?,
            _ => table.listed(batch),
        });
    }
    Ok(statements)
}

/// The table that is written to.
struct Table {
    backend: DbBackend,
    name: String,
    columns: Vec<String>,
    types: Vec<ColumnType>,
    known: Known,
}

impl Table {
    fn statement(&self, source: &str, values: Vec<Value>) -> Statement {
        let conflict = match self.known {
            Known::Refused => "",
            Known::LeftOut => " ON CONFLICT DO NOTHING",
        };
        let sql = format!(
            "INSERT INTO \"{}\" (\"{}\") {source}{conflict}",
            self.name,
            self.columns.join("\",\"")
        );
        Statement::from_sql_and_values(self.backend, sql, values)
    }

    /// One array per column, as text: the driver's arrays cannot hold NULL.
    fn unrolled(&self, rows: impl Iterator<Item = Vec<Option<Value>>>) -> Result<Statement, DbErr> {
        let mut arrays = vec![String::from("{"); self.columns.len()];
        for row in rows {
            for (array, value) in arrays.iter_mut().zip(row) {
                if array.len() > 1 {
                    array.push(',');
                }
                write_element(array, value)?;
            }
        }
        let mut source = String::from("SELECT * FROM UNNEST(");
        for (position, kind) in self.types.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            let _ = write!(
                source,
                "{comma}${}::text::{}[]",
                position + 1,
                type_name(kind)?
            );
        }
        source.push(')');
        let closed = arrays.into_iter().map(|mut array| {
            array.push('}');
            Value::from(array)
        });
        Ok(self.statement(&source, closed.collect()))
    }

    /// A VALUES list.
    fn listed(&self, rows: impl Iterator<Item = Vec<Option<Value>>>) -> Statement {
        // SQLite does not ask of which type a NULL is.
        let values: Vec<Value> = rows
            .flatten()
            .map(|value| value.unwrap_or(Value::String(None)))
            .collect();
        let row = format!("({})", vec!["?"; self.columns.len()].join(","));
        let list = vec![row; values.len() / self.columns.len()].join(",");
        self.statement(&format!("VALUES {list}"), values)
    }
}

/// The name of a column's type on PostgreSQL; texts of every kind are texts until they are stored.
fn type_name(kind: &ColumnType) -> Result<&'static str, DbErr> {
    Ok(match kind {
        ColumnType::Uuid => "uuid",
        ColumnType::Text
        | ColumnType::String(_)
        | ColumnType::Char(_)
        | ColumnType::Enum { .. } => "text",
        ColumnType::BigInteger => "bigint",
        ColumnType::Integer => "integer",
        ColumnType::Boolean => "boolean",
        ColumnType::TimestampWithTimeZone => "timestamptz",
        ColumnType::Date => "date",
        ColumnType::Json | ColumnType::JsonBinary => "jsonb",
        other => return Err(foreign(other)),
    })
}

/// Appends one element to the text of a PostgreSQL array.
fn write_element(array: &mut String, value: Option<Value>) -> Result<(), DbErr> {
    match value {
        Some(Value::Uuid(Some(id))) => {
            let _ = write!(array, "{id}");
        }
        Some(Value::BigInt(Some(number))) => {
            let _ = write!(array, "{number}");
        }
        Some(Value::Int(Some(number))) => {
            let _ = write!(array, "{number}");
        }
        Some(Value::Bool(Some(truth))) => {
            let _ = write!(array, "{truth}");
        }
        Some(Value::ChronoDateTimeUtc(Some(at))) => {
            array.push_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true));
        }
        Some(Value::ChronoDate(Some(day))) => {
            let _ = write!(array, "{day}");
        }
        Some(Value::String(Some(text))) => quote(array, &text),
        Some(Value::Json(Some(document))) => quote(array, &document.to_string()),
        None
        | Some(
            Value::Uuid(None)
            | Value::BigInt(None)
            | Value::Int(None)
            | Value::Bool(None)
            | Value::ChronoDateTimeUtc(None)
            | Value::ChronoDate(None)
            | Value::String(None)
            | Value::Json(None),
        ) => array.push_str("NULL"),
        Some(other) => return Err(foreign(&other)),
    }
    Ok(())
}

fn quote(array: &mut String, text: &str) {
    array.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            array.push('\\');
        }
        array.push(letter);
    }
    array.push('"');
}

fn foreign(what: &impl std::fmt::Debug) -> DbErr {
    DbErr::Type(format!("{what:?} cannot be written in bulk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_told_from_the_text_around_it() {
        let element = |value: Value| {
            let mut text = String::new();
            write_element(&mut text, Some(value)).unwrap();
            text
        };
        assert_eq!(element("a,b}".into()), r#""a,b}""#);
        assert_eq!(element(r#"say "x\y""#.into()), r#""say \"x\\y\"""#);
        assert_eq!(element("NULL".into()), r#""NULL""#);
        assert_eq!(element("".into()), r#""""#);
        assert_eq!(element(Value::String(None)), "NULL");
        assert_eq!(element((-5_i64).into()), "-5");
        assert_eq!(element(true.into()), "true");
        assert!(write_element(&mut String::new(), Some(1.5_f64.into())).is_err());
    }
}
