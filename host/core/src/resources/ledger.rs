//! [`Ledger`]: what live processes hold of the amounts that there are, and who waits for what.
//!
//! A claim is a file with a number, locked by who made it, from before it waits until it gives back what it took: the kernel
//! says who is alive, and what the dead left counts for nothing. Claims are read and written under the ledger's own lock, so
//! that no two take the same. Those with a lower number come first: what they wait for counts as if they had it already.
//! So nobody takes from under a big claim what it waits for, and who waits for something else is in nobody's way.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Amount, Amounts};
use crate::fs::{self, FsError};
use crate::lock::{Lock, Taken, pauses};
use crate::process::Cancellation;
use crate::process::identity::host_name;

/// The file whose lock is the ledger's.
const LOCK: &str = "ledger.lock";
/// The suffix of a claim, behind its number.
const SUFFIX: &str = ".claim";

/// Why something cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Nobody has said that there is any.
    #[error("it needs `{name}: {wanted}`, and `dewar.toml` does not say how much `{name}` this machine has")]
    Unknown {
        /// Of what.
        name: String,
        /// How much was wanted.
        wanted: Amount,
    },
    /// There is never so much.
    #[error("it needs `{name}: {wanted}`, and this machine has `{name}: {capacity}`")]
    TooMuch {
        /// Of what.
        name: String,
        /// How much was wanted.
        wanted: Amount,
        /// How much there is.
        capacity: Amount,
    },
    /// One of the two is a number of things, the other a number of bytes.
    #[error(
        "it needs `{name}: {wanted}`, which cannot be compared with the `{name}: {capacity}` that this machine has"
    )]
    OtherUnit {
        /// Of what.
        name: String,
        /// How much was wanted.
        wanted: Amount,
        /// How much there is.
        capacity: Amount,
    },
    /// The run was ended while it waited.
    #[error("it was interrupted while it waited")]
    Cancelled,
    /// The ledger cannot be read or written.
    #[error(transparent)]
    File(#[from] FsError),
}

impl ClaimError {
    /// Of what there is not enough.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Unknown { name, .. } | Self::TooMuch { name, .. } | Self::OtherUnit { name, .. } => Some(name),
            Self::Cancelled | Self::File(_) => None,
        }
    }
}

/// What there is, and who has it. Nothing is read or written before something is claimed.
#[derive(Debug, Clone)]
pub struct Ledger {
    folder: PathBuf,
    capacity: Amounts,
}

/// What is held until this is dropped or the process ends, however it ends. What it started does not hold it.
#[derive(Debug)]
pub struct Claim {
    /// None when nothing is wanted.
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    number: u64,
    lock: Lock,
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            // A file that stays is not locked, and the next one who looks removes it.
            drop(held.lock.remove());
        }
    }
}

/// What stands in the file of a claim.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    state: State,
    amounts: Amounts,
    holder: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Waits,
    Holds,
}

/// What came of asking.
enum Standing {
    /// It is held now.
    Holds,
    /// Others have it or come first.
    Waits { behind: Vec<String> },
}

impl Ledger {
    /// The ledger of `capacity` in `folder`, where each machine has a folder of its own: a project may lie on a disk that
    /// several share, and each has its own amounts.
    #[must_use]
    pub fn new(folder: &Path, capacity: Amounts) -> Self {
        Self { folder: folder.to_owned(), capacity }
    }

