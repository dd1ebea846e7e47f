//! What the settings of a project mean for its plugins, its cache and the flags in its commands. Step 1 of the walk.

use std::sync::Arc;

use dewar_core::cache::{LinkKind, ObjectStore};
use dewar_core::event::EventSink;
use dewar_core::extension::PluginId;
use dewar_core::pipeline::FlagStyle;
use dewar_core::pipeline::template::{BooleanFlags, ListFlags};
use dewar_core::repo::Repo;
use dewar_wasm::{Bundled, Capability, Grant, Limits, PluginRegistry, Setup};

use crate::failure::{Failure, Kind};
use crate::session::{Plugins, Session};

pub(super) fn registry(session: &Session, repo: &Repo, events: &Arc<dyn EventSink>) -> Result<PluginRegistry, Failure> {
    let mut directories = Vec::new();
    if session.plugins == Plugins::All {
        directories.clone_from(&session.plugin_dirs);
        directories.push(repo.root().join(".dvc/plugins"));
        directories.extend(session.user_plugin_dir.clone());
    }
    let mut grants = Vec::new();
    for (name, settings) in &repo.config.own.plugins {
        let plugin = PluginId { name: name.clone(), digest: settings.blake3.clone() };
        for text in &settings.grants {
            let capability = Capability::from_name(text).ok_or_else(|| {
                let message = format!("`dewar.toml` grants `{text}` to the plugin `{name}`, which is no capability");
                Failure::new(Kind::Pipeline, message).hint("there is `process`")
            })?;
            grants.push(Grant { plugin: plugin.clone(), capability });
        }
    }
    let bundled =
        dewar_bundled::BUNDLED.iter().map(|plugin| Bundled { bytes: plugin.bytes, digest: plugin.blake3 }).collect();
    Ok(PluginRegistry::new(Setup {
        directories,
        bundled,
        grants,
        compiled: session.cache_dir.as_ref().map(|dir| dir.join("compiled")),
        limits: Limits::default(),
        events: Arc::clone(events),
    }))
}

/// The cache, with the links that `cache.type` asks for.
pub(super) fn store(repo: &Repo) -> Result<ObjectStore, Failure> {
    let mut links = Vec::new();
    for name in repo.config.dvc("cache", "type").unwrap_or_default().split(',').map(str::trim) {
        if name.is_empty() {
            continue;
        }
        links.push(LinkKind::from_name(name).ok_or_else(|| {
            let message = format!("`cache.type` names `{name}`, which is no kind of link");
            let hint =
                format!("it may name {}; {}", LinkKind::NAMES.map(|(name, _)| name).join(", "), set_in("cache.type"));
            Failure::new(Kind::Pipeline, message).hint(hint)
        })?);
    }
    Ok(ObjectStore::new(repo.config.cache_dir(repo.root()), repo.shared(), &links))
}

/// How to find where an option of several files is set.
fn set_in(option: &str) -> String {
    format!("`dewar config --show-origin {option}` says where it is set")
}

/// How a mapping in a command becomes flags: `parsing.bool` and `parsing.list`.
pub(super) fn flags(repo: &Repo) -> Result<FlagStyle, Failure> {
    let refuse = |option: &str, value: &str, known: &str| {
        let message = format!("`parsing.{option}` is `{value}`, which is no way to write flags");
        let hint = format!("it may be {known}; {}", set_in(&format!("parsing.{option}")));
        Failure::new(Kind::Pipeline, message).hint(hint)
    };
    let booleans = match repo.config.dvc("parsing", "bool").map(str::to_ascii_lowercase).as_deref() {
        None | Some("store_true") => BooleanFlags::StoreTrue,
        Some("boolean_optional") => BooleanFlags::BooleanOptional,
        Some(other) => return Err(refuse("bool", other, "store_true, boolean_optional")),
    };
    let lists = match repo.config.dvc("parsing", "list").map(str::to_ascii_lowercase).as_deref() {
        None | Some("nargs") => ListFlags::Nargs,
        Some("append") => ListFlags::Append,
        Some(other) => return Err(refuse("list", other, "nargs, append")),
    };
    Ok(FlagStyle { booleans, lists })
}
