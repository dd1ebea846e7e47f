use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use proptest::prelude::*;

use super::*;
use crate::digest::Hasher;
use crate::path::RepoPath;

mod adverse;

struct Project {
    dir: tempfile::TempDir,
    store: ObjectStore,
    index: StatIndex,
}

impl Project {
    fn new() -> Self {
        Self::with_links(&LinkKind::DEFAULT)
    }

    fn with_links(links: &[LinkKind]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("repo")).unwrap();
        let store = ObjectStore::new(dir.path().join("cache"), Shared::No, links);
        let index = StatIndex::open(dir.path().join("index"), SystemTime::now);
        Self { dir, store, index }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.root().join(relative)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        String::from_utf8(std::fs::read(self.path(path)).unwrap()).unwrap()
    }

    fn with<T>(&self, act: impl FnOnce(&WorkTree<'_>) -> T) -> T {
        let root = self.root();
        act(&WorkTree::open(&root, &self.index).unwrap())
    }

    fn scan(&self, path: &str) -> Result<Option<Scanned>, CacheError> {
        self.with(|tree| tree.scan(Path::new(path), Algorithm::Blake3))
    }

    fn ingest(&self, path: &str) -> Result<Scanned, CacheError> {
        self.with(|tree| tree.ingest(&self.store, &at(path), Algorithm::Blake3))
    }

    fn check_out(&self, id: &ObjectId, path: &str) -> Result<Changes, CacheError> {
        let wanted = Wanted { id, executable: false };
        self.with(|tree| tree.check_out(&self.store, &wanted, &at(path)))
    }

    fn remove(&self, path: &str) -> Result<(), CacheError> {
        self.with(|tree| tree.remove(&at(path)))
    }
}

