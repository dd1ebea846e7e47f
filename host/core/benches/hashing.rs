//! Hashing many small files, one large file, and noticing that nothing changed. `cargo bench -p dewar-core --bench hashing`.

#![allow(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

use std::path::Path;
use std::time::SystemTime;

use dewar_core::cache::WorkTree;
use dewar_core::digest::Algorithm;
use dewar_core::index::StatIndex;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

fn main() {
    divan::main();
}

/// A project with `count` files of 1 KiB below `many`, 1000 in a folder.
fn many(count: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..count {
        let folder = dir.path().join(format!("many/{}", number / 1000));
        if number % 1000 == 0 {
            std::fs::create_dir_all(&folder).unwrap();
        }
        let text = format!("{number:0>1024}");
        std::fs::write(folder.join(format!("{number}.txt")), text).unwrap();
    }
    dir
}

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Blake3, Algorithm::Md5];

#[divan::bench(args = ALGORITHMS, sample_count = 10)]
fn files_of_1_kib(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let dir = many(10_000);
    bencher.counter(ItemsCount::new(10_000_usize)).bench_local(|| {
        let index = StatIndex::open(dir.path().join("index"), SystemTime::now);
        WorkTree::open(dir.path(), &index).unwrap().scan(Path::new("many"), algorithm).unwrap()
    });
}

#[divan::bench(args = ALGORITHMS, sample_count = 10)]
fn one_file_of_256_mib(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..256_u32 << 20).map(|number| (number % 251) as u8).collect();
    std::fs::write(dir.path().join("large"), &bytes).unwrap();
    bencher.counter(BytesCount::new(256_usize << 20)).bench_local(|| {
        let index = StatIndex::open(dir.path().join("index"), SystemTime::now);
        WorkTree::open(dir.path(), &index).unwrap().scan(Path::new("large"), algorithm).unwrap()
    });
}

/// The second look at a directory: walk, stat and one fast hash. The index is opened anew, as by a new process.
#[divan::bench(args = [10_000, 100_000], sample_count = 10)]
fn nothing_changed(bencher: Bencher<'_, '_>, count: usize) {
    let dir = many(count);
    let open = || StatIndex::open(dir.path().join("index"), SystemTime::now);
    let index = open();
    WorkTree::open(dir.path(), &index).unwrap().scan(Path::new("many"), Algorithm::Blake3).unwrap();
    index.save().unwrap();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let index = open();
        WorkTree::open(dir.path(), &index).unwrap().scan(Path::new("many"), Algorithm::Blake3).unwrap()
    });
}

/// What [`nothing_changed`] cannot do without: walking and looking at every file.
#[divan::bench(args = [10_000, 100_000], sample_count = 10)]
fn floor_of_nothing_changed(bencher: Bencher<'_, '_>, count: usize) {
    use rayon::prelude::*;
    let dir = many(count);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let folders: Vec<_> = std::fs::read_dir(dir.path().join("many")).unwrap().flatten().collect();
        let sizes = folders.par_iter().map(|folder| {
            let entries: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
            entries.par_iter().with_min_len(512).map(|entry| entry.metadata().unwrap().len()).sum::<u64>()
        });
        sizes.sum::<u64>()
    });
}
