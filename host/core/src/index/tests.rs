use super::*;
use crate::digest::Hasher;

fn file(dir: &Path) -> (Stat, Fingerprint) {
    let path = dir.join("file");
    std::fs::write(&path, "content").unwrap();
    let stat = Stat::from(&std::fs::metadata(path).unwrap());
    (stat, Fingerprint::file(&stat))
}

fn known(byte: u8) -> Remembered {
    Remembered { id: Hasher::digest(Algorithm::Blake3, &[byte]), size: 7, files: 1 }
}

fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

#[test]
fn remembers_over_processes_and_merges() {
    let dir = tempfile::tempdir().unwrap();
    let (_, print) = file(dir.path());
    let path = dir.path().join("tmp/index");
    let open = || StatIndex::open(&path, SystemTime::now);
    let (one, two) = (open(), open());
    for number in 0..3000_u32 {
        let index = if number % 2 == 0 { &one } else { &two };
        index.remember(Path::new(&number.to_string()), &print, later(), &known(number as u8));
    }
    let directory = Remembered { id: known(1).id.into_directory(), ..known(1) };
    one.remember(Path::new("d"), &print, later(), &directory);
    one.save().unwrap();
    two.save().unwrap();
    // On disk, and after many searches in memory.
    for _ in 0..2 {
        let index = open();
        assert_eq!(index.find(Path::new("d"), Algorithm::Blake3, &print), Some(directory.clone()));
        for number in (0..3000_u32).step_by(7) {
            let found = index.find(Path::new(&number.to_string()), Algorithm::Blake3, &print);
            assert_eq!(found, Some(known(number as u8)));
        }
        assert_eq!(index.find(Path::new("0"), Algorithm::Md5, &print), None);
        assert_eq!(index.find(Path::new("other"), Algorithm::Blake3, &print), None);
    }
    for number in 0..3000_u32 {
        // A fresh index each time: found by reading blocks.
        assert!(open().find(Path::new(&number.to_string()), Algorithm::Blake3, &print).is_some(), "{number}");
    }
}

#[test]
fn a_changed_stat_is_not_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let (stat, print) = file(dir.path());
    let index = StatIndex::open(dir.path().join("index"), SystemTime::now);
    index.remember(Path::new("a"), &print, later(), &known(1));
    assert!(index.find(Path::new("a"), Algorithm::Blake3, &print).is_some());
    let changes = [
        Stat { size: stat.size + 1, ..stat },
        Stat { mode: stat.mode ^ 0o100, ..stat },
        Stat { inode: stat.inode + 1, ..stat },
        Stat { mtime: (stat.mtime.0, stat.mtime.1 + 1), ..stat },
        Stat { ctime: (stat.ctime.0 + 1, stat.ctime.1), ..stat },
    ];
    for changed in changes {
        assert_eq!(index.find(Path::new("a"), Algorithm::Blake3, &Fingerprint::file(&changed)), None);
    }
}

#[test]
fn a_racy_file_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let (stat, _) = file(dir.path());
    let index = StatIndex::open(dir.path().join("index"), SystemTime::now);
    let at = |seconds, nanos| UNIX_EPOCH + Duration::new(seconds, nanos);
    let remembered = |stat: Stat, read_at| {
        let print = Fingerprint::file(&stat);
        index.remember(Path::new("a"), &print, read_at, &known(1));
        index.find(Path::new("a"), Algorithm::Blake3, &print).is_some()
    };
    let fine = Stat { mtime: (1000, 500), ctime: (1000, 500), ..stat };
    assert!(!remembered(fine, at(1000, 500)));
    assert!(!remembered(fine, at(1000, 9_000_000)));
    assert!(!remembered(fine, at(999, 0)));
    assert!(remembered(fine, at(1000, 11_000_000)));
    let coarse = Stat { mtime: (2000, 0), ctime: (2000, 0), ..stat };
    assert!(!remembered(coarse, at(2001, 0)));
    assert!(remembered(coarse, at(2003, 0)));
}

#[test]
fn any_damage_means_nothing_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let (_, print) = file(dir.path());
    let path = dir.path().join("index");
    let index = StatIndex::open(&path, SystemTime::now);
    for number in 0..100_u8 {
        index.remember(Path::new(&number.to_string()), &print, later(), &known(number));
    }
    index.save().unwrap();
    let whole = std::fs::read(&path).unwrap();
    let check = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let index = StatIndex::open(&path, SystemTime::now);
        for number in 0..100_u8 {
            if let Some(found) = index.find(Path::new(&number.to_string()), Algorithm::Blake3, &print) {
                assert_eq!(found, known(number));
            }
        }
        index.remember(Path::new("new"), &print, later(), &known(1));
        index.save().unwrap();
        let index = StatIndex::open(&path, SystemTime::now);
        assert!(index.find(Path::new("new"), Algorithm::Blake3, &print).is_some());
    };
    for length in [0, 1, 16, 17, 100, whole.len() - 1] {
        check(&whole[..length]);
    }
    for at in (0..whole.len()).step_by(61) {
        let mut bad = whole.clone();
        bad[at] ^= 0x55;
        check(&bad);
    }
}
