//! A run of many checkpoints that is killed again and again: whatever was acknowledged to the stage is there and whole, and the
//! next run goes on from it.
//!
//! How many kills and checkpoints, and from which seed: `DEWAR_KILLS=100,200,7`.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dewar_tests::{kill, wait_for};

use super::checkpoints::{PIPELINE, Training};

fn numbers() -> (usize, u64, u64) {
    let text = std::env::var("DEWAR_KILLS").unwrap_or_else(|_| "8,20,1".to_owned());
    let mut parts = text.split(',');
    let mut next = || parts.next().unwrap();
    (next().parse().unwrap(), next().parse().unwrap(), next().parse().unwrap())
}

/// `SplitMix64` (Steele, Lea and Flood 2014).
fn draw(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % below
}

fn acknowledged(training: &Training) -> Vec<u64> {
    let text = fs::read_to_string(training.repo.outside("acked")).unwrap_or_default();
    // The last line may be half-written: it was acknowledged, but nobody was told.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "what a killed run leaves is found in /proc")]
fn what_was_acknowledged_is_there_and_the_run_goes_on() {
    let (kills, checkpoints, mut seed) = numbers();
    let training = Training::with(PIPELINE);
    training.repo.write("params.yaml", format!("lr: 1\nsteps: {checkpoints}\n"));
    training.repo.commit("many");
    let (mut killed, mut finished) = (0, 0);
    while killed < kills {
        let acked = acknowledged(&training).len();
        // What is left of the stage would keep a pipe open.
        let said = training.repo.outside("said");
        let file = fs::File::create(&said).unwrap();
        let mut command = training.command(&["exp", "run", "-n", "e1"]);
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let mut child = command.spawn().unwrap();
        let pid = child.id().to_string();
        // From before it began to long after the first checkpoints.
        let moment = Duration::from_micros(draw(&mut seed, 400_000));
        let began = Instant::now();
        while began.elapsed() < moment {
            std::thread::sleep(Duration::from_micros(200));
        }
        let was_there = kill("-KILL", &pid);
        let status = child.wait().unwrap();
        let output = fs::read_to_string(&said).unwrap();
        assert!(!output.contains("panicked") && !output.contains("error:"), "{output}");
        if status.success() {
            finished += 1;
        } else {
            assert!(was_there && status.code().is_none(), "{output}");
            killed += 1;
        }
        check(&training, acked, &output);
    }
    let before = training.chain("e1").len();
    training.dewar(&["exp", "run"]).success();
    assert_eq!(training.chain("e1").len() as u64, before as u64 + checkpoints + 1, "{finished} runs came to their end");
    training.assert_sound("e1");
    let last = training.steps("e1");
    assert!(last.windows(2).all(|pair| pair[1] == pair[0] + 1), "{last:?}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "what a killed run leaves is found in /proc")]
fn of_runs_that_begin_at_once_after_a_kill_one_goes_on_and_the_others_are_refused() {
    const RUNS: usize = 4;
    let training = Training::new();
    let outside = |name: &str| training.repo.outside(name);
    // The first waits for its end; one that follows says when it is not alone, and waits until it may go on.
    training.each(&format!(
        "if [ ! -e {reached} ]; then echo $$ > {orphan}; : > {reached}; exec sleep 60; fi\n\
         mkdir {running} || : > {together}\nuntil [ -e {go} ]; do sleep 0.01; done\nrmdir {running}\n",
        reached = outside("reached").display(),
        orphan = outside("orphan").display(),
        running = outside("running").display(),
        together = outside("together").display(),
        go = outside("go").display(),
    ));
    let mut killed = training.spawn(&["exp", "run", "-n", "e1"]);
    wait_for(&outside("reached"));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let orphan = fs::read_to_string(outside("orphan")).unwrap();
    assert!(runs(orphan.trim()));

    let mut running: Vec<_> = [(); RUNS].map(|()| training.spawn(&["exp", "run"])).into();
    let began = Instant::now();
    let mut refused = Vec::new();
    while refused.len() < RUNS - 1 {
        assert!(began.elapsed() < Duration::from_secs(60), "more than one runs");
        std::thread::sleep(Duration::from_millis(5));
        refused.extend(running.extract_if(.., |child| child.try_wait().unwrap().is_some()));
    }
    fs::write(outside("go"), "").unwrap();
    // One that was ended by a signal has no code.
    for child in refused {
        let output = training.repo.wait(child);
        assert_eq!(output.code, Some(4), "{output}");
        assert!(output.stderr.contains("another run holds this workspace"), "{output}");
    }
    for child in running {
        training.repo.wait(child).success();
    }
    assert!(!runs(orphan.trim()));
    assert!(!outside("together").exists());
    assert_eq!(training.told(), ["from 0 resume=", "from 1 resume=1"]);
    assert_eq!(training.steps("e1"), [1, 2, 3, 4]);
    training.assert_sound("e1");
}

/// Whether there is such a process, and not only its number, which its parent has not taken note of yet (`proc(5)`).
fn runs(pid: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    state.is_some_and(|text| !text.rsplit_once(") ").unwrap().1.starts_with(['Z', 'X']))
}

/// All that was acknowledged since `before` is in the chain, once.
fn check(training: &Training, before: usize, output: &str) {
    let all = acknowledged(training);
    if all.is_empty() {
        return;
    }
    let mut times: BTreeMap<u64, usize> = BTreeMap::new();
    for step in training.steps("e1") {
        *times.entry(step).or_default() += 1;
    }
    for step in &all[before..] {
        assert_eq!(times.get(step), Some(&1), "step {step} was acknowledged; the chain has {times:?}: {output}");
    }
    // The new ones are whole; the others were looked at before.
    training.assert_sound_since("e1", all.get(before).copied().unwrap_or(u64::MAX));
}
