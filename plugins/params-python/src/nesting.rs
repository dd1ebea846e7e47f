//! [`check`]: refuses sources that nest so deep that the parser's recursion would overflow the stack of the sandbox.

use dewar_plugin::Diagnostic;
use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

/// How deep expressions may nest; as many brackets as CPython allows.
const MAX_NESTING: usize = 200;

/// How deep blocks may nest; CPython's limit.
const MAX_INDENTATION: usize = 100;

/// One open bracket.
#[derive(Default)]
struct Level {
    /// Operators since the last comma, each of which may nest what follows it or stands before it.
    operators: usize,
    /// `lambda`s, whose own commas must not hide that they nest.
    lambdas: usize,
}

/// Goes once over the tokens of `text`.
///
/// # Errors
/// `too-deep`.
pub(crate) fn check(text: &str) -> Result<(), Diagnostic> {
    let mut lexer = lexer::lex(text, Mode::Module);
    let mut level = Level::default();
    let mut outer: Vec<Level> = Vec::new();
    // The sum over all levels.
    let mut nesting = 0_usize;
    let mut indentation = 0_usize;
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return Ok(()),
            TokenKind::Indent => indentation += 1,
            TokenKind::Dedent => indentation = indentation.saturating_sub(1),
            TokenKind::Newline | TokenKind::Semi => {
                level = Level::default();
                outer.clear();
                nesting = 0;
            }
            // Text between the fields of an f-string parts them as a comma does.
            TokenKind::Comma | TokenKind::FStringMiddle | TokenKind::TStringMiddle => {
                nesting -= level.operators;
                level.operators = 0;
            }
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline => {}
            TokenKind::Lambda => {
                level.lambdas += 1;
                nesting += 1;
            }
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                level.operators += 1;
                nesting += 1;
                outer.push(std::mem::take(&mut level));
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace | TokenKind::FStringEnd | TokenKind::TStringEnd => {
                nesting -= level.operators + level.lambdas;
                // A bracket too many is for the parser to complain about.
                level = outer.pop().unwrap_or_default();
                nesting = nesting.max(level.operators + level.lambdas);
            }
            _ => {
                level.operators += 1;
                nesting += 1;
            }
        }
        if nesting > MAX_NESTING || indentation > MAX_INDENTATION {
            return Err(Diagnostic::error("too-deep", "an expression or a block is nested too deep to be read safely")
                .help(format!("nest at most {MAX_NESTING} operators or brackets and {MAX_INDENTATION} blocks")));
        }
    }
}
