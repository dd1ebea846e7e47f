//! Against a bare repository on this machine.

use std::time::Duration;

use super::*;
use crate::git::testing::git_in;
use crate::testing::Project;

/// Two projects of the same history, and a remote between them.
struct World {
    here: Project,
    there: Project,
    bare: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let bare = tempfile::tempdir().unwrap();
        git_in(bare.path(), &["init", "-q", "--bare"]);
        let project = || {
            let project = Project::new();
            project.write("a", "1");
            project.commit(100);
            project
        };
        Self { here: project(), there: project(), bare }
    }

    fn connect<'g>(&self, git: &'g Git, purpose: Purpose) -> Connection<'g> {
        git.connect(&self.remote(git), purpose, &around()).unwrap()
    }

    fn remote(&self, git: &Git) -> GitRemote {
        git.remote(self.bare.path().to_str().unwrap(), git.root()).unwrap()
    }

    fn push(&self, project: &Project, diverged: Diverged) -> Vec<(Standing, Option<Pushed>)> {
        let git = project.git();
        let mut connection = self.connect(&git, Purpose::Push);
        let compared = compare(&git, &refs::all(&git).unwrap(), &connection.refs).unwrap();
        let pushed = push(&mut connection, &compared, diverged).unwrap();
        let outcome = |compared: Compared| {
            let outcome = pushed.iter().find(|(experiment, _)| *experiment == compared.experiment);
            (compared.standing, outcome.map(|(_, outcome)| outcome.clone()))
        };
        compared.into_iter().map(outcome).collect()
    }

    fn pull(&self, project: &Project, diverged: Diverged) -> Vec<Pulled> {
        let git = project.git();
        let mut connection = self.connect(&git, Purpose::Fetch);
        let theirs = of_remote(&connection.refs);
        pull(&git, &mut connection, &theirs, diverged).unwrap().into_iter().map(|(_, pulled)| pulled).collect()
    }
}

fn around() -> Surroundings {
    Surroundings { patience: Duration::from_secs(20), ..Surroundings::default() }
}

/// An experiment `x` with one more commit than before.
fn experiment(project: &Project, parent: Option<CommitId>, content: &str) -> CommitId {
    let git = project.git();
    let baseline = git.head().unwrap().commit;
    let commit = project.commit_on(parent.unwrap_or(baseline), &[("a", content)], 101);
    let reference = ExperimentRef { baseline, name: ExperimentName::parse("x").unwrap() };
    git.update_ref(&reference.ref_name().unwrap(), commit, Expected::Any, "test").unwrap();
    commit
}

#[test]
fn an_experiment_goes_out_and_comes_in_and_goes_on() {
    let world = World::new();
    let first = experiment(&world.here, None, "2");
    assert_eq!(world.push(&world.here, Diverged::Refuse), [(Standing::Absent, Some(Pushed::Done))]);
    assert_eq!(world.push(&world.here, Diverged::Refuse), [(Standing::Same, None)]);
    assert_eq!(world.pull(&world.there, Diverged::Refuse), [Pulled::Done]);
    assert_eq!(world.pull(&world.there, Diverged::Refuse), [Pulled::Same]);
    // One more checkpoint.
    let second = experiment(&world.here, Some(first), "3");
    assert_eq!(world.push(&world.here, Diverged::Refuse), [(Standing::Behind(first), Some(Pushed::Done))]);
    assert_eq!(world.pull(&world.there, Diverged::Refuse), [Pulled::Done]);
    assert_eq!(refs::all(&world.there.git()).unwrap()[0].commit, second);
}

#[test]
fn one_that_stands_elsewhere_is_replaced_only_when_asked() {
    let world = World::new();
    let ours = experiment(&world.here, None, "2");
    world.push(&world.here, Diverged::Refuse);
    let theirs = experiment(&world.there, None, "3");
    // The commit there is not even known.
    assert_eq!(world.push(&world.there, Diverged::Refuse), [(Standing::Diverged(ours), None)]);
    assert_eq!(world.pull(&world.there, Diverged::Refuse), [Pulled::Diverged(theirs)]);
    assert_eq!(refs::all(&world.there.git()).unwrap()[0].commit, theirs);
    assert_eq!(world.pull(&world.there, Diverged::Replace), [Pulled::Replaced(theirs)]);
    let git = world.there.git();
    assert_eq!(refs::all(&git).unwrap()[0].commit, ours);
    assert_eq!(refs::resolve(&git, &theirs.short()).unwrap().commit, theirs, "what was replaced is kept");
    let again = experiment(&world.there, None, "4");
    assert_eq!(world.push(&world.there, Diverged::Replace), [(Standing::Diverged(ours), Some(Pushed::Done))]);
    let git = world.here.git();
    assert_eq!(of_remote(&world.connect(&git, Purpose::Fetch).refs)[0].commit, again);
}

