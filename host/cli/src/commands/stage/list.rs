//! `stage list`: what there is, for people and for scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::path::RepoPath;
use dewar_core::pipeline::load::StageId;
use dewar_core::pipeline::target::{self, Folders, TargetError, Targets, Typed};
use dewar_core::pipeline::{OutputKind, ParamKeys, Pipeline, Stage};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::args::stage::StageListArgs;
use crate::commands::project::{Project, files};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Ui, text};

/// Characters of a description (DVC's rule).
const WIDTH: usize = 80;

/// Does what `stage list` was told.
///
/// # Errors
/// When what is asked for is not there or cannot be read.
pub(super) fn run(args: &StageListArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let from = project.repo.from();
    let (pipeline, mut unusable) = if args.fail {
        (Pipeline::load(&files(&project), project.templates())?, BTreeMap::new())
    } else {
        Pipeline::load_usable(&files(&project), project.templates())?
    };
    let ids = match selected(&pipeline, &project, args) {
        Ok(ids) => ids,
        // What is asked for is in a file that cannot be read.
        Err(error) => match looked_in(&error).and_then(|file| unusable.remove(&file)) {
            Some(unusable) => return Err(unusable.into()),
            None => return Err(error.into()),
        },
    };
    let is_asked =
        |file: &RepoPath| args.all || (args.recursive && folders(args, from).any(|folder| file.is_within(&folder)));
    for (_, error) in unusable.into_iter().filter(|(file, _)| is_asked(file)) {
        Failure::from(error).problems().for_each(|problem| ui.warn(problem));
    }
    let stages: Vec<&Stage> = ids.into_iter().map(|id| pipeline.stage(id)).collect();
    if args.json {
        let stages: Vec<Value> = stages.into_iter().map(|stage| as_json(stage, from)).collect();
        ui.print(&format!("{}\n", Value::Array(stages)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let names: Vec<String> =
        stages.iter().map(|stage| text::visible(&stage.address.display_from(from)).into_owned()).collect();
    let widest = names.iter().map(|name| name.width()).max().unwrap_or_default();
    let mut out = String::new();
    for (stage, name) in stages.iter().zip(&names) {
        // Writing to a string cannot fail.
        let _infallible = match args.name_only {
            true => writeln!(out, "{name}"),
            false => {
                let gap = " ".repeat(widest - name.width());
                writeln!(out, "{name}{gap}  {}", text::visible(&short(&describe(stage))))
            }
        };
    }
    ui.print(&out)?;
    Ok(ExitCode::SUCCESS)
}

fn selected(pipeline: &Pipeline, project: &Project<'_>, args: &StageListArgs) -> Result<Vec<StageId>, TargetError> {
    if args.all {
        return target::stages(pipeline, &Targets::All);
    }
    let folders = if args.recursive { Folders::Searched } else { Folders::Refused };
    let typed = Typed { folders, ..project.typed(&args.targets) };
    if !args.recursive {
        return target::stages(pipeline, &Targets::Typed(typed));
    }
    let mut ids = BTreeSet::new();
    for text in &args.targets {
        let texts = std::slice::from_ref(text);
        match target::stages(pipeline, &Targets::Typed(Typed { texts, ..typed })) {
            // A folder without stages is one all the same.
            Err(_) if project.repo.from().under(project.repo.root()).join(text).is_dir() => {}
            found => ids.extend(found?),
        }
    }
    Ok(ids.into_iter().collect())
}

/// The file that would have had what a target names.
fn looked_in(error: &TargetError) -> Option<RepoPath> {
    match error {
        TargetError::NoPipelineHere { file, .. }
        | TargetError::NoFile { file, .. }
        | TargetError::NoStage { file, .. }
        | TargetError::NoMatch { file, .. }
        | TargetError::Unknown { file, .. } => Some(file.clone()),
        TargetError::Path(_) | TargetError::Folder { .. } | TargetError::NotWritten { .. } => None,
    }
}

fn folders<'a>(args: &'a StageListArgs, from: &'a RepoPath) -> impl Iterator<Item = RepoPath> + 'a {
    args.targets.iter().filter_map(|text| from.join(text).ok())
}

/// The first line of its description, else what it writes or reads, in DVC's words.
fn describe(stage: &Stage) -> String {
    let line = stage.desc.as_ref().and_then(|desc| desc.lines().find(|line| !line.is_empty()));
    if let Some(line) = line {
        return line.trim().to_owned();
    }
    let outs = |wanted: &[OutputKind]| {
        let paths = stage.outs.iter().filter(|out| wanted.contains(&out.kind)).map(|out| out.lock_path.as_str());
        paths.collect::<Vec<_>>().join(", ")
    };
    let read = || stage.deps.iter().map(|dep| dep.path.as_str()).chain(stage.params.iter().map(|param| &*param.path));
    if stage.outs.is_empty() {
        let read: Vec<&str> = read().collect();
        return match read.is_empty() {
            true => "No outputs or dependencies".to_owned(),
            false => format!("Depends on {}", read.join(", ")),
        };
    }
    let labels = [("Outputs", &[OutputKind::Plain][..]), ("Reports", &[OutputKind::Metric, OutputKind::Plot])];
    let parts = labels.map(|(label, kinds)| (label, outs(kinds)));
    let parts = parts.into_iter().filter(|(_, paths)| !paths.is_empty());
    parts.map(|(label, paths)| format!("{label} {paths}")).collect::<Vec<_>>().join("; ")
}

fn short(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// Paths of a stage are relative to its folder, as `dvc.yaml` has them; `file` and `folder` to the root of the project.
fn as_json(stage: &Stage, from: &RepoPath) -> Value {
    let outs = |wanted: OutputKind| {
        let outs = stage.outs.iter().filter(|out| out.kind == wanted);
        let out = |out: &dewar_core::pipeline::Output| json!({"path": out.lock_path, "cache": out.cached, "persist": out.persists, "push": out.pushed});
        outs.map(out).collect::<Vec<_>>()
    };
    let keys = |keys: &ParamKeys| match keys {
        ParamKeys::All => Value::Null,
        ParamKeys::Some(keys) => json!(keys),
    };
    let params: serde_json::Map<String, Value> =
        stage.params.iter().map(|param| (param.path.clone(), keys(&param.keys))).collect();
    json!({
        "target": stage.address.display_from(from),
        "file": stage.address.file.as_str(),
        "name": stage.address.name,
        "desc": stage.desc,
        "cmd": stage.command.as_ref().map(dewar_core::pipeline::Command::shell_texts),
        "folder": if stage.folder.is_root() { "." } else { stage.folder.as_str() },
        "deps": stage.deps.iter().map(|dep| &dep.path).collect::<Vec<_>>(),
        "params": params,
        "outs": outs(OutputKind::Plain),
        "metrics": outs(OutputKind::Metric),
        "plots": outs(OutputKind::Plot),
        "frozen": stage.frozen,
        "always_changed": stage.always_changed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_description_is_cut() {
        assert_eq!(short(&"ü".repeat(80)), "ü".repeat(80));
        assert_eq!(short(&"ü".repeat(81)), format!("{}…", "ü".repeat(79)));
    }
}
