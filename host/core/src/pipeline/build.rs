//! A definition becomes a [`Stage`]: the schema of a stage, and every path settled against its folder.

use std::path::Path;

use dewar_text::{Diagnostic, Entry, Node, NodeKind, Span};

use super::files::is_pipeline_file;
use super::schema;
use super::settings::OwnSettings;
use super::stage::{
    Command, DEFAULT_PARAMS, Dependency, LOCK_FILE, Output, OutputKind, ParamDependency, ParamKeys, Place, Stage,
    StageAddress,
};
use crate::path::{PathError, RepoPath, normalised};

/// What may stand in a stage (DVC 3.67's schema).
const STAGE: &[&str] = &[
    "cmd",
    "wdir",
    "deps",
    "params",
    "vars",
    "outs",
    "metrics",
    "plots",
    "frozen",
    "always_changed",
    "desc",
    "meta",
    "matrix",
    "foreach",
    "do",
];
/// What may stand behind an output.
const OUTPUT: &[&str] = &["cache", "persist", "remote", "push", "desc", "type", "labels", "meta", "checkpoint"];
/// What may stand behind a plot, beside that.
const PLOT: &[&str] = &["template", "x", "y", "x_label", "y_label", "title", "header"];

/// Makes a stage of its name and what stands behind it, with templates resolved.
///
/// # Errors
/// At the place in the file that does not fit.
pub fn stage(file: &RepoPath, root: &Path, definition: &Entry) -> Result<Stage, Diagnostic> {
    let name = &definition.key;
    let entries = schema::mapping(&definition.value, &format!("the stage `{name}`"))?;
    schema::only(entries, STAGE, &format!("the stage `{name}`"))?;
    let folder = folder(file, entries)?;
    let paths = Paths { root, folder: &folder };
    let mut outs = Vec::new();
    for (key, kind) in [("outs", OutputKind::Plain), ("metrics", OutputKind::Metric), ("plots", OutputKind::Plot)] {
        if let Some(node) = schema::get(entries, key) {
            outputs(node, key, kind, &paths, &mut outs)?;
        }
    }
    let boolean = |key: &str| schema::get(entries, key).map_or(Ok(false), |node| schema::boolean(node, &quoted(key)));
    let own = schema::get(entries, "meta").map(OwnSettings::of).transpose()?.unwrap_or_default();
    Ok(Stage {
        address: StageAddress { file: file.clone(), name: Some(name.clone()) },
        span: definition.key_span,
        command: Some(command(name, definition.key_span, entries)?),
        deps: match schema::get(entries, "deps") {
            Some(node) => dependencies(node, &paths)?,
            None => Vec::new(),
        },
        params: match schema::get(entries, "params") {
            Some(node) => params(node, &paths)?,
            None => Vec::new(),
        },
        outs,
        frozen: boolean("frozen")?,
        always_changed: boolean("always_changed")?,
        needs: own.needs,
        checkpoint: own.checkpoint,
        desc: match schema::get(entries, "desc") {
            Some(node) if !node.is_null() => Some(schema::text(node, "`desc`")?.to_owned()),
            _ => None,
        },
        meta: schema::get(entries, "meta").map(Node::to_value).unwrap_or_default(),
        folder,
    })
}

fn quoted(key: &str) -> String {
    format!("`{key}`")
}

fn folder(file: &RepoPath, entries: &[Entry]) -> Result<RepoPath, Diagnostic> {
    let beside = file.parent().unwrap_or_default();
    match schema::get(entries, "wdir") {
        None => Ok(beside),
        Some(node) => beside.join(schema::text(node, "`wdir`")?).map_err(|error| outside(node.span, "`wdir`", &error)),
    }
}

