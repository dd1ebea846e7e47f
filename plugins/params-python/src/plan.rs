//! [`plan`]: what one edit splices.

use dewar_plugin::dewar_text::splice::{
    self, FlowStyle, Splice, after_line, begins_line, indentation, line_end, line_ending, line_start, plan_flow,
};
use dewar_plugin::{Change, Diagnostic, Edit, Node, NodeKind, Span, Step, Value};
use ruff_python_ast::{Expr, Stmt};

use crate::literal::{self, is_name, span};
use crate::read::{Assignment, Module, Scope};
use crate::write::{Style, writable};

/// The splices of `edit`.
///
/// # Errors
/// A path that leads nowhere, a value that no literal can hold, or a change that the program around it forbids.
pub(crate) fn plan(text: &str, tree: &Node, edit: &Edit) -> Result<Vec<Splice>, Diagnostic> {
    let module = Module::parse(text)?;
    let (last, parents) = edit.path.split_last().ok_or_else(|| splice::nowhere(&edit.path))?;
    let target = splice::find(tree, &edit.path);
    let style = Style::of(text, tree);
    if let Change::Put(value) = &edit.change {
        if let Err(error) = writable(value) {
            return Err(if let Some(node) = target { error.at(node.span) } else { error });
        }
        if target.is_some_and(|node| node.to_value().same(value)) {
            return Ok(Vec::new());
        }
    }
    if let (Step::Field(name), Some(node)) = (last, target)
        && !is_literal(text, node)
    {
        return Err(Diagnostic::error(
            "is-a-class",
            format!("`{name}` is a class, which an edit neither replaces nor removes"),
        )
        .at(first_line(text, node.span))
        .help("edit its attributes, or change the file by hand"));
    }
    let parent_is_scope = parents.is_empty() || splice::find(tree, parents).is_some_and(|node| !is_literal(text, node));
    match (scope_at(&module, parents).filter(|_| parent_is_scope), last) {
        (Some(scope), Step::Field(name)) => match (&edit.change, target) {
            (Change::Put(value), None) => add(&module, scope, parents.is_empty(), name, value, &style),
            (Change::Remove, Some(node)) => remove(&module, scope, name, node),
            (Change::Remove, None) => Err(splice::nowhere(&edit.path)),
            (Change::Put(_), Some(_)) => plan_flow(text, tree, edit, &style),
        },
        _ => in_literal(text, tree, edit, &style),
    }
}

/// Whether `node` is written as a literal, not as a class.
fn is_literal(text: &str, node: &Node) -> bool {
    !matches!(node.kind, NodeKind::Map(_)) || splice::slice(text, node.span.start, node.span.end).starts_with('{')
}

fn scope_at<'m>(module: &'m Module<'_>, path: &[Step]) -> Option<Scope<'m>> {
    path.iter().try_fold(module.root(), |scope, step| match step {
        Step::Field(name) => scope.class(name),
        Step::Index(_) => None,
    })
}

/// Edits inside dicts, lists, tuples and sets.
fn in_literal(text: &str, tree: &Node, edit: &Edit, style: &Style) -> Result<Vec<Splice>, Diagnostic> {
    if let (Change::Remove, Some((_, parents))) = (&edit.change, edit.path.split_last())
        && let Some(parent) = splice::find(tree, parents)
        && let NodeKind::List(items) = &parent.kind
    {
        let written = splice::slice(text, parent.span.start, parent.span.end);
        let shorter = || {
            let mut value = parent.to_value();
            if let (Value::List(items), Some(Step::Index(index))) = (&mut value, edit.path.last())
                && *index < items.len()
            {
                items.remove(*index);
            }
            vec![Splice::replace(parent.span, style.value(&value, Some(written), ""))]
        };
        match written.chars().next() {
            Some('[') => {}
            // A tuple of one needs its comma; an empty set cannot be written in braces.
            Some('(') if items.len() == 2 => return Ok(shorter()),
            Some('(') => {}
            Some('{') if items.len() > 1 => {}
            Some('{') => return Ok(vec![Splice::replace(parent.span, "set()")]),
            _ => {
                return Err(Diagnostic::error("cannot-edit", "a tuple without parentheses cannot lose an item")
                    .at(parent.span)
                    .help("put parentheses around it"));
            }
        }
    }
    plan_flow(text, tree, edit, style)
}

