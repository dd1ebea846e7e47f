//! `dewar:plugin@0.1`: the bindings of its three worlds, and their types to and from those of the host.

use dewar_core::event::LogLevel;
use dewar_core::extension::{
    Change, Decision, Diagnostic, Edit, Exit, ExtensionError, Job, Moment, Outcome, PastMoment, Step, Trigger, Value,
};
use dewar_text::Severity;
use wasmtime::component::{Component, HasSelf, Linker, Resource};

use super::{Bound, Executor, Format, Policy};
use crate::call::{CallError, Caller, Misuse};
use crate::component::Kind;
use crate::document::{self, FlatNode, FlatValue};
use crate::engine::Runtime;
use crate::imports::{self, Child, Command, Refusal};
use crate::sandbox::Guest;

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
mod bindings {
    pub mod param_format {
        wasmtime::component::bindgen!({
            path: "../../wit",
            world: "param-format-plugin",
            imports: { default: trappable },
        });
    }

    pub mod stage_executor {
        wasmtime::component::bindgen!({
            path: "../../wit",
            world: "stage-executor-plugin",
            imports: { default: trappable },
            with: {
                "dewar:plugin/types": super::param_format::dewar::plugin::types,
                "dewar:plugin/log": super::param_format::dewar::plugin::log,
                "dewar:plugin/process.child": crate::imports::Child,
            },
        });
    }

    pub mod checkpoint_policy {
        wasmtime::component::bindgen!({
            path: "../../wit",
            world: "checkpoint-policy-plugin",
            imports: { default: trappable },
            with: {
                "dewar:plugin/types": super::param_format::dewar::plugin::types,
                "dewar:plugin/log": super::param_format::dewar::plugin::log,
            },
        });
    }

    pub use checkpoint_policy::exports::dewar::plugin::checkpoint_policy as policy;
    pub use param_format::dewar::plugin::{log, types};
    pub use param_format::exports::dewar::plugin::param_format as format;
    pub use stage_executor::dewar::plugin::{process, progress};
    pub use stage_executor::exports::dewar::plugin::stage_executor as executor;
}

use bindings::checkpoint_policy::CheckpointPolicyPluginPre;
use bindings::param_format::ParamFormatPluginPre;
use bindings::stage_executor::StageExecutorPluginPre;
use bindings::{executor, format, log, policy, process, progress, types};

pub(super) fn bind(kind: Kind, runtime: &Runtime, component: &Component) -> wasmtime::Result<Bound> {
    let mut linker: Linker<Guest> = runtime.linker().map_err(|error| wasmtime::Error::msg(format!("{error:#}")))?;
    log::add_to_linker::<Guest, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    types::add_to_linker::<Guest, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(match kind {
        Kind::ParamFormat => Bound::Format(Box::new(ParamFormatPluginPre::new(linker.instantiate_pre(component)?)?)),
        Kind::StageExecutor => {
            process::add_to_linker::<Guest, HasSelf<Guest>>(&mut linker, |guest| guest)?;
            progress::add_to_linker::<Guest, HasSelf<Guest>>(&mut linker, |guest| guest)?;
            Bound::Executor(Box::new(StageExecutorPluginPre::new(linker.instantiate_pre(component)?)?))
        }
        Kind::CheckpointPolicy => {
            Bound::Policy(Box::new(CheckpointPolicyPluginPre::new(linker.instantiate_pre(component)?)?))
        }
    })
}

impl Format for ParamFormatPluginPre<Guest> {
    fn read(&self, caller: &Caller<'_>, source: &[u8]) -> Result<Value, ExtensionError> {
        caller.call(None, |store| {
            let plugin = self.instantiate(&mut *store)?;
            match plugin.dewar_plugin_param_format().call_read(&mut *store, source)? {
                Ok(document) => Ok(to_value(document, source.len())?),
                Err(found) => Err(refused(found, source.len())?),
            }
        })
    }

    fn edit(&self, caller: &Caller<'_>, source: &[u8], edits: &[Edit]) -> Result<Vec<u8>, ExtensionError> {
        let edits: Vec<format::Edit> = edits.iter().map(from_edit).collect();
        caller.call(None, |store| {
            let plugin = self.instantiate(&mut *store)?;
            match plugin.dewar_plugin_param_format().call_apply(&mut *store, source, &edits)? {
                Ok(edited) => Ok(edited),
                Err(found) => Err(refused(found, source.len())?),
            }
        })
    }
}

