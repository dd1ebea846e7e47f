//! [`Component`]: kind, track and manifest of a `.wasm`, read from its sections without compiling or running it.

use std::fmt;

use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload};

use crate::capability::Capability;
use crate::manifest::{self, Manifest, ManifestError};

/// What a component can extend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A format of parameter files.
    ParamFormat,
    /// What runs the commands of a stage.
    StageExecutor,
    /// Which moments become checkpoints.
    CheckpointPolicy,
}

impl Kind {
    const ALL: [Self; 3] = [Self::ParamFormat, Self::StageExecutor, Self::CheckpointPolicy];

    /// The name of the interface that such a plugin exports.
    #[must_use]
    pub const fn interface(self) -> &'static str {
        match self {
            Self::ParamFormat => "param-format",
            Self::StageExecutor => "stage-executor",
            Self::CheckpointPolicy => "checkpoint-policy",
        }
    }

    /// What the names of such plugins may begin with; the rest is what users write.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ParamFormat => "params-",
            Self::StageExecutor => "executor-",
            Self::CheckpointPolicy => "policy-",
        }
    }

    /// For messages.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::ParamFormat => "format of parameter files",
            Self::StageExecutor => "executor",
            Self::CheckpointPolicy => "checkpoint policy",
        }
    }
}

/// A line of versions of `dewar:plugin` that are compatible with each other: `0.1` is 0.1.0, 0.1.1, ...
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// `dewar:plugin@0.1`.
    V0_1,
}

impl Track {
    /// All that this dewar knows, oldest first.
    pub const ALL: [Self; 1] = [Self::V0_1];

    const fn number(self) -> (u64, u64) {
        match self {
            Self::V0_1 => (0, 1),
        }
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.number();
        write!(f, "{major}.{minor}")
    }
}

/// What a `.wasm` says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// What it extends.
    pub kind: Kind,
    /// Which versions of the interface it was made for.
    pub track: Track,
    /// What its author says of it.
    pub manifest: Manifest,
    /// What it asks for.
    pub asked: Vec<Capability>,
}

/// Why a file is no plugin that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComponentError {
    /// It is not WebAssembly.
    #[error("it is not WebAssembly")]
    NotWasm,
    /// It is a core module.
    #[error("it is a core module, not a component: build it for wasm32-wasip2")]
    Module,
    /// It breaks off or is damaged.
    #[error("it is damaged at byte {offset}: {message}")]
    Damaged {
        /// Where.
        offset: usize,
        /// What the parser says.
        message: String,
    },
    /// It exports none of the interfaces of plugins.
    #[error("it exports none of `dewar:plugin/param-format`, `stage-executor` and `checkpoint-policy`")]
    NoKind,
    /// It exports more than one.
    #[error("it exports both `{}` and `{}`; a plugin is of one kind", .0.interface(), .1.interface())]
    TwoKinds(Kind, Kind),
    /// It was made for a version of the interface that this dewar does not know.
    #[error("it was made for dewar:plugin {found}; this dewar knows {known}: {advice}")]
    UnknownTrack {
        /// Its track.
        found: String,
        /// All known ones.
        known: String,
        /// Whether dewar or the plugin is to be updated.
        advice: &'static str,
    },
    /// It imports what dewar does not have.
    #[error("it imports `{0}`, which dewar does not give to a {kind}", kind = .1.noun())]
    UnknownImport(String, Kind),
    /// It has no manifest.
    #[error("it has no manifest: the custom section `{section}` is missing", section = manifest::SECTION)]
    NoManifest,
    /// It has more than one manifest.
    #[error("it has more than one manifest")]
    TwoManifests,
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest does not fit the kind.
    #[error("its manifest {0}")]
    Mismatch(&'static str),
}

/// The names at the boundary of a component, and its manifest.
#[derive(Default)]
struct Outline<'a> {
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
    /// At the outermost level, where tools of other languages add it.
    outer_manifests: Vec<&'a [u8]>,
    /// In a core module, where linkers of Rust and C put it.
    inner_manifests: Vec<&'a [u8]>,
}

