//! What templates see is read: `params.yaml` beside the `dvc.yaml`, and `vars`, of the file or of a stage.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use dewar_text::{Diagnostic, Node, NodeKind, Span, Value};

use super::context::{Context, Imported};
use super::expression::has_template;
use super::variable::{Origin, Variable, Variables, Written};
use crate::params::ParamFiles;
use crate::path::{PathError, RepoPath};
use crate::pipeline::schema;
use crate::pipeline::stage::DEFAULT_PARAMS;
use crate::pipeline::{PipelineError, ProjectFiles};
use crate::source::Source;
use crate::words::{did_you_mean, most_similar};

/// Reads variables for one `dvc.yaml`.
pub(super) struct VarsReader<'a> {
    /// The `dvc.yaml`.
    source: &'a Source,
    /// Where files are read from.
    files: &'a dyn ProjectFiles,
    /// How they are read.
    values: &'a ParamFiles,
    /// What was read: stages generated from one definition name the same files.
    known: RefCell<HashMap<RepoPath, Option<Variables>>>,
}

/// Whose `vars` are read.
pub(super) struct Owner<'a> {
    /// The stage; none for those of the file.
    pub(super) stage: Option<&'a str>,
    /// The folder that files are named from.
    pub(super) folder: &'a RepoPath,
    /// Names that a generated stage has already.
    pub(super) reserved: &'a [&'a str],
}

impl<'a> VarsReader<'a> {
    /// For the `dvc.yaml` that `source` is; other files are read from `files`, through `values`.
    pub(super) fn new(source: &'a Source, files: &'a dyn ProjectFiles, values: &'a ParamFiles) -> Self {
        Self { source, files, values, known: RefCell::default() }
    }

