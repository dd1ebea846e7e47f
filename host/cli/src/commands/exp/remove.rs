//! `exp remove`: takes experiments away.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::exp::apply;
use dewar_core::exp::refs::{self, Experiment};

use super::show::selection;
use crate::args::exp::ExpRemoveArgs;
use crate::commands::project::Project;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;

/// Does what `exp remove` was told.
///
/// # Errors
/// When a name is unknown; then none is removed.
pub fn run(args: &ExpRemoveArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let git = project.repo.git()?;
    let removed: Vec<Experiment> = if args.experiments.is_empty() {
        let kept: Vec<Experiment> = args
            .keep
            .iter()
            .map(|name| refs::resolve(git, name).map(|resolved| resolved.experiment))
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?;
        let mut removed: Vec<Experiment> = Vec::new();
        for baseline in selection(&args.baseline).baselines(git)? {
            removed.extend(refs::of_baseline(git, baseline)?);
        }
        removed.retain(|experiment| !kept.contains(experiment));
        apply::remove_all(git, &removed)?;
        removed
    } else {
        apply::remove(git, &args.experiments)?
    };
    let names: Vec<String> = removed.iter().map(|experiment| experiment.reference.name.to_string()).collect();
    ui.tell(&match names.as_slice() {
        [] => "No experiments to remove.".to_owned(),
        names => format!("Removed experiments: {}", names.join(", ")),
    })?;
    Ok(ExitCode::SUCCESS)
}
