//! Opaque cursors: the list, the value of its leading column and the id of a row.

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, ModelTrait, Value,
    sea_query::{Expr, SimpleExpr},
};
use serde_json::json;

use super::Sort;
use crate::{
    error::{Code, Refusal, Result},
    platform::audit::hex,
};

/// The list is part of the cursor, so that one of another list or sort is refused.
pub(super) fn cursor<E: EntityTrait>(sort: Sort<E::Column>, model: &E::Model) -> String
where
    E::Model: ModelTrait<Entity = E>,
{
    let key = sort.column.map(|column| text(&model.get(column)));
    let id = text(&model.get(sort.id));
    hex(json!([name::<E>(sort), key, id]).to_string().as_bytes())
}

fn name<E: EntityTrait>(sort: Sort<E::Column>) -> String {
    use sea_orm::IdenStatic;
    let entity = E::default();
    let column = sort.column.map_or("id", |column| column.as_str());
    format!("{}.{column}", entity.unquoted())
}

fn text(value: &Value) -> String {
    match value {
        Value::Uuid(Some(id)) => id.to_string(),
        Value::String(Some(text)) => text.to_string(),
        Value::ChronoDateTimeUtc(Some(at)) => {
            at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
        }
        Value::ChronoDate(Some(day)) => day.to_string(),
        other => other.to_string(),
    }
}

/// The rows beyond a cursor, on its greater or its smaller side.
///
/// # Errors
/// `INVALID_CURSOR` at `path` for one of another list.
pub(super) fn beyond<E: EntityTrait>(
    sort: Sort<E::Column>,
    cursor: &str,
    greater: bool,
    path: &str,
) -> Result<Condition> {
    let invalid =
        || Refusal::new(Code::InvalidCursor, "The cursor is not one of this list.").at(path);
    let content = unhex(cursor).ok_or_else(invalid)?;
    let (list, key, id): (String, Option<String>, String) =
        serde_json::from_slice(&content).map_err(|_| invalid())?;
    let unprintable = key
        .as_deref()
        .is_some_and(|key| key.contains(char::is_control));
    if list != name::<E>(sort) || key.is_some() != sort.column.is_some() || unprintable {
        return Err(invalid().into());
    }
    let id: uuid::Uuid = id.parse().map_err(|_| invalid())?;
    let expression: SimpleExpr = match (sort.column, key) {
        (Some(column), Some(key)) => {
            let key: Value = match column.def().get_column_type() {
                sea_orm::sea_query::ColumnType::TimestampWithTimeZone
                | sea_orm::sea_query::ColumnType::Timestamp => {
                    let at: chrono::DateTime<chrono::Utc> = key.parse().map_err(|_| invalid())?;
                    at.into()
                }
                sea_orm::sea_query::ColumnType::Date => {
                    // Of four digits a year, as in the API: beyond there is what a database cannot take.
                    let day = (key.len() == 10).then(|| key.parse::<chrono::NaiveDate>().ok());
                    day.flatten().ok_or_else(invalid)?.into()
                }
                _ => key.into(),
            };
            let left = Expr::tuple([
                Expr::col(column.as_column_ref()),
                Expr::col(sort.id.as_column_ref()),
            ]);
            let right = Expr::tuple([Expr::value(key), Expr::value(id)]);
            if greater {
                left.gt(right)
            } else {
                left.lt(right)
            }
        }
        _ => {
            let column = Expr::col(sort.id.as_column_ref());
            if greater {
                column.gt(id)
            } else {
                column.lt(id)
            }
        }
    };
    Ok(Condition::all().add(expression))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() > 2_000 || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}
