//! Lines for `dewar -v`. The host bounds their number and length. Natively, as in unit tests, they go nowhere.

/// What only matters when looking for a fault.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// What a curious user wants to know.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// What the user should know and that stops nothing. What concerns a place in a source is a diagnostic instead.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

#[derive(Clone, Copy)]
enum Level {
    Debug,
    Info,
    Warn,
}

#[cfg(target_family = "wasm")]
fn write(level: Level, message: &str) {
    use crate::bindings::log;
    let level = match level {
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
    };
    log::log(level, message);
}

#[cfg(not(target_family = "wasm"))]
fn write(_: Level, _: &str) {}
