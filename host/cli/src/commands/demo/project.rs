//! The project that `dewar demo` writes: its files, and the experiments that tell its story.

use std::fs;
use std::io;
use std::path::Path;

use dewar_core::fs::{FsError, create_dir, write_atomic};

use crate::failure::{Failure, Kind};

/// Path and content of each file.
const FILES: [(&str, &str); 8] = [
    ("README.md", include_str!("template/README.md")),
    ("data/measurements.csv", include_str!("template/data/measurements.csv")),
    ("dvc.yaml", include_str!("template/dvc.yaml")),
    ("params.yaml", include_str!("template/params.yaml")),
    ("src/evaluate.awk", include_str!("template/src/evaluate.awk")),
    ("src/params.awk", include_str!("template/src/params.awk")),
    ("src/prepare.awk", include_str!("template/src/prepare.awk")),
    ("src/train.awk", include_str!("template/src/train.awk")),
];

/// What `-S` sets in one experiment after the other, each on top of those before: a curve can tell the machines apart where a
/// line cannot, learning faster and longer brings it further, and too strong a rein holds it back.
pub const SWEEP: [&str; 4] = ["train.degree=2", "train.learning_rate=1", "train.epochs=200", "train.l2=0.1"];

/// Writes the project to `dir`, which must not exist or be empty.
///
/// # Errors
/// When there is something already, or it cannot be written.
pub fn write(dir: &Path) -> Result<(), Failure> {
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                let message = format!("`{}` is not empty", dir.display());
                return Err(Failure::new(Kind::Repository, message).hint("name another folder: `dewar demo DIR`"));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_dir(dir)?,
        Err(error) => return Err(FsError::new("read the folder", dir)(error).into()),
    }
    for (path, content) in FILES {
        write_atomic(&dir.join(path), content.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Every `cmd` of the template's `dvc.yaml`, in order.
    fn commands() -> Vec<&'static str> {
        let lines = include_str!("template/dvc.yaml").lines().map(str::trim);
        lines
            .filter_map(|line| {
                line.strip_prefix("cmd: ").or_else(|| line.strip_prefix("- ")).filter(|line| line.contains(' '))
            })
            .collect()
    }

    #[test]
    fn the_stages_run_with_a_shell_and_awk() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("demo");
        write(&dir).unwrap();
        let commands = commands();
        assert_eq!(commands.len(), 4);
        for command in commands {
            let output = Command::new("sh").args(["-c", command]).current_dir(&dir).output().unwrap();
            assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        }
        // The same digits on every awk: the template uses nothing whose result they may choose.
        let metrics = fs::read_to_string(dir.join("metrics.json")).unwrap();
        assert_eq!(metrics, "{\n  \"accuracy\": 0.6300,\n  \"found\": 0.6383,\n  \"loss\": 0.9578\n}\n");
    }

    #[test]
    fn a_folder_in_use_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine"), "").unwrap();
        assert_eq!(write(dir.path()).unwrap_err().kind(), Kind::Repository);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_sweep_sets_parameters_that_there_are() {
        let params = include_str!("template/params.yaml");
        for assignment in SWEEP {
            let name = assignment.split('=').next().unwrap().strip_prefix("train.").unwrap();
            assert!(params.contains(&format!("\n  {name}: ")), "{name}");
        }
    }
}