fn command(name: &str, span: Span, entries: &[Entry]) -> Result<Command, Diagnostic> {
    let Some(node) = schema::get(entries, "cmd") else {
        return Err(Diagnostic::error("no-command", format!("the stage `{name}` has no `cmd`"))
            .at(span)
            .help("add `cmd:` with the command to run"));
    };
    let invalid = || schema::wrong_type(node, "`cmd`", "a string or a list of strings");
    let command = Command::from_value(&node.to_value()).ok_or_else(invalid)?;
    let has_nul = |text: &String| text.contains('\0');
    match &command {
        Command::Text(text) if text.trim().is_empty() => {
            Err(Diagnostic::error("no-command", format!("the `cmd` of the stage `{name}` is empty")).at(node.span))
        }
        Command::List(list) if list.is_empty() => {
            Err(Diagnostic::error("no-command", format!("the `cmd` of the stage `{name}` is empty")).at(node.span))
        }
        Command::Text(text) if has_nul(text) => Err(nul(node.span)),
        Command::List(list) if list.iter().any(has_nul) => Err(nul(node.span)),
        _ => Ok(command),
    }
}

fn nul(span: Span) -> Diagnostic {
    Diagnostic::error("nul", "a command cannot have a NUL character").at(span)
}

/// What paths of a stage are relative to.
struct Paths<'a> {
    root: &'a Path,
    folder: &'a RepoPath,
}

impl Paths<'_> {
    /// Settles a dependency.
    fn place(&self, text: &str) -> Result<Place, PathError> {
        if text.contains("://") {
            return Ok(Place::Elsewhere(text.to_owned()));
        }
        if Path::new(text).is_absolute() {
            let path = normalised(Path::new(text));
            return Ok(match RepoPath::from_absolute(self.root, &path) {
                Ok(inside) => Place::Inside(inside),
                Err(_) => Place::Outside(path),
            });
        }
        match self.folder.join(text) {
            Ok(inside) => Ok(Place::Inside(inside)),
            Err(PathError::Outside(_)) => Ok(Place::Outside(normalised(&self.folder.under(self.root).join(text)))),
            Err(error) => Err(error),
        }
    }

    /// Settles what must be inside the project.
    fn inside(&self, node: &Node, text: &str, what: &str) -> Result<RepoPath, Diagnostic> {
        let error = match self.place(text) {
            Ok(Place::Inside(path)) if !path.is_root() => return Ok(path),
            Ok(Place::Inside(_)) => {
                return Err(Diagnostic::error("root", format!("{what} cannot be the whole project")).at(node.span));
            }
            Ok(_) => PathError::Outside(text.to_owned()),
            Err(error) => error,
        };
        Err(outside(node.span, what, &error))
    }
}

fn outside(span: Span, what: &str, error: &PathError) -> Diagnostic {
    Diagnostic::error("outside", format!("{what}: {error}"))
        .at(span)
        .help("what a stage writes, and where it runs, must be inside the project")
}

fn dependencies(node: &Node, paths: &Paths<'_>) -> Result<Vec<Dependency>, Diagnostic> {
    let mut deps: Vec<Dependency> = Vec::new();
    for item in schema::list(node, "`deps`")? {
        let text = schema::text(item, "a dependency")?;
        let place = paths
            .place(text)
            .map_err(|error| Diagnostic::error("bad-path", format!("a dependency: {error}")).at(item.span))?;
        if !deps.iter().any(|dep| dep.place == place) {
            deps.push(Dependency { path: text.to_owned(), place });
        }
    }
    // The lock's order.
    deps.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(deps)
}

fn params(node: &Node, paths: &Paths<'_>) -> Result<Vec<ParamDependency>, Diagnostic> {
    let mut found: Vec<ParamDependency> = Vec::new();
    let mut add = |node: &Node, file: &str, keys: ParamKeys| {
        let path = paths.inside(node, file, "a parameter file")?;
        match found.iter_mut().find(|param| param.file == path) {
            Some(param) => match (&mut param.keys, keys) {
                (ParamKeys::Some(known), ParamKeys::Some(new)) => {
                    let new: Vec<String> = new.into_iter().filter(|key| !known.contains(key)).collect();
                    known.extend(new);
                }
                (known, _) => *known = ParamKeys::All,
            },
            None => found.push(ParamDependency { path: path.relative_to(paths.folder), file: path, keys }),
        }
        Ok(())
    };
    for item in schema::list(node, "`params`")? {
        match &item.kind {
            NodeKind::Map(entries) => {
                for entry in entries {
                    let keys = schema::list(&entry.value, &format!("the keys of `{}`", entry.key))?;
                    let keys: Vec<String> = keys.iter().map(param_key).collect::<Result<_, _>>()?;
                    let keys = if keys.is_empty() { ParamKeys::All } else { ParamKeys::Some(keys) };
                    add(item, &entry.key, keys)?;
                }
            }
            _ => add(item, DEFAULT_PARAMS, ParamKeys::Some(vec![param_key(item)?]))?,
        }
    }
    // The lock's order: the default file first, then by path.
    found.sort_by(|a, b| (a.path != DEFAULT_PARAMS, &a.path).cmp(&(b.path != DEFAULT_PARAMS, &b.path)));
    Ok(found)
}

