//! [`Finder`]: files of commits by their names. A folder that was looked at for one commit is not looked at for another: of
//! thousands of experiments nearly all folders are the same.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use git2::{ObjectType, Oid};

use super::{Git, GitError};
use crate::path::RepoPath;

/// Finds the files whose last part is wanted.
pub struct Finder<'git> {
    git: &'git Git,
    wanted: fn(&str) -> bool,
    /// The wanted files below folders, by the names of the trees; paths are those from the folder.
    known: RefCell<HashMap<Oid, Rc<[RepoPath]>>>,
}

impl<'git> Finder<'git> {
    /// Nothing is looked at yet.
    #[must_use]
    pub fn new(git: &'git Git, wanted: fn(&str) -> bool) -> Self {
        Self { git, wanted, known: RefCell::default() }
    }

    /// The files below a tree, in the order of the paths' bytes.
    pub(super) fn below(&self, top: Oid) -> Result<Rc<[RepoPath]>, GitError> {
        // Not by recursion: a hostile tree may be deep. A folder waits below the folders in it.
        let mut waiting = vec![top];
        while let Some(id) = waiting.last().copied() {
            let unknown = self.look_at(id)?;
            if unknown.is_empty() {
                waiting.pop();
            }
            waiting.extend(unknown);
        }
        Ok(self.known.borrow().get(&top).map_or_else(|| Rc::from([]), Rc::clone))
    }

    /// The folders in a tree that are not known yet; when there are none, the tree is known from now on.
    fn look_at(&self, id: Oid) -> Result<Vec<Oid>, GitError> {
        let mut known = self.known.borrow_mut();
        if known.contains_key(&id) {
            return Ok(Vec::new());
        }
        let tree = self.git.repo.find_tree(id).map_err(GitError::operation("list the files of", id))?;
        let (mut files, mut unknown) = (Vec::new(), Vec::new());
        for entry in &tree {
            // A tree made by hand can have any name in it.
            let Some(name) = entry.name().ok().filter(|name| !matches!(*name, "." | "..")) else { continue };
            match entry.kind() {
                Some(ObjectType::Tree) => match known.get(&entry.id()) {
                    Some(below) => {
                        let folder = RepoPath::root().join(name)?;
                        for file in below.iter() {
                            files.push(folder.join(file.as_str())?);
                        }
                    }
                    None => unknown.push(entry.id()),
                },
                Some(ObjectType::Blob) if (self.wanted)(name) => files.push(RepoPath::root().join(name)?),
                _ => {}
            }
        }
        if unknown.is_empty() {
            files.sort();
            known.insert(id, files.into());
        }
        Ok(unknown)
    }
}
