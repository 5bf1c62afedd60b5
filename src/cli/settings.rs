//! The options that stand for keys of `startxd.toml`.

use toml::Value;

use super::args::{DisplaySettings, Select, Settings};
use crate::config::{self, Config, Loaded, Override, Places};
use crate::x11::display::Display;

impl Settings {
    /// Reads the configuration, reports the mistakes in its files, and lets these options override it.
    ///
    /// # Errors
    /// What is wrong with an option; then nothing should be started.
    pub fn configuration(&self) -> Result<Loaded, String> {
        read(&self.overrides()?)
    }

    /// The options as arguments of a program.
    pub fn as_arguments(&self) -> Vec<String> {
        let one = [
            ("--display", &self.display),
            ("--server", &self.server),
            ("--dpi", &self.dpi),
            ("--ardelay", &self.ardelay),
            ("--arinterval", &self.arinterval),
            ("--ready", &self.ready),
        ];
        let many = [("--server-arg", &self.server_arg), ("--never", &self.never), ("--deadline", &self.deadline)];
        let one = one.into_iter().flat_map(|(option, given)| given.iter().map(move |value| (option, value)));
        let many = many.into_iter().flat_map(|(option, given)| given.iter().map(move |value| (option, value)));
        one.chain(many).map(|(option, value)| format!("{option}={value}")).collect()
    }

    fn overrides(&self) -> Result<Vec<Override>, String> {
        let mut overrides = Vec::new();
        let mut put = |option, key: &str, value| overrides.push(Override { option, key: key.to_owned(), value });
        if let Some(display) = &self.display {
            let display = Display::parse(display).map_err(|error| error.to_string())?;
            put("--display", "display", Value::from(display.to_string()));
        }
        for (option, key, given) in
            [("--server", "server.binary", self.server.as_ref()), ("--ready", "session.ready", self.ready.as_ref())]
        {
            if let Some(text) = given {
                put(option, key, Value::from(text.as_str()));
            }
        }
        for (option, key, given) in [
            ("--dpi", "server.dpi", self.dpi.as_ref()),
            ("--ardelay", "server.ardelay", self.ardelay.as_ref()),
            ("--arinterval", "server.arinterval", self.arinterval.as_ref()),
        ] {
            if let Some(text) = given {
                put(option, key, number(text));
            }
        }
        for (option, key, given) in
            [("--server-arg", "server.args", &self.server_arg), ("--never", "environment.never", &self.never)]
        {
            if !given.is_empty() {
                put(option, key, Value::from(given.clone()));
            }
        }
        overrides.extend(deadlines(&self.deadline)?);
        Ok(overrides)
    }
}

impl DisplaySettings {
    /// As [`Settings::configuration`].
    ///
    /// # Errors
    /// What is wrong with an option.
    pub fn configuration(&self) -> Result<Config, String> {
        let mut overrides = deadlines(&self.deadline)?;
        let (size, depth) = self.size_and_depth()?;
        for (option, key, given) in [
            ("--server", "displays.server", &self.server),
            ("--size", "displays.size", &size),
            ("--depth", "displays.depth", &depth),
            ("--ready", "session.ready", &self.ready),
        ] {
            let value = |text: &String| if option == "--depth" { number(text) } else { Value::from(text.as_str()) };
            overrides.extend(given.iter().map(|text| Override { option, key: key.to_owned(), value: value(text) }));
        }
        read(&overrides).map(|loaded| loaded.config)
    }

    /// The size without the depth, and the depth, whichever option gives it: Xvfb(1) writes both as `1600x900x24`.
    fn size_and_depth(&self) -> Result<(Option<String>, Option<String>), String> {
        let whole = self.size.as_deref().and_then(|size| size.rsplit_once('x')).filter(|(size, _)| size.contains('x'));
        match (whole, &self.depth) {
            (None, depth) => Ok((self.size.clone(), depth.clone())),
            (Some((_, its)), Some(depth)) if its != depth => {
                Err(format!("--size gives the depth {its}, and --depth gives {depth}; omit one of them"))
            }
            (Some((size, depth)), _) => Ok((Some(size.to_owned()), Some(depth.to_owned()))),
        }
    }
}

fn deadlines(given: &[String]) -> Result<Vec<Override>, String> {
    let one = |given: &String| {
        let (name, seconds) = given
            .split_once('=')
            .ok_or_else(|| format!("--deadline: write NAME=SECONDS, as in stop=60, instead of {given:?}"))?;
        let key = format!("deadlines.{}", name.strip_prefix("deadlines.").unwrap_or(name));
        Ok(Override { option: "--deadline", key, value: number(seconds) })
    };
    given.iter().map(one).collect()
}

impl Select {
    /// As [`Settings::configuration`], with the options that `select` alone has.
    ///
    /// # Errors
    /// What is wrong with an option.
    pub fn configuration(&self) -> Result<Config, String> {
        let mut overrides = self.settings.overrides()?;
        let timeout = self.timeout.iter().map(|text| Override {
            option: "--timeout",
            key: "select.timeout".to_owned(),
            value: number(text),
        });
        overrides.extend(timeout);
        read(&overrides).map(|loaded| loaded.config)
    }
}

