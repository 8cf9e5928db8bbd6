//! Lists whose errors keep their place.

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, OutputType, Positioned, ServerResult, Value, parser::types::Field,
    registry::Registry,
};
use futures_util::future::try_join_all;

/// A list of objects some of whose fields can fail.
///
/// The library's own lists, and fields that are not `async`, give an error that nulls them their own path instead of
/// that of the field that failed. A list of this kind behind an `async` field does not.
#[derive(Clone, Debug)]
pub struct List<T>(pub Vec<T>);

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T: OutputType> OutputType for List<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let items = self.0.iter().enumerate().map(|(place, item)| {
            let ctx = ctx.with_index(place);
            async move { item.resolve(&ctx, field).await }
        });
        try_join_all(items).await.map(Value::List)
    }
}
