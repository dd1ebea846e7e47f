//! [`Session`]: what the surroundings say, read once. Thin: it holds plain values and decides nothing. Step 1 of the walk.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use dewar_core::config::settings::OutsideFiles;
use dewar_core::fs::FsError;
use dewar_core::git::CommitTime;
use dewar_core::process::{Asked, Cancellation};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::args::GlobalArgs;
use crate::failure::{Failure, Kind};
use crate::ui::page::Pager;

/// What the surroundings say.
#[derive(Debug, Clone)]
pub struct Session {
    /// The folder that the command was given in, links resolved.
    pub cwd: PathBuf,
    /// The environment; names and values that are not UTF-8 are kept.
    pub env: BTreeMap<OsString, OsString>,
    /// Folders with plugins, the first that has one wins: `--plugin-dir`, then `DEWAR_PLUGIN_PATH`. Absolute.
    pub plugin_dirs: Vec<PathBuf>,
    /// The user's own folder with plugins, looked in after the project's.
    pub user_plugin_dir: Option<PathBuf>,
    /// Whose plugins are used.
    pub plugins: Plugins,
    /// Where what can be computed again is kept for this user, such as compiled plugins.
    pub cache_dir: Option<PathBuf>,
    /// DVC's settings of this user and this machine.
    pub outside_files: OutsideFiles,
    /// What time it is.
    pub clock: Clock,
    /// What randomness begins with.
    pub seed: u64,
    /// What signals cancel, once they are caught.
    cancellation: Arc<Mutex<Option<Cancellation>>>,
}

/// Whose plugins are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plugins {
    /// Those of the user and of the project go before those that come with dewar.
    All,
    /// Those that come with dewar, for what is done without being asked, such as in a project that was just cloned.
    Bundled,
}

/// What time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The system knows.
    System,
    /// It stands still: tests set it with `DEWAR_TEST_CLOCK`, in seconds since 1970.
    Fixed(SystemTime),
}

impl Clock {
    /// The time.
    #[must_use]
    pub fn now(self) -> SystemTime {
        match self {
            Self::System => SystemTime::now(),
            Self::Fixed(time) => time,
        }
    }
}

impl Session {
    /// Reads the surroundings of this process.
    ///
    /// # Errors
    /// When there is no folder to work in, or a variable of ours cannot be read.
    pub fn of_process(global: &GlobalArgs) -> Result<Self, Failure> {
        let started_in = env::current_dir().map_err(FsError::new("find", "the current folder"))?;
        Self::new(global, &started_in, env::vars_os().collect())
    }

    /// The same session, had the command been given in `cwd`.
    #[must_use]
    pub fn within(&self, cwd: PathBuf) -> Self {
        Self { cwd, ..self.clone() }
    }

