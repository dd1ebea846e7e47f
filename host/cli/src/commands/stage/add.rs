//! `stage add`: a stage written to `dvc.yaml`, once the pipeline with it holds.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::fs::write_inside;
use dewar_core::gitignore;
use dewar_core::graph::StageGraph;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::add::{self, Existing, NewOutput, NewStage};
use dewar_core::pipeline::files::{Overlaid, Overlay, WorkFiles};
use dewar_core::pipeline::target::Targets;
use dewar_core::pipeline::{
    Command, OutputKind, PIPELINE_FILE, Pipeline, PipelineError, ProjectFiles, Stage, StageAddress, template,
};
use dewar_core::repro::{self, Reach};
use dewar_core::source::Source;
use dewar_core::track::TrackError;

use crate::args::stage::StageAddArgs;
use crate::commands::project::{Project, StageRuns, files};
use crate::commands::repro::refuse_checkpoints;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, text};

/// Does what `stage add` was told.
///
/// # Errors
/// When the project would not hold with the stage in it; then nothing is written.
pub(super) fn run(args: &StageAddArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let _held = project.take_workspace("stage add")?;
    let files = files(&project);
    let file = project.repo.from().join(PIPELINE_FILE)?;
    let source = Source::new(file.clone(), files.read(&file)?.unwrap_or_default());
    let existing = if args.force { Existing::Replace } else { Existing::Refuse };
    let text = add::with_stage(&source, &new_stage(args, &project), existing)?;
    refuse_ignored(&project, &file)?;
    let overlay: Overlay = [(file.clone(), Arc::from(text.as_slice()))].into_iter().collect();
    let pipeline = checked(&project, &files, overlay, ui)?;
    let address = StageAddress { file: file.clone(), name: Some(args.name.clone()) };
    let stage = pipeline.as_ref().and_then(|pipeline| Some(pipeline.stage(pipeline.find(&address)?)));
    let outs = stage.map_or_else(|| Ok(Vec::new()), |stage| outputs(&project, stage))?;
    write_inside(files.root(), &file, &text)?;
    ui.tell(&format!("Added stage '{}' in '{PIPELINE_FILE}'", text::visible(&args.name)))?;
    let mut touched = BTreeSet::from([file]);
    if let Some(git) = &project.repo.git {
        touched.extend(gitignore::add(files.root(), &outs, |path| git.is_ignored(path).unwrap_or(false))?);
    }
    if args.run {
        let name = std::slice::from_ref(&args.name);
        let targets = Targets::Typed(project.typed(name));
        let selection = repro::select(&files, project.templates(), &targets, Reach::Single)?;
        refuse_checkpoints(&selection)?;
        project.run(&selection, &StageRuns::default(), Vec::new(), None)?;
    }
    project.suggest_git_add(ui, &touched)?;
    Ok(ExitCode::SUCCESS)
}

/// The pipeline with the stage in it; none when a variable of the stage is not defined yet, which it may be later, as DVC has
/// it. What was there before must hold even so.
fn checked(
    project: &Project<'_>,
    files: &WorkFiles,
    overlay: Overlay,
    ui: &Arc<Ui>,
) -> Result<Option<Pipeline>, Failure> {
    match Pipeline::load(&Overlaid::new(files.clone(), overlay), project.templates()) {
        Err(PipelineError::Source(error)) if template::lacks_variable(&error) => {
            StageGraph::build(&Pipeline::load(files, project.templates())?)?;
            Failure::from(error).problems().for_each(|problem| ui.warn(problem));
            Ok(None)
        }
        loaded => {
            let pipeline = loaded?;
            StageGraph::build(&pipeline)?;
            Ok(Some(pipeline))
        }
    }
}

/// A `dvc.yaml` that git ignores would be found by nobody else, and not by dewar either.
fn refuse_ignored(project: &Project<'_>, file: &RepoPath) -> Result<(), Failure> {
    match &project.repo.git {
        Some(git) if git.is_ignored(file)? && !git.is_tracked(file)? => {
            Err(PipelineError::Ignored(file.clone()).into())
        }
        _ => Ok(()),
    }
}

/// What git is to ignore of the outputs. The folder of the stage must be there, and git must not have the outputs.
fn outputs(project: &Project<'_>, stage: &Stage) -> Result<Vec<RepoPath>, Failure> {
    if !stage.folder.under(project.repo.root()).is_dir() {
        return Err(PipelineError::NoFolder(stage.folder.clone()).into());
    }
    let outs: Vec<RepoPath> = stage.outs.iter().filter(|out| out.cached).map(|out| out.path.clone()).collect();
    for out in &outs {
        if let Some(git) = &project.repo.git
            && git.is_tracked(out)?
        {
            return Err(TrackError::TrackedByGit(out.clone()).into());
        }
    }
    Ok(outs)
}

fn new_stage(args: &StageAddArgs, project: &Project<'_>) -> NewStage {
    let from = project.repo.from();
    let wdir = args.wdir.as_ref().map(|wdir| relative(project, from, wdir));
    // Paths of a stage are relative to the folder that it runs in.
    let folder = wdir.as_ref().and_then(|wdir| from.join(wdir).ok()).unwrap_or_else(|| from.clone());
    let path = |text: &String| relative(project, &folder, text);
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
        outs.extend(paths.iter().map(|text| NewOutput { path: path(text), kind, cached, persists }));
    }
    NewStage {
        name: args.name.clone(),
        command: Command::Text(joined(&args.command)),
        wdir: wdir
            .map(|wdir| from.join(&wdir).map_or(wdir, |folder| folder.relative_to(from)))
            .filter(|wdir| wdir != "."),
        deps: args.deps.iter().map(path).collect(),
        params: args.params.iter().map(|text| param(text)).collect(),
        outs,
        always_changed: args.always_changed,
        desc: args.desc.clone(),
    }
}

/// An absolute path inside the project as it is written in `folder`, so that it holds in other clones; others as typed.
fn relative(project: &Project<'_>, folder: &RepoPath, typed: &str) -> String {
    let absolute = Path::new(typed);
    let inside = absolute.is_absolute().then(|| RepoPath::from_absolute(project.repo.root(), absolute).ok()).flatten();
    inside.map_or_else(|| typed.to_owned(), |inside| inside.relative_to(folder))
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