/// A new name in a class or in the module.
fn add(
    module: &Module<'_>,
    scope: Scope<'_>,
    is_module: bool,
    name: &str,
    value: &Value,
    style: &Style,
) -> Result<Vec<Splice>, Diagnostic> {
    if !is_identifier(name) {
        return Err(Diagnostic::error("bad-name", format!("`{name}` is no name that Python can assign to"))
            .help("use letters, digits and `_`, and no keyword"));
    }
    if let Some((place, what)) = bound(module, scope, name) {
        return Err(Diagnostic::error("not-a-literal", format!("`{name}` is {what}, so it is no parameter"))
            .at(place)
            .help("set it to a literal by hand, or choose another name"));
    }
    let (text, offset) = (module.text, module.offset);
    let eol = line_ending(text);
    let value = style.value(value, None, "");
    let assignments = scope.assignments();
    // A class whose parameters are all set in `__init__` gets the new one there too.
    let plain = |assignment: &&Assignment<'_>| matches!(assignment.target, Expr::Name(_));
    let model = assignments.iter().rfind(plain).or_else(|| assignments.last());
    if let Some(model) = model {
        let statement = span(model.statement, offset);
        let indent = indentation(text, statement.start);
        let this = if matches!(model.target, Expr::Attribute(_)) { "self." } else { "" };
        let equals = if equals_is_tight(text, model, offset) { "=" } else { " = " };
        if indent.is_empty() && !is_module {
            return Err(one_line(statement));
        }
        return Ok(vec![Splice::insert(
            line_end(text, statement.end),
            format!("{eol}{indent}{this}{name}{equals}{value}"),
        )]);
    }
    let line = format!("{name} = {value}");
    // Behind the docstring and the imports, before anything else.
    let (head, rest) = scope.body.split_at(scope.body.iter().take_while(|statement| is_head(statement)).count());
    if let Some(last) = head.last() {
        let place = span(last, offset);
        let indent = indentation(text, place.start);
        if indent.is_empty() && !is_module {
            return Err(one_line(place));
        }
        let gap = if is_module { eol } else { "" };
        return Ok(vec![Splice::insert(line_end(text, place.end), format!("{eol}{gap}{indent}{line}"))]);
    }
    match rest.first() {
        Some(first) => {
            let place = span(first, offset);
            if !begins_line(text, place.start) {
                return Err(one_line(place));
            }
            let indent = indentation(text, place.start);
            let gap = if is_compound(first) { eol } else { "" };
            Ok(vec![Splice::insert(line_start(text, place.start), format!("{indent}{line}{eol}{gap}"))])
        }
        None => {
            let before = if text.len() == offset || text.ends_with('\n') { "" } else { eol };
            Ok(vec![Splice::insert(text.len(), format!("{before}{line}{eol}"))])
        }
    }
}

fn one_line(place: Span) -> Diagnostic {
    Diagnostic::error("cannot-edit", "the body of the class does not stand on lines of its own")
        .at(place)
        .help("move the body to the lines below the header")
}

/// A docstring or an import.
fn is_head(statement: &Stmt) -> bool {
    match statement {
        Stmt::Import(_) | Stmt::ImportFrom(_) => true,
        Stmt::Expr(expression) => matches!(*expression.value, Expr::StringLiteral(_)),
        _ => false,
    }
}

fn is_compound(statement: &Stmt) -> bool {
    matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_))
}

