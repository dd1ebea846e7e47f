//! Why stages run or not, in words and as JSON: what `--dry`, `--explain` and `status --explain` print.

mod command;
mod json;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dewar_core::event::{Event, EventSink};
use dewar_core::params::ParamValue;
use dewar_core::params::value::{flatten, python_equal};
use dewar_core::path::RepoPath;
use dewar_core::pipeline::{Command, Place, StageAddress};
use dewar_core::plan::{Cause, Compared, Course, Explanation, ExplanationSink, FileChange, FileChanges, Reason};
use dewar_core::repro::Selection;
use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::number::{self, Digits};
use super::text::{counted, visible};
use super::{Ui, style};
use crate::failure::Failure;

pub use json::document;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// A line a cause.
    Terse,
    /// Both commands, the files of directories, and why a stage does not run.
    Thorough,
}

/// How a run is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In words, stage by stage.
    Text,
    /// As one document at the end.
    Json,
}

/// How many files of a directory are named.
const SHOWN: usize = 5;

/// Who the plan is told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// Someone who asked what a run would do: in the words of a run, with the commands.
    Run,
    /// Someone who asked how things are.
    State,
}

/// What would be done with a stage and why, as lines; stages and paths as seen from the folder `from`.
#[must_use]
pub fn step(why: &Explanation, course: Course, from: &RepoPath, telling: Telling, detail: Detail) -> String {
    let (name, dim) = (style::NAME, style::DIM);
    let stage = format!("{name}{}{name:#}", visible(&why.stage.display_from(from)));
    let heading = match (telling, course) {
        (Telling::Run, Course::Skip | Course::Keep) => format!("Stage '{stage}' didn't change, skipping"),
        (Telling::Run, Course::Leave) => format!("Stage '{stage}' is frozen, skipping"),
        (Telling::Run, Course::Track) => format!("Verifying data sources in stage: '{stage}'"),
        (Telling::Run, Course::Restore) => {
            format!("Stage '{stage}' is cached - skipping run, checking out outputs")
        }
        (Telling::Run, Course::Run) => format!("Running stage '{stage}':"),
        (Telling::State, Course::Skip | Course::Keep) => format!("{stage}: up to date"),
        (Telling::State, Course::Leave) => format!("{stage}: frozen"),
        (Telling::State, Course::Track) => format!("{stage}: its data changed"),
        (Telling::State, Course::Restore) => format!("{stage}: would be restored from the cache"),
        (Telling::State, Course::Run) => format!("{stage}: would run"),
    };
    let mut lines = vec![heading];
    lines.extend(Some(causes(why, from, detail)).filter(|causes| !causes.is_empty()));
    if (telling, course) == (Telling::Run, Course::Run) {
        let texts = why.command.iter().flat_map(Command::shell_texts);
        lines.extend(
            texts.flat_map(|text| {
                visible(&text).lines().map(|line| format!("{dim}>{dim:#} {line}")).collect::<Vec<_>>()
            }),
        );
    }
    lines.join("\n")
}

/// The causes in words, one a line, indented. Ends without a line end; may be empty.
#[must_use]
pub fn causes(explanation: &Explanation, from: &RepoPath, detail: Detail) -> String {
    let dim = style::DIM;
    let mut lines: Vec<String> = Vec::new();
    for cause in &explanation.causes {
        lines.push(describe(cause, from));
        if detail == Detail::Thorough {
            if let Reason::CommandChanged { old, new } = &cause.reason {
                lines.extend(command::difference(old, new));
            }
            lines.extend(cause.files.iter().flat_map(files));
        }
    }
    if lines.is_empty() && detail == Detail::Thorough {
        lines.push(unchanged(explanation));
    }
    let styled = lines.iter().flat_map(|line| line.lines()).map(|line| format!("  {dim}{}{dim:#}", visible(line)));
    styled.collect::<Vec<_>>().join("\n")
}

fn describe(cause: &Cause, from: &RepoPath) -> String {
    let shown = |path: &str| match &cause.place {
        Some(Place::Inside(path)) => path.relative_to(from),
        Some(Place::Outside(_) | Place::Elsewhere(_)) | None => path.to_owned(),
    };
    let changed = |change: FileChange| match change {
        FileChange::Deleted => "does not exist",
        FileChange::Modified => "changed",
        FileChange::New => "is new",
    };
    match &cause.reason {
        Reason::NeverRun => "it has not run yet".to_owned(),
        Reason::AlwaysChanged => "it runs every time".to_owned(),
        Reason::Forced => "it is forced".to_owned(),
        Reason::CommandChanged { .. } => "its command changed".to_owned(),
        Reason::DependencyChanged { path, change } => {
            format!("the dependency `{}` {}", shown(path), changed(*change))
        }
        Reason::ParamChanged { file, key, .. } if key.is_empty() => {
            format!("the parameter file `{}` does not exist", shown(file))
        }
        Reason::ParamChanged { file, key, old, new } => {
            let parameter = format!("the parameter `{key}` of `{}`", shown(file));
            match (old, new) {
                (Some(old @ ParamValue::Map(_)), Some(new @ ParamValue::Map(_))) => {
                    format!("{parameter} changed: {}", inner_changes(old, new))
                }
                (Some(old), Some(new)) => format!("{parameter} changed from {} to {}", value(old), value(new)),
                (None, Some(new)) => format!("{parameter} is new: {}", value(new)),
                (Some(old), None) => format!("{parameter} is gone; it was {}", value(old)),
                (None, None) => format!("{parameter} does not exist"),
            }
        }
        Reason::OutputChanged { path, change: FileChange::New } => {
            format!("nothing is remembered of the output `{}`", shown(path))
        }
        Reason::OutputChanged { path, change } => format!("the output `{}` {}", shown(path), changed(*change)),
        Reason::OutputNotCached { path } => format!("the cache lost the output `{}`", shown(path)),
        Reason::UpstreamStale { stage } => {
            format!("it needs `{}`, which is not up to date", stage.display_from(from))
        }
    }
}

