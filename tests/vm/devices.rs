//! Input devices and monitors that come and go, and displays and keyboards that are not there.

use serde_json::json;

use crate::machine::{Case, DESK, Options, Picture, SOON};

/// With a place to plug USB devices in.
const USB: &[&str] = &["-device", "VGA,xres=1024,yres=768", "-device", "qemu-xhci,id=usb"];
/// The same without the keyboard and the mouse of every PC.
const USB_ALONE: &[&str] =
    &["-machine", "i8042=off", "-device", "VGA,xres=1024,yres=768", "-device", "qemu-xhci,id=usb"];

/// Plugs a keyboard in: from then on QEMU's keys come from there.
fn plug(case: &Case) {
    case.order("device_add", json!({"driver": "usb-kbd", "bus": "usb.0", "id": "another"}));
}

fn unplug(case: &Case) {
    case.order("device_del", json!({"id": "another"}));
    case.wait_event("DEVICE_DELETED", SOON);
}

/// How often the server has taken that keyboard.
fn taken(case: &Case, times: usize) {
    let log = "/home/ada/.local/share/xorg/Xorg.0.log";
    let script = format!("[ $(grep -c 'Using input driver .* for .QEMU QEMU USB Keyboard' {log}) -eq {times} ]");
    case.until_root("the server to take the keyboard", &script);
}

/// A line arrives in the terminal.
fn types(case: &Case) {
    case.root("rm -f /home/ada/typed").ok();
    case.type_line("touch /home/ada/typed");
    case.until_root("the terminal's shell to do it", "[ -e /home/ada/typed ]");
}

#[test]
#[ignore = "make vm-check runs it"]
fn a_keyboard_is_plugged_in_and_out() {
    let case = Case::exclusive(&Options { devices: USB, ..Options::default() });
    case.is_at_login();
    case.has_terminal();
    let server = case.server();
    plug(&case);
    taken(&case, 1);
    types(&case);
    unplug(&case);
    types(&case);
    // While another terminal is in the foreground the server gets no devices.
    case.press("ctrl-alt-f2");
    case.until("tty2", |m| m.active_vt() == 2 && !m.screen().shows(DESK));
    plug(&case);
    case.until_root("the kernel to have it", "grep -q 'QEMU USB Keyboard' /proc/bus/input/devices");
    case.press("ctrl-alt-f1");
    case.until("the desktop", |m| m.active_vt() == 1 && m.screen().shows(DESK));
    taken(&case, 2);
    case.listens();
    types(&case);
    assert_eq!(case.server(), server);
    // The next session has it from the beginning.
    case.type_line("openbox --exit");
    case.managed_after(&server);
    case.has_terminal();
    taken(&case, 1);
    types(&case);
    unplug(&case);
    types(&case);
}

#[test]
#[ignore = "make vm-check runs it"]
fn a_machine_without_a_keyboard_gets_one_later() {
    let case = Case::exclusive(&Options { devices: USB_ALONE, ..Options::default() });
    case.is_at_login();
    case.has_terminal();
    assert!(case.user("ada", "startxd status").text().contains("nothing is wrong"));
    plug(&case);
    taken(&case, 1);
    types(&case);
}

#[test]
#[ignore = "make vm-check runs it"]
fn a_display_whose_modes_cannot_be_set_is_named() {
    let case = Case::exclusive(&Options { kernel: "nomodeset", ..Options::default() });
    case.is_at_login();
    case.until("the reason on the terminal", |m| m.text(1).contains("no screens found"));
    let text = case.text(1).replace('\n', "");
    assert!(text.contains("to see what it lacks: startxd doctor"), "{text}");
    let doctor = case.user("ada", "startxd doctor");
    for words in
        ["there is no graphics device (/dev/dri/card*), and the kernel was started with nomodeset", "remove nomodeset"]
    {
        assert!(doctor.stdout.contains(words), "{doctor}");
    }
}

/// A graphics device with two outputs; the second one has a VNC server that plugs its monitor in and out.
const OUTPUTS: &[&str] = &[
    "-device",
    "virtio-gpu-pci,id=gpu,max_outputs=2,xres=1024,yres=768",
    "-vnc",
    "unix:/run/startxd-machine/second,display=gpu,head=1",
];

/// What xrandr says of the outputs.
fn outputs(case: &Case, condition: &str) {
    let script = format!("xrandr > ~/outputs; cat ~/outputs; {condition}");
    case.until_ada("the server to have heard of the monitor", &script);
}

#[test]
#[ignore = "make vm-check runs it"]
fn a_monitor_is_plugged_in_and_changed_and_plugged_out() {
    let case = Case::exclusive(&Options { devices: OUTPUTS, ..Options::default() });
    case.is_at_login();
    case.has_terminal();
    let server = case.server();
    let size = |picture: &Picture| (picture.width, picture.height);
    let mut second = case.monitor_at("second");
    outputs(&case, "grep -q '^Virtual-2 disconnected' ~/outputs");
    second.shows(800, 600);
    outputs(&case, "grep -q '^Virtual-2 connected' ~/outputs");
    case.user("ada", "xrandr --output Virtual-2 --auto --right-of Virtual-1; xsetroot -solid '#3b4d61'").ok();
    case.until("the desktop on both", |m| {
        let second = m.screen_of("gpu", 1);
        m.screen().shows(DESK) && second.shows(DESK) && size(&second) == (800, 600)
    });
    second.shows(1280, 720);
    outputs(&case, "grep -A 1 '^Virtual-2 connected' ~/outputs | grep -q 1280x720");
    case.user("ada", "xrandr --output Virtual-2 --auto; xsetroot -solid '#3b4d61'").ok();
    case.until("the new size", |m| size(&m.screen_of("gpu", 1)) == (1280, 720));
    // It goes while another terminal is in the foreground.
    case.press("ctrl-alt-f2");
    case.until("tty2", |m| m.active_vt() == 2 && !m.screen().shows(DESK));
    second.shows(0, 0);
    case.press("ctrl-alt-f1");
    case.until("the desktop", |m| m.active_vt() == 1 && m.screen().shows(DESK));
    case.listens();
    outputs(&case, "grep -q '^Virtual-2 disconnected' ~/outputs");
    types(&case);
    assert_eq!(case.server(), server);
}
