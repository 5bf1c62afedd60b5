//! The profile of a login shell, which a person has written, and our line in it.

use startxd::for_tests::autologin::profile::{with_line, without_line};

/// The line comes and goes without a trace, once however often it comes, and takes nothing of the person's with it: neither
/// what stood there before nor what was written since, whatever is left of earlier lines.
pub fn holds(input: &[u8]) {
    let profile = String::from_utf8_lossy(input);
    let line = "startxd check may-start && startxd start && exit";
    let without = without_line(&profile);
    assert!(is_part(&without, &profile));
    assert_eq!(without_line(&without), without);

    let with = with_line(&profile, line);
    assert!(with.starts_with(&*without) && with.lines().any(|one| one == line) && with.ends_with('\n'));
    assert_eq!(without_line(&with), without);
    assert_eq!(with_line(&with, line), with, "twice is once");
    assert_eq!(without_line(&with_line(&with, "another")), without);
    // A profile without anything of ours stays as it is, to the last byte.
    if !profile.contains("# Added by startxd") {
        assert_eq!(without, profile);
    }
    let mine = "umask 022\n";
    let ends = if without.is_empty() || without.ends_with('\n') { "" } else { "\n" };
    assert_eq!(without_line(&format!("{with}{mine}")), format!("{without}{ends}{mine}"));
    // What the person writes above it is theirs, also behind a block that lost its end.
    let lost = format!("# Added by startxd enable autologin; to take it out: startxd disable autologin\n{mine}");
    if !profile.contains("# End of what") {
        assert_eq!(without_line(&format!("{lost}{with}")), format!("{lost}{without}"));
    }
}

/// Whether a text is another one with some of it omitted.
fn is_part(part: &str, whole: &str) -> bool {
    let mut whole = whole.chars();
    part.chars().all(|c| whole.any(|other| other == c))
}
