//! [`PluginRegistry`]: which plugin serves a file or a name. The first directory that has one wins, the bundled ones come last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use dewar_core::event::EventSink;
use dewar_core::extension::{CheckpointPolicy, ExtensionError, Extensions, ParamFormat, StageExecutor};
use dewar_core::path::RepoPath;

use crate::capability::Grant;
use crate::compiled::CompiledCode;
use crate::component::{Component, Kind};
use crate::limits::Limits;
use crate::locate::{BrokenPlugin, LocateError, PluginDirectory};
use crate::plugin::{Handle, Host, Plugin, Source};
use crate::text;

/// The suffix whose format reads what no plugin claims, as in DVC.
const FALLBACK: &str = ".yaml";

/// What a registry is made of.
pub struct Setup {
    /// Plugin directories; the first that has a plugin wins. One that is not there has none.
    pub directories: Vec<PathBuf>,
    /// What comes with dewar: asked last, granted what it asks for.
    pub bundled: Vec<Bundled>,
    /// What the user allowed third-party plugins.
    pub grants: Vec<Grant>,
    /// Where compiled plugins are kept: a private folder of the user, NEVER inside a project. Without one each process
    /// compiles what it calls.
    pub compiled: Option<PathBuf>,
    /// What one call may use.
    pub limits: Limits,
    /// Who hears what plugins log, and that one is being compiled.
    pub events: Arc<dyn EventSink>,
}

/// A plugin that is part of the program.
#[derive(Debug, Clone, Copy)]
pub struct Bundled {
    /// The component.
    pub bytes: &'static [u8],
    /// BLAKE3 of `bytes`, in hexadecimal.
    pub digest: &'static str,
}

/// Which plugin serves a file or a name. Directories are looked at when it is first asked, no plugin is compiled before its first
/// call.
pub struct PluginRegistry {
    host: Arc<Host>,
    directories: Vec<PathBuf>,
    bundled: Vec<Bundled>,
    shelves: OnceLock<Vec<Shelf>>,
}

/// A plugin that can be chosen by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What users write.
    pub name: String,
    /// Its version, as its author counts.
    pub version: String,
    /// What its author says of it.
    pub description: String,
    /// Its file; none for one that comes with dewar.
    pub file: Option<PathBuf>,
}

/// One place where plugins are.
struct Shelf {
    plugins: Vec<Arc<Plugin>>,
    broken: Vec<BrokenPlugin>,
}

impl PluginRegistry {
    /// A registry that has looked at nothing yet.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let host = Host {
            limits: setup.limits,
            grants: setup.grants,
            events: setup.events,
            compiled: CompiledCode::new(setup.compiled),
            runtime: OnceLock::new(),
        };
        Self { host: Arc::new(host), directories: setup.directories, bundled: setup.bundled, shelves: OnceLock::new() }
    }

    /// The plugins of a kind, by name; of several with one name the one that is used.
    #[must_use]
    pub fn list(&self, kind: Kind) -> Vec<Listed> {
        let mut listed: BTreeMap<String, Listed> = BTreeMap::new();
        let plugins = self.shelves().iter().flat_map(|shelf| &shelf.plugins);
        for plugin in plugins.filter(|plugin| plugin.component.kind == kind) {
            let manifest = &plugin.component.manifest;
            let name = plugin.component.short_name().to_owned();
            listed.entry(name.clone()).or_insert_with(|| Listed {
                name,
                version: text::line(&manifest.version, 100),
                description: text::line(&manifest.description, 1_000),
                file: plugin.file().map(Path::to_owned),
            });
        }
        listed.into_values().collect()
    }

    /// The files in plugin directories that are no plugins, of whatever kind they were meant to be.
    #[must_use]
    pub fn broken(&self) -> Vec<ExtensionError> {
        self.shelves().iter().flat_map(|shelf| &shelf.broken).map(BrokenPlugin::rejected).collect()
    }

    fn shelves(&self) -> &[Shelf] {
        self.shelves.get_or_init(|| {
            let directories = self.directories.iter().map(|folder| Shelf::of_directory(PluginDirectory::open(folder)));
            directories.chain([Shelf::of_bundled(&self.bundled)]).collect()
        })
    }

    /// The plugin of this kind that `rank`s highest in the first shelf where one ranks at all. `stems` are the names, without
    /// `.wasm`, by which a file that cannot be looked into would be taken for it.
    fn find(
        &self,
        kind: Kind,
        stems: &[String],
        rank: impl Fn(&Component) -> Option<usize>,
    ) -> Result<Option<Handle>, ExtensionError> {
        for shelf in self.shelves() {
            if let Some(plugin) = shelf.find(kind, &rank)? {
                return Ok(Some(Handle { plugin, host: Arc::clone(&self.host) }));
            }
            if let Some(broken) = shelf.broken.iter().find(|broken| broken.is_named_like(stems)) {
                return Err(broken.rejected());
            }
        }
        Ok(None)
    }

    /// The plugin that claims the suffix of `file`.
    fn claiming(&self, file: &RepoPath) -> Result<Option<Handle>, ExtensionError> {
        let name = file.file_name().to_lowercase();
        // Of `.yaml` alone, a hidden file without a suffix, nothing is left before the suffix.
        let stems = name
            .char_indices()
            .skip(1)
            .filter(|(_, char)| *char == '.')
            .filter_map(|(dot, _)| name.get(dot + 1..))
            .map(|suffix| format!("{}{suffix}", Kind::ParamFormat.prefix()))
            .collect::<Vec<_>>();
        if stems.is_empty() {
            return Ok(None);
        }
        self.find(Kind::ParamFormat, &stems, |component| {
            let claimed = component.manifest.suffixes.iter();
            claimed.filter(|suffix| name.len() > suffix.len() && name.ends_with(*suffix)).map(String::len).max()
        })
    }

    /// The plugin of this kind and name, granted what it asks for.
    fn named(&self, kind: Kind, name: &str) -> Result<Handle, ExtensionError> {
        let wanted = name.strip_prefix(kind.prefix()).unwrap_or(name);
        let stems = [wanted.to_owned(), format!("{}{wanted}", kind.prefix())];
        let found = self.find(kind, &stems, |component| (component.short_name() == wanted).then_some(0))?;
        let unknown = || ExtensionError::Unknown { kind: kind.noun(), name: name.to_owned() };
        let handle = found.map_or_else(|| Err(self.any_broken().unwrap_or_else(unknown)), Ok)?;
        handle.plugin.check_grants(&self.host.grants)?;
        Ok(handle)
    }

    /// A file that cannot be looked into may be what was asked for.
    fn any_broken(&self) -> Option<ExtensionError> {
        self.shelves().iter().flat_map(|shelf| &shelf.broken).next().map(BrokenPlugin::rejected)
    }
}

