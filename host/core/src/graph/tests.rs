use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::params::ParamFiles;
use crate::pipeline::{FlagStyle, PipelineError, ProjectFiles, Templates};
use crate::testing::YamlOnly;

mod model;

/// Files that exist in memory alone.
struct Texts(BTreeMap<RepoPath, String>, PathBuf);

impl ProjectFiles for Texts {
    fn root(&self) -> &Path {
        &self.1
    }

    fn read(&self, file: &RepoPath) -> Result<Option<Vec<u8>>, PipelineError> {
        Ok(self.0.get(file).map(|text| text.clone().into_bytes()))
    }

    fn pipeline_files(&self) -> Result<Vec<RepoPath>, PipelineError> {
        Ok(self.0.keys().cloned().collect())
    }
}

fn pipeline(text: &str) -> Pipeline {
    let file = RepoPath::parse("dvc.yaml").unwrap();
    let values = ParamFiles::new(YamlOnly::version("1"), None);
    let templates = Templates { values: &values, flags: FlagStyle::default() };
    Pipeline::load(&Texts([(file, text.to_owned())].into(), "/project".into()), templates).unwrap()
}

fn names(pipeline: &Pipeline, order: &[StageId]) -> Vec<String> {
    order.iter().map(|id| pipeline.stage(*id).address.to_string()).collect()
}

fn ids(pipeline: &Pipeline, wanted: &[&str]) -> Vec<StageId> {
    let is_wanted = |name: &str| pipeline.stages().find(|(_, stage)| stage.address.to_string() == name).unwrap().0;
    wanted.iter().map(|name| is_wanted(name)).collect()
}

const DIAMOND: &str = "stages:\n  join: {cmd: x, deps: [l, r], outs: [j]}\n  left: {cmd: x, deps: [top], outs: [l]}\n  \
                       right: {cmd: x, deps: [top], outs: [r]}\n  top: {cmd: x, deps: [src], outs: [top]}\n  \
                       apart: {cmd: x, outs: [z]}\n";

#[test]
fn each_stage_comes_after_what_it_needs() {
    let pipeline = pipeline(DIAMOND);
    let graph = StageGraph::build(&pipeline).unwrap();
    let order = graph.upstream_first(&pipeline, &ids(&pipeline, &["join"]));
    assert_eq!(names(&pipeline, &order), ["top", "left", "right", "join"]);
    let order = graph.downstream(&ids(&pipeline, &["top"]));
    assert_eq!((names(&pipeline, &order)[0].as_str(), order.len()), ("top", 4));
    assert_eq!(names(&pipeline, &graph.needs(ids(&pipeline, &["join"])[0])), ["left", "right"]);
    assert_eq!(names(&pipeline, &graph.needed_by(ids(&pipeline, &["top"])[0])), ["left", "right"]);
}

#[test]
fn a_frozen_stage_pulls_nothing_in() {
    let pipeline = pipeline(&DIAMOND.replace("left: {cmd: x,", "left: {cmd: x, frozen: true,"));
    let graph = StageGraph::build(&pipeline).unwrap();
    let order = graph.upstream_first(&pipeline, &ids(&pipeline, &["left"]));
    assert_eq!(names(&pipeline, &order), ["left"]);
}

#[test]
fn a_pipeline_is_all_that_is_connected() {
    let pipeline = pipeline(&DIAMOND.replace("left: {cmd: x,", "left: {cmd: x, frozen: true,"));
    let graph = StageGraph::build(&pipeline).unwrap();
    let of = |targets: &[&str]| {
        let mut order = names(&pipeline, &graph.connected(&pipeline, &ids(&pipeline, targets)));
        order.sort();
        order
    };
    assert_eq!(of(&["left"]), ["join", "left", "right", "top"]);
    assert_eq!(of(&["apart"]), ["apart"]);
    assert_eq!(of(&["apart", "top"]).len(), 5);
}

#[test]
fn files_in_directories_connect_stages() {
    let pipeline = pipeline(
        "stages:\n  use: {cmd: x, deps: [d], outs: [out]}\n  make: {cmd: x, outs: [d/gen]}\n  \
         part: {cmd: x, deps: [whole/one], outs: [p]}\n  all: {cmd: x, outs: [whole]}\n  near: {cmd: x, outs: [d-x]}\n",
    );
    let graph = StageGraph::build(&pipeline).unwrap();
    let edges: Vec<_> =
        graph.edges().map(|(from, to, _)| (names(&pipeline, &[from]), names(&pipeline, &[to]))).collect();
    assert_eq!(
        edges,
        [(vec!["use".to_owned()], vec!["make".to_owned()]), (vec!["part".to_owned()], vec!["all".to_owned()])]
    );
}

#[test]
fn collisions_name_the_paths_and_the_stages() {
    let error = |text: &str| StageGraph::build(&pipeline(text)).unwrap_err();
    let twice = error("stages:\n  a: {cmd: x, outs: [o]}\n  b: {cmd: x, outs: [o]}\n");
    assert_eq!(twice.to_string(), "the output `o` is written by two stages: `a` and `b`");
    let inside = error("stages:\n  a: {cmd: x, outs: [d]}\n  b: {cmd: x, outs: [d/e/f]}\n");
    assert!(matches!(inside, GraphError::Overlap { .. }), "{inside}");
    let circle = error("stages:\n  a: {cmd: x, deps: [z], outs: [y]}\n  b: {cmd: x, deps: [y], outs: [z]}\n");
    assert_eq!(circle.to_string(), "the stages need each other in a circle: `a` needs `b` needs `a`");
    let own = error("stages:\n  a: {cmd: x, deps: [o], outs: [o]}\n");
    assert_eq!(own.to_string(), "the stages need each other in a circle: `a` needs `a`");
}
