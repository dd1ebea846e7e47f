//! [`Batch`]: the objects that are to be in a remote and in the cache, named by outputs. A directory brings its files.

use std::collections::{BTreeSet, HashMap, HashSet};

use indexmap::IndexMap;
use rayon::prelude::*;

use super::{Absent, RemoteError};
use crate::cache::{CacheError, ObjectStore, Part, Tree};
use crate::digest::ObjectId;
use crate::path::RepoPath;

/// Objects for one remote.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    named: IndexMap<ObjectId, Named>,
}

/// The outputs that name an object, and which part of it is meant.
#[derive(Debug, Clone, Default)]
struct Named {
    paths: BTreeSet<RepoPath>,
    /// Paths inside a directory; none for all of it.
    parts: Option<BTreeSet<String>>,
}

impl Batch {
    /// Adds the content of the output at `path`.
    pub fn add(&mut self, id: &ObjectId, path: &RepoPath) {
        let named = self.named.entry(id.clone()).or_default();
        named.paths.insert(path.clone());
        named.parts = None;
    }

    /// Adds what is at `inner`, a path inside the directory that is the output at `path`.
    pub fn add_part(&mut self, id: &ObjectId, path: &RepoPath, inner: String) {
        let nothing = || Named { parts: Some(BTreeSet::new()), ..Named::default() };
        let named = self.named.entry(id.clone()).or_insert_with(nothing);
        named.paths.insert(path.clone());
        if let Some(parts) = &mut named.parts {
            parts.insert(inner);
        }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Adds all that is in another one.
    pub fn extend(&mut self, other: Self) {
        for (id, named) in other.named {
            for path in &named.paths {
                match &named.parts {
                    None => self.add(&id, path),
                    Some(parts) => parts.iter().for_each(|inner| self.add_part(&id, path, inner.clone())),
                }
            }
        }
    }

    /// All objects of it, as far as the cache has the listings.
    ///
    /// # Errors
    /// When a listing cannot be read.
    pub(super) fn objects(&self, store: &ObjectStore) -> Result<Objects, RemoteError> {
        let mut objects = Objects::default();
        let mut files: HashSet<ObjectId> = HashSet::new();
        let read = |(id, named): (&ObjectId, &Named)| {
            let tree = id.is_directory().then(|| store.tree(id)).transpose();
            (id.clone(), named.clone(), tree)
        };
        let named: Vec<_> = self.named.iter().collect();
        for (id, Named { paths, parts }, tree) in named.into_par_iter().map(read).collect::<Vec<_>>() {
            let first = || paths.first().map(ToString::to_string).unwrap_or_default();
            match tree {
                Ok(None) => {
                    files.insert(id.clone());
                    objects.plain.extend(paths.into_iter().map(|path| (id.clone(), path)));
                }
                Ok(Some(tree)) => {
                    let listing = Listing::new(id, paths, tree, parts, &mut objects.unknown);
                    files.extend(listing.files().map(|(_, id)| id.clone()));
                    objects.listings.push(listing);
                }
                Err(CacheError::Missing { .. }) => objects.unlisted.push(Absent { path: first(), id }),
                Err(CacheError::Corrupt { .. }) => objects.damaged.push(Absent { path: first(), id }),
                // Its name is right, and it is no listing: of no more use, wherever it came from.
                Err(CacheError::BadTree { .. }) => match store.discard(&id) {
                    CacheError::Corrupt { .. } => objects.damaged.push(Absent { path: first(), id }),
                    error => return Err(error.into()),
                },
                Err(error) => return Err(error.into()),
            }
        }
        objects.files = files.into_iter().collect();
        // Files of one folder of the remote go together.
        objects.files.par_sort_unstable();
        Ok(objects)
    }
}

/// The objects of a batch.
#[derive(Default)]
pub(super) struct Objects {
    /// All that are no listings, each once.
    pub(super) files: Vec<ObjectId>,
    pub(super) listings: Vec<Listing>,
    /// Directories whose listing the cache lacks.
    pub(super) unlisted: Vec<Absent>,
    /// Directories whose listing was damaged in the cache, and has been removed.
    pub(super) damaged: Vec<Absent>,
    /// Paths that are not in their directory.
    pub(super) unknown: Vec<Absent>,
    plain: Vec<(ObjectId, RepoPath)>,
}

/// A directory.
pub(super) struct Listing {
    pub(super) id: ObjectId,
    paths: BTreeSet<RepoPath>,
    pub(super) tree: Tree,
    is_whole: bool,
    parts: Vec<(String, Part)>,
}

impl Listing {
    /// What is meant of the directory at `paths`; parts that it does not have are added to `unknown`.
    fn new(
        id: ObjectId,
        paths: BTreeSet<RepoPath>,
        tree: Tree,
        wanted: Option<BTreeSet<String>>,
        unknown: &mut Vec<Absent>,
    ) -> Self {
        let is_whole = wanted.is_none();
        let mut parts = Vec::new();
        for inner in wanted.unwrap_or_default() {
            match (tree.part(&inner), paths.first()) {
                (Some(part), _) => parts.push((inner, part)),
                (None, Some(path)) => unknown.push(Absent { path: format!("{path}/{inner}"), id: id.clone() }),
                (None, None) => {}
            }
        }
        Self { id, paths, tree, is_whole, parts }
    }

    /// Where the project has it, and the files of it that are meant.
    fn places(&self) -> impl Iterator<Item = (String, &ObjectId)> {
        self.paths.iter().flat_map(|path| {
            let inside = self.files().map(move |(inner, id)| (format!("{path}/{inner}"), id));
            std::iter::once((path.to_string(), &self.id)).chain(inside)
        })
    }

    /// The files of it that are meant, by their paths in it.
    fn files(&self) -> Box<dyn Iterator<Item = (String, &ObjectId)> + '_> {
        if self.is_whole {
            return Box::new(self.tree.files().map(|(path, id)| (path.to_owned(), id)));
        }
        Box::new(self.parts.iter().flat_map(|(inner, part)| match part {
            Part::File(id) => vec![(inner.clone(), id)],
            Part::Folder(tree) => tree.files().map(|(path, id)| (format!("{inner}/{path}"), id)).collect(),
        }))
    }
}

impl Objects {
    /// The files of directories of which a part is meant.
    pub(super) fn others(&self) -> impl Iterator<Item = &ObjectId> {
        self.listings
            .iter()
            .filter(|listing| !listing.is_whole)
            .flat_map(|listing| listing.tree.files().map(|(_, id)| id))
    }

    /// Where the project has each object.
    pub(super) fn all_places(&self) -> impl Iterator<Item = (String, &ObjectId)> {
        let plain = self.plain.iter().map(|(id, path)| (path.to_string(), id));
        plain.chain(self.listings.iter().flat_map(Listing::places))
    }

    /// Where the project has objects, each once, in order of path.
    pub(super) fn places(&self, ids: &[&ObjectId]) -> Vec<Absent> {
        if ids.is_empty() {
            return Vec::new();
        }
        let ids: HashSet<&ObjectId> = ids.iter().copied().collect();
        let mut found: HashMap<&ObjectId, String> = HashMap::new();
        for (path, id) in self.all_places().filter(|(_, id)| ids.contains(id)) {
            found.entry(id).or_insert(path);
        }
        let mut places: Vec<Absent> = found.into_iter().map(|(id, path)| Absent { path, id: id.clone() }).collect();
        places.sort();
        places
    }
}
