//! The rows of chains.

use super::*;
use crate::exp::checkpoint::Note;

/// Builds chains, a commit a second.
struct Chained {
    tried: Tried,
    second: std::cell::Cell<i64>,
}

impl Chained {
    fn new() -> Self {
        Self { tried: tried(&[]), second: 500.into() }
    }

    /// A checkpoint of the experiment `name`, which lets go of `discarded`.
    fn on(&self, parent: CommitId, name: &str, discarded: &[CommitId], task: Option<CommitId>) -> CommitId {
        let second = self.second.replace(self.second.get() + 1);
        let note = Note { discarded: discarded.to_vec(), ..Note::new(ExperimentName::parse(name).unwrap(), task) };
        let text = format!("lr: 0.1\nepochs: {second}\n");
        self.tried.project.checkpoint_on(parent, &[("params.yaml", &text)], second, &note)
    }

    /// So many checkpoints of the experiment `name`, whose reference is made, oldest first.
    fn run(&self, parent: CommitId, name: &str, count: usize) -> Vec<CommitId> {
        let next = |at: &mut CommitId, _| {
            *at = self.on(*at, name, &[], None);
            Some(*at)
        };
        let made: Vec<CommitId> = (0..count).scan(parent, next).collect();
        self.refer(name, *made.last().unwrap());
        made
    }

    fn refer(&self, name: &str, tip: CommitId) {
        self.tried.project.experiment(self.tried.baseline, name, tip);
    }

    fn rows(&self) -> Vec<ExperimentRow> {
        self.tried.show(&Selection::default()).baselines.remove(0).experiments
    }

    /// Name, kind and parent of each row below the baseline, with its digits.
    fn lines(&self, sort: Option<&SortBy>) -> Vec<(String, CommitId, &'static str, String)> {
        let table = self.tried.table(Layout::Programs, sort).unwrap();
        let parent = |row: &Row| match &row.cells[4] {
            Cell::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        let line =
            |row: &Row| (row.name.clone().unwrap_or_default(), row.commit.unwrap(), row.kind.as_str(), parent(row));
        table.rows[2..].iter().map(line).collect()
    }
}

fn line(name: &str, commit: CommitId, kind: &'static str, parent: &str) -> (String, CommitId, &'static str, String) {
    (name.to_owned(), commit, kind, parent.to_owned())
}

fn commits<'a>(revisions: impl Iterator<Item = &'a CommitRevision>) -> Vec<CommitId> {
    revisions.map(|revision| revision.commit).collect()
}

#[test]
fn what_a_policy_let_go_of_is_not_shown_but_for_the_last() {
    let chained = Chained::new();
    let one = chained.on(chained.tried.baseline, "e", &[], None);
    let two = chained.on(one, "e", &[], None);
    let three = chained.on(two, "e", &[one], None);
    let last = chained.on(three, "e", &[two], None);
    chained.refer("e", last);
    assert_eq!(commits(chained.rows()[0].revisions()), [last, three]);
    assert_eq!(chained.lines(None), [line("e", last, "checkpoint_tip", ""), line("", three, "checkpoint_base", "")]);
    // Where it stood when everything else went, it is an experiment of one commit.
    let lone = chained.on(last, "lone", &[one, two, three, last], None);
    chained.refer("lone", lone);
    assert_eq!(chained.lines(None)[0], line("lone", lone, "branch_commit", &last.short()));
}

#[test]
fn a_branch_shows_its_own_and_where_it_branches_off() {
    let chained = Chained::new();
    let main = chained.run(chained.tried.baseline, "main", 3);
    let side = chained.run(main[1], "side", 2);
    let parent = main[1].short();
    let of_main = [
        line("main", main[2], "checkpoint_tip", ""),
        line("", main[1], "checkpoint_commit", ""),
        line("", main[0], "checkpoint_base", ""),
    ];
    let of_side = [line("side", side[1], "checkpoint_tip", ""), line("", side[0], "checkpoint_base", &parent)];
    assert_eq!(chained.lines(None), [&of_side[..], &of_main].concat());
    // For programs the whole chain.
    assert_eq!(commits(chained.rows()[0].revisions()), [side[1], side[0], main[1], main[0]]);
    // What only the branch keeps is shown there.
    chained.refer("main", chained.on(main[2], "main", &[main[0]], None));
    assert_eq!(
        chained.lines(None)[3..],
        [
            line("side", side[1], "checkpoint_tip", ""),
            line("", side[0], "checkpoint_commit", &parent),
            line("", main[0], "checkpoint_base", ""),
        ]
    );
    // What a branch lets go of, and the other has, is where it branches off all the same.
    let other = chained.on(side[1], "side", &[main[0], main[1], side[0]], None);
    chained.refer("side", other);
    assert_eq!(
        chained.lines(None)[..2],
        [line("side", other, "checkpoint_tip", ""), line("", side[1], "checkpoint_base", &parent)]
    );
    // When the other one is gone, everything is shown here.
    let mut references = chained.tried.project.repo().references_glob("refs/exps/*/main").unwrap();
    references.next().unwrap().unwrap().delete().unwrap();
    chained.refer("side", side[1]);
    assert_eq!(
        chained.lines(None),
        [
            line("side", side[1], "checkpoint_tip", ""),
            line("", side[0], "checkpoint_commit", ""),
            line("", main[1], "checkpoint_commit", ""),
            line("", main[0], "checkpoint_base", ""),
        ]
    );
}