    /// A variable of the environment, when it is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.env.get(&OsString::from(name))?.to_str().map(str::to_owned)
    }

    /// What shows more than a terminal has room for.
    #[must_use]
    pub fn pager(&self) -> Option<Pager> {
        Pager::of(|name| self.text(name))
    }

    /// From now on, Ctrl-C, a closed terminal and the system's request to end cancel what this returns: stages are interrupted,
    /// what a stage that has ended wrote is kept, and the command ends in order. When there is neither, the process ends. Asked
    /// again, stages are killed; asked once more, the process ends whatever it does. Without this, a signal ends the process
    /// at once, which is right for a command that runs no stage.
    ///
    /// # Errors
    /// When signals cannot be caught.
    pub fn cancellation(&self) -> Result<Cancellation, Failure> {
        let mut known = self.cancellation.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cancellation) = &*known {
            return Ok(cancellation.clone());
        }
        let cancellation = Cancellation::default();
        let told = cancellation.clone();
        let caught = |error: io::Error| Failure::new(Kind::Internal, format!("cannot catch signals: {error}"));
        let hangup = if ignores_hangup() { None } else { Some(SIGHUP) };
        let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup)).map_err(caught)?;
        let listen = move || {
            for (count, signal) in (1..).zip(signals.forever()) {
                told.cancel(if signal == SIGINT { Asked::AtTerminal } else { Asked::BySignal });
                // Nothing is half-written at any instant, so that nobody need wait for what would be given up anyway.
                if !told.is_busy() {
                    std::thread::sleep(ORDERLY_END);
                }
                if count > 2 || !told.is_busy() {
                    leave();
                }
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(listen).map_err(caught)?;
        Ok(known.insert(cancellation).clone())
    }

    /// A source of numbers below the one asked for: SplitMix64 (Steele, Lea and Flood 2014) from the seed.
    pub fn draw(&self) -> impl FnMut(usize) -> usize + use<> {
        let mut state = self.seed;
        move |below| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            usize::try_from(mixed % below.max(1) as u64).unwrap_or_default()
        }
    }

    /// The time in the user's zone, for a commit.
    #[must_use]
    pub fn commit_time(&self) -> CommitTime {
        let zone = match self.clock {
            Clock::System => jiff::tz::TimeZone::system(),
            Clock::Fixed(_) => jiff::tz::TimeZone::UTC,
        };
        let now = jiff::Timestamp::try_from(self.clock.now()).unwrap_or_default();
        CommitTime::from(&now.to_zoned(zone))
    }

    fn new(global: &GlobalArgs, started_in: &Path, env: BTreeMap<OsString, OsString>) -> Result<Self, Failure> {
        let cwd = match &global.cd {
            None => started_in.to_owned(),
            Some(dir) => {
                let dir = started_in.join(dir);
                dir.canonicalize().map_err(|error| {
                    let message = FsError::new("work in", &dir)(error).to_string();
                    Failure::new(Kind::Usage, message).hint("`--cd` takes a folder that exists")
                })?
            }
        };
        let variable = |name: &str| env.get(&OsString::from(name)).filter(|value| !value.is_empty());
        let number = |name: &str| variable(name).map(|value| parse_number(name, value)).transpose();
        let from_path = variable("DEWAR_PLUGIN_PATH").into_iter().flat_map(env::split_paths);
        let plugin_dirs = global.plugin_dir.iter().cloned().chain(from_path).map(|dir| started_in.join(dir)).collect();
        let home = variable("HOME").map(PathBuf::from);
        // The XDG base directory specification: a relative path is to be ignored.
        let base = |name: &str, below_home: &str| {
            let given = variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
            Some(given.or_else(|| Some(home.as_ref()?.join(below_home)))?.join("dewar"))
        };
        let clock = number("DEWAR_TEST_CLOCK")?
            .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
            .map_or(Clock::System, Clock::Fixed);
        Ok(Self {
            cwd,
            plugin_dirs,
            plugins: Plugins::All,
            user_plugin_dir: base("XDG_DATA_HOME", ".local/share").map(|dir| dir.join("plugins")),
            cache_dir: base("XDG_CACHE_HOME", ".cache"),
            outside_files: outside_files(&env, started_in),
            clock,
            seed: number("DEWAR_TEST_SEED")?.unwrap_or_else(|| RandomState::new().build_hasher().finish()),
            env,
            cancellation: Arc::default(),
        })
    }
}

