mod checkpoints;
mod tasks;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use dewar_text::Value;

use super::memory::Memory;
use super::*;
use crate::config::OnLost;
use crate::digest::ObjectId;
use crate::exp::refs::ResolveError;
use crate::metrics::{FileData, ParamScope, RevisionReader};
use crate::params::ParamFiles;
use crate::pipeline::files::WorkFiles;
use crate::pipeline::{FlagStyle, Pipeline, Templates};
use crate::testing::{Project, Waiting, YamlOnly, path};

/// A baseline with `lr: 0.1` and experiments `e1`, `e2`, .. of the learning rates that are given, a second apart.
struct Tried {
    project: Project,
    baseline: CommitId,
    tips: Vec<CommitId>,
}

const LOCK: &str = "schema: '2.0'\nstages:\n  t:\n    cmd: c\n    deps:\n    - path: d\n      hash: md5\n      md5: 6137cde4893c59f76f005a8123d8e8e6\n      size: 5\n    outs:\n    - path: o\n      blake3: 6137cde4893c59f76f005a8123d8e8e66137cde4893c59f76f005a8123d8e8e6\n";

fn tried(rates: &[&str]) -> Tried {
    let project = Project::new();
    project.write(
        "dvc.yaml",
        "stages:\n  t: {cmd: c, deps: [d], params: [lr], outs: [o], metrics: [m.yaml: {cache: false}]}\n",
    );
    project.write("dvc.lock", LOCK);
    project.write("params.yaml", "lr: 0.1\nepochs: 3\n");
    project.write("m.yaml", "lr: 0.1\nacc: 1\n");
    let baseline = project.commit(100);
    let one = |(at, rate): (usize, &&str)| {
        let text = format!("lr: {rate}\nepochs: 3\n");
        let second = 200 + i64::try_from(at).unwrap();
        let tip = project.commit_on(baseline, &[("params.yaml", &text), ("m.yaml", &text)], second);
        project.experiment(baseline, &format!("e{}", at + 1), tip);
        tip
    };
    let tips = rates.iter().enumerate().map(one).collect();
    Tried { project, baseline, tips }
}

impl Tried {
    fn remembered(&self) -> PathBuf {
        self.project.root().join(".git/remembered")
    }

    fn show(&self, selection: &Selection) -> Show {
        self.show_as(selection, "1", Refresh::Never)
    }

    fn show_as(&self, selection: &Selection, plugin: &str, refresh: Refresh) -> Show {
        self.show_tasks(selection, plugin, refresh, OnLost::Retry, &[])
    }

    fn show_tasks(
        &self,
        selection: &Selection,
        plugin: &str,
        refresh: Refresh,
        on_lost: OnLost,
        hidden: &[State],
    ) -> Show {
        let git = self.project.git();
        let params = ParamFiles::new(YamlOnly::version(plugin), None);
        let objects = |_: &ObjectId| None;
        let work = WorkFiles::new(git.root().to_owned());
        let workspace = Pipeline::load(&work, Templates { values: &params, flags: FlagStyle::default() })
            .map(|pipeline| RevisionReader::new(&work, &pipeline, &params, &objects).data(ParamScope::All));
        let remembered = self.remembered();
        let reader = CommitReader {
            params: &params,
            flags: FlagStyle::default(),
            objects: &objects,
            remembered: Some(&remembered),
            refresh,
            scope: ParamScope::All,
        };
        let waiting = Waiting::on(&self.project);
        let tasks = Tasks { queue: waiting.queue(), on_lost, hidden };
        show(&git, selection, Naming::Names, Some(workspace), tasks, &reader).unwrap()
    }

    fn table(&self, layout: Layout, sort: Option<&SortBy>) -> Result<Table, TableError> {
        Table::new(&self.show(&Selection::default()), layout, sort)
    }
}

fn names(row: &BaselineRow) -> Vec<&str> {
    row.experiments.iter().map(|row| row.name.as_str()).collect()
}

fn rate(revision: &CommitRevision) -> Option<&Value> {
    revision.data.as_ref().ok()?.params.get(&path("params.yaml"))?.values()?.as_map()?.get("lr")
}

#[test]
fn the_default_is_the_workspace_and_what_was_tried_on_head() {
    let tried = tried(&["0.2", "0.3", "0.4"]);
    let shown = tried.show(&Selection::default());
    assert!(shown.workspace.unwrap().is_ok());
    let [baseline] = &shown.baselines[..] else { panic!("one baseline") };
    assert_eq!(baseline.name.as_deref(), Some("main"));
    assert_eq!(baseline.revision.commit, tried.baseline);
    assert_eq!(baseline.revision.time.unwrap().seconds, 100);
    assert_eq!(names(baseline), ["e3", "e2", "e1"]);
    assert_eq!(rate(&baseline.experiments[0].tip), Some(&Value::Float(0.4)));
    assert!(baseline.experiments[0].earlier.is_empty());
}

