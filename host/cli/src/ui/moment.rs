//! Moments in tables.

use dewar_core::git::CommitTime;

use crate::session::Clock;

/// The time of day when it was today, else the day.
#[must_use]
pub fn short(time: CommitTime, clock: Clock) -> String {
    let Some(zoned) = zoned(time) else { return String::new() };
    let now = jiff::Timestamp::try_from(clock.now()).unwrap_or_default().to_zoned(zoned.time_zone().clone());
    let form = if now.date() == zoned.date() { "%I:%M %p" } else { "%b %d, %Y" };
    zoned.strftime(form).to_string()
}

/// In the zone of the reader, as DVC tells it: colleagues elsewhere did nothing in the future.
#[must_use]
pub fn zoned(time: CommitTime) -> Option<jiff::Zoned> {
    Some(jiff::Timestamp::from_second(time.seconds).ok()?.to_zoned(jiff::tz::TimeZone::system()))
}
