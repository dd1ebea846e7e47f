//! [`Compared`]: the two revisions of `params diff`, `metrics diff` and `exp diff`, from what was typed to what is printed.

use dewar_core::metrics::{Changes, Files, RevisionReader, Unchanged, difference};

use super::project::Project;
use super::revision::Revision;
use crate::args::compare::DiffArgs;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::changes::{ChangeColumn, ChangesTable};
use crate::ui::number::Digits;
use crate::ui::page;
use crate::ui::table::Table;

/// Two revisions that exist.
pub struct Compared<'a> {
    args: &'a DiffArgs,
    old: Revision<'a>,
    new: Revision<'a>,
}

impl<'a> Compared<'a> {
    /// Finds both.
    ///
    /// # Errors
    /// When one does not exist.
    pub fn find(project: &Project<'_>, args: &'a DiffArgs) -> Result<Self, Failure> {
        Ok(Self { args, old: Revision::find(project, &args.old)?, new: Revision::find(project, &args.new)? })
    }

    /// Reads the same from both, the old one first.
    ///
    /// # Errors
    /// When the pipeline of one is invalid.
    pub fn read<T>(
        &self,
        project: &Project<'_>,
        what: impl Fn(&Revision<'_>, &RevisionReader<'_>) -> T,
    ) -> Result<[T; 2], Failure> {
        let read = |revision: &Revision<'_>| revision.read(project, |reader| what(revision, reader));
        Ok([read(&self.old)?, read(&self.new)?])
    }

    /// What changed between files of both, the old ones first. Warns of those that cannot be used.
    #[must_use]
    pub fn changes(&self, [old, new]: [&Files; 2], ui: &Ui) -> Changes {
        self.old.warn_of_broken(old, ui);
        self.new.warn_of_broken(new, ui);
        difference(old, new, if self.args.all { Unchanged::Include } else { Unchanged::Omit })
    }

    /// How changes are shown, where `title` stands above their names.
    #[must_use]
    pub fn table(&self, title: &'a str, digits: Digits) -> ChangesTable<'a> {
        let table = ChangesTable::new(title, [self.old.name, self.new.name], digits);
        if self.args.no_path { table.without(ChangeColumn::Path) } else { table }
    }
}

/// Prints tables below each other: for people those that have a row, as Markdown all.
///
/// # Errors
/// When stdout takes nothing.
pub fn print_tables(mut tables: Vec<Table>, markdown: bool, session: &Session, ui: &Ui) -> Result<(), Failure> {
    if markdown {
        let texts: Vec<String> = tables.iter().map(Table::markdown).collect();
        return ui.print(&texts.join("\n"));
    }
    tables.retain(|table| !table.rows.is_empty());
    page::show(&tables, session.pager().as_ref(), ui)
}
