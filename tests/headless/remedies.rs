//! The remedies of `startxd doctor` are code: run as printed, each leaves a file that is valid for its shell, with the
//! finding gone and nothing else changed.

use crate::harness::Guest;

/// A file, its contents, the shell that reads it, and how many commands are offered for it.
const FILES: [(&str, &str, &str, usize); 11] = [
    (".bash_profile", "if [ -z \"$DISPLAY\" ]; then exec startx; fi\necho still read\n", "bash", 1),
    (".profile", "if [ -z \"$DISPLAY\" ]\nthen\n\texec startx -- vt1 # don't\nfi\n", "sh", 1),
    (".zprofile", "[[ -z $DISPLAY && $XDG_VTNR -eq 1 ]] && exec startx &> ~/.x\n", "zsh", 1),
    (".zlogin", "if [[ $TTY == /dev/tty1 ]]; then\n  startx\nfi\n", "zsh", 1),
    (".config/fish/config.fish", "if status is-login; and test -z \"$DISPLAY\"\n    exec startx\nend\n", "fish", 1),
    (".config/fish/config.fish", "if test -z \"$DISPLAY\"; exec startx -- -keeptty; end\n", "fish", 1),
    (".xinitrc", "xsetroot &\nexec dbus-launch --exit-with-session openbox\n", "sh", 1),
    (".xinitrc", "systemctl --user import-environment\nexec dbus-run-session -- openbox # x\n", "sh", 2),
    (".xsession", "if test -z \"$B\"; then\n\teval `dbus-launch --sh-syntax`\nfi\nexec i3\n", "sh", 1),
    (
        ".xsessionrc",
        "if command -v dbus-update-activation-environment >/dev/null; then\n  dbus-update-activation-environment \\\n   \
         --systemd A\nfi\n",
        "sh",
        0,
    ),
    (".bash_login", "while sleep 1; do startx; done\n", "bash", 0),
];

#[test]
fn doctors_own_remedies_run_as_printed() {
    let guest = Guest::headless();
    guest.start_manager("ada");
    // The remedies for findings in startup files, one per line, in the order in which the files are read.
    let remedies = "startxd doctor | awk '/\\[snippets\\./ { found = 1 } / remedy / && found { print; found = 0 }'";
    for (path, text, shell, offered) in FILES {
        // As dotfile managers create it.
        guest.user("ada", "mkdir -p dotfiles .config/fish").ok();
        guest.write_as("ada", "~/dotfiles/file", text);
        guest.user("ada", &format!("ln -sfn ~/dotfiles/file {path}; {shell} -n {path}")).ok();
        let before = guest.user("ada", remedies).text();
        let commands: Vec<&str> = before.lines().filter_map(|line| Some(&line[line.find(": sed")? + 2..])).collect();
        assert_eq!(commands.len(), offered, "{path}: {text}\n{before}");
        assert!(commands.len() == before.lines().count() || offered == 0, "{path}: {before}");
        for command in &commands {
            guest.user("ada", command).ok();
        }
        guest.user("ada", &format!("{shell} -n {path}; test -L {path}")).ok();
        let (after, now) = (guest.user("ada", remedies).text(), guest.read("/home/ada/dotfiles/file"));
        assert_eq!(after.is_empty(), offered > 0, "{path}: {after}\n{now}");
        assert_eq!(now.lines().count(), text.lines().count(), "{path}: {now}");
        let changed = now.lines().zip(text.lines()).filter(|(now, before)| now != before).count();
        assert_eq!(changed, offered, "{path}: {text}{now}");
        guest.user("ada", &format!("rm {path}; rm -r dotfiles")).ok();
    }
}
