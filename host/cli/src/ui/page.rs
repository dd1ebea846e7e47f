//! [`show`]: tables on stdout. On a terminal that is too small for them they go through a pager; where there is none, columns
//! without room are left out, and named.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGINT;
use signal_hook::low_level::unregister;

use super::table::Table;
use super::{Ui, Window};
use crate::failure::Failure;

/// Cuts lines at the edge instead of wrapping them (the arrow keys go there), keeps colours, and leaves what was seen.
const LESS: &str = "RSX";

/// What shows more than fits, a line for `sh`; see [`Pager::of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pager {
    command: String,
    /// What `LESS` is to be; none when the user has it set.
    less: Option<&'static str>,
}

impl Pager {
    /// The pager of an environment, whose variables `variable` tells: `DEWAR_PAGER`, `DVC_PAGER`, `PAGER`, else `less`. None when
    /// that is empty or `cat`, or the terminal can only go on.
    #[must_use]
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        if variable("TERM").as_deref() == Some("dumb") {
            return None;
        }
        let named = ["DEWAR_PAGER", "DVC_PAGER", "PAGER"].into_iter().find_map(&variable);
        let command = named.unwrap_or_else(|| "less".to_owned());
        let less = variable("LESS").is_none().then_some(LESS);
        (!matches!(command.trim(), "" | "cat")).then_some(Self { command, less })
    }

    /// Shows a text until the user has seen enough; false when there is no such program.
    fn show(&self, text: &[u8]) -> io::Result<bool> {
        let mut command = Command::new("sh");
        command.args(["-c", &self.command]).stdin(Stdio::piped()).envs(self.less.map(|less| ("LESS", less)));
        // Ctrl-C is for the pager, which asks the terminal for its keys itself.
        let ours = signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)))?;
        let shown = command.spawn().and_then(|mut pager| {
            if let Some(mut stdin) = pager.stdin.take() {
                match stdin.write_all(text) {
                    // The user has seen enough, or there is no pager, which its end tells.
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
                    _ => {}
                }
            }
            // `sh` says 126 and 127 of a program that it cannot run (POSIX).
            Ok(!matches!(pager.wait()?.code(), Some(126 | 127)))
        });
        unregister(ours);
        shown
    }
}

/// Shows tables below each other.
///
/// # Errors
/// When stdout takes nothing.
pub fn show(tables: &[Table], pager: Option<&Pager>, ui: &Ui) -> Result<(), Failure> {
    if ui.columns().is_none() {
        return ui.print(&joined(tables));
    }
    let window = ui.window();
    let tables: Vec<Table> = tables.iter().map(|table| table.shortened_to(window.columns)).collect();
    let text = joined(&tables);
    let is_wide = tables.iter().any(|table| table.width() > window.columns);
    if fits(&text, window) && !is_wide {
        return ui.print(&text);
    }
    if let Some(pager) = pager
        && pager.show(&ui.as_on_stdout(&text)).unwrap_or(false)
    {
        return Ok(());
    }
    if !is_wide {
        return ui.print(&text);
    }
    let (tables, left_out): (Vec<Table>, Vec<Vec<String>>) =
        tables.iter().map(|table| table.narrowed_to(window.columns)).unzip();
    ui.print(&joined(&tables))?;
    let names = left_out.concat();
    ui.note(&format!("{} columns have no room: {}", names.len(), names.join(", ")));
    Ok(())
}

fn joined(tables: &[Table]) -> String {
    tables.iter().map(Table::human).collect::<Vec<_>>().join("\n")
}

/// The prompt of the shell needs a line, too.
fn fits(text: &str, window: Window) -> bool {
    text.lines().count() < window.rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pager_is_the_users() {
        let of = |known: &[(&str, &str)]| {
            Pager::of(|name| known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        let command = |known| of(known).map(|pager| pager.command);
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(command(&[]), named("less"));
        assert_eq!(command(&[("PAGER", "more")]), named("more"));
        assert_eq!(command(&[("PAGER", "more"), ("DVC_PAGER", "most -s")]), named("most -s"));
        assert_eq!(command(&[("PAGER", "more"), ("DEWAR_PAGER", "")]), None);
        assert_eq!(command(&[("PAGER", "cat")]), None);
        assert_eq!(command(&[("PAGER", "more"), ("TERM", "dumb")]), None);
        assert_eq!(of(&[]).unwrap().less, Some(LESS));
        assert_eq!(of(&[("LESS", "F")]).unwrap().less, None);
    }

    #[test]
    fn a_pager_that_is_not_there_is_no_pager() {
        let pager = |command: &str| Pager { command: command.to_owned(), less: Some(LESS) };
        assert!(!pager("no-such-program-anywhere 2> /dev/null").show(b"text").unwrap());
        assert!(pager("true").show(&[b'a'; 1 << 20]).unwrap(), "the user has seen enough");
        let folder = tempfile::tempdir().unwrap();
        let seen = folder.path().join("seen");
        assert!(pager(&format!("cat > '{0}'; echo $LESS >> '{0}'", seen.display())).show(b"text\n").unwrap());
        assert_eq!(std::fs::read_to_string(seen).unwrap(), "text\nRSX\n");
    }
}
