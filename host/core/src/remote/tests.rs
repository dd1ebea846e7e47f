use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::*;
use crate::cache::{ObjectStore, Tree, key};
use crate::digest::{Algorithm, Hasher, ObjectId};
use crate::event::{Direction, Silent};
use crate::fs::write_atomic;
use crate::pipeline::LockEntry;
use crate::process::Cancellation;
use crate::run_cache::{RUNS, RunCache, RunKey};
use crate::testing::path;

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
    assert_eq!(at(&url("file://localhost/mnt/a%20b"), "r").unwrap(), Path::new("/mnt/a b"));
    assert!(matches!(at(&url("file://mnt/store"), "r"), Err(RemoteError::NoPath { .. })));
    let nested = [("remote \"r\"", "url", "remote://base/sub/x"), ("remote \"base\"", "url", "/mnt")];
    assert_eq!(at(&nested, "r").unwrap(), Path::new("/mnt/sub/x"));
    let circle = [("remote \"r\"", "url", "remote://s/x"), ("remote \"s\"", "url", "remote://r")];
    assert!(matches!(at(&circle, "r"), Err(RemoteError::Circle { .. })));
    let Err(RemoteError::Unsupported { kind, .. }) = at(&url("s3://bucket/x"), "r") else { panic!("s3") };
    assert_eq!(kind, "s3");
    let Err(RemoteError::Unknown { known, .. }) = at(&url("/x"), "q") else { panic!("q") };
    assert_eq!(known, ["r"]);
    assert!(matches!(at(&[("remote \"r\"", "jobs", "3")], "r"), Err(RemoteError::NoUrl { .. })));
    assert!(matches!(open(&config(&[]), root, None, Access::Read), Err(RemoteError::NoDefault)));
    let absent = config(&[("core", "remote", "r"), ("remote \"r\"", "url", "/no/such/folder")]);
    assert!(matches!(open(&absent, root, None, Access::Read), Err(RemoteError::Absent { .. })));
}

/// A folder with a remote in it, and a store.
fn world() -> (tempfile::TempDir, ObjectStore, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let remote = dir.path().join("remote");
    std::fs::create_dir(&remote).unwrap();
    let store = ObjectStore::new(dir.path().join("cache"), Shared::No, &[]);
    (dir, store, remote)
}

fn directory(remote: &Path) -> directory::Directory {
    directory::Directory::open("r", remote.to_owned(), Shared::No, Access::Write).unwrap()
}

fn fetcher<'a>(store: &'a ObjectStore, remote: &Path) -> Fetcher<'a> {
    Fetcher::new(Box::new(directory(remote)), store, Arc::new(Silent))
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
    let folder = remote.join(RunKey::of_inputs(&entry).folder());
    std::fs::write(folder.join("bogus"), "cmd: rm -rf\n").unwrap();
    let run_cache = RunCache::new(store.folder());
    fetcher(&store, &remote).runs(&run_cache, &entry).unwrap();
    assert_eq!(run_cache.find(&entry, |_| true).unwrap(), Some(entry.clone()));
    assert!(!store.folder().join(RunKey::of_inputs(&entry).folder()).join("bogus").exists());
}

#[test]
fn a_clone_does_not_say_how_many_threads_there_are() {
    let (_dir, store, folder) = world();
    let (batch, ..) = filled(&store, 3);
    let config = config(&[("remote \"r\"", "jobs", "200000")]);
    let remote = directory(&folder);
    let jobs = default_jobs(&config, "r");
    let transfer = Transfer::new(&remote, &store, jobs, Cancellation::default(), Arc::new(Silent)).unwrap();
    let threads = transfer.on_threads(Direction::Push, |_| rayon::current_num_threads());
    assert_eq!(threads, 256);
    assert_eq!(summary(&transfer.push(&batch, Runs::Leave)), (5, NONE, NONE, 0, 0));
}

#[test]
fn a_run_that_is_too_large_for_one_is_passed_over() {
    let (_dir, store, remote) = world();
    let entry = LockEntry::from_node(&dewar_text::yaml::read(b"cmd: x\n").unwrap()).unwrap();
    RunCache::new(&remote).remember(&entry).unwrap();
    let folder = remote.join(RunKey::of_inputs(&entry).folder());
    // More than any machine has memory for, and no room on the disk.
    for name in ["bogus", &"0".repeat(64)] {
        std::fs::File::create(folder.join(name)).unwrap().set_len(1 << 42).unwrap();
    }
    let run_cache = RunCache::new(store.folder());
    fetcher(&store, &remote).runs(&run_cache, &entry).unwrap();
    assert_eq!(run_cache.find(&entry, |_| true).unwrap(), Some(entry));
}

