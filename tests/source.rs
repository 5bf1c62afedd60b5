//! Rules for the sources that the compiler does not keep.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The lines of a file with a word in them, comments left out.
fn lines_with<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let is_word = |part: &str| part == word;
    code.filter(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(is_word)).collect()
}

#[test]
fn unsafe_code_is_in_one_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut inside, mut outside) = (0, Vec::new());
    // The tests have the same rule for themselves, and the fuzzer's targets have none at all.
    for (directory, module) in [("src", "src/os"), ("tests", "tests/harness/sys.rs"), ("fuzz/src", "none")] {
        for file in files(&root.join(directory)) {
            let text = fs::read_to_string(&file).expect("a source");
            let count = lines_with(&text, "unsafe").len() + lines_with(&text, "unsafe_code").len();
            if file.starts_with(root.join(module)) {
                inside += count;
            } else if count > 0 && !file.ends_with(file!()) {
                outside.push(file);
            }
        }
    }
    assert!(inside > 5, "what is looked for is not found where it is: {inside}");
    assert!(outside.is_empty(), "{outside:?}");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"deny\"") && manifest.contains("undocumented_unsafe_blocks = \"deny\""));
}

/// What stands before a file's own tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// Whether a file of `src` has nothing but tests in it, or what they are made of.
fn is_of_tests(file: &Path) -> bool {
    file.ends_with("tests.rs")
        || file.ends_with("test_dir.rs")
        || file
            .strip_prefix(env!("CARGO_MANIFEST_DIR"))
            .is_ok_and(|file| file.iter().any(|name| name == "tests" || name == "testing"))
}

#[test]
fn deadlines_are_in_one_place() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // How long a crash counts, and what it makes the next server wait for, are no deadlines but keys of their own; and the
    // menu counts seconds down.
    let exempt = ["src/deadline.rs", "src/config/mod.rs", "src/select/mod.rs"];
    let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let elsewhere: Vec<String> = files(&sources)
        .into_iter()
        .filter(|file| !is_of_tests(file) && !exempt.iter().any(|exempt| file.ends_with(exempt)))
        .flat_map(|file| {
            let text = fs::read_to_string(&file).expect("a source");
            let lines = without_tests(&text).lines().map(str::to_owned).collect::<Vec<_>>();
            let fixed = |line: &String| {
                let mut calls = line.split("Duration::from_").skip(1);
                calls.any(|call| call.split_once('(').is_some_and(|(_, rest)| is_number(rest)))
            };
            lines.into_iter().filter(fixed).map(move |line| format!("{}: {line}", file.display()))
        })
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}

/// The parts of the program, from the ground up: each folder of `src`, and each file beside them, with the parts that it
/// uses. All of these stand above it in this table, so imports only go down, and no two parts need each other.
///
/// `PART: WHAT IT USES`; a line that begins with spaces goes on with the one before. A new import is a new word here, or it
/// is in the wrong place. Unit tests do not count: what they make examples of may be anywhere, and is not in the program
/// that is installed.
const PARTS: &str = "\
dbus:
deadline:
desktop_entry:
files:
json:
log: deadline
program:
seat:
small_file:
suggest:
text:
unit_file:
unix_socket: deadline
xdg:
autologin: files small_file suggest unit_file
os: deadline small_file
attributes: os small_file
logind: dbus deadline os
select: files os small_file xdg
subprocess: os
journal: subprocess
x11: deadline files os seat small_file text unix_socket
environment: subprocess text x11 xdg
launch: deadline environment files os unix_socket x11
runtime_dir: x11
config: deadline environment small_file suggest text x11 xdg
records: deadline environment files runtime_dir seat small_file x11 xdg
server: deadline environment log os x11
session_bus: dbus deadline environment runtime_dir text
manager: attributes dbus deadline environment runtime_dir session_bus small_file unix_socket x11
presence: records runtime_dir x11
multiplexer: dbus deadline environment logind manager os program records runtime_dir small_file
    subprocess text unix_socket xdg
session: attributes config dbus deadline desktop_entry environment manager os program records small_file suggest text x11 xdg
window_manager: dbus deadline environment files manager records runtime_dir session small_file text xdg
attach: config dbus deadline environment files manager multiplexer presence records runtime_dir session x11
displays: attributes config dbus deadline environment files launch log manager os program records runtime_dir server
    session small_file text unix_socket x11
host: config dbus deadline environment files journal launch logind manager multiplexer os presence records runtime_dir
    seat server session session_bus small_file text unix_socket x11 xdg
