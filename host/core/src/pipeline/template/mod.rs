//! Templates: `${...}`, `vars`, `foreach` and `matrix` of a `dvc.yaml` are resolved before its stages are built (walk, step 5).
//!
//! In reading order: [`expression`] (what stands in a text), [`variable`] and [`context`] (what it names), [`vars`] (where that
//! is read), [`text`] (how it is written), [`resolve`] (a node), [`generate`] (`foreach`, `matrix`), and here the whole file.
//! The rules are those of DVC 3.67 (`dvc/parsing`).

mod context;
mod expression;
mod generate;
mod resolve;
mod text;
mod variable;
mod vars;

use std::cell::RefCell;
use std::collections::HashSet;

use dewar_text::{Diagnostic, Entry, Node, NodeKind, Value};

pub use resolve::TemplateParams;
pub use text::{BooleanFlags, FlagStyle, ListFlags};

use self::context::{Context, Scope};
use self::expression::{OPEN, has_template};
use self::resolve::{Resolver, Slot, UNKNOWN_VARIABLE};
use self::vars::{Owner, VarsReader};
use super::{PipelineError, ProjectFiles, schema};
use crate::params::ParamFiles;
use crate::path::RepoPath;
use crate::source::{Source, SourceError};

/// What templates are resolved with, beside the files of the project.
#[derive(Clone, Copy)]
pub struct Templates<'a> {
    /// How files are read whose values templates name.
    pub values: &'a ParamFiles,
    /// How a mapping in a command becomes flags.
    pub flags: FlagStyle,
}

/// Whether all that is wrong with a file is that a template names a variable that is not there (yet).
#[must_use]
pub fn lacks_variable(error: &SourceError) -> bool {
    error.diagnostics.iter().all(|diagnostic| diagnostic.code == UNKNOWN_VARIABLE)
}

/// The mapping that a `dvc.yaml` is, with all templates resolved, `foreach` and `matrix` stages in full and without `vars`; and
/// what it took of parameter files. Every node stays at the place where it was written. Reads no file when there is no template.
///
/// # Errors
/// At the place in the file that cannot be resolved.
pub(super) fn resolve(
    source: &Source,
    node: Node,
    files: &dyn ProjectFiles,
    templates: Templates<'_>,
) -> Result<(Node, TemplateParams), PipelineError> {
    let needs = needs(&node);
    let NodeKind::Map(entries) = node.kind else { return Ok((node, TemplateParams::new())) };
    if needs == Needs::Nothing {
        return Ok((Node { kind: NodeKind::Map(entries), span: node.span }, TemplateParams::new()));
    }
    let folder = source.file.parent().unwrap_or_default();
    let vars = VarsReader::new(source, files, templates.values);
    let context = match needs {
        Needs::Variables => vars.context(schema::get(&entries, "vars"), &folder)?,
        _ => Context::default(),
    };
    let document = Document { source, folder, vars, context, flags: templates.flags, taken: RefCell::default() };
    let mut resolved = Vec::with_capacity(entries.len());
    for entry in entries {
        let value = match entry.key.as_str() {
            "vars" => continue,
            "stages" => document.stages(entry.value)?,
            name => document.part(name, entry.value)?,
        };
        resolved.push(Entry { value, ..entry });
    }
    Ok((Node { kind: NodeKind::Map(resolved), span: node.span }, document.taken.into_inner()))
}

/// What a file needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    /// It stands as it is.
    Nothing,
    /// It has something that looks like a template.
    Escapes,
    /// It uses or defines variables.
    Variables,
}

fn needs(top: &Node) -> Needs {
    let has = |stage: &Entry, key: &str| stage.value.get(key).is_some();
    let expands = |stage: &Entry| ["vars", "foreach", "do", "matrix"].iter().any(|key| has(stage, key));
    let stages = top.get("stages").map(|stages| &stages.kind);
    if top.get("vars").is_some() || matches!(stages, Some(NodeKind::Map(stages)) if stages.iter().any(expands)) {
        return Needs::Variables;
    }
    of_texts(top)
}

fn of_texts(node: &Node) -> Needs {
    let of_text = |text: &str| match text.contains(OPEN) {
        true if has_template(text) => Needs::Variables,
        true => Needs::Escapes,
        false => Needs::Nothing,
    };
    match &node.kind {
        NodeKind::Scalar(Value::Text(text)) => of_text(text),
        NodeKind::Scalar(_) => Needs::Nothing,
        NodeKind::List(items) => items.iter().map(of_texts).max().unwrap_or(Needs::Nothing),
        NodeKind::Map(entries) => {
            entries.iter().map(|entry| of_text(&entry.key).max(of_texts(&entry.value))).max().unwrap_or(Needs::Nothing)
        }
    }
}

/// One `dvc.yaml` while it is resolved.
struct Document<'a> {
    source: &'a Source,
    folder: RepoPath,
    vars: VarsReader<'a>,
    context: Context<'static>,
    flags: FlagStyle,
    taken: RefCell<TemplateParams>,
}