fn param_key(node: &Node) -> Result<String, Diagnostic> {
    schema::text(node, "a parameter's key").map(str::to_owned)
}

fn outputs(
    node: &Node,
    key: &str,
    kind: OutputKind,
    paths: &Paths<'_>,
    outs: &mut Vec<Output>,
) -> Result<(), Diagnostic> {
    for item in schema::list(node, &quoted(key))? {
        match &item.kind {
            NodeKind::Map(entries) => {
                for entry in entries {
                    output(item, &entry.key, Some(&entry.value), kind, paths, outs)?;
                }
            }
            _ => output(item, schema::text(item, "an output")?, None, kind, paths, outs)?,
        }
    }
    Ok(())
}

/// An output is removed before its stage runs; the files that hold the project together must not be.
fn refuse_own(item: &Node, path: &RepoPath) -> Result<(), Diagnostic> {
    let file = path.file_name();
    if is_pipeline_file(file) || file == LOCK_FILE {
        let message = format!("the output `{path}` is a file that holds stages");
        return Err(Diagnostic::error("own-file", message).at(item.span).help("let the stage write another file"));
    }
    let Some(own) = path.parts().find(|part| matches!(*part, ".git" | ".dvc")) else { return Ok(()) };
    let message = format!("the output `{path}` lies inside `{own}`");
    let help = "let the stage write somewhere else; that folder belongs to the project itself";
    Err(Diagnostic::error("own-file", message).at(item.span).help(help))
}

fn output(
    item: &Node,
    text: &str,
    flags: Option<&Node>,
    kind: OutputKind,
    paths: &Paths<'_>,
    outs: &mut Vec<Output>,
) -> Result<(), Diagnostic> {
    let path = paths.inside(item, text, "an output")?;
    refuse_own(item, &path)?;
    if outs.iter().any(|out| out.path == path) {
        return Err(Diagnostic::error("duplicate-output", format!("the output `{text}` is named twice")).at(item.span));
    }
    let mut out = Output {
        lock_path: text.to_owned(),
        path,
        kind,
        cached: true,
        persists: false,
        checkpoint: false,
        pushed: true,
        remote: None,
    };
    let entries: Vec<&Entry> = match flags.map(|node| &node.kind) {
        // A plot may have several definitions of one file; none of them has flags of an output.
        Some(NodeKind::List(_)) if kind == OutputKind::Plot => Vec::new(),
        Some(_) => schema::mapping(flags.unwrap_or(item), "the settings of an output")?.iter().collect(),
        None => Vec::new(),
    };
    for entry in entries {
        let flag = || schema::boolean(&entry.value, &quoted(&entry.key));
        match entry.key.as_str() {
            "cache" => out.cached = flag()?,
            "persist" => out.persists = flag()?,
            "checkpoint" => out.checkpoint = flag()?,
            "push" => out.pushed = flag()?,
            "remote" => out.remote = Some(schema::text(&entry.value, "`remote`")?.to_owned()),
            known if OUTPUT.contains(&known) || (kind == OutputKind::Plot && PLOT.contains(&known)) => {}
            _ => {
                let known: Vec<&str> = if kind == OutputKind::Plot { [OUTPUT, PLOT].concat() } else { OUTPUT.to_vec() };
                schema::only(std::slice::from_ref(entry), &known, "an output")?;
            }
        }
    }
    outs.push(out);
    Ok(())
}
