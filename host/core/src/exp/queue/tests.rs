use super::super::refs;
use super::claim::Kill;
use super::*;
use crate::config::OnLost;
use crate::config::settings::OutsideFiles;
use crate::git::testing::{TIME, TestRepo, identity};
use crate::process::identity::Life;
use crate::testing::request;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};
use std::time::Duration;

struct World {
    repo: TestRepo,
    queue: Queue,
    git: Git,
}

impl World {
    fn new() -> Self {
        let repo = TestRepo::with(&[("a", "1\n")]);
        std::fs::create_dir(repo.at(".dvc")).unwrap();
        let queue = Queue::of(&Repo::discover(repo.root(), &OutsideFiles::default()).unwrap());
        let git = repo.open();
        Self { repo, queue, git }
    }

    fn add(&self, name: &str, priority: i32) -> Task {
        let tree = self.git.index_tree().unwrap();
        let request = request();
        let mut changing = self.queue.change().unwrap();
        let new = NewTask {
            name: name.to_owned().try_into().unwrap(),
            baseline: self.git.head().unwrap().commit,
            tree,
            index: tree,
            overrides: vec!["lr=1".into()],
            priority,
            sweep: None,
            request: &request,
            copies: &[],
            identity: &identity(),
            time: TIME,
        };
        let task = changing.add(&self.git, &new).unwrap();
        drop(changing);
        assert_eq!(self.queue.request(task.id).unwrap(), request);
        task
    }

    fn take(&self) -> Option<claim::Claim> {
        self.queue.change().unwrap().take(&self.git, |_| true, OnLost::Retry, 7).unwrap()
    }

    fn names(&self) -> Vec<String> {
        self.queue.tasks().unwrap().iter().map(|task| task.name.to_string()).collect()
    }

    fn state(&self, name: &str) -> State {
        self.queue.find(name).unwrap().state
    }

    /// Makes the record say that its processes were others, which have ended.
    fn orphan(&self, name: &str) {
        let task = self.queue.find(name).unwrap();
        let path = self.queue.of_task(task.id).join(RECORD);
        let text = std::fs::read_to_string(&path).unwrap();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        std::fs::write(&path, text.replace(boot.trim(), "another boot")).unwrap();
    }
}

/// A process that alone has the lock of a task, as one has that outlived its worker.
fn left(world: &World, name: &str) -> Child {
    let task = world.queue.find(name).unwrap();
    let lock = std::fs::File::open(world.queue.of_task(task.id).join(LOCK)).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    Command::new("sleep").arg("60").stdin(lock).spawn().unwrap()
}

#[test]
fn tasks_are_taken_once_by_priority_and_age() {
    let world = World::new();
    for (name, priority) in [("first", 0), ("second", 0), ("urgent", 5)] {
        world.add(name, priority);
    }
    assert_eq!(world.names(), ["first", "second", "urgent"]);
    let claims: Vec<_> = std::iter::from_fn(|| world.take()).collect();
    let taken: Vec<&str> = claims.iter().map(|claim| claim.task().name.as_str()).collect();
    assert_eq!(taken, ["urgent", "first", "second"]);
    let all = world.queue.tasks().unwrap();
    assert!(matches!(world.queue.change().unwrap().remove(&world.git, &all), Err(QueueError::Runs(_))));
    drop(claims);
    assert_eq!(world.take().unwrap().task().name.as_str(), "urgent");
    assert!(matches!(
        world.queue.change().unwrap().check_free(all[0].baseline, &all[0].name),
        Err(QueueError::NameTaken(_))
    ));
    world.queue.change().unwrap().remove(&world.git, &all[..2]).unwrap();
    assert_eq!(world.names(), ["urgent"]);
    assert_eq!(world.git.log(&stash().unwrap()).unwrap(), [all[2].id]);
    world.queue.change().unwrap().remove(&world.git, &all).unwrap();
    assert_eq!(world.git.find_ref(&stash().unwrap()).unwrap(), None);
}

#[test]
fn tasks_are_found_by_name_and_by_digits() {
    let world = World::new();
    let (one, other) = (world.add("one", 0), world.add("other", 0));
    assert_eq!(world.queue.find("one").unwrap().id, one.id);
    assert_eq!(world.queue.find(&other.id.short()).unwrap().id, other.id);
    assert!(matches!(world.queue.find("on"), Err(QueueError::Unknown { .. })));
}

#[test]
fn what_a_killed_process_left_runs_again_until_it_was_lost_too_often() {
    let world = World::new();
    world.add("one", 0);
    for lost in 1..=3 {
        let mut claim = world.take().unwrap();
        assert_eq!(claim.task().attempts.len(), lost - 1);
        drop(claim.begin(3).unwrap());
        drop(claim);
        let mut left = left(&world, "one");
        world.orphan("one");
        assert_eq!(world.state("one"), State::Running);
        if lost == 3 {
            assert!(world.take().is_none());
            assert_eq!(world.state("one"), State::Failed);
        } else {
            assert_eq!(world.take().unwrap().task().state, State::Queued);
        }
        // The lock was free only once the child was ended.
        assert!(!left.wait().unwrap().success());
    }
    let task = world.queue.find("one").unwrap();
    assert!(task.cause().unwrap().contains("killed"));
    world.queue.change().unwrap().retry(&world.git, &task, 9).unwrap();
    assert_eq!(world.state("one"), State::Queued);
}

