//! [`Project`]: what every command on a project begins with, and how stages are run. Steps 2, 5 and 6 of the walk.

mod settings;

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use dewar_core::cache::hold::CacheHold;
use dewar_core::cache::{ObjectStore, WorkTree};
use dewar_core::event::EventSink;
use dewar_core::exp::isolated::remove_abandoned;
use dewar_core::extension::Extensions;
use dewar_core::fs::FsError;
use dewar_core::git::{IdentityOverrides, LOCAL_VARIABLES};
use dewar_core::index::StatIndex;
use dewar_core::params::ParamFiles;
use dewar_core::path::RepoPath;
use dewar_core::pipeline::files::{Overlay, WorkFiles};
use dewar_core::pipeline::target::{Folders, Names, Typed};
use dewar_core::pipeline::{FlagStyle, Pipeline, StageAddress, Templates};
use dewar_core::plan::ExplanationSink;
use dewar_core::process::{Cancellation, Group, Lines, NativeProcesses, StageOutput};
use dewar_core::remote::{self, Access, Fetcher};
use dewar_core::repo::{Repo, RepoError, WorkspaceLock};
use dewar_core::repro::{self, Selection};
use dewar_core::resources::Ledger;
use dewar_core::run_cache::RunCache;
use dewar_core::schedule::{self, Company, RunError, RunOptions, RunReport};
use dewar_core::stage_run::{self, Answer, Checkpoints, Commit, Confirm, Pull, StageProcesses, StageRunner};
use dewar_core::workspace::Workspace;
use dewar_wasm::PluginRegistry;

use self::settings::{flags, registry, store};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::explain::{Explainer, Form};
use crate::ui::problem::Place;
use crate::ui::report::Reporter;
use crate::ui::{StdoutUse, Ui, text};

/// The executor of stages that name none.
const EXECUTOR: &str = "shell";
/// Where processes agree on who has which resources of the machine, in the project.
const CLAIMS: &str = ".dvc/tmp/dewar/claims";
/// What is said to one who wonders why nothing happens.
const WAITING: &str = "waiting for `gc`, which removes from the cache";

/// What becomes of the results of stages.
#[derive(Debug, Clone, Copy)]
pub struct Results {
    /// Whether they are kept in the cache.
    pub commit: Commit,
    /// Whether runs are remembered, and what is remembered is used.
    pub remembered: bool,
    /// Whether what is missing is fetched from the default remote.
    pub pull: bool,
}

impl Default for Results {
    /// They are kept and remembered.
    fn default() -> Self {
        Self { commit: Commit::Yes, remembered: true, pull: false }
    }
}

/// How stages are run.
#[derive(Default)]
pub struct StageRuns {
    /// Which may run, and when.
    pub options: RunOptions,
    /// What becomes of what comes out.
    pub results: Results,
    /// Where the user is asked before each stage.
    pub ask: Option<Arc<Ui>>,
    /// What limits how many stages of several processes run at once, if anything does.
    pub budget: Option<JobBudget>,
}

/// So many stages at once, of all the processes that name the folder.
pub struct JobBudget {
    /// Where the processes agree; made when it is missing.
    pub folder: PathBuf,
    /// How many.
    pub jobs: NonZeroUsize,
}

/// The project that a command works on.
pub struct Project<'a> {
    /// Where it is, its settings and its repository.
    pub repo: Repo,
    /// How its parameter files are read.
    pub params: ParamFiles,
    session: &'a Session,
    ui: Arc<Ui>,
    extensions: Arc<PluginRegistry>,
    events: Arc<dyn EventSink>,
    explanations: Option<Arc<dyn ExplanationSink>>,
    store: ObjectStore,
    index: StatIndex,
    flags: FlagStyle,
    /// What stages are told is the project's root: that of the user's workspace, also in an isolated one (DVC 3's rule).
    told_root: PathBuf,
}

