//! [`read`]: a source as a tree, and the [`Scope`]s that an edit needs besides.

use dewar_plugin::{Diagnostic, Entry, Node, NodeKind, Span};
use ruff_python_ast::{Expr, ModModule, Stmt};
use ruff_python_parser::{Parsed, parse_module};

use crate::literal::{self, Entries, span};
use crate::nesting;

/// The byte order mark, which Python allows and the parser does not know.
const BOM: &str = "\u{feff}";

/// A source and what the parser made of it.
pub(crate) struct Module<'s> {
    pub(crate) text: &'s str,
    /// Where the parsed text begins.
    pub(crate) offset: usize,
    parsed: Parsed<ModModule>,
}

/// One assignment that can be a parameter.
pub(crate) struct Assignment<'m> {
    pub(crate) name: &'m str,
    pub(crate) target: &'m Expr,
    pub(crate) value: &'m Expr,
    pub(crate) statement: &'m Stmt,
    /// The block that the statement stands in.
    pub(crate) block: &'m [Stmt],
}

/// A class or the module.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'m> {
    pub(crate) body: &'m [Stmt],
}

impl<'s> Module<'s> {
    /// Parses `text`.
    pub(crate) fn parse(text: &'s str) -> Result<Self, Diagnostic> {
        let body = text.strip_prefix(BOM).unwrap_or(text);
        let offset = text.len() - body.len();
        nesting::check(body)?;
        let parsed = parse_module(body).map_err(|error| {
            Diagnostic::error("syntax", error.error.to_string())
                .at(span(&error, offset))
                .help("the file must be valid Python for its parameters to be read")
        })?;
        Ok(Self { text, offset, parsed })
    }

    pub(crate) fn root(&self) -> Scope<'_> {
        Scope { body: self.parsed.suite() }
    }

    fn tree(&self, scope: Scope<'_>, place: Span) -> Node {
        let mut entries = Entries::default();
        scope.members(&mut |member| match member {
            Member::Assignment(assignment) => {
                if let Ok(value) = literal::node(self.text, self.offset, assignment.value) {
                    let key_span = span(assignment.target, self.offset);
                    entries.put(Entry { key: assignment.name.to_owned(), key_span, value });
                }
            }
            Member::Class { name, name_span, statement, scope } => {
                let value = self.tree(scope, span(statement, self.offset));
                entries.put(Entry {
                    key: name.to_owned(),
                    key_span: Span::new(name_span.start + self.offset, name_span.end + self.offset),
                    value,
                });
            }
        });
        Node { kind: NodeKind::Map(entries.list), span: place }
    }
}

/// What a scope holds, in the order of the source.
pub(crate) enum Member<'m> {
    Assignment(Assignment<'m>),
    Class { name: &'m str, name_span: Span, statement: &'m Stmt, scope: Scope<'m> },
}

impl<'m> Scope<'m> {
    /// Shows every member to `visit`: those of the body, and assignments to `self` in `__init__`.
    pub(crate) fn members(self, visit: &mut impl FnMut(Member<'m>)) {
        for statement in self.body {
            match statement {
                Stmt::ClassDef(class) => {
                    visit(Member::Class {
                        name: class.name.as_str(),
                        name_span: span(&class.name, 0),
                        statement,
                        scope: Scope { body: &class.body },
                    });
                }
                Stmt::FunctionDef(function) if function.name.as_str() == "__init__" && !function.is_async => {
                    for statement in &function.body {
                        if let Some(assignment) = assignment(statement, &function.body)
                            && matches!(assignment.target, Expr::Attribute(_))
                        {
                            visit(Member::Assignment(assignment));
                        }
                    }
                }
                _ => {
                    if let Some(assignment) = assignment(statement, self.body) {
                        visit(Member::Assignment(assignment));
                    }
                }
            }
        }
    }

    /// All assignments of the scope.
    pub(crate) fn assignments(self) -> Vec<Assignment<'m>> {
        let mut found = Vec::new();
        self.members(&mut |member| {
            if let Member::Assignment(assignment) = member {
                found.push(assignment);
            }
        });
        found
    }

    /// The class that `name` means.
    pub(crate) fn class(self, name: &str) -> Option<Self> {
        let mut found = None;
        self.members(&mut |member| {
            if let Member::Class { name: class, scope, .. } = member
                && class == name
            {
                found = Some(scope);
            }
        });
        found
    }
}

/// The assignment that a statement is: to one name, or to an attribute of `self`.
fn assignment<'m>(statement: &'m Stmt, block: &'m [Stmt]) -> Option<Assignment<'m>> {
    let (target, value): (&Expr, &Expr) = match statement {
        Stmt::Assign(assign) => match assign.targets.as_slice() {
            [target] => (target, &assign.value),
            _ => return None,
        },
        Stmt::AnnAssign(assign) => (&assign.target, assign.value.as_deref()?),
        _ => return None,
    };
    let name = match target {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) if literal::is_name(&attribute.value, "self") => attribute.attr.as_str(),
        _ => return None,
    };
    Some(Assignment { name, target, value, statement, block })
}

/// Reads a whole source.
pub(crate) fn read(source: &[u8]) -> Result<Node, Diagnostic> {
    let text = std::str::from_utf8(source).map_err(|error| {
        let at = error.valid_up_to();
        Diagnostic::error("not-utf8", "the file is not UTF-8").at(Span::new(at, at + 1)).help("save it as UTF-8")
    })?;
    let module = Module::parse(text)?;
    Ok(module.tree(module.root(), Span::new(module.offset, text.len())))
}
