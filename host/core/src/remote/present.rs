//! Which objects a remote has. Few are asked for one by one; of many, the folders that they are in are listed.

use std::collections::HashSet;

use rayon::prelude::*;

use super::{Listed, Remote, RemoteError};
use crate::cache::key;
use crate::digest::ObjectId;

/// So many are asked for one by one, whatever the remote holds: there are 256 folders.
const FEW: usize = 256;
/// So many names are listed in the time in which one file is asked for.
const NAMES_A_QUESTION: usize = 16;

/// The objects of `ids` that the remote has; on the threads of the pool that this is called in.
///
/// # Errors
/// When it cannot be asked.
pub(super) fn present<'a>(remote: &dyn Remote, ids: &'a [ObjectId]) -> Result<HashSet<&'a ObjectId>, RemoteError> {
    let ask = |id: &'a ObjectId| Ok(remote.has(&key(id))?.then_some(id));
    if ids.len() <= FEW {
        return ids.par_iter().filter_map(|id| ask(id).transpose()).collect();
    }
    let mut wanted: Vec<(String, &ObjectId)> = ids.iter().map(|id| (key(id), id)).collect();
    wanted.par_sort_unstable();
    let folders: Vec<&[(String, &ObjectId)]> = wanted.chunk_by(|(a, _), (b, _)| folder(a) == folder(b)).collect();
    let Some((first, rest)) = folders.split_first() else { return Ok(HashSet::new()) };
    // Digests are spread evenly: one folder tells how full the others are.
    let listed = list(remote, first)?;
    let mut found = among(&listed, first);
    let by_question = rest.iter().map(|folder| folder.len()).sum::<usize>().saturating_mul(NAMES_A_QUESTION);
    if by_question < listed.len().saturating_mul(rest.len()) {
        let rest: Vec<&ObjectId> = rest.iter().flat_map(|folder| folder.iter().map(|(_, id)| *id)).collect();
        let asked: HashSet<&ObjectId> =
            rest.into_par_iter().filter_map(|id| ask(id).transpose()).collect::<Result<_, _>>()?;
        found.extend(asked);
        return Ok(found);
    }
    let lists: Vec<HashSet<&ObjectId>> =
        rest.par_iter().map(|folder| Ok(among(&list(remote, folder)?, folder))).collect::<Result<_, RemoteError>>()?;
    found.extend(lists.into_iter().flatten());
    Ok(found)
}

fn folder(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What stands in the folder that the keys are in.
fn list(remote: &dyn Remote, keys: &[(String, &ObjectId)]) -> Result<Vec<Listed>, RemoteError> {
    remote.list(keys.first().map_or("", |(key, _)| folder(key)))
}

fn among<'a>(listed: &[Listed], keys: &[(String, &'a ObjectId)]) -> HashSet<&'a ObjectId> {
    let names: HashSet<&str> = listed
        .iter()
        .filter_map(|listed| match listed {
            Listed::File(name) => Some(name.as_str()),
            Listed::Folder(_) => None,
        })
        .collect();
    let name = |key: &str| key.rsplit_once('/').is_some_and(|(_, name)| names.contains(name));
    keys.iter().filter(|(key, _)| name(key)).map(|(_, id)| *id).collect()
}
