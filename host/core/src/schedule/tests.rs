//! Whole runs in this process: against a model of what must run, and side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use proptest::prelude::*;

use super::*;
use crate::cache::{LinkKind, ObjectStore, Shared, WorkTree};
use crate::digest::Algorithm;
use crate::extension::{
    Captured, ChildProcess, ExtensionError, Job, Outcome, PluginId, ProcessCommand, ProcessError, Processes,
    StageExecutor,
};
use crate::index::StatIndex;
use crate::params::ParamFiles;
use crate::pipeline::files::WorkFiles;
use crate::pipeline::target::{Folders, Names, Targets, Typed};
use crate::pipeline::{FlagStyle, Templates};
use crate::plan::{Course, Plan, Recall};
use crate::process::Cancellation;
use crate::repro::{self, Reach};
use crate::stage_run::Commit;
use crate::testing::YamlOnly;
use crate::workspace::Workspace;

mod jobs;
mod model;
mod world;
