//! What the user names on the command line: stages of the pipeline.

use super::PipelineError;
use super::load::{Pipeline, StageId};
use super::stage::{DATA_SUFFIX, PIPELINE_FILE, StageAddress};
use crate::path::RepoPath;
use crate::words::most_similar;

/// The stages that `target`, typed in the folder `from`, names: a stage of the `dvc.yaml` there, a file (`sub/dvc.yaml`,
/// `data.dvc`), a stage of a file (`sub/dvc.yaml:train`), or a group of generated stages. Never none.
///
/// # Errors
/// When it names nothing.
pub fn resolve(pipeline: &Pipeline, from: &RepoPath, target: &str) -> Result<Vec<StageId>, PipelineError> {
    let join = |text: &str| from.join(text).map_err(|_| PipelineError::Outside(target.to_owned()));
    let (file, name) = match target.rsplit_once(':') {
        Some((file, name)) if !name.contains(['/', '\\']) => (file, Some(name)),
        _ if is_file(target) => (target, None),
        _ => ("", Some(target)),
    };
    let file = join(if file.is_empty() { PIPELINE_FILE } else { file })?;
    let Some(name) = name else { return in_file(pipeline, &file) };
    if !pipeline.files().contains_key(&file) {
        return Err(PipelineError::NoPipeline(file));
    }
    if let Some(id) = pipeline.find(&StageAddress { file: file.clone(), name: Some(name.to_owned()) }) {
        return Ok(vec![id]);
    }
    let group = |stage: &str| stage.rsplit_once('@').is_some_and(|(group, _)| group == name);
    let members: Vec<StageId> = names_in(pipeline, &file).filter(|(_, stage)| group(stage)).map(|(id, _)| id).collect();
    if members.is_empty() {
        let similar = most_similar(name, names_in(pipeline, &file).map(|(_, stage)| stage)).map(str::to_owned);
        return Err(PipelineError::NoStage { target: name.to_owned(), file, similar });
    }
    Ok(members)
}

/// All stages of the `dvc.yaml` in the folder `from`: what is meant when nothing is named.
///
/// # Errors
/// When there is no such file.
pub fn default(pipeline: &Pipeline, from: &RepoPath) -> Result<Vec<StageId>, PipelineError> {
    in_file(pipeline, &from.join(PIPELINE_FILE).unwrap_or_default())
}

fn is_file(target: &str) -> bool {
    let name = target.rsplit('/').next().unwrap_or(target);
    name == PIPELINE_FILE || name.ends_with(DATA_SUFFIX)
}

fn in_file(pipeline: &Pipeline, file: &RepoPath) -> Result<Vec<StageId>, PipelineError> {
    if !pipeline.files().contains_key(file) && pipeline.data_file(file).is_none() {
        return Err(PipelineError::NoPipeline(file.clone()));
    }
    Ok(pipeline.stages().filter(|(_, stage)| stage.address.file == *file).map(|(id, _)| id).collect())
}

fn names_in<'a>(pipeline: &'a Pipeline, file: &'a RepoPath) -> impl Iterator<Item = (StageId, &'a str)> {
    pipeline
        .stages()
        .filter(move |(_, stage)| stage.address.file == *file)
        .filter_map(|(id, stage)| stage.address.name.as_deref().map(|name| (id, name)))
}
