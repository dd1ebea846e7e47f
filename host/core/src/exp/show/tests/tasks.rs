//! The rows of the queue.

use super::*;
use crate::exp::queue::task::Task;

/// A task whose learning rate is set.
fn add(waiting: &Waiting<'_>, name: &str, rate: &str) -> Task {
    waiting.add(name, &[("params.yaml", &format!("lr: {rate}\nepochs: 3\n"))])
}

fn shown(tried: &Tried, on_lost: OnLost, hidden: &[State]) -> BaselineRow {
    tried.show_tasks(&Selection::default(), "1", Refresh::Never, on_lost, hidden).baselines.remove(0)
}

fn states(row: &BaselineRow) -> Vec<&str> {
    row.experiments.iter().map(|row| row.state().as_str()).collect()
}

fn metric<'a>(row: &'a ExperimentRow, file: &str) -> Option<&'a FileData> {
    row.tip.data.as_ref().unwrap().metrics.get(&path(file))
}

#[test]
fn rows_stand_by_state_and_then_by_age() {
    let tried = tried(&["0.2", "0.3"]);
    let waiting = Waiting::on(&tried.project);
    let folder = tempfile::tempdir().unwrap();
    for (name, rate) in [("f1", "1"), ("r1", "2"), ("w1", "3"), ("w2", "4"), ("r2", "5"), ("f2", "6")] {
        let task = add(&waiting, name, rate);
        match name.chars().next() {
            Some('f') => waiting.settle(&task, State::Failed, None),
            Some('r') => waiting.run(&task, folder.path()),
            _ => {}
        }
    }
    let row = shown(&tried, OnLost::Retry, &[]);
    assert_eq!(names(&row), ["r2", "r1", "e2", "e1", "w2", "w1", "f2", "f1"]);
    let [running, _, finished, _, queued, _, failed, _] = &row.experiments[..] else { panic!("eight rows") };
    for (row, value) in [(running, 5), (queued, 4), (failed, 6)] {
        assert_eq!(rate(&row.tip), Some(&Value::Int(value)));
        assert!(row.tip.data.as_ref().unwrap().metrics.is_empty(), "those of the baseline are not its own");
    }
    assert_eq!(finished.execution, None);
    let execution = |row: &ExperimentRow| row.execution.clone().unwrap();
    let of = execution(queued);
    assert_eq!((of.executor(), execution(failed).executor()), (Some("dvc-task"), None));
    assert_eq!((of.task, of.log, of.pid, of.cause), (queued.tip.commit, None, None, None));
    let of = execution(failed);
    assert_eq!((of.workspace, of.cause.as_deref()), (None, Some("it broke")));
    assert!(of.log.unwrap().ends_with(format!("{}/log.1", failed.tip.commit)));
    let of = execution(running);
    assert_eq!((of.workspace.as_deref(), of.pid), (Some(folder.path()), Some(std::process::id())));

    let hidden = shown(&tried, OnLost::Retry, &[State::Queued]);
    assert_eq!(names(&hidden), ["r2", "r1", "e2", "e1", "f2", "f1"]);
    let hidden = shown(&tried, OnLost::Retry, &[State::Queued, State::Failed]);
    assert_eq!(names(&hidden), ["r2", "r1", "e2", "e1"]);
}

#[test]
fn tasks_of_baselines_that_are_not_shown_are_not_shown() {
    let tried = tried(&[]);
    let waiting = Waiting::on(&tried.project);
    add(&waiting, "old", "1");
    tried.project.write("note", "1");
    tried.project.commit(300);
    assert_eq!(names(&shown(&tried, OnLost::Retry, &[])), [""; 0]);
    add(&waiting, "new", "1");
    assert_eq!(names(&shown(&tried, OnLost::Retry, &[])), ["new"]);
    let all = tried.show(&Selection { groups: BTreeSet::from([Group::Commits]), ..Selection::default() });
    assert_eq!(all.baselines.iter().map(names).collect::<Vec<_>>(), [["new"], ["old"]]);
}