fn at(path: &str) -> RepoPath {
    RepoPath::parse(path).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_file_goes_in_and_comes_back() {
    let p = Project::new();
    p.write("out", "content");
    let scanned = p.ingest("out").unwrap();
    assert_eq!(p.scan("out").unwrap().unwrap(), scanned);
    let object = p.store.path(scanned.id());
    let name = Hasher::digest(Algorithm::Blake3, b"content").to_string();
    let (start, rest) = name.split_at(2);
    assert!(object.ends_with(format!("files/blake3/{start}/{rest}")));
    assert_eq!(mode(&object), 0o444);
    assert!(mode(&p.path("out")) & 0o200 != 0);
    assert!(p.check_out(scanned.id(), "out").unwrap().is_empty());
    p.remove("out").unwrap();
    assert_eq!(p.scan("out").unwrap(), None);
    let back = p.check_out(scanned.id(), "out").unwrap();
    assert_eq!(back, Changes { added: vec![at("out")], ..Changes::default() });
    assert_eq!(p.read("out"), "content");
    std::fs::write(p.path("out"), "other").unwrap();
    assert_eq!(p.check_out(scanned.id(), "out").unwrap().modified, [at("out")]);
    assert_eq!(std::fs::read(object).unwrap(), b"content");
    assert_eq!(std::fs::read_dir(p.store.folder().join("tmp")).unwrap().count(), 0);
}

#[test]
fn the_executable_bit_of_a_file_is_kept() {
    for links in [LinkKind::Copy, LinkKind::Hardlink, LinkKind::Symlink] {
        let p = Project::with_links(&[links]);
        p.write("tool", "#!");
        std::fs::set_permissions(p.path("tool"), Permissions::from_mode(0o755)).unwrap();
        let scanned = p.ingest("tool").unwrap();
        assert!(matches!(scanned, Scanned::File { executable: true, .. }));
        p.remove("tool").unwrap();
        let wanted = Wanted { id: scanned.id(), executable: true };
        let check_out = || p.with(|tree| tree.check_out(&p.store, &wanted, &at("tool"))).unwrap();
        assert!(!check_out().is_empty());
        assert!(mode(&p.path("tool")) & 0o100 != 0);
        assert!(check_out().is_empty());
        assert_eq!(mode(&p.store.path(scanned.id())), 0o444);
    }
}

#[test]
fn a_directory_is_put_right_file_by_file() {
    let p = Project::new();
    for file in ["d/same", "d/changed", "d/gone/deep/file"] {
        p.write(file, file);
    }
    let id = p.ingest("d").unwrap().id().clone();
    let inode = std::fs::metadata(p.path("d/same")).unwrap().ino();
    p.write("d/changed", "other");
    p.write("d/extra/deep/file", "x");
    p.write("d/extra2", "x");
    std::fs::remove_dir_all(p.path("d/gone")).unwrap();
    p.write("d/gone", "a file where a folder was");
    let changes = p.check_out(&id, "d").unwrap();
    assert_eq!(changes.added, [at("d/gone/deep/file")]);
    assert_eq!(changes.modified, [at("d/changed")]);
    assert_eq!(changes.deleted, [at("d/extra/deep/file"), at("d/extra2"), at("d/gone")]);
    assert_eq!(std::fs::metadata(p.path("d/same")).unwrap().ino(), inode);
    assert!(!p.path("d/extra").exists());
    assert_eq!(p.scan("d").unwrap().unwrap().id(), &id);
    // A folder where a file was, a file where the directory was, a symlink where it was.
    std::fs::remove_file(p.path("d/changed")).unwrap();
    p.write("d/changed/inside", "x");
    p.check_out(&id, "d").unwrap();
    assert_eq!(p.read("d/changed"), "d/changed");
    p.remove("d").unwrap();
    p.write("d", "file");
    p.check_out(&id, "d").unwrap();
    p.remove("d").unwrap();
    p.write("elsewhere/keep", "x");
    symlink("elsewhere", p.path("d")).unwrap();
    p.check_out(&id, "d").unwrap();
    assert!(!p.path("d").is_symlink());
    assert_eq!(p.read("elsewhere/keep"), "x");
    // A file where the directory was.
    let file = p.ingest("d/same").unwrap();
    p.check_out(file.id(), "d").unwrap();
    assert_eq!(p.read("d"), "d/same");
}

#[test]
fn what_a_killed_process_left_on_its_way_is_no_content_and_goes() {
    let p = Project::new();
    p.write("d/sub/file", "x");
    p.write("d/.dewar-notes", "mine");
    let id = p.ingest("d").unwrap().id().clone();
    let left = ["d/.dewar-12-345-6", "d/sub/.dewar-7-89-0"];
    left.iter().for_each(|file| p.write(file, "hal"));
    assert_eq!(p.scan("d").unwrap().unwrap().id(), &id);
    std::fs::remove_file(p.path("d/sub/file")).unwrap();
    p.check_out(&id, "d").unwrap();
    assert_eq!(p.read("d/.dewar-notes"), "mine");
    assert_eq!(
        left.map(|file| p.path(file).exists()),
        [true, false],
        "a folder in which nothing is written is not looked at"
    );
    let file = p.ingest("d/sub/file").unwrap();
    p.check_out(file.id(), "d/other").unwrap();
    assert!(!p.path("d/.dewar-12-345-6").exists());
}

#[test]
fn an_empty_directory_is_something() {
    let p = Project::new();
    std::fs::create_dir(p.path("d")).unwrap();
    let id = p.ingest("d").unwrap().id().clone();
    p.remove("d").unwrap();
    p.check_out(&id, "d").unwrap();
    assert!(p.path("d").is_dir());
    assert!(p.store.contains(&id).unwrap());
}

/// The digest and the layout of DVC 3.67.1's `dvc add d`.
#[test]
fn a_directory_has_the_name_that_dvc_gives_it() {
    let p = Project::new();
    for (file, text) in
        [("x", "1\n"), ("ünï \"q\" 🙂", "ü\n"), ("a/s", "s\n"), ("sub/a\u{7f}b\tc", "\x7f\t"), ("a.b", "b\n")]
    {
        p.write(&format!("d/{file}"), text);
    }
    p.write("real/z", "z\n");
    symlink("../real", p.path("d/linkdir")).unwrap();
    symlink("../real/z", p.path("d/linkfile")).unwrap();
    let scanned = p.with(|tree| tree.ingest(&p.store, &at("d"), Algorithm::Md5)).unwrap();
    assert_eq!(scanned.id().as_str(), "27db06dac36eb7f693e0ec4838594102.dir");
    assert!(matches!(scanned, Scanned::Directory { size: 13, files: 6, .. }));
    assert!(p.store.folder().join("files/md5/27/db06dac36eb7f693e0ec4838594102.dir").is_file());
    assert!(p.store.folder().join("files/md5/b0/26324c6904b2a9cb4b88d6d61c81d1").is_file());
    // With names of our own, what is behind a symlink counts.
    let before = p.scan("d").unwrap().unwrap();
    assert!(matches!(before, Scanned::Directory { files: 7, .. }));
    p.write("real/z", "other\n");
    assert_ne!(p.scan("d").unwrap().unwrap().id(), before.id());
}

#[test]
fn objects_of_dvc_2_are_found_where_they_are() {
    let p = Project::new();
    let id = Hasher::digest(Algorithm::Md5Dos2Unix, b"a\r\nb\r\n");
    let object = p.store.path(&id);
    let (start, rest) = id.as_str().split_at(2);
    assert!(object.ends_with(format!("cache/{start}/{rest}")));
    std::fs::create_dir_all(object.parent().unwrap()).unwrap();
    std::fs::write(&object, "a\r\nb\r\n").unwrap();
    p.check_out(&id, "out").unwrap();
    assert_eq!(p.read("out"), "a\r\nb\r\n");
}

#[test]
fn links_are_made_as_configured() {
    for kind in [LinkKind::Hardlink, LinkKind::Symlink] {
        let p = Project::with_links(&[kind]);
        p.write("out", "one");
        p.write("d/x", "two");
        p.write("d/sub/y", "one");
        let (file, dir) = (p.ingest("out").unwrap(), p.ingest("d").unwrap());
        let linked = |path: &str| {
            let metadata = std::fs::symlink_metadata(p.path(path)).unwrap();
            if kind == LinkKind::Symlink { metadata.is_symlink() } else { metadata.nlink() > 1 }
        };
        assert!(linked("out") && linked("d/x") && linked("d/sub/y"), "{kind:?}");
        // Again, as it is linked already.
        assert_eq!(p.ingest("out").unwrap().id(), file.id());
        assert_eq!(p.ingest("d").unwrap().id(), dir.id());
        p.remove("d").unwrap();
        p.check_out(dir.id(), "d").unwrap();
        assert!(linked("d/sub/y"));
        // Private again.
        p.with(|tree| tree.unprotect(&at("d"))).unwrap();
        p.with(|tree| tree.unprotect(&at("out"))).unwrap();
        assert!(!linked("out") && !linked("d/x"));
        assert!(mode(&p.path("out")) & 0o200 != 0);
        p.write("out", "other");
        p.write("d/sub/y", "other");
        assert_eq!(std::fs::read(p.store.path(file.id())).unwrap(), b"one");
        assert!(p.path("d").is_dir() && p.with(|tree| tree.unprotect(&at("absent"))).is_ok());
    }
}

#[test]
fn a_damaged_object_is_named_removed_and_never_checked_out() {
    let p = Project::new();
    p.write("d/a", "a");
    p.write("d/b", "b");
    let id = p.ingest("d").unwrap().id().clone();
    let b = Hasher::digest(Algorithm::Blake3, b"b");
    let object = p.store.path(&b);
    std::fs::set_permissions(&object, Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&object, "B").unwrap();
    p.write("d/b", "mine");
    p.write("d/c", "mine");
    let error = p.check_out(&id, "d").unwrap_err();
    assert!(matches!(&error, CacheError::Corrupt { path, .. } if path == &object), "{error}");
    assert!(!object.exists());
    assert_eq!((p.read("d/b"), p.read("d/c")), ("mine".into(), "mine".into()));
    assert!(matches!(p.check_out(&id, "d"), Err(CacheError::Missing { .. })));
    assert!(!p.store.contains(&id).unwrap());
    // Unprotected and right: protected again.
    let a = p.store.path(&Hasher::digest(Algorithm::Blake3, b"a"));
    std::fs::set_permissions(&a, Permissions::from_mode(0o644)).unwrap();
    p.check_out(&Hasher::digest(Algorithm::Blake3, b"a"), "new").unwrap();
    assert_eq!(mode(&a), 0o444);
}

#[test]
fn a_damaged_listing_is_named_and_removed() {
    let p = Project::new();
    p.write("d/a", "a");
    let id = p.ingest("d").unwrap().id().clone();
    let listing = p.store.path(&id);
    std::fs::set_permissions(&listing, Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&listing, "[]").unwrap();
    p.remove("d").unwrap();
    assert!(matches!(p.check_out(&id, "d"), Err(CacheError::Corrupt { .. })));
    assert!(!listing.exists() && !p.path("d").exists());
    // One that is what its name says, and no listing.
    let text = br#"[{"blake3": "x", "relpath": "../../x"}]"#;
    let id = Hasher::digest(Algorithm::Blake3, text).into_directory();
    p.store.insert_bytes(&id, text).unwrap();
    assert!(matches!(p.check_out(&id, "d"), Err(CacheError::BadTree { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn what_was_taken_in_comes_back(
        one in proptest::collection::btree_map("[a-c#ü ]{1,2}(/[ab]{1,2}){0,2}", ".{0,4}", 0..12),
        two in proptest::collection::btree_map("[a-c#ü ]{1,2}(/[ab]{1,2}){0,2}", ".{0,4}", 0..12),
    ) {
        let p = Project::new();
        let write = |name: &str, files: &std::collections::BTreeMap<String, String>| {
            std::fs::create_dir_all(p.path(name)).unwrap();
            for (file, text) in files {
                // A file may be in the way of a folder: then it is left out.
                let path = p.path(name).join(file);
                if std::fs::create_dir_all(path.parent().unwrap()).is_ok() && !path.is_dir() {
                    std::fs::write(path, text).unwrap();
                }
            }
        };
        write("one", &one);
        write("two", &two);
        let (first, second) = (p.ingest("one").unwrap(), p.ingest("two").unwrap());
        // From one to the other and to nothing and back.
        for id in [second.id(), first.id()] {
            p.check_out(id, "one").unwrap();
            let there = p.scan("one").unwrap().unwrap();
            prop_assert_eq!(there.id(), id);
            prop_assert!(p.check_out(id, "one").unwrap().is_empty());
        }
        p.remove("one").unwrap();
        p.check_out(first.id(), "one").unwrap();
        let fresh = StatIndex::open(p.dir.path().join("none"), SystemTime::now);
        let root = p.root();
        let scanned = WorkTree::open(&root, &fresh).unwrap().scan(Path::new("one"), Algorithm::Blake3).unwrap().unwrap();
        prop_assert_eq!(scanned.id(), first.id());
    }
}
