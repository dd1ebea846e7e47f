//! Numbers as Python writes them: DVC's files and hashes are made of these texts.

/// `repr(value)` of a finite float: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
#[must_use]
pub fn repr(value: f64) -> String {
    let magnitude = value.abs();
    let exponential = magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude);
    let shortest = if exponential { format!("{value:e}") } else { format!("{value:?}") };
    // Of two shortest texts that are equally near, Rust takes the upper and Python the even one.
    let fraction = shortest.split_once('.').map_or("", |(_, fraction)| fraction);
    let places = fraction.split('e').next().map_or(0, str::len);
    let even = if exponential { format!("{value:.places$e}") } else { format!("{value:.places$}") };
    let text = if even.parse() == Ok(value) { even } else { shortest };
    if !exponential {
        return text;
    }
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}
