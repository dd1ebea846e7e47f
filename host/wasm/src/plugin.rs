//! One plugin that was found, compiled on its first call, and the handles by which the rest of dewar calls it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use dewar_core::event::EventSink;
use dewar_core::extension::{
    CheckpointPolicy, Decision, Edit, ExtensionError, Job, Moment, Outcome, ParamFormat, PastMoment, PluginId,
    Processes, StageExecutor, Value,
};

use crate::abi::{self, Bound};
use crate::call::Caller;
use crate::capability::{self, Grant, Origin};
use crate::compiled::CompiledCode;
use crate::component::Component;
use crate::engine::Runtime;
use crate::imports;
use crate::limits::Limits;
use crate::{locate, text};

/// A plugin that was found.
pub(crate) struct Plugin {
    pub(crate) id: PluginId,
    pub(crate) component: Component,
    source: Source,
    /// Made at the first call. A plugin that cannot be used cannot be used at the second call either.
    bound: OnceLock<Result<Bound, String>>,
}

/// Where the bytes of a plugin are.
pub(crate) enum Source {
    Bundled(&'static [u8]),
    File(PathBuf),
}

/// What all plugins of a registry share.
pub(crate) struct Host {
    pub(crate) limits: Limits,
    pub(crate) grants: Vec<Grant>,
    pub(crate) events: Arc<dyn EventSink>,
    pub(crate) compiled: CompiledCode,
    /// Made at the first call of any plugin.
    pub(crate) runtime: OnceLock<Result<Runtime, String>>,
}

impl Plugin {
    pub(crate) fn new(component: Component, digest: String, source: Source) -> Self {
        let id = PluginId { name: component.manifest.name.clone(), digest };
        Self { id, component, source, bound: OnceLock::new() }
    }

    /// How it is named where a file is expected.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.source {
            Source::Bundled(_) => PathBuf::from(format!("{} (bundled)", self.id.name)),
            Source::File(path) => path.clone(),
        }
    }

    /// Its file, unless it comes with dewar.
    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.source {
            Source::Bundled(_) => None,
            Source::File(path) => Some(path),
        }
    }

    /// Whether it has what it asks for.
    pub(crate) fn check_grants(&self, grants: &[Grant]) -> Result<(), ExtensionError> {
        let origin = match self.source {
            Source::Bundled(_) => Origin::Bundled,
            Source::File(_) => Origin::ThirdParty,
        };
        capability::check(&self.id, origin, &self.component.asked, grants)
    }

    fn rejected(&self, reason: &str) -> ExtensionError {
        ExtensionError::Rejected { path: self.path(), reason: reason.to_owned() }
    }

    fn bind(&self, runtime: &Runtime, events: &Arc<dyn EventSink>) -> Result<Bound, String> {
        let read;
        let bytes = match &self.source {
            Source::Bundled(bytes) => bytes,
            Source::File(path) => {
                read = locate::read(path).map_err(|error| error.to_string())?;
                // What was granted and inspected is what is run.
                if blake3::hash(&read).to_hex().as_str() != self.id.digest {
                    return Err("it changed since it was looked at".to_owned());
                }
                read.as_slice()
            }
        };
        let said = |error: wasmtime::Error| text::line(&format!("{error:#}"), 1_000);
        let component = runtime.component(&self.id, bytes, events).map_err(said)?;
        abi::bind(self.component.kind, self.component.track, runtime, &component).map_err(said)
    }
}

impl Host {
    fn runtime(&self) -> &Result<Runtime, String> {
        self.runtime.get_or_init(|| Runtime::new(self.compiled.clone()).map_err(|error| format!("{error:#}")))
    }
}

/// A plugin and what it needs to be called.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) host: Arc<Host>,
}

impl Handle {
    fn call<T>(
        &self,
        body: impl FnOnce(&Caller<'_>, &Bound) -> Option<Result<T, ExtensionError>>,
    ) -> Result<T, ExtensionError> {
        let runtime = self.host.runtime().as_ref().map_err(|reason| self.plugin.rejected(reason))?;
        let bound = self.plugin.bound.get_or_init(|| self.plugin.bind(runtime, &self.host.events));
        let bound = bound.as_ref().map_err(|reason| self.plugin.rejected(reason))?;
        let caller = Caller { runtime, plugin: &self.plugin.id, limits: &self.host.limits, events: &self.host.events };
        // The registry hands out a handle as what the plugin is.
        body(&caller, bound).unwrap_or_else(|| Err(self.plugin.rejected("it is of another kind")))
    }
}

impl ParamFormat for Handle {
    fn id(&self) -> &PluginId {
        &self.plugin.id
    }

    fn read(&self, source: &[u8]) -> Result<Value, ExtensionError> {
        self.call(|caller, bound| match bound {
            Bound::Format(format) => Some(format.read(caller, source)),
            _ => None,
        })
    }

    fn edit(&self, source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, ExtensionError> {
        self.call(|caller, bound| match bound {
            Bound::Format(format) => Some(format.edit(caller, source, edits)),
            _ => None,
        })
    }
}

impl StageExecutor for Handle {
    fn id(&self) -> &PluginId {
        &self.plugin.id
    }

    fn run(
        &self,
        job: &Job,
        processes: Arc<dyn Processes>,
        started: Arc<dyn Fn(usize) + Send + Sync>,
    ) -> Result<Outcome, ExtensionError> {
        let imports = imports::Job::new(processes, started, job.commands.len(), &self.host.limits);
        self.call(|caller, bound| match bound {
            Bound::Executor(executor) => Some(executor.run(caller, job, imports)),
            _ => None,
        })
    }
}

impl CheckpointPolicy for Handle {
    fn id(&self) -> &PluginId {
        &self.plugin.id
    }

    fn decide(&self, options: &Value, history: &[PastMoment], now: &Moment) -> Result<Decision, ExtensionError> {
        self.call(|caller, bound| match bound {
            Bound::Policy(policy) => Some(policy.decide(caller, options, history, now)),
            _ => None,
        })
    }
}
