//! [`CompiledCode`]: compiled components in a private folder of the user, so that a plugin is compiled once.
//!
//! Compiled code is native code that runs with all the rights of the user, and loading it believes it completely. So it is read
//! from one place only: a folder that belongs to the user, that nobody else may write or read (checked each time), and that
//! never lies inside a project, where a clone could bring it along. A cache that cannot be used costs time, nothing else.

use std::fs::{self, DirBuilder};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use dewar_core::extension::PluginId;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Where compiled components are kept.
#[derive(Debug, Clone)]
pub(crate) struct CompiledCode {
    folder: Option<PathBuf>,
}

impl CompiledCode {
    /// Keeps them in `folder`, which is made when it is missing; nowhere without one.
    pub(crate) const fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// The compiled component, when it is there for exactly this component and this engine.
    pub(crate) fn load(&self, engine: &Engine, plugin: &PluginId) -> Option<Component> {
        let folder = self.folder.as_deref().filter(|folder| is_private(folder))?;
        let file = folder.join(file_name(engine, plugin));
        if !file.is_file() {
            return None;
        }
        deserialize(engine, &file)
    }

    /// Keeps a component that was compiled.
    pub(crate) fn store(&self, engine: &Engine, plugin: &PluginId, component: &Component) {
        let Some(folder) = &self.folder else { return };
        // What cannot be kept is compiled again next time.
        let _kept = keep(folder, &file_name(engine, plugin), component);
    }
}

/// Writes it whole and to the disk before it has its name: nobody loads half of it, not even after a power cut.
fn keep(folder: &Path, name: &str, component: &Component) -> wasmtime::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if !is_private(folder) {
        return Ok(());
    }
    let code = component.serialize()?;
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(&code)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name))?;
    Ok(())
}

/// One file for each component and each engine that it may be compiled for: wasmtime's version, its settings and the
/// processor's features are in the hash.
fn file_name(engine: &Engine, plugin: &PluginId) -> String {
    struct Blake(blake3::Hasher);
    impl Hasher for Blake {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            self.0.finalize().as_bytes().iter().take(8).fold(0, |all, byte| (all << 8) | u64::from(*byte))
        }
    }
    let mut hasher = Blake(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{}-{:016x}.cwasm", plugin.digest, hasher.finish())
}

/// Whether `folder` is a folder, not a link to one, of the user that runs this, and closed to everybody else.
fn is_private(folder: &Path) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|found| {
        found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o077 == 0
    })
}

#[expect(unsafe_code, reason = "loading compiled code is inherently a matter of trust; the proof is below")]
fn deserialize(engine: &Engine, file: &Path) -> Option<Component> {
    // SAFETY: `deserialize_file` asks for a file that `Component::serialize` wrote and that nobody changes while it is mapped.
    // The folder is the user's own and closed to everybody else (`is_private`, checked for this very load), so only processes
    // of the same user, who could as well change dewar itself, can write there. Of those, dewar writes a file under a
    // temporary name, whole and synced, and then renames it; no file is ever changed in place, so a map stays what it was.
    // The name has the digest of the component and the compatibility hash of the engine, and wasmtime checks the version
    // and settings in the file's own header once more.
    unsafe { Component::deserialize_file(engine, file) }.ok()
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn plugin() -> PluginId {
        PluginId { name: "x".into(), digest: "ab".into() }
    }

    fn component(engine: &Engine) -> Component {
        Component::new(engine, b"\0asm\x0d\0\x01\0").unwrap()
    }

    #[test]
    fn what_was_kept_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("new/compiled");
        let (engine, cache) = (Engine::default(), CompiledCode::new(Some(folder.clone())));
        assert!(cache.load(&engine, &plugin()).is_none());
        cache.store(&engine, &plugin(), &component(&engine));
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        assert!(cache.load(&engine, &plugin()).is_some());
        assert!(cache.load(&engine, &PluginId { digest: "cd".into(), ..plugin() }).is_none());
    }

    #[test]
    fn a_folder_that_others_can_enter_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("compiled");
        let (engine, cache) = (Engine::default(), CompiledCode::new(Some(folder.clone())));
        cache.store(&engine, &plugin(), &component(&engine));
        fs::set_permissions(&folder, Permissions::from_mode(0o770)).unwrap();
        assert!(cache.load(&engine, &plugin()).is_none());
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        assert!(CompiledCode::new(Some(link)).load(&engine, &plugin()).is_none());
        assert!(cache.load(&engine, &plugin()).is_some());
    }

    #[test]
    fn rubbish_and_a_folder_that_cannot_be_made_cost_nothing_but_time() {
        let dir = tempfile::tempdir().unwrap();
        let (engine, cache) = (Engine::default(), CompiledCode::new(Some(dir.path().join("compiled"))));
        cache.store(&engine, &plugin(), &component(&engine));
        fs::write(dir.path().join("compiled").join(file_name(&engine, &plugin())), "rubbish").unwrap();
        assert!(cache.load(&engine, &plugin()).is_none());
        fs::write(dir.path().join("file"), "").unwrap();
        CompiledCode::new(Some(dir.path().join("file/compiled"))).store(&engine, &plugin(), &component(&engine));
    }
}
