//! Random pipelines and edits, against a model of what must run that knows contents alone: no digests, no lock, no cache.

use super::world::*;
use super::*;

/// What a stage ran with, and what came out.
#[derive(Debug, Clone, PartialEq, Default)]
struct Known {
    /// None when the outputs of a frozen stage were taken as they were found.
    command: Option<String>,
    deps: BTreeMap<String, Content>,
    params: BTreeMap<String, i64>,
    outs: BTreeMap<String, Content>,
}

/// What is remembered of all runs.
#[derive(Debug, Default)]
struct Model {
    /// The last result of each stage.
    last: BTreeMap<usize, Known>,
    /// Results that can be had again when their contents can.
    past: Vec<(usize, Known)>,
    kept: BTreeSet<Content>,
}

impl Model {
    /// What a run of the stages `order` does to `files`, which it changes.
    fn run(&mut self, world: &World, order: &[usize], force: Force, files: &mut Files) -> Did {
        let mut did = Did { order: order.to_vec(), ..Did::default() };
        for number in order {
            if self.step(world, *number, force, files, &mut did).is_none() {
                did.failed = true;
                break;
            }
        }
        did
    }

    /// None when the stage cannot be brought up to date.
    fn step(&mut self, world: &World, number: usize, force: Force, files: &mut Files, did: &mut Did) -> Option<()> {
        let stage = &world.design.stages[number];
        let last = self.last.get(&number).cloned();
        let all_outs = |files: &Files| -> Option<BTreeMap<String, Content>> {
            stage.outs.iter().map(|out| Some((out.path.clone(), at(files, &out.path)?))).collect()
        };
        let are_right = last.as_ref().is_some_and(|last| all_outs(files).as_ref() == Some(&last.outs));
        if world.frozen[number] {
            if !are_right {
                let outs = all_outs(files)?;
                self.keep(stage, &outs, |kind| matches!(kind, Kept::Cached | Kept::Persisted));
                self.last.insert(number, Known { outs, ..last.unwrap_or_default() });
            }
            return Some(());
        }
        let deps: Option<BTreeMap<_, _>> = stage.deps.iter().map(|dep| Some((dep.clone(), at(files, dep)?))).collect();
        let params = stage.params.iter().map(|key| ((*key).to_owned(), world.params[*key])).collect();
        let now = |deps| Known { command: Some(world.command(number)), deps, params, outs: BTreeMap::new() };
        let same = |a: &Known, b: &Known| a.command == b.command && a.deps == b.deps && a.params == b.params;
        let is_forced = force == Force::Yes || stage.always;
        let now = now(deps?);
        if !is_forced && are_right && last.as_ref().is_some_and(|last| same(last, &now)) {
            return Some(());
        }
        let kinds: Vec<Kept> = stage.outs.iter().map(|out| out.kind).collect();
        let is_remembered =
            !(stage.always || kinds.contains(&Kept::Persisted) || stage.deps.is_empty() && stage.params.is_empty());
        if !is_forced && is_remembered {
            let past = self.past.iter().filter(|(of, _)| *of == number).map(|(_, known)| known);
            let obtainable = |known: &&Known| {
                known
                    .outs
                    .iter()
                    .all(|(path, content)| self.kept.contains(content) || at(files, path).as_ref() == Some(content))
            };
            let known = last.iter().chain(past).find(|known| same(known, &now) && obtainable(known)).cloned();
            if let Some(known) = known {
                for (path, content) in &known.outs {
                    put(files, path, content);
                }
                did.restored.push(number);
                self.last.insert(number, known);
                return Some(());
            }
        }
        for out in stage.outs.iter().filter(|out| out.kind != Kept::Persisted) {
            clear(files, &out.path);
        }
        files.extend(written(stage, &world.command(number), &now.deps, &now.params));
        did.ran.push(number);
        let known = Known { outs: all_outs(files)?, ..now };
        let is_remembered = is_remembered && !kinds.contains(&Kept::Uncached);
        self.keep(stage, &known.outs, |kind| match kind {
            Kept::Cached | Kept::Persisted => true,
            Kept::Metric => is_remembered,
            Kept::Uncached => false,
        });
        if is_remembered {
            self.past.push((number, known.clone()));
        }
        self.last.insert(number, known);
        Some(())
    }

