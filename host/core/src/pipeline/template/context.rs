//! [`Context`] and [`Scope`]: the variables that templates see. Sources are merged into one tree; no value is ever redefined.

use std::collections::BTreeMap;

use super::variable::{NotFound, There, Variable, Variables};
use crate::path::RepoPath;

/// The variables of a `dvc.yaml`, or those that one stage has beside them.
#[derive(Debug, Default)]
pub(super) struct Context<'a> {
    variables: Variables,
    imported: BTreeMap<RepoPath, Imported>,
    outer: Option<&'a Self>,
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

impl<'a> Context<'a> {
    /// One that grows on top of `outer`, for a stage.
    pub(super) fn within(outer: &'a Self) -> Self {
        Self { outer: Some(outer), ..Self::default() }
    }

    /// What was taken of a file so far.
    pub(super) fn imported(&self, file: &RepoPath) -> Option<&Imported> {
        self.imported.get(file).or_else(|| self.outer?.imported(file))
    }

    /// Remembers what was taken of a file.
    pub(super) fn import(&mut self, file: RepoPath, what: Imported) {
        let all = match (self.imported(&file), what) {
            (Some(Imported::Keys(known)), Imported::Keys(more)) => Imported::Keys([known.clone(), more].concat()),
            (_, what) => what,
        };
        self.imported.insert(file, all);
    }

    fn get(&self, name: &str) -> Option<&Variable> {
        self.variables.get(name).or_else(|| self.outer?.get(name))
    }

    fn names(&self) -> Vec<String> {
        let outer = self.outer.map(Self::names).unwrap_or_default();
        self.variables.keys().cloned().chain(outer).collect()
    }

    /// Adds variables; mappings grow together.
    ///
    /// # Errors
    /// When a value is there already, whatever it is.
    pub(super) fn merge(&mut self, more: Variables) -> Result<(), Conflict> {
        for name in more.keys() {
            let known = self.outer.filter(|_| !self.variables.contains_key(name)).and_then(|outer| outer.get(name));
            if let Some(known) = known {
                self.variables.insert(name.clone(), known.clone());
            }
        }
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
    pub(super) context: &'a Context<'a>,
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
        let Some(variable) = bound.or_else(|| self.context.get(first)) else {
            let bound = self.bound.iter().map(|(name, _)| (*name).to_owned());
            let known = bound.chain(self.context.names()).collect();
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

    fn merged(sources: &[&str]) -> Result<Context<'static>, Conflict> {
        let mut context = Context::default();
        for (at, yaml) in sources.iter().enumerate() {
            context.merge(variables(&at.to_string(), yaml))?;
        }
        Ok(context)
    }

    #[test]
    fn mappings_grow_together_and_know_their_sources() {
        let context =
            merged(&["{a: {b: 1, c: {d: [5, {x: 6}]}}}", "{a: {c: {e: 2}}, z: null}", "{a: {f: 3}}"]).unwrap();
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
    fn a_stage_adds_to_what_the_file_has() {
        let outer = merged(&["{a: {b: 1}, c: 2}"]).unwrap();
        let mut inner = Context::within(&outer);
        inner.merge(variables("t.vars[0]", "{a: {d: 3}, e: 4}")).unwrap();
        let seen = |context: &Context<'_>, path: &[&str]| {
            let scope = Scope { context, bound: &[] };
            scope.select(path).map(|found| found.to_value()).ok()
        };
        let int = |value| Some(dewar_text::Value::Int(value));
        assert_eq!([["a", "b"], ["a", "d"]].map(|path| seen(&inner, &path)), [int(1), int(3)]);
        assert_eq!([["c"], ["e"]].map(|path| seen(&inner, &path)), [int(2), int(4)]);
        assert_eq!(seen(&outer, &["a", "d"]), None);
        assert_eq!(inner.merge(variables("x", "{c: 2}")).unwrap_err().key, "c");
        let file = RepoPath::parse("p.yaml").unwrap();
        let mut outer = Context::default();
        outer.import(file.clone(), Imported::Keys(vec!["a".into()]));
        let mut inner = Context::within(&outer);
        inner.import(file.clone(), Imported::Keys(vec!["b".into()]));
        assert_eq!(inner.imported(&file), Some(&Imported::Keys(vec!["a".into(), "b".into()])));
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
