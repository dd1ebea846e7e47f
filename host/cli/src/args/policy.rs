//! `policy` and its commands, and `--policy NAME -o KEY=VALUE`: policies with options, in the order in which they were typed.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Subcommand, error::ErrorKind};

/// Checkpoint policies: which there are, and what they would have done with experiments that ran
///
/// A policy decides which moments of a stage become checkpoints, which checkpoints may go, and
/// whether the stage should stop. A stage names its policies in `dvc.yaml`, in its `meta`:
///
///   meta:
///     dewar:
///       checkpoint:
///         policy:
///           best: {metric: acc, mode: max, keep: 3}
///           stop-early: {metric: loss, mode: min, patience: 5}
///
/// Examples:
///   dewar policy list
///   dewar policy replay --policy best -o metric=acc -o mode=max brave-otter
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// What can be done with policies.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the manual of a command is that of its arguments")]
pub enum PolicyCommand {
    List(PolicyListArgs),
    Replay(PolicyReplayArgs),
}

/// List the checkpoint policies that can be used
///
/// Those that come with dewar, and those of plugin directories.
///
/// Example: `dewar policy list`
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct PolicyListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Tell what checkpoint policies would have done, had they been there
///
/// A policy decides from what happened before, so that a recorded experiment can be decided on
/// again: which checkpoints it would have kept, where it would have stopped the stage and why, and
/// what that would have saved. Nothing is changed. With --verbose, the checkpoints that would be
/// kept are listed.
///
/// Options belong to the policy before them; several policies decide together, as those of a stage
/// do.
///
/// Examples:
///   dewar policy replay --policy best -o metric=acc -o mode=max -o keep=3 brave-otter
///   dewar policy replay --policy stop-early -o metric=loss -o mode=min -o patience=5 e1 e2 e3
///   dewar policy replay --policy every -o n=10 --policy best -o metric=acc -o mode=max 1a2b3c4
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct PolicyReplayArgs {
    /// What decides.
    #[command(flatten)]
    pub policies: PolicySequence,

    /// Experiments: names, or checkpoints up to which is replayed, by the first digits of their commits
    #[arg(required = true, value_name = "EXPERIMENT")]
    pub experiments: Vec<String>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Policies with their options, as typed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PolicySequence(pub Vec<TypedPolicy>);

/// `--policy NAME -o KEY=VALUE -o KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedPolicy {
    /// Its name.
    pub name: String,
    /// Its options.
    pub options: Vec<String>,
}

const POLICY: &str = "policy";
const OPTION: &str = "option";

impl Args for PolicySequence {
    fn augment_args(command: Command) -> Command {
        let policy = Arg::new(POLICY)
            .long(POLICY)
            .value_name("NAME")
            .action(ArgAction::Append)
            .required(true)
            .help("A policy, such as `best`; several decide together (`dewar policy list`)");
        let option = Arg::new(OPTION)
            .short('o')
            .long(OPTION)
            .value_name("KEY=VALUE")
            .action(ArgAction::Append)
            .help("An option of the policy before it; the value is written as behind `-S`");
        command.arg(policy).arg(option)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for PolicySequence {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = |id: &str| -> Vec<(usize, String)> {
            let places = matches.indices_of(id).into_iter().flatten();
            places.zip(matches.get_many::<String>(id).into_iter().flatten().cloned()).collect()
        };
        let mut policies: Vec<(usize, TypedPolicy)> =
            typed(POLICY).into_iter().map(|(place, name)| (place, TypedPolicy { name, options: Vec::new() })).collect();
        for (place, option) in typed(OPTION) {
            match policies.iter_mut().rev().find(|(policy, _)| *policy < place) {
                Some((_, policy)) => policy.options.push(option),
                None => {
                    let message = format!("`-o {option}` stands before the `--policy` that it could belong to");
                    return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
                }
            }
        }
        Ok(Self(policies.into_iter().map(|(_, policy)| policy).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        replay: PolicyReplayArgs,
    }

    fn parse(line: &str) -> Result<PolicyReplayArgs, String> {
        let line = ["replay"].into_iter().chain(line.split(' '));
        Line::try_parse_from(line).map(|line| line.replay).map_err(|error| error.to_string())
    }

    #[test]
    fn options_belong_to_the_policy_before_them() {
        let args = parse("--policy best -o a=1 e1 --option b=2 --policy every --policy best -o a=3 e2").unwrap();
        let typed: Vec<(&str, Vec<&str>)> = args
            .policies
            .0
            .iter()
            .map(|policy| (policy.name.as_str(), policy.options.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(typed, [("best", vec!["a=1", "b=2"]), ("every", vec![]), ("best", vec!["a=3"])]);
        assert_eq!(args.experiments, ["e1", "e2"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(parse("-o a=1 --policy best e1").unwrap_err().contains("`-o a=1` stands before"));
        assert!(parse("e1").unwrap_err().contains("--policy"));
        assert!(parse("--policy best").unwrap_err().contains("EXPERIMENT"));
    }
}
