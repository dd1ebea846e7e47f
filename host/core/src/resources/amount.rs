//! [`Amount`]: so many of something (`2`), or so many bytes (`8GiB`).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// The units of sizes, and their bytes: those of IEC 80000-13 and of the SI.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

/// How much there is of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Amount {
    /// So many, as of GPUs or licences.
    Count(u64),
    /// So many bytes, as of memory.
    Bytes(u64),
}

/// Why something is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// It does not begin with an integer.
    #[error("`{0}` is neither an integer, such as 2, nor a size, such as 8GiB")]
    NoNumber(String),
    /// It is below nothing.
    #[error("{0} is less than nothing")]
    Negative(i64),
    /// The unit is not known.
    #[error("`{0}` is no unit: there are {units}", units = UNITS.map(|(name, _)| name).join(", "))]
    UnknownUnit(String),
    /// It is more than can be counted.
    #[error("`{0}` is too much to count")]
    TooLarge(String),
}

impl Amount {
    /// Reads `2` or `8GiB`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).unwrap_or_default();
        let unit = unit.trim_start();
        if number.is_empty() || unit.starts_with(['.', ',', '_']) {
            return Err(AmountError::NoNumber(text.to_owned()));
        }
        let too_large = || AmountError::TooLarge(text.to_owned());
        let number: u64 = number.parse().map_err(|_| too_large())?;
        if unit.is_empty() {
            return Ok(Self::Count(number));
        }
        let known = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, bytes) = known.ok_or_else(|| AmountError::UnknownUnit(unit.to_owned()))?;
        number.checked_mul(*bytes).map(Self::Bytes).ok_or_else(too_large)
    }

    /// So many of something.
    ///
    /// # Errors
    /// When it is below nothing.
    pub fn count(number: i64) -> Result<Self, AmountError> {
        u64::try_from(number).map(Self::Count).map_err(|_| AmountError::Negative(number))
    }

    /// The number, of things or of bytes.
    #[must_use]
    pub const fn number(self) -> u64 {
        let (Self::Count(number) | Self::Bytes(number)) = self;
        number
    }

    /// Whether both count the same: things, or bytes.
    #[must_use]
    pub const fn is_like(self, other: Self) -> bool {
        matches!((self, other), (Self::Count(_), Self::Count(_)) | (Self::Bytes(_), Self::Bytes(_)))
    }
}

impl fmt::Display for Amount {
    /// With the largest unit that needs no fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Count(number) => write!(f, "{number}"),
            Self::Bytes(bytes) => {
                let fits = |(_, unit): &&(&str, u64)| bytes > 0 && bytes.is_multiple_of(*unit);
                let (name, unit) = UNITS.iter().rev().find(fits).unwrap_or(&("B", 1));
                write!(f, "{}{name}", bytes / unit)
            }
        }
    }
}

/// Amounts by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Amounts(BTreeMap<String, Amount>);

impl Amounts {
    /// How much there is of what is called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Amount> {
        self.0.get(name).copied()
    }

    /// The names with their amounts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Amount)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// Whether there is nothing of anything.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.0.values().all(|amount| amount.number() == 0)
    }
}

impl<N: Into<String>> FromIterator<(N, Amount)> for Amounts {
    fn from_iter<I: IntoIterator<Item = (N, Amount)>>(amounts: I) -> Self {
        Self(amounts.into_iter().map(|(name, amount)| (name.into(), amount)).collect())
    }
}

impl fmt::Display for Amounts {
    /// As users write them: `gpu: 1, memory: 8GiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, amount)) in self.iter().enumerate() {
            write!(f, "{}{name}: {amount}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// Reads amounts as settings have them, `gpu = 2` and `memory = "64GiB"`, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// When a value is no amount, at its place.
pub fn from_settings<'de, D: Deserializer<'de>>(from: D) -> Result<Amounts, D::Error> {
    let settings = BTreeMap::<String, Setting>::deserialize(from)?;
    Ok(settings.into_iter().map(|(name, Setting(amount))| (name, amount)).collect())
}

struct Setting(Amount);

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl de::Visitor<'_> for Reader {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer, such as 2, or a size, such as \"8GiB\"")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
                Amount::count(number).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
                Ok(Amount::Count(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                Amount::parse(text).map_err(E::custom)
            }
        }
        from.deserialize_any(Reader).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_an_amount_and_what_is_not() {
        for (text, amount) in [
            ("0", Amount::Count(0)),
            ("2", Amount::Count(2)),
            ("8GiB", Amount::Bytes(8 << 30)),
            (" 8 GiB ", Amount::Bytes(8 << 30)),
            ("8GB", Amount::Bytes(8_000_000_000)),
            ("1kB", Amount::Bytes(1000)),
            ("7B", Amount::Bytes(7)),
            ("16777215TiB", Amount::Bytes(16_777_215 << 40)),
        ] {
            assert_eq!(Amount::parse(text).as_ref(), Ok(&amount), "{text}");
        }
        for text in ["", "GiB", "-1", "1.5GiB", "1,5GiB", "1_000", "0x10", "8gib", "8G", "8GiB!", "٣"] {
            assert!(Amount::parse(text).is_err(), "{text}");
        }
        for text in ["99999999999999999999", "16777216TiB"] {
            assert_eq!(Amount::parse(text), Err(AmountError::TooLarge(text.into())));
        }
        assert_eq!(Amount::count(-1), Err(AmountError::Negative(-1)));
        assert!(Amount::parse("8G").unwrap_err().to_string().ends_with("GB, GiB, TB, TiB"));
    }

    #[test]
    fn amounts_are_told_as_they_are_written() {
        let amounts: Amounts = [("gpu", Amount::Count(1)), ("memory", Amount::Bytes(8 << 30))].into_iter().collect();
        assert_eq!(amounts.to_string(), "gpu: 1, memory: 8GiB");
        let told = |bytes| Amount::Bytes(bytes).to_string();
        assert_eq!([0, 1, 1536, 8_000_000_000].map(told), ["0B", "1B", "1536B", "8GB"]);
    }

    proptest! {
        #[test]
        fn what_is_told_reads_back(bytes: u64, count: u64) {
            for amount in [Amount::Bytes(bytes), Amount::Count(count), Amount::Bytes(bytes << 30)] {
                prop_assert_eq!(Amount::parse(&amount.to_string()), Ok(amount));
            }
        }

        #[test]
        fn nothing_that_is_typed_is_too_odd(text: String) {
            drop(Amount::parse(&text));
        }
    }
}