impl Executor for StageExecutorPluginPre<Guest> {
    fn run(&self, caller: &Caller<'_>, job: &Job, imports: imports::Job) -> Result<Outcome, ExtensionError> {
        let asked = executor::Job {
            stage: job.stage.clone(),
            commands: job.commands.clone(),
            working_dir: job.working_dir.as_str().to_owned(),
            env: job.env.clone(),
            dependencies: job.dependencies.clone(),
            outputs: job.outputs.clone(),
            options: from_value(&job.options),
        };
        let commands = job.commands.len();
        caller.call(Some(imports), |store| {
            let plugin = self.instantiate(&mut *store)?;
            match plugin.dewar_plugin_stage_executor().call_run(&mut *store, &asked)? {
                Ok(outcome) => to_outcome(outcome, commands),
                Err(found) => Err(refused(found, 0)?),
            }
        })
    }
}

impl Policy for CheckpointPolicyPluginPre<Guest> {
    fn decide(
        &self,
        caller: &Caller<'_>,
        options: &Value,
        history: &[PastMoment],
        now: &Moment,
    ) -> Result<Decision, ExtensionError> {
        let options = from_value(options);
        let past: Vec<policy::PastMoment> = history
            .iter()
            .map(|past| policy::PastMoment { moment: from_moment(&past.moment), checkpoint: past.checkpoint.clone() })
            .collect();
        caller.call(None, |store| {
            let plugin = self.instantiate(&mut *store)?;
            let decided =
                plugin.dewar_plugin_checkpoint_policy().call_decide(&mut *store, &options, &past, &from_moment(now))?;
            match decided {
                Ok(decision) => Ok(to_decision(decision)),
                Err(found) => Err(refused(found, 0)?),
            }
        })
    }
}

impl types::Host for Guest {}

impl log::Host for Guest {
    fn log(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
        };
        self.log.write(level, &message);
        Ok(())
    }
}

impl progress::Host for Guest {
    fn command_started(&mut self, index: u32) -> wasmtime::Result<()> {
        if self.job()?.command_started(index) {
            return Ok(());
        }
        Err(Misuse(format!("it says that command {index} begins, which the stage does not have")).into())
    }
}

impl process::Host for Guest {
    fn spawn(&mut self, command: process::Command) -> wasmtime::Result<Result<Resource<Child>, process::Error>> {
        let spawned = self.job()?.spawn(to_command(command));
        self.resumes();
        match spawned {
            Ok(child) => Ok(Ok(self.table.push(child)?)),
            Err(refusal) => Ok(Err(from_refusal(refusal))),
        }
    }

    fn capture(&mut self, command: process::Command) -> wasmtime::Result<Result<process::Captured, process::Error>> {
        let captured = self.job()?.capture(to_command(command));
        self.resumes();
        Ok(captured
            .map(|captured| process::Captured {
                exit: from_exit(captured.exit),
                stdout: captured.stdout,
                stderr: captured.stderr,
            })
            .map_err(from_refusal))
    }
}

impl process::HostChild for Guest {
    fn wait(&mut self, child: Resource<Child>) -> wasmtime::Result<Result<process::Exit, process::Error>> {
        let ended = self.table.get_mut(&child)?.wait();
        self.resumes();
        Ok(ended.map(from_exit).map_err(from_refusal))
    }

    fn kill(&mut self, child: Resource<Child>) -> wasmtime::Result<()> {
        self.table.get_mut(&child)?.0.kill();
        self.resumes();
        Ok(())
    }

    fn drop(&mut self, child: Resource<Child>) -> wasmtime::Result<()> {
        drop(self.table.delete(child)?);
        self.job()?.dropped();
        self.resumes();
        Ok(())
    }
}

impl Guest {
    /// What the executor may do. Only executors are linked with the imports that ask for it.
    fn job(&mut self) -> wasmtime::Result<&mut imports::Job> {
        self.job.as_mut().ok_or_else(|| Misuse("it is no executor with a job".to_owned()).into())
    }
}

fn to_command(command: process::Command) -> Command {
    Command { program: command.program, args: command.args, env: command.env, working_dir: command.working_dir }
}

fn from_exit(exit: Exit) -> process::Exit {
    match exit {
        Exit::Code(code) => process::Exit::Code(code),
        Exit::Signal(signal) => process::Exit::Signal(signal),
        Exit::Cancelled => process::Exit::Cancelled,
    }
}

fn from_refusal(refusal: Refusal) -> process::Error {
    match refusal {
        Refusal::Denied(what) => process::Error::Denied(what),
        Refusal::NotFound(program) => process::Error::NotFound(program),
        Refusal::Other(reason) => process::Error::Other(reason),
    }
}

