//! What holds for every input, tried with many.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use startxd::for_tests::config::{self, FILE_NAME, Places, keys};
use startxd::for_tests::environment::{Block, block, export, policy, restore};
use startxd::for_tests::launch::{Reply, Request};
use startxd::for_tests::manager::names;
use startxd::for_tests::x11::cookie::Cookie;
use startxd::for_tests::x11::display::Display;
use startxd::for_tests::x11::occupied::{BoundDisplays, bound_displays, lock_holder};
use startxd::for_tests::x11::xauthority::{self, AuthorityEntry};

/// A block with names and values from small sets, so that two blocks often share some.
fn some_block() -> impl Strategy<Value = Block> {
    btree_map("[A-D]", "[x-z]{0,2}", 0..5)
}

/// The result of applying `UnsetAndSetEnvironment` (org.freedesktop.systemd1(5)) to a block: the manager first unsets,
/// then sets.
fn applied(changes: &restore::Changes, block: &Block) -> Block {
    let kept = block.iter().filter(|(name, _)| !changes.unset.contains(*name));
    kept.chain(&changes.set).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn some_entry() -> impl Strategy<Value = AuthorityEntry> {
    let field = || vec(any::<u8>(), 0..20);
    (any::<u16>(), field(), field(), field(), field())
        .prop_map(|(family, address, number, name, data)| AuthorityEntry { family, address, number, name, data })
}

/// Text that is almost a configuration: pieces of one, in any order.
fn some_toml() -> impl Strategy<Value = String> {
    let pieces = "\\[server\\]\n|\\[\\[server\\]\\]\n|\\[deadlines\n|display = |binary|args|stop=|\"|\"\"\"|'|\\[|\\]|\\{|\\}|=|\\.|,|#|\n|\
                  :1|/usr/bin/X|1e9|-|\\\\u|é|\r\n|\t|1979-05-27|true";
    vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

/// Loads one file with this content, and checks what always holds.
fn load(name: &str, content: &[u8]) -> Result<config::Loaded, TestCaseError> {
    let directory: PathBuf = std::env::temp_dir().join(format!("startxd-properties-{}-{name}", std::process::id()));
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(FILE_NAME), content)?;
    let loaded = config::load(&Places { directories: vec![directory.clone()] });
    fs::remove_dir_all(&directory)?;
    for complaint in &loaded.complaints {
        prop_assert_eq!(complaint.to_string().lines().count(), 1);
        prop_assert!(complaint.line.is_none_or(|line| line >= 1 && line <= content.len() + 1));
    }
    prop_assert_eq!(loaded.origins.len(), keys().count());
    Ok(loaded)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn displays_print_as_they_are_read(number in 0..=Display::MAX.number()) {
        let display = Display::new(number).unwrap();
        prop_assert_eq!(Display::parse(&display.to_string()), Ok(display));
        prop_assert_eq!(Display::parse(&number.to_string()), Ok(display));
    }

    #[test]
    fn no_text_is_too_odd_for_a_display(text in "[:.+0-9a-z \\PC]{0,12}") {
        if let Ok(display) = Display::parse(&text) {
            let digits = text.trim_start_matches(':').trim_start_matches('0');
            let number = display.number().to_string();
            prop_assert_eq!(number.trim_start_matches('0'), digits);
        }
    }

    #[test]
    fn authority_entries_read_back(entries in vec(some_entry(), 0..5)) {
        prop_assert_eq!(xauthority::decode(&xauthority::encode(&entries)), Ok(entries));
    }

    #[test]
    fn decoding_and_encoding_gives_the_same_bytes(bytes in vec(prop_oneof![Just(0u8), Just(1u8), any::<u8>()], 0..64)) {
        if let Ok(entries) = xauthority::decode(&bytes) {
            prop_assert_eq!(xauthority::encode(&entries), bytes);
        }
    }

    #[test]
    fn a_written_cookie_is_found(number in 0..=Display::MAX.number(), host: Vec<u8>, bytes: [u8; 16], other in some_entry()) {
        let (display, cookie) = (Display::new(number).unwrap(), Cookie::from_bytes(bytes));
        let mut entries = vec![other];
        entries.extend(xauthority::entries_for(display, &host, &cookie));
        prop_assert_eq!(xauthority::find_cookie(&entries, display, &host), Some(cookie));
    }

    #[test]
    fn lists_of_sockets_and_locks_are_only_read(text in "\\PC*", bytes in vec(any::<u8>(), 0..16)) {
        prop_assert_eq!(bound_displays(text.as_bytes()), BoundDisplays::default());
        if let Some(pid) = lock_holder(&bytes) {
            prop_assert_eq!(format!("{:>10}\n", pid.as_raw()).into_bytes(), bytes);
        }
    }

    #[test]
    fn blocks_read_back(given in some_block()) {
        prop_assert_eq!(block::parse(&block::render(&given)), given);
    }

    #[test]
    fn the_difference_restores_the_original(before in some_block(), now in some_block()) {
        let changes = restore::difference(&before, &now);
        prop_assert_eq!(applied(&changes, &now), before.clone());
        prop_assert_eq!(changes.is_empty(), before == now);
        prop_assert!(changes.unset.iter().all(|name| !changes.set.contains_key(name)));
    }

    #[test]
    fn the_end_undoes_the_start(manager in some_block(), login in some_block(), session in some_block()) {
        let login: Vec<(OsString, OsString)> = login.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let exported = export(&login, &manager, &session, &[]);
        let mut now = manager.clone();
        now.extend(exported.clone());
        // The order of the end: first the bus, whose call changes the manager too, then the manager.
        now.extend(restore::bus_values(&manager, &exported));
        prop_assert_eq!(applied(&restore::difference(&manager, &now), &now), manager);
    }

    #[test]
    fn an_export_has_the_sessions_variables_and_none_that_must_stay(
        login in vec(("\\PC{0,3}|TERM|PWD|XDG_VTNR|LISTEN_[A-Z]|[A-C]", "\\PC{0,3}|\u{1}"), 0..8),
        manager in some_block(),
        session in some_block(),
    ) {
        let os: Vec<(OsString, OsString)> = login.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let exported = export(&os, &manager, &session, &["C*".to_owned()]);
        for (name, value) in &exported {
            if session.get(name) != Some(value) {
                prop_assert_eq!(policy::travels(name, value), Ok(()));
                prop_assert!(!name.starts_with('C') && manager.get(name) != Some(value));
                prop_assert!(login.contains(&(name.clone(), value.clone())));
            }
        }
        prop_assert!(session.iter().all(|(name, value)| exported.get(name) == Some(value)));
    }

    #[test]
    fn no_bytes_are_too_odd_for_a_configuration(bytes in vec(any::<u8>(), 0..200)) {
        load("bytes", &bytes)?;
    }

    #[test]
    fn no_text_is_too_odd_for_a_configuration(text in some_toml()) {
        load("text", text.as_bytes())?;
    }

    #[test]
    fn keys_below_a_broken_list_or_table_count(text in "[a-z0-9 =\"\\[\\],]{0,20}") {
        let loaded = load("below", format!("{text}\n[session]\nready = \"started\"\n").as_bytes())?;
        prop_assert_eq!(loaded.config.session.ready, config::Ready::Started, "{:?}", loaded.complaints);
    }
}

proptest! {
    #[test]
    fn launch_messages_survive_the_transfer(number in 0..=Display::MAX.number(), listeners in 0..1000_usize, text in ".{0,300}") {
        let display = Display::new(number).unwrap();
        let value = text.replace(char::is_control, "");
        let ready = Request::Ready([("NAME".to_owned(), value.clone()), ("OTHER".to_owned(), value)].into());
        for request in [Request::Launch { display, listeners }, Request::Stop, Request::Failed(text.clone()), ready] {
            prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
        }
        let refused = Reply::Refused(text);
        prop_assert_eq!(Reply::decode(&refused.encode()), Ok(refused));
    }

    #[test]
    fn whatever_decodes_as_a_launch_message_is_one(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = Request::decode(&bytes) {
            prop_assert_eq!(request.encode(), bytes.clone());
        }
        if let Ok(reply) = Reply::decode(&bytes) {
            prop_assert_eq!(reply.encode(), bytes);
        }
    }

    #[test]
    fn damaged_launch_messages_do_no_harm(
        verb in "(launch|stop|failed|ready|heard|launched|exited|stopping|refused)",
        rest in "[ a-z0-9=:+\\-\n]{0,40}",
    ) {
        let bytes = format!("startxd/1 {verb}{rest}").into_bytes();
        let _ = Request::decode(&bytes);
        let _ = Reply::decode(&bytes);
    }

    #[test]
    fn unit_names_survive_their_object_path(name in "[A-Za-z0-9:_.@\\\\-]{1,80}") {
        prop_assert_eq!(names::unit_of_path(&names::object_path(&name)), Some(name));
    }

    #[test]
    fn every_program_has_a_valid_service_name(program in ".{0,300}") {
        let name = names::session_service(&program);
        prop_assert!(name.len() <= 255);
        prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte)), "{}", name);
        prop_assert!(names::is_session_service(&name));
    }
}