doctor: config deadline displays environment host json logind manager os records runtime_dir seat session small_file subprocess
    text unit_file x11 xdg
supervisor: dbus deadline host launch manager os records runtime_dir server session x11
cli: attach autologin config dbus deadline displays doctor environment files host journal json launch log logind manager
    multiplexer os program records runtime_dir select session small_file subprocess supervisor text window_manager
    x11
";

/// One file of the program.
struct Source {
    /// Its path below `src`.
    path: PathBuf,
    /// The module that it is, by its path in the crate.
    module: Vec<String>,
    /// Its code, line by line, without comments and tests.
    code: String,
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a source");
        let lines = without_tests(&text).lines().map(|line| line.split("//").next().unwrap_or_default());
        let path = path.strip_prefix(root).expect("below src").to_path_buf();
        let mut module: Vec<String> =
            path.with_extension("").iter().map(|part| part.to_string_lossy().into()).collect();
        module.pop_if(|last| last == "mod");
        Self { module, code: lines.collect::<Vec<_>>().join("\n"), path }
    }

    /// The part that it belongs to.
    fn part(&self) -> &str {
        &self.module[0]
    }

    /// Whether a module is this one or has it inside.
    fn is_in(&self, module: &[String]) -> bool {
        self.module.starts_with(module)
    }

    /// The paths that it names, from the crate's root, with their lines: by `crate::`, by `super::`, and by the name of a
    /// module inside.
    fn paths(&self, modules: &BTreeMap<Vec<String>, usize>) -> Vec<(usize, Vec<String>)> {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("::") {
            let start = self.code[..at].rfind(|c| !is_word(c)).map_or(0, |before| before + 1);
            // The first word of a path stands behind none.
            if self.code[..start].ends_with("::") {
                continue;
            }
            let mut base = match &self.code[start..at] {
                "crate" => Vec::new(),
                "super" => self.module[..self.module.len() - 1].to_vec(),
                word => [self.module.clone(), vec![word.to_owned()]].concat(),
            };
            if !matches!(&self.code[start..at], "crate" | "super") && !modules.contains_key(&base) {
                continue;
            }
            let mut rest = &self.code[at + 2..];
            while let Some(further) = rest.strip_prefix("super::") {
                base.pop();
                rest = further;
            }
            let line = self.code[..start].lines().count().max(1);
            found.extend(names(rest).into_iter().map(|names| (line, [base.clone(), names].concat())));
        }
        found
    }
}

/// The paths that stand at the beginning of a text: one, or those of a list in braces.
fn names(text: &str) -> Vec<Vec<String>> {
    let Some(list) = text.strip_prefix('{') else {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let name = Some(name).filter(|name| !matches!(*name, "" | "self")).map(str::to_owned);
        let further = rest.strip_prefix("::").map_or_else(|| vec![Vec::new()], names);
        return further.into_iter().map(|further| name.iter().cloned().chain(further).collect()).collect();
    };
    let (mut paths, mut depth, mut is_new) = (Vec::new(), 0, true);
    for (at, c) in list.char_indices() {
        match c {
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            '{' => depth += 1,
            ',' if depth == 0 => is_new = true,
            c if is_new && !c.is_whitespace() => {
                paths.extend(names(&list[at..]));
                is_new = false;
            }
            _ => {}
        }
    }
    paths
}

/// Every file of the program but its two roots, and what tests are made of.
fn program() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let apart = ["lib.rs", "main.rs", "for_tests.rs", "cli/documents.rs", "cli/manuals.rs"];
    let is_apart = |path: &PathBuf| is_of_tests(path) || apart.iter().any(|name| path.ends_with(name));
    let mut sources: Vec<Source> =
        files(&root).iter().filter(|path| !is_apart(path)).map(|path| Source::read(&root, path)).collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// The rows of [`PARTS`].
fn parts() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut parts: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in PARTS.lines() {
        match line.split_once(':') {
            Some((part, uses)) => parts.push((part, uses.split_whitespace().collect())),
            None => parts.last_mut().expect("a part").1.extend(line.split_whitespace()),
        }
    }
    parts
}

