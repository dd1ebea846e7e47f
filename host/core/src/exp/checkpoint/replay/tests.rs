use std::sync::Arc;

use dewar_text::Value;

use super::super::note::Note;
use super::super::policy::fakes::Fakes;
use super::*;
use crate::event::Silent;
use crate::exp::name::ExperimentName;
use crate::exp::show::Refresh;
use crate::metrics::ParamScope;
use crate::params::ParamFiles;
use crate::pipeline::FlagStyle;
use crate::testing::{Project, YamlOnly};

/// A stage that trains, with a model of 10 bytes in its lock.
fn project() -> (Project, CommitId) {
    let project = Project::new();
    project.write("dvc.yaml", "stages:\n  t: {cmd: c, outs: [o], metrics: [m.yaml: {cache: false}]}\n");
    project.write("dvc.lock", &lock(0, 10));
    project.write("m.yaml", "acc: 0\n");
    let baseline = project.commit(100);
    (project, baseline)
}

fn lock(content: u8, size: u64) -> String {
    let id = format!("a{content:063x}");
    format!(
        "schema: '2.0'\nstages:\n  t:\n    cmd: c\n    outs:\n    - path: m.yaml\n      hash: md5\n      md5: {}\n      \
         size: 7\n    - path: o\n      blake3: {id}\n      size: {size}\n",
        "a".repeat(32)
    )
}

fn moment(step: u64, acc: f64) -> StageMoment {
    let moment =
        Moment { trigger: Trigger::Signalled, step, elapsed_ms: step * 1000, metrics: vec![("acc".to_owned(), acc)] };
    StageMoment { stage: "t".to_owned(), moment }
}

fn note() -> Note {
    Note::new(ExperimentName::parse("e").unwrap(), None)
}

/// A commit with this content of `o` and value of `acc`, ten seconds after the one before.
fn add(project: &Project, parent: CommitId, content: u8, acc: f64, note: Option<&Note>) -> CommitId {
    let second = project.git().commit_summary(parent).unwrap().time.seconds + 10;
    let lock = lock(content, u64::from(content) * 100);
    let commit = project.commit_on(parent, &[("dvc.lock", &lock), ("m.yaml", &format!("acc: {acc}\n"))], second);
    let Some(note) = note else { return commit };
    let repo = project.repo();
    let plain = repo.find_commit(git2::Oid::from_str(&commit.to_string()).unwrap()).unwrap();
    let noted = plain.amend(None, None, None, None, Some(&note.under("commit")), None).unwrap();
    CommitId::parse(&noted.to_string()).unwrap()
}

fn records(project: &Project, baseline: CommitId, tip: CommitId) -> Result<Vec<StageRecord>, ReplayError> {
    let params = ParamFiles::new(YamlOnly::version("1"), None);
    let objects = |_: &ObjectId| None;
    let reader = CommitReader {
        params: &params,
        flags: FlagStyle::default(),
        objects: &objects,
        remembered: None,
        refresh: Refresh::Never,
        scope: ParamScope::Declared,
    };
    StageRecord::read(&project.git(), &reader, baseline, tip)
}

fn uses(names: &[&str]) -> Vec<PolicyUse> {
    names.iter().map(|name| PolicyUse { name: (*name).to_owned(), options: Value::Null }).collect()
}

fn accuracy() -> Goal {
    Goal { metric: "acc".to_owned(), better: Better::Higher }
}

fn replay(record: &StageRecord, names: &[&str]) -> Replay {
    let mut policies = Policies::new(uses(names), &Fakes, Arc::new(Silent)).unwrap();
    record.replay(&mut policies, &[accuracy()])
}

fn steps(replay: &Replay) -> Vec<u64> {
    replay.kept.iter().map(|kept| kept.moment.step).collect()
}

/// What was recorded without a word on moments: five commits, the third and fourth with the same model.
fn unnoted() -> (Project, StageRecord, Vec<CommitId>) {
    let (project, baseline) = project();
    let mut commits = Vec::new();
    for (content, acc) in [(1, 0.5), (2, 0.9), (3, 0.7), (3, 0.7), (5, 0.6)] {
        commits.push(add(&project, *commits.last().unwrap_or(&baseline), content, acc, None));
    }
    let mut records = records(&project, baseline, commits[4]).unwrap();
    assert_eq!(records.len(), 1);
    (project, records.remove(0), commits)
}

#[test]
fn commits_without_notes_are_moments_of_one_stage() {
    let (_project, record, commits) = unnoted();
    assert_eq!(record.stage, None);
    let all = replay(&record, &[]);
    assert_eq!((all.moments, all.recorded, steps(&all)), (5, 5, vec![1, 2, 3, 4, 5]));
    assert_eq!(all.kept.iter().map(|kept| kept.commit.unwrap()).collect::<Vec<_>>(), commits);
    assert_eq!(all.kept[2].moment.elapsed_ms, 20_000);
    assert_eq!(all.kept[1].moment.metrics, [("acc".to_owned(), 0.9)]);
    // Contents 1, 2, 3 and 5, each once, and no metrics files, which git keeps.
    assert_eq!(all.sizes, Sizes { now: 1100, then: 1100, unknown: 0 });
    assert!(!all.best[0].is_lost());
}

