//! `stage add` and `stage list`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::fs::write_atomic;
use dewar_core::gitignore;
use dewar_core::graph::StageGraph;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::add::{self, Existing, NewOutput, NewStage};
use dewar_core::pipeline::files::{Overlaid, Overlay};
use dewar_core::pipeline::target::{self, Folders, Targets, Typed};
use dewar_core::pipeline::{
    Command, OutputKind, PIPELINE_FILE, Pipeline, PipelineError, ProjectFiles, Stage, StageAddress, template,
};
use dewar_core::plan::Force;
use dewar_core::repro::{self, Reach};
use dewar_core::source::Source;

use super::project::{Project, Results, files};
use crate::args::stage::{StageAddArgs, StageArgs, StageCommand, StageListArgs};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, text};

/// Does what `stage` was told.
///
/// # Errors
/// What stopped the command.
pub fn run(args: &StageArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    match &args.command {
        StageCommand::Add(args) => write(args, session, ui),
        StageCommand::List(args) => list(args, session, ui),
    }
}

fn write(args: &StageAddArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let _held = project.repo.take_workspace("stage add")?;
    let files = files(&project);
    let file = project.repo.from().join(PIPELINE_FILE)?;
    let old = files.read(&file)?;
    let is_new = old.is_none();
    let source = Source::new(file.clone(), old.unwrap_or_default());
    let existing = if args.force { Existing::Replace } else { Existing::Refuse };
    let text = add::with_stage(&source, &new_stage(args), existing)?;
    // Nothing is written before the pipeline with the stage in it holds.
    let overlay: Overlay = [(file.clone(), Arc::from(text.as_slice()))].into_iter().collect();
    let pipeline = match Pipeline::load(&Overlaid::new(files.clone(), overlay), project.templates()) {
        Err(PipelineError::Source(error)) if template::lacks_variable(&error) => {
            // The variable may be defined later, as DVC has it. What was there before must hold even so.
            StageGraph::build(&Pipeline::load(&files, project.templates())?)?;
            Failure::from(error).problems().for_each(|problem| ui.warn(problem));
            None
        }
        loaded => Some(loaded?),
    };
    if let Some(pipeline) = &pipeline {
        StageGraph::build(pipeline)?;
    }
    let address = StageAddress { file: file.clone(), name: Some(args.name.clone()) };
    let stage = pipeline.as_ref().and_then(|pipeline| Some(pipeline.stage(pipeline.find(&address)?)));
    if let Some(stage) = stage.filter(|stage| !stage.folder.under(files.root()).is_dir()) {
        return Err(PipelineError::NoFolder(stage.folder.clone()).into());
    }
    write_atomic(&file.under(files.root()), &text)?;
    if is_new {
        ui.tell(&format!("Creating '{}'", text::visible(file.as_str())))?;
    }
    ui.tell(&format!("Adding stage '{}' in '{}'", text::visible(&args.name), text::visible(file.as_str())))?;
    if let (Some(git), Some(stage)) = (&project.repo.git, stage) {
        let outs: Vec<RepoPath> = stage.outs.iter().filter(|out| out.cached).map(|out| out.path.clone()).collect();
        gitignore::add(files.root(), &outs, |path| git.is_ignored(path).unwrap_or(false))?;
    }
    if args.run {
        let name = std::slice::from_ref(&args.name);
        let targets = Targets::Typed(project.typed(name));
        let selection = repro::select(&files, project.templates(), &targets, Reach::Single)?;
        project.run(&selection, Force::No, Results::default(), Vec::new())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn new_stage(args: &StageAddArgs) -> NewStage {
    let mut outs = Vec::new();
    let kinds = [
        (&args.outs, OutputKind::Plain, true, false),
        (&args.outs_no_cache, OutputKind::Plain, false, false),
        (&args.outs_persist, OutputKind::Plain, true, true),
        (&args.outs_persist_no_cache, OutputKind::Plain, false, true),
        (&args.metrics, OutputKind::Metric, true, false),
        (&args.metrics_no_cache, OutputKind::Metric, false, false),
        (&args.plots, OutputKind::Plot, true, false),
        (&args.plots_no_cache, OutputKind::Plot, false, false),
    ];
    for (paths, kind, cached, persists) in kinds {
        outs.extend(paths.iter().map(|path| NewOutput { path: path.clone(), kind, cached, persists }));
    }
    NewStage {
        name: args.name.clone(),
        command: Command::Text(joined(&args.command)),
        wdir: args.wdir.clone(),
        deps: args.deps.clone(),
        params: args.params.iter().map(|text| param(text)).collect(),
        outs,
        always_changed: args.always_changed,
        desc: args.desc.clone(),
    }
}

/// `a,b.c`, `file:a,b`, or `file:` for all of a file.
fn param(text: &str) -> (Option<String>, Vec<String>) {
    let (file, keys) = match text.rsplit_once(':') {
        Some((file, keys)) => (Some(file.to_owned()), keys),
        None => (None, text),
    };
    (file, keys.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect())
}

/// One word is shell text as it is; of several, those that the shell would split are put in quotes.
fn joined(words: &[String]) -> String {
    if let [text] = words {
        return text.clone();
    }
    let quoted = |word: &String| {
        let splits = word.is_empty() || word.chars().any(char::is_whitespace);
        if splits { format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")) } else { word.clone() }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn list(args: &StageListArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let pipeline = Pipeline::load(&files(&project), project.templates())?;
    let from = project.repo.from();
    let ids = target::stages(&pipeline, &targets(&project, args))?;
    let stages: Vec<&Stage> = ids.into_iter().map(|id| pipeline.stage(id)).collect();
    let names: Vec<String> = stages.iter().map(|stage| stage.address.display_from(from)).collect();
    let width = names.iter().map(|name| text::visible(name).chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for (stage, name) in stages.iter().zip(&names) {
        let name = text::visible(name);
        // Writing to a string cannot fail.
        let _infallible = match args.name_only {
            true => writeln!(out, "{name}"),
            false => writeln!(out, "{name:<width$}  {}", text::visible(&describe(stage))),
        };
    }
    ui.print(&out)?;
    Ok(ExitCode::SUCCESS)
}

fn targets<'a>(project: &'a Project<'_>, args: &'a StageListArgs) -> Targets<'a> {
    if args.all {
        return Targets::All;
    }
    let folders = if args.recursive { Folders::Searched } else { Folders::Refused };
    Targets::Typed(Typed { folders, ..project.typed(&args.targets) })
}

/// The first line of its description, else what it writes, in DVC's words.
fn describe(stage: &Stage) -> String {
    if let Some(desc) = &stage.desc {
        return desc.lines().next().unwrap_or_default().to_owned();
    }
    let of = |wanted: OutputKind| {
        let paths = stage.outs.iter().filter(move |out| out.kind == wanted).map(|out| out.lock_path.as_str());
        paths.collect::<Vec<_>>().join(", ")
    };
    let labels = [("Outputs", OutputKind::Plain), ("Reports", OutputKind::Metric), ("Plots", OutputKind::Plot)];
    let parts: Vec<String> = labels
        .into_iter()
        .map(|(label, kind)| (label, of(kind)))
        .filter(|(_, paths)| !paths.is_empty())
        .map(|(label, paths)| format!("{label} {paths}"))
        .collect();
    if parts.is_empty() { "No outputs or dependencies".to_owned() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_spaces_are_quoted() {
        let words = |words: &[&str]| joined(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&["echo 'a b'"]), "echo 'a b'");
        assert_eq!(words(&["cmd", "a b", "", "-o", "x"]), "cmd \"a b\" \"\" -o x");
        assert_eq!(words(&["cmd", "say \"hi\""]), "cmd \"say \\\"hi\\\"\"");
    }

    #[test]
    fn parameters_name_their_file() {
        assert_eq!(param("a,b.c"), (None, vec!["a".into(), "b.c".into()]));
        assert_eq!(param("m.toml:"), (Some("m.toml".into()), vec![]));
        assert_eq!(param("sub/x.json:k"), (Some("sub/x.json".into()), vec!["k".into()]));
    }
}