#[test]
fn a_repository_without_a_commit_has_no_baselines() {
    assert!(Selection::default().baselines(&Project::new().git()).unwrap().is_empty());
}

#[test]
fn selections_name_baselines_once_and_in_order() {
    let tried = tried(&["0.2"]);
    let project = &tried.project;
    project.write("note", "1");
    let second = project.commit(300);
    project.write("note", "2");
    let third = project.commit(400);
    let oid = git2::Oid::from_str(&second.to_string()).unwrap();
    let commit = project.repo().find_commit(oid).unwrap();
    project.repo().branch("side", &commit, false).unwrap();
    project.repo().tag_lightweight("v1", commit.as_object(), false).unwrap();
    let git = project.git();
    let of = |revisions: &[&str], count: i64, groups: &[Group]| {
        Selection {
            revisions: revisions.iter().map(|text| (*text).to_owned()).collect(),
            count: Count::from_number(count),
            groups: groups.iter().copied().collect::<BTreeSet<_>>(),
        }
        .baselines(&git)
    };
    assert_eq!(of(&[], 1, &[]).unwrap(), [third]);
    assert_eq!(of(&[], 2, &[]).unwrap(), [third, second]);
    assert_eq!(of(&[], -1, &[]).unwrap(), [third, second, tried.baseline]);
    assert_eq!(of(&["side", "HEAD", "v1"], 1, &[]).unwrap(), [second, third]);
    assert_eq!(of(&["HEAD~1"], 2, &[]).unwrap(), [second, tried.baseline]);
    assert_eq!(of(&[], 1, &[Group::Tags]).unwrap(), [second]);
    assert_eq!(of(&[], 1, &[Group::Branches]).unwrap(), [third, second]);
    assert_eq!(of(&[], 1, &[Group::Commits]).unwrap(), [third, second, tried.baseline]);
    assert!(matches!(of(&["nosuch"], 1, &[]), Err(ResolveError::UnknownRevision { .. })));
    // A tag goes before another branch, as in DVC.
    assert_eq!(git.name_of(second).unwrap().as_deref(), Some("v1"));

    // Experiments on a commit that nothing leads to any more are found by `-A`.
    let lost = project.commit_on(tried.baseline, &[("note", "lost")], 500);
    project.experiment(lost, "orphan", project.commit_on(lost, &[("note", "x")], 600));
    assert_eq!(of(&[], 1, &[Group::Commits]).unwrap(), [third, second, tried.baseline, lost]);
    let all = Selection { groups: BTreeSet::from([Group::Commits]), ..Selection::default() };
    let shown = tried.show(&all);
    assert_eq!(shown.baselines.iter().flat_map(names).collect::<Vec<_>>(), ["e1", "orphan"]);
}

#[test]
fn checkpoints_are_the_commits_before_the_last() {
    let tried = tried(&["0.2"]);
    let mut tip = tried.tips[0];
    for second in 300..303 {
        tip = tried.project.commit_on(tip, &[("params.yaml", &format!("lr: {second}\n"))], second);
    }
    tried.project.experiment(tried.baseline, "long", tip);
    let shown = tried.show(&Selection::default());
    let experiments = &shown.baselines[0].experiments;
    assert_eq!(names(&shown.baselines[0]), ["long", "e1"]);
    let rates: Vec<_> = experiments[0].revisions().map(|revision| rate(revision).cloned()).collect();
    let wanted = [Value::Int(302), Value::Int(301), Value::Int(300), Value::Float(0.2)];
    assert_eq!(rates, wanted.map(Some));
}

/// Which of these commits are remembered.
fn remembered(tried: &Tried, part: Part, commits: &[CommitId]) -> Vec<CommitId> {
    let params = ParamFiles::new(YamlOnly::version("1"), None);
    let memory = Memory::new(&tried.remembered(), ParamScope::All, part, &params);
    memory.recall(commits, &|_| None).into_iter().flatten().map(|revision| revision.commit).collect()
}

/// In all files where results are remembered, one number in the place of another.
fn forge(folder: &std::path::Path, from: f64, to: f64) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            forge(&path, from, to);
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let at: Vec<usize> =
            bytes.windows(8).enumerate().filter(|(_, eight)| *eight == from.to_le_bytes()).map(|(at, _)| at).collect();
        at.into_iter().for_each(|at| bytes[at..at + 8].copy_from_slice(&to.to_le_bytes()));
        std::fs::write(path, bytes).unwrap();
    }
}

