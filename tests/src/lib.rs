//! What the black-box tests are written with: [`TestRepo`], a git repository in a world of its own, [`CommandOutput`], what a
//! program said and how it ended, and [`GitServer`], git repositories behind HTTP.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set up its world fails, and says where")]

mod git_server;
mod output;
mod process;
mod repo;

pub use git_server::{Encrypted, GitServer};
pub use output::CommandOutput;
pub use process::{kill, wait_for};
pub use repo::TestRepo;
