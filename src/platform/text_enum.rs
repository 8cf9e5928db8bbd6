//! A closed set of words, spelt alike in the database, in JSON and in the API.

/// Declares an enum whose variants are `SCREAMING_SNAKE_CASE` text in columns, in JSON and in the API.
///
/// The documentation of the enum and of its variants becomes that of the API.
#[macro_export]
macro_rules! text_enum {
    (
        $(#[doc = $doc:literal])*
        $(#[graphql($($graphql:tt)*)])?
        $(#[derive($($derive:path),*)])?
        $visibility:vis enum $name:ident { $($variants:tt)* }
    ) => {
        $(#[doc = $doc])*
        #[derive(
            Clone,
            Copy,
            Debug,
            PartialEq,
            Eq,
            Hash,
            PartialOrd,
            Ord,
            serde::Serialize,
            serde::Deserialize,
            sea_orm::EnumIter,
            sea_orm::DeriveActiveEnum,
            async_graphql::Enum,
            $($($derive),*)?
        )]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        #[sea_orm(
            rs_type = "String",
            db_type = "Text",
            rename_all = "SCREAMING_SNAKE_CASE"
        )]
        $(#[graphql($($graphql)*)])?
        $visibility enum $name { $($variants)* }
    };
}
