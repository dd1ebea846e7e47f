use clap::CommandFactory;

use super::*;

/// Parses `line` as the arguments of one command.
fn parse<T: Args>(line: &[&str]) -> Result<T, clap::Error> {
    let command = T::augment_args(clap::Command::new("test").no_binary_name(true));
    T::from_arg_matches(&command.try_get_matches_from(line)?)
}

/// Checks what clap can check of a definition.
fn check<T: Args>() {
    T::augment_args(clap::Command::new("test")).debug_assert();
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
    check::<project::InitArgs>();
    check::<project::StatusArgs>();
    check::<project::DemoArgs>();
    check::<data::AddArgs>();
    check::<data::CheckoutArgs>();
    check::<run::ReproArgs>();
    check::<stage::StageArgs>();
    check::<stage::FreezeArgs>();
    check::<stage::UnfreezeArgs>();
    check::<stage::RemoveArgs>();
    check::<dag::DagArgs>();
    check::<config::ConfigArgs>();
    check::<exp::ExpArgs>();
    check::<compare::ParamsArgs>();
    check::<compare::MetricsArgs>();
}

#[test]
fn the_command_of_a_stage_keeps_its_flags() {
    let args: stage::StageAddArgs =
        parse(&["-n", "train", "-d", "a", "-d", "b", "-p", "x,y", "python", "train.py", "-n", "3", "--force"]).unwrap();
    assert_eq!(args.name, "train");
    assert_eq!(args.deps, ["a", "b"]);
    assert_eq!(args.command, ["python", "train.py", "-n", "3", "--force"]);
    assert!(!args.force);
    assert!(parse::<stage::StageAddArgs>(&["-n", "train"]).is_err());
}

#[test]
fn parameters_are_taken_as_typed() {
    let args: run::ExpRunArgs =
        parse(&["-S", "lr=0.1", "-S", "~old", "--set-param", "c.toml:+x=[1,2]", "train"]).unwrap();
    assert_eq!(args.set_param, ["lr=0.1", "~old", "c.toml:+x=[1,2]"]);
    assert_eq!(args.stages.targets, ["train"]);
}

#[test]
fn stages_are_selected_in_one_way() {
    assert!(parse::<run::ReproArgs>(&["--single-stage", "train"]).unwrap().stages.single_item);
    for line in [&["-P", "train"][..], &["-P", "-s"], &["-p", "-s", "a"], &["-s", "--downstream"], &["-R"], &["--glob"]]
    {
        assert!(parse::<run::ReproArgs>(line).is_err(), "{line:?}");
    }
}

#[test]
fn a_table_has_one_form() {
    assert!(parse::<exp::ExpShowArgs>(&["--json", "--csv"]).is_err());
    assert_eq!(parse::<exp::ExpShowArgs>(&["-n", "-1"]).unwrap().baseline.num, Some(-1));
    assert!(parse::<exp::ExpShowArgs>(&["--precision", "0"]).is_err());
}

#[test]
fn what_to_remove_must_be_said() {
    assert!(parse::<exp::ExpRemoveArgs>(&[]).is_err());
    assert!(parse::<exp::ExpRemoveArgs>(&["a", "-A"]).is_err());
    assert!(parse::<exp::ExpRemoveArgs>(&["--keep", "a"]).is_ok());
}

#[test]
fn a_setting_is_printed_changed_or_taken_away() {
    for line in
        [&[][..], &["-u"], &["-u", "a.b", "c"], &["-l", "a.b"], &["a.b", "--json"], &["a.b", "--local", "--global"]]
    {
        assert!(parse::<config::ConfigArgs>(line).is_err(), "{line:?}");
    }
    assert!(parse::<config::ConfigArgs>(&["-l", "--show-origin", "--system"]).is_ok());
    assert_eq!(parse::<config::ConfigArgs>(&["remote.r.url", "/r"]).unwrap().value.unwrap(), "/r");
}

#[test]
fn a_graph_has_one_form() {
    assert!(parse::<dag::DagArgs>(&["--dot", "--md"]).is_err());
    assert!(parse::<dag::DagArgs>(&["--outs", "--collapse-foreach-matrix"]).is_err());
    assert!(parse::<dag::DagArgs>(&["--md", "--mermaid", "train"]).is_ok());
}
