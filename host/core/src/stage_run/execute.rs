//! Running a stage's commands through its executor (walk, step 7).

use std::sync::Arc;

use super::{StageError, StageRunner};
use crate::event::Event;
use crate::extension::{Job, Outcome};
use crate::pipeline::{Command, LockEntry, Place, ProjectFiles, Stage};
use crate::process::Cancellation;
use crate::repo::STAGE_VARIABLE;

/// How far the commands of a stage ran, when all is well.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Executed {
    /// To their end.
    ToEnd,
    /// To a checkpoint, where a policy stopped them: what the lock would remember of it.
    ToCheckpoint(LockEntry),
}

impl StageRunner<'_> {
    /// Removes what the last run left, and runs the commands. `inputs` is what the stage reads.
    pub(super) fn execute(&self, stage: &Stage, inputs: &LockEntry) -> Result<Executed, StageError> {
        // Before anything is removed.
        if !stage.folder.under(self.workspace.root()).is_dir() {
            return Err(StageError::NoFolder { stage: stage.address.clone(), folder: stage.folder.clone() });
        }
        for out in &stage.outs {
            if out.persists || out.checkpoint {
                self.workspace.tree().unprotect(&out.path)?;
            } else {
                self.workspace.tree().remove(&out.path)?;
            }
        }
        let commands = stage.command.as_ref().map(Command::shell_texts).unwrap_or_default();
        self.tell(stage, |stage| Event::StageStarted { stage });
        let (events, address, texts) =
            (Arc::clone(&self.events), stage.address.display_from(&self.from), commands.clone());
        let started = Arc::new(move |index: usize| {
            if let Some(command) = texts.get(index) {
                events.event(Event::CommandStarted { stage: address.clone(), command: command.clone() });
            }
        });
        let job = self.job(stage, commands.clone());
        let outcome = match self.checkpoints.filter(|_| stage.has_checkpoints()) {
            Some(checkpoints) => {
                let watched = self.run_watched(stage, inputs, &job, started, checkpoints)?;
                if let Some(checkpoint) = watched.stopped
                    && !self.cancellation.is_cancelled()
                {
                    self.back_to(stage, &checkpoint, checkpoints)?;
                    return Ok(Executed::ToCheckpoint(checkpoint));
                }
                watched.outcome
            }
            None => self.executor.run(&job, (self.processes)(stage, &Cancellation::default()), started),
        };
        // A command may write anywhere, and it took its time.
        self.workspace.forget_all();
        match outcome? {
            Outcome::Succeeded => Ok(Executed::ToEnd),
            Outcome::Cancelled => Err(StageError::Cancelled { stage: stage.address.clone() }),
            Outcome::Failed { command, exit_code, message } => Err(StageError::Failed {
                stage: stage.address.clone(),
                command: commands.into_iter().nth(command).unwrap_or_default(),
                exit_code,
                message,
            }),
        }
    }

    fn job(&self, stage: &Stage, commands: Vec<String>) -> Job {
        let mut env = self.env.clone();
        env.push((STAGE_VARIABLE.to_owned(), stage.address.to_string()));
        let deps = stage.deps.iter().map(|dep| match &dep.place {
            Place::Inside(path) => path.to_string(),
            Place::Outside(path) => path.display().to_string(),
            Place::Elsewhere(url) => url.clone(),
        });
        Job {
            stage: stage.address.to_string(),
            commands,
            working_dir: stage.folder.clone(),
            env,
            dependencies: deps.chain(stage.params.iter().map(|param| param.file.to_string())).collect(),
            outputs: stage.outs.iter().map(|out| out.path.to_string()).collect(),
            options: dewar_text::Value::Null,
        }
    }
}