/// Where DVC keeps settings outside of projects: its variables, else the folders of the XDG base directory specification, as
/// the library `platformdirs` finds them.
fn outside_files(env: &BTreeMap<OsString, OsString>, started_in: &Path) -> OutsideFiles {
    let variable = |name: &str| env.get(&OsString::from(name)).filter(|value| !value.is_empty());
    let home = variable("HOME").map(PathBuf::from);
    let (below_home, of_system) = match cfg!(target_os = "macos") {
        true => ("Library/Application Support", "/Library/Application Support"),
        false => (".config", "/etc/xdg"),
    };
    let given = |name: &str| variable(name).map(|dir| started_in.join(dir));
    let xdg = |name: &str| env::split_paths(variable(name)?).next().filter(|dir| dir.is_absolute());
    let user = || Some(xdg("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(below_home)))?.join("dvc"));
    let system = || xdg("XDG_CONFIG_DIRS").unwrap_or_else(|| of_system.into()).join("dvc");
    OutsideFiles {
        system: Some(given("DVC_SYSTEM_CONFIG_DIR").unwrap_or_else(system).join("config")),
        global: given("DVC_GLOBAL_CONFIG_DIR").or_else(user).map(|dir| dir.join("config")),
        home,
    }
}

/// How long a run that was doing nothing worth keeping has to say that it ends.
const ORDERLY_END: Duration = Duration::from_millis(300);

/// Whether a closed terminal is not to end the command: it was started with `nohup`.
fn ignores_hangup() -> bool {
    // proc(5): a mask in hexadecimal. Where there is no such file, a closed terminal ends the command.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    u32::try_from(SIGHUP).is_ok_and(|signal| mask >> (signal - 1) & 1 == 1)
}

/// Ends the process where it stands.
#[expect(clippy::exit, reason = "the edge: the user asked again and again to end, and no thread could be waited for")]
fn leave() {
    std::process::exit(i32::from(Kind::Interrupted.exit_code()));
}

fn parse_number(name: &str, value: &OsString) -> Result<u64, Failure> {
    value
        .to_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Failure::new(Kind::Usage, format!("`{name}` must be a whole number, not `{}`", value.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(global: &GlobalArgs, env: &[(&str, &str)]) -> Result<Session, Failure> {
        let env = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Session::new(global, Path::new("/"), env)
    }

    #[test]
    fn folders_of_the_user_follow_the_xdg_specification() {
        let home = session(&GlobalArgs::default(), &[("HOME", "/h"), ("XDG_CACHE_HOME", "relative")]).unwrap();
        assert_eq!(home.cache_dir.unwrap(), Path::new("/h/.cache/dewar"));
        let xdg = session(&GlobalArgs::default(), &[("XDG_DATA_HOME", "/data")]).unwrap();
        assert_eq!(xdg.user_plugin_dir.unwrap(), Path::new("/data/dewar/plugins"));
        assert_eq!(xdg.cache_dir, None);
    }

    #[test]
    fn settings_outside_of_projects_are_where_dvc_has_them() {
        let files = |env: &[(&str, &str)]| session(&GlobalArgs::default(), env).unwrap().outside_files;
        let home = files(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "relative")]);
        if !cfg!(target_os = "macos") {
            assert_eq!(home.global.unwrap(), Path::new("/h/.config/dvc/config"));
            assert_eq!(home.system.unwrap(), Path::new("/etc/xdg/dvc/config"));
        }
        let xdg = files(&[("XDG_CONFIG_HOME", "/x"), ("XDG_CONFIG_DIRS", "/s:/t")]);
        assert_eq!((xdg.global.unwrap(), xdg.system.unwrap()), ("/x/dvc/config".into(), "/s/dvc/config".into()));
        let given = files(&[("DVC_GLOBAL_CONFIG_DIR", "g"), ("DVC_SYSTEM_CONFIG_DIR", "/s"), ("HOME", "/h")]);
        assert_eq!((given.global.unwrap(), given.system.unwrap()), ("/g/config".into(), "/s/config".into()));
        assert_eq!(files(&[]).global, None);
    }

    #[test]
    fn plugin_folders_of_the_command_line_come_first() {
        let global = GlobalArgs { plugin_dir: vec!["a".into()], ..GlobalArgs::default() };
        let session = session(&global, &[("DEWAR_PLUGIN_PATH", "/b:c")]).unwrap();
        assert_eq!(session.plugin_dirs, ["/a", "/b", "/c"].map(PathBuf::from));
    }

    #[test]
    fn tests_set_the_clock_and_the_seed() {
        let session = session(&GlobalArgs::default(), &[("DEWAR_TEST_CLOCK", "7"), ("DEWAR_TEST_SEED", "9")]).unwrap();
        assert_eq!(session.clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(7));
        assert_eq!(session.seed, 9);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let bad = session(&GlobalArgs::default(), &[("DEWAR_TEST_CLOCK", "noon")]).unwrap_err();
        assert_eq!(bad.kind(), Kind::Usage);
        let global = GlobalArgs { cd: Some("no/such/folder".into()), ..GlobalArgs::default() };
        assert_eq!(session(&global, &[]).unwrap_err().kind(), Kind::Usage);
    }
}
