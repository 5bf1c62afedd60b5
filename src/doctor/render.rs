//! How findings are printed: for people, and as JSON; pure. Names in them are chosen by other people.

use std::fmt::Write;

use super::{Description, Finding, Severity};
use crate::json::Json;
use crate::text::one_line;

/// The version of the JSON; incremented when a field changes its meaning or is removed, not when one is added.
const FORMAT: f64 = 1.0;

/// Takes the findings and returns the text for people, with a line end after every line.
#[must_use]
pub fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    let notes = findings.iter().position(|finding| finding.kind.severity == Severity::Note);
    for (index, finding) in findings.iter().enumerate() {
        if notes == Some(index) && index > 0 {
            let _ = writeln!(text, "Worth knowing; nothing has to be done:\n");
        }
        let _ =
            writeln!(text, "{:>7}  {}  [{}]", finding.kind.severity.word(), one_line(&finding.what), finding.kind.id);
        let _ = writeln!(text, "{:>7}  {}", "why", finding.kind.why);
        let _ = writeln!(text, "{:>7}  {}\n", "remedy", one_line(&finding.remedy));
    }
    let counts = [Severity::Error, Severity::Warning, Severity::Note].map(|severity| {
        let count = findings.iter().filter(|finding| finding.kind.severity == severity).count();
        let plural = if count == 1 { "" } else { "s" };
        (count, format!("{count} {}{plural}", severity.word()))
    });
    let counts: Vec<String> = counts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect();
    let _ = match counts.as_slice() {
        [] => writeln!(text, "nothing is wrong"),
        _ => writeln!(text, "{}", counts.join(", ")),
    };
    text
}

/// Takes the findings and returns them as one JSON object on one line, with the machine that they are of.
#[must_use]
pub fn json(findings: &[Finding], machine: &Description) -> String {
    let severity = findings.iter().map(|finding| finding.kind.severity).max().map_or("none", Severity::word);
    let each = findings.iter().map(|finding| {
        Json::Object(vec![
            ("id", Json::text(finding.kind.id)),
            ("severity", Json::text(finding.kind.severity.word())),
            ("what", Json::text(&finding.what)),
            ("why", Json::text(finding.kind.why)),
            ("remedy", Json::text(&finding.remedy)),
        ])
    });
    let report = Json::Object(vec![
        ("format", Json::Number(FORMAT)),
        ("version", Json::text(env!("CARGO_PKG_VERSION"))),
        ("severity", Json::text(severity)),
        ("machine", machine.json()),
        ("findings", Json::List(each.collect())),
    ]);
    format!("{report}\n")
}

#[cfg(test)]
mod tests {
    use super::{json, text};
    use crate::doctor::Description;
    use crate::doctor::catalogue::{LOGIN_TYPE, SERVER_MISSING};

    #[test]
    fn for_people() {
        assert_eq!(text(&[]), "nothing is wrong\n");
        let findings = [SERVER_MISSING.found("no \x1b[1mserver", "install one"), LOGIN_TYPE.found("a", "b")];
        let text = text(&findings);
        assert!(
            text.starts_with("  error  no \\u{1b}[1mserver  [server.missing]\n    why  without an X server"),
            "{text}"
        );
        let notes = "\n remedy  install one\n\nWorth knowing; nothing has to be done:\n\n   note  a  [login.type]\n";
        assert!(text.contains(notes), "{text}");
        assert!(text.ends_with("\n1 error, 1 note\n"), "{text}");
    }

    #[test]
    fn notes_alone_need_no_line_above_them() {
        assert!(text(&[LOGIN_TYPE.found("a", "b")]).starts_with("   note  a"));
        assert!(!text(&[SERVER_MISSING.found("a", "b")]).contains("the rest"));
    }

    #[test]
    fn for_programs() {
        let begin = format!("{{\"format\":1,\"version\":\"{}\",", env!("CARGO_PKG_VERSION"));
        let machine = Description::default();
        let is = machine.json();
        assert_eq!(json(&[], &machine), format!("{begin}\"severity\":\"none\",\"machine\":{is},\"findings\":[]}}\n"));
        let json = json(&[SERVER_MISSING.found("a \"b\" \\ \n é \u{7f}", "c")], &machine);
        let begin = format!("{begin}\"severity\":\"error\",\"machine\":{is},");
        let expected = r#""findings":[{"id":"server.missing","severity":"error","what":"a \"b\" \\ \u000a é \u007f","why":"without an X server there is no display","remedy":"c"}]}"#;
        assert_eq!(json, format!("{begin}{expected}\n"));
    }
}