impl<'a> Project<'a> {
    /// Opens the project that the session is in. No plugin is looked for yet.
    ///
    /// # Errors
    /// When there is none, or its settings are invalid.
    pub fn open(session: &'a Session, ui: &Arc<Ui>) -> Result<Self, Failure> {
        let repo = Repo::discover(&session.cwd, &session.outside_files)?;
        let events: Arc<dyn EventSink> = Arc::new(Reporter::new(Arc::clone(ui), repo.from().clone()));
        let extensions = Arc::new(registry(session, &repo, &events)?);
        let remembered = repo.tmp().join("dewar");
        let clock = session.clock;
        Ok(Self {
            params: ParamFiles::new(Arc::clone(&extensions) as Arc<dyn Extensions>, Some(remembered.join("params"))),
            store: store(&repo)?,
            flags: flags(&repo)?,
            told_root: repo.root().to_owned(),
            index: StatIndex::open(remembered.join("stats"), move || clock.now()),
            session,
            ui: Arc::clone(ui),
            extensions,
            events,
            explanations: None,
            repo,
        })
    }

    /// From now on, runs are explained as well; with JSON, stdout is kept for it.
    pub fn explain(&mut self, form: Form) -> Arc<Explainer> {
        let (ui, events) = (Arc::clone(&self.ui), Arc::clone(&self.events));
        if form == Form::Json {
            ui.keep_stdout_for_a_document();
        }
        let explainer = Arc::new(Explainer::new(ui, events, self.repo.from().clone(), form));
        self.events = Arc::clone(&explainer) as Arc<dyn EventSink>;
        self.explanations = Some(Arc::clone(&explainer) as Arc<dyn ExplanationSink>);
        explainer
    }

    /// The same project in an isolated workspace, with the settings, plugins and cache of this one.
    pub fn isolated(&self, repo: Repo) -> Self {
        let clock = self.session.clock;
        Self {
            params: ParamFiles::new(
                Arc::clone(&self.extensions) as Arc<dyn Extensions>,
                Some(self.remembered("params")),
            ),
            store: self.store.for_disposable(),
            flags: self.flags,
            index: StatIndex::open(repo.tmp().join("dewar/stats"), move || clock.now()),
            told_root: self.told_root.clone(),
            session: self.session,
            ui: Arc::clone(&self.ui),
            extensions: Arc::clone(&self.extensions),
            events: Arc::clone(&self.events),
            explanations: self.explanations.clone(),
            repo,
        }
    }

    /// Where plugins come from.
    pub const fn extensions(&self) -> &Arc<PluginRegistry> {
        &self.extensions
    }

    /// Whether it is not in the user's workspace.
    pub fn is_isolated(&self) -> bool {
        self.told_root != self.repo.root()
    }

