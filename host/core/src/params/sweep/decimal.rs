//! [`Decimal`]: sums of decimal numbers as Python's `decimal` makes them unless told otherwise: exact, then rounded to 28
//! digits, half to even.

/// Digits that a sum keeps.
const PRECISION: usize = 28;

/// A decimal number of any size.
#[derive(Debug, Clone)]
pub(super) struct Decimal {
    negative: bool,
    /// The least significant first; the last is not 0.
    digits: Vec<i8>,
    /// Of ten, of the first digit.
    exponent: i64,
}

impl From<i128> for Decimal {
    fn from(value: i128) -> Self {
        Self::read(value < 0, &value.unsigned_abs().to_string())
    }
}

impl From<f64> for Decimal {
    /// The exact value of a finite float, which has at most 1074 decimal places.
    fn from(value: f64) -> Self {
        Self::read(value.is_sign_negative(), &format!("{:.1074}", value.abs()))
    }
}

impl Decimal {
    /// Of digits, with a point among them or not.
    fn read(negative: bool, text: &str) -> Self {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let digits = whole.bytes().chain(fraction.bytes()).rev();
        let digits = digits.map(|digit| i8::try_from(digit.saturating_sub(b'0')).unwrap_or(0)).collect();
        Self { negative, digits, exponent: -i64::try_from(fraction.len()).unwrap_or(0) }.trimmed()
    }

    pub(super) fn is_negative(&self) -> bool {
        self.negative && !self.digits.is_empty()
    }

    pub(super) fn is_below(&self, other: &Self) -> bool {
        self.minus(other).is_negative()
    }

    /// The exact difference.
    pub(super) fn minus(&self, other: &Self) -> Self {
        self.exact_sum(&Self { negative: !other.negative, ..other.clone() })
    }

    pub(super) fn times_ten_to(&self, power: i64) -> Self {
        Self { exponent: self.exponent + power, ..self.clone() }
    }

    /// The sum, rounded.
    pub(super) fn plus(&self, other: &Self) -> Self {
        self.exact_sum(other).rounded()
    }

    /// The nearest float.
    pub(super) fn to_f64(&self) -> f64 {
        let sign = if self.negative { "-" } else { "" };
        let digits: String = self.digits.iter().rev().map(|digit| char::from(b'0' + digit.unsigned_abs())).collect();
        // Always a number, which is what the tests hold.
        format!("{sign}0{digits}e{}", self.exponent).parse().unwrap_or(f64::NAN)
    }

    /// The digit at a power of ten, with the sign of the number.
    fn digit(&self, power: i64) -> i8 {
        let at = usize::try_from(power - self.exponent).ok();
        let digit = at.and_then(|at| self.digits.get(at)).copied().unwrap_or(0);
        if self.negative { -digit } else { digit }
    }

    /// The power of ten above the highest digit.
    fn top(&self) -> i64 {
        self.exponent + i64::try_from(self.digits.len()).unwrap_or(0)
    }

    fn exact_sum(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        let top = self.top().max(other.top());
        let mut digits: Vec<i8> = (exponent..top).map(|power| self.digit(power) + other.digit(power)).collect();
        // The sum has the sign of its highest digit: what is below one cannot make up for it, for all those of one number are
        // less than it, and where both have one sign nothing is to make up.
        let negative = digits.iter().rev().find(|digit| **digit != 0).is_some_and(|digit| *digit < 0);
        let mut carry = 0;
        for digit in &mut digits {
            let sum = carry + if negative { -*digit } else { *digit };
            carry = sum.div_euclid(10);
            *digit = sum.rem_euclid(10);
        }
        digits.push(carry);
        Self { negative, digits, exponent }.trimmed()
    }

    fn rounded(mut self) -> Self {
        let Some(dropped) = self.digits.len().checked_sub(PRECISION).filter(|dropped| *dropped > 0) else {
            return self;
        };
        let below: Vec<i8> = self.digits.drain(..dropped).collect();
        self.exponent += i64::try_from(dropped).unwrap_or(0);
        let (half, rest) = below.split_last().map_or((0, &[][..]), |(half, rest)| (*half, rest));
        let odd = self.digits.first().is_some_and(|digit| digit % 2 == 1);
        if half > 5 || (half == 5 && (odd || rest.iter().any(|digit| *digit != 0))) {
            let one = Self { negative: self.negative, digits: vec![1], exponent: self.exponent };
            return self.exact_sum(&one);
        }
        self
    }

    fn trimmed(mut self) -> Self {
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
        let zeros = self.digits.iter().take_while(|digit| **digit == 0).count();
        self.digits.drain(..zeros);
        self.exponent += i64::try_from(zeros).unwrap_or(0);
        self
    }
}