#[test]
fn imports_only_go_down() {
    let mut wrong = Vec::new();
    let parts = parts();
    let known: BTreeSet<&str> = parts.iter().map(|(part, _)| *part).collect();
    for (index, (part, uses)) in parts.iter().enumerate() {
        let below = &parts[..index];
        let up = uses.iter().filter(|used| !below.iter().any(|(part, _)| part == *used));
        wrong.extend(up.map(|used| format!("PARTS: {used} does not stand above {part}, which uses it")));
    }
    let modules = BTreeMap::new();
    let mut used = BTreeSet::new();
    for source in program() {
        let Some((_, uses)) = parts.iter().find(|(part, _)| *part == source.part()) else {
            wrong.push(format!("src/{}: PARTS has no {}", source.path.display(), source.part()));
            continue;
        };
        for (line, path) in source.paths(&modules) {
            let Some(other) = path.first().filter(|other| *other != source.part() && known.contains(other.as_str()))
            else {
                continue;
            };
            used.insert((source.part().to_owned(), other.clone()));
            if !uses.contains(&other.as_str()) {
                let path = path.join("::");
                wrong.push(format!(
                    "src/{}:{line}: crate::{path}: {} does not use {other}",
                    source.path.display(),
                    source.part()
                ));
            }
        }
    }
    let stale =
        parts.iter().flat_map(|(part, uses)| uses.iter().map(move |other| ((*part).to_owned(), (*other).to_owned())));
    wrong.extend(
        stale
            .filter(|pair| !used.contains(pair))
            .map(|(part, other)| format!("PARTS: {part} does not use {other} any more")),
    );
    assert!(used.len() > 100, "what is looked for is not found where it is: {}", used.len());
    assert!(wrong.is_empty(), "what is needed belongs further down, or into PARTS of tests/source.rs: {wrong:#?}");
}