/// A store with a directory of `count` files and one file beside it, and the batch of the two.
fn filled(store: &ObjectStore, count: usize) -> (Batch, Vec<ObjectId>, ObjectId) {
    let put = |bytes: &[u8]| {
        let id = Hasher::digest(Algorithm::Blake3, bytes);
        store.receive::<CacheError>(&id, |to| Ok(to.write_all(bytes).map(|()| true).unwrap())).unwrap();
        id
    };
    let files: Vec<ObjectId> = (0..count).map(|number| put(format!("file {number}").as_bytes())).collect();
    let entries = files.iter().enumerate().map(|(number, id)| (format!("sub/{number}"), id.clone()));
    let listing = store.insert_tree(&Tree::new(Algorithm::Blake3, entries).unwrap()).unwrap();
    let mut batch = Batch::default();
    batch.add(&listing, &path("d"));
    batch.add(&put(b"alone"), &path("f"));
    (batch, files, listing)
}

fn transfer<'a>(remote: &'a dyn Remote, store: &'a ObjectStore) -> Transfer<'a> {
    Transfer::new(remote, store, NonZeroUsize::new(3).unwrap(), Cancellation::default(), Arc::new(Silent)).unwrap()
}

/// What went: objects, missing paths, damaged paths, errors, left.
fn summary(done: &Transferred) -> (usize, String, String, usize, usize) {
    let paths = |absent: &[Absent]| absent.iter().map(|absent| absent.path.as_str()).collect::<Vec<_>>().join(" ");
    (done.objects, paths(&done.missing), paths(&done.damaged), done.errors.len(), done.left)
}

const NONE: String = String::new();

#[test]
fn what_is_pushed_is_fetched_and_nothing_goes_twice() {
    for count in [3, 600] {
        let (dir, store, folder) = world();
        let (batch, files, listing) = filled(&store, count);
        let remote = directory(&folder);
        let push = || summary(&transfer(&remote, &store).push(&batch, Runs::Leave));
        assert_eq!(push(), (count + 2, NONE, NONE, 0, 0));
        assert_eq!(push(), (0, NONE, NONE, 0, 0));
        // Also where the listing says that all is there.
        std::fs::remove_file(folder.join(key(&files[1]))).unwrap();
        assert_eq!(push(), (1, NONE, NONE, 0, 0));
        let other = ObjectStore::new(dir.path().join("other"), Shared::No, &[]);
        let fetch = || summary(&transfer(&remote, &other).fetch(&batch, Runs::Leave));
        assert_eq!(fetch(), (count + 2, NONE, NONE, 0, 0));
        assert_eq!(fetch(), (0, NONE, NONE, 0, 0));
        assert!(other.contains(&listing).unwrap());
        let mode = std::fs::metadata(folder.join(key(&listing))).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o444);
        drop(remote);
        assert!(!folder.join("tmp").exists());
    }
}

#[test]
fn a_listing_goes_when_all_its_files_are_there_and_what_is_lost_is_named() {
    let (_dir, store, folder) = world();
    let (batch, files, listing) = filled(&store, 4);
    let remote = directory(&folder);
    let push = |batch: &Batch| summary(&transfer(&remote, &store).push(batch, Runs::Leave));
    let mut part = Batch::default();
    part.add_part(&listing, &path("d"), "sub/2".to_owned());
    part.add_part(&listing, &path("d"), "nothing".to_owned());
    assert_eq!(push(&part), (1, "d/nothing".to_owned(), NONE, 0, 0));
    std::fs::remove_file(store.path(&files[0])).unwrap();
    write_atomic(&store.path(&files[3]), b"damaged").unwrap();
    assert_eq!(push(&batch), (2, "d/sub/0".to_owned(), "d/sub/3".to_owned(), 0, 0));
    assert!(!remote.has(&key(&listing)).unwrap());
    assert!(!remote.has(&key(&files[3])).unwrap() && !store.has(&files[3]));
    // As if another had pushed them.
    for (number, id) in [(0, &files[0]), (3, &files[3])] {
        write_atomic(&folder.join(key(id)), format!("file {number}").as_bytes()).unwrap();
    }
    assert_eq!(push(&part), (1, "d/nothing".to_owned(), NONE, 0, 0), "the last part brings the listing");
    std::fs::remove_file(store.path(&listing)).unwrap();
    assert_eq!(push(&batch), (0, NONE, NONE, 0, 0), "what the remote has is not lost");
    std::fs::remove_file(folder.join(key(&listing))).unwrap();
    assert_eq!(push(&batch), (0, "d".to_owned(), NONE, 0, 0));
}

