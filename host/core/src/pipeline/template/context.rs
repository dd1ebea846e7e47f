//! [`Context`] and [`Scope`]: the variables that templates see. Sources are merged into one tree; no value is ever redefined.

use std::collections::BTreeMap;

use super::variable::{NotFound, There, Variable, Variables};
use crate::path::RepoPath;

/// The variables of a `dvc.yaml`, or of one stage.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    variables: Variables,
    imported: BTreeMap<RepoPath, Imported>,
}

/// What was taken of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Imported {
    /// All of it.
    All,
    /// These keys.
    Keys(Vec<String>),
}

/// A value that two sources have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict {
    /// Its dotted key.
    pub(super) key: String,
    /// What has it already.
    pub(super) earlier: String,
}

impl Context {
    /// What was taken of a file so far.
    pub(super) fn imported(&self, file: &RepoPath) -> Option<&Imported> {
        self.imported.get(file)
    }

    /// Remembers what was taken of a file.
    pub(super) fn import(&mut self, file: RepoPath, what: Imported) {
        match (self.imported.get_mut(&file), what) {
            (Some(Imported::Keys(known)), Imported::Keys(more)) => known.extend(more),
            (_, what) => drop(self.imported.insert(file, what)),
        }
    }

    /// Adds variables; mappings grow together.
    ///
    /// # Errors
    /// When a value is there already, whatever it is.
    pub(super) fn merge(&mut self, more: Variables) -> Result<(), Conflict> {
        merge(&mut self.variables, more, "")
    }
}

fn merge(into: &mut Variables, more: Variables, above: &str) -> Result<(), Conflict> {
    for (name, mut new) in more {
        let Some(old) = into.get_mut(&name) else {
            into.insert(name, new);
            continue;
        };
        let key = if above.is_empty() { name } else { format!("{above}.{name}") };
        if !(old.is_mapping() && new.is_mapping()) {
            let earlier = old.origins().first().map_or_else(String::new, |origin| origin.written.to_string());
            return Err(Conflict { key, earlier });
        }
        if let (Some(old), Some(new)) = (old.entries_mut(), new.entries_mut()) {
            merge(old, std::mem::take(new), &key)?;
        }
    }
    Ok(())
}

/// What templates of one stage see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    /// The variables.
    pub(super) context: &'a Context,
    /// What a generated stage has beside them: `item`, `key`. They hide variables of the same name.
    pub(super) bound: &'a [(&'static str, Variable)],
}

impl Scope<'_> {
    /// What a path names.
    pub(super) fn select(&self, path: &[&str]) -> Result<Variable, NotFound> {
        let Some((first, rest)) = path.split_first() else {
            return Err(NotFound { depth: 0, there: There::Keys(Vec::new()) });
        };
        let bound = self.bound.iter().find(|(name, _)| name == first).map(|(_, variable)| variable);
        let Some(variable) = bound.or_else(|| self.context.variables.get(*first)) else {
            let bound = self.bound.iter().map(|(name, _)| (*name).to_owned());
            let known = bound.chain(self.context.variables.keys().cloned()).collect();
            return Err(NotFound { depth: 0, there: There::Keys(known) });
        };
        variable.select(rest).map_err(|error| NotFound { depth: error.depth + 1, ..error })
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::pipeline::template::variable::{Origin, Written};

    fn variables(label: &str, yaml: &str) -> Variables {
        let written = Rc::new(Written::Vars(label.into()));
        let value = dewar_text::yaml::read(yaml.as_bytes()).unwrap().to_value();
        let origin = Origin { written, key: String::new() };
        Variable::written(value, origin).entries().unwrap().into_iter().collect()
    }

    fn merged(sources: &[&str]) -> Result<Context, Conflict> {
        let mut context = Context::default();
        for (at, yaml) in sources.iter().enumerate() {
            context.merge(variables(&at.to_string(), yaml))?;
        }
        Ok(context)
    }

    #[test]
    fn mappings_grow_together_and_know_their_sources() {
        let context = merged(&["{a: {b: 1, c: {d: [5, {x: 6}]}}}", "{a: {c: {e: 2}}, z: null}", "{a: {f: 3}}"]).unwrap();
        let scope = Scope { context: &context, bound: &[] };
        let origins = |path: &[&str]| {
            let found = scope.select(path).unwrap();
            found.origins().iter().map(|origin| format!("{} {}", origin.written, origin.key)).collect::<Vec<_>>()
        };
        assert_eq!(origins(&["a", "c", "e"]), ["1 a.c.e"]);
        assert_eq!(origins(&["a", "c", "d", "-1", "x"]), ["0 a.c.d.1.x"]);
        assert_eq!(origins(&["a"]), ["0 a.b", "0 a.c.d", "1 a.c.e", "2 a.f"]);
        let whole = dewar_text::yaml::read(b"{b: 1, c: {d: [5, {x: 6}], e: 2}, f: 3}").unwrap().to_value();
        assert_eq!(scope.select(&["a"]).unwrap().to_value(), whole);
    }

    #[test]
    fn nothing_is_redefined() {
        let table = [
            (["{a: 1}", "{a: 1}"], "a"),
            (["{a: {b: {c: 1}}}", "{a: {b: {c: 2}}}"], "a.b.c"),
            (["{a: {b: 1}}", "{a: 2}"], "a"),
            (["{a: 1}", "{a: {b: 2}}"], "a"),
            (["{a: [1]}", "{a: [2]}"], "a"),
        ];
        for (sources, key) in table {
            let conflict = merged(&sources).unwrap_err();
            assert_eq!(conflict, Conflict { key: key.into(), earlier: "0".into() }, "{sources:?}");
        }
        assert!(merged(&["{a: {}}", "{a: {}}"]).is_ok());
    }

    #[test]
    fn what_is_missing_is_said_with_what_is_there() {
        let context = merged(&["{a: {b: 1}, l: [1, 2]}"]).unwrap();
        let item = [("item", Variable::here(dewar_text::Value::Int(1)))];
        let scope = Scope { context: &context, bound: &item };
        let keys = |keys: &[&str]| There::Keys(keys.iter().map(|key| (*key).to_owned()).collect());
        let table: [(&[&str], usize, There); 6] = [
            (&["x"], 0, keys(&["item", "a", "l"])),
            (&["a", "c"], 1, keys(&["b"])),
            (&["a", "b", "c"], 2, There::Leaf("an integer")),
            (&["l", "2"], 1, There::Items(2)),
            (&["l", "-3"], 1, There::Items(2)),
            (&["item", "x"], 1, There::Leaf("an integer")),
        ];
        for (path, depth, there) in table {
            assert_eq!(scope.select(path).unwrap_err(), NotFound { depth, there }, "{path:?}");
        }
    }
}