#[test]
fn no_files_need_each_other() {
    let sources = program();
    let modules: BTreeMap<Vec<String>, usize> =
        sources.iter().enumerate().map(|(index, source)| (source.module.clone(), index)).collect();
    // What a folder's mod.rs hands on is of the file that it comes from.
    let mut handed_on = BTreeMap::new();
    for source in &sources {
        let lines: Vec<&str> = source.code.lines().collect();
        for (line, path) in source.paths(&modules) {
            if lines[line - 1].starts_with("pub") && path.starts_with(&source.module) {
                let name = path.last().expect("a path has a name").clone();
                handed_on.insert([source.module.clone(), vec![name]].concat(), path);
            }
        }
    }
    let file_of = |path: &[String]| {
        let path = handed_on.get(path).map_or(path, Vec::as_slice);
        (1..=path.len()).rev().find_map(|length| modules.get(&path[..length]).copied())
    };
    // Which file uses which, and at which line. A file and those inside of it are one thing: they may use what it says.
    let mut uses: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
    for (index, source) in sources.iter().enumerate() {
        for (line, path) in source.paths(&modules) {
            if let Some(other) = file_of(&path).filter(|other| !source.is_in(&sources[*other].module)) {
                uses.entry(index).or_default().entry(other).or_insert(line);
            }
        }
    }
    let reached_from = |start: usize| {
        let (mut reached, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(file) = next.pop() {
            next.extend(uses.get(&file).into_iter().flat_map(BTreeMap::keys).filter(|other| reached.insert(**other)));
        }
        reached
    };
    let mut in_a_circle = Vec::new();
    for (file, others) in &uses {
        for (other, line) in others.iter().filter(|(other, _)| reached_from(**other).contains(file)) {
            let (path, other) = (&sources[*file].path, &sources[*other].path);
            in_a_circle.push(format!("src/{}:{line} uses src/{}", path.display(), other.display()));
        }
    }
    assert!(uses.len() > 100, "what is looked for is not found where it is: {}", uses.len());
    assert!(in_a_circle.is_empty(), "these files need each other, by way of one another: {in_a_circle:#?}");
}

#[test]
fn the_core_of_a_session_knows_no_connection_file_process_or_clock() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/host/core");
    let sources: Vec<PathBuf> = files(&core).into_iter().filter(|file| !is_of_tests(file)).collect();
    assert!(sources.len() > 4, "what is looked for is not found where it is: {sources:?}");
    let impure = [
        "tokio",
        "zbus",
        "nix",
        "std::fs",
        "std::process",
        "std::net",
        "std::os",
        "std::env",
        "Instant::now",
        "async",
        "await",
    ];
    let mut found = Vec::new();
    for source in sources {
        let text = fs::read_to_string(&source).expect("a source");
        for (number, line) in without_tests(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let names = |word: &str| {
                code.match_indices(word).any(|(at, word)| {
                    let (before, after) = (&code[..at], &code[at + word.len()..]);
                    !before.ends_with(is_word) && !after.starts_with(is_word)
                })
            };
            found.extend(
                impure
                    .iter()
                    .filter(|word| names(word))
                    .map(|word| format!("{}:{}: {word} belongs into the driver", source.display(), number + 1)),
            );
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Idioms of other languages, and words that a reader in a hurry reads twice, with what to write.
const IDIOMS: [(&str, &str); 66] = [
    ("leave away", "omit"),
    ("leaves away", "omits"),
    ("left away", "omitted"),
    ("whose it is", "the owner"),
    ("whose they are", "the owner"),
    ("counts over", "overrides"),
    ("count over", "override"),
    ("complained of", "reported"),
    ("is passed over", "is ignored"),
    ("are passed over", "are ignored"),
    ("keeps nobody out", "locks nobody out"),
    ("keep nobody out", "lock nobody out"),
    ("back exactly", "undo"),
    ("of startxd's", "of startxd"),
    ("is none of", "is not one of"),
    ("which is none", "which does not exist"),
    ("there is: none", "nothing was found"),
    ("begun, too", "begun as well"),
    ("leave it away", "omit it"),
    ("for want of", "for lack of"),
    ("let go of it: startxd", "detach it: startxd"),
    ("go astray", "use the wrong one"),
    ("stood in line", "is set in line"),
    ("opened and not closed", "not closed"),
    ("begins no other", "does not start another"),
    ("is one of yours already", "you already have"),
    ("comes to nothing", "fails"),
    ("leave out", "omit"),
    ("left out", "omitted"),
    ("gone down within", "ended within"),
    ("holds nobody up", "delays nothing"),
    ("holds up nobody", "delays nobody"),
    ("counts most", "has precedence"),
    ("counts least", "has the lowest precedence"),
    ("to be put after", "follows"),
    ("to be put behind", "follows"),
    ("without a word", "without a message"),
    ("begin so", "have that beginning"),
    ("is nobody's", "belongs to nobody"),
    ("whole path", "absolute path"),
    ("takes back", "undoes"),
    ("took it back", "undid it"),
    ("as below startx", "as with startx"),
    ("for ever", "forever"),
    ("all the same", "still"),
    ("begins anew", "starts again"),
    ("begin anew", "start again"),
    ("made anew", "created again"),
    ("started anew", "restarted"),
    ("itself anew", "re-executes itself"),
    ("executed anew", "re-executed"),
    ("want of memory", "lack of memory"),
    ("holds up neither", "delays neither"),
    ("says nothing of", "says nothing about"),
    ("say nothing of", "say nothing about"),
    ("comes of it", "its result"),
    ("came of it", "its result"),
    ("to the front", "to the foreground"),
    ("how-manieth", "which of those"),
    ("takes it along", "ends it"),
    ("takes them along", "ends them"),
    ("looks in vain", "does not find"),
    ("knows nothing of", "knows nothing about"),
    ("know nothing of", "know nothing about"),
    ("that is said", "that is reported"),
    ("is heard of", "is noticed"),
];

/// The texts of the tree: sources, manual pages, documents, units.
fn texts(directory: &Path) -> Vec<PathBuf> {
    let kinds = ["rs", "md", "1", "5", "7", "in", "service", "target", "socket", "toml", "conf"];
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_text = |path: &PathBuf| {
        let kind = path.extension().unwrap_or_default();
        kinds.iter().any(|one| kind == *one) && !path.ends_with(file!())
    };
    paths.flat_map(|path| if path.is_dir() { texts(&path) } else { vec![path] }).filter(is_text).collect()
}

#[test]
fn text_is_plain_english() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<PathBuf> = ["src", "tests", "man", "docs", "units", "packaging", "fuzz/src"]
        .iter()
        .flat_map(|name| texts(&root.join(name)))
        .collect();
    paths.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root.join(name)));
    assert!(paths.len() > 300, "what is looked for is not found where it is: {}", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        // A fixture may hold any bytes.
        let text = String::from_utf8_lossy(&fs::read(&path).expect("a text")).into_owned();
        // A phrase goes on in the next line, behind the sign of a comment.
        let lines = text
            .lines()
            .map(|line| line.trim_start().trim_start_matches(['/', '!', '#']).trim().trim_end_matches('\\'));
        let text = lines.map(str::trim).collect::<Vec<_>>().join(" ").to_lowercase();
        for (idiom, better) in IDIOMS {
            let ends_word = |at: usize| !text[at + idiom.len()..].starts_with(char::is_alphabetic);
            for (at, _) in
                text.match_indices(idiom).filter(|(at, _)| !text[..*at].ends_with("there ") && ends_word(*at))
            {
                let begin = text[..at].char_indices().rev().nth(40).map_or(0, |(index, _)| index);
                wrong.push(format!("{}: \"{}{idiom}\": write \"{better}\"", path.display(), &text[begin..at]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
