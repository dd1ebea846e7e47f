//! What `exp push`, `exp pull`, `exp list` and `exp remove` have in common on other git repositories: how one is reached, which
//! of its experiments are meant, and the data of experiments.

use dewar_core::event::Direction;
use dewar_core::exp::chains::Chains;
use dewar_core::exp::name::ExperimentName;
use dewar_core::exp::outputs::add_commits;
use dewar_core::exp::refs::{self, Experiment, ResolveError};
use dewar_core::exp::share::{self, Diverged};
use dewar_core::git::{CommitId, Connection, Git, GitError, GitRemote, Purpose, Pushed, Surroundings, Verify};
use dewar_core::pipeline::Pipeline;
use dewar_core::pipeline::target::{self, Targets};
use dewar_core::remote::{Outputs, Runs, Transferred};
use dewar_core::words::did_you_mean;

use super::show::selection;
use crate::args::exp::BaselineArgs;
use crate::args::share::ShareArgs;
use crate::commands::project::Project;
use crate::commands::transfer::{self, Move};
use crate::failure::{Failure, Kind};
use crate::session::Session;
use crate::ui::text;

/// So many names are told one by one.
const TOLD: usize = 10;

/// Another git repository, and how it is reached.
pub struct There {
    /// Which one.
    pub remote: GitRemote,
    around: Surroundings,
}

impl There {
    /// The git remote that the user names.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str, project: &Project<'_>) -> Result<Self, Failure> {
        let (session, git) = (project.session(), project.repo.git()?);
        let patience = project.repo.config.own.git.patience();
        Ok(Self { remote: git.remote(name, &session.cwd)?, around: Surroundings { patience, ..surroundings(session) } })
    }

    /// Connects to it.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn connect<'g>(&self, git: &'g Git, purpose: Purpose) -> Result<Connection<'g>, Failure> {
        Ok(git.connect(&self.remote, purpose, &self.around)?)
    }

    /// Renames an experiment there.
    ///
    /// # Errors
    /// As [`share::rename`].
    pub fn rename(
        &self,
        git: &Git,
        experiment: &Experiment,
        name: &ExperimentName,
        taken: Diverged,
    ) -> Result<Pushed, Failure> {
        Ok(share::rename(git, &self.remote, &self.around, experiment, name, taken)?)
    }
}

/// What the environment says of other git repositories.
fn surroundings(session: &Session) -> Surroundings {
    let variable = |name: &str| session.text(name).filter(|text| !text.is_empty());
    let either = |lower: &str| variable(lower).or_else(|| variable(&lower.to_ascii_uppercase()));
    Surroundings {
        ssh_command: variable("GIT_SSH_COMMAND"),
        ssh: variable("GIT_SSH"),
        // In upper case it could come from a request, in a CGI program.
        http_proxy: variable("http_proxy"),
        https_proxy: either("https_proxy"),
        all_proxy: either("all_proxy"),
        no_proxy: either("no_proxy"),
        ca_file: variable("GIT_SSL_CAINFO"),
        verify: if variable("GIT_SSL_NO_VERIFY").is_some() { Verify::No } else { Verify::Yes },
        ..Surroundings::default()
    }
}

