//! The units of the Arch wiki's "Persistent terminal multiplexer", byte for byte, copied by ada.

use crate::multiplexers::ada::Ada;

const TARGET: &str = include_str!("wiki/multiplexer.target");
const SERVICE: &str = include_str!("wiki/tmux.service");

#[test]
fn the_wikis_units_work_as_they_are() {
    let ada = Ada::new();
    let directory = "~/.config/systemd/user";
    ada.write_as("ada", &format!("{directory}/multiplexer.target"), TARGET);
    ada.write_as("ada", &format!("{directory}/tmux.service"), SERVICE);
    // What it leaves to the reader.
    ada.write_as(
        "ada",
        &format!("{directory}/cruft.target"),
        "[Unit]\nDescription=Cruft\n[Install]\nWantedBy=multiplexer.target\n",
    );
    ada.write_as(
        "ada",
        &format!("{directory}/gpg-agent.service"),
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo GPG_AGENT_INFO=/run/agent > /tmp/gpg-agent-info'\n",
    );
    // tmux(1), start-server: a server without a session would end at once.
    ada.write_as("ada", "~/.tmux.conf", "new-session -d -s wiki\n");
    ada.does("systemctl --user daemon-reload; systemctl --user enable tmux.service multiplexer.target").ok();
    ada.does("systemctl --user start multiplexer.target").ok();
    ada.becomes("tmux list-sessions -F '#{session_name}'", "wiki");
    ada.manager("ada").wait_active(&["cruft.target", "gpg-agent.service", "multiplexer.target", "tmux.service"]);
    let server = ada.says("tmux display-message -p '#{pid}'");
    assert_eq!(ada.unit_of(&server), "tmux.service");
    let environment = ada.says("tmux show-environment -g");
    assert!(environment.contains("GPG_AGENT_INFO=/run/agent") && environment.contains("DISPLAY=:0"), "{environment}");
    // Our sessions are in that server, too.
    ada.does("systemctl --user start tmux@ours; tmux has-session -t ours").ok();
    // As in the user's default target, so from the start of the user manager on.
    ada.root("systemctl stop user@1000; rm -f /tmp/gpg-agent-info; systemctl start user@1000").ok();
    ada.becomes("tmux list-sessions -F '#{session_name}'", "wiki");
    ada.does("systemctl --user stop tmux").ok();
    ada.wait_ended(&["tmux"]);
    ada.root("rm -f /tmp/gpg-agent-info").ok();
}