impl Document<'_> {
    fn resolver<'r>(&'r self, scope: Scope<'r>, owner: &'r str) -> Resolver<'r> {
        Resolver { source: self.source, scope, owner, flags: self.flags, taken: &self.taken }
    }

    fn error(&self, diagnostic: Diagnostic) -> PipelineError {
        self.source.error(diagnostic).into()
    }

    /// A part of the top of the file that is not its stages.
    fn part(&self, name: &str, node: Node) -> Result<Node, PipelineError> {
        let slot = match name {
            "params" | "metrics" => Slot::Text,
            _ => Slot::Any,
        };
        let owner = format!("`{name}`");
        let scope = Scope { context: &self.context, bound: &[] };
        self.resolver(scope, &owner).node(node, slot).map_err(|diagnostic| self.error(diagnostic))
    }

    fn stages(&self, node: Node) -> Result<Node, PipelineError> {
        let Node { kind, span } = node;
        let NodeKind::Map(entries) = kind else { return Ok(Node { kind, span }) };
        let mut stages = Vec::with_capacity(entries.len());
        for entry in entries {
            self.expand(entry, &mut stages)?;
        }
        let mut names = HashSet::with_capacity(stages.len());
        if let Some(twice) = stages.iter().find(|stage| !names.insert(stage.key.as_str())) {
            let message = format!("there are two stages `{}`: one is written so, one is generated", twice.key);
            return Err(self.error(Diagnostic::error("duplicate-stage", message).at(twice.key_span)));
        }
        Ok(Node { kind: NodeKind::Map(stages), span })
    }

    /// The stages that stand behind one name.
    fn expand(&self, entry: Entry, stages: &mut Vec<Entry>) -> Result<(), PipelineError> {
        let Entry { key: name, key_span, value } = entry;
        let Node { kind, span } = value;
        let NodeKind::Map(mut fields) = kind else {
            stages.push(Entry { key: name, key_span, value: Node { kind, span } });
            return Ok(());
        };
        let owner = format!("the stage `{name}`");
        let error = |diagnostic| self.error(diagnostic);
        let outer = self.resolver(Scope { context: &self.context, bound: &[] }, &owner);
        let generated = if schema::get(&fields, "foreach").or_else(|| schema::get(&fields, "do")).is_some() {
            schema::only(&fields, &["foreach", "do"], &format!("{owner}, which has a `foreach`,")).map_err(error)?;
            let (Some(data), Some(template)) = (take(&mut fields, "foreach"), take(&mut fields, "do")) else {
                let message = format!("{owner} must have both `foreach` and `do`");
                return Err(self.error(Diagnostic::error("half-foreach", message).at(key_span)));
            };
            let template_fields = schema::mapping(&template, "`do`").map_err(error)?;
            let nested = |entry: &&Entry| matches!(entry.key.as_str(), "foreach" | "do" | "matrix");
            if let Some(nested) = template_fields.iter().find(nested) {
                let message = format!("{owner}: there cannot be a `{}` in `do`", nested.key);
                return Err(self.error(Diagnostic::error("nested-foreach", message).at(nested.key_span)));
            }
            fields = template_fields.to_vec();
            outer.variable(&data).and_then(|values| generate::foreach(&data, &values)).map_err(error)?
        } else if let Some(data) = take(&mut fields, "matrix") {
            outer.variable(&data).and_then(|values| generate::matrix(&data, &values)).map_err(error)?
        } else {
            let fields = self.stage(&name, fields, &[])?;
            stages.push(Entry { key: name, key_span, value: Node { kind: NodeKind::Map(fields), span } });
            return Ok(());
        };
        for (key, bound) in generated {
            let name = format!("{name}@{key}");
            let fields = self.stage(&name, fields.clone(), &bound)?;
            stages.push(Entry { key: name, key_span, value: Node { kind: NodeKind::Map(fields), span } });
        }
        Ok(())
    }

    /// The fields of one stage. Its own `vars` are seen by all of them but `wdir`, which their files are named from.
    fn stage(
        &self,
        name: &str,
        mut fields: Vec<Entry>,
        bound: &[(&'static str, variable::Variable)],
    ) -> Result<Vec<Entry>, PipelineError> {
        let owner = format!("the stage `{name}`");
        let outer = self.resolver(Scope { context: &self.context, bound }, &owner);
        let Some(vars) = take(&mut fields, "vars") else { return self.fields(&outer, fields) };
        let error = |diagnostic| self.error(diagnostic);
        let mut folder = self.folder.clone();
        let mut wdir = fields.extract_if(.., |field| field.key == "wdir").next();
        if let Some(Entry { value, .. }) = &mut wdir {
            *value = outer.node(value.clone(), Slot::Text).map_err(error)?;
            let outside = |span, reason| Diagnostic::error("outside", format!("`wdir`: {reason}")).at(span);
            let text = schema::text(value, "`wdir`").map_err(error)?;
            folder = folder.join(text).map_err(|reason| error(outside(value.span, reason)))?;
        }
        let reserved: Vec<&str> = bound.iter().map(|(name, _)| *name).collect();
        let mut context = Context::within(&self.context);
        self.vars.extend(&mut context, &vars, &Owner { stage: Some(name), folder: &folder, reserved: &reserved })?;
        let mut fields = self.fields(&self.resolver(Scope { context: &context, bound }, &owner), fields)?;
        fields.extend(wdir);
        Ok(fields)
    }

    fn fields(&self, resolver: &Resolver<'_>, fields: Vec<Entry>) -> Result<Vec<Entry>, PipelineError> {
        let resolved = |field: Entry| {
            let slot = match field.key.as_str() {
                "cmd" => Slot::Command,
                "meta" => Slot::Scalar,
                _ => Slot::Text,
            };
            let value = resolver.setting(&field.key, field.value, slot).map_err(|diagnostic| self.error(diagnostic))?;
            Ok(Entry { value, ..field })
        };
        fields.into_iter().map(resolved).collect()
    }
}

/// Takes the value of a key out.
fn take(fields: &mut Vec<Entry>, key: &str) -> Option<Node> {
    let at = fields.iter().position(|field| field.key == key)?;
    Some(fields.remove(at).value)
}

#[cfg(test)]
mod tests;
