//! Hostile links, damage, full disks, several at once: what must not lose or leak anything.

use super::*;

#[test]
fn no_symlink_leads_out_of_the_project() {
    let p = Project::new();
    let victim = p.dir.path().join("victim");
    std::fs::create_dir(&victim).unwrap();
    std::fs::write(victim.join("file"), "precious").unwrap();
    symlink(&victim, p.path("link")).unwrap();
    symlink("../victim", p.path("relative")).unwrap();
    p.write("out", "x");
    let id = p.ingest("out").unwrap().id().clone();
    for path in ["link/file", "relative/file", "link/sub/new", "relative/new"] {
        for result in [p.remove(path), p.check_out(&id, path).map(drop), p.with(|tree| tree.unprotect(&at(path)))] {
            // Nothing there may also be nothing to do.
            match result {
                Ok(()) => {}
                Err(CacheError::Outside(named)) => assert!(named.starts_with(p.root()), "{named:?}"),
                Err(other) => panic!("{path}: {other}"),
            }
        }
    }
    assert!(matches!(p.ingest("link/file"), Err(CacheError::Outside(_))));
    assert!(matches!(p.check_out(&id, "link/file"), Err(CacheError::Outside(_))));
    assert!(matches!(p.remove("link/file"), Err(CacheError::Outside(_))));
    // The link itself is what an output at its place is.
    p.remove("link").unwrap();
    assert!(!p.path("link").is_symlink());
    // Inside a directory, too.
    p.write("d/sub/file", "x");
    let id = p.ingest("d").unwrap().id().clone();
    std::fs::remove_dir_all(p.path("d/sub")).unwrap();
    symlink(&victim, p.path("d/sub")).unwrap();
    p.check_out(&id, "d").unwrap();
    assert!(!p.path("d/sub").is_symlink());
    assert_eq!(p.read("d/sub/file"), "x");
    assert_eq!(std::fs::read(victim.join("file")).unwrap(), b"precious");
    assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 1);
    // A symlink that stays inside is an ordinary way.
    symlink("d", p.path("inner")).unwrap();
    p.write("d/new", "x");
    p.ingest("inner/new").unwrap();
    assert!(matches!(p.remove(""), Err(CacheError::Root)));
}

#[test]
fn what_has_no_content_is_named() {
    let p = Project::new();
    std::fs::create_dir(p.path("d")).unwrap();
    let fifo = p.path("d/fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into()).unwrap();
    for path in ["d", "d/fifo"] {
        let error = p.scan(path).unwrap_err();
        assert!(matches!(&error, CacheError::Special { path, kind: "named pipe" } if path == &fifo), "{error}");
    }
    std::fs::remove_file(&fifo).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(&fifo).unwrap();
    assert!(matches!(p.scan("d"), Err(CacheError::Special { kind: "socket", .. })));
    assert!(matches!(p.scan("/dev/null"), Err(CacheError::Special { kind: "device", .. })));
    // Symlinks that lead nowhere, to themselves, and upwards.
    symlink("loop", p.path("loop")).unwrap();
    assert!(p.scan("loop").unwrap_err().to_string().contains("loop"));
    symlink("nowhere", p.path("dangling")).unwrap();
    assert_eq!(p.scan("dangling").unwrap(), None);
    p.write("up/file", "x");
    p.write("up/b/file", "x");
    symlink("../../up", p.path("up/b/back")).unwrap();
    assert!(matches!(p.scan("up"), Err(CacheError::Loop(_))));
    assert!(matches!(p.scan("up/b"), Err(CacheError::Loop(_))));
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"n\xff");
    p.write("bytes/ok", "x");
    std::fs::write(p.path("bytes").join(name), "x").unwrap();
    assert!(matches!(p.scan("bytes"), Err(CacheError::NotUtf8(_))));
}

#[test]
fn ignore_rules_change_the_name_through_the_index() {
    let p = Project::new();
    p.write("d/x", "1");
    p.write("d/skip.tmp", "1");
    p.write("d/nested/.dvc/config", "");
    p.write("d/nested/file", "");
    let files = || match p.scan("d").unwrap() {
        Some(Scanned::Directory { files, id, .. }) => (files, id),
        other => panic!("{other:?}"),
    };
    let (count, id) = files();
    assert_eq!(count, 2);
    std::thread::sleep(std::time::Duration::from_millis(15));
    assert_eq!(files(), (2, id.clone()));
    p.write(".dvcignore", "*.tmp\n");
    let (count, other) = files();
    assert!(count == 1 && other != id);
    // What is ignored is left alone.
    let id = p.ingest("d").unwrap().id().clone();
    std::fs::remove_file(p.path("d/x")).unwrap();
    p.check_out(&id, "d").unwrap();
    assert_eq!((p.read("d/x"), p.read("d/skip.tmp")), ("1".into(), "1".into()));
    p.write("d/.dvcignore", "*.log\n");
    assert!(matches!(p.scan("d"), Err(CacheError::IgnoreFileInside(path)) if path == p.path("d/.dvcignore")));
    // In a folder above it, not in the tracked one, it counts.
    p.write(".dvcignore", "*.tmp\nd/.dvcignore\n");
    assert_eq!(files().0, 1);
}

