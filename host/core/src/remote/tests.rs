use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::cache::{ObjectStore, Shared, Tree, key};
use crate::digest::{Algorithm, Hasher};
use crate::event::Silent;
use crate::fs::write_atomic;
use crate::pipeline::LockEntry;
use crate::run_cache::RunCache;

fn config(options: &[(&str, &str, &str)]) -> Config {
    let mut config = Config::default();
    for (section, option, value) in options {
        let options: &mut BTreeMap<String, String> = config.dvc.entry((*section).to_owned()).or_default();
        options.insert((*option).to_owned(), (*value).to_owned());
    }
    config
}

#[test]
fn urls_lead_to_folders_or_to_a_word_on_what_is_missing() {
    let root = Path::new("/project");
    let at = |options: &[(&str, &str, &str)], name: &str| locate(&config(options), root, name);
    let url = |url| [("remote \"r\"", "url", url)];
    assert_eq!(at(&url("../../store"), "r").unwrap(), Path::new("/project/.dvc/../../store"));
    assert_eq!(at(&url("/mnt/store"), "r").unwrap(), Path::new("/mnt/store"));
    assert_eq!(at(&url("file:///mnt/store"), "r").unwrap(), Path::new("/mnt/store"));
    let nested = [("remote \"r\"", "url", "remote://base/sub/x"), ("remote \"base\"", "url", "/mnt")];
    assert_eq!(at(&nested, "r").unwrap(), Path::new("/mnt/sub/x"));
    let circle = [("remote \"r\"", "url", "remote://s/x"), ("remote \"s\"", "url", "remote://r")];
    assert!(matches!(at(&circle, "r"), Err(RemoteError::Circle { .. })));
    let Err(RemoteError::Unsupported { kind, .. }) = at(&url("s3://bucket/x"), "r") else { panic!("s3") };
    assert_eq!(kind, "s3");
    let Err(RemoteError::Unknown { known, .. }) = at(&url("/x"), "q") else { panic!("q") };
    assert_eq!(known, ["r"]);
    assert!(matches!(at(&[("remote \"r\"", "jobs", "3")], "r"), Err(RemoteError::NoUrl { .. })));
    assert!(matches!(open(&config(&[]), root, None), Err(RemoteError::NoDefault)));
    let absent = config(&[("core", "remote", "r"), ("remote \"r\"", "url", "/no/such/folder")]);
    assert!(matches!(open(&absent, root, None), Err(RemoteError::Absent { .. })));
}

/// A folder with a remote in it, and a store.
fn world() -> (tempfile::TempDir, ObjectStore, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let remote = dir.path().join("remote");
    std::fs::create_dir(&remote).unwrap();
    let store = ObjectStore::new(dir.path().join("cache"), Shared::No, &[]);
    (dir, store, remote)
}

fn fetcher<'a>(store: &'a ObjectStore, remote: &Path) -> Fetcher<'a> {
    Fetcher::new(Box::new(directory::Directory::open("r", remote.to_owned()).unwrap()), store, Arc::new(Silent))
}

#[test]
fn objects_come_from_every_layout_and_whole() {
    let (_dir, store, remote) = world();
    let fetch = fetcher(&store, &remote);
    for algorithm in [Algorithm::Blake3, Algorithm::Md5, Algorithm::Md5Dos2Unix] {
        let text = format!("some text {algorithm:?}\r\n");
        let id = Hasher::digest(algorithm, text.as_bytes());
        assert!(!fetch.object(&id).unwrap());
        write_atomic(&remote.join(key(&id)), text.as_bytes()).unwrap();
        assert!(fetch.object(&id).unwrap());
        assert_eq!(std::fs::read_to_string(store.path(&id)).unwrap(), text);
    }
    // DVC 2 put it where DVC 3 does not look first.
    let id = Hasher::digest(Algorithm::Md5, b"old");
    let (start, rest) = id.as_str().split_at(2);
    write_atomic(&remote.join(start).join(rest), b"old").unwrap();
    assert!(fetch.object(&id).unwrap());
    let files = [("a", Hasher::digest(Algorithm::Md5, b"a")), ("b/c", Hasher::digest(Algorithm::Md5, b"c"))];
    let tree = Tree::new(Algorithm::Md5, files.clone().map(|(path, id)| (path.to_owned(), id))).unwrap();
    let listing = tree.id(&tree.to_bytes());
    write_atomic(&remote.join(key(&listing)), &tree.to_bytes()).unwrap();
    write_atomic(&remote.join(key(&files[0].1)), b"a").unwrap();
    assert!(!fetch.object(&listing).unwrap(), "a file is missing");
    write_atomic(&remote.join(key(&files[1].1)), b"c").unwrap();
    assert!(fetch.object(&listing).unwrap());
    assert!(store.contains(&listing).unwrap());
}

#[test]
fn what_is_damaged_is_not_kept() {
    let (_dir, store, remote) = world();
    let id = Hasher::digest(Algorithm::Blake3, b"right");
    write_atomic(&remote.join(key(&id)), b"wrong").unwrap();
    assert!(!fetcher(&store, &remote).object(&id).unwrap());
    assert!(!store.has(&id));
    let listing = Hasher::digest(Algorithm::Md5, b"[{]").into_directory();
    write_atomic(&remote.join(key(&listing)), b"[{]").unwrap();
    assert!(!fetcher(&store, &remote).object(&listing).unwrap(), "its name is right, and it is no listing");
}

#[test]
fn runs_come_by_their_inputs_and_are_believed_by_their_names_alone() {
    let (_dir, store, remote) = world();
    let id = Hasher::digest(Algorithm::Md5, b"x");
    let text = format!(
        "cmd: cp a b\ndeps:\n- path: a\n  hash: md5\n  md5: {id}\nouts:\n- path: b\n  hash: md5\n  md5: {id}\n"
    );
    let entry = LockEntry::from_node(&dewar_text::yaml::read(text.as_bytes()).unwrap()).unwrap();
    RunCache::new(&remote).remember(&entry).unwrap();
    let folder = remote.join(RunCache::key_of(&entry));
    std::fs::write(folder.join("bogus"), "cmd: rm -rf\n").unwrap();
    let run_cache = RunCache::new(store.folder());
    fetcher(&store, &remote).runs(&run_cache, &entry).unwrap();
    assert_eq!(run_cache.find(&entry, |_| true).unwrap(), Some(entry.clone()));
    assert!(!store.folder().join(RunCache::key_of(&entry)).join("bogus").exists());
}