#[test]
fn results_are_remembered_until_a_plugin_changes_or_they_are_refreshed() {
    let tried = tried(&["0.2", "0.3"]);
    let all = Selection::default();
    let fresh = format!("{:?}", tried.show(&all));
    let commits = [tried.baseline, tried.tips[0], tried.tips[1]];
    assert_eq!(remembered(&tried, Part::All, &commits), commits);
    assert_eq!(remembered(&tried, Part::Inputs, &commits), []);
    assert_eq!(format!("{:?}", tried.show(&all)), fresh);

    // Proof that they are used: another result in the place of the first.
    forge(&tried.remembered(), 0.2, 0.7);
    let first_rate = |shown: &Show| {
        rate(&shown.baselines[0].experiments.iter().find(|row| row.name.as_str() == "e1").unwrap().tip).cloned()
    };
    assert_eq!(first_rate(&tried.show(&all)), Some(Value::Float(0.7)));
    assert_eq!(first_rate(&tried.show_as(&all, "2", Refresh::Never)), Some(Value::Float(0.2)));
    forge(&tried.remembered(), 0.2, 0.7);
    assert_eq!(first_rate(&tried.show_as(&all, "2", Refresh::Always)), Some(Value::Float(0.2)));

    // Damage is no result.
    forge(&tried.remembered(), 0.2, f64::NAN);
    for part in std::fs::read_dir(tried.remembered()).unwrap() {
        for file in std::fs::read_dir(part.unwrap().path()).unwrap() {
            std::fs::write(file.unwrap().path(), b"\x04\xff[").unwrap();
        }
    }
    assert_eq!(format!("{:?}", tried.show(&all)), fresh);
}

#[test]
fn what_the_cache_lacks_is_remembered_as_long_as_it_lacks_it() {
    let tried = tried(&[]);
    let text = "stages:\n  t: {cmd: c, metrics: [o, nowhere.json]}\n";
    let tip = tried.project.commit_on(tried.baseline, &[("dvc.yaml", text)], 300);
    tried.project.experiment(tried.baseline, "e", tip);
    let fresh = format!("{:?}", tried.show(&Selection::default()));
    assert!(fresh.contains("NotCached") && fresh.contains("Missing"), "{fresh}");
    assert_eq!(remembered(&tried, Part::All, &[tip]), [tip]);
    assert_eq!(format!("{:?}", tried.show(&Selection::default())), fresh);
    let params = ParamFiles::new(YamlOnly::version("1"), None);
    let memory = Memory::new(&tried.remembered(), ParamScope::All, Part::All, &params);
    let recalled = memory.recall(&[tip], &|_| Some(b"acc: 1".to_vec()));
    assert!(recalled[0].is_none(), "now it can be read");
}

#[test]
fn results_with_errors_are_not_remembered_and_spoil_nothing_else() {
    let tried = tried(&["0.2", "[unclosed"]);
    let tip = tried.project.commit_on(tried.baseline, &[("dvc.yaml", "stages: 5\n")], 900);
    tried.project.experiment(tried.baseline, "no-pipeline", tip);
    let shown = tried.show(&Selection::default());
    assert_eq!(remembered(&tried, Part::All, &[tried.tips[0], tried.tips[1], tip]), [tried.tips[0]]);
    let [no_pipeline, broken, fine] = &shown.baselines[0].experiments[..] else { panic!("three experiments") };
    assert!(matches!(no_pipeline.tip.data, Err(RevisionError::Pipeline(_))));
    let broken = broken.tip.data.as_ref().unwrap();
    assert!(matches!(broken.params.get(&path("params.yaml")), Some(FileData::Broken(_))));
    assert!(!broken.deps.is_empty());
    assert_eq!(rate(&fine.tip), Some(&Value::Float(0.2)));

    let table = Table::new(&shown, Layout::Programs, None).unwrap();
    let at = table.columns.iter().position(|column| column.title() == "params.yaml:epochs").unwrap();
    let kinds: Vec<&Cell> = table.rows.iter().map(|row| &row.cells[at]).collect();
    assert!(matches!(kinds[..], [Cell::Value(_), Cell::Value(_), Cell::Error, Cell::Error, Cell::Value(_)]));
}

