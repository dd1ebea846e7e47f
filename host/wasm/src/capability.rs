//! [`Capability`] and [`Grant`]: a plugin may do what it asked for AND was granted.

use dewar_core::extension::{ExtensionError, PluginId};

/// Something beyond computing that a plugin may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Start child processes, with all the rights of the user: `dewar:plugin/process`.
    Process,
}

impl Capability {
    /// Its name in manifests and grants.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
        }
    }

    /// The capability of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        (name == Self::Process.name()).then_some(Self::Process)
    }
}

/// What the user allowed one exact plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Which plugin: another build of it has another digest, and no grant.
    pub plugin: PluginId,
    /// What it may do.
    pub capability: Capability,
}

/// Where a plugin comes from, as far as trust goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Part of dewar: granted what it asks for.
    Bundled,
    /// A file somebody put into a plugin directory.
    ThirdParty,
}

/// Whether `plugin` may have all that it asks for.
///
/// # Errors
/// [`ExtensionError::Denied`] names the first capability that no grant covers.
pub(crate) fn check(
    plugin: &PluginId,
    origin: Origin,
    asked: &[Capability],
    grants: &[Grant],
) -> Result<(), ExtensionError> {
    let covered = |capability: &Capability| {
        origin == Origin::Bundled
            || grants.iter().any(|grant| grant.plugin == *plugin && grant.capability == *capability)
    };
    match asked.iter().find(|capability| !covered(capability)) {
        Some(missing) => Err(ExtensionError::Denied { plugin: plugin.clone(), capability: missing.name().to_owned() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str, digest: &str) -> PluginId {
        PluginId { name: name.into(), digest: digest.into() }
    }

    #[test]
    fn asked_and_granted() {
        let slurm = id("executor-slurm", "aa");
        let asked = [Capability::Process];
        let grant = |plugin| vec![Grant { plugin, capability: Capability::Process }];
        assert!(check(&slurm, Origin::ThirdParty, &asked, &grant(slurm.clone())).is_ok());
        assert!(check(&slurm, Origin::Bundled, &asked, &[]).is_ok());
        assert!(check(&slurm, Origin::ThirdParty, &[], &[]).is_ok());
    }

    #[test]
    fn a_grant_covers_one_build_of_one_plugin() {
        let slurm = id("executor-slurm", "aa");
        for other in [id("executor-slurm", "bb"), id("executor-other", "aa")] {
            let grants = [Grant { plugin: other, capability: Capability::Process }];
            let denied = check(&slurm, Origin::ThirdParty, &[Capability::Process], &grants).unwrap_err();
            assert!(matches!(denied, ExtensionError::Denied { capability, .. } if capability == "process"));
        }
    }
}