fn to_outcome(outcome: executor::Outcome, commands: usize) -> Result<Outcome, CallError> {
    match outcome {
        executor::Outcome::Succeeded => Ok(Outcome::Succeeded),
        executor::Outcome::Cancelled => Ok(Outcome::Cancelled),
        executor::Outcome::Failed(failure) => {
            let command = usize::try_from(failure.command).unwrap_or(usize::MAX);
            if command >= commands {
                return Err(CallError::BadAnswer(format!("it says that command {command} of {commands} failed")));
            }
            let message = failure.message.map(|message| crate::text::line(&message, 2_000));
            Ok(Outcome::Failed { command, exit_code: failure.exit_code, message })
        }
    }
}

/// Whether what it lets go of is there is for the caller to see, who has several policies to ask.
fn to_decision(decision: policy::Decision) -> Decision {
    // A name that is changed by this is none of a checkpoint.
    let names = |names: Vec<String>| names.iter().map(|name| crate::text::line(name, 100)).collect();
    let stop = decision.stop.map(|reason| crate::text::line(&reason, 2_000));
    Decision { record: decision.record_checkpoint, discard: decision.discard.map(names), stop }
}

fn from_moment(moment: &Moment) -> policy::Moment {
    policy::Moment {
        trigger: match moment.trigger {
            Trigger::Signalled => policy::Trigger::Signalled,
            Trigger::Finished => policy::Trigger::Finished,
        },
        step: moment.step,
        elapsed_ms: moment.elapsed_ms,
        metrics: moment.metrics.clone(),
    }
}

fn from_edit(edit: &Edit) -> format::Edit {
    format::Edit {
        path: edit
            .path
            .iter()
            .map(|step| match step {
                Step::Field(field) => types::Key::Field(field.clone()),
                Step::Index(index) => types::Key::Index(u32::try_from(*index).unwrap_or(u32::MAX)),
            })
            .collect(),
        change: match &edit.change {
            Change::Put(value) => format::Change::Put(from_value(value)),
            Change::Remove => format::Change::Remove,
        },
    }
}

fn from_value(value: &Value) -> types::Document {
    let nodes = document::from_value(value)
        .into_iter()
        .map(|node| types::Node {
            value: match node.value {
                FlatValue::Scalar(Value::Bool(value)) => types::Value::Boolean(value),
                FlatValue::Scalar(Value::Int(value)) => types::Value::Integer(value),
                FlatValue::Scalar(Value::Float(value)) => types::Value::Float(value),
                FlatValue::Scalar(Value::Text(value)) => types::Value::Text(value),
                FlatValue::Scalar(Value::Literal(value)) => types::Value::Literal(value),
                FlatValue::Scalar(Value::Null | Value::List(_) | Value::Map(_)) => types::Value::Null,
                FlatValue::Sequence(items) => types::Value::Sequence(items),
                FlatValue::Mapping(entries) => types::Value::Mapping(entries),
            },
            span: None,
        })
        .collect();
    types::Document { nodes }
}

fn to_value(document: types::Document, length: usize) -> Result<Value, CallError> {
    let nodes = document
        .nodes
        .into_iter()
        .map(|node| FlatNode {
            value: match node.value {
                types::Value::Null => FlatValue::Scalar(Value::Null),
                types::Value::Boolean(value) => FlatValue::Scalar(Value::Bool(value)),
                types::Value::Integer(value) => FlatValue::Scalar(Value::Int(value)),
                types::Value::Float(value) => FlatValue::Scalar(Value::Float(value)),
                types::Value::Text(value) => FlatValue::Scalar(Value::Text(value)),
                types::Value::Literal(value) => FlatValue::Scalar(Value::Literal(value)),
                types::Value::Sequence(items) => FlatValue::Sequence(items),
                types::Value::Mapping(entries) => FlatValue::Mapping(entries),
            },
            span: node.span.map(|span| (span.start, span.end)),
        })
        .collect();
    document::to_value(nodes, length).map_err(|error| CallError::BadAnswer(error.to_string()))
}

fn refused(found: Vec<types::Diagnostic>, length: usize) -> Result<CallError, CallError> {
    let found = found.into_iter().map(|diagnostic| {
        let severity = match diagnostic.severity {
            types::Severity::Error => Severity::Error,
            types::Severity::Warning => Severity::Warning,
        };
        let span = diagnostic.span.map(|span| (span.start, span.end));
        (severity, diagnostic.code, diagnostic.message, span, diagnostic.help)
    });
    let diagnostics: Vec<Diagnostic> =
        document::to_diagnostics(found, length).map_err(|error| CallError::BadAnswer(error.to_string()))?;
    if diagnostics.is_empty() {
        return Err(CallError::BadAnswer("it refuses without a reason".to_owned()));
    }
    Ok(CallError::Refused(diagnostics))
}
