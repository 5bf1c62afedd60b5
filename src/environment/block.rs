//! An environment as the service manager has it: a map from names to values, both text.

use std::collections::BTreeMap;

/// Names and values. The manager takes only UTF-8, so this is not a loss.
pub type Block = BTreeMap<String, String>;

/// Takes the manager's `Environment` property (org.freedesktop.systemd1(5)), one `NAME=value` each, and returns the
/// block. An entry without a name is ignored; of two values for a name, the last wins.
pub fn parse(assignments: &[String]) -> Block {
    let named = assignments.iter().filter_map(|one| one.split_once('=')).filter(|(name, _)| !name.is_empty());
    named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Takes a block and returns it in the form of the manager's methods, one `NAME=value` each, sorted.
pub fn render(block: &Block) -> Vec<String> {
    block.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_ignores_entries_without_a_name() {
        let given = ["B=2", "A=", "C=x=y", "A=1", "no sign", "=value"].map(String::from);
        assert_eq!(render(&parse(&given)), ["A=1", "B=2", "C=x=y"]);
    }
}
