//! Commits that neither a hook nor a signature touches, and whose they are.

use git2::{Oid, Signature, Time};
use serde::{Deserialize, Serialize};

use super::{CommitId, Git, GitError, TreeId};

/// What stands in for a missing name; a run must not be lost for want of one.
const NOBODY: &str = "dewar";
const NOWHERE: &str = "dewar@localhost";

/// A name and an address, as a commit has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Such as `Ada Lovelace`.
    pub name: String,
    /// Such as `ada@example.org`.
    pub email: String,
}

/// Whose a commit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who made the content.
    pub author: Person,
    /// Who made the commit.
    pub committer: Person,
}

/// What the environment says of the identity, as git reads it. Empty texts count as unset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityOverrides {
    /// `GIT_AUTHOR_NAME`.
    pub author_name: Option<String>,
    /// `GIT_AUTHOR_EMAIL`.
    pub author_email: Option<String>,
    /// `GIT_COMMITTER_NAME`.
    pub committer_name: Option<String>,
    /// `GIT_COMMITTER_EMAIL`.
    pub committer_email: Option<String>,
    /// `EMAIL`, asked last.
    pub email: Option<String>,
}

/// A moment with the offset of the zone in which it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CommitTime {
    /// Seconds since 1970 in UTC.
    pub seconds: i64,
    /// Minutes east of UTC.
    pub offset_minutes: i32,
}

impl CommitTime {
    pub(super) fn from_git(time: Time) -> Self {
        Self { seconds: time.seconds(), offset_minutes: time.offset_minutes() }
    }
}

impl From<&jiff::Zoned> for CommitTime {
    fn from(moment: &jiff::Zoned) -> Self {
        Self { seconds: moment.timestamp().as_second(), offset_minutes: moment.offset().seconds() / 60 }
    }
}

/// A commit to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewCommit<'a> {
    /// Its files.
    pub tree: TreeId,
    /// Its parents, the first one first.
    pub parents: &'a [CommitId],
    /// The whole message.
    pub message: &'a str,
    /// When.
    pub time: CommitTime,
    /// Whose.
    pub identity: &'a Identity,
}

impl Git {
    /// Whose commits made now are: by the environment, then by `author.*` and `committer.*`, then by `user.*` of git's
    /// configuration, then `dewar <dewar@localhost>`.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    pub fn identity(&self, overrides: &IdentityOverrides) -> Result<Identity, GitError> {
        let config = self
            .repo
            .config()
            .and_then(|mut config| config.snapshot())
            .map_err(GitError::operation("read", "the git configuration"))?;
        Ok(choose(overrides, |key| config.get_string(key).ok()))
    }

    /// Makes a commit that no reference names yet. The same content at the same second is the same commit.
    ///
    /// # Errors
    /// When a parent or the tree is missing, or it cannot be written.
    pub fn commit(&self, new: &NewCommit<'_>) -> Result<CommitId, GitError> {
        let error = || GitError::operation("write", "a commit");
        let signature = |person: &Person| {
            Signature::new(&person.name, &person.email, &Time::new(new.time.seconds, new.time.offset_minutes))
                .map_err(GitError::operation("write the identity", format!("{} <{}>", person.name, person.email)))
        };
        let tree = self.repo.find_tree(new.tree.0).map_err(error())?;
        let parents: Vec<_> =
            new.parents.iter().map(|id| self.repo.find_commit(id.0)).collect::<Result<_, _>>().map_err(error())?;
        let parents: Vec<_> = parents.iter().collect();
        // git refuses NUL in a message, too.
        let message = new.message.replace('\0', "");
        let (author, committer) = (signature(&new.identity.author)?, signature(&new.identity.committer)?);
        let id: Oid = self.repo.commit(None, &author, &committer, &message, &tree, &parents).map_err(error())?;
        Ok(CommitId(id))
    }
}

fn choose(overrides: &IdentityOverrides, configured: impl Fn(&str) -> Option<String>) -> Identity {
    // What git itself drops from a name; a name of nothing else is none.
    let clean = |text: String| {
        let kept: String = text.chars().filter(|c| !matches!(c, '<' | '>' | '\n' | '\r' | '\0')).collect();
        let kept = kept.trim_matches(|c: char| c <= ' ' || matches!(c, ',' | ':' | ';' | '"' | '\\' | '\'')).to_owned();
        (!kept.is_empty()).then_some(kept)
    };
    let pick = |first: &Option<String>, keys: [&str; 2], last: Option<&String>, fallback: &str| {
        first
            .clone()
            .and_then(clean)
            .or_else(|| keys.iter().find_map(|key| configured(key).and_then(clean)))
            .or_else(|| last.cloned().and_then(clean))
            .unwrap_or_else(|| fallback.to_owned())
    };
    let email = overrides.email.as_ref();
    Identity {
        author: Person {
            name: pick(&overrides.author_name, ["author.name", "user.name"], None, NOBODY),
            email: pick(&overrides.author_email, ["author.email", "user.email"], email, NOWHERE),
        },
        committer: Person {
            name: pick(&overrides.committer_name, ["committer.name", "user.name"], None, NOBODY),
            email: pick(&overrides.committer_email, ["committer.email", "user.email"], email, NOWHERE),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_over_the_configuration_and_nobody_stands_in() {
        let nothing = |_: &str| None;
        let identity = choose(&IdentityOverrides::default(), nothing);
        assert_eq!(identity.author, Person { name: NOBODY.into(), email: NOWHERE.into() });

        let configured = |key: &str| match key {
            "user.name" => Some("Ada".to_owned()),
            "user.email" => Some("ada@example.org".to_owned()),
            "author.email" => Some("ada@work".to_owned()),
            _ => None,
        };
        let overrides = IdentityOverrides {
            author_name: Some("Grace <hopper>\n".into()),
            committer_name: Some("  ".into()),
            email: Some("never".into()),
            ..IdentityOverrides::default()
        };
        let identity = choose(&overrides, configured);
        assert_eq!(identity.author, Person { name: "Grace hopper".into(), email: "ada@work".into() });
        assert_eq!(identity.committer, Person { name: "Ada".into(), email: "ada@example.org".into() });
    }

    #[test]
    fn a_moment_keeps_its_offset() {
        let moment: jiff::Zoned = "2024-05-01T12:00:00+05:30[+05:30]".parse().unwrap();
        assert_eq!(CommitTime::from(&moment), CommitTime { seconds: 1_714_545_000, offset_minutes: 330 });
    }
}