impl Extensions for PluginRegistry {
    fn param_format(&self, file: &RepoPath) -> Result<Arc<dyn ParamFormat>, ExtensionError> {
        if let Some(claiming) = self.claiming(file)? {
            return Ok(Arc::new(claiming));
        }
        let has_suffix = file.file_name().rfind('.').is_some_and(|dot| dot > 0);
        if has_suffix && let Some(broken) = self.any_broken() {
            return Err(broken);
        }
        let fallback =
            |component: &Component| component.manifest.suffixes.iter().any(|suffix| suffix == FALLBACK).then_some(0);
        let found = self.find(Kind::ParamFormat, &[], fallback)?;
        let unknown = || ExtensionError::Unknown { kind: Kind::ParamFormat.noun(), name: FALLBACK.to_owned() };
        Ok(Arc::new(found.ok_or_else(unknown)?))
    }

    fn claims(&self, file: &RepoPath) -> bool {
        // What cannot be told is for `param_format` to tell: it has the error.
        self.claiming(file).map_or(true, |found| found.is_some())
    }

    fn executor(&self, name: &str) -> Result<Arc<dyn StageExecutor>, ExtensionError> {
        Ok(Arc::new(self.named(Kind::StageExecutor, name)?))
    }

    fn policy(&self, name: &str) -> Result<Arc<dyn CheckpointPolicy>, ExtensionError> {
        Ok(Arc::new(self.named(Kind::CheckpointPolicy, name)?))
    }
}

impl Shelf {
    fn of_directory(directory: PluginDirectory) -> Self {
        let plugins = directory.plugins.into_iter();
        let plugins =
            plugins.map(|found| Arc::new(Plugin::new(found.component, found.digest, Source::File(found.path))));
        Self { plugins: plugins.collect(), broken: directory.broken }
    }

    fn of_bundled(bundled: &[Bundled]) -> Self {
        let mut shelf = Self { plugins: Vec::new(), broken: Vec::new() };
        for Bundled { bytes, digest } in bundled {
            match Component::inspect(bytes) {
                Ok(component) => {
                    let source = Source::Bundled(bytes);
                    shelf.plugins.push(Arc::new(Plugin::new(component, (*digest).to_owned(), source)));
                }
                Err(error) => {
                    let path = PathBuf::from(format!("{digest} (bundled)"));
                    shelf.broken.push(BrokenPlugin { path, reason: LocateError::Component(error) });
                }
            }
        }
        shelf
    }

    fn find(
        &self,
        kind: Kind,
        rank: &impl Fn(&Component) -> Option<usize>,
    ) -> Result<Option<Arc<Plugin>>, ExtensionError> {
        let of_kind = self.plugins.iter().filter(|plugin| plugin.component.kind == kind);
        let ranked: Vec<_> = of_kind.filter_map(|plugin| Some((rank(&plugin.component)?, plugin))).collect();
        let best = ranked.iter().map(|(rank, _)| *rank).max();
        let mut best = ranked.into_iter().filter(|(rank, _)| Some(*rank) == best).map(|(_, plugin)| plugin);
        match (best.next(), best.next()) {
            (Some(one), Some(other)) => Err(ExtensionError::Rejected {
                path: one.path(),
                reason: format!(
                    "`{}` in the same folder serves the same; take one of them away",
                    other.path().display()
                ),
            }),
            (one, _) => Ok(one.map(Arc::clone)),
        }
    }
}

impl BrokenPlugin {
    fn is_named_like(&self, stems: &[String]) -> bool {
        self.path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stems.iter().any(|name| name == stem))
    }

    fn rejected(&self) -> ExtensionError {
        ExtensionError::Rejected { path: self.path.clone(), reason: self.reason.to_string() }
    }
}
