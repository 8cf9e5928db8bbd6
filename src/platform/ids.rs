//! Identifiers: a UUID version 7 in the database, a short prefixed text outside (`deal_01j…`).
//!
//! The text is the TypeID form: a prefix that names the type, an underscore, and 26 characters of
//! Crockford's base 32. Both sort by time of creation, so an id is also a stable paging key.
//!
//! Pure: decides from facts alone.

use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::{Timestamp, Uuid};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 26;

/// Writes `prefix_` and the 26 characters of the id.
#[must_use]
pub fn encode(prefix: &str, id: Uuid) -> String {
    let mut text = String::with_capacity(prefix.len() + 1 + LENGTH);
    text.push_str(prefix);
    text.push('_');
    let bits = id.as_u128();
    for position in (0..LENGTH).rev() {
        let index = usize::try_from((bits >> (5 * position)) & 31).unwrap_or_default();
        text.push(char::from(ALPHABET[index]));
    }
    text
}

/// Reads an id of this prefix; `None` for another prefix, another length or a foreign character.
#[must_use]
pub fn decode(prefix: &str, text: &str) -> Option<Uuid> {
    let body = text.strip_prefix(prefix)?.strip_prefix('_')?.as_bytes();
    // 26 characters hold 130 bits: the first may only use three.
    if body.len() != LENGTH || body[0] > b'7' {
        return None;
    }
    let mut bits: u128 = 0;
    for byte in body {
        let index = ALPHABET.iter().position(|letter| letter == byte)?;
        bits = (bits << 5) | u128::try_from(index).ok()?;
    }
    Some(Uuid::from_u128(bits))
}

/// The id of nothing that stands for a text which is no id: two texts have two, and no row has either, for rows have
/// minted ids, which are of version 7.
#[must_use]
pub fn of_nothing(text: &str) -> Uuid {
    let digest = Sha256::digest(text);
    let mut bytes = [0; 16];
    bytes
        .iter_mut()
        .zip(digest)
        .for_each(|(byte, of_digest)| *byte = of_digest);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Bits of an id that count within a millisecond.
const COUNTER_BITS: u8 = 42;

/// Counts what this process mints, so that ids of one millisecond sort in the order of their minting. It begins
/// anywhere in its lower half: processes do not count in step, and none comes to its end.
static COUNTER: LazyLock<AtomicU64> =
    LazyLock::new(|| AtomicU64::new(rand::random::<u64>() >> (65 - COUNTER_BITS)));

/// Mints an id at this instant.
#[must_use]
pub fn mint(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed) & ((1 << COUNTER_BITS) - 1);
    Uuid::new_v7(Timestamp::from_unix_time(
        seconds,
        now.timestamp_subsec_nanos(),
        counter.into(),
        COUNTER_BITS,
    ))
}

/// The lowest id of an instant: every id minted then or later is at least this.
#[must_use]
pub fn first_at(instant: DateTime<Utc>) -> Uuid {
    let milliseconds = u128::try_from(instant.timestamp_millis()).unwrap_or_default();
    Uuid::from_u128(milliseconds << 80)
}

/// A number for people, from the random part of an id: `DR-7K3M9QX2P4`.
///
/// Fifty bits make a clash improbable (2 in 100,000 at 200,000 numbers); a unique index refuses one.
#[must_use]
pub fn number(prefix: &str, id: Uuid) -> String {
    let text = encode("", id).to_uppercase();
    format!("{prefix}-{}", &text[text.len() - 10..])
}

/// What every typed id can do.
pub trait TypedId: Copy + Send + Sync + 'static {
    /// The prefix of the outside text.
    const PREFIX: &'static str;
    /// Wraps a UUID.
    fn of(id: Uuid) -> Self;
    /// The UUID inside.
    fn uuid(self) -> Uuid;
    /// Reads the outside text.
    #[must_use]
    fn parse(text: &str) -> Option<Self> {
        decode(Self::PREFIX, text).map(Self::of)
    }
    /// Writes the outside text.
    fn text(self) -> String {
        encode(Self::PREFIX, self.uuid())
    }
}

/// Declares id types: one newtype over `Uuid` per kind of object, usable as a column and in JSON.
#[macro_export]
macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sea_orm::DeriveValueType)]
        pub struct $name(pub uuid::Uuid);

        // SeaORM asks every key for this; none of ours comes from a counter.
        impl sea_orm::TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl $crate::platform::ids::TypedId for $name {
            const PREFIX: &'static str = $prefix;
            fn of(id: uuid::Uuid) -> Self {
                Self(id)
            }
            fn uuid(self) -> uuid::Uuid {
                self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::platform::ids::encode($prefix, self.0))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                $crate::platform::ids::decode($prefix, &text)
                    .map(Self)
                    .ok_or_else(|| serde::de::Error::custom(concat!("not an id of type ", $prefix)))
            }
        }
    )+};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_sort_as_minted() {
        let now = DateTime::from_timestamp(1_772_355_600, 0).unwrap();
        let ids: Vec<_> = (0..1_000).map(|_| mint(now)).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn an_instant_begins_before_its_ids() {
        let now = DateTime::from_timestamp(1_772_355_600, 123_456_000).unwrap();
        let before = now - chrono::TimeDelta::milliseconds(1);
        assert!(mint(before) < first_at(now));
        assert!(first_at(now) <= mint(now));
        assert_eq!(first_at(DateTime::UNIX_EPOCH), Uuid::nil());
    }

    #[test]
    fn what_is_no_id_has_an_id_that_is_never_minted() {
        let nothings = ["", "nonsense", "deal_", "deal_8zzzzzzzzzzzzzzzzzzzzzzzzz"].map(of_nothing);
        assert!(nothings.iter().all(|id| id.get_version_num() == 8));
        assert_eq!(mint(DateTime::UNIX_EPOCH).get_version_num(), 7);
        assert_eq!(
            nothings
                .into_iter()
                .collect::<std::collections::HashSet<_>>()
                .len(),
            4
        );
        assert_eq!(of_nothing("nonsense"), nothings[1]);
    }

    #[test]
    fn text_and_id_are_one_to_one() {
        let id = Uuid::from_u128(u128::MAX);
        assert_eq!(encode("deal", id), "deal_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert_eq!(decode("deal", &encode("deal", id)), Some(id));
        assert_eq!(decode("partner", &encode("deal", id)), None);
        assert_eq!(decode("deal", "deal_8zzzzzzzzzzzzzzzzzzzzzzzzz"), None);
        assert_eq!(decode("deal", "deal_7zzzzzzzzzzzzzzzzzzzzzzzzu"), None);
    }
}
