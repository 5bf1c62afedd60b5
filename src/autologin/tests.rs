//! Enables and disables below a temporary directory.

use std::path::{Path, PathBuf};

use super::drop_in::NAME;
use super::person::Person;
use super::unit::Units;
use super::{Refused, enabled, plan, take_back};
use crate::test_dir::TestDir;
use crate::testing::golden;

const GETTY: &str = "[Service]\nExecStart=-/sbin/agetty -o '-- \\\\u' --noreset --noclear - ${TERM}\n";
const SYSTEM: &str = "usr/lib/systemd/system";
const ADMINISTRATOR: &str = "etc/systemd/system";

struct Machine {
    directory: TestDir,
    units: Units,
    person: Person,
}

impl Machine {
    /// A system with a getty, and a user with the rights of this process.
    fn new(shell: &str) -> Self {
        let directory = TestDir::new();
        let home = directory.path("home");
        std::fs::create_dir(&home).unwrap();
        let machine = Self {
            units: Units::below(&directory.path("")),
            person: Person {
                name: "ada".into(),
                uid: nix::unistd::geteuid(),
                gid: nix::unistd::getegid(),
                home,
                shell: shell.into(),
            },
            directory,
        };
        machine.write(&format!("{SYSTEM}/getty@.service"), GETTY);
        std::fs::create_dir_all(machine.directory.path(ADMINISTRATOR)).unwrap();
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.directory.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.directory.path(path)).unwrap()
    }

    /// Every path below the directory, with its target or content.
    fn picture(&self) -> Vec<String> {
        fn walk(directory: &Path, found: &mut Vec<String>) {
            let mut entries: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
            entries.sort();
            for path in entries {
                let what = match std::fs::read_link(&path) {
                    Ok(target) => target.display().to_string(),
                    Err(_) => std::fs::read_to_string(&path).unwrap_or_default(),
                };
                found.push(format!("{} {what}", path.display()));
                if path.is_dir() && !path.is_symlink() {
                    walk(&path, found);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.directory.path(""), &mut found);
        found
    }

    fn enable(&self, vt: u8, profile: bool) -> Result<(), Refused> {
        plan(&self.units, &self.person, vt, profile)?.apply(&self.units)
    }

    fn disable(&self) {
        for (vt, drop_in) in enabled(&self.units) {
            take_back(&self.units, vt, &drop_in, Some(&self.person));
        }
    }
}

#[test]
fn disable_undoes_every_change_of_enable() {
    for shell in ["/bin/bash", "/usr/bin/zsh", "/usr/bin/fish"] {
        for profile in [false, true] {
            let machine = Machine::new(shell);
            machine.write("home/.profile", "umask 022");
            let before = machine.picture();
            machine.enable(1, profile).unwrap();
            let drop_in = machine.read(&format!("{ADMINISTRATOR}/getty@tty1.service.d/{NAME}"));
            let expected = "ExecStart=\nExecStart=-/sbin/agetty -o '-p -f -- \\\\u' --autologin ada --noreset --noclear - ${TERM}\n";
            assert!(drop_in.ends_with(expected), "{drop_in}");
            let link = machine.directory.path(format!("{ADMINISTRATOR}/getty.target.wants/getty@tty1.service"));
            assert_eq!(std::fs::read_link(link).unwrap(), Path::new("/usr/lib/systemd/system/getty@.service"));
            assert_ne!(machine.picture(), before);
            machine.disable();
            assert_eq!(machine.picture(), before, "{shell} {profile}");
        }
    }
}

#[test]
fn existing_files_stay() {
    let machine = Machine::new("/bin/bash");
    machine.write(&format!("{ADMINISTRATOR}/getty@tty1.service.d/noclear.conf"), "[Service]\nTTYVTDisallocate=no\n");
    machine.write(&format!("{ADMINISTRATOR}/getty.target.wants/getty@tty1.service"), "");
    machine.write("home/.bash_profile", "");
    let before = machine.picture();
    machine.enable(1, true).unwrap();
    assert!(
        machine.read("home/.bash_profile").contains("\nstartxd check may-start && startxd start --login && exit\n")
    );
    // Again, for another shell: the result is the same as if it had been the first time.
    machine.enable(1, false).unwrap();
    let zsh = Machine { person: Person { shell: "/bin/zsh".into(), ..machine.person.clone() }, ..machine };
    zsh.enable(1, false).unwrap();
    assert_eq!(zsh.read("home/.bash_profile"), "");
    assert!(zsh.read("home/.zprofile").contains("may-start"));
    zsh.disable();
    assert_eq!(zsh.picture(), before);
}

#[test]
fn later_additions_stay() {
    let machine = Machine::new("/usr/bin/fish");
    machine.enable(2, true).unwrap();
    assert!(machine.read("home/.config/fish/config.fish").contains("start --activate"));
    machine.write("home/.config/other/settings", "");
    machine.write(&format!("{ADMINISTRATOR}/getty@tty2.service.d/theirs.conf"), "[Service]\n");
    machine.disable();
    assert!(!machine.directory.path("home/.config/fish").exists());
    assert!(machine.directory.path("home/.config/other/settings").exists());
    assert!(machine.directory.path(format!("{ADMINISTRATOR}/getty@tty2.service.d/theirs.conf")).exists());
    assert!(!machine.directory.path(format!("{ADMINISTRATOR}/getty.target.wants")).exists());
}

#[test]
fn the_effective_start_command_is_changed() {
    let machine = Machine::new("/bin/bash");
    machine.write(
        &format!("{SYSTEM}/getty@.service.d/dist.conf"),
        "[Service]\nExecStart=\nExecStart=/sbin/agetty -J %I\n",
    );
    machine.enable(1, false).unwrap();
    let drop_in = machine.read(&format!("{ADMINISTRATOR}/getty@tty1.service.d/{NAME}"));
    assert!(drop_in.contains("\nExecStart=/sbin/agetty -o '-p -f -- \\\\u' --autologin ada -J %I\n"), "{drop_in}");
}

/// Expects a refusal with `words`, and no change.
fn is_refused(machine: &Machine, vt: u8, words: &str) {
    let before = machine.picture();
    let refused = machine.enable(vt, true).expect_err("it should be refused").to_string();
    assert!(refused.contains(words), "{refused}");
    assert_eq!(machine.picture(), before);
}

#[test]
fn terminals_that_others_have_set_up_are_refused() {
    let machine = Machine::new("/bin/bash");
    let foreign = "[Service]\nExecStart=\nExecStart=/sbin/agetty -a eve %I\n";
    machine.write(&format!("{ADMINISTRATOR}/getty@tty1.service.d/autologin.conf"), foreign);
    is_refused(&machine, 1, "/etc/systemd/system/getty@tty1.service.d/autologin.conf sets the start command");
    machine.write(&format!("{SYSTEM}/getty@.service.d/zz.conf"), foreign);
    is_refused(&machine, 2, "/usr/lib/systemd/system/getty@.service.d/zz.conf sets the start command");

    let machine = Machine::new("/bin/bash");
    machine.write(&format!("{SYSTEM}/sddm.service"), "[Unit]\nConflicts=a.service getty@tty1.service\n");
    let alias = machine.directory.path(format!("{ADMINISTRATOR}/display-manager.service"));
    std::fs::create_dir_all(alias.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/usr/lib/systemd/system/sddm.service", alias).unwrap();
    is_refused(&machine, 1, "tty1 belongs to sddm.service");
    machine.write(&format!("{SYSTEM}/startxd@.service"), "[Service]\nTTYPath=/dev/tty7\n");
    machine.write(&format!("{ADMINISTRATOR}/graphical.target.wants/startxd@eve.service"), "");
    machine.write(&format!("{ADMINISTRATOR}/startxd@eve.service.d/vt.conf"), "[Service]\nTTYPath=/dev/tty8\n");
    is_refused(&machine, 8, "tty8 belongs to startxd@eve.service");
    machine.enable(7, false).unwrap();
}

#[test]
fn a_getty_that_is_not_agetty_is_named() {
    let machine = Machine::new("/usr/bin/nu");
    is_refused(&machine, 1, "add this line to the profile");
    machine.write(&format!("{ADMINISTRATOR}/getty@tty3.service"), "");
    is_refused(&machine, 3, "is masked (/etc/systemd/system/getty@tty3.service)");
    machine.write(&format!("{SYSTEM}/getty@.service"), "[Service]\nExecStart=/usr/bin/kmscon\n");
    is_refused(&machine, 1, "getty@tty1 runs \"/usr/bin/kmscon\" instead of agetty");
    std::fs::remove_file(machine.directory.path(format!("{SYSTEM}/getty@.service"))).unwrap();
    is_refused(&machine, 1, "no getty@.service");
}

#[test]
fn if_the_profile_cannot_be_changed_nothing_is() {
    let machine = Machine::new("/bin/bash");
    std::fs::create_dir(machine.directory.path("home/.bash_profile")).unwrap();
    is_refused(&machine, 1, "nothing was changed");
}

/// What is written, whole: the drop-in, and the profile.
#[test]
fn golden_drop_ins_and_profiles() {
    for shell in ["bash", "zsh", "fish", "dash", "tcsh"] {
        for vt in [1, 12] {
            let machine = Machine::new(&format!("/usr/bin/{shell}"));
            machine.write("home/.profile", "umask 022");
            machine.enable(vt, true).unwrap();
            let (_, drop_in) = enabled(&machine.units).remove(0);
            let profile = drop_in.profile.clone().unwrap();
            let text = format!(
                "==> {}\n{}==> {}\n{}",
                super::path_of(vt).display(),
                machine.read(&format!("{ADMINISTRATOR}/getty@tty{vt}.service.d/{NAME}")),
                profile.display(),
                std::fs::read_to_string(&profile).unwrap()
            );
            // The home directory is below a directory with a random name.
            let home = machine.directory.path("home").display().to_string();
            golden(&format!("autologin/{shell}-tty{vt}"), &text.replace(&home, "/home/ada"));
        }
    }
}
