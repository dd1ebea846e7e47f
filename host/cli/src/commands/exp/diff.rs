//! `exp diff`: the metrics and parameters that differ between two experiments.

use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::metrics::ParamScope;
use dewar_core::path::RepoPath;
use serde_json::json;

use crate::args::exp::ExpDiffArgs;
use crate::commands::compared::{Compared, print_tables};
use crate::commands::project::Project;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::changes::changes_json;
use crate::ui::number::Digits;

/// Does what `exp diff` was told.
///
/// # Errors
/// When a revision does not exist or its pipeline is invalid.
pub fn run(args: &ExpDiffArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    let project = Project::open(session, ui)?;
    let scope = if args.param_deps { ParamScope::Declared } else { ParamScope::All };
    let compared = Compared::find(&project, &args.diff)?;
    let read = compared
        .read(&project, |revision, reader| (revision.results(|| reader.metrics(), ui), reader.params(scope)))?;
    let metrics = compared.changes(read.each_ref().map(|(metrics, _)| metrics), ui);
    let params = compared.changes(read.each_ref().map(|(_, params)| params), ui);
    // From the root wherever the user is, as `exp show` has them, and as DVC.
    let from = RepoPath::root();
    if args.diff.json {
        let both = json!({ "metrics": changes_json(&metrics, &from), "params": changes_json(&params, &from) });
        ui.print(&format!("{both}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let digits = args.precision.map_or_else(Digits::default, Digits::Significant);
    let metrics = compared.table("Metric", digits).of(&metrics, &from);
    let params = compared.table("Param", Digits::All).of(&params, &from);
    print_tables(vec![metrics, params], args.diff.md, session, ui)?;
    Ok(ExitCode::SUCCESS)
}
