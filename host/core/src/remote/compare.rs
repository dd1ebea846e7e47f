//! What the cache and a remote have of a batch: for `status --cloud`.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::batch::Batch;
use super::present::present;
use super::transfer::Transfer;
use super::{RemoteError, Side};
use crate::cache::key;
use crate::digest::ObjectId;
use crate::event::Direction;

impl Transfer<'_> {
    /// The paths whose content is not in both, and where it is; none for nowhere. A directory is a path of its own, besides those
    /// of its files: its listing.
    ///
    /// # Errors
    /// When the remote cannot be asked, or the cache not be read.
    pub fn compare(&self, batch: &Batch) -> Result<BTreeMap<String, Option<Side>>, RemoteError> {
        self.on_threads(Direction::Push, |_| {
            let objects = batch.objects(self.store)?;
            let mut ids = objects.files.clone();
            ids.extend(objects.listings.iter().map(|listing| listing.id.clone()));
            let there = present(self.remote, &ids)?;
            let side = |id: &ObjectId| match (self.store.has(id), there.contains(id)) {
                (true, false) => Some(Some(Side::Cache)),
                (false, true) => Some(Some(Side::Remote)),
                (false, false) => Some(None),
                (true, true) => None,
            };
            let sides: HashMap<&ObjectId, Option<Side>> =
                ids.par_iter().filter_map(|id| Some((id, side(id)?))).collect();
            let places = objects.all_places().filter_map(|(path, id)| Some((path, *sides.get(id)?)));
            let mut found: BTreeMap<String, Option<Side>> = places.collect();
            for absent in objects.unlisted.iter().chain(&objects.damaged) {
                let side = self.remote.has(&key(&absent.id))?.then_some(Side::Remote);
                found.insert(absent.path.clone(), side);
            }
            Ok(found)
        })
    }
}
