//! Which machine to boot, and what is on its disk.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A display with modes to set, and a PC's devices: a PS/2 keyboard and mouse.
const PC: &[&str] = &["-device", "VGA,xres=1024,yres=768"];

/// What is done on each disk: the package is installed, and the agent added. The machine is slow, and slower when
/// others work beside it: these cases are not about how fast it is.
const SETUP: &str = "#!/bin/bash
set -euo pipefail
dpkg --install /run/setup/*.deb
cp /run/setup/agent.py /etc/startxd-vm
mkdir -p /etc/startxd
printf '[deadlines]\nserver_ready = 150\nwindow_manager = 150\nuser_manager = 60\nenvironment_files = 60\n' > /etc/startxd/startxd.toml
";

/// What a person runs to get a session at each boot.
pub const AUTOLOGIN: &str = "startxd enable autologin ada --profile\n";

/// A window manager's unit as ada would write it by hand. It starts a terminal once it is ready, so that there is one
/// after a crash, too. It paints the root window in a colour that tells the desktop from everything else in a picture.
pub const OPENBOX: &str = r##"
setpriv --reuid ada --regid ada --init-groups env HOME=/home/ada bash -e << 'ADA'
mkdir -p ~/.config/systemd/user
cat > ~/.config/systemd/user/openbox.service << 'UNIT'
[Unit]
Description=Openbox
Requires=xorg.target
After=xorg.target

[Service]
ExecStart=/usr/bin/openbox --startup "xterm -T desk -geometry 80x24+30+40"
ExecStartPost=xsetroot -solid "#3b4d61"
KillMode=process
OOMPolicy=continue
Slice=session.slice

[Install]
WantedBy=wm.target
UNIT
SYSTEMD_OFFLINE=1 systemctl --user --quiet enable openbox.service
ADA
"##;

/// A machine before it is switched on.
#[derive(Debug, Clone)]
pub struct Options {
    /// Debian's name of the release.
    pub suite: String,
    /// What root does on its disk before the boot, after the package was installed.
    pub setup: String,
    /// Options for the kernel.
    pub kernel: &'static str,
    /// MiB.
    pub memory: u32,
    /// Options of QEMU: at least a display.
    pub devices: &'static [&'static str],
}

impl Default for Options {
    /// With ada's desktop; the release is `STARTXD_SUITE`, trixie if unset.
    fn default() -> Self {
        Self {
            suite: env::var("STARTXD_SUITE").unwrap_or_else(|_| "trixie".to_owned()),
            setup: format!("{AUTOLOGIN}{OPENBOX}"),
            kernel: "",
            memory: 768,
            devices: PC,
        }
    }
}

impl Options {
    /// Writes the input of `boot --setup`.
    ///
    /// # Panics
    /// When there is no package, or a file cannot be written.
    pub(super) fn write(&self, directory: &Path) {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let package = package();
        let name = package.file_name().unwrap_or_default();
        let all = fs::create_dir_all(directory)
            .and_then(|()| fs::copy(&package, directory.join(name)))
            .and_then(|_| fs::copy(tests.join("vm/agent.py"), directory.join("agent.py")))
            .and_then(|_| fs::write(directory.join("run"), format!("{SETUP}{}", self.setup)))
            .and_then(|()| fs::set_permissions(directory.join("run"), fs::Permissions::from_mode(0o755)));
        all.unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
    }
}

/// The package that `make deb` built.
fn package() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let directory = env::var_os("STARTXD_DEBS").map_or_else(|| target.join("deb"), PathBuf::from);
    let paths = fs::read_dir(&directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut packages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package =
        packages.next().unwrap_or_else(|| panic!("no package in {}: make deb builds it", directory.display()));
    assert_eq!(packages.next(), None, "more than one package in {}", directory.display());
    package
}
