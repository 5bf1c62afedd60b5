//! `startxd display run -- COMMAND`: a drop-in for xvfb-run.

use crate::place::Place;

#[test]
fn first() {
    let place = Place::new();
    eprintln!("{}", place.user("ada", "time startxd display run -- xdpyinfo | head -3; time xvfb-run -a xdpyinfo | head -3; for i in 1 2 3 4 5; do time startxd display run -- true; time xvfb-run -a true; done"));
    eprintln!("{}", place.user("ada", "journalctl --user -b --no-pager -o short-precise| tail -40; STARTXD_LOG=debug startxd display start; startxd display list; systemctl --user list-units --no-pager 'startxd*'; startxd display run :100 -- sh -c 'cat /proc/self/cgroup; echo $DISPLAY $XAUTHORITY; exit 5'; echo $?; time startxd display stop :100"));
    place.is_clean();
    panic!();
}
