//! Writes a project with as many experiments as are asked for, to measure with: `experiments FOLDER COUNT [BASELINES]`.
//!
//! The experiments are what runs would have left behind: a commit with parameters, metrics and lock on the commit that they
//! started from, and its reference. They go to git in one stream (`git-fast-import(1)`), packed and in one file of references, as
//! `git gc` leaves them (`tests/README.md` says how to have them as single objects).

#![expect(clippy::unwrap_used, reason = "a program for measurements stops where it cannot go on, and says where")]

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

/// The first commit's time, in seconds since 1970: 2026-01-02 03:04:05 UTC. Each experiment is a second later.
const BEGIN: usize = 1_767_323_045;

const PIPELINE: &str = "\
stages:
  train:
    cmd: python train.py
    deps: [data.csv, train.py]
    params: [train, model]
    outs: [model.bin]
    metrics:
    - metrics.json:
        cache: false
";

fn main() {
    let mut words = env::args().skip(1);
    let (Some(folder), Some(count)) = (words.next(), words.next()) else {
        // The only words for people, before anything is done.
        std::process::exit(usage());
    };
    let count = count.parse().unwrap();
    let baselines = words.next().map_or(1, |word| word.parse().unwrap());
    write(Path::new(&folder), count, baselines);
}

#[expect(clippy::print_stderr, reason = "a program for developers, beside which nothing is printed")]
fn usage() -> i32 {
    eprintln!("usage: experiments FOLDER COUNT [BASELINES]");
    2
}

/// The project in `folder`, which is new or empty.
fn write(folder: &Path, count: usize, baselines: usize) {
    fs::create_dir_all(folder).unwrap();
    git(folder, &["init", "--quiet", "--initial-branch=main"]);
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet", "--force"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stream = BufWriter::new(import.stdin.take().unwrap());
    for baseline in 0..baselines.max(1) {
        commit(&mut stream, "refs/heads/main", BEGIN + baseline, &format!("baseline {baseline}"), baseline);
    }
    stream.flush().unwrap();
    // Experiments stand below the digits of their baselines, which are known when git has them.
    drop(stream);
    assert!(import.wait().unwrap().success());
    let listed = Command::new("git").args(["rev-list", "--reverse", "main"]).current_dir(folder).output().unwrap();
    let heads: Vec<String> = String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect();

    let mut import = Command::new("git")
        .args(["fast-import", "--quiet", "--force"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stream = BufWriter::new(import.stdin.take().unwrap());
    for (number, head) in (0..count).zip(heads.iter().cycle()) {
        let (two, rest) = head.split_at(2);
        let reference = format!("refs/exps/{two}/{rest}/exp-{number:05}");
        let time = BEGIN + heads.len() + number;
        writeln!(stream, "reset {reference}\nfrom {head}\n").unwrap();
        commit(&mut stream, &reference, time, &format!("dvc: commit experiment {number}"), number + 1);
    }
    drop(stream);
    assert!(import.wait().unwrap().success());
    git(folder, &["pack-refs", "--all"]);
    git(folder, &["reset", "--quiet", "--hard", "main"]);
}

/// A commit whose parameters and results are those of `number`.
fn commit(stream: &mut impl Write, reference: &str, time: usize, message: &str, number: usize) {
    let rate = format!("0.{:04}", number % 10_000);
    let params =
        format!("train:\n  lr: {rate}\n  epochs: {}\nmodel:\n  layers: [64, 32]\n  seed: {number}\n", number % 50);
    let metrics = format!(
        "{{\"acc\": 0.{:05}, \"loss\": {{\"train\": {}.5, \"valid\": {}.25}}}}\n",
        number * 7919 % 100_000,
        number % 13,
        number % 17
    );
    let lock = format!(
        "schema: '2.0'\nstages:\n  train:\n    cmd: python train.py\n    deps:\n    - path: data.csv\n      hash: md5\n      \
         md5: c157a79031e1c40f85931829bc5fc552\n      size: 4\n    - path: train.py\n      hash: md5\n      md5: \
         d3b07384d113edec49eaa6238ad5ff00\n      size: 9\n    params:\n      params.yaml:\n        model:\n          layers:\n          \
         - 64\n          - 32\n          seed: {number}\n        train:\n          epochs: {}\n          lr: {rate}\n    outs:\n    - \
         path: metrics.json\n      hash: md5\n      md5: d{:031x}\n      size: 60\n    - path: model.bin\n      hash: md5\n      md5: \
         c{number:031x}\n      size: 1048576\n",
        number % 50,
        number + 1_000_000,
    );
    let who = format!("dewar <dewar@example.org> {time} +0000");
    writeln!(stream, "commit {reference}\nauthor {who}\ncommitter {who}\ndata {}\n{message}", message.len()).unwrap();
    let files = [
        (".dvc/config", "[core]\n"),
        (".gitignore", "/model.bin\n"),
        ("data.csv", "1,2\n"),
        ("dvc.yaml", PIPELINE),
        ("train.py", "# stands\n"),
        ("params.yaml", &params),
        ("metrics.json", &metrics),
        ("dvc.lock", &lock),
    ];
    for (path, content) in files {
        writeln!(stream, "M 100644 inline {path}\ndata {}\n{content}", content.len()).unwrap();
    }
    writeln!(stream).unwrap();
}

fn git(folder: &Path, args: &[&str]) {
    assert!(Command::new("git").args(args).current_dir(folder).status().unwrap().success());
}