/// What differs inside a group of parameters.
fn inner_changes(old: &ParamValue, new: &ParamValue) -> String {
    let (old, new): (IndexMap<_, _>, IndexMap<_, _>) =
        (flatten(old).into_iter().collect(), flatten(new).into_iter().collect());
    let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
    let gone = gone.map(|(name, old)| format!("`{name}` is gone, it was {}", value(old)));
    let there = new.iter().filter_map(|(name, new)| match old.get(name) {
        Some(old) if python_equal(old, new) => None,
        Some(old) => Some(format!("`{name}` from {} to {}", value(old), value(new))),
        None => Some(format!("`{name}` is new, {}", value(new))),
    });
    there.chain(gone).collect::<Vec<_>>().join("; ")
}

/// A value, such that a text is told from a number that looks like it.
fn value(value: &ParamValue) -> String {
    match value {
        ParamValue::Text(text) => format!("{text:?}"),
        ParamValue::Null => "null".to_owned(),
        value => number::value(value, Digits::All),
    }
}

/// The files of a directory that differ, the first of each kind by name.
fn files(changes: &FileChanges) -> Vec<String> {
    let kinds = [("added", &changes.added), ("changed", &changes.changed), ("removed", &changes.removed)];
    let named = kinds.into_iter().filter(|(_, paths)| !paths.is_empty()).map(|(word, paths)| {
        let names = paths.iter().take(SHOWN).map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
        match paths.len().saturating_sub(SHOWN) {
            0 => format!("  {word}: {names}"),
            more => format!("  {word}: {names} and {more} more"),
        }
    });
    named.collect()
}

/// Why a stage does not run.
fn unchanged(explanation: &Explanation) -> String {
    let Compared { deps, params, outs } = explanation.compared;
    let mut parts = Vec::new();
    if explanation.command.is_some() {
        parts.push("its command".to_owned());
    }
    if deps > 0 {
        parts.push(if deps == 1 { "1 dependency".to_owned() } else { format!("{deps} dependencies") });
    }
    parts.extend((params > 0).then(|| counted(params, "parameter")));
    parts.extend((outs > 0).then(|| counted(outs, "output")));
    format!("nothing changed: {}", parts.join(", "))
}

/// Tells why stages run or not while they do. Takes events in place of another sink, hands them on, and tells the reasons
/// right behind what that one says.
pub struct Explainer {
    ui: Arc<Ui>,
    events: Arc<dyn EventSink>,
    from: RepoPath,
    form: Form,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    /// What was decided and has no event yet, by the name of the stage in events.
    waiting: BTreeMap<String, Explanation>,
    /// What is known to have been done.
    done: Vec<(Explanation, Option<Course>)>,
}

impl Explainer {
    /// An explainer for a user in the folder `from`; `events` takes what it takes.
    #[must_use]
    pub fn new(ui: Arc<Ui>, events: Arc<dyn EventSink>, from: RepoPath, form: Form) -> Self {
        Self { ui, events, from, form, told: Mutex::default() }
    }

    /// Prints the document, when that is the form: the stages in the order of `selection`, whichever came first, with `more`
    /// beside them.
    ///
    /// # Errors
    /// When stdout does not take it.
    pub fn finish(&self, selection: &Selection, more: Map<String, Value>) -> Result<(), Failure> {
        if self.form == Form::Text {
            return Ok(());
        }
        let told = std::mem::take(&mut *self.told());
        let undone = told.waiting.into_values().map(|explanation| (explanation, None));
        let mut steps: Vec<_> = told.done.into_iter().chain(undone).collect();
        let order = selection.order.iter().map(|id| &selection.pipeline.stage(*id).address);
        let order: HashMap<&StageAddress, usize> = order.zip(0..).collect();
        steps.sort_by_key(|(explanation, _)| order.get(&explanation.stage).copied());
        self.ui.print(&document(&steps, &self.from, more))
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, told: &mut Told, stage: &str, course: Course) {
        let Some(explanation) = told.waiting.remove(stage) else { return };
        // A stage that has a reason to run and is called fresh only has outputs that the cache lacks.
        let is_kept = course == Course::Skip && !explanation.causes.is_empty();
        let course = if is_kept { Course::Keep } else { course };
        if self.form == Form::Text {
            // A run is not stopped because nobody reads why.
            let _nobody_reads = self.ui.tell(&causes(&explanation, &self.from, Detail::Thorough));
        }
        told.done.push((explanation, Some(course)));
    }
}

impl ExplanationSink for Explainer {
    fn decided(&self, explanation: Explanation) {
        self.told().waiting.insert(explanation.stage.display_from(&self.from), explanation);
    }
}

impl EventSink for Explainer {
    fn event(&self, event: Event) {
        let course = match &event {
            Event::StageFresh { stage } => Some((stage.clone(), Course::Skip)),
            Event::StageVerified { stage } => Some((stage.clone(), Course::Track)),
            Event::StageStarted { stage } => Some((stage.clone(), Course::Run)),
            Event::StageRestored { stage } => Some((stage.clone(), Course::Restore)),
            Event::StageFrozen { stage } => Some((stage.clone(), Course::Leave)),
            _ => None,
        };
        // Held until the reasons are told, so that nothing of another stage comes between.
        let mut told = self.told();
        self.events.event(event);
        if let Some((stage, course)) = course {
            self.tell(&mut told, &stage, course);
        }
    }
}