#[test]
fn many_commits_are_read_by_several_threads_in_order() {
    let rates: Vec<String> = (0..40).map(|at| format!("0.{at}1")).collect();
    let tried = tried(&rates.iter().map(String::as_str).collect::<Vec<_>>());
    let git = tried.project.git();
    let params = ParamFiles::new(YamlOnly::version("1"), None);
    let asked = AtomicUsize::new(0);
    let objects = |_: &ObjectId| {
        asked.fetch_add(1, Ordering::Relaxed);
        None
    };
    let reader = CommitReader {
        params: &params,
        flags: FlagStyle::default(),
        objects: &objects,
        remembered: None,
        refresh: Refresh::Never,
        scope: ParamScope::Declared,
    };
    let read = reader.read(&git, &tried.tips, Part::All).unwrap();
    assert_eq!(read.iter().map(|revision| revision.commit).collect::<Vec<_>>(), tried.tips);
    let found: Vec<Option<Value>> = read.iter().map(|revision| rate(revision).cloned()).collect();
    let wanted: Vec<Option<Value>> = rates.iter().map(|rate| Some(Value::Float(rate.parse().unwrap()))).collect();
    assert_eq!(found, wanted);
    assert_eq!(asked.load(Ordering::Relaxed), 0, "everything is in git");
}

fn titles(table: &Table) -> Vec<&str> {
    table.columns.iter().map(Column::title).collect()
}

#[test]
fn only_ambiguous_names_have_their_file_before_them() {
    let tried = tried(&["0.5"]);
    let table = tried.table(Layout::Programs, None).unwrap();
    let ambiguous = ["m.yaml:lr", "acc", "m.yaml:epochs", "params.yaml:lr", "params.yaml:epochs", "d"];
    assert_eq!(titles(&table)[..5], ["Experiment", "rev", "typ", "Created", "parent"]);
    assert_eq!(titles(&table)[5..], ambiguous);
    let kinds: Vec<&str> = table.rows.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["baseline", "baseline", "branch_base"]);
    assert!(matches!(&table.rows[0].cells[3], Cell::Missing), "the work tree was not made at any time");
    assert!(matches!(&table.rows[2].cells[6], Cell::Missing), "the experiment has no accuracy");
    assert!(matches!(&table.rows[2].cells[10], Cell::Text(digest) if digest == "6137cde4893c59f76f005a8123d8e8e6"));
}

#[test]
fn columns_are_chosen_by_the_beginning_of_their_titles() {
    let tried = tried(&["0.5", "0.6"]);
    let select = |same: Same, drop: &[&str], keep: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let mut table = tried.table(Layout::People, None).unwrap();
        table.select(&Visible { same, drop: owned(drop), keep: owned(keep) })?;
        assert!(table.rows.iter().all(|row| row.cells.len() == table.columns.len()));
        Ok::<_, TableError>(titles(&table).join(" "))
    };
    let all = "Experiment Created m.yaml:lr acc m.yaml:epochs params.yaml:lr params.yaml:epochs d";
    assert_eq!(select(Same::Shown, &[], &[]).unwrap(), all);
    assert_eq!(select(Same::Shown, &["lr", "cc"], &[]).unwrap(), all);
    assert_eq!(
        select(Same::Shown, &[".*lr", "acc|d"], &[]).unwrap(),
        "Experiment Created m.yaml:epochs params.yaml:epochs"
    );
    assert_eq!(
        select(Same::Hidden, &["Created"], &["params.yaml:e"]).unwrap(),
        "Experiment m.yaml:lr acc m.yaml:epochs params.yaml:lr params.yaml:epochs"
    );
    assert_eq!(select(Same::Shown, &[".*"], &["acc"]).unwrap(), "acc");
    // A pattern cannot get out of its place.
    assert!(matches!(select(Same::Shown, &["x)|(?:.*"], &[]), Err(TableError::Pattern { .. })));
}

#[test]
fn experiments_are_sorted_and_those_without_a_value_are_last() {
    let tried = tried(&["0.5", "10", "null", "word", "2"]);
    let order = |column: &str, order: Order| {
        let sort = SortBy { column: column.to_owned(), order };
        let table = tried.table(Layout::Programs, Some(&sort))?;
        let names: Vec<String> = table.rows[2..].iter().filter_map(|row| row.name.clone()).collect();
        assert_eq!(table.rows.last().map(|row| row.kind), Some(RowKind::LastExperiment));
        Ok::<_, TableError>(names.join(" "))
    };
    assert_eq!(order("params.yaml:lr", Order::Ascending).unwrap(), "e1 e5 e2 e4 e3");
    assert_eq!(order("params.yaml:lr", Order::Descending).unwrap(), "e4 e2 e5 e1 e3");
    assert_eq!(order("acc", Order::Ascending).unwrap(), "e5 e4 e3 e2 e1", "equal ones stay the newest first");
    let Err(TableError::AmbiguousColumn { candidates, .. }) = order("lr", Order::Ascending) else {
        panic!("ambiguous")
    };
    assert_eq!(candidates, ["m.yaml:lr", "params.yaml:lr"]);
    let Err(TableError::UnknownColumn { similar, .. }) = order("ac", Order::Ascending) else { panic!("unknown") };
    assert_eq!(similar.as_deref(), Some("acc"));
}
