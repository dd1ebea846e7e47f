//! [`Reporter`]: tells the user what core says is happening, in DVC's words where users know them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dewar_core::event::{Direction, Event, EventSink, LogLevel, WaitsFor};
use dewar_core::path::RepoPath;
use unicode_width::UnicodeWidthStr;

use super::problem::{Place, Problem};
use super::text::visible;
use super::{Audience, Ui, Verbosity, number, style};

/// How often a file is told which stages run: a training may take days.
const REPEAT_RUNNING: Duration = Duration::from_mins(1);
/// Names of stages longer than this are not waited for by the others.
const WIDEST_NAME: usize = 24;

/// Prints events as they come.
pub struct Reporter {
    ui: Arc<Ui>,
    /// The folder that the user is in.
    from: RepoPath,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether a stage ran since the last blank line.
    after_run: bool,
    /// How wide the names of stages are when several run at once; none when one does.
    side_by_side: Option<usize>,
    /// When a file was last told what runs.
    told_running: Option<Instant>,
}

impl Reporter {
    /// A reporter to `ui`, for a user in the folder `from`.
    #[must_use]
    pub fn new(ui: Arc<Ui>, from: RepoPath) -> Self {
        Self { ui, from, state: Mutex::default() }
    }

    /// A run is not stopped because nobody reads what it says; the command itself finds a closed stdout in the end.
    fn tell(&self, line: &str) {
        let _nobody_reads = self.ui.tell(line);
    }

    fn warn(&self, message: String, place: Option<Place>) {
        self.ui.warn(&Problem { message, place, hints: Vec::new() });
    }

    fn stage(&self, state: &mut State, line: &str) {
        self.gap(state);
        self.tell(line);
    }

    /// A blank line after the output of a stage.
    fn gap(&self, state: &mut State) {
        if std::mem::take(&mut state.after_run) && state.side_by_side.is_none() {
            self.tell("");
        }
    }

    /// What stands before each line of a stage that runs beside others.
    fn prefix(state: &State, stage: &str) -> String {
        let (name, dim, stage) = (style::NAME, style::DIM, visible(stage));
        let padding = state.side_by_side.unwrap_or_default().saturating_sub(stage.width());
        format!("{name}{stage}{name:#}{:padding$} {dim}|{dim:#} ", "")
    }

    fn running(&self, state: &mut State, line: &str) {
        let now = Instant::now();
        match self.ui.audience() {
            _ if self.ui.verbosity() == Verbosity::Quiet => {}
            Audience::Terminal => self.ui.progress(line),
            Audience::File => {
                let last = *state.told_running.get_or_insert(now);
                if now.duration_since(last) >= REPEAT_RUNNING {
                    state.told_running = Some(now);
                    self.ui.note(line);
                }
            }
        }
    }
}

