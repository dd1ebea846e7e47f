//! What the black-box tests are written with: [`TestRepo`], a git repository in a world of its own, and [`CommandOutput`],
//! what a program said and how it ended.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set up its world fails, and says where")]

mod output;
mod process;
mod repo;

pub use output::CommandOutput;
pub use process::{kill, wait_for};
pub use repo::TestRepo;