#[test]
fn a_listing_that_is_none_is_no_longer_in_the_cache() {
    let (_dir, store, folder) = world();
    let id = Hasher::digest(Algorithm::Blake3, b"[{]").into_directory();
    write_atomic(&store.path(&id), b"[{]").unwrap();
    let mut batch = Batch::default();
    batch.add(&id, &path("d"));
    assert_eq!(
        summary(&transfer(&directory(&folder), &store).push(&batch, Runs::Leave)),
        (0, NONE, "d".to_owned(), 0, 0)
    );
    assert!(!store.has(&id));
}

#[test]
fn what_went_before_a_remote_broke_is_told() {
    let (_dir, store, folder) = world();
    let (batch, ..) = filled(&store, 3);
    let entry = LockEntry::from_node(&dewar_text::yaml::read(b"cmd: x\n").unwrap()).unwrap();
    RunCache::new(store.folder()).remember(&entry).unwrap();
    // What cannot be listed, for whoever it is.
    let runs = store.folder().join(RUNS);
    std::os::unix::fs::symlink("loop", runs.join("loop")).unwrap();
    let done = transfer(&directory(&folder), &store).push(&batch, Runs::Take);
    assert_eq!(summary(&done), (5, NONE, NONE, 1, 0));
}

#[test]
fn what_a_remote_lacks_or_has_damaged_is_named_and_the_rest_comes() {
    let (dir, store, folder) = world();
    let (batch, files, listing) = filled(&store, 4);
    let remote = directory(&folder);
    transfer(&remote, &store).push(&batch, Runs::Leave);
    let other = ObjectStore::new(dir.path().join("other"), Shared::No, &[]);
    let fetch = || summary(&transfer(&remote, &other).fetch(&batch, Runs::Leave));
    let damage = |id: &ObjectId| {
        std::fs::remove_file(folder.join(key(id))).unwrap();
        std::fs::write(folder.join(key(id)), "damaged").unwrap();
    };
    let good = std::fs::read(folder.join(key(&listing))).unwrap();
    damage(&listing);
    assert_eq!(fetch(), (1, NONE, "d".to_owned(), 0, 0));
    std::fs::write(folder.join(key(&listing)), good).unwrap();
    damage(&files[1]);
    std::fs::remove_file(folder.join(key(&files[2]))).unwrap();
    assert_eq!(fetch(), (3, "d/sub/2".to_owned(), "d/sub/1".to_owned(), 0, 0));
    assert!(!other.has(&files[1]));
}

#[test]
fn what_cannot_be_written_is_an_error_and_the_rest_goes() {
    let (_dir, store, folder) = world();
    let (batch, files, _) = filled(&store, 30);
    std::fs::create_dir_all(folder.join(key(&files[5])).join("full")).unwrap();
    let remote = directory(&folder);
    let done = transfer(&remote, &store).push(&batch, Runs::Leave);
    assert_eq!(summary(&done), (30, NONE, NONE, 1, 0));
    assert!(matches!(&done.errors[0], RemoteError::Unwritable { .. }), "{:?}", done.errors);
    let other = ObjectStore::new(folder.join("other"), Shared::No, &[]);
    assert_eq!(summary(&transfer(&remote, &other).fetch(&batch, Runs::Leave)).1, "d");
    // Where everything goes wrong, it is not told of everything.
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    let remote = directory(&folder);
    let done = transfer(&remote, &store).push(&batch, Runs::Leave);
    assert!((5..=8).contains(&done.errors.len()) && done.left > 20, "{done:?}");
}

#[test]
fn a_transfer_ends_when_it_is_asked_to() {
    let (_dir, store, folder) = world();
    let (batch, ..) = filled(&store, 5);
    let remote = directory(&folder);
    let cancellation = Cancellation::default();
    cancellation.cancel(crate::process::Asked::AtTerminal);
    let jobs = NonZeroUsize::MIN;
    let transfer = Transfer::new(&remote, &store, jobs, cancellation, Arc::new(Silent)).unwrap();
    assert_eq!(summary(&transfer.push(&batch, Runs::Leave)), (0, NONE, NONE, 0, 6));
    // Runs, too, in both directions.
    let entry = LockEntry::from_node(&dewar_text::yaml::read(b"cmd: x\n").unwrap()).unwrap();
    RunCache::new(store.folder()).remember(&entry).unwrap();
    assert_eq!(summary(&transfer.push(&Batch::default(), Runs::Take)), (0, NONE, NONE, 0, 1));
    RunCache::new(&folder).remember(&entry).unwrap();
    assert_eq!(summary(&transfer.fetch(&Batch::default(), Runs::Take)), (0, NONE, NONE, 0, 1));
}