#[test]
fn chains_stay_together_when_they_are_sorted_by_their_last() {
    let chained = Chained::new();
    let [first, second] = ["first", "second"].map(|name| chained.run(chained.tried.baseline, name, 2));
    let sort = SortBy { column: "params.yaml:epochs".to_owned(), order: Order::Ascending };
    let in_order = |sort| chained.lines(sort).into_iter().map(|(_, commit, ..)| commit).collect::<Vec<_>>();
    assert_eq!(in_order(None), [second[1], second[0], first[1], first[0]]);
    assert_eq!(in_order(Some(&sort)), [first[1], first[0], second[1], second[0]]);
    let kinds: Vec<RowKind> =
        chained.tried.table(Layout::People, None).unwrap().rows[2..].iter().map(|row| row.kind).collect();
    use RowKind::{CheckpointBase, CheckpointTip, LastCheckpointBase};
    assert_eq!(kinds, [CheckpointTip, CheckpointBase, CheckpointTip, LastCheckpointBase]);
}

#[test]
fn a_metric_that_only_a_checkpoint_has_has_a_column() {
    let chained = Chained::new();
    let project = &chained.tried.project;
    let note = Note::new(ExperimentName::parse("e").unwrap(), None);
    let one = project.checkpoint_on(chained.tried.baseline, &[("m.yaml", "early: 1\n")], 600, &note);
    chained.refer("e", project.checkpoint_on(one, &[("m.yaml", "late: 2\n")], 601, &note));
    let table = chained.tried.table(Layout::People, None).unwrap();
    assert!(["early", "late"].iter().all(|name| titles(&table).contains(name)), "{:?}", titles(&table));
}

#[test]
fn notes_are_remembered_with_their_commits() {
    let chained = Chained::new();
    let made = chained.run(chained.tried.baseline, "e", 3);
    let side = chained.run(made[1], "side", 1);
    let fresh = chained.lines(None);
    let commits = [made, side].concat();
    assert_eq!(remembered(&chained.tried, Part::All, &commits), commits);
    assert_eq!(chained.lines(None), fresh);
}

#[test]
fn what_is_not_finished_is_one_experiment_with_its_checkpoints() {
    let chained = Chained::new();
    let waiting = Waiting::on(&chained.tried.project);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("params.yaml"), "lr: 9\n").unwrap();
    let begin = |name: &str| {
        let task = waiting.add(name, &[("params.yaml", "lr: 5\n")]);
        let one = chained.on(chained.tried.baseline, name, &[], Some(task.id));
        let two = chained.on(one, name, &[], Some(task.id));
        chained.refer(name, two);
        (task, [two, one])
    };
    let (failed, of_failed) = begin("failed");
    waiting.settle(&failed, State::Failed, None);
    let (lost, of_lost) = begin("lost");
    waiting.lose(&lost);
    let (running, of_running) = begin("running");
    waiting.run(&running, folder.path());
    let (done, of_done) = begin("done");
    waiting.settle(&done, State::Success, Some(chained.tried.baseline));
    let fresh = waiting.add("fresh", &[]);
    waiting.run(&fresh, folder.path());

    let shown = |on_lost, hidden: &[State]| {
        let shown = chained.tried.show_tasks(&Selection::default(), "1", Refresh::Never, on_lost, hidden);
        let told = |row: ExperimentRow| {
            let of = row.execution.as_ref().unwrap();
            (row.name.to_string(), row.state(), of.task, commits(row.own()))
        };
        shown.baselines.into_iter().flat_map(|row| row.experiments).map(told).collect::<Vec<_>>()
    };
    let told = |name: &str, state, task: &crate::exp::queue::task::Task, commits: &[CommitId]| {
        (name.to_owned(), state, task.id, commits.to_vec())
    };
    assert_eq!(
        shown(OnLost::Retry, &[]),
        [
            told("fresh", State::Running, &fresh, &[fresh.id]),
            told("running", State::Running, &running, &of_running),
            // Recorded, and seen in between.
            told("done", State::Success, &done, &of_done),
            told("lost", State::Queued, &lost, &of_lost),
            told("failed", State::Failed, &failed, &of_failed),
        ]
    );
    let names = |hidden: &[State]| shown(OnLost::Fail, hidden).into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
    assert_eq!(names(&[]), ["fresh", "running", "done", "lost", "failed"]);
    assert_eq!(names(&[State::Failed]), ["fresh", "running", "done"]);
    // Of what is left out, nothing is shown elsewhere; what branched off shows everything.
    let side = chained.on(of_failed[1], "side", &[], None);
    chained.refer("side", side);
    let show = |hidden: &[State]| {
        let shown = chained.tried.show_tasks(&Selection::default(), "1", Refresh::Never, OnLost::Retry, hidden);
        let mut rows = shown.baselines.into_iter().flat_map(|row| row.experiments);
        commits(rows.find(|row| row.name.as_str() == "side").unwrap().own())
    };
    assert_eq!(show(&[]), [side]);
    assert_eq!(show(&[State::Failed]), [side, of_failed[1]]);

    // Resumed by hand, it is an experiment of its own beside what failed.
    let resumed = chained.on(of_failed[0], "failed", &[], None);
    chained.refer("failed", resumed);
    let rows = chained.rows();
    let states: Vec<_> =
        rows.iter().filter(|row| row.name.as_str() == "failed").map(|row| (row.state(), row.tip.commit)).collect();
    assert_eq!(states, [(State::Success, resumed), (State::Failed, failed.id)]);
}