fn read(overrides: &[Override]) -> Result<Loaded, String> {
    let loaded = config::load(&Places::from_env());
    for complaint in &loaded.complaints {
        tracing::warn!("{complaint}");
    }
    loaded.over(overrides)
}

/// A number as it was typed. Anything else stays a text, and the key says so.
fn number(text: &str) -> Value {
    let integer = text.parse().map(Value::Integer).ok();
    integer.or_else(|| text.parse().map(Value::Float).ok()).unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::args::{Args, Command, DisplayCommand};
    use crate::config::{Loaded, Origin, Places, load};

    fn loaded(line: &str) -> Result<Loaded, String> {
        let argv = ["startxd", "start"].into_iter().chain(line.split_ascii_whitespace());
        let Command::Start(start) = Args::try_parse_from(argv).unwrap().command else { panic!("{line}") };
        load(&Places { directories: Vec::new() }).over(&start.settings.overrides()?)
    }

    #[test]
    fn options_become_keys() {
        let line = "--display 3 --server /opt/X --server-arg -s --server-arg 0 --dpi 96 --ardelay 200 --arinterval 30 \
                    --ready started --never A --never B* --deadline stop=7 --deadline deadlines.launch=0.5 i3";
        let loaded = loaded(line).unwrap();
        let shown: Vec<String> = crate::config::keys()
            .filter(|key| loaded.origins[key.name] == Origin::CommandLine)
            .map(|key| format!("{} = {}", key.name, key.show(&loaded.config)))
            .collect();
        let expected = [
            "display = \":3\"",
            "server.binary = \"/opt/X\"",
            "server.args = [\"-s\", \"0\"]",
            "server.dpi = 96",
            "server.ardelay = 200",
            "server.arinterval = 30",
            "session.ready = \"started\"",
            "environment.never = [\"A\", \"B*\"]",
            "deadlines.launch = 0.5",
            "deadlines.stop = 7.0",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_size_may_have_the_depth_in_it() {
        for (line, expected) in [
            ("--size 1600x900x24", Ok((Some("1600x900"), Some("24")))),
            ("--size 1600x900x16 --depth 16", Ok((Some("1600x900"), Some("16")))),
            ("--size 1600x900 --depth 16", Ok((Some("1600x900"), Some("16")))),
            ("--size 1600x900", Ok((Some("1600x900"), None))),
            ("--size 1600x900x24 --depth 16", Err(())),
        ] {
            let argv = ["startxd", "display", "run"].into_iter().chain(line.split_ascii_whitespace()).chain(["true"]);
            let Command::Display(DisplayCommand::Run(run)) = Args::try_parse_from(argv).unwrap().command else {
                panic!("{line}")
            };
            let found = run.settings.size_and_depth().map_err(|_| ());
            assert_eq!(
                found.as_ref().map(|(size, depth)| (size.as_deref(), depth.as_deref())),
                expected.as_ref().copied(),
                "{line}"
            );
        }
    }

    #[test]
    fn options_are_handed_on_as_they_are() {
        let line = "--display=-1 --server-arg -s --dpi 96 --server-arg=0 --deadline stop=7 --timeout -3 --never A";
        let argv = ["startxd", "select"].into_iter().chain(line.split_ascii_whitespace());
        let Command::Select(select) = Args::try_parse_from(argv).unwrap().command else { panic!() };
        let arguments = select.settings.as_arguments();
        let expected =
            ["--display=-1", "--dpi=96", "--server-arg=-s", "--server-arg=0", "--never=A", "--deadline=stop=7"];
        assert_eq!(arguments, expected);
        let again = ["startxd", "start"].into_iter().chain(arguments.iter().map(String::as_str)).chain(["i3.desktop"]);
        let Command::Start(start) = Args::try_parse_from(again).unwrap().command else { panic!() };
        assert_eq!(start.settings.as_arguments(), arguments);
        assert_eq!(start.session, ["i3.desktop"]);
    }

    #[test]
    fn what_is_wrong_with_an_option() {
        for (line, part) in [
            ("--display host:0", "names a host"),
            ("--server Xorg", "--server: server.binary: write an absolute path"),
            ("--server-arg -auth", "--server-arg: server.args: \"-auth\" is not possible here"),
            ("--dpi many", "--dpi: server.dpi: write a whole number instead of a string"),
            ("--dpi -1", "--dpi: server.dpi: write a whole number from 0"),
            ("--ready soon", "--ready: session.ready: write \"managed\", \"started\" or"),
            ("--never A-B", "--never: environment.never: \"A-B\" is not"),
            ("--deadline stop", "--deadline: write NAME=SECONDS"),
            ("--deadline stop=0", "--deadline: deadlines.stop: a deadline of 0"),
            ("--deadline stpo=1", "--deadline: there is no key deadlines.stpo; did you mean deadlines.stop?"),
            ("--deadline stop=nan", "--deadline: deadlines.stop: "),
        ] {
            let error = loaded(line).map(|loaded| loaded.config).unwrap_err();
            assert!(error.contains(part) && !error.contains('\n'), "{line}: {error}");
        }
    }
}