#[test]
fn a_task_that_succeeded_is_its_experiment() {
    let tried = tried(&["0.2", "0.3", "0.4"]);
    let waiting = Waiting::on(&tried.project);
    let [one, two, removed] = ["e1", "e2", "e9"].map(|name| add(&waiting, name, "1"));
    waiting.settle(&one, State::Success, Some(tried.tips[0]));
    // Recorded, and its process has not said so yet; gone meanwhile or not.
    waiting.settle(&two, State::Running, Some(tried.tips[1]));
    waiting.settle(&removed, State::Success, Some(tried.baseline));
    let row = shown(&tried, OnLost::Fail, &[State::Failed]);
    assert_eq!(names(&row), ["e3", "e2", "e1"]);
    assert_eq!(states(&row), ["Success"; 3]);
    let tasks = row.experiments.iter().map(|row| row.execution.as_ref().map(|execution| execution.task));
    assert_eq!(tasks.collect::<Vec<_>>(), [None, Some(two.id), Some(one.id)]);
    assert_eq!(rate(&row.experiments[2].tip), Some(&Value::Float(0.2)));
    // What replaces an experiment is another one as long as it is not finished.
    waiting.settle(&one, State::Running, None);
    assert_eq!(names(&shown(&tried, OnLost::Retry, &[])), ["e1", "e3", "e2", "e1"]);
}

#[test]
fn what_is_recorded_between_two_looks_is_there_once() {
    let tried = tried(&["0.2"]);
    let waiting = Waiting::on(&tried.project);
    let before = add(&waiting, "e1", "1");
    waiting.settle(&before, State::Success, Some(tried.tips[0]));
    let experiments = refs::all(&tried.project.git()).unwrap();
    let tasks = Tasks { queue: waiting.queue(), on_lost: OnLost::Retry, hidden: &[] };
    let known = |before: Task| KnownTasks::new(tasks, vec![before], &experiments, &Known::new()).unwrap();
    assert_eq!(known(before.clone()).of_result(&experiments[0].reference).unwrap().state, State::Success);
    // Nor is what was removed between them.
    waiting.queue().change().unwrap().remove(&tried.project.git(), std::slice::from_ref(&before)).unwrap();
    assert_eq!(known(before).of_result(&experiments[0].reference), None);
}

#[test]
fn what_runs_shows_what_its_workspace_has() {
    let tried = tried(&[]);
    let waiting = Waiting::on(&tried.project);
    let task = add(&waiting, "live", "0.7");
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    let pipeline = std::fs::read_to_string(tried.project.root().join("dvc.yaml")).unwrap();
    write("dvc.yaml", &pipeline.replace("metrics: [", "metrics: [other.yaml: {cache: false}, "));
    write("params.yaml", "lr: 0.8\nepochs: 3\n");
    waiting.run(&task, folder.path());
    let row = || shown(&tried, OnLost::Retry, &[]).experiments.remove(0);
    assert_eq!(rate(&row().tip), Some(&Value::Float(0.8)));
    assert!(row().tip.data.as_ref().unwrap().metrics.is_empty(), "there are none so far");
    assert_eq!(row().tip.data.as_ref().unwrap().deps["d"].id.as_ref().unwrap().as_str().len(), 32);

    write("m.yaml", "acc: 0.5\n");
    let acc = |row: &ExperimentRow| metric(row, "m.yaml").unwrap().values().unwrap().as_map().unwrap()["acc"].clone();
    assert_eq!(acc(&row()), Value::Float(0.5));
    // Caught while it is written: an error of that file alone.
    write("other.yaml", "acc: [0.5,");
    let half = row();
    assert!(matches!(metric(&half, "other.yaml"), Some(FileData::Broken(_))));
    assert_eq!((acc(&half), rate(&half.tip)), (Value::Float(0.5), Some(&Value::Float(0.8))));

    // While it is removed, and afterwards.
    std::fs::remove_file(folder.path().join("params.yaml")).unwrap();
    assert_eq!(rate(&row().tip), Some(&Value::Float(0.7)));
    write("dvc.yaml", "stages: [");
    assert_eq!((rate(&row().tip), metric(&row(), "m.yaml").is_some()), (Some(&Value::Float(0.7)), false));
    folder.close().unwrap();
    assert_eq!((rate(&row().tip), row().state()), (Some(&Value::Float(0.7)), State::Running));
}