#[test]
fn one_bad_experiment_leaves_the_others() {
    let world = World::new();
    experiment(&world.here, None, "2");
    world.push(&world.here, Diverged::Refuse);
    let good = refs::all(&world.here.git()).unwrap().remove(0);
    // What no git would make: a file of git's own folder.
    let blob = git_in(world.bare.path(), &["rev-parse", &format!("{}:a", good.commit)]);
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    let bytes: Vec<u8> = blob.as_bytes().chunks(2).map(|two| digit(two[0]) << 4 | digit(two[1])).collect();
    let path = world.bare.path().join("bad-tree");
    std::fs::write(&path, [b"100644 .git\0", &bytes[..]].concat()).unwrap();
    let made = ["hash-object", "-w", "--literally", "-t", "tree", path.to_str().unwrap()];
    let tree = git_in(world.bare.path(), &made);
    let who = ["-c", "user.name=x", "-c", "user.email=x"];
    let bad = git_in(world.bare.path(), &[&who[..], &["commit-tree", "-m", "x", &tree]].concat());
    let commit = good.commit.to_string();
    for (name, commit) in [("a", &commit), ("y", &bad), ("z", &commit)] {
        let reference = ExperimentRef { name: ExperimentName::parse(name).unwrap(), ..good.reference.clone() };
        git_in(world.bare.path(), &["update-ref", &reference.to_string(), commit]);
    }
    let pulled = world.pull(&world.there, Diverged::Refuse);
    let flaw = Flaw::Forbidden { commit: CommitId::parse(&bad).unwrap(), file: ".git".to_owned() };
    assert_eq!(pulled, [Pulled::Done, Pulled::Done, Pulled::Flawed(flaw), Pulled::Done]);
    assert_eq!(refs::all(&world.there.git()).unwrap().len(), 3);
}

#[test]
fn names_are_found_among_those_of_the_remote() {
    let world = World::new();
    let commit = experiment(&world.here, None, "2");
    world.push(&world.here, Diverged::Refuse);
    let git = world.there.git();
    let theirs = of_remote(&world.connect(&git, Purpose::Fetch).refs);
    let find = |text: &str| named(&theirs, None, &[text.to_owned()]);
    for text in ["x", &commit.short(), &theirs[0].reference.to_string()] {
        assert_eq!(find(text).unwrap(), theirs, "{text}");
    }
    assert!(matches!(find("y"), Err(ResolveError::Unknown { .. })));
    let mut two = theirs.clone();
    two[0].reference.baseline = commit;
    two.extend(theirs.clone());
    assert!(matches!(named(&two, None, &["x".into()]), Err(ResolveError::Ambiguous { .. })));
    assert_eq!(named(&two, Some(commit), &["x".into()]).unwrap()[0].reference.baseline, commit);
}

#[test]
fn experiments_of_a_remote_are_renamed_and_removed() {
    let world = World::new();
    experiment(&world.here, None, "2");
    world.push(&world.here, Diverged::Refuse);
    // From where its commit is not known.
    let git = world.there.git();
    let remote = world.remote(&git);
    let theirs = || of_remote(&world.connect(&git, Purpose::Fetch).refs);
    let before = theirs();
    let name = ExperimentName::parse("y").unwrap();
    let renamed = rename(&git, &remote, &around(), &before[0], &name, Diverged::Refuse).unwrap();
    assert_eq!(renamed, Pushed::Done);
    let after = theirs();
    assert_eq!((after.len(), after[0].commit), (1, before[0].commit));
    assert_eq!(after[0].reference.name, name);
    // The old name stays where the new one is taken.
    world.push(&world.here, Diverged::Refuse);
    let taken = rename(&git, &remote, &around(), &before[0], &name, Diverged::Refuse).unwrap();
    assert!(matches!(taken, Pushed::Moved(_)));
    assert_eq!(theirs().len(), 2);
    let gone = remove(&mut world.connect(&git, Purpose::Push), &theirs()).unwrap();
    assert!(gone.iter().all(|(_, outcome)| *outcome == Pushed::Done));
    assert_eq!(theirs(), []);
}
