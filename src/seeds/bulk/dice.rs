//! Chance that can be repeated: every id and every choice follows from the seed and the number of the object.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{END, HISTORY, Scale};
use crate::{entity::ids::ProgramId, platform::ids::TypedId};

/// What an id or a throw is for; those of one number differ by it.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    Program,
    ProgramVersion,
    Plan,
    Family,
    Product,
    VendorUser,
    PartnerUser,
    Partner,
    PartnerEvent,
    Enrollment,
    Customer,
    Deal,
    Participant,
    StageChange,
    Touchpoint,
    Choices,
}

/// Makes ids and throws dice.
#[derive(Clone, Copy, Debug)]
pub struct Mint {
    /// What is being made.
    pub scale: Scale,
}

impl Mint {
    /// For this seed.
    pub const fn new(scale: Scale) -> Self {
        Self { scale }
    }

    /// The id of an object that came about at an instant. It sorts by time, like every other.
    pub fn id<T: TypedId>(self, of: Of, number: u64, at: DateTime<Utc>) -> T {
        let mut dice = self.dice(of, number);
        let bits = (u128::from(dice.roll()) << 64) | u128::from(dice.roll());
        let millis = u128::try_from(at.timestamp_millis()).unwrap_or_default();
        // Version 7, variant 10: the layout of RFC 9562.
        let version = 0x7_u128 << 76;
        let variant = 0b10_u128 << 62;
        let random = bits & !((0xf << 76) | (0b11 << 62)) & ((1 << 80) - 1);
        T::of(Uuid::from_u128((millis << 80) | version | variant | random))
    }

    /// Dice for one object.
    pub const fn dice(self, of: Of, number: u64) -> Dice {
        let mut dice = Dice(self.scale.seed ^ 0x9e37_79b9_7f4a_7c15);
        dice.0 = dice.roll() ^ tag(of);
        dice.0 = dice.roll() ^ number;
        dice
    }

    /// The programme of all deals.
    pub fn program(self) -> ProgramId {
        self.id(Of::Program, 0, END - HISTORY)
    }
}

const fn tag(of: Of) -> u64 {
    match of {
        Of::Program => 1,
        Of::ProgramVersion => 2,
        Of::Plan => 3,
        Of::Family => 4,
        Of::Product => 5,
        Of::VendorUser => 6,
        Of::PartnerUser => 7,
        Of::Partner => 8,
        Of::PartnerEvent => 9,
        Of::Enrollment => 10,
        Of::Customer => 11,
        Of::Deal => 12,
        Of::Participant => 13,
        Of::StageChange => 14,
        Of::Touchpoint => 15,
        Of::Choices => 16,
    }
}

/// A stream of numbers (`SplitMix64`): the same from one version of a library to the next.
#[derive(Clone, Copy, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The next 64 bits.
    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound above zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// One of some things.
    pub fn pick<T: Copy>(&mut self, things: &[T]) -> Option<T> {
        let count = u64::try_from(things.len())
            .ok()
            .filter(|count| *count > 0)?;
        things
            .get(usize::try_from(self.below(count)).ok()?)
            .copied()
    }

    /// A part of a span, in whole seconds.
    pub fn part_of(&mut self, span: TimeDelta) -> TimeDelta {
        let seconds = u64::try_from(span.num_seconds()).unwrap_or_default().max(1);
        TimeDelta::seconds(i64::try_from(self.below(seconds)).unwrap_or_default())
    }
}

const BEGINNINGS: [&str; 60] = [
    "ar", "bel", "cor", "dan", "el", "fen", "gal", "hal", "in", "jar", "kel", "lum", "mar", "nor",
    "or", "pel", "quin", "ras", "sol", "tar", "ul", "ver", "wes", "xan", "yor", "zen", "al",
    "bran", "cal", "dor", "em", "fal", "gren", "hol", "is", "jen", "kas", "lor", "mel", "nav",
    "os", "pra", "ren", "sil", "tor", "um", "val", "wil", "ker", "lin", "mon", "nel", "pol", "rud",
    "sten", "tri", "vel", "win", "zor", "hir",
];
const ENDINGS: [&str; 60] = [
    "ba", "con", "dex", "fax", "gon", "hem", "ix", "jo", "kon", "lan", "mex", "nex", "ov", "pan",
    "qua", "rix", "son", "tek", "us", "va", "wood", "xis", "ya", "zo", "bia", "cum", "dio", "fex",
    "gis", "ham", "io", "jax", "kor", "lex", "mia", "nis", "ora", "pex", "ria", "sys", "tis",
    "ura", "vex", "wen", "yon", "zia", "bor", "cia", "dra", "fus", "gus", "hil", "kin", "los",
    "mos", "nia", "pha", "rus", "sta", "tus",
];
const MIDDLES: [&str; 60] = [
    "a", "e", "i", "o", "u", "ba", "be", "bi", "da", "de", "di", "fa", "fe", "fi", "ga", "ge",
    "gi", "ka", "ke", "ki", "la", "le", "li", "lo", "ma", "me", "mi", "mo", "na", "ne", "ni", "no",
    "pa", "pe", "pi", "po", "ra", "re", "ri", "ro", "sa", "se", "si", "so", "ta", "te", "ti", "to",
    "va", "ve", "vi", "vo", "za", "ze", "zi", "zo", "ja", "je", "ji", "jo",
];
const COMBINATIONS: u64 = 60 * 60 * 60;

/// A made-up word that can be pronounced, another one for each number below 216,000, and how often they were used up.
pub fn word(number: u64) -> (String, u64) {
    // A step that shares no divisor with the number of words visits all of them, far from their neighbours.
    let place = (number % COMBINATIONS * 77_773) % COMBINATIONS;
    let at = |parts: &[&'static str; 60], place: u64| {
        usize::try_from(place % 60).map_or("", |place| parts[place])
    };
    let text = [
        at(&BEGINNINGS, place),
        at(&MIDDLES, place / 60),
        at(&ENDINGS, place / 3_600),
    ];
    (text.concat(), number / COMBINATIONS)
}

/// A word with a capital letter.
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::entity::ids::DealId;

    const SCALE: Scale = Scale {
        partners: 3,
        deals: 1,
        touchpoints_per_deal: 0,
        won_percent: 50,
        seed: 7,
        commission: false,
    };

    #[test]
    fn ids_follow_from_seed_kind_and_number() {
        let mint = Mint::new(SCALE);
        let id: DealId = mint.id(Of::Deal, 5, END);
        assert_eq!(id, mint.id(Of::Deal, 5, END));
        assert_ne!(id, mint.id(Of::Deal, 6, END));
        assert_ne!(id, DealId::of(mint.id::<DealId>(Of::Partner, 5, END).0));
        let other = Mint::new(Scale { seed: 8, ..SCALE });
        assert_ne!(id, other.id(Of::Deal, 5, END));
        assert_eq!(id.0.get_version_num(), 7);
        assert_eq!(id.0.get_variant(), uuid::Variant::RFC4122);
        assert!(mint.id::<DealId>(Of::Deal, 9, END - TimeDelta::milliseconds(1)) < id);
    }

    #[test]
    fn every_number_has_a_word_of_its_own() {
        let words: BTreeSet<_> = (0..COMBINATIONS).map(word).collect();
        assert_eq!(words.len(), 216_000);
        assert_eq!(word(COMBINATIONS).1, 1);
        assert_eq!(capital("arba"), "Arba");
    }
}
