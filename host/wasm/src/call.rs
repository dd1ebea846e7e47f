//! One guarded call: a store of its own with every limit set, and what became of it as an [`ExtensionError`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use dewar_core::event::EventSink;
use dewar_core::extension::{ExtensionError, PluginId};
use wasmtime::{Store, StoreContextMut, Trap, UpdateDeadline};
use wasmtime_wasi::I32Exit;

use crate::engine::{Runtime, TICK};
use crate::imports::{Job, Log};
use crate::limits::Limits;
use crate::sandbox::Guest;
use crate::text;

/// Who is called, and what it may use.
pub(crate) struct Caller<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) plugin: &'a PluginId,
    pub(crate) limits: &'a Limits,
    pub(crate) events: &'a Arc<dyn EventSink>,
}

/// How a call went wrong inside the component model, or what is wrong with its answer.
pub(crate) enum CallError {
    /// The guest trapped, or a host function ended it.
    Ended(wasmtime::Error),
    /// It answered something that is not allowed.
    BadAnswer(String),
    /// It did its work and says no.
    Refused(Vec<dewar_core::extension::Diagnostic>),
}

impl From<wasmtime::Error> for CallError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Ended(error)
    }
}

/// Ends a call from a host function: the guest asked for something that the interface does not allow.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(pub(crate) String);

impl Caller<'_> {
    /// Runs `body` in a store of its own, which is dropped with all that the guest holds.
    pub(crate) fn call<T>(
        &self,
        job: Option<Job>,
        body: impl FnOnce(&mut Store<Guest>) -> Result<T, CallError>,
    ) -> Result<T, ExtensionError> {
        let log = Log::new(self.plugin, Arc::clone(self.events), self.limits);
        let mut store = Store::new(self.runtime.engine(), Guest::new(self.limits, log, job));
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(self.limits.answer);
        let time = self.limits.time;
        store.epoch_deadline_callback(move |store| Ok(deadline(&store, time)));
        store.set_epoch_deadline(ticks(time));
        let result = body(&mut store);
        let said = String::from_utf8_lossy(&store.data().output.contents()).into_owned();
        let error = match result {
            Ok(answer) => {
                store.data_mut().log.close(&said);
                return Ok(answer);
            }
            Err(error) => error,
        };
        store.data_mut().log.close(&said);
        Err(self.explain(error, store.data(), &said))
    }

    fn explain(&self, error: CallError, guest: &Guest, said: &str) -> ExtensionError {
        let plugin = self.plugin.clone();
        let error = match error {
            CallError::Refused(diagnostics) => return ExtensionError::Refused { plugin, diagnostics },
            CallError::BadAnswer(reason) => return ExtensionError::BadAnswer { plugin, reason },
            CallError::Ended(error) => error,
        };
        if let Some(Misuse(reason)) = error.downcast_ref::<Misuse>() {
            return ExtensionError::BadAnswer { plugin, reason: reason.clone() };
        }
        if let Some(limit) = self.limit(&error, guest, said) {
            return ExtensionError::OverLimit { plugin, limit };
        }
        let reason = if error.downcast_ref::<I32Exit>().is_some() {
            "it ended the process".to_owned()
        } else {
            error.downcast_ref::<Trap>().map_or_else(|| error.root_cause().to_string(), |trap| format!("{trap}"))
        };
        // A panic of Rust says what happened on standard error, and where on a line of its own before that.
        let mut last_words = said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("note: "));
        let reason = match last_words.next_back() {
            Some(words) => format!("{reason}; its last words: {words}"),
            None => reason,
        };
        ExtensionError::Trapped { plugin, reason: text::line(&reason, 1_000) }
    }

    /// Which limit ended the call, if one did.
    fn limit(&self, error: &wasmtime::Error, guest: &Guest, said: &str) -> Option<String> {
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => return Some(format!("{} s of computing", self.limits.time.as_secs_f32())),
            Some(Trap::StackOverflow) => return Some("the stack".to_owned()),
            _ => {}
        }
        if guest.memory.refused {
            return Some(format!("{} MiB of memory", self.limits.memory >> 20));
        }
        // wasmtime has no type of its own for it.
        if error.root_cause().to_string().contains("fuel allocated for hostcalls") {
            return Some(format!("{} MiB in one answer", self.limits.answer >> 20));
        }
        (said.len() >= self.limits.output).then(|| format!("{} KiB of standard output", self.limits.output >> 10))
    }
}

/// Asked at the end of a deadline: the guest's own time counts from the return of the last host call that did work.
fn deadline(store: &StoreContextMut<'_, Guest>, time: Duration) -> UpdateDeadline {
    match time.checked_sub(store.data().running_since.elapsed()) {
        None | Some(Duration::ZERO) => UpdateDeadline::Interrupt,
        Some(left) => UpdateDeadline::Continue(ticks(left)),
    }
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX / 2).max(1)
}

impl Guest {
    /// A host call that did work returns: what passed was not the guest's time.
    pub(crate) fn resumes(&mut self) {
        self.running_since = Instant::now();
    }
}