fn equals_is_tight(text: &str, model: &Assignment<'_>, offset: usize) -> bool {
    let value = span(model.value, offset).start;
    splice::slice(text, 0, value).ends_with('=')
}

/// What else `name` is in this scope, and where.
fn bound(module: &Module<'_>, scope: Scope<'_>, name: &str) -> Option<(Span, &'static str)> {
    let offset = module.offset;
    let assigned = scope.assignments().into_iter().rev().find(|assignment| assignment.name == name);
    if let Some(assignment) = assigned {
        let place = literal::node(module.text, offset, assignment.value).err().unwrap_or(assignment.value);
        return Some((span(place, offset), "set to an expression"));
    }
    scope.body.iter().find_map(|statement| match statement {
        Stmt::FunctionDef(function) if function.name.as_str() == name => {
            Some((span(&function.name, offset), "a function"))
        }
        Stmt::Assign(assign) => {
            let target = assign.targets.iter().find(|target| names(target, name))?;
            Some((span(target, offset), "assigned together with others"))
        }
        Stmt::AnnAssign(assign) if is_name(&assign.target, name) => {
            Some((span(&*assign.target, offset), "declared without a value"))
        }
        Stmt::Import(import) => {
            let alias = import.names.iter().find(|alias| binds(alias, name))?;
            Some((span(alias, offset), "imported"))
        }
        Stmt::ImportFrom(import) => {
            let alias = import.names.iter().find(|alias| binds(alias, name))?;
            Some((span(alias, offset), "imported"))
        }
        _ => None,
    })
}

fn binds(alias: &ruff_python_ast::Alias, name: &str) -> bool {
    alias.asname.as_ref().unwrap_or(&alias.name).as_str() == name
}

fn names(target: &Expr, name: &str) -> bool {
    match target {
        Expr::Tuple(tuple) => tuple.elts.iter().any(|target| names(target, name)),
        Expr::List(list) => list.elts.iter().any(|target| names(target, name)),
        Expr::Starred(starred) => names(&starred.value, name),
        _ => is_name(target, name),
    }
}

/// Takes a whole assignment away.
fn remove(module: &Module<'_>, scope: Scope<'_>, name: &str, node: &Node) -> Result<Vec<Splice>, Diagnostic> {
    let (text, offset) = (module.text, module.offset);
    let refused = |why: &str, place: Span| {
        Diagnostic::error("cannot-edit", why).at(place).help("change the file by hand; it was left as it is")
    };
    let assignments: Vec<Assignment<'_>> =
        scope.assignments().into_iter().filter(|assignment| assignment.name == name).collect();
    let [assignment] = assignments.as_slice() else {
        return Err(refused(
            "the name is assigned more than once, so removing one would bring another back",
            node.span,
        ));
    };
    let place = span(assignment.statement, offset);
    if assignment.block.len() == 1 && !is_root(module, assignment) {
        return Err(refused("without this statement the block would be empty", place));
    }
    let rest = splice::slice(text, place.end, line_end(text, place.end)).trim_start();
    if !begins_line(text, place.start) || !(rest.is_empty() || rest.starts_with('#')) {
        return Err(refused("the statement shares its line with others", place));
    }
    Ok(vec![Splice::delete(line_start(text, place.start), after_line(text, place.end))])
}

fn is_root(module: &Module<'_>, assignment: &Assignment<'_>) -> bool {
    std::ptr::eq(assignment.block.as_ptr(), module.root().body.as_ptr())
}

/// `place` up to the end of its first line.
fn first_line(text: &str, place: Span) -> Span {
    Span::new(place.start, line_end(text, place.start).min(place.end))
}

fn is_identifier(name: &str) -> bool {
    // The reader is the judge: what it reads back as one assignment to this name is one.
    let source = format!("{name} = 0\n");
    crate::read::read(source.as_bytes())
        .is_ok_and(|tree| tree.entry(name).is_some_and(|entry| entry.key_span == Span::new(0, name.len())))
}
