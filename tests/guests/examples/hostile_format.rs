//! A format that does what its source says, all of it bad. It speaks to the raw bindings, since the SDK would not let it.

use dewar_guests::FormatMisdeed;
use dewar_plugin::bindings::param_format::exports::dewar::plugin::param_format::{Edit, Guest};
use dewar_plugin::bindings::types::{Diagnostic, Document, Node, Severity, Span, Value};
use dewar_plugin::{embed_manifest, log};

struct Hostile;

impl Guest for Hostile {
    fn read(source: Vec<u8>) -> Result<Document, Vec<Diagnostic>> {
        let text = String::from_utf8_lossy(&source).into_owned();
        match FormatMisdeed::from_name(&text) {
            Some(misdeed) => commit(misdeed),
            None => Ok(Document { nodes: vec![node(Value::Text(text))] }),
        }
    }

    fn apply(source: Vec<u8>, _: Vec<Edit>) -> Result<Vec<u8>, Vec<Diagnostic>> {
        Ok(source)
    }
}

fn node(value: Value) -> Node {
    Node { value, span: None }
}

fn list(children: &[u32]) -> Node {
    node(Value::Sequence(children.to_vec()))
}

fn leaf() -> Node {
    node(Value::Null)
}

fn tree(nodes: Vec<Node>) -> Result<Document, Vec<Diagnostic>> {
    Ok(Document { nodes })
}

fn diagnostic(message: &str, span: Option<Span>) -> Vec<Diagnostic> {
    vec![Diagnostic {
        severity: Severity::Error,
        code: "hos\u{7}tile".to_owned(),
        message: message.to_owned(),
        span,
        help: Some(message.to_owned()),
    }]
}

#[expect(clippy::panic, clippy::print_stdout, clippy::exit, reason = "it is hostile")]
fn commit(misdeed: FormatMisdeed) -> Result<Document, Vec<Diagnostic>> {
    match misdeed {
        FormatMisdeed::Loop => loop {
            std::hint::black_box(());
        },
        FormatMisdeed::LoopAndLog => loop {
            log::info("still here");
        },
        FormatMisdeed::Sleep => {
            std::thread::sleep(std::time::Duration::from_secs(86_400));
            tree(vec![node(Value::Text("awake".to_owned()))])
        }
        FormatMisdeed::Grow => {
            let mut held = Vec::new();
            loop {
                held.push(std::hint::black_box(vec![1_u8; 1 << 20]));
            }
        }
        FormatMisdeed::Recurse => tree(vec![node(Value::Integer(recurse(1)))]),
        FormatMisdeed::Panic => panic!("on\u{1b}[31m purpose"),
        FormatMisdeed::Exit => std::process::exit(0),
        FormatMisdeed::HugeAnswer => tree(vec![node(Value::Text("x".repeat(100 << 20)))]),
        FormatMisdeed::LogFlood => {
            (0..100_000).for_each(|line| log::warn(&format!("line {line}")));
            tree(vec![leaf()])
        }
        FormatMisdeed::LongLogLine => {
            log::warn(&"x".repeat(10 << 20));
            tree(vec![leaf()])
        }
        FormatMisdeed::OutputFlood => {
            (0..100_000).for_each(|_| println!("a line of standard output that nobody asked for"));
            tree(vec![leaf()])
        }
        FormatMisdeed::Cycle => tree(vec![list(&[1]), list(&[0])]),
        FormatMisdeed::SharedChild => tree(vec![list(&[1, 1]), leaf()]),
        FormatMisdeed::OutOfRange => tree(vec![list(&[7])]),
        FormatMisdeed::Empty => tree(Vec::new()),
        FormatMisdeed::Orphan => tree(vec![leaf(), leaf()]),
        FormatMisdeed::DuplicateKey => {
            tree(vec![node(Value::Mapping(vec![("k".to_owned(), 1), ("k".to_owned(), 2)])), leaf(), leaf()])
        }
        FormatMisdeed::Deep => {
            let mut chain: Vec<Node> = (1..1_000_000).map(|child| list(&[child])).collect();
            chain.push(leaf());
            tree(chain)
        }
        FormatMisdeed::SpanOutOfRange => {
            tree(vec![Node { value: Value::Null, span: Some(Span { start: 0, end: 1_000_000 }) }])
        }
        FormatMisdeed::DiagnosticOutOfRange => Err(diagnostic("far away", Some(Span { start: 9_000, end: 9_001 }))),
        FormatMisdeed::ControlCharacters => {
            log::warn("\u{1b}[2Jgone\nforged: line");
            Err(diagnostic("\u{1b}[2Jgone\r\nforged: line\u{202e}", None))
        }
        FormatMisdeed::NoReason => Err(Vec::new()),
        FormatMisdeed::Peek => peek(),
        FormatMisdeed::Handles => {
            let mut held = Vec::new();
            loop {
                held.push(std::fs::File::open("/"));
                held.push(std::fs::File::open("."));
                std::mem::forget(std::io::stdout().lock());
            }
        }
    }
}

fn recurse(depth: i64) -> i64 {
    let frame = std::hint::black_box([depth; 64]);
    if depth == 0 { 0 } else { recurse(depth + 1) + frame.iter().sum::<i64>() }
}

/// Everything that it finds out; a good sandbox shows nothing of the machine.
fn peek() -> Result<Document, Vec<Diagnostic>> {
    let mut seen = Vec::new();
    seen.extend(std::env::vars().map(|(name, value)| format!("variable {name}={value}")));
    seen.extend(std::env::args().map(|argument| format!("argument {argument}")));
    for path in ["/etc/passwd", "/", ".", "..", "params.yaml", "/proc/self/environ", "../../../../etc/passwd"] {
        if std::fs::metadata(path).is_ok() || std::fs::read_dir(path).is_ok() || std::fs::read(path).is_ok() {
            seen.push(format!("path {path}"));
        }
    }
    if std::fs::write("/tmp/dewar-hostile", "here").is_ok() || std::fs::write("dewar-hostile", "here").is_ok() {
        seen.push("a file was written".to_owned());
    }
    if std::net::TcpStream::connect("127.0.0.1:22").is_ok() || std::net::UdpSocket::bind("127.0.0.1:0").is_ok() {
        seen.push("a socket was opened".to_owned());
    }
    let mut input = String::new();
    if std::io::stdin().read_line(&mut input).is_ok_and(|read| read > 0) {
        seen.push(format!("input {input}"));
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    if now != 946_684_800 {
        seen.push(format!("the time {now}"));
    }
    let children = (1..).take(seen.len()).collect();
    let mut nodes = vec![node(Value::Sequence(children))];
    nodes.extend(seen.into_iter().map(|one| node(Value::Text(one))));
    tree(nodes)
}

embed_manifest!("hostile-format.toml");

#[cfg(target_family = "wasm")]
dewar_plugin::bindings::param_format::export_param_format_component!(
    Hostile with_types_in dewar_plugin::bindings::param_format
);

#[cfg(not(target_family = "wasm"))]
const _: () = {
    const fn is_a_guest<T: Guest>() {}
    is_a_guest::<Hostile>();
};
