//! Names the source of this crate by a digest: what it remembers on disk holds only for the code that made it.

use std::error::Error;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

/// What decides how pipelines are read: this crate, the readers of text, and the versions of libraries.
const SOURCES: [&str; 3] = ["src", "../text/src", "../../Cargo.lock"];

fn main() -> Result<(), Box<dyn Error>> {
    let mut hasher = DefaultHasher::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        read(Path::new(source), &mut hasher)?;
    }
    println!("cargo::rustc-env=DEWAR_CORE_SOURCE={:016x}", hasher.finish());
    Ok(())
}

/// Feeds a file, or all files of a folder, in order of name.
fn read(path: &Path, hasher: &mut DefaultHasher) -> Result<(), Box<dyn Error>> {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        entries.sort_unstable();
        return entries.iter().try_for_each(|entry| read(entry, hasher));
    }
    hasher.write(path.as_os_str().as_encoded_bytes());
    hasher.write(&fs::read(path)?);
    Ok(())
}