    fn keep(&mut self, stage: &StageDesign, outs: &BTreeMap<String, Content>, keeps: impl Fn(Kept) -> bool) {
        for out in stage.outs.iter().filter(|out| keeps(out.kind)) {
            let content = outs[&out.path].clone();
            if let Content::Directory(files) = &content {
                self.kept.extend(files.values().cloned().map(Content::File));
            }
            self.kept.insert(content);
        }
    }
}

fn clear(files: &mut Files, path: &str) {
    files.retain(|name, _| name != path && !name.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')));
}

fn put(files: &mut Files, path: &str, content: &Content) {
    clear(files, path);
    match content {
        Content::File(bytes) => drop(files.insert(path.to_owned(), bytes.clone())),
        Content::Directory(inside) => {
            files.extend(inside.iter().map(|(name, bytes)| (format!("{path}/{name}"), bytes.clone())));
        }
    }
}

/// What a user does between two runs.
#[derive(Debug, Clone)]
enum Edit {
    Write(prop::sample::Index, u8),
    Touch(prop::sample::Index),
    Delete(prop::sample::Index),
    FolderFile(u8, Option<u8>),
    Param(prop::sample::Index, i64),
    Command(prop::sample::Index, u8),
    Tamper(prop::sample::Index, u8),
    DeleteOut(prop::sample::Index),
    Freeze(prop::sample::Index),
    Nothing,
}

impl Edit {
    fn make(&self, world: &mut World) {
        let design = Arc::clone(&world.design);
        let outs: Vec<&OutDesign> = design.stages.iter().flat_map(|stage| &stage.outs).collect();
        let stages = design.stages.len();
        match self {
            Self::Write(source, version) => {
                world.write(SOURCES[source.index(SOURCES.len())], version.to_string().as_bytes());
            }
            Self::Touch(source) => {
                if let Some(Content::File(bytes)) = at(&world.files(), SOURCES[source.index(SOURCES.len())]) {
                    world.write(SOURCES[source.index(SOURCES.len())], &bytes);
                }
            }
            Self::Delete(source) => world.remove(SOURCES[source.index(SOURCES.len())]),
            Self::FolderFile(name, Some(version)) => {
                world.write(&format!("{FOLDER}/{name}"), version.to_string().as_bytes());
            }
            Self::FolderFile(name, None) => world.remove(&format!("{FOLDER}/{name}")),
            Self::Param(key, value) => drop(world.params.insert((*key.get(&PARAMS[..])).to_owned(), *value)),
            Self::Command(stage, version) => world.versions[stage.index(stages)] = *version,
            Self::Tamper(out, version) => {
                let out = out.get(&outs);
                let inside = if out.directory { "/z" } else { "" };
                world.write(&format!("{}{inside}", out.path), format!("by hand {version}").as_bytes());
            }
            Self::DeleteOut(out) => world.remove(&out.get(&outs).path),
            Self::Freeze(stage) => {
                let frozen = &mut world.frozen[stage.index(stages)];
                *frozen = !*frozen;
            }
            Self::Nothing => {}
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (index(), 0..3u8).prop_map(|(source, version)| Edit::Write(source, version)),
        1 => index().prop_map(Edit::Touch),
        1 => index().prop_map(Edit::Delete),
        3 => (0..2u8, prop::option::of(0..3u8)).prop_map(|(name, version)| Edit::FolderFile(name, version)),
        3 => (index(), 0..3i64).prop_map(|(key, value)| Edit::Param(key, value)),
        3 => (index(), 0..3u8).prop_map(|(stage, version)| Edit::Command(stage, version)),
        2 => (index(), 0..2u8).prop_map(|(out, version)| Edit::Tamper(out, version)),
        2 => index().prop_map(Edit::DeleteOut),
        1 => index().prop_map(Edit::Freeze),
        1 => Just(Edit::Nothing),
    ]
}

/// What is asked for; an empty list of targets is all stages.
fn asked() -> impl Strategy<Value = (Vec<prop::sample::Index>, Reach, Force)> {
    let targets = || prop::collection::vec(any::<prop::sample::Index>(), 0..3);
    let force = || prop_oneof![7 => Just(Force::No), 1 => Just(Force::Yes)];
    prop_oneof![
        6 => (targets(), Just(Reach::Upstream), force()),
        1 => (targets(), Just(Reach::Downstream), force()),
        1 => (prop::collection::vec(any::<prop::sample::Index>(), 1..3), Just(Reach::Single), force()),
    ]
}

fn design() -> impl Strategy<Value = Design> {
    let kept = prop_oneof![
        6 => Just(Kept::Cached),
        1 => Just(Kept::Persisted),
        1 => Just(Kept::Uncached),
        1 => Just(Kept::Metric),
    ];
    let deps = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    let params = prop::sample::subsequence(PARAMS.to_vec(), 0..2);
    let outs = prop::collection::vec((any::<bool>(), kept), 1..3);
    let rarely = prop::bool::weighted(0.1);
    let stages = prop::collection::vec((deps, params, outs, rarely, any::<bool>()), 1..7);
    let link = prop_oneof![Just(LinkKind::Copy), Just(LinkKind::Hardlink), Just(LinkKind::Symlink)];
    (stages, link).prop_map(|(seeds, link)| {
        let mut readable: Vec<String> = SOURCES.map(str::to_owned).to_vec();
        readable.extend([FOLDER.to_owned(), format!("{FOLDER}/keep")]);
        let stages = seeds.into_iter().enumerate().map(|(number, (deps, params, outs, always, coarse))| {
            let deps: BTreeSet<String> = deps.iter().map(|dep| dep.get(&readable).clone()).collect();
            let out = |(place, (directory, kind)): (usize, (bool, Kept))| {
                let directory = directory && kind != Kept::Metric;
                OutDesign { path: format!("o{number}{}", ["a", "b"][place]), directory, kind }
            };
            let outs: Vec<OutDesign> = outs.into_iter().enumerate().map(out).collect();
            for out in &outs {
                readable.push(out.path.clone());
                readable.extend(out.directory.then(|| format!("{}/x", out.path)));
            }
            StageDesign { deps: deps.into_iter().collect(), params, outs, always, coarse }
        });
        Design { stages: stages.collect(), link }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_must_run_runs_and_nothing_else(
        design in design(),
        steps in prop::collection::vec((prop::collection::vec(edit(), 0..3), asked()), 1..8),
    ) {
        let mut world = World::new(design);
        let mut model = Model::default();
        for (edits, (targets, reach, force)) in &steps {
            edits.iter().for_each(|edit| edit.make(&mut world));
            let stages = world.design.stages.len();
            let mut targets: Vec<usize> = targets.iter().map(|target| target.index(stages)).collect();
            targets.sort_unstable();
            let asked = Asked { targets, reach: *reach, force: *force };
            let mut files = world.files();
            let did = world.run(&asked);
            let wanted = model.run(&world, &did.order, *force, &mut files);
            prop_assert_eq!(
                (&did.ran, &did.restored, did.failed),
                (&wanted.ran, &wanted.restored, wanted.failed),
                "{:?}", asked
            );
            prop_assert!(files == world.files(), "{:#?}\n{:#?}", files, world.files());
            for (stage, course) in &did.planned {
                let (ran, restored) = (did.ran.contains(stage), did.restored.contains(stage));
                let holds = match course {
                    // What a stage before it writes may be what it wrote before.
                    Course::Run => true,
                    Course::Restore => restored || did.failed,
                    Course::Skip | Course::Leave | Course::Keep | Course::Track => !ran && !restored,
                };
                prop_assert!(holds, "{stage}: {did:?}");
            }
            if did.failed {
                continue;
            }
            let again = world.run(&Asked { force: Force::No, ..asked });
            let always: Vec<usize> = did.order.iter().copied()
                .filter(|stage| world.design.stages[*stage].always && !world.frozen[*stage]).collect();
            prop_assert_eq!((again.ran, again.restored, again.failed), (always, vec![], false));
            prop_assert!(files == world.files());
        }
    }
}
