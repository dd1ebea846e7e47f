//! Any lock is written back as it was read, and a stage is set without a byte of the others changing.

use proptest::prelude::*;

use super::*;
use crate::digest::{Algorithm, ObjectId};
use crate::pipeline::Command;

/// A stage as some version of DVC, an editor or a formatter leaves it.
fn piece(number: usize) -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["train", "train@a-1", "'1'", "\"a b\"", "Übung"]);
    let command = prop_oneof![
        Just("    cmd: python train.py --lr 0.1\n"),
        Just(
            "    cmd: python src/train.py --input data/features --output models/model.pkl --epochs\n      10 --verbose\n"
        ),
        Just("    cmd: 'echo \"a: b\" # it''s no comment'\n"),
        Just("    cmd: \"one\\ntwo  \\\n      three\"\n"),
        Just("    cmd: |\n      cd src\n\n      # not a comment\n      make all\n"),
        Just("    cmd: >-\n      folded\n      text\n"),
        Just("    cmd:\n    - one\n    - two words\n"),
        Just("    cmd:\n      - one\n      -   two words\n"),
        Just(""),
    ];
    let item = (any::<[u8; 15]>(), 0..9u32, any::<u32>()).prop_map(|(digest, kind, size)| {
        // One that is no number without quotes.
        let md5 = format!("ab{}", hex(&digest));
        match kind {
            0 => format!("    - path: data/a\n      hash: md5\n      md5: {md5}\n      size: {size}\n"),
            1 => format!("    - path: data\n      md5: {md5}.dir\n      size: {size}\n      nfiles: 3\n"),
            2 => format!("    - path: run.sh\n      hash: md5\n      md5: {md5}\n      size: 1\n      isexec: true\n"),
            3 => format!("    - path: b\n      hash: blake3\n      blake3: {md5}{md5}\n      size: {size}\n"),
            4 => format!("    - {{path: flow, md5: {md5}}}\n"),
            5 => format!(
                "    - path: c\n      hash: md5\n      md5: {md5}\n      size: 0\n      cloud:\n        s3:\n          etag: {size}\n          version_id: '.{size}'\n"
            ),
            6 => format!("    - path: s3://bucket/key # far away\n      etag: '\"{md5}\"'\n      size: {size}\n"),
            7 => format!("      # deep comment\n      -   md5:   {md5}\n          path:   'odd layout'\n"),
            _ => format!("    - path: d\n      hash: md5\n      files:\n      - relpath: x\n        md5: {md5}\n        version_id: v{size}\n"),
        }
    });
    let items = |key: &'static str| {
        prop::collection::vec(item.clone(), 0..3).prop_map(move |items| {
            // One list has one indentation.
            let is_deep = |item: &String| item.starts_with("      ");
            let deep = items.first().is_some_and(is_deep);
            let items: Vec<String> = items.into_iter().filter(|item| is_deep(item) == deep).collect();
            if items.is_empty() { String::new() } else { format!("    {key}:\n{}", items.concat()) }
        })
    };
    let params = prop::sample::select(vec![
        "",
        "    params:\n      params.yaml:\n        lr: 0.1\n        model.layers:\n        - 1\n        - {a: null}\n        'on': 'yes'\n",
        "    params:\n      conf/a.toml: {x: 1e-05, y: }\n      config.py:\n        date: 2020-01-01\n",
    ]);
    let behind = prop::sample::select(vec!["", "", "\n", "  # about the next\n", "# at the margin\n\n"]);
    (name, command, items("deps"), params, items("outs"), behind).prop_map(
        move |(name, command, deps, params, outs, behind)| {
            // Names differ, however they are quoted.
            let name = match name.split_at(name.len() - 1) {
                (start, quote @ ("'" | "\"")) => format!("{start}{number}{quote}"),
                _ => format!("{name}{number}"),
            };
            let body = format!("{command}{deps}{params}{outs}");
            if body.is_empty() { format!("  {name}: {{}}\n{behind}") } else { format!("  {name}:\n{body}{behind}") }
        },
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parts of a lock: what stands before the stages, each stage, what stands behind them.
fn parts() -> impl Strategy<Value = (String, Vec<String>, String)> {
    let head = prop::sample::select(vec![
        "schema: '2.0'\nstages:\n",
        "schema: \"2.0\"\n\n# generated\nstages:\n",
        "datasets:\n- name: x\n  type: dc\nschema: '2.0'\nstages:\n",
    ]);
    let tail = prop::sample::select(vec!["", "", "datasets: []\n# end\n"]);
    let pieces = (1..5usize).prop_flat_map(|count| (0..count).map(piece).collect::<Vec<_>>());
    let cut = prop::bool::weighted(0.1);
    (head, pieces, tail, cut, any::<bool>()).prop_map(|(head, mut pieces, tail, cut, windows)| {
        let (mut head, mut tail) = (head.to_owned(), if head.contains("datasets") { "" } else { tail }.to_owned());
        if cut
            && tail.is_empty()
            && let Some(last) = pieces.last_mut()
        {
            // A file may end without a newline.
            last.truncate(last.trim_end_matches('\n').len());
        }
        if windows {
            for part in pieces.iter_mut().chain([&mut head, &mut tail]) {
                *part = part.replace('\n', "\r\n");
            }
        }
        (head, pieces, tail)
    })
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        prop::sample::select(vec![
            "",
            "yes",
            "null",
            "1",
            "1e3",
            "0x1",
            "2020-01-01",
            "a: b",
            "- a",
            "#",
            " a ",
            "a\nb\n"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        prop::num::f64::NORMAL.prop_map(Value::Float),
        text.prop_map(Value::Text),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let map = prop::collection::vec((any::<String>(), inner.clone()), 0..3);
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Value::List),
            map.prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

fn locked_path() -> impl Strategy<Value = LockedPath> {
    let algorithm = prop::sample::select(vec![Algorithm::Md5, Algorithm::Blake3, Algorithm::Md5Dos2Unix]);
    let id = (algorithm, any::<[u8; 32]>(), any::<bool>()).prop_map(|(algorithm, bytes, directory)| {
        let length = if algorithm == Algorithm::Blake3 { 32 } else { 16 };
        let suffix = if directory { ".dir" } else { "" };
        ObjectId::parse(algorithm, &format!("{}{suffix}", hex(&bytes[..length]))).unwrap()
    });
    let other = prop::collection::vec((prop::sample::select(vec!["etag", "cloud", "version_id"]), value()), 0..3);
    let path = prop_oneof!["[a-z]{1,5}(/[a-z .]{1,5}){0,2}", any::<String>()];
    let size = || prop::option::of(0..1u64 << 40);
    (path, prop::option::of(id), size(), size(), any::<bool>(), other).prop_map(
        |(path, id, size, files, executable, other)| {
            let other = other.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            LockedPath { path, id, size, files, executable, other }
        },
    )
}

fn entry() -> impl Strategy<Value = LockEntry> {
    let text = || prop_oneof!["([a-z./=]{1,12}[ ]){1,20}[a-z]", any::<String>()];
    let command = prop::option::of(prop_oneof![
        text().prop_map(Command::Text),
        prop::collection::vec(text(), 0..3).prop_map(Command::List),
    ]);
    let paths = || prop::collection::vec(locked_path(), 0..3);
    let values =
        prop::collection::vec((any::<String>(), value()), 0..3).prop_map(|values| values.into_iter().collect::<Map>());
    let params = prop::collection::vec((prop_oneof![Just("params.yaml".to_owned()), any::<String>()], values), 0..3);
    (command, paths(), params, paths()).prop_map(|(command, deps, params, outs)| LockEntry {
        command,
        deps,
        params: params.into_iter().collect(),
        outs,
    })
}

fn parse(text: &str) -> LockFile {
    LockFile::parse(&Source::new(RepoPath::parse("dvc.lock").unwrap(), text.as_bytes())).unwrap()
}

proptest! {
    #[test]
    fn only_what_is_set_changes((head, pieces, tail) in parts(), at in 0..5usize, entry in entry()) {
        let text = [head.as_str(), &pieces.concat(), &tail].concat();
        let mut lock = parse(&text);
        prop_assert_eq!(lock.to_text(), text.as_str());
        prop_assert_eq!(lock.text_len(), text.len());
        let names: Vec<String> = lock.entries().map(|(name, _)| name.to_owned()).collect();
        prop_assert_eq!(names.len(), pieces.len());
        let name = names.get(at).map_or("new", String::as_str);
        lock.set(name, entry.clone(), []);
        let changed = lock.to_text();
        let (before, after) = match pieces.get(at) {
            Some(_) => ([head, pieces[..at].concat()].concat(), [pieces[at + 1..].concat(), tail].concat()),
            // A last line that does not end has to, somehow.
            None if !text.ends_with('\n') => ([head, pieces[..pieces.len() - 1].concat()].concat(), tail),
            None => ([head, pieces.concat()].concat(), tail),
        };
        prop_assert!(changed.starts_with(&before) && changed.ends_with(&after), "{}", changed);
        let comments = |text: &str| text.matches("# about the next").count() + text.matches("# at the margin").count();
        prop_assert!(comments(&changed) == comments(&text) || !text.ends_with('\n'));
        let again = parse(&changed);
        prop_assert_eq!(again.to_text(), changed.as_str());
        prop_assert_eq!(again.get(name), Some(&entry));
        for (other, known) in lock.entries() {
            prop_assert_eq!(again.get(other), Some(known));
        }
        let mut same = again.clone();
        prop_assert!(!same.set(name, entry, []));
        prop_assert_eq!(same.to_text(), changed);
    }
}