    /// Whether so much can ever be had.
    ///
    /// # Errors
    /// [`ClaimError::Unknown`], [`ClaimError::TooMuch`] or [`ClaimError::OtherUnit`] when not.
    pub fn check(&self, wanted: &Amounts) -> Result<(), ClaimError> {
        for (name, wanted) in wanted.iter().filter(|(_, wanted)| wanted.number() > 0) {
            let name = name.to_owned();
            match self.capacity.get(&name) {
                None => return Err(ClaimError::Unknown { name, wanted }),
                Some(capacity) if !capacity.is_like(wanted) => {
                    return Err(ClaimError::OtherUnit { name, wanted, capacity });
                }
                Some(capacity) if capacity.number() < wanted.number() => {
                    return Err(ClaimError::TooMuch { name, wanted, capacity });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Takes what is `wanted`, after waiting until it is free. `holder` says to others who it is; `waiting` is called once if
    /// it has to be waited for, with those who have it or come first.
    ///
    /// # Errors
    /// When so much is never free, the run is cancelled meanwhile, or the ledger cannot be written.
    pub fn claim(
        &self,
        wanted: &Amounts,
        holder: &str,
        cancellation: &Cancellation,
        mut waiting: impl FnMut(Vec<String>),
    ) -> Result<Claim, ClaimError> {
        self.check(wanted)?;
        let mut claim = Claim { held: None };
        if wanted.is_nothing() {
            return Ok(claim);
        }
        let folder = self.folder.join(host());
        fs::create_dir(&folder)?;
        let mut has_told = false;
        for pause in pauses() {
            if let Taken::Yes(ledger) = Lock::try_take(&folder.join(LOCK))? {
                let standing = self.stand_in_line(&folder, wanted, holder, &mut claim)?;
                drop(ledger);
                match standing {
                    Standing::Holds => return Ok(claim),
                    // Told without the ledger's lock: who listens may be slow.
                    Standing::Waits { behind } if !std::mem::replace(&mut has_told, true) => waiting(behind),
                    Standing::Waits { .. } => {}
                }
            }
            if cancellation.is_cancelled() {
                break;
            }
            std::thread::sleep(pause);
        }
        Err(ClaimError::Cancelled)
    }

    /// Takes what is wanted, or a place in the line for it, or looks again from there. Under the ledger's lock.
    fn stand_in_line(
        &self,
        folder: &Path,
        wanted: &Amounts,
        holder: &str,
        claim: &mut Claim,
    ) -> Result<Standing, FsError> {
        let line = line(folder)?;
        let next = line.last().map_or(1, |(number, _)| number.saturating_add(1));
        let own = claim.held.as_ref().map(|held| held.number);
        let before = |(number, entry): &&(u64, Entry)| {
            Some(*number) != own && (entry.state == State::Holds || own.is_none_or(|own| *number < own))
        };
        let before: Vec<&Entry> = line.iter().filter(before).map(|(_, entry)| entry).collect();
        let missing: Vec<&str> =
            wanted.iter().filter(|want| !self.is_free(*want, &before)).map(|(name, _)| name).collect();
        let state = if missing.is_empty() { State::Holds } else { State::Waits };
        let text = |state| {
            let entry = Entry { state, amounts: wanted.clone(), holder: holder.to_owned() };
            serde_json::to_string(&entry).map_err(|error| FsError::new("write", folder)(error.into()))
        };
        match &mut claim.held {
            None => {
                // Nobody else makes claims now, so that it is ours.
                let path = folder.join(format!("{next:020}{SUFFIX}"));
                let Taken::Yes(mut lock) = Lock::try_take(&path)? else {
                    return Ok(Standing::Waits { behind: Vec::new() });
                };
                if let Err(error) = lock.write(&text(state)?) {
                    lock.remove()?;
                    return Err(error);
                }
                claim.held = Some(Held { number: next, lock });
            }
            Some(held) if state == State::Holds => held.lock.write(&text(state)?)?,
            Some(_) => {}
        }
        if state == State::Holds {
            return Ok(Standing::Holds);
        }
        let in_the_way = |entry: &&&Entry| missing.iter().any(|name| entry.amounts.get(name).is_some());
        Ok(Standing::Waits { behind: before.iter().filter(in_the_way).map(|entry| entry.holder.clone()).collect() })
    }

    /// Whether so much is left when all those `before` have what they hold or wait for.
    fn is_free(&self, (name, wanted): (&str, Amount), before: &[&Entry]) -> bool {
        let taken = before.iter().filter_map(|entry| entry.amounts.get(name)).map(Amount::number);
        let needed = taken.fold(wanted.number(), u64::saturating_add);
        wanted.number() == 0 || self.capacity.get(name).is_some_and(|capacity| needed <= capacity.number())
    }
}

/// The claims of the living by number. Those of the dead are removed. Under the ledger's lock.
fn line(folder: &Path) -> Result<Vec<(u64, Entry)>, FsError> {
    let mut line = Vec::new();
    for file in std::fs::read_dir(folder).map_err(FsError::new("list", folder))? {
        let path = file.map_err(FsError::new("list", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(number) = name.strip_suffix(SUFFIX).and_then(|number| number.parse().ok()) else { continue };
        match Lock::try_take_existing(&path)? {
            None => {}
            Some(Taken::Yes(dead)) => dead.remove()?,
            // Its holder failed to write it, and gives up.
            Some(Taken::No { text }) if text.is_empty() => {}
            Some(Taken::No { text }) => {
                let entry = serde_json::from_str(&text).map_err(|error| FsError::new("read", &path)(error.into()))?;
                line.push((number, entry));
            }
        }
    }
    line.sort_by_key(|(number, _)| *number);
    Ok(line)
}

/// The name of this machine, as the name of a folder. Where the system does not say it in a file, machines that share a disk
/// share their amounts, too.
fn host() -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    format!("host-{}", host_name().chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests;
