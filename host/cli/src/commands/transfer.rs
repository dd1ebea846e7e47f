//! Objects to remotes and from them, for `push`, `fetch`, `pull` and whatever else moves data.

use std::num::NonZeroUsize;

use dewar_core::cache::key;
use dewar_core::event::Direction;
use dewar_core::path::RepoPath;
use dewar_core::remote::{self, Absent, Access, Outputs, Runs, Transfer, Transferred};

use super::project::Project;
use crate::failure::{Failure, Kind};
use crate::ui::text;

/// So many paths are told of those that are missing or damaged.
const TOLD: usize = 20;

/// What is to go, and how.
pub struct Move<'a> {
    /// Which way.
    pub direction: Direction,
    /// What.
    pub outputs: Outputs,
    /// Between the cache and which remote; none for the default one.
    pub remote: Option<&'a str>,
    /// How many objects at once.
    pub jobs: Option<NonZeroUsize>,
    /// Whether remembered runs go, too: between the cache and the remote that was named, or the default one.
    pub runs: Runs,
}

impl Move<'_> {
    /// Moves it, and says what went and what did not. The cache has to be held.
    ///
    /// # Errors
    /// When a remote cannot be opened or asked. That something did not go is no error yet: see [`failure`].
    pub fn run(self, project: &Project<'_>) -> Result<Transferred, Failure> {
        let (config, root) = (&project.repo.config, project.repo.root());
        let cancellation = project.session().cancellation()?;
        let access = match self.direction {
            Direction::Push => Access::Write,
            Direction::Fetch => Access::Read,
        };
        let mut done = Transferred::default();
        for (name, batch) in self.outputs.batches(self.remote) {
            let is_asked = name.as_deref() == self.remote;
            let runs = if is_asked { self.runs } else { Runs::Leave };
            if batch.is_empty() && !is_asked {
                continue;
            }
            let remote = remote::open(config, root, name.as_deref(), access)?;
            let jobs = self.jobs.unwrap_or_else(|| remote::default_jobs(config, remote.name()));
            let transfer = Transfer::new(&*remote, project.store(), jobs, cancellation.clone(), project.events())?;
            done.extend(match self.direction {
                Direction::Push => transfer.push(&batch, runs)?,
                Direction::Fetch => transfer.fetch(&batch, runs)?,
            });
        }
        Ok(done)
    }
}

/// `3 files pushed`, or that there was nothing to do.
pub fn told(done: &Transferred, verb: &str) -> Option<String> {
    match done.objects + done.runs {
        0 => None,
        count => Some(format!("{} {verb}", text::counted(count, "file"))),
    }
}

/// What did not go, as the failure of a command; none when all went.
pub fn failure(done: &mut Transferred, direction: Direction, project: &Project<'_>) -> Option<Failure> {
    let mut failures: Vec<Failure> = Vec::new();
    let (verb, from, to) = match direction {
        Direction::Push => ("pushed", "the cache", "the remote"),
        Direction::Fetch => ("fetched", "the remote", "the cache"),
    };
    if done.left > 0 && done.errors.is_empty() {
        let message = format!("interrupted: {} {verb}, {} left", text::counted(done.objects, "file"), done.left);
        failures.push(Failure::new(Kind::Interrupted, message).hint("run it again: it goes on from there"));
    }
    failures.extend(std::mem::take(&mut done.errors).into_iter().map(Failure::from));
    if !done.missing.is_empty() {
        let message = format!("neither {from} nor {to} has the content of {}", list(&done.missing, project));
        let hint = match direction {
            Direction::Push => "run the stages that make it, or push from where the cache has it",
            Direction::Fetch => "push it from where the cache has it, or run the stages that make it",
        };
        failures.push(Failure::new(Kind::Remote, message).hint(hint));
    }
    if !done.damaged.is_empty() {
        failures.push(match direction {
            Direction::Push => {
                let message =
                    format!("the cache had the content of {} damaged: it was not pushed", list(&done.damaged, project));
                let hint = "it was removed from the cache; `dewar repro` or `dewar commit` puts it there again";
                Failure::new(Kind::Remote, message).hint(hint)
            }
            Direction::Fetch => {
                let message =
                    format!("the remote has the content of {} damaged: it was not kept", list(&done.damaged, project));
                let places: Vec<String> = done.damaged.iter().take(TOLD).map(|absent| key(&absent.id)).collect();
                let hint =
                    format!("remove it from the remote and push it again from a good cache: {}", places.join(", "));
                Failure::new(Kind::Remote, message).hint(hint)
            }
        });
    }
    Failure::together(failures)
}

fn list(absent: &[Absent], project: &Project<'_>) -> String {
    let shown = |absent: &Absent| {
        let path = RepoPath::parse(&absent.path).map(|path| path.relative_to(project.repo.from()));
        format!("`{}`", text::visible(&path.unwrap_or_else(|_| absent.path.clone())))
    };
    let mut names: Vec<String> = absent.iter().take(TOLD).map(shown).collect();
    if absent.len() > TOLD {
        names.push(format!("{} more", absent.len() - TOLD));
    }
    names.join(", ")
}
