//! `gc`: removes from the cache what nobody needs.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use dewar_core::cache::Unused;
use dewar_core::exp::show::{Count, Group, Selection};
use dewar_core::gc::{self, Experiments, Garbage, Held, Scope, Unreadable, Used};
use dewar_core::pipeline::Pipeline;
use dewar_core::repo::Repo;

use super::project::{Project, files};
use crate::args::data::GcArgs;
use crate::failure::{Failure, Kind};
use crate::session::{Clock, Session};
use crate::ui::problem::Problem;
use crate::ui::{Ui, number, text};

/// Does what `gc` was told.
///
/// # Errors
/// When nobody says yes, somebody uses the cache, or it cannot be told what is in use.
pub fn run(args: &GcArgs, session: &Session, ui: &Arc<Ui>) -> Result<ExitCode, Failure> {
    refuse(args)?;
    let scope = scope(args, session)?;
    let project = Project::open(session, ui)?;
    let others = args
        .projects
        .iter()
        .map(|dir| Repo::discover(&session.cwd.join(dir), &session.outside_files))
        .collect::<Result<Vec<_>, _>>()?;
    let work = Work { project: &project, others: &others, scope: &scope, ui };
    if let Some(jobs) = args.jobs {
        gc::use_threads(jobs)?;
    }
    if args.dry {
        let garbage = work.find(None)?;
        let line = |unused: &Unused| format!("{}\t{}\n", unused.id, number::bytes(unused.size));
        let lines: String = garbage.objects.iter().map(line).collect();
        ui.tell(&format!("{lines}Would remove {}.", describe(&garbage)))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.force {
        let garbage = work.find(None)?;
        if !ui.can_ask() {
            let message = format!("`gc` would remove {}, and there is no terminal to ask on", describe(&garbage));
            return Err(Failure::new(Kind::Usage, message).hint("`--force` removes without asking; `--dry` lists it"));
        }
        let (what, kept) = (describe(&garbage), kept(args));
        if !ui.ask(&format!("This removes {what}: all that is not used by {kept}. Are you sure you want to proceed?")) {
            return Err(Failure::new(Kind::Repository, "nothing was removed"));
        }
    }
    // What was found before was for the question: only now does nobody else change it.
    let held = gc::hold(&project.repo, &others)?;
    let garbage = work.find(Some(&held))?;
    garbage.remove(project.store(), &held)?;
    ui.tell(&if garbage.is_empty() {
        "There is nothing to remove.".to_owned()
    } else {
        format!("Removed {}.", describe(&garbage))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What is asked for and cannot be done.
fn refuse(args: &GcArgs) -> Result<(), Failure> {
    let flag = match (args.cloud, args.not_in_remote, &args.remote) {
        (true, ..) => "--cloud",
        (false, true, _) => "--not-in-remote",
        (false, false, Some(_)) => "--remote",
        (false, false, None) => "",
    };
    if !flag.is_empty() {
        let message = format!("`{flag}` is about what remotes have, which `gc` does not look at yet");
        return Err(Failure::new(Kind::Usage, message).hint("without it, only the cache is looked at"));
    }
    if args.num.is_some() && args.rev.is_empty() && !args.all_branches {
        return Err(Failure::new(Kind::Usage, "`--num` counts from `--rev` or `--all-branches`, and neither is given"));
    }
    Ok(())
}

fn scope(args: &GcArgs, session: &Session) -> Result<Scope, Failure> {
    let flags =
        [(args.all_branches, Group::Branches), (args.all_tags, Group::Tags), (args.all_commits, Group::Commits)];
    let groups: BTreeSet<Group> = flags.into_iter().filter(|(given, _)| *given).map(|(_, group)| group).collect();
    let count = args.num.map_or(Count::First(1), Count::from_number);
    let is_any = !groups.is_empty() || !args.rev.is_empty();
    Ok(Scope {
        commits: is_any.then(|| Selection { revisions: args.rev.clone(), count, groups }),
        since: args.date.as_deref().map(|text| day(text, session)).transpose()?,
        experiments: if args.all_experiments { Experiments::Keep } else { Experiments::Drop },
        unreadable: if args.skip_failed { Unreadable::Skip } else { Unreadable::Refuse },
    })
}

/// When a day begins where the user is, in seconds since 1970.
fn day(text: &str, session: &Session) -> Result<i64, Failure> {
    let zone = match session.clock {
        Clock::System => jiff::tz::TimeZone::system(),
        Clock::Fixed(_) => jiff::tz::TimeZone::UTC,
    };
    let parsed = text.parse::<jiff::civil::Date>().and_then(|date| date.to_zoned(zone));
    let bad = |_| Failure::new(Kind::Usage, format!("`{text}` is no day")).hint("write it as in 2026-01-31");
    Ok(parsed.map_err(bad)?.timestamp().as_second())
}

struct Work<'a> {
    project: &'a Project<'a>,
    others: &'a [Repo],
    scope: &'a Scope,
    ui: &'a Ui,
}

impl Work<'_> {
    /// What nobody needs. Without `held`, only for looking: others may be at work.
    fn find(&self, held: Option<&Held>) -> Result<Garbage, Failure> {
        let (project, store) = (self.project, self.project.store());
        let mut used = Used::default();
        let pipeline = Pipeline::load(&files(project).complete(), project.templates())?;
        used.add_workspace(&pipeline)?;
        used.add_queue(&project.repo)?;
        let mut skipped = used.add_commits(project.repo.git.as_ref(), self.scope)?;
        for other in self.others {
            used.add_project(other)?;
            skipped.extend(used.add_commits(other.git.as_ref(), self.scope)?);
        }
        used.add_members(store)?;
        if held.is_some() {
            for error in skipped {
                self.ui.warn(&Problem::new(format!("passed by: {error}")));
            }
            for id in used.lost() {
                let message = format!(
                    "the cache lacks the listing {id} of a directory that is in use: files that only it names are removed"
                );
                self.ui.warn(&Problem::new(message));
            }
        }
        Ok(Garbage::find(store, &used, held)?)
    }
}

/// `12 objects (3.4 MB), 1 remembered run and 2 half-written files`.
fn describe(garbage: &Garbage) -> String {
    let mut text = format!("{} ({})", text::counted(garbage.objects.len(), "object"), number::bytes(garbage.size()));
    for (count, noun) in [(garbage.runs.len(), "remembered run"), (garbage.leftovers.len(), "half-written file")] {
        if count > 0 {
            text = format!("{text}, {}", text::counted(count, noun));
        }
    }
    text
}

/// What stays, in words.
fn kept(args: &GcArgs) -> String {
    let mut parts = vec!["the workspace".to_owned()];
    parts.extend(args.rev.iter().map(|rev| format!("`{rev}`")));
    for (given, words) in [
        (args.all_branches, "branches"),
        (args.all_tags, "tags"),
        (args.all_commits, "commits"),
        (args.all_experiments, "experiments"),
    ] {
        if given {
            parts.push(format!("all {words}"));
        }
    }
    parts.extend(args.date.iter().map(|date| format!("commits since {date}")));
    let projects = if args.projects.is_empty() { "this project" } else { "this project and those named" };
    format!("{} of {projects}", parts.join(", "))
}
