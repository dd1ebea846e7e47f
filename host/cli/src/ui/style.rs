//! The colours, all in one place. Everything is also readable without them.

use anstyle::{AnsiColor, Style};

/// `error:`
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// `warning:`
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// `help:`
pub const HELP: Style = AnsiColor::Cyan.on_default().bold();
/// Line numbers and rules beside sources.
pub const GUTTER: Style = AnsiColor::Blue.on_default().bold();
/// Names of stages and experiments.
pub const NAME: Style = AnsiColor::Cyan.on_default();
/// What is said beside the matter.
pub const DIM: Style = Style::new().dimmed();
/// Metrics in tables.
pub const METRIC: Style = AnsiColor::Yellow.on_default();
/// Parameters in tables.
pub const PARAM: Style = AnsiColor::Blue.on_default();
/// Dependencies in tables.
pub const DEPENDENCY: Style = AnsiColor::Magenta.on_default();
