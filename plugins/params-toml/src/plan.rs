//! [`plan`]: what one edit splices.

use dewar_plugin::dewar_text::{
    edit,
    splice::{
        self, Splice, add_member, after_line, begins_line, indentation, line_end, line_ending, line_start, members,
    },
};
use dewar_plugin::{Change, Diagnostic, Edit, Node, Span, Step, Value};
use toml_edit::{ArrayOfTables, Item, TableLike};

use crate::read::Source;
use crate::write;

/// Where a path leads, in the terms of TOML.
#[derive(Clone, Copy)]
enum Place<'d> {
    /// `[table]`, or one that only its subtables or dotted keys imply.
    Table(&'d toml_edit::Table),
    /// `[[table]]`.
    Tables(&'d ArrayOfTables),
    /// Everything that stands behind a `=`.
    Value(&'d toml_edit::Value),
}

impl<'d> Place<'d> {
    fn of(item: &'d Item) -> Option<Self> {
        match item {
            Item::None => None,
            Item::Value(value) => Some(Self::Value(value)),
            Item::Table(table) => Some(Self::Table(table)),
            Item::ArrayOfTables(tables) => Some(Self::Tables(tables)),
        }
    }

    fn step(self, step: &Step) -> Option<Self> {
        match (self, step) {
            (Self::Table(table), Step::Field(key)) => table.get(key).and_then(Place::of),
            (Self::Tables(tables), Step::Index(index)) => tables.get(*index).map(Self::Table),
            (Self::Value(toml_edit::Value::InlineTable(table)), Step::Field(key)) => table.get(key).map(Self::Value),
            (Self::Value(toml_edit::Value::Array(array)), Step::Index(index)) => array.get(*index).map(Self::Value),
            _ => None,
        }
    }

    /// Whether it is written with dotted keys, and so has no place of its own.
    fn is_dotted(self) -> bool {
        match self {
            Self::Table(table) => table.is_dotted(),
            Self::Value(toml_edit::Value::InlineTable(table)) => table.is_dotted(),
            _ => false,
        }
    }
}

/// The splices of `edit`.
///
/// # Errors
/// A path that leads nowhere, a value that TOML cannot hold, or a change that the way the file is written forbids.
pub(crate) fn plan(text: &str, tree: &Node, edit: &Edit) -> Result<Vec<Splice>, Diagnostic> {
    let source = Source::parse(text)?;
    let nowhere = || splice::nowhere(&edit.path);
    let (last, parents) = edit.path.split_last().ok_or_else(nowhere)?;
    let root = Place::Table(source.document.as_table());
    let parent = parents.iter().try_fold(root, |place, step| place.step(step)).ok_or_else(nowhere)?;
    let parent_node = splice::find(tree, parents).ok_or_else(nowhere)?;
    let planner = Planner { text, source: &source, parents, parent, parent_node };
    match (&edit.change, parent.step(last)) {
        (Change::Put(value), target) => {
            let node = splice::find(parent_node, std::slice::from_ref(last));
            if let Err(error) = write::writable(value) {
                return Err(if let Some(node) = node { error.at(node.span) } else { error });
            }
            match (target, node) {
                (Some(_), Some(node)) if node.to_value().same(value) => Ok(Vec::new()),
                (Some(Place::Value(_)), Some(node)) if !target.is_some_and(Place::is_dotted) => {
                    let old = splice::slice(text, node.span.start, node.span.end);
                    Ok(vec![Splice::replace(node.span, write::value(value, Some(old)))])
                }
                (Some(target), Some(_)) => planner.replace(target, last, value),
                _ => planner.add(last, value),
            }
        }
        (Change::Remove, Some(target)) => planner.remove(target, last),
        (Change::Remove, None) => Err(nowhere()),
    }
}

/// One edit below one parent.
struct Planner<'a> {
    text: &'a str,
    source: &'a Source<'a>,
    parents: &'a [Step],
    parent: Place<'a>,
    parent_node: &'a Node,
}

impl Planner<'_> {
    /// A table that becomes something else: it goes, and what it becomes is added.
    fn replace(&self, target: Place<'_>, last: &Step, value: &Value) -> Result<Vec<Splice>, Diagnostic> {
        let Step::Field(_) = last else {
            return Err(self.refused("an element of an array of tables can only be a table"));
        };
        if self.parent.is_dotted() || matches!(self.parent, Place::Value(_)) {
            return Err(self.refused("what is written with dotted keys can only be changed key by key"));
        }
        let mut splices = self.take_away(target, last)?;
        for mut added in self.add(last, value)? {
            // Where the new line would stand among the old ones, it takes their place.
            if let Some(gone) =
                splices.iter().find(|gone| gone.span.start < added.span.start && added.span.end < gone.span.end)
            {
                let eol = line_ending(self.text);
                added = Splice::insert(gone.span.start, format!("{}{eol}", added.text.trim_matches(['\r', '\n'])));
            }
            splices.push(added);
        }
        Ok(splices)
    }

    fn add(&self, last: &Step, value: &Value) -> Result<Vec<Splice>, Diagnostic> {
        let Step::Field(key) = last else { return Err(self.nowhere(last)) };
        match self.parent {
            Place::Value(toml_edit::Value::InlineTable(table)) if !table.is_dotted() => {
                let entry = format!("{} = {}", write::key(key), write::value(value, None));
                let entry = if table.is_empty() { format!(" {entry} ") } else { entry };
                Ok(add_member(self.text, self.parent_node.span, &members(self.parent_node), &entry))
            }
            Place::Value(toml_edit::Value::InlineTable(_)) => {
                Err(self.refused("what is written with dotted keys in an inline table cannot get another key"))
            }
            Place::Table(table) => Ok(self.add_line(table, key, value)),
            Place::Tables(_) | Place::Value(_) => Err(self.nowhere(last)),
        }
    }

    /// A line of its own below the last one that belongs to `table`.
    fn add_line(&self, table: &toml_edit::Table, key: &str, value: &Value) -> Vec<Splice> {
        let text = self.text;
        let eol = line_ending(text);
        let (key, value) = (write::key(key), write::value(value, None));
        if let Some(line) = self.last_line(table) {
            let equals = if line.tight { "=" } else { " = " };
            let indent = indentation(text, line.start);
            return vec![Splice::insert(
                line_end(text, line.end),
                format!("{eol}{indent}{}{key}{equals}{value}", self.dotted_prefix()),
            )];
        }
        if let Some(header) =
            self.source.span(table.span()).filter(|_| !self.parents.is_empty() && !table.is_implicit())
        {
            let indent = indentation(text, header.start);
            return vec![Splice::insert(line_end(text, header.end), format!("{eol}{indent}{key} = {value}"))];
        }
        let heading = if self.parents.is_empty() { String::new() } else { format!("[{}]{eol}", self.header()) };
        // A table without a line of its own comes before its first subtable; so do the keys of the root.
        let first = self.sections(table).into_iter().min_by_key(|section| section.start);
        match first {
            Some(section) => {
                let at = self.above(section.start);
                vec![Splice::insert(at, format!("{heading}{key} = {value}{eol}{eol}"))]
            }
            None => {
                let end = text.len();
                let body = text.strip_prefix('\u{feff}').unwrap_or(text);
                let before = if body.is_empty() || text.ends_with('\n') { "" } else { eol };
                vec![Splice::insert(end, format!("{before}{heading}{key} = {value}{eol}"))]
            }
        }
    }

    fn remove(&self, target: Place<'_>, last: &Step) -> Result<Vec<Splice>, Diagnostic> {
        let mut splices = self.take_away(target, last)?;
        let siblings = self.siblings();
        if siblings > 1 {
            return Ok(splices);
        }
        // A container that only its contents implied stays, empty.
        match (self.parent, self.parents.split_last()) {
            (Place::Table(table), Some(_)) if table.is_dotted() => {
                let node =
                    splice::find(self.parent_node, std::slice::from_ref(last)).ok_or_else(|| self.nowhere(last))?;
                let entry = entry_span(self.parent_node, last, node);
                let dot = self.text.get(..entry.start).and_then(|text| text.rfind('.')).unwrap_or(entry.start);
                splices = vec![Splice::replace(Span::new(dot, node.span.end), " = {}")];
            }
            (Place::Table(table), Some(_)) if table.is_implicit() => {
                let at = splices.first().map_or(0, |splice| splice.span.start);
                splices.insert(0, Splice::insert(at, format!("[{}]{}", self.header(), line_ending(self.text))));
            }
            (Place::Tables(_), Some((Step::Field(_), _))) => {
                return Err(
                    self.refused("the last element of an array of tables cannot be taken away without the array")
                );
            }
            _ => {}
        }
        Ok(splices)
    }

    /// What removes `target` and nothing else.
    fn take_away(&self, target: Place<'_>, last: &Step) -> Result<Vec<Splice>, Diagnostic> {
        let text = self.text;
        match (self.parent, target) {
            (Place::Value(outer), _) => {
                if self.parent.is_dotted() || (target.is_dotted() && !matches!(outer, toml_edit::Value::Array(_))) {
                    return Err(
                        self.refused("what is written with dotted keys in an inline table cannot be taken away")
                    );
                }
                let index = splice::member_index(self.parent_node, last).ok_or_else(|| self.nowhere(last))?;
                Ok(splice::remove_member(text, self.parent_node.span, &members(self.parent_node), index))
            }
            (_, Place::Value(_)) => {
                let node =
                    splice::find(self.parent_node, std::slice::from_ref(last)).ok_or_else(|| self.nowhere(last))?;
                Ok(vec![self.line(entry_span(self.parent_node, last, node))])
            }
            (_, Place::Table(table)) => Ok(self.table_splices(table)),
            (_, Place::Tables(tables)) => Ok(tables.iter().flat_map(|table| self.table_splices(table)).collect()),
        }
    }

    /// Every line of a table: its sections with their headers, and its dotted keys.
    fn table_splices(&self, table: &toml_edit::Table) -> Vec<Splice> {
        let mut splices = Vec::new();
        if table.is_dotted() {
            self.dotted_lines(table, &mut splices);
        }
        for section in self.sections(table) {
            splices.push(self.section(section));
        }
        splices
    }

    fn dotted_lines(&self, table: &toml_edit::Table, splices: &mut Vec<Splice>) {
        for (name, item) in table.iter() {
            match (table.key(name), item) {
                (Some(key), Item::Value(value)) => {
                    let end = self.source.span(value.span()).unwrap_or_default().end;
                    splices.push(self.line(Span::new(self.source.key_span(key).start, end)));
                }
                (_, Item::Table(inner)) if inner.is_dotted() => self.dotted_lines(inner, splices),
                _ => {}
            }
        }
    }

    /// The whole lines of an entry, with the comment behind it.
    fn line(&self, entry: Span) -> Splice {
        Splice::delete(line_start(self.text, entry.start), after_line(self.text, entry.end))
    }

    /// A header with its lines, and one of the empty lines around it.
    fn section(&self, section: Span) -> Splice {
        let text = self.text;
        let start = line_start(text, section.start);
        let end = after_line(text, section.end);
        let before = splice::line_before(text, start);
        let blank_before = start > 0 && before < start && begins_line(text, before);
        let next_is_blank = end >= text.len() || line_end(text, end) == end;
        if blank_before && next_is_blank {
            return Splice::delete(line_start(text, before), end);
        }
        Splice::delete(start, end)
    }

    /// From header to last value, for `table` and every table in it that has a header.
    fn sections(&self, table: &toml_edit::Table) -> Vec<Span> {
        let mut sections = Vec::new();
        let own = self.source.span(table.span()).filter(|_| !table.is_implicit() && !table.is_dotted());
        let is_root = std::ptr::eq(table, self.source.document.as_table());
        if let Some(header) = own.filter(|_| !is_root) {
            sections.push(Span::new(header.start, self.last_line(table).map_or(header.end, |line| line.end)));
        }
        for (_, item) in table.iter() {
            match item {
                Item::Table(inner) => sections.extend(self.sections(inner)),
                Item::ArrayOfTables(tables) => tables.iter().for_each(|inner| sections.extend(self.sections(inner))),
                _ => {}
            }
        }
        sections
    }

    /// The last `key = value` that stands in the section of `table`, or under its dotted prefix.
    fn last_line(&self, table: &toml_edit::Table) -> Option<Line> {
        let lines = table.iter().filter_map(|(name, item)| {
            let key = self.source.key_span(table.key(name)?);
            match item {
                Item::Value(value) => {
                    let value = self.source.span(value.span())?;
                    let tight = splice::slice(self.text, key.end, value.start) == "=";
                    Some(Line { start: key.start, end: value.end, tight })
                }
                Item::Table(inner) if inner.is_dotted() => self.last_line(inner),
                _ => None,
            }
        });
        lines.max_by_key(|line| line.end)
    }

    /// What leads from the section to the parent, such as `model.opt.`, where that is written with dotted keys.
    fn dotted_prefix(&self) -> String {
        let mut place = Place::Table(self.source.document.as_table());
        let mut prefix = String::new();
        for step in self.parents {
            let Some(next) = place.step(step) else { break };
            place = next;
            match step {
                Step::Field(key) if place.is_dotted() => prefix.extend([write::key(key).as_str(), "."]),
                _ => prefix.clear(),
            }
        }
        prefix
    }

    /// Above the comment that stands directly over the line of `at`.
    fn above(&self, at: usize) -> usize {
        let mut start = line_start(self.text, at);
        while start > 0 {
            let before = line_start(self.text, splice::line_before(self.text, start));
            if before == start || !splice::slice(self.text, before, start).trim_start().starts_with('#') {
                break;
            }
            start = before;
        }
        start
    }

    /// How many entries the parent has.
    fn siblings(&self) -> usize {
        match self.parent {
            Place::Table(table) => TableLike::len(table),
            Place::Tables(tables) => tables.len(),
            Place::Value(_) => usize::MAX,
        }
    }

    /// The parent as it stands between the brackets of a header.
    fn header(&self) -> String {
        let keys = self.parents.iter().filter_map(|step| match step {
            Step::Field(key) => Some(write::key(key)),
            Step::Index(_) => None,
        });
        keys.collect::<Vec<_>>().join(".")
    }

    fn refused(&self, why: &str) -> Diagnostic {
        Diagnostic::error("cannot-edit", why)
            .at(self.parent_node.span)
            .help("change the file by hand; it was left as it is")
    }

    fn nowhere(&self, last: &Step) -> Diagnostic {
        let path: Vec<Step> = self.parents.iter().chain([last]).cloned().collect();
        Diagnostic::error("no-such-path", format!("there is no `{}` to change", edit::display(&path)))
    }
}

/// One `key = value`.
struct Line {
    start: usize,
    end: usize,
    /// Whether it is written `key=value`.
    tight: bool,
}

fn entry_span(parent: &Node, last: &Step, node: &Node) -> Span {
    let key = match last {
        Step::Field(key) => parent.entry(key).map(|entry| entry.key_span),
        Step::Index(_) => None,
    };
    Span::new(key.map_or(node.span.start, |key| key.start), node.span.end)
}
