//! How the environment of the user manager and D-Bus is restored.

use std::collections::BTreeSet;

use super::Block;

/// The changes that turn one block into another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Variables to set: new ones, or to another value.
    pub set: Block,
    /// Names to unset; none of them is also set.
    pub unset: BTreeSet<String>,
}

impl Changes {
    /// Returns whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }
}

/// Takes the manager's earlier and current block, and returns the changes that restore the earlier one.
///
/// A start calls this with the record of a session that ended badly; the end of a session calls it until the answer is
/// empty. Once is not enough: the message bus forwards its variables to the manager, and dbus-broker's launcher does
/// so without waiting, so a late [`bus_values`] can arrive after the manager was restored.
pub fn difference(before: &Block, now: &Block) -> Changes {
    let set = before.iter().filter(|(name, value)| now.get(*name) != Some(value));
    Changes {
        set: set.map(|(name, value)| (name.clone(), value.clone())).collect(),
        unset: now.keys().filter(|name| !before.contains_key(*name)).cloned().collect(),
    }
}

/// Takes the manager's earlier block and the session's exports, and returns what to send to D-Bus at the end: for
/// each exported name the earlier value, or the empty one, because `UpdateActivationEnvironment` (D-Bus
/// specification) can only set.
///
/// Send this before [`difference`]: both message buses forward it to the manager, including the empty values.
pub fn bus_values(before: &Block, exported: &Block) -> Block {
    exported.keys().map(|name| (name.clone(), before.get(name).cloned().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(pairs: &[(&str, &str)]) -> Block {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn the_difference_restores_the_earlier_block() {
        let before = block(&[("LANG", "C"), ("PATH", "/usr/bin"), ("GONE", "1")]);
        let now = block(&[("LANG", "C"), ("PATH", "/home/a/bin"), ("DISPLAY", ":0")]);
        let changes = difference(&before, &now);
        assert_eq!(changes.set, block(&[("GONE", "1"), ("PATH", "/usr/bin")]));
        assert_eq!(changes.unset, BTreeSet::from(["DISPLAY".to_owned()]));
        assert!(difference(&before, &before).is_empty());
    }

    #[test]
    fn the_bus_gets_the_earlier_value_or_an_empty_one() {
        let before = block(&[("LANG", "C"), ("PATH", "/usr/bin")]);
        let exported = block(&[("PATH", "/home/a/bin"), ("DISPLAY", ":0")]);
        assert_eq!(bus_values(&before, &exported), block(&[("DISPLAY", ""), ("PATH", "/usr/bin")]));
    }
}
