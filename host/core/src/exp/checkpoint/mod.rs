//! Checkpoints: moments of a running stage, each a commit on the one before (walk, step 7).
//!
//! The commits of an experiment are its chain: `baseline <- c1 <- c2 <- .. <- wrap-up`, and its reference names the last one.
//! A commit is never changed once it is made. What was decided stands in the messages ([`note`]): which moment a commit is,
//! which moments before it were passed by, and which checkpoints a policy let go of. So [`history`] can tell all that happened
//! from git alone, a branch of a chain keeps what the other one lets go of, and a kill at any instant loses nothing that was
//! acknowledged.

pub mod history;
pub mod note;
pub mod policy;
pub mod recorder;
pub mod replay;
pub mod resume;
pub mod standing;

pub use history::History;
pub use note::{Note, StageMoment};
pub use policy::{Policies, PolicyError, Stop, Verdict};
