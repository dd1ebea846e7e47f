//! [`Runtime`]: the one wasmtime engine of a process, made at the first call, its clock of epochs and its linkers.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use dewar_core::event::{Event, EventSink};
use dewar_core::extension::PluginId;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine};

use crate::compiled::CompiledCode;
use crate::sandbox::{self, Guest};

/// How often the engine looks at the clock. A call may run this much over its time.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// A compilation that takes longer is announced.
const PATIENCE: Duration = Duration::from_secs(1);

/// The one engine of a process.
pub(crate) struct Runtime {
    engine: Engine,
    /// WASI with nothing behind it, which every track builds on.
    wasi: OnceLock<Result<Linker<Guest>, Arc<wasmtime::Error>>>,
    compiled: CompiledCode,
}

impl Runtime {
    /// Makes an engine and starts its clock, a thread that ends with the engine.
    pub(crate) fn new(compiled: CompiledCode) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config.wasm_component_model(true).epoch_interruption(true).wasm_backtrace_max_frames(None);
        let engine = Engine::new(&config)?;
        let clock = engine.weak();
        thread::Builder::new().name("dewar-epochs".to_owned()).spawn(move || {
            while let Some(engine) = clock.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        })?;
        Ok(Self { engine, wasi: OnceLock::new(), compiled })
    }

    pub(crate) const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// A linker with the empty WASI in it.
    pub(crate) fn linker(&self) -> Result<Linker<Guest>, Arc<wasmtime::Error>> {
        self.wasi.get_or_init(|| sandbox::linker(&self.engine).map_err(Arc::new)).clone()
    }

    /// The compiled component: from the user's cache, or compiled now and kept there.
    pub(crate) fn component(
        &self,
        plugin: &PluginId,
        bytes: &[u8],
        events: &Arc<dyn EventSink>,
    ) -> wasmtime::Result<Component> {
        if let Some(component) = self.compiled.load(&self.engine, plugin) {
            return Ok(component);
        }
        let component = announced(plugin, events, || Component::new(&self.engine, bytes))?;
        self.compiled.store(&self.engine, plugin, &component);
        Ok(component)
    }
}

/// Runs `compile`, and says so when it takes longer than a user waits without wondering.
fn announced<T>(plugin: &PluginId, events: &Arc<dyn EventSink>, compile: impl FnOnce() -> T) -> T {
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    let (name, events) = (plugin.name.clone(), Arc::clone(events));
    let started = Instant::now();
    // Without a thread there is no announcement; the compilation goes on.
    let announcer = thread::Builder::new().name("dewar-announce".to_owned()).spawn(move || {
        let left = PATIENCE.saturating_sub(started.elapsed());
        if waiting.recv_timeout(left) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            events.event(Event::PluginCompiling { plugin: name });
        }
    });
    let result = compile();
    drop(done);
    if let Ok(announcer) = announcer {
        // It only waits for the channel that was just closed.
        let _ended = announcer.join();
    }
    result
}