#[test]
fn what_would_be_kept_and_saved() {
    let (_project, record, _) = unnoted();
    let best = replay(&record, &["best"]);
    assert_eq!((best.recorded, steps(&best)), (5, vec![2, 5]));
    assert_eq!(best.sizes, Sizes { now: 1100, then: 700, unknown: 0 });
    assert_eq!((best.best[0].seen, best.best[0].kept, best.best[0].is_lost()), ((0.9, 2), Some((0.9, 2)), false));

    let last = replay(&record, &["only-last"]);
    assert_eq!(steps(&last), [5]);
    assert_eq!((last.best[0].kept, last.best[0].is_lost()), (Some((0.6, 5)), true));
}

#[test]
fn a_stop_saves_the_steps_behind_it() {
    let (_project, record, _) = unnoted();
    let stopped = replay(&record, &["stop-at-3"]);
    assert_eq!((stopped.moments, stopped.recorded, steps(&stopped)), (5, 3, vec![1, 2, 3]));
    let stop = stopped.stopped.unwrap();
    assert_eq!((stop.step, stop.steps, stop.time), (3, 2, Duration::from_secs(20)));
    assert_eq!((stop.stop.policy.as_str(), stop.stop.reason.as_str()), ("stop-at-3", "three"));
    assert_eq!(stopped.sizes, Sizes { now: 1100, then: 600, unknown: 0 });
    assert_eq!(replay(&record, &["even"]).stopped, None);
}

#[test]
fn the_end_is_recorded_as_the_end_of_the_stage() {
    let (_project, record, _) = unnoted();
    let even = replay(&record, &["even"]);
    assert_eq!((even.recorded, steps(&even)), (3, vec![2, 4, 5]));
    assert_eq!(even.kept[2].moment.trigger, Trigger::Signalled, "what is told is what there was");
}

#[test]
fn notes_tell_of_moments_that_were_passed_by_and_of_what_went() {
    let (project, baseline) = project();
    let first = add(&project, baseline, 1, 0.5, Some(&Note { moment: Some(moment(1, 0.5)), ..note() }));
    let second = Note { passed: vec![moment(2, 0.9)], moment: Some(moment(3, 0.7)), discarded: vec![first], ..note() };
    let second = add(&project, first, 2, 0.7, Some(&second));
    // The wrap-up of another stage is no moment.
    let tip = add(&project, second, 4, 0.1, Some(&note()));
    let records = records(&project, baseline, tip).unwrap();
    let [record] = &records[..] else { panic!("one stage") };
    assert_eq!(record.stage.as_deref(), Some("t"));
    let best = replay(record, &["best"]);
    assert_eq!((best.moments, steps(&best)), (3, vec![2, 3]));
    assert_eq!(best.kept.iter().map(|kept| kept.commit).collect::<Vec<_>>(), [None, Some(second)]);
    assert_eq!(best.sizes, Sizes { now: 200, then: 200, unknown: 1 });
    assert_eq!(best.best[0].seen, (0.9, 2));
    // The one that went comes back.
    assert_eq!(replay(record, &[]).sizes, Sizes { now: 200, then: 300, unknown: 1 });
}

#[test]
fn what_the_baseline_has_is_nobodys() {
    let (project, baseline) = project();
    let tip = add(&project, baseline, 0, 0.5, None);
    let to = |tip| records(&project, baseline, tip).unwrap().remove(0);
    assert_eq!(replay(&to(tip), &[]).sizes, Sizes::default());
    // A chain without a commit has no moments.
    assert_eq!(replay(&to(baseline), &["best"]).moments, 0);
}

#[test]
fn a_checkpoint_that_cannot_be_read_is_named() {
    let (project, baseline) = project();
    let tip = project.commit_on(baseline, &[("dvc.yaml", "stages: 1\n")], 200);
    let error = records(&project, baseline, tip).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot read the checkpoint {}: ", tip.short())), "{error}");
}

#[test]
fn goals_are_the_options_metric_and_mode_each_once() {
    let with = |options: &[(&str, &str)]| {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), Value::Text((*value).to_owned())));
        PolicyUse { name: "p".to_owned(), options: Value::Map(options.collect()) }
    };
    let best = with(&[("metric", "acc"), ("mode", "max")]);
    let policies = [
        best.clone(),
        with(&[("metric", "loss"), ("mode", "min")]),
        best,
        with(&[("metric", "loss")]),
        with(&[("mode", "min")]),
    ];
    let loss = Goal { metric: "loss".to_owned(), better: Better::Lower };
    assert_eq!(Goal::of(&policies), [accuracy(), loss.clone()]);
    let at = |step, value| Moment {
        trigger: Trigger::Signalled,
        step,
        elapsed_ms: 0,
        metrics: vec![("loss".to_owned(), value)],
    };
    let moments = [at(1, f64::NEG_INFINITY), at(2, 0.5), at(3, 0.5), at(4, f64::NAN), at(5, 0.7)];
    assert_eq!(loss.best(moments.iter()), Some((0.5, 2)));
    assert_eq!(accuracy().best(moments.iter()), None);
}