    /// The variables of the file: those of `params.yaml` in `folder`, if it is there, and those of `vars`.
    ///
    /// # Errors
    /// When a file cannot be used, or values are defined twice.
    pub(super) fn context(&self, vars: Option<&Node>, folder: &RepoPath) -> Result<Context<'static>, PipelineError> {
        let mut context = Context::default();
        let default = folder.join(DEFAULT_PARAMS).unwrap_or_default();
        if let Some(variables) = self.read(&default)? {
            // Nothing is there that it could redefine.
            drop(context.merge(variables));
            context.import(default, Imported::All);
        }
        if let Some(vars) = vars {
            self.extend(&mut context, vars, &Owner { stage: None, folder, reserved: &[] })?;
        }
        Ok(context)
    }

    /// Adds the variables of `vars`.
    ///
    /// # Errors
    /// When a file cannot be used, or values are defined twice.
    pub(super) fn extend(
        &self,
        context: &mut Context<'_>,
        vars: &Node,
        owner: &Owner<'_>,
    ) -> Result<(), PipelineError> {
        let items = schema::list(vars, "`vars`").map_err(|diagnostic| self.source.error(diagnostic))?;
        if let Some(span) = template_in(vars) {
            let error = Diagnostic::error("template-in-vars", "interpolating is not allowed in `vars`").at(span);
            return Err(self.source.error(error.help("write the value itself; `vars` cannot use each other")).into());
        }
        for (at, item) in items.iter().enumerate() {
            let variables = match &item.kind {
                NodeKind::Map(_) => {
                    let place = format!("vars[{at}]");
                    let place = owner.stage.map_or_else(|| place.clone(), |stage| format!("{stage}.{place}"));
                    variables_of(item.to_value(), Written::Vars(place))
                }
                NodeKind::Scalar(Value::Text(text)) => match self.file(context, item.span, text, owner.folder)? {
                    Some(variables) => variables,
                    None => continue,
                },
                _ => {
                    let error = schema::wrong_type(item, "an item of `vars`", "a file or a mapping");
                    return Err(self.source.error(error).into());
                }
            };
            if let Some(name) = owner.reserved.iter().find(|name| variables.contains_key(**name)) {
                let message = format!("`{name}` is reserved for what the stage is generated from");
                let error = Diagnostic::error("reserved-variable", message).at(place_of(item, name));
                return Err(self.source.error(error.help("give the variable another name")).into());
            }
            context.merge(variables).map_err(|conflict| {
                let message = format!("cannot redefine `{}`, which `{}` has already", conflict.key, conflict.earlier);
                let error = Diagnostic::error("redefined-variable", message).at(place_of(item, &conflict.key));
                self.source
                    .error(error.help("give it another name, or take only some keys of a file: `file:key1,key2`"))
            })?;
        }
        Ok(())
    }

    /// The variables of a file, named as `path` or `path:key1,key2`; none when it was taken as a whole before.
    fn file(
        &self,
        context: &mut Context<'_>,
        span: Span,
        text: &str,
        folder: &RepoPath,
    ) -> Result<Option<Variables>, PipelineError> {
        let refuse = |code: &str, message: String, help: &str| {
            PipelineError::from(self.source.error(Diagnostic::error(code, message).at(span).help(help)))
        };
        let (name, keys) = text.split_once(':').unwrap_or((text, ""));
        let keys: Vec<String> =
            keys.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect();
        let file = self
            .place(folder, name)
            .map_err(|error| refuse("outside", format!("a file of `vars`: {error}"), "move it into the project"))?;
        match context.imported(&file) {
            Some(Imported::All) if keys.is_empty() => return Ok(None),
            Some(Imported::All) => {
                let message = format!("cannot take keys of `{name}`: all of it is taken already");
                return Err(refuse("taken-already", message, "leave it out"));
            }
            Some(Imported::Keys(known)) if keys.is_empty() || keys.iter().any(|key| known.contains(key)) => {
                let message = format!("cannot take `{text}`: some of it is taken already");
                return Err(refuse("taken-already", message, "name each key once"));
            }
            _ => {}
        }
        let Some(mut variables) = self.read(&file).map_err(|error| match error {
            PipelineError::File(_) | PipelineError::Unreadable { .. } => {
                refuse("unreadable", error.to_string(), "name a parameter file")
            }
            // It points at the place in that file.
            error => error,
        })?
        else {
            let help = "files of `vars` are named from the folder of the `dvc.yaml`, or the `wdir` of their stage";
            return Err(refuse("no-vars-file", format!("there is no `{file}`"), help));
        };
        if let Some(missing) = keys.iter().find(|key| !variables.contains_key(*key)) {
            let help = match most_similar(missing, variables.keys().map(String::as_str)) {
                Some(similar) => did_you_mean(similar),
                None => "only keys at the top of the file can be named".to_owned(),
            };
            return Err(refuse("unknown-key", format!("`{file}` has no `{missing}`"), &help));
        }
        if keys.is_empty() {
            context.import(file, Imported::All);
        } else {
            variables.retain(|name, _| keys.contains(name));
            context.import(file, Imported::Keys(keys));
        }
        Ok(Some(variables))
    }

    fn place(&self, folder: &RepoPath, name: &str) -> Result<RepoPath, PathError> {
        match RepoPath::from_absolute(self.files.root(), std::path::Path::new(name)) {
            Ok(inside) => Ok(inside),
            Err(_) => folder.join(name),
        }
    }

    /// The variables of a file; none when it is not there.
    fn read(&self, file: &RepoPath) -> Result<Option<Variables>, PipelineError> {
        if let Some(known) = self.known.borrow().get(file) {
            return Ok(known.clone());
        }
        let variables = self.files.read(file)?.map(|text| self.parse(file, text)).transpose()?;
        self.known.borrow_mut().insert(file.clone(), variables.clone());
        Ok(variables)
    }

    fn parse(&self, file: &RepoPath, text: Vec<u8>) -> Result<Variables, PipelineError> {
        let source = Source::new(file.clone(), text);
        let values = self.values.parse(&source)?;
        if values.as_map().is_none() {
            let message = format!("templates need a mapping here, not {}", values.kind());
            return Err(source.error_at("wrong-type", message, Span::default()).into());
        }
        Ok(variables_of(Arc::unwrap_or_clone(values), Written::File(file.clone())))
    }
}

fn variables_of(value: Value, written: Written) -> Variables {
    let written = Rc::new(written);
    let Value::Map(map) = value else { return Variables::new() };
    map.into_iter()
        .map(|(key, value)| {
            let origin = Origin { written: Rc::clone(&written), key: key.clone() };
            (key, Variable::written(value, origin))
        })
        .collect()
}

/// Where the first template in `vars` stands.
fn template_in(node: &Node) -> Option<Span> {
    match &node.kind {
        NodeKind::Scalar(Value::Text(text)) => has_template(text).then_some(node.span),
        NodeKind::Scalar(_) => None,
        NodeKind::List(items) => items.iter().find_map(template_in),
        NodeKind::Map(entries) => entries
            .iter()
            .find_map(|entry| if has_template(&entry.key) { Some(entry.key_span) } else { template_in(&entry.value) }),
    }
}

/// Where a dotted key stands in an item of `vars`; the item itself when it is a file.
fn place_of(item: &Node, key: &str) -> Span {
    let mut place = (item, item.span);
    for part in key.split('.') {
        let Some(entry) = place.0.entry(part) else { break };
        place = (&entry.value, entry.key_span);
    }
    place.1
}
