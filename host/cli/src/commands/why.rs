//! `why`: what makes a stage differ from its last run, or between two revisions.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::observe::Observe;
use dewar_core::pipeline::target::{self, Targets};
use dewar_core::pipeline::{Pipeline, StageAddress};
use dewar_core::plan::{Cause, Downstream, Explanation, Plan, Reason, Recall, Rules, Step};
use dewar_core::repro::{self, Reach};
use dewar_core::why::{self, Difference, Ran, Side, Undeclared};
use serde_json::{Map, Value, json};

use super::project::{Project, Results, files};
use super::revision::Revision;
use crate::args::why::WhyArgs;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::explain::{Detail, causes, document};
use crate::ui::{Ui, style, text};

/// Does what `why` was told.
///
/// # Errors
/// When a revision or a stage does not exist, or a pipeline is invalid.
pub fn run(args: &WhyArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let told = match &args.old {
        None => since_last_run(&project, args)?,
        Some(old) => {
            let (old, new) = (Revision::find(&project, old)?, Revision::find(&project, &args.new)?);
            old.look(&project, |before| new.look(&project, |now| between(&project, args, [&old, &new], [before, now])))?
        }
    };
    if args.json {
        ui.print(&in_json(&told, args, &project))?;
    } else {
        told.iter().try_for_each(|told| ui.tell(&told.in_words(args, &project)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is told of a stage.
struct Told {
    stage: StageAddress,
    /// Behind the name of the stage.
    heading: String,
    /// None for a stage that one of the revisions does not have.
    difference: Option<Difference>,
}

/// Why the stages would run, or not.
fn since_last_run(project: &Project<'_>, args: &WhyArgs) -> Result<Vec<Told>, Failure> {
    let targets = std::slice::from_ref(&args.stage);
    let targets = Targets::Typed(project.typed(targets));
    let selection = repro::select(&files(project), project.templates(), &targets, Reach::Upstream)?;
    let named = target::stages(&selection.pipeline, &targets)?;
    let workspace = project.workspace(&selection.pipeline)?;
    let run_cache = project.run_cache(Results::default());
    let recall = Recall { observe: &workspace, store: workspace.store(), run_cache: run_cache.as_ref(), fetcher: None };
    let repro::Selection { pipeline, graph, order } = &selection;
    let plan = Plan::make(pipeline, graph.as_ref(), order, Rules::USUAL, Downstream::WhenStale, &recall)?;
    project.save_index();
    let mut steps: Vec<Step> = plan.steps.into_iter().filter(|step| named.contains(&step.stage)).collect();
    tell_files_of_head(project, pipeline, &mut steps, &workspace);
    let told = steps.into_iter().map(|step| {
        let mut upstream = why::upstream(pipeline, &step.why);
        for cause in &step.why.causes {
            if let Reason::UpstreamStale { stage } = &cause.reason
                && !upstream.contains(stage)
            {
                upstream.push(stage.clone());
            }
        }
        let heading = if step.why.causes.is_empty() { "as in its last run" } else { "not as in its last run" };
        let difference = Difference { why: step.why, undeclared: Vec::new(), upstream, ran: [Ran::Yes; 2] };
        Told { stage: difference.why.stage.clone(), heading: heading.to_owned(), difference: Some(difference) }
    });
    Ok(told.collect())
}

/// What is in a directory that git tracks is not in the cache; `HEAD` may have it as it was when the stage ran.
fn tell_files_of_head(project: &Project<'_>, pipeline: &Pipeline, steps: &mut [Step], workspace: &dyn Observe) {
    let is_untold = |cause: &Cause| matches!(cause.reason, Reason::DependencyChanged { .. }) && cause.files.is_none();
    if !steps.iter().any(|step| step.why.causes.iter().any(is_untold)) {
        return;
    }
    let Ok(head) = Revision::find(project, "HEAD") else { return };
    let told = head.observe(project, |_, recorded, _| {
        for step in steps {
            if let Some(locked) = pipeline.locked(pipeline.stage(step.stage)) {
                why::tell_files(&mut step.why, locked, recorded, workspace);
            }
        }
        Ok(())
    });
    // It adds to what is told, and is not what was asked.
    drop(told);
}

fn between(
    project: &Project<'_>,
    args: &WhyArgs,
    revisions: [&Revision<'_>; 2],
    [before, now]: [Side<'_>; 2],
) -> Result<Vec<Told>, Failure> {
    let [old, new] = revisions.map(|revision| revision.name);
    let mut told = Vec::new();
    for stage in named(project, args, [before.pipeline, now.pipeline])? {
        let found = [before, now].map(|side| side.pipeline.find(&stage).map(|id| side.pipeline.stage(id)));
        let (heading, difference) = match found {
            [Some(then), Some(is)] => {
                let difference = why::difference((then, before), (is, now))?;
                let how = if difference.is_none() { "the same in" } else { "differs between" };
                (format!("{how} `{old}` and `{new}`"), Some(difference))
            }
            [None, _] => (format!("new in `{new}`; `{old}` has no such stage"), None),
            [_, None] => (format!("gone in `{new}`; `{old}` has it"), None),
        };
        told.push(Told { stage, heading, difference });
    }
    project.save_index();
    Ok(told)
}

/// The stages that are meant, those of the new revision first; one of them may lack some.
fn named(project: &Project<'_>, args: &WhyArgs, [old, new]: [&Pipeline; 2]) -> Result<Vec<StageAddress>, Failure> {
    let targets = std::slice::from_ref(&args.stage);
    let of = |pipeline: &Pipeline| -> Result<Vec<StageAddress>, _> {
        let stages = target::stages(pipeline, &Targets::Typed(project.typed(targets)))?;
        Ok::<_, target::TargetError>(stages.into_iter().map(|id| pipeline.stage(id).address.clone()).collect())
    };
    let (mut named, before) = match (of(new), of(old)) {
        (Ok(named), before) => (named, before.unwrap_or_default()),
        (Err(_), Ok(before)) => (Vec::new(), before),
        (Err(error), Err(_)) => return Err(error.into()),
    };
    for stage in before {
        if !named.contains(&stage) {
            named.push(stage);
        }
    }
    Ok(named)
}

impl Told {
    fn in_words(&self, args: &WhyArgs, project: &Project<'_>) -> String {
        let (from, name, dim) = (project.repo.from(), style::NAME, style::DIM);
        let stage = self.stage.display_from(from);
        let mut lines = vec![format!("{name}{}{name:#}: {}", text::visible(&stage), text::visible(&self.heading))];
        let Some(difference) = &self.difference else { return lines.concat() };
        let mut note = |line: &str| lines.push(format!("  {dim}{}{dim:#}", text::visible(line)));
        for (ran, revision) in difference.ran.iter().zip([args.old.as_deref(), Some(args.new.as_str())]) {
            if let (Ran::No, Some(revision)) = (ran, revision) {
                note(&format!("`{revision}` has no result of it, so outputs are not compared"));
            }
        }
        difference.undeclared.iter().for_each(|gone| note(&described(gone)));
        if args.old.is_some() && difference.is_of_outputs_alone() && difference.why.command.is_some() {
            note("nothing that it declares to read is another: it reads something else, or its results vary");
        }
        if !difference.why.causes.is_empty() || difference.is_none() {
            lines.push(causes(&difference.why, from, Detail::Thorough));
        }
        for upstream in &difference.upstream {
            let named = upstream.display_from(from);
            let quoted = [Some(named.as_str()), args.old.as_deref(), args.old.as_ref().map(|_| args.new.as_str())];
            let words: Vec<String> =
                quoted.into_iter().flatten().map(text::shell_quoted).map(|word| word.to_string()).collect();
            lines.push(format!("`{named}` writes what it reads: dewar why {}", words.join(" ")));
        }
        lines.join("\n")
    }
}

fn described(gone: &Undeclared) -> String {
    match gone {
        Undeclared::Dependency(path) => format!("it does not declare the dependency `{path}` any more"),
        Undeclared::Param { file, key: Some(key) } => {
            format!("it does not declare the parameter `{key}` of `{file}` any more")
        }
        Undeclared::Param { file, key: None } => format!("it does not declare all parameters of `{file}` any more"),
        Undeclared::Output(path) => format!("it does not declare the output `{path}` any more"),
    }
}

fn in_json(told: &[Told], args: &WhyArgs, project: &Project<'_>) -> String {
    let from = project.repo.from();
    let steps: Vec<(Explanation, Option<_>)> =
        told.iter().filter_map(|told| Some((told.difference.as_ref()?.why.clone(), None))).collect();
    let mut more = Map::new();
    more.insert("old".into(), json!(args.old));
    more.insert("new".into(), json!(args.new));
    let lines = |told: &Told| -> Value {
        let difference = told.difference.as_ref();
        let upstream =
            difference.map(|one| one.upstream.iter().map(|stage| stage.display_from(from)).collect::<Vec<_>>());
        let undeclared = difference.map(|one| one.undeclared.iter().map(undeclared_json).collect::<Vec<_>>());
        json!({
            "stage": told.stage.display_from(from),
            "same": difference.is_some_and(Difference::is_none),
            "in-both": difference.is_some(),
            "upstream": upstream.unwrap_or_default(),
            "undeclared": undeclared.unwrap_or_default(),
        })
    };
    more.insert("compared".into(), told.iter().map(lines).collect());
    document(&steps, from, more)
}

fn undeclared_json(gone: &Undeclared) -> Value {
    match gone {
        Undeclared::Dependency(path) => json!({ "dependency": path }),
        Undeclared::Param { file, key } => json!({ "file": file, "key": key }),
        Undeclared::Output(path) => json!({ "output": path }),
    }
}

/// A revision as it is compared, told to `what`.
impl Revision<'_> {
    fn look<T>(&self, project: &Project<'_>, what: impl FnOnce(Side<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        self.observe(project, |pipeline: &Pipeline, observe: &dyn Observe, results| {
            what(Side { pipeline, observe, results })
        })
    }
}
