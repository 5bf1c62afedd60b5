//! The environment of ada's user manager, and of programs that her bus starts.

use std::collections::BTreeMap;

use super::Desk;
use crate::harness::Case;

/// Names and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// From strings `NAME=value`.
    fn new<'a>(variables: impl IntoIterator<Item = &'a str>) -> Self {
        let pairs = variables.into_iter().filter_map(|variable| variable.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The values of several variables.
    pub fn values<'a, const N: usize>(&'a self, names: [&str; N]) -> [Option<&'a str>; N] {
        names.map(|name| self.get(name))
    }

    /// The ones of `names` that it has.
    pub fn has(&self, names: &[&str]) -> Vec<String> {
        names.iter().filter(|name| self.0.contains_key(**name)).map(|name| (*name).to_owned()).collect()
    }
}

/// Records its environment, and takes no name on the bus.
const TELL: &str = "#!/bin/sh\nenv > ~/told.new\nmv ~/told.new ~/told\n";

/// Writes services for [`Desk::bus_starts`], under several names: the bus waits long for a program to take its name,
/// and starts none twice in that time. The bus reads them when it starts.
pub fn write_bus_services(case: &Case) {
    case.write_as("ada", "~/tell", TELL);
    let services = "chmod +x tell; mkdir -p .local/share/dbus-1/services; for n in {1..9}; do
        printf '[D-BUS Service]\\nName=org.example.Tell%d\\nExec=/home/ada/tell\\n' $n > .local/share/dbus-1/services/$n.service
    done";
    case.user("ada", services).ok();
}

impl Desk {
    /// The current environment of ada's user manager.
    pub fn environment(&self) -> Environment {
        Environment::new(self.manager("ada").environment().iter().map(String::as_str))
    }

    /// The environment of a program that ada's bus starts now; `nth` is 1 for the first time, at most 9.
    pub fn bus_starts(&self, nth: u8) -> Environment {
        let start = format!(
            "rm -f told; busctl --user call --expect-reply=no org.freedesktop.DBus /org/freedesktop/DBus \
             org.freedesktop.DBus StartServiceByName su org.example.Tell{nth} 0"
        );
        self.user("ada", &start).ok();
        let told = self.wait_file("/home/ada/told");
        Environment::new(told.lines())
    }
}
