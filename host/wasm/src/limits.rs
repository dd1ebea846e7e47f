//! [`Limits`]: what one call of a plugin may use.

use std::time::Duration;

/// What one call of a plugin may use. Going over one ends the call, never the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory.
    pub memory: usize,
    /// Computing of the plugin's own. It begins anew when a host call that does work (a child process) returns.
    pub time: Duration,
    /// Bytes that may come over the boundary in one call, its answer and its log included. Strings count their bytes, records
    /// their fields.
    pub answer: usize,
    /// Lines of log that are passed on; more are counted and dropped.
    pub log_lines: usize,
    /// Bytes of one line of log; more is cut.
    pub log_line: usize,
    /// Bytes of standard output and error, which Rust's panics use; more closes them.
    pub output: usize,
    /// Child processes that run at the same time.
    pub children: usize,
}

/// How deep a document may be nested: the readers of core allow no more.
pub(crate) const DEPTH: u32 = 256;

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            time: Duration::from_secs(10),
            answer: 64 << 20,
            log_lines: 200,
            log_line: 2_000,
            output: 64 << 10,
            children: 64,
        }
    }
}
