//! What a plan foresees against what a run then does.

use super::*;
use crate::plan::{Cause, Course, Plan, Reason, Recall, Rules, Step};

/// What was done with each stage.
#[derive(Default)]
struct Seen(Mutex<BTreeMap<String, Course>>);

impl EventSink for Seen {
    fn event(&self, event: Event) {
        let (stage, course) = match event {
            Event::StageFresh { stage } => (stage, Course::Skip),
            Event::StageStarted { stage } => (stage, Course::Run),
            Event::StageRestored { stage } => (stage, Course::Restore),
            _ => return,
        };
        self.0.lock().unwrap().insert(stage, course);
    }
}

/// What a plan says of each stage, and whether that may change once the stages before it ran.
fn plan(project: &Project) -> BTreeMap<String, (Course, bool)> {
    let foreseen = with_runner(project, Arc::new(Silent), |pipeline, graph, order, runner| {
        let workspace = runner.workspace;
        let recall = Recall { observe: workspace, store: workspace.store(), run_cache: runner.run_cache.as_ref() };
        let plan = Plan::make(pipeline, Some(graph), order, Rules::USUAL, Downstream::WhenStale, &recall).unwrap();
        let is_open = |cause: &Cause| matches!(cause.reason, Reason::UpstreamStale { .. });
        let step = |step: Step| (step.why.stage.to_string(), (step.course, step.why.causes.iter().any(is_open)));
        plan.steps.into_iter().map(step).collect()
    });
    foreseen.0
}

fn run_it(project: &Project) -> BTreeMap<String, Course> {
    let seen = Arc::new(Seen::default());
    with_runner(project, Arc::clone(&seen) as Arc<dyn EventSink>, |pipeline, graph, order, runner| {
        run(pipeline, Some(graph), order, jobs(1), runner).unwrap();
    });
    std::mem::take(&mut *seen.0.lock().unwrap())
}

/// What a user may do between two runs.
#[derive(Debug, Clone)]
enum Edit {
    /// Give the source one of a few contents, so that some come again.
    Source(u8),
    /// Remove an output.
    Remove(prop::sample::Index),
    /// Write over an output.
    Overwrite(prop::sample::Index),
    /// Give a stage one of a few commands.
    Command(prop::sample::Index, u8),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        (0..3_u8).prop_map(Edit::Source),
        any::<prop::sample::Index>().prop_map(Edit::Remove),
        any::<prop::sample::Index>().prop_map(Edit::Overwrite),
        (any::<prop::sample::Index>(), 0..2_u8).prop_map(|(stage, version)| Edit::Command(stage, version)),
    ];
    prop::collection::vec(edit, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_run_does_what_its_plan_says((pipeline, stages) in pipelines(), edits in edits(), pairs in any::<bool>()) {
        let project = project(&pipeline);
        run_it(&project);
        let outs: Vec<String> = stages.iter().map(|(name, _)| out_of(&pipeline, name)).collect();
        for (at, edit) in edits.iter().enumerate() {
            match edit {
                Edit::Source(version) => project.write("source", &format!("{version}\n")),
                Edit::Remove(which) => {
                    let _may_be_gone = std::fs::remove_file(project.root().join(which.get(&outs)));
                }
                Edit::Overwrite(which) => project.write(which.get::<String>(&outs), "mine\n"),
                Edit::Command(which, version) => {
                    let (name, _) = which.get(&stages);
                    let commands = format!("cmd: make {name}\n");
                    project.write("dvc.yaml", &pipeline.replace(&commands, &format!("cmd: make {name}  {version}\n")));
                }
            }
            // Sometimes two edits come before a run.
            if pairs && at % 2 == 0 && at + 1 < edits.len() {
                continue;
            }
            let foreseen = plan(&project);
            let done = run_it(&project);
            for (stage, (course, is_open)) in &foreseen {
                if *is_open {
                    prop_assert_eq!(*course, Course::Run);
                } else {
                    prop_assert_eq!(Some(course), done.get(stage), "{} after {:?}: {:?} {:?}", stage, edit, foreseen, done);
                }
            }
            prop_assert_eq!(foreseen.len(), done.len());
            prop_assert!(plan(&project).values().all(|(course, _)| *course == Course::Skip));
        }
    }
}

/// The output of a stage of [`pipelines`].
fn out_of(pipeline: &str, stage: &str) -> String {
    let (_, rest) = pipeline.split_once(&format!("  {stage}:\n")).unwrap();
    let (_, rest) = rest.split_once("outs: [").unwrap();
    rest.split_once(']').unwrap().0.to_owned()
}
