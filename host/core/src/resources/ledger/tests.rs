//! A ledger never gives more than there is, forgets the dead, and lets everybody have a turn.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::process::Asked;

fn amounts(amounts: &[(&str, u64)]) -> Amounts {
    amounts.iter().map(|(name, count)| (*name, Amount::Count(*count))).collect()
}

fn claim(ledger: &Ledger, wanted: &[(&str, u64)], who: &str) -> Result<Claim, ClaimError> {
    ledger.claim(&amounts(wanted), who, &Cancellation::default(), |others| panic!("{others:?} have it"))
}

/// Claims on another thread. The first message is that it waits, and for whom.
fn waiter(
    ledger: &Ledger,
    wanted: &[(&'static str, u64)],
    cancellation: &Cancellation,
) -> (JoinHandle<Result<Claim, ClaimError>>, Receiver<Vec<String>>) {
    let (tell, told) = channel();
    let (ledger, wanted, cancellation) = (ledger.clone(), amounts(wanted), cancellation.clone());
    let name = format!("who wants {wanted}");
    let wait = move || ledger.claim(&wanted, &name, &cancellation, |others| tell.send(others).unwrap());
    (std::thread::spawn(wait), told)
}

fn names(folder: &Path) -> Vec<String> {
    let machine = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let mut names: Vec<String> = std::fs::read_dir(machine)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != LOCK)
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_never_there_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let capacity = [("gpu", Amount::Count(1)), ("memory", Amount::Bytes(8))].into_iter().collect();
    let ledger = Ledger::new(&dir.path().join("claims"), capacity);
    let told = |wanted: &[(&str, u64)]| claim(&ledger, wanted, "x").unwrap_err().to_string();
    assert_eq!(told(&[("gpu", 2)]), "it needs `gpu: 2`, and this machine has `gpu: 1`");
    assert_eq!(told(&[("tpu", 1)]), "it needs `tpu: 1`, and `dewar.toml` does not say how much `tpu` this machine has");
    assert_eq!(
        told(&[("memory", 1)]),
        "it needs `memory: 1`, which cannot be compared with the `memory: 8B` that this machine has"
    );
    // Nothing wanted is nothing written.
    claim(&ledger, &[], "x").unwrap();
    claim(&ledger, &[("gpu", 0), ("tpu", 0)], "x").unwrap();
    assert!(!dir.path().join("claims").exists());
}

#[test]
fn what_is_given_back_goes_to_who_waits() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(dir.path(), amounts(&[("gpu", 2)]));
    let (one, two) = (claim(&ledger, &[("gpu", 1)], "one").unwrap(), claim(&ledger, &[("gpu", 1)], "two").unwrap());
    let (waiting, told) = waiter(&ledger, &[("gpu", 1)], &Cancellation::default());
    assert_eq!(told.recv().unwrap(), ["one", "two"]);
    assert!(!waiting.is_finished());
    drop(one);
    let three = waiting.join().unwrap().unwrap();
    assert_eq!(names(dir.path()).len(), 2);
    drop((two, three));
    assert_eq!(names(dir.path()), [] as [String; 0]);
}

#[test]
fn a_big_claim_is_not_overtaken_by_what_it_waits_for() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(dir.path(), amounts(&[("gpu", 2), ("licence", 1)]));
    let small = claim(&ledger, &[("gpu", 1)], "small").unwrap();
    let (big, told) = waiter(&ledger, &[("gpu", 2)], &Cancellation::default());
    assert_eq!(told.recv().unwrap(), ["small"]);
    // There is one left, but not for who comes later.
    let (later, told) = waiter(&ledger, &[("gpu", 1)], &Cancellation::default());
    assert_eq!(told.recv().unwrap(), ["small", "who wants gpu: 2"]);
    // Who wants something else is in nobody's way.
    drop(claim(&ledger, &[("licence", 1)], "else").unwrap());
    drop(small);
    let big = big.join().unwrap().unwrap();
    std::thread::sleep(Duration::from_millis(150));
    assert!(!later.is_finished());
    drop(big);
    later.join().unwrap().unwrap();
}

#[test]
fn who_gives_up_stands_in_nobodys_way() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(dir.path(), amounts(&[("gpu", 2)]));
    let held = claim(&ledger, &[("gpu", 1)], "one").unwrap();
    let cancellation = Cancellation::default();
    let (big, told) = waiter(&ledger, &[("gpu", 2)], &cancellation);
    told.recv().unwrap();
    cancellation.cancel(Asked::BySignal);
    assert!(matches!(big.join().unwrap(), Err(ClaimError::Cancelled)));
    drop(claim(&ledger, &[("gpu", 1)], "two").unwrap());
    drop(held);
}

#[test]
fn the_dead_hold_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(dir.path(), amounts(&[("gpu", 1)]));
    drop(claim(&ledger, &[("gpu", 1)], "one").unwrap());
    let entry = r#"{"state":"Holds","amounts":{"gpu":{"Count":1}},"holder":"dead"}"#;
    for (name, text) in [("00000000000000000007.claim", entry), ("00000000000000000008.claim", "torn")] {
        std::fs::write(ledger.folder.join(host()).join(name), text).unwrap();
    }
    let held = claim(&ledger, &[("gpu", 1)], "two").unwrap();
    assert_eq!(names(dir.path()), ["00000000000000000001.claim"]);
    drop(held);
    // What is not a claim is left alone.
    std::fs::write(ledger.folder.join(host()).join("notes"), "mine").unwrap();
    drop(claim(&ledger, &[("gpu", 1)], "three").unwrap());
    assert_eq!(names(dir.path()), ["notes"]);
}

#[test]
fn a_live_claim_that_cannot_be_understood_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::new(dir.path(), amounts(&[("gpu", 1)]));
    drop(claim(&ledger, &[("gpu", 1)], "one").unwrap());
    let path = ledger.folder.join(host()).join("00000000000000000003.claim");
    let Taken::Yes(mut other) = Lock::try_take(&path).unwrap() else { panic!("it is new") };
    other.write("another version's").unwrap();
    assert!(matches!(claim(&ledger, &[("gpu", 1)], "two"), Err(ClaimError::File(error)) if error.path == path));
}

#[test]
fn each_machine_has_a_folder_of_its_own() {
    let name = host();
    assert!(name.starts_with("host") && !name.contains(['/', '.']), "{name}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn there_is_never_more_taken_than_there_is(
        wanted in prop::collection::vec(prop::collection::vec((1_u64..=3, 0_u64..=4, 0_u64..400), 1..6), 2..5),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(dir.path(), amounts(&[("a", 3), ("b", 4)]));
        let (a, b) = (AtomicU64::new(0), AtomicU64::new(0));
        let (ledger, a, b) = (&ledger, &a, &b);
        std::thread::scope(|scope| {
            for claims in &wanted {
                scope.spawn(move || {
                    for (wants_a, wants_b, micros) in claims {
                        let wanted = amounts(&[("a", *wants_a), ("b", *wants_b)]);
                        let claim = ledger.claim(&wanted, "x", &Cancellation::default(), drop).unwrap();
                        assert!(a.fetch_add(*wants_a, Ordering::SeqCst) + wants_a <= 3);
                        assert!(b.fetch_add(*wants_b, Ordering::SeqCst) + wants_b <= 4);
                        std::thread::sleep(Duration::from_micros(*micros));
                        a.fetch_sub(*wants_a, Ordering::SeqCst);
                        b.fetch_sub(*wants_b, Ordering::SeqCst);
                        drop(claim);
                    }
                });
            }
        });
        prop_assert_eq!(names(dir.path()), [] as [String; 0]);
    }
}
