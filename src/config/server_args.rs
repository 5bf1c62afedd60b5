//! Arguments of the X server that nobody can choose here, because the session depends on them.

/// What is refused, and why; the reasons follow "ARGUMENT is not possible here: ".
const REFUSED: &[(&[&str], &str)] = &[
    (&["-auth", "-ac"], "startxd gives the server its cookie; without it every local user could use the display"),
    (&["-displayfd"], "startxd sets it, and the display is the one whose socket the server is handed"),
    (&["-nolock"], "startxd creates the lock, which shows others that the display is taken"),
    (&["-terminate"], "the server would end with its first client, which is startxd asking whether it is ready"),
    (&["-reset"], "a reset closes for good the sockets that the server is handed"),
    (&["-noreset", "-keeptty"], "startxd sets it"),
    (&["-listen", "-nolisten"], "startxd hands the server its sockets, and TCP stays closed"),
    (&["-sharevts"], "input devices would not come back after a VT switch"),
    (&["-seat"], "the seat is that of the login session"),
    (&["-I"], "the server would ignore the arguments of startxd after it, including the cookie file"),
];

/// Takes an argument for the server, and returns why it cannot be given, or `None` if it can.
///
/// The meanings are those of Xserver(1) and Xorg(1), and of `ProcessCommandLine` in os/utils.c.
pub fn refusal(argument: &str) -> Option<&'static str> {
    if let Some((_, why)) = REFUSED.iter().find(|(names, _)| names.contains(&argument)) {
        return Some(why);
    }
    let number_after = |beginning| {
        argument.strip_prefix(beginning).is_some_and(|rest: &str| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    if number_after("vt") {
        return Some("the VT is that of the login session");
    }
    if argument.starts_with(':') {
        return Some("the display is chosen with the key display, or with --display");
    }
    argument.contains('\0').then_some("an argument cannot hold a NUL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused() {
        let refused = [
            "-auth",
            "-displayfd",
            "-nolock",
            "-terminate",
            "-noreset",
            "-reset",
            "vt1",
            "vt12",
            ":0",
            ":1.0",
            "-listen",
            "-nolisten",
            "-keeptty",
            "-sharevts",
            "-ac",
            "-seat",
            "-I",
            "a\0b",
        ];
        for argument in refused {
            assert!(refusal(argument).is_some(), "{argument:?}");
        }
        let allowed =
            ["-dpi", "96", "-config", "xorg.conf.d/a.conf", "-background", "none", "-novtswitch", "vt", "-s", "0"];
        for argument in allowed {
            assert_eq!(refusal(argument), None, "{argument:?}");
        }
    }
}