impl EventSink for Reporter {
    fn event(&self, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, dim) = (style::NAME, style::DIM);
        match event {
            Event::StageFresh { stage } => {
                self.gap(&mut state);
                self.ui.tell_soon(&format!("Stage '{name}{}{name:#}' didn't change, skipping", visible(&stage)));
            }
            Event::StageStarted { stage } => {
                self.stage(&mut state, &format!("Running stage '{name}{}{name:#}':", visible(&stage)));
                state.after_run = true;
            }
            Event::CommandStarted { stage, command } => {
                let prefix = if state.side_by_side.is_some() { Self::prefix(&state, &stage) } else { String::new() };
                for line in visible(&command).lines() {
                    self.tell(&format!("{prefix}{dim}>{dim:#} {line}"));
                }
            }
            Event::SideBySide { stages } => {
                let widths = stages.iter().map(|stage| visible(stage).width());
                state.side_by_side = Some(widths.max().unwrap_or_default().min(WIDEST_NAME));
            }
            Event::StageOutput { stage, stream, line } => {
                let _nobody_reads = self.ui.pass_on(&Self::prefix(&state, &stage), stream, &line);
            }
            Event::Running { done, of, running, longest, since } => {
                let longest = format!("`{}` for {}", visible(&longest), duration(since.elapsed()));
                let others = if running > 1 { format!("{running} run, longest {longest}") } else { longest };
                self.running(&mut state, &format!("{done} of {of} stages done; {others}"));
            }
            Event::Transferring { direction, done, of, bytes, since } => {
                let verb = match direction {
                    Direction::Push => "pushed",
                    Direction::Fetch => "fetched",
                };
                let line =
                    format!("{done} of {of} files {verb}, {} in {}", number::bytes(bytes), duration(since.elapsed()));
                self.running(&mut state, &line);
            }
            Event::Stopping { stages } => {
                let names = stages.iter().map(|stage| format!("`{stage}`")).collect::<Vec<_>>().join(", ");
                self.ui.note(&format!("Starting nothing more; waiting for {names} to end; Ctrl-C ends them at once"));
            }
            Event::StageRestored { stage } => {
                let stage = visible(&stage);
                self.stage(
                    &mut state,
                    &format!("Stage '{name}{stage}{name:#}' is cached - skipping run, checking out outputs"),
                );
            }
            Event::StageVerified { stage } => {
                self.stage(
                    &mut state,
                    &format!("Verifying data sources in stage: '{name}{}{name:#}'", visible(&stage)),
                );
            }
            Event::StageWaits { stage, waits_for } => {
                let line = format!("Stage '{stage}' waits: {}", cause(&waits_for));
                match waits_for {
                    // It is the rule where experiments run side by side.
                    WaitsFor::Job { .. } => self.ui.detail(&line),
                    _ => self.ui.note(&line),
                }
            }
            Event::Checkpoint { stage: _, commit, step, discarded } => {
                let let_go = match discarded {
                    0 => String::new(),
                    1 => ", and let go of one before".to_owned(),
                    more => format!(", and let go of {more} before"),
                };
                // At once: the next word of the stage may be an hour away.
                self.tell(&format!("Checkpoint experiment iteration '{name}{commit}{name:#}' (step {step}{let_go})."));
            }
            Event::StageStopped { stage, reason } => {
                self.warn(format!("'{stage}' was stopped at a checkpoint by {reason}"), None);
            }
            Event::StageFrozen { stage } => {
                self.warn(format!("'{stage}' is frozen. Its dependencies are not going to be reproduced."), None);
            }
            Event::StageFailed { stage, reason } => {
                self.warn(format!("failed to reproduce '{stage}': {reason}"), None);
            }
            Event::StageSkipped { stage } => {
                self.warn(format!("Stage '{stage}' will be skipped due to this failure"), None);
            }
            Event::LockWritten { file, created } => {
                let verb = if created { "Generating" } else { "Updating" };
                self.tell(&format!("{verb} lock file '{}'", visible(&file.relative_to(&self.from))));
            }
            Event::Warning { message } => self.warn(message, None),
            Event::PluginLog { plugin, level: LogLevel::Warn, message } => {
                self.warn(format!("{plugin}: {message}"), None);
            }
            Event::PluginLog { plugin, message, .. } => {
                self.ui.detail(&format!("{plugin}: {message}"));
            }
            Event::PluginCompiling { plugin } => {
                self.ui.note(&format!("Compiling the plugin {plugin} for this machine; this happens once"));
            }
            // The enum may grow; each variant that matters to people gets its line here.
            _ => {}
        }
    }
}

/// Why a stage waits.
fn cause(waits_for: &WaitsFor) -> String {
    match waits_for {
        WaitsFor::SameRun { who } => format!("the same stage with the same inputs runs already ({who})"),
        WaitsFor::Resources { wanted, holders } => {
            format!("it needs {wanted}, which others have or wait for ({})", holders.join("; "))
        }
        WaitsFor::Job { holders } => format!("as many stages run as may ({})", holders.join("; ")),
    }
}

/// `7 s`, `1 min 05 s`, `3 h 20 min`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_at_a_glance() {
        assert_eq!(
            [7, 65, 12_000].map(|seconds| duration(Duration::from_secs(seconds))),
            ["7 s", "1 min 05 s", "3 h 20 min"]
        );
    }
}