#[test]
fn what_lost_its_process_is_shown_as_what_becomes_of_it() {
    let tried = tried(&["0.2"]);
    let waiting = Waiting::on(&tried.project);
    waiting.lose(&add(&waiting, "lost", "1"));
    for (on_lost, order, state) in
        [(OnLost::Retry, ["e1", "lost"], State::Queued), (OnLost::Fail, ["e1", "lost"], State::Failed)]
    {
        let row = shown(&tried, on_lost, &[]);
        assert_eq!(names(&row), order);
        let execution = row.experiments[1].execution.as_ref().unwrap();
        assert_eq!((execution.state, &execution.workspace), (state, &None));
        assert!(execution.cause.as_ref().unwrap().contains("its process was killed"));
        assert_eq!(names(&shown(&tried, on_lost, &[state])), ["e1"]);
    }
}

#[test]
fn a_record_that_is_damaged_hides_no_task() {
    let tried = tried(&["0.2"]);
    let waiting = Waiting::on(&tried.project);
    let task = add(&waiting, "w1", "0.7");
    std::fs::write(waiting.queue().log(task.id, 1).with_file_name("record.json"), "{").unwrap();
    let row = shown(&tried, OnLost::Retry, &[]);
    assert_eq!(names(&row), ["e1", &task.id.short()]);
    let damaged = &row.experiments[1];
    assert_eq!((rate(&damaged.tip), damaged.state()), (Some(&Value::Float(0.7)), State::Failed));
    assert!(damaged.execution.as_ref().unwrap().cause.as_ref().unwrap().contains("damaged"));
}

#[test]
fn inputs_of_tasks_are_read_once_whatever_became_of_the_metrics() {
    let tried = tried(&[]);
    let waiting = Waiting::on(&tried.project);
    let add = |at| waiting.add(&format!("w{at}"), &[("params.yaml", &format!("lr: {at}\n")), ("m.yaml", "acc: [")]).id;
    let added: Vec<CommitId> = (0..20).map(add).collect();
    let first = shown(&tried, OnLost::Retry, &[]);
    assert_eq!(remembered(&tried, Part::Inputs, &added), added);
    assert_eq!(format!("{:?}", shown(&tried, OnLost::Retry, &[])), format!("{first:?}"));
    let rates: Vec<_> = first.experiments.iter().map(|row| rate(&row.tip).cloned()).collect();
    assert_eq!(rates, (0..20).rev().map(|at| Some(Value::Int(at))).collect::<Vec<_>>());
}

#[test]
fn states_have_columns_where_there_are_any() {
    let tried = tried(&["0.5", "0.4"]);
    let waiting = Waiting::on(&tried.project);
    let failed = add(&waiting, "failed", "0.6");
    waiting.settle(&failed, State::Failed, None);
    let table = tried.table(Layout::People, None).unwrap();
    assert_eq!(titles(&table)[..3], ["Experiment", "Created", "State"], "nothing has an executor");
    add(&waiting, "w1", "0.9");
    add(&waiting, "w2", "0.1");
    let sort = SortBy { column: "params.yaml:lr".to_owned(), order: Order::Ascending };
    let table = tried.table(Layout::Programs, Some(&sort)).unwrap();
    assert_eq!(titles(&table)[..7], ["Experiment", "rev", "typ", "Created", "parent", "State", "Executor"]);
    let line = |row: &Row| {
        let words = [0, 5, 6].map(|at| match &row.cells[at] {
            Cell::Text(text) => text.clone(),
            _ => "-".to_owned(),
        });
        words.join(" ")
    };
    // The order of the queue stays.
    let wanted = ["e2 - -", "e1 - -", "w2 Queued Dvc-task", "w1 Queued Dvc-task", "failed Failed -"];
    assert_eq!(table.rows[2..].iter().map(line).collect::<Vec<_>>(), wanted);
    let mut changed = tried.table(Layout::People, None).unwrap();
    changed.select(&Visible { same: Same::Hidden, ..Visible::default() }).unwrap();
    assert!(titles(&changed).contains(&"State"));
}
