//! The world of a guest: [`Guest`], the state behind one store, and a WASI with nothing behind it.
//!
//! Guests of most languages cannot start without WASI, so they get one: no folders, no environment, no arguments, no sockets, a
//! clock that stands still, random numbers that are the same each time. What a guest answers depends on its arguments alone.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime::{Engine, ResourceLimiter};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::{Deterministic, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::imports::{Job, Log};
use crate::limits::Limits;

/// Handles that the host holds for a guest in one call: streams, pollables, children.
const HANDLES: usize = 10_000;

/// The state behind the store of one call.
pub(crate) struct Guest {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) memory: MemoryLimit,
    /// What it wrote to standard output and error; a panic's message, mostly.
    pub(crate) output: MemoryOutputPipe,
    pub(crate) log: Log,
    /// What an executor may do; none for the pure kinds.
    pub(crate) job: Option<Job>,
    /// The moment from which the guest's time counts.
    pub(crate) running_since: Instant,
}

impl Guest {
    pub(crate) fn new(limits: &Limits, log: Log, job: Option<Job>) -> Self {
        let output = MemoryOutputPipe::new(limits.output);
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let wasi = WasiCtxBuilder::new()
            .stdout(output.clone())
            .stderr(output.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .secure_random(Deterministic::new(b"dewar".to_vec()))
            .insecure_random(Deterministic::new(b"dewar".to_vec()))
            .insecure_random_seed(0)
            .wall_clock(Still)
            .build();
        let memory = MemoryLimit { limit: limits.memory, refused: false };
        Self { wasi, table, memory, output, log, job, running_since: Instant::now() }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A clock that stands still, at 2000-01-01.
struct Still;

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }
    fn now(&self) -> Duration {
        Duration::from_secs(946_684_800)
    }
}

/// Counts memory over all memories of a guest, and remembers that more was wanted: the guest sees a failed allocation and
/// traps in its own way.
pub(crate) struct MemoryLimit {
    limit: usize,
    pub(crate) refused: bool,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let grown = desired.saturating_sub(current);
        let fits = grown <= self.limit;
        if fits {
            self.limit -= grown;
        }
        self.refused |= !fits;
        Ok(fits)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= 1_000_000;
        self.refused |= !fits;
        Ok(fits)
    }

    fn instances(&self) -> usize {
        100
    }
    fn tables(&self) -> usize {
        100
    }
    fn memories(&self) -> usize {
        20
    }
}

/// WASI with nothing behind it.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<Guest, StillClock<'static>>(&mut linker, |guest| StillClock {
        table: &mut guest.table,
    })?;
    linker.allow_shadowing(false);
    Ok(linker)
}

/// The monotonic clock of a guest: it stands still, and every wait is over at once. Otherwise a guest could sleep in the host,
/// where no deadline reaches it.
struct StillClock<'a> {
    table: &'a mut ResourceTable,
}

impl HasData for StillClock<'static> {
    type Data<'a> = StillClock<'a>;
}

impl monotonic_clock::Host for StillClock<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }
    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }
    fn subscribe_instant(&mut self, _: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let over = self.table.push(Over)?;
        subscribe(self.table, over)
    }
    fn subscribe_duration(&mut self, _: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.subscribe_instant(0)
    }
}

/// A wait that is over.
struct Over;

impl Pollable for Over {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(()))
    }
}
