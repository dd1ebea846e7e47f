//! Random pipelines against the definitions, read off all pairs.

use super::*;

/// Paths that lie in each other, and some that only sort as if they did.
const PATHS: [&str; 14] = ["a", "a-b", "a.b", "a/b", "a/b/c", "a/b.c", "a/d", "a0", "b", "b/a", "c", "c/d/e", "d", "e"];

#[derive(Debug, Clone)]
struct Seed {
    deps: Vec<&'static str>,
    params: Option<&'static str>,
    outs: Vec<&'static str>,
    frozen: bool,
}

fn seeds() -> impl Strategy<Value = Vec<Seed>> {
    let deps = prop::sample::subsequence(PATHS.to_vec(), 0..3);
    let params = prop::option::weighted(0.2, prop::sample::select(PATHS.to_vec()));
    let outs = prop_oneof![
        1 => prop::sample::subsequence(PATHS.to_vec(), 2),
        9 => prop::sample::subsequence(PATHS.to_vec(), 0..2),
    ];
    let seed = (deps, params, outs, prop::bool::weighted(0.2)).prop_map(|(deps, params, outs, frozen)| Seed {
        deps,
        params,
        outs,
        frozen,
    });
    prop::collection::vec(seed, 1..8)
}

fn text(seeds: &[Seed]) -> String {
    let mut text = String::from("stages:\n");
    for (number, Seed { deps, params, outs, frozen }) in seeds.iter().enumerate() {
        let params = params.map(|file| format!("{{{file}: }}")).unwrap_or_default();
        let (deps, outs) = (deps.join(", "), outs.join(", "));
        text +=
            &format!("  s{number}: {{cmd: x, deps: [{deps}], params: [{params}], outs: [{outs}], frozen: {frozen}}}\n");
    }
    text
}

/// Whether one is the other or lies in it.
fn is_in(inner: &str, outer: &str) -> bool {
    inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether stage `a` needs stage `b` directly.
fn needs(seeds: &[Seed], a: usize, b: usize) -> bool {
    let inputs = seeds[a].deps.iter().chain(&seeds[a].params);
    inputs.copied().any(|input| seeds[b].outs.iter().any(|out| is_in(input, out) || is_in(out, input)))
}

/// All that can be reached over at least one step of `next`.
fn reached(count: usize, from: usize, next: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let mut grows = true;
    while grows {
        let at: Vec<usize> = found.iter().copied().chain([from]).collect();
        let new = |to: &usize| !found.contains(to) && at.iter().any(|at| next(*at, *to));
        let new: Vec<usize> = (0..count).filter(new).collect();
        grows = !new.is_empty();
        found.extend(new);
    }
    found
}

fn numbers(order: &[StageId]) -> Vec<usize> {
    order.iter().map(|id| id.0 as usize).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn graphs_are_what_all_pairs_say(seeds in seeds(), picks in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let pipeline = pipeline(&text(&seeds));
        let count = seeds.len();
        let writers: Vec<(usize, &str)> =
            seeds.iter().enumerate().flat_map(|(at, seed)| seed.outs.iter().map(move |out| (at, *out))).collect();
        let pairs = || writers.iter().flat_map(|a| writers.iter().map(move |b| (a, b))).filter(|(a, b)| a != b);
        let is_twice = pairs().any(|(a, b)| a.1 == b.1);
        let overlaps = pairs().any(|(a, b)| a.1 != b.1 && is_in(a.1, b.1));
        let cycles: Vec<usize> =
            (0..count).filter(|from| reached(count, *from, |a, b| needs(&seeds, a, b)).contains(from)).collect();
        let number = |stage: &StageAddress| pipeline.find(stage).unwrap().0 as usize;
        let graph = match StageGraph::build(&pipeline) {
            Ok(graph) => graph,
            Err(GraphError::DuplicateOutput { path, first, second }) => {
                prop_assert!(is_twice);
                for stage in [&first, &second] {
                    prop_assert!(seeds[number(stage)].outs.contains(&path.as_str()));
                }
                prop_assert_ne!(first, second);
                return Ok(());
            }
            Err(GraphError::Overlap { outer, outer_stage, inner, inner_stage }) => {
                prop_assert!(!is_twice && overlaps && outer != inner && is_in(inner.as_str(), outer.as_str()));
                prop_assert!(seeds[number(&outer_stage)].outs.contains(&outer.as_str()));
                prop_assert!(seeds[number(&inner_stage)].outs.contains(&inner.as_str()));
                return Ok(());
            }
            Err(GraphError::Cycle { stages, paths }) => {
                prop_assert!(!is_twice && !overlaps && !cycles.is_empty());
                prop_assert_eq!(stages.len(), paths.len());
                for (at, path) in paths.iter().enumerate() {
                    let (from, to) = (number(&stages[at]), number(&stages[(at + 1) % stages.len()]));
                    prop_assert!(needs(&seeds, from, to) && seeds[to].outs.contains(&path.as_str()));
                }
                let distinct: std::collections::BTreeSet<_> = stages.iter().collect();
                prop_assert_eq!(distinct.len(), stages.len());
                return Ok(());
            }
        };
        prop_assert!(!is_twice && !overlaps && cycles.is_empty());
        for a in 0..count {
            let wanted: Vec<usize> = (0..count).filter(|b| needs(&seeds, a, *b)).collect();
            prop_assert_eq!(numbers(&graph.needs(StageId(a as u32))), wanted);
            let wanted: Vec<usize> = (0..count).filter(|b| needs(&seeds, *b, a)).collect();
            prop_assert_eq!(numbers(&graph.needed_by(StageId(a as u32))), wanted);
        }
        let targets: Vec<usize> = picks.iter().map(|pick| pick.index(count)).collect();
        let ids: Vec<StageId> = targets.iter().map(|target| StageId(*target as u32)).collect();
        let with_targets = |next: &dyn Fn(usize, usize) -> bool| {
            let found = targets.iter().flat_map(|target| reached(count, *target, next).into_iter().chain([*target]));
            found.collect::<std::collections::BTreeSet<usize>>()
        };
        let upstream = numbers(&graph.upstream_first(&pipeline, &ids));
        let downstream = numbers(&graph.downstream(&ids));
        let follows = |a: usize, b: usize| !seeds[a].frozen && needs(&seeds, a, b);
        prop_assert_eq!(upstream.iter().copied().collect::<std::collections::BTreeSet<_>>(), with_targets(&follows));
        let wanted = with_targets(&|a, b| needs(&seeds, b, a));
        prop_assert_eq!(downstream.iter().copied().collect::<std::collections::BTreeSet<_>>(), wanted);
        let in_order = |order: &[usize], before: &dyn Fn(usize, usize) -> bool| {
            (0..order.len()).all(|at| order[at + 1..].iter().all(|later| *later != order[at] && !before(order[at], *later)))
        };
        prop_assert!(in_order(&upstream, &follows), "{:?}", upstream);
        prop_assert!(in_order(&downstream, &|a, b| needs(&seeds, a, b)), "{:?}", downstream);
    }
}
