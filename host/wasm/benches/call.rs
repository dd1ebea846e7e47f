//! What a call of a plugin costs: the YAML plugin on 50 and on 5,000 lines, and what comes before the first call.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use dewar_bundled::BUNDLED;
use dewar_core::event::Silent;
use dewar_core::extension::{Extensions, ParamFormat};
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