    /// Its workspace; new contents are named as `pipeline` names them, unless the settings say otherwise.
    ///
    /// # Errors
    /// When the folder cannot be opened.
    pub fn workspace(&self, pipeline: &Pipeline) -> Result<Workspace<'_>, Failure> {
        let algorithm = self.repo.config.algorithm(pipeline.algorithm_in_use());
        let tree = WorkTree::open(self.repo.root(), &self.index)?;
        Ok(Workspace::new(tree, &self.store, &self.params, algorithm))
    }

    /// The same, with texts in place of what is there.
    ///
    /// # Errors
    /// When the folder cannot be opened.
    pub fn workspace_with(&self, pipeline: &Pipeline, overlay: Overlay) -> Result<Workspace<'_>, Failure> {
        Ok(self.workspace(pipeline)?.with_overlay(overlay))
    }

    /// What templates in a `dvc.yaml` are resolved with.
    pub const fn templates(&self) -> Templates<'_> {
        Templates { values: &self.params, flags: self.flags }
    }

    /// Targets as they were typed in the folder that the user is in; folders are refused and names are no patterns.
    pub fn typed<'b>(&'b self, texts: &'b [String]) -> Typed<'b> {
        let (root, from) = (self.told_root.as_path(), self.repo.from());
        Typed { texts, root, from, folders: Folders::Refused, names: Names::Exact }
    }

    /// Remembered runs, when they are to be used.
    pub fn run_cache(&self, results: Results) -> Option<RunCache> {
        results.remembered.then(|| RunCache::new(self.store.folder()))
    }

    /// Where events go.
    pub fn events(&self) -> Arc<dyn EventSink> {
        Arc::clone(&self.events)
    }

    /// Where contents are kept.
    pub const fn store(&self) -> &ObjectStore {
        &self.store
    }

    /// Where what can be computed again is kept for this project.
    pub fn remembered(&self, what: &str) -> PathBuf {
        self.repo.tmp().join("dewar").join(what)
    }

    /// Brings the selected stages up to date; their commands see `env` beside the user's environment. `checkpoints` takes those
    /// of stages that have some.
    ///
    /// # Errors
    /// When a stage fails or cannot run. What was finished before is kept.
    pub fn run(
        &self,
        selection: &Selection,
        how: &StageRuns,
        env: Vec<(String, String)>,
        checkpoints: Option<&dyn Checkpoints>,
    ) -> Result<RunReport, Failure> {
        let workspace = self.workspace(&selection.pipeline)?;
        let cancellation = self.session.cancellation()?;
        let git = self.repo.git.as_ref().map(dewar_core::git::Git::reopen).transpose()?;
        let Selection { pipeline, graph, order } = selection;
        let from = self.repo.from();
        let runner = StageRunner {
            workspace: &workspace,
            executor: self.extensions.executor(EXECUTOR)?,
            processes: self.processes(schedule::company_of(graph.as_ref(), order, how.options.jobs), &cancellation),
            env: self.stage_env(env),
            run_cache: self.run_cache(how.results),
            pull: if how.results.pull { Some(self.pull(pipeline)?) } else { None },
            // Of the user's project: isolated workspaces are on the same machine.
            resources: Ledger::new(&self.told_root.join(CLAIMS), self.repo.config.own.resources.clone()),
            budget: how.budget.as_ref().map(|budget| stage_run::job_budget(&budget.folder, budget.jobs)),
            cancellation,
            git: git.map(Mutex::new),
            events: Arc::clone(&self.events),
            explanations: self.explanations.clone(),
            from: from.clone(),
            commit: how.results.commit,
            checkpoints,
            watching: Mutex::default(),
            confirm: how.ask.as_ref().map(|ui| {
                let ask = |stage: &StageAddress| {
                    let name = stage.display_from(from);
                    let question = format!("Going to reproduce stage: '{name}'. Are you sure you want to continue?");
                    if ui.ask(&question) { Answer::Yes } else { Answer::No }
                };
                Box::new(ask) as Confirm<'_>
            }),
        };
        let result = schedule::run(pipeline, graph.as_ref(), order, how.options, &runner);
        self.save_index();
        result.map_err(|error| self.show_places(error, pipeline))
    }

    /// Where the processes of stages come from. Stages that may run side by side cannot share a terminal.
    fn processes(&self, company: Company, cancellation: &Cancellation) -> StageProcesses<'_> {
        let is_alone = company == Company::Alone;
        let native = NativeProcesses {
            workspace: self.repo.root().to_owned(),
            output: StageOutput::Inherited,
            cancellation: cancellation.clone(),
            stop: Cancellation::default(),
            group: if is_alone && std::io::stdin().is_terminal() { Group::Shared } else { Group::Own },
        };
        let (from, events, stdout) = (self.repo.from(), &self.events, self.ui.stdout());
        Box::new(move |stage, stop| {
            let lines = || {
                let name = stage.address.display_from(from);
                StageOutput::Lines(Lines { stage: name, events: Arc::clone(events) })
            };
            let output = match (company, stdout) {
                (Company::SideBySide, _) => lines(),
                (Company::Alone, StdoutUse::Anything) => StageOutput::Inherited,
                (Company::Alone, StdoutUse::Document) => StageOutput::Stderr,
            };
            // What a policy may stop is ended with all that it started.
            let group = if stage.has_checkpoints() { Group::Own } else { native.group };
            Arc::new(NativeProcesses { output, group, stop: stop.clone(), ..native.clone() })
        })
    }

    /// What fetches from the default remote.
    fn pull(&self, pipeline: &Pipeline) -> Result<Pull<'_>, Failure> {
        let remote = remote::open(&self.repo.config, &self.told_root, None, Access::Read)?;
        Ok(Pull::new(Fetcher::new(remote, &self.store, Arc::clone(&self.events)), pipeline))
    }

    /// A failure of a run, with the places in the pipeline that it is about.
    fn show_places(&self, error: RunError, pipeline: &Pipeline) -> Failure {
        let RunError::Stages(errors) = error else { return error.into() };
        let places: Vec<Option<Place>> = errors
            .iter()
            .map(|error| {
                let stage = pipeline.stage(pipeline.find(error.stage()?)?);
                let (source, span) = repro::place(stage, &files(self)).ok()?;
                Some(Place::span(source.file.to_string(), &source.text, error.span().unwrap_or(span)))
            })
            .collect();
        let failures = errors.into_iter().map(Failure::from).zip(places).map(|(failure, place)| match place {
            Some(place) => failure.at(place),
            None => failure,
        });
        Failure::together(failures).unwrap_or_else(|| RunError::Stages(Vec::new()).into())
    }

    /// Says what the user would tell git of `touched` files; nothing where there is no git.
    ///
    /// # Errors
    /// When stdout does not take it.
    pub fn suggest_git_add<'p>(&self, ui: &Ui, touched: impl IntoIterator<Item = &'p RepoPath>) -> Result<(), Failure> {
        let shown =
            |path: &RepoPath| text::visible(&text::shell_quoted(&path.relative_to(self.repo.from()))).into_owned();
        let paths: Vec<String> = touched.into_iter().map(shown).collect();
        if self.repo.git.is_none() || paths.is_empty() {
            return Ok(());
        }
        ui.tell(&format!("To track the changes with git, run:\n\n\tgit add {}", paths.join(" ")))
    }

    /// Remembers what was hashed. A command is not at fault when that fails: the next one hashes again.
    pub fn save_index(&self) {
        if let Err(error) = self.index.save() {
            self.warn(error.to_string());
        }
    }

    /// Takes the workspace for a command, and holds the cache with others.
    ///
    /// # Errors
    /// As [`Repo::take_workspace`].
    pub fn take_workspace(&self, command: &str) -> Result<WorkspaceLock, RepoError> {
        self.repo.take_workspace(command, || self.warn(WAITING.to_owned()))
    }

    /// Holds the cache with others, for a command that has a workspace of its own.
    ///
    /// # Errors
    /// As [`Repo::hold_cache`].
    pub fn hold_cache(&self, command: &str) -> Result<CacheHold, FsError> {
        self.repo.hold_cache(command, || self.warn(WAITING.to_owned()))
    }

    /// Removes the workspaces of experiments that were killed. What still ran in them has to be ended before.
    pub fn remove_abandoned(&self) {
        for error in remove_abandoned(&self.repo) {
            self.warn(format!("{error}; a killed experiment left it, and it may be removed"));
        }
    }

    /// Tells the user something that stops nothing.
    pub fn warn(&self, message: String) {
        self.events.event(dewar_core::event::Event::Warning { message });
    }

    /// What stages see of the user's environment, and more.
    fn stage_env(&self, more: Vec<(String, String)>) -> Vec<(String, String)> {
        let root = ("DVC_ROOT".to_owned(), self.told_root.display().to_string());
        let mut env = self.environment();
        // Those would lead git in the isolated workspace back to the user's.
        env.retain(|(name, _)| !self.is_isolated() || !LOCAL_VARIABLES.contains(&name.as_str()));
        env.into_iter().chain([root]).chain(more).collect()
    }

    /// The user's environment. What is not UTF-8 cannot cross to a plugin, and is told.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut inherited = Vec::with_capacity(self.session.env.len());
        for (name, value) in &self.session.env {
            match (name.to_str(), value.to_str()) {
                (Some(name), Some(value)) => inherited.push((name.to_owned(), value.to_owned())),
                _ => {
                    let message =
                        format!("the environment variable `{}` is not UTF-8; stages do not see it", name.display());
                    self.warn(message);
                }
            }
        }
        inherited
    }

    /// What the environment says of the user's identity.
    pub fn identity(&self) -> IdentityOverrides {
        let variable = |name: &str| self.session.text(name);
        IdentityOverrides {
            author_name: variable("GIT_AUTHOR_NAME"),
            author_email: variable("GIT_AUTHOR_EMAIL"),
            committer_name: variable("GIT_COMMITTER_NAME"),
            committer_email: variable("GIT_COMMITTER_EMAIL"),
            email: variable("EMAIL"),
        }
    }

    /// Which session opened it.
    pub const fn session(&self) -> &'a Session {
        self.session
    }
}

/// The text of the project's files.
pub fn files(project: &Project<'_>) -> WorkFiles {
    WorkFiles::new(project.repo.root().to_owned()).remembered_in(project.remembered("pipeline"))
}
