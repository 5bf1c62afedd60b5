//! Processes of a unit that the kernel has killed because memory ran out.

use std::path::Path;

use super::{Manager, SERVICE_INTERFACE};
use crate::small_file;

impl Manager {
    /// How many processes of a service, and of the groups below it, the kernel has killed for lack of memory since it
    /// was started. `None` if the kernel does not count: without the memory controller in the unified hierarchy.
    pub async fn killed_for_memory(&self, service: &str) -> Option<u64> {
        let group: String = self.property(service, SERVICE_INTERFACE, "ControlGroup").await.ok()?;
        oom_kills(Path::new("/sys/fs/cgroup"), &group)
    }
}

/// The line `oom_kill` of a control group's `memory.events` (cgroups(7), Documentation/admin-guide/cgroup-v2.rst).
fn oom_kills(root: &Path, group: &str) -> Option<u64> {
    let group = group.strip_prefix('/').filter(|group| !group.is_empty())?;
    let events = small_file::text(&root.join(group).join("memory.events")).ok()?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::oom_kills;
    use crate::test_dir::TestDir;

    #[test]
    fn kills_are_read_if_the_kernel_counts_them() {
        let directory = TestDir::new();
        std::fs::create_dir_all(directory.path("a/b.service")).unwrap();
        let events = "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 1\n";
        std::fs::write(directory.path("a/b.service/memory.events"), events).unwrap();
        let kills = |group| oom_kills(&directory.path(""), group);
        assert_eq!(kills("/a/b.service"), Some(2));
        // No such group, no group, no controller.
        assert_eq!((kills("/none"), kills(""), kills("/a")), (None, None, None));
    }
}
