//! Programs that record what is up when they start and end: the order of things.

use super::Desk;

/// `record NAME`. Without a server the display's socket still listens, and a client waits for its end: no longer than
/// `ended` allows an end to take. Whether openbox runs is told by its whole command line: `openbox --exit`, which asks it to
/// end, has its name, too, and may still be there.
const RECORD: &str = r#"#!/bin/bash
running() { if pgrep -u ada -x -f "$1" > /dev/null; then echo yes; else echo no; fi; }
answers() { if timeout 2 "$@" > /dev/null 2>&1; then echo yes; else echo no; fi; }
exported() { systemctl --user show-environment | sed -n s/^DISPLAY=//p; }
echo "$1: wm $(running "(.*/)?openbox( --sm-disable)?"), display $(answers xdpyinfo), manager has ${XAUTHORITY:+a cookie for }$(exported)" >> ~/record.log
"#;

impl Desk {
    /// Creates `~/record NAME`, a command that records, after that name, whether openbox runs, whether the display
    /// answers, and which display the user manager knows.
    pub fn writes_record(&self) {
        self.write_as("ada", "~/record", RECORD);
        self.user("ada", "chmod +x record").ok();
    }

    /// What was recorded so far.
    pub fn records(&self) -> Vec<String> {
        let text = self.user("ada", "cat record.log 2>/dev/null").stdout;
        text.lines().map(str::to_owned).collect()
    }
}