#[test]
fn the_index_is_used_and_a_change_is_seen() {
    let p = Project::new();
    for number in 0..50 {
        p.write(&format!("d/{number}"), number.to_string());
    }
    // What was written in this tick of the file clock is not trusted yet.
    std::thread::sleep(std::time::Duration::from_millis(15));
    let first = p.scan("d").unwrap().unwrap();
    let again = p.scan("d").unwrap().unwrap();
    assert_eq!(first.id(), again.id());
    assert!(matches!(again, Scanned::Directory { tree: None, files: 50, .. }), "{again:?}");
    p.write("d/7", "8");
    let changed = p.scan("d").unwrap().unwrap();
    assert!(matches!(&changed, Scanned::Directory { tree: Some(_), .. }));
    assert_ne!(changed.id(), first.id());
    // So is what was checked out, once the clock has gone on.
    p.ingest("d").unwrap();
    p.remove("d").unwrap();
    p.check_out(changed.id(), "d").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(15));
    p.scan("d").unwrap();
    assert!(matches!(p.scan("d").unwrap(), Some(Scanned::Directory { tree: None, .. })));
    p.write("d/7", "9");
    assert_ne!(p.scan("d").unwrap().unwrap().id(), changed.id());
}

#[test]
fn large_files_are_hashed_and_kept_like_small_ones() {
    let p = Project::new();
    let bytes: Vec<u8> = (0..20_000_001_u32).map(|number| (number % 251) as u8).collect();
    p.write("d/large", &bytes);
    for algorithm in [Algorithm::Blake3, Algorithm::Md5] {
        let id = Hasher::digest(algorithm, &bytes);
        let scanned = p.with(|tree| tree.scan(Path::new("d/large"), algorithm)).unwrap().unwrap();
        assert_eq!(scanned.id(), &id);
        p.with(|tree| tree.ingest(&p.store, &at("d"), algorithm)).unwrap();
        assert!(std::fs::read(p.store.path(&id)).unwrap() == bytes);
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_named_and_nothing_is_left() {
    let p = Project::new();
    p.write("d/a", "a");
    p.write("d/large", vec![1; 3 << 20]);
    // A file where the cache should be fails for root, too.
    std::fs::write(p.store.folder(), "").unwrap();
    let error = p.ingest("d").unwrap_err().to_string();
    assert!(error.contains("cache"), "{error}");
    std::fs::remove_file(p.store.folder()).unwrap();
    if rustix::process::geteuid().is_root() {
        return;
    }
    std::fs::create_dir(p.store.folder()).unwrap();
    std::fs::set_permissions(p.store.folder(), Permissions::from_mode(0o555)).unwrap();
    let error = p.ingest("d").unwrap_err().to_string();
    assert!(error.contains("cache") && error.contains("denied"), "{error}");
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let p = Project::new();
    p.write("d/small", "s");
    p.write("d/large", vec![7; 4 << 20]);
    // A signal ends a process that writes past the limit, unless it is ignored; then the write fails, as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 1024; exec \"$0\" --exact cache::tests::adverse::ingest_under_a_limit --ignored --nocapture";
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("DEWAR_TEST_PROJECT", p.dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(std::fs::read_dir(p.store.folder().join("tmp")).unwrap().count(), 0);
    assert!(!p.store.has(&Hasher::digest(Algorithm::Blake3, &vec![7; 4 << 20])));
    assert_eq!(std::fs::read(p.path("d/large")).unwrap().len(), 4 << 20);
    assert!(p.store.contains(p.ingest("d").unwrap().id()).unwrap());
}

#[test]
#[ignore = "run by a_full_disk_leaves_nothing_half_written"]
fn ingest_under_a_limit() {
    let folder = PathBuf::from(std::env::var_os("DEWAR_TEST_PROJECT").unwrap());
    let root = folder.join("repo");
    let index = StatIndex::open(folder.join("other-index"), SystemTime::now);
    let store = ObjectStore::new(folder.join("cache"), Shared::No, &LinkKind::DEFAULT);
    let tree = WorkTree::open(&root, &index).unwrap();
    let error = tree.ingest(&store, &at("d"), Algorithm::Blake3).unwrap_err().to_string();
    assert!(error.contains("large"), "{error}");
}

#[test]
fn two_at_once_store_one_object() {
    let p = Project::new();
    for number in 0..8 {
        for file in 0..20 {
            p.write(&format!("d{number}/{file}"), format!("{file}"));
        }
    }
    let ids: Vec<ObjectId> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                scope.spawn({
                    let p = &p;
                    move || p.ingest(&format!("d{number}")).unwrap().id().clone()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| id == &ids[0]));
    assert!(p.store.contains(&ids[0]).unwrap());
    assert_eq!(std::fs::read_dir(p.store.folder().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_file_that_changes_meanwhile_is_named_by_what_was_stored() {
    let p = Project::new();
    p.write("out", vec![0; 3 << 20]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut byte = 0_u8;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                byte += 1;
                std::fs::write(p.path("out"), vec![byte % 200; (2 << 20) + byte as usize]).unwrap();
                byte %= 200;
            }
        });
        for _ in 0..20 {
            let id = p.ingest("out").unwrap().id().clone();
            let bytes = std::fs::read(p.store.path(&id)).unwrap();
            assert_eq!(Hasher::digest(Algorithm::Blake3, &bytes), id);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    // And at rest, the name is that of the file.
    let id = p.ingest("out").unwrap().id().clone();
    assert_eq!(Hasher::digest(Algorithm::Blake3, &std::fs::read(p.path("out")).unwrap()), id);
}

#[test]
fn a_shared_cache_belongs_to_its_group() {
    let mut p = Project::new();
    p.store = ObjectStore::new(p.dir.path().join("cache"), Shared::Group, &[]);
    p.write("out", "x");
    let id = p.ingest("out").unwrap().id().clone();
    let object = p.store.path(&id);
    assert_eq!((mode(&object), mode(object.parent().unwrap())), (0o444, 0o2775));
    assert_eq!(mode(p.store.folder()), 0o2775);
}