/// The experiments of another repository that are named, or those of the commits that are.
///
/// # Errors
/// When a name or a revision is unknown.
pub fn chosen(
    git: &Git,
    there: &There,
    theirs: &[Experiment],
    names: &[String],
    baseline: &BaselineArgs,
) -> Result<Vec<Experiment>, Failure> {
    if !names.is_empty() {
        let here = match git.head() {
            Ok(head) => Some(head.commit),
            Err(GitError::Unborn { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        return share::named(theirs, here, names).map_err(|error| match error {
            ResolveError::Unknown { text: word, similar } => {
                let remote = &there.remote.name;
                let message = format!("`{word}` is no experiment of the git remote `{remote}`");
                let list = format!("`dewar exp list -A {}` lists all of them", text::shell_quoted(remote));
                Failure::new(Kind::Usage, message).hint(similar.map_or(list, |similar| did_you_mean(&similar)))
            }
            error => error.into(),
        });
    }
    if baseline.all_commits {
        return Ok(theirs.to_vec());
    }
    let baselines = selection(baseline).baselines(git)?;
    let is_meant = |experiment: &&Experiment| baselines.contains(&experiment.reference.baseline);
    Ok(theirs.iter().filter(is_meant).cloned().collect())
}

/// The experiments of this repository that belong to the commits that are named.
///
/// # Errors
/// When a revision is unknown.
pub fn of_commits(git: &Git, baseline: &BaselineArgs) -> Result<Vec<Experiment>, Failure> {
    if baseline.all_commits {
        return Ok(refs::all(git)?);
    }
    let mut found = Vec::new();
    for commit in selection(baseline).baselines(git)? {
        found.extend(refs::of_baseline(git, commit)?);
    }
    Ok(found)
}

/// Where the data of experiments goes, or comes from.
pub struct Data<'a> {
    args: &'a ShareArgs,
    direction: Direction,
    project: &'a Project<'a>,
}

impl<'a> Data<'a> {
    /// As it was asked for; none when no remote was named and the settings have no default one.
    #[must_use]
    pub fn asked(args: &'a ShareArgs, direction: Direction, project: &'a Project<'a>) -> Option<Self> {
        let is_known = args.remote.is_some() || project.repo.config.dvc("core", "remote").is_some();
        is_known.then_some(Self { args, direction, project })
    }

    /// Moves what the checkpoints that count of these experiments have. Answers what went, and those of which something did not,
    /// with the reason. The cache has to be held.
    ///
    /// # Errors
    /// When a remote cannot be used, or the user asked for the end.
    pub fn run(&self, experiments: &[Experiment]) -> Result<(Transferred, Vec<(Experiment, Failure)>), Failure> {
        let mut held = Vec::new();
        let mut readable = Vec::new();
        let mut all = Outputs::default();
        let mut chains = Chains::new(self.project.repo.git()?);
        for experiment in experiments {
            match self.add(&mut all, &mut chains, experiment) {
                Ok(()) => readable.push(experiment),
                Err(failure) => held.push((experiment.clone(), failure)),
            }
        }
        let runs = if self.args.run_cache { Runs::Take } else { Runs::Leave };
        let mut done = self.transfer(all, runs)?;
        if done.is_complete() {
            return Ok((done, held));
        }
        if done.left > 0 || !done.errors.is_empty() {
            let failure = transfer::failure(&mut done, self.direction, self.project);
            return Err(failure.unwrap_or_else(|| Failure::new(Kind::Remote, "not all data went")));
        }
        // Whose it was that is not there: what went before does not go again.
        for experiment in readable {
            let mut outputs = Outputs::default();
            self.add(&mut outputs, &mut chains, experiment)?;
            let mut own = self.transfer(outputs, Runs::Leave)?;
            held.extend(transfer::failure(&mut own, self.direction, self.project).map(|why| (experiment.clone(), why)));
        }
        Ok((done, held))
    }

    fn transfer(&self, outputs: Outputs, runs: Runs) -> Result<Transferred, Failure> {
        let (remote, jobs) = (self.args.remote.as_deref(), self.args.jobs);
        Move { direction: self.direction, outputs, remote, jobs, runs }.run(self.project)
    }

    /// Adds the outputs of one.
    fn add(&self, outputs: &mut Outputs, chains: &mut Chains<'_>, experiment: &Experiment) -> Result<(), Failure> {
        let git = self.project.repo.git()?;
        let history = chains.history(experiment.reference.baseline, experiment.commit)?;
        // The data of what a policy let go of may be gone.
        let kept: Vec<CommitId> =
            history.links().iter().map(|link| link.commit).filter(|commit| history.keeps(*commit)).collect();
        let every = |pipeline: &Pipeline| target::resolve(pipeline, &Targets::All).unwrap_or_default();
        let unreadable = add_commits(outputs, git, self.project.templates(), kept, every);
        match unreadable.into_iter().next() {
            None => Ok(()),
            Some((commit, error)) => {
                let message = format!("what data the commit {} has cannot be told: {error}", commit.short());
                Err(Failure::new(Kind::Pipeline, message).hint("`--no-cache` leaves the data out"))
            }
        }
    }
}

/// What the user is told when the data of experiments has nowhere to go, or to come from.
pub const NO_DATA_REMOTE: &str =
    "There is no remote for data, so only the experiments themselves go; `dewar remote add -d NAME FOLDER` sets one.";

/// `experiment a`, `experiments a and b`, or how many.
#[must_use]
pub fn experiments(names: &[String]) -> String {
    match names {
        [one] => format!("experiment {one}"),
        [some @ .., last] if names.len() <= TOLD => format!("experiments {} and {last}", some.join(", ")),
        _ => format!("{} experiments", names.len()),
    }
}

/// The names of experiments.
pub fn names<'e>(experiments: impl IntoIterator<Item = &'e Experiment>) -> Vec<String> {
    experiments.into_iter().map(|experiment| experiment.reference.name.to_string()).collect()
}

/// What another repository did not take, as the failure of a command.
#[must_use]
pub fn refused(experiment: &Experiment, outcome: Pushed, remote: &GitRemote) -> Option<Failure> {
    let (name, there) = (&experiment.reference.name, &remote.name);
    match outcome {
        Pushed::Done => None,
        Pushed::Moved(conflict) => {
            let message = format!("the git remote `{there}` has changed `{name}` meanwhile: {conflict}");
            Some(Failure::new(Kind::Remote, message).hint("run it again, to see what is there now"))
        }
        Pushed::Refused(why) => {
            Some(Failure::new(Kind::Remote, format!("the git remote `{there}` refuses `{name}`: {why}")))
        }
    }
}