#[test]
fn what_is_lost_is_seen_as_what_becomes_of_it() {
    let world = World::new();
    world.add("one", 0);
    let seen = |on_lost| world.queue.find("one").unwrap().seen(on_lost);
    for lost in 1..=3 {
        assert_eq!([seen(OnLost::Retry), seen(OnLost::Fail)], [State::Queued; 2]);
        let mut claim = world.take().unwrap();
        drop(claim.begin(3).unwrap());
        drop(claim);
        assert_eq!([seen(OnLost::Retry), seen(OnLost::Fail)], [State::Running; 2]);
        assert_eq!(world.queue.find("one").unwrap().cause(), None);
        world.orphan("one");
        let after = if lost == 3 { State::Failed } else { State::Queued };
        assert_eq!([seen(OnLost::Retry), seen(OnLost::Fail)], [after, State::Failed]);
        assert!(world.queue.find("one").unwrap().cause().unwrap().contains("killed"));
        // What is seen is what it is found to be by who takes it.
        assert_eq!(world.take().map(|claim| claim.task().state), (lost < 3).then_some(State::Queued));
    }
    // One that another machine runs is taken at its word.
    let mut task = world.queue.find("one").unwrap();
    (task.state, task.attempts[0].end) = (State::Running, None);
    task.attempts.truncate(1);
    assert!(task.is_lost());
    let text = serde_json::to_string(&task).unwrap().replace("\"host\":\"", "\"host\":\"another ");
    let elsewhere: Task = serde_json::from_str(&text).unwrap();
    assert_eq!(elsewhere.seen(OnLost::Retry), State::Running);
}

#[test]
fn lost_tasks_fail_where_that_is_wanted() {
    let world = World::new();
    world.add("one", 0);
    let mut claim = world.take().unwrap();
    drop(claim.begin(3).unwrap());
    drop(claim);
    world.orphan("one");
    assert!(world.queue.change().unwrap().take(&world.git, |_| true, OnLost::Fail, 9).unwrap().is_none());
    let task = world.queue.find("one").unwrap();
    assert_eq!((task.state, task.attempt().unwrap().ended), (State::Failed, Some(9)));
}

#[test]
fn a_result_that_was_recorded_counts() {
    let world = World::new();
    let task = world.add("one", 0);
    let mut claim = world.take().unwrap();
    drop(claim.begin(3).unwrap());
    let path = world.queue.of_task(task.id).join(RECORD);
    let mut record: Task = read(&path).unwrap().unwrap();
    record.attempts.last_mut().unwrap().commit = Some(task.baseline);
    write(&path, &record).unwrap();
    drop(claim);
    world.orphan("one");
    let reference = refs::ExperimentRef { baseline: task.baseline, name: task.name };
    world.repo.git(&["update-ref", &reference.to_string(), &task.baseline.to_string()]);
    assert!(world.take().is_none());
    assert_eq!(world.state("one"), State::Success);
    assert_eq!(world.git.log(&stash().unwrap()).unwrap(), []);
}

#[test]
fn a_task_that_runs_is_killed_and_one_that_does_not_is_not() {
    let world = World::new();
    let waiting = world.add("one", 0);
    let kill = |task: &Task| world.queue.kill(&world.git, task, Kill::Now, Duration::from_secs(5), 9);
    assert!(matches!(kill(&waiting), Err(QueueError::RunsNot(_))));
    let mut claim = world.take().unwrap();
    drop(claim.begin(3).unwrap());
    drop(claim);
    let mut left = left(&world, "one");
    world.orphan("one");
    assert!(kill(&world.queue.find("one").unwrap()).unwrap());
    let task = world.queue.find("one").unwrap();
    assert_eq!((task.state, task.cause().as_deref()), (State::Failed, Some("killed")));
    assert!(!left.wait().unwrap().success());
    // The next attempt does not inherit the wish.
    world.queue.change().unwrap().retry(&world.git, &task, 9).unwrap();
    let mut claim = world.take().unwrap();
    drop(claim.begin(3).unwrap());
    assert_eq!(claim.is_to_end(), None);
}

#[test]
fn a_record_that_is_damaged_hides_no_task() {
    let world = World::new();
    let task = world.add("one", 0);
    std::fs::write(world.queue.of_task(task.id).join(RECORD), "").unwrap();
    let found = world.queue.tasks().unwrap();
    assert_eq!((found[0].id, found[0].state), (task.id, State::Failed));
    assert!(found[0].cause().unwrap().contains("damaged"));
    world.queue.change().unwrap().remove(&world.git, &found).unwrap();
    assert_eq!(world.names(), [""; 0]);
}

#[test]
fn a_queue_that_others_can_write_to_is_refused() {
    let world = World::new();
    let task = world.add("one", 0);
    std::fs::set_permissions(&world.queue.folder, Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(world.queue.tasks(), Err(QueueError::NotOwned(_))));
    assert!(matches!(world.queue.request(task.id), Err(QueueError::NotOwned(_))));
    assert!(matches!(world.queue.change(), Err(QueueError::NotOwned(_))));
}

#[test]
fn workers_come_and_go() {
    let world = World::new();
    assert_eq!(world.queue.workers().unwrap(), []);
    let me = world.queue.register(workers::Takes::All).unwrap();
    assert!(!me.is_to_stop());
    world.queue.stop_workers().unwrap();
    assert!(me.is_to_stop());
    let seen = world.queue.workers().unwrap();
    assert!(seen[0].is_stopping && seen[0].process.life() == Life::Running);
    drop(me);
    assert_eq!(world.queue.workers().unwrap(), []);
    // One that was killed.
    let folder = world.queue.folder.join("workers");
    std::fs::write(folder.join("1-0.json"), serde_json::to_vec(&seen[0]).unwrap()).unwrap();
    std::fs::write(folder.join("1-0.lock"), "").unwrap();
    drop(world.queue.register(workers::Takes::All).unwrap());
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}
