use std::os::unix::fs::PermissionsExt;

use super::*;

/// A project with settings of its user and its machine beside it.
fn settings(dir: &Path) -> Settings {
    std::fs::create_dir_all(dir.join("project/.dvc")).unwrap();
    let outside = OutsideFiles {
        system: Some(dir.join("etc/config")),
        global: Some(dir.join("user/config")),
        home: Some("/home/ada".into()),
    };
    Settings::new(Some(dir.join("project")), outside)
}

fn name(typed: &str) -> OptionName {
    OptionName::parse(typed).unwrap()
}

#[test]
fn the_nearest_level_counts() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let remote = name("core.remote");
    for level in Level::ALL {
        settings.set(&remote, level.name(), level, dir.path()).unwrap();
        let counts = settings.get(&remote, None).unwrap().unwrap();
        assert_eq!((counts.value.as_str(), counts.level), (level.name(), level));
        let config = super::super::Config::load(&dir.path().join("project"), &settings.outside).unwrap();
        assert_eq!(config.dvc("core", "remote"), Some(level.name()));
    }
    assert_eq!(settings.list(None).unwrap().len(), 4);
    assert_eq!(settings.get(&remote, Some(Level::Global)).unwrap().unwrap().file, dir.path().join("user/config"));
    assert_eq!(settings.get(&remote, None).unwrap().unwrap().file, Path::new(LOCAL_FILE));
    let mode = |path: &str| std::fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o077;
    assert_eq!((mode("user/config"), mode("project/.dvc/config.local")), (0, 0));
    settings.unset(&remote, Level::Local).unwrap();
    assert!(matches!(settings.unset(&remote, Level::Local), Err(SettingError::NotSet { .. })));
    assert_eq!(settings.get(&remote, None).unwrap().unwrap().value, "project");
}

#[test]
fn paths_mean_the_same_from_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let (cache, url) = (name("cache.dir"), name("remote.r.url"));
    let value = |name| settings.get(name, None).unwrap().unwrap().value;
    let file = |path: &str| std::fs::read_to_string(dir.path().join(path)).unwrap();
    settings.set(&cache, "../shared", Level::Project, &dir.path().join("project/sub")).unwrap();
    assert_eq!(file("project/.dvc/config"), "[cache]\n    dir = ../shared\n");
    assert_eq!(value(&cache), dir.path().join("project/shared").to_str().unwrap());
    settings.set(&cache, "c", Level::Global, &dir.path().join("elsewhere")).unwrap();
    assert_eq!(file("user/config"), "[cache]\n    dir = ../elsewhere/c\n");
    settings.unset(&cache, Level::Project).unwrap();
    let config = super::super::Config::load(&dir.path().join("project"), &settings.outside).unwrap();
    assert_eq!(config.cache_dir(Path::new("/x")), dir.path().join("elsewhere/c"));
    for (typed, shown) in [("~/r", "/home/ada/r"), ("s3://b/p", "s3://b/p"), ("/abs/../x", "/abs/../x")] {
        settings.set(&url, typed, Level::Project, dir.path()).unwrap();
        assert_eq!((file("project/.dvc/config").contains(typed), value(&url)), (true, shown.to_owned()));
    }
}

#[test]
fn a_remote_keeps_its_url() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let (url, jobs) = (name("remote.r.url"), name("remote.r.jobs"));
    let set = |name, value, level| settings.set(name, value, level, dir.path());
    assert!(matches!(set(&jobs, "3", Level::Local), Err(SettingError::NoUrl(_))));
    set(&url, "/r", Level::Project).unwrap();
    assert!(matches!(set(&jobs, "3", Level::Global), Err(SettingError::NoUrl(_))));
    set(&jobs, "3", Level::Local).unwrap();
    set(&jobs, "4", Level::Project).unwrap();
    assert!(matches!(settings.unset(&url, Level::Project), Err(SettingError::NoUrl(_))));
    settings.unset(&jobs, Level::Project).unwrap();
    settings.unset(&url, Level::Project).unwrap();
    assert_eq!(std::fs::read_to_string(dir.path().join("project/.dvc/config")).unwrap(), "");
}

#[test]
fn what_is_refused_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let set = |typed, value, level| settings.set(&name(typed), value, level, dir.path());
    assert!(matches!(set("core.nosuch", "1", Level::Global), Err(SettingError::Option(_))));
    assert!(matches!(set("core.autostage", "maybe", Level::Global), Err(SettingError::Value { .. })));
    assert!(matches!(set("core.remote", "a\nb", Level::Global), Err(SettingError::Unwritable(_))));
    assert!(!dir.path().join("user/config").exists());
    let file = dir.path().join("project/.dvc/config");
    for broken in [&b"[core]\nremote\n"[..], b"[core]\n# \xff\n"] {
        std::fs::write(&file, broken).unwrap();
        assert!(matches!(set("core.remote", "r", Level::Project), Err(SettingError::Config(_))));
        assert_eq!(std::fs::read(&file).unwrap(), broken);
    }
    std::fs::create_dir_all(dir.path().join("user")).unwrap();
    std::fs::write(dir.path().join("user/config"), "x\n").unwrap();
    let Err(SettingError::Config(ConfigError::Outside(error))) = settings.list(Some(Level::Global)) else { panic!() };
    assert_eq!(error.file, dir.path().join("user/config"));
    let none = Settings::new(None, OutsideFiles::default());
    assert!(matches!(none.list(Some(Level::Local)), Err(SettingError::NoPlace(Level::Local))));
    assert!(none.list(None).unwrap().is_empty());
}

#[test]
fn two_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let settings = &settings;
            scope.spawn(move || {
                for count in 0..25 {
                    let name = name(&format!("remote.r{thread}-{count}.url"));
                    settings.set(&name, "/r", Level::Project, Path::new("/")).unwrap();
                }
            });
        }
    });
    assert_eq!(settings.list(None).unwrap().len(), 100);
}