impl Component {
    /// Reads what a `.wasm` says of itself.
    ///
    /// # Errors
    /// When it is no plugin for this dewar.
    pub fn inspect(bytes: &[u8]) -> Result<Self, ComponentError> {
        let outline = outline(bytes)?;
        let (kind, track) = kind_and_track(&outline.exports)?;
        for import in &outline.imports {
            if !is_known_import(import, kind) {
                return Err(ComponentError::UnknownImport(crate::text::line(import, 200), kind));
            }
        }
        let manifests =
            if outline.outer_manifests.is_empty() { &outline.inner_manifests } else { &outline.outer_manifests };
        let manifest = match manifests.as_slice() {
            [] => return Err(ComponentError::NoManifest),
            [one] => Manifest::parse(one)?,
            _ => return Err(ComponentError::TwoManifests),
        };
        let imports_process = outline.imports.iter().any(|import| interface_of(import) == Some("process"));
        fits(&manifest, kind, imports_process)?;
        let asked = if manifest.capabilities.process { vec![Capability::Process] } else { Vec::new() };
        Ok(Self { kind, track, manifest, asked })
    }

    /// The name that users write: that of the manifest without `params-`, `executor-` or `policy-`.
    #[must_use]
    pub fn short_name(&self) -> &str {
        let name = self.manifest.name.as_str();
        name.strip_prefix(self.kind.prefix()).unwrap_or(name)
    }
}

/// Walks the sections, not the code in them.
fn outline(bytes: &[u8]) -> Result<Outline<'_>, ComponentError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(ComponentError::NotWasm);
    }
    let damaged = |error: wasmparser::BinaryReaderError| ComponentError::Damaged {
        offset: error.offset(),
        message: error.message().to_owned(),
    };
    let mut outline = Outline::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return Err(ComponentError::Module),
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    outline.imports.push(import.map_err(damaged)?.name.name);
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export.map_err(damaged)?;
                    if export.kind == ComponentExternalKind::Instance {
                        outline.exports.push(export.name.name);
                    }
                }
            }
            Payload::CustomSection(section) if section.name() == manifest::SECTION => {
                let found = if depth == 1 { &mut outline.outer_manifests } else { &mut outline.inner_manifests };
                found.push(section.data());
            }
            _ => {}
        }
    }
    Ok(outline)
}

/// `dewar:plugin/param-format@0.1.0` as its interface and version.
fn of_package(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("dewar:plugin/")?.split_once('@')
}

fn interface_of(name: &str) -> Option<&str> {
    of_package(name).map(|(interface, _)| interface)
}

fn kind_and_track(exports: &[&str]) -> Result<(Kind, Track), ComponentError> {
    let mut found: Option<(Kind, &str)> = None;
    for (interface, version) in exports.iter().filter_map(|name| of_package(name)) {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.interface() == interface) else { continue };
        if let Some((other, _)) = found.replace((kind, version)) {
            return Err(ComponentError::TwoKinds(other, kind));
        }
    }
    let (kind, version) = found.ok_or(ComponentError::NoKind)?;
    Ok((kind, track(version)?))
}

fn track(version: &str) -> Result<Track, ComponentError> {
    let mut numbers = version.split('.').map_while(|part| part.parse::<u64>().ok());
    let number = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    if let Some(track) = Track::ALL.into_iter().find(|track| track.number() == number) {
        return Ok(track);
    }
    let known = Track::ALL.map(|track| track.to_string()).join(", ");
    let newest = Track::ALL.into_iter().map(Track::number).max().unwrap_or_default();
    let advice = if number > newest { "update dewar" } else { "ask for a newer build of the plugin" };
    Err(ComponentError::UnknownTrack { found: format!("{}.{}", number.0, number.1), known, advice })
}

fn is_known_import(name: &str, kind: Kind) -> bool {
    match interface_of(name) {
        Some("log" | "types") => true,
        Some("process" | "progress") => kind == Kind::StageExecutor,
        // The exported interface may be imported for its types alone.
        Some(interface) => interface == kind.interface(),
        None => name.starts_with("wasi:"),
    }
}

fn fits(manifest: &Manifest, kind: Kind, imports_process: bool) -> Result<(), ComponentError> {
    let wrong = if kind == Kind::ParamFormat && manifest.suffixes.is_empty() {
        "claims no suffix, so that no file is in its format"
    } else if kind != Kind::ParamFormat && !manifest.suffixes.is_empty() {
        "claims suffixes, which only a `param-format` has"
    } else if kind != Kind::StageExecutor && manifest.capabilities.process {
        "asks for `process`, which only a `stage-executor` can have"
    } else if imports_process && !manifest.capabilities.process {
        "does not ask for `process`, which the component imports"
    } else {
        return Ok(());
    };
    Err(ComponentError::Mismatch(wrong))
}
