//! What a call of a plugin costs: the YAML plugin on 50 and on 5,000 lines, a policy on histories of 1 to 1,000 moments, and what
//! comes before the first call.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use dewar_bundled::BUNDLED;
use dewar_core::event::Silent;
use dewar_core::extension::{Extensions, Moment, ParamFormat, PastMoment, Trigger, Value};
use dewar_core::path::RepoPath;
use dewar_wasm::{Bundled, Limits, PluginRegistry, Setup};
use divan::Bencher;

fn main() {
    divan::main();
}

fn registry(compiled: Option<&Path>) -> PluginRegistry {
    let bundled = BUNDLED.iter().map(|plugin| Bundled { bytes: plugin.bytes, digest: plugin.blake3 });
    PluginRegistry::new(Setup {
        directories: Vec::new(),
        bundled: bundled.collect(),
        grants: Vec::new(),
        compiled: compiled.map(Path::to_owned),
        limits: Limits::default(),
        events: Arc::new(Silent),
    })
}

fn yaml(registry: &PluginRegistry) -> Option<Arc<dyn ParamFormat>> {
    registry.param_format(&RepoPath::parse("params.yaml").ok()?).ok()
}

fn source(lines: usize) -> String {
    let mut text = String::new();
    for line in 0..lines {
        // Writing to a string cannot fail.
        let _written = match line % 10 {
            0 => writeln!(text, "group{line}: # a group"),
            n => writeln!(text, "  value{n}: {line}.5"),
        };
    }
    text
}

#[divan::bench(args = [50, 5_000])]
fn read(bencher: Bencher<'_, '_>, lines: usize) {
    let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let registry = registry(Some(&compiled));
    let (format, source) = (yaml(&registry), source(lines));
    bencher.bench(|| format.as_ref().map(|format| format.read(source.as_bytes()).is_ok()));
}

/// One decision of `best` on moments with five metrics.
#[divan::bench(args = [1, 100, 1_000])]
fn decide(bencher: Bencher<'_, '_>, moments: u64) {
    let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let policy = registry(Some(&compiled)).policy("best").ok();
    let text = |text: &str| Value::Text(text.to_owned());
    let options = [("metric", text("metric3")), ("mode", text("max"))];
    let options = Value::Map(options.map(|(name, value)| (name.to_owned(), value)).into_iter().collect());
    let moment = |step: u64| Moment {
        trigger: Trigger::Signalled,
        step,
        elapsed_ms: step * 1000,
        metrics: (0..5_u32).map(|metric| (format!("metric{metric}"), f64::from(metric))).collect(),
    };
    let past = |step| PastMoment { moment: moment(step), checkpoint: Some(format!("{step:040}")) };
    let history: Vec<PastMoment> = (1..=moments).map(past).collect();
    let now = moment(moments + 1);
    bencher.bench(|| policy.as_ref().map(|policy| policy.decide(&options, &history, &now).is_ok()));
}

/// Inspection of the bundled plugins, which a command that names a parameter file pays.
#[divan::bench]
fn look(bencher: Bencher<'_, '_>) {
    bencher.bench(|| yaml(&registry(None)).is_some());
}

/// The first call of a process when the plugin was compiled before.
#[divan::bench]
fn first_call_compiled_before(bencher: Bencher<'_, '_>) {
    let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    bencher.bench(|| yaml(&registry(Some(&compiled))).map(|format| format.read(b"a: 1\n").is_ok()));
}

/// The first call of the plugin on a machine.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn first_call_compiling(bencher: Bencher<'_, '_>) {
    bencher.bench(|| yaml(&registry(None)).map(|format| format.read(b"a: 1\n").is_ok()));
}
