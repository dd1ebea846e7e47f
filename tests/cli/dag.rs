//! `dag`: the graph for people and for programs, and the parts of it that can be asked for.

use dewar_tests::TestRepo;

use super::bad_input::refusal;
use super::repo;

const PIPELINE: &str = "\
stages:
  a: {cmd: x, outs: [a.out]}
  g:
    foreach: [one, two]
    do: {cmd: x, deps: [a.out], outs: ['g.${item}']}
  m:
    matrix: {k: [1, 2]}
    cmd: x
    deps: [g.one]
    outs: ['m.${item.k}']
  z: {cmd: x, deps: [m.1, m.2, raw], outs: [z.out], metrics: [z.json]}
  lone: {cmd: x}
";

fn project() -> TestRepo {
    let repo = repo();
    repo.dewar(&["init"]).success();
    repo.write("dvc.yaml", PIPELINE).write("raw.dvc", "outs:\n- path: raw\n");
    repo.write("sub/dvc.yaml", "stages:\n  s: {cmd: x, deps: [../z.out], outs: [s.out]}\n");
    repo
}

fn dag(args: &[&str]) -> String {
    project().dewar(&[&["dag"], args].concat()).success()
}

#[test]
fn boxes_for_people() {
    insta::assert_snapshot!(dag(&[]), @"
               +---+
               | a |
               +---+
                 |
            +----+-----+
            |          |
        +-------+  +-------+
        | g@one |  | g@two |
        +-------+  +-------+
            |
       +----+---+
       |        |
    +-----+  +-----+  +---------+
    | m@1 |  | m@2 |  | raw.dvc |
    +-----+  +-----+  +---------+
       |        |          |
       +------+ |   +------+
              | |   |
             +-------+
             |   z   |
             +-------+
                 |
        +----------------+
        | sub/dvc.yaml:s |
        +----------------+
    +------+
    | lone |
    +------+
    ");
}

#[test]
fn graphviz() {
    insta::assert_snapshot!(dag(&["--dot"]), @r#"
    strict digraph {
    "a";
    "g@one";
    "g@two";
    "m@1";
    "m@2";
    "z";
    "lone";
    "raw.dvc";
    "sub/dvc.yaml:s";
    "a" -> "g@one";
    "a" -> "g@two";
    "g@one" -> "m@1";
    "g@one" -> "m@2";
    "m@1" -> "z";
    "m@2" -> "z";
    "raw.dvc" -> "z";
    "z" -> "sub/dvc.yaml:s";
    }
    "#);
}

#[test]
fn mermaid_and_markdown() {
    let mermaid = dag(&["--mermaid", "sub/dvc.yaml"]);
    insta::assert_snapshot!(mermaid, @r#"
    flowchart TD
    	node1["a"]
    	node2["g@one"]
    	node3["m@1"]
    	node4["m@2"]
    	node5["raw.dvc"]
    	node6["sub/dvc.yaml:s"]
    	node7["z"]
    	node1-->node2
    	node2-->node3
    	node2-->node4
    	node3-->node7
    	node4-->node7
    	node5-->node7
    	node7-->node6
    "#);
    assert_eq!(dag(&["--md", "sub/dvc.yaml"]), format!("```mermaid\n{mermaid}```\n"));
    let mermaid = dag(&["--mermaid", "--cd", "sub"]);
    assert!(mermaid.contains("[\"../dvc.yaml:g@one\"]") && mermaid.contains("[\"s\"]"), "{mermaid}");
}

#[test]
fn groups_are_drawn_as_one() {
    insta::assert_snapshot!(dag(&["--collapse-foreach-matrix"]), @"
     +---+
     | a |
     +---+
       |
     +---+
     | g |
     +---+
       |
     +---+  +---------+
     | m |  | raw.dvc |
     +---+  +---------+
       |         |
       +--+   +--+
          |   |
         +-----+
         |  z  |
         +-----+
            |
    +----------------+
    | sub/dvc.yaml:s |
    +----------------+
    +------+
    | lone |
    +------+
    ");
}

#[test]
fn outputs_in_place_of_stages() {
    insta::assert_snapshot!(dag(&["--outs", "z"]), @"
       +-------+
       | a.out |
       +-------+
           |
       +-------+
       | g.one |
       +-------+
           |
       +---+----+
       |        |
    +-----+  +-----+  +-----+
    | m.1 |  | m.2 |  | raw |
    +-----+  +-----+  +-----+
       |        |        |
       |   +----+---+    |
       +---|------+ |    |
       |   | +----|-|----+
       |   | |    | |    |
      +-------+  +--------+
      | z.out |  | z.json |
      +-------+  +--------+
    ");
}

#[test]
fn parts_of_the_graph() {
    let nodes = |args: &[&str]| {
        let text = dag(&[args, &["--dot"]].concat());
        text.lines()
            .filter(|line| !line.contains("->"))
            .filter_map(|line| Some(line.strip_suffix("\";")?.strip_prefix('"')?.to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(nodes(&["m@1"]), ["a", "g@one", "m@1"]);
    assert_eq!(nodes(&["g"]), ["a", "g@one", "g@two"]);
    assert_eq!(nodes(&["m.2"]), ["a", "g@one", "m@2"]);
    assert_eq!(nodes(&["raw"]), ["raw.dvc"]);
    assert_eq!(nodes(&["raw.dvc", "--full"]).len(), 8);
    assert_eq!(nodes(&["lone", "--full"]), ["lone"]);
    assert_eq!(nodes(&["--outs", "z.json"]), ["a.out", "g.one", "m.1", "m.2", "z.json", "raw"]);
    assert_eq!(nodes(&["--outs", "lone"]), [""; 0]);
}

#[test]
fn what_cannot_be_drawn() {
    let repo = project();
    assert!(refusal(&repo, &["dag", "nosuch"], 2).contains("nosuch"));
    repo.dewar(&["dag", "--outs", "--collapse-foreach-matrix"]).failure(2);
    repo.write(
        "sub/dvc.yaml",
        "stages:\n  s: {cmd: x, outs: [z.out], deps: [s.out]}\n  t: {cmd: x, outs: [s.out], deps: [z.out]}\n",
    );
    assert!(refusal(&repo, &["dag"], 3).contains("circle"));
}

#[test]
fn a_project_without_stages_has_no_boxes() {
    let repo = repo();
    repo.dewar(&["init"]).success();
    assert_eq!(repo.dewar(&["dag"]).success(), "");
    assert_eq!(repo.dewar(&["dag", "--mermaid"]).success(), "flowchart TD\n");
}
