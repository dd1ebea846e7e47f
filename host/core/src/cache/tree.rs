//! [`Tree`]: the listing that names a directory's content, byte for byte as DVC writes it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::digest::{Algorithm, Hasher, ObjectId};
use crate::python::escape_json;

/// The files of a directory: relative path (`/`-separated, no `.`, `..` or empty part) to content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    algorithm: Algorithm,
    files: BTreeMap<String, ObjectId>,
}

/// What stands at a path inside a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A file of this content.
    File(ObjectId),
    /// A folder with these files.
    Folder(Tree),
}

/// Why a listing is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// It is not a JSON list of objects with `relpath` and a digest.
    #[error("{0}")]
    Syntax(String),
    /// A path that leads out of the directory, or is not in its simplest form.
    #[error("`{0}` is not a path inside the directory")]
    Path(String),
    /// Two entries for one path, or a file where another entry needs a folder.
    #[error("`{0}` is in it twice")]
    Duplicate(String),
    /// A digest that is none, or of another algorithm.
    #[error("`{0}` has no digest of the right kind")]
    Digest(String),
}

impl Tree {
    /// A tree of these files.
    ///
    /// # Errors
    /// When a path is not inside, or in it twice, or a digest is that of a directory or of another algorithm.
    pub fn new(algorithm: Algorithm, entries: impl IntoIterator<Item = (String, ObjectId)>) -> Result<Self, TreeError> {
        let mut files = BTreeMap::new();
        for (path, id) in entries {
            if path.contains('\0') || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(TreeError::Path(path));
            }
            if id.algorithm() != algorithm || id.is_directory() {
                return Err(TreeError::Digest(path));
            }
            if files.insert(path.clone(), id).is_some() {
                return Err(TreeError::Duplicate(path));
            }
        }
        // A file that another entry needs as a folder.
        for path in files.keys() {
            let mut part = path.as_str();
            while let Some((folder, _)) = part.rsplit_once('/') {
                if files.contains_key(folder) {
                    return Err(TreeError::Duplicate(folder.to_owned()));
                }
                part = folder;
            }
        }
        Ok(Self { algorithm, files })
    }

    /// Reads a listing.
    ///
    /// # Errors
    /// When it is none; a hostile listing cannot name a place outside the directory.
    pub fn parse(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, TreeError> {
        #[derive(Deserialize)]
        struct Entry {
            relpath: String,
            md5: Option<String>,
            blake3: Option<String>,
        }
        let entries: Vec<Entry> =
            serde_json::from_slice(bytes).map_err(|error| TreeError::Syntax(error.to_string()))?;
        let files = entries.into_iter().map(|entry| {
            let digest = if algorithm == Algorithm::Blake3 { entry.blake3 } else { entry.md5 };
            let id = digest.and_then(|digest| ObjectId::parse(algorithm, &digest).ok());
            id.map(|id| (entry.relpath.clone(), id)).ok_or(TreeError::Digest(entry.relpath))
        });
        Self::new(algorithm, files.collect::<Result<Vec<_>, _>>()?)
    }

    /// The listing: what Python's `json.dumps(files, sort_keys=True)` gives, sorted by path.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = String::with_capacity(self.files.len() * 96 + 2);
        text.push('[');
        for (path, id) in &self.files {
            if text.len() > 1 {
                text.push_str(", ");
            }
            // Both `blake3` and `md5` sort before `relpath`.
            text.push_str("{\"");
            text.push_str(self.algorithm.key());
            text.push_str("\": \"");
            text.push_str(id.as_str());
            text.push_str("\", \"relpath\": \"");
            escape_json(path, &mut text);
            text.push_str("\"}");
        }
        text.push(']');
        text.into_bytes()
    }

    /// The name of the listing, given its bytes. Listings are hashed as they are, also for DVC 2's algorithm.
    #[must_use]
    pub fn id(&self, bytes: &[u8]) -> ObjectId {
        Hasher::digest(self.algorithm, bytes).into_directory()
    }

    /// The files, sorted by path.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&str, &ObjectId)> {
        self.files.iter().map(|(path, id)| (path.as_str(), id))
    }

    /// What a folder inside of the directory holds; none when there is no such folder.
    #[must_use]
    pub fn folder(&self, path: &str) -> Option<Self> {
        let inside = |(file, id): (&String, &ObjectId)| {
            let rest = file.strip_prefix(path)?.strip_prefix('/')?;
            Some((rest.to_owned(), id.clone()))
        };
        let files: BTreeMap<String, ObjectId> = self.files.iter().filter_map(inside).collect();
        (!files.is_empty()).then_some(Self { algorithm: self.algorithm, files })
    }

    /// What stands at `inner`, a file or a folder; none when nothing does.
    #[must_use]
    pub fn part(&self, inner: &str) -> Option<Part> {
        if let Some(id) = self.files.get(inner) {
            return Some(Part::File(id.clone()));
        }
        self.folder(inner).map(Part::Folder)
    }

    /// The same with what stands at `inner` replaced by `part`, or taken away.
    ///
    /// # Errors
    /// When the part does not fit beside the rest.
    pub fn with_part(&self, inner: &str, part: Option<Part>) -> Result<Self, TreeError> {
        let is_inside =
            |path: &str| path == inner || path.strip_prefix(inner).is_some_and(|rest| rest.starts_with('/'));
        let mut files: Vec<(String, ObjectId)> =
            self.files().filter(|(path, _)| !is_inside(path)).map(|(path, id)| (path.to_owned(), id.clone())).collect();
        match part {
            Some(Part::File(id)) => files.push((inner.to_owned(), id)),
            Some(Part::Folder(tree)) => {
                files.extend(tree.files.into_iter().map(|(path, id)| (format!("{inner}/{path}"), id)));
            }
            None => {}
        }
        Self::new(self.algorithm, files)
    }

    /// How its files are named.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The content of the file at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&ObjectId> {
        self.files.get(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(byte: u8) -> ObjectId {
        Hasher::digest(Algorithm::Md5, &[byte])
    }

    /// Made with `dvc add` of DVC 3.67.1.
    #[test]
    fn a_listing_is_that_of_dvc() {
        let md5 = |text: &str| ObjectId::parse(Algorithm::Md5, text).unwrap();
        let tree = Tree::new(
            Algorithm::Md5,
            [
                ("x".to_owned(), md5("b026324c6904b2a9cb4b88d6d61c81d1")),
                ("ünï \"q\" 🙂".to_owned(), md5("b1308e45d7501076cd34ebb17d843a9b")),
                ("a/s".to_owned(), md5("f4d5d0c0671be202bc241807c243e80b")),
                ("sub/a\u{7f}b\tc".to_owned(), md5("4de65a449f4095cc0a5267b3837d60d2")),
                ("a.b".to_owned(), md5("3b5d5c3712955042212316173ccf37be")),
                ("linkfile".to_owned(), md5("a8a78d0ff555c931f045b6f448129846")),
            ],
        )
        .unwrap();
        assert_eq!(tree.id(&tree.to_bytes()).as_str(), "27db06dac36eb7f693e0ec4838594102.dir");
        let empty = Tree::new(Algorithm::Md5, []).unwrap();
        assert_eq!(empty.id(&empty.to_bytes()).as_str(), "d751713988987e9331980363e24189ce.dir");
    }

    #[test]
    fn hostile_listings_are_refused() {
        let one = |path: &str| format!(r#"[{{"md5": "{}", "relpath": "{path}"}}]"#, id(1));
        for path in ["/etc/x", "../x", "a/../../x", "a//b", "", ".", "a/./b", "a\\u0000b"] {
            assert!(matches!(Tree::parse(Algorithm::Md5, one(path).as_bytes()), Err(TreeError::Path(_))), "{path}");
        }
        for bad in ["", "{}", "[1]", r#"[{"md5": 3, "relpath": "a"}]"#, r#"[{"relpath": ["a"]}]"#] {
            assert!(matches!(Tree::parse(Algorithm::Md5, bad.as_bytes()), Err(TreeError::Syntax(_))), "{bad}");
        }
        let text = format!(r#"[{{"md5": "{}.dir", "relpath": "a"}}]"#, id(1));
        assert!(matches!(Tree::parse(Algorithm::Md5, text.as_bytes()), Err(TreeError::Digest(_))));
        assert!(matches!(Tree::parse(Algorithm::Blake3, one("a").as_bytes()), Err(TreeError::Digest(_))));
        let twice = |a: &str, b: &str| Tree::new(Algorithm::Md5, [(a.to_owned(), id(1)), (b.to_owned(), id(2))]);
        assert!(matches!(twice("a", "a"), Err(TreeError::Duplicate(_))));
        assert!(matches!(twice("a", "a/b"), Err(TreeError::Duplicate(_))));
        assert!(twice("a", "a.b").is_ok());
    }

    #[test]
    fn a_part_is_taken_out_and_put_back() {
        let tree = Tree::new(
            Algorithm::Md5,
            [("a", 1), ("d-e", 2), ("d/x", 3), ("d/y/z", 4), ("dd/x", 5)]
                .map(|(path, byte)| (path.to_owned(), id(byte))),
        )
        .unwrap();
        assert_eq!(tree.part("d/x"), Some(Part::File(id(3))));
        assert_eq!((tree.part("x"), tree.part("d/"), tree.part("d/y/q")), (None, None, None));
        let Some(Part::Folder(folder)) = tree.part("d") else { panic!("a folder") };
        assert_eq!(folder.files().collect::<Vec<_>>(), [("x", &id(3)), ("y/z", &id(4))]);
        let without = tree.with_part("d", None).unwrap();
        assert_eq!(without.files().map(|(path, _)| path).collect::<Vec<_>>(), ["a", "d-e", "dd/x"]);
        assert_eq!(without.with_part("d", Some(Part::Folder(folder))).unwrap(), tree);
        let file = tree.with_part("d", Some(Part::File(id(9)))).unwrap();
        assert_eq!(file.get("d"), Some(&id(9)));
        assert!(tree.with_part("a/b", Some(Part::File(id(9)))).is_err(), "a file stands where a folder is needed");
    }

    proptest! {
        #[test]
        fn bytes_parse_back(names in proptest::collection::btree_map("[^/\\x00]{1,8}", any::<u8>(), 0..20)) {
            let files = names.into_iter().filter(|(name, _)| name != "." && name != "..").map(|(name, byte)| (name, id(byte)));
            let tree = Tree::new(Algorithm::Md5, files).unwrap();
            prop_assert_eq!(Tree::parse(Algorithm::Md5, &tree.to_bytes()).unwrap(), tree);
        }
    }
}