#[test]
fn runs_that_all_fail_are_not_all_tried() {
    let (dir, store, folder) = world();
    for number in 0..30 {
        let text = format!("cmd: x {number}\n");
        let entry = LockEntry::from_node(&dewar_text::yaml::read(text.as_bytes()).unwrap()).unwrap();
        RunCache::new(store.folder()).remember(&entry).unwrap();
        let (inputs, run) = (RunKey::of_inputs(&entry), RunKey::of_run(&entry));
        std::fs::create_dir_all(folder.join(inputs.place_of(&run)).join("in the way")).unwrap();
    }
    let done = transfer(&directory(&folder), &store).push(&Batch::default(), Runs::Take);
    assert!((5..=8).contains(&done.errors.len()) && done.left > 20, "{done:?}");
    drop(dir);
}

#[test]
fn runs_go_after_their_results_and_come_by_their_names() {
    let (dir, store, folder) = world();
    let (batch, files, listing) = filled(&store, 2);
    let run = |id: &ObjectId, command: &str| {
        let text = format!("cmd: {command}\ndeps:\n- path: a\n  blake3: {id}\nouts:\n- path: b\n  blake3: {id}\n");
        LockEntry::from_node(&dewar_text::yaml::read(text.as_bytes()).unwrap()).unwrap()
    };
    let gone = Hasher::digest(Algorithm::Blake3, b"gone");
    let runs = [run(&listing, "x"), run(&files[0], "y"), run(&gone, "z")];
    runs.iter().for_each(|run| RunCache::new(store.folder()).remember(run).unwrap());
    let remote = directory(&folder);
    let push = || transfer(&remote, &store).push(&batch, Runs::Take);
    assert_eq!((push().runs, push().runs), (2, 0));
    let bogus = folder.join(RunKey::of_inputs(&runs[0]).folder()).join("bogus");
    std::fs::write(&bogus, "cmd: rm -rf\n").unwrap();
    let other = ObjectStore::new(dir.path().join("other"), Shared::No, &[]);
    let fetch = || transfer(&remote, &other).fetch(&Batch::default(), Runs::Take);
    assert_eq!((fetch().runs, fetch().runs), (2, 0), "what is none is not kept");
    let known = RunCache::new(other.folder());
    assert_eq!(known.find(&runs[0], |_| true).unwrap(), Some(runs[0].clone()));
    assert_eq!(known.find(&runs[2], |_| true).unwrap(), None);
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_abandoned_on_another_disk_is_removed_too() {
    use std::os::unix::fs::MetadataExt;
    let (_dir, store, folder) = world();
    let disk = tempfile::tempdir_in("/dev/shm").unwrap();
    assert_ne!(disk.path().metadata().unwrap().dev(), folder.metadata().unwrap().dev(), "one disk");
    std::os::unix::fs::symlink(disk.path(), folder.join("files")).unwrap();
    let (batch, files, _) = filled(&store, 2);
    let beside = folder.join(key(&files[0]));
    let abandoned = beside.with_file_name("dewar-old");
    write_atomic(&abandoned, b"half").unwrap();
    let file = std::fs::File::options().write(true).open(&abandoned).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_hours(30)).unwrap();
    assert_eq!(transfer(&directory(&folder), &store).push(&batch, Runs::Leave).objects, 4);
    assert!(beside.exists() && !abandoned.exists());
}

#[test]
fn what_was_abandoned_in_a_remote_is_removed_when_it_is_old() {
    let (_dir, store, folder) = world();
    let (batch, ..) = filled(&store, 2);
    let old = |name: &str| {
        write_atomic(&folder.join("tmp").join(name), b"half").unwrap();
        let file = std::fs::File::options().write(true).open(folder.join("tmp").join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_hours(30)).unwrap();
    };
    old("dewar-old");
    old("mine");
    write_atomic(&folder.join("tmp/dewar-new"), b"half").unwrap();
    transfer(&directory(&folder), &store).push(&batch, Runs::Leave);
    let mut left: Vec<_> =
        std::fs::read_dir(folder.join("tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["dewar-new", "mine"]);
}
