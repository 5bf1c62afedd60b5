//! The one table of keys: reading, showing, suggestions and the manual all use it.

use std::time::Duration;

use toml::de::DeValue;

use super::size::{self, BadSize};
use super::value::{
    absolute, article, boolean, integer, is_zero, list, number, optional, seconds, string, text, texts,
};
use super::{Autostart, Config, Ready, ServerName, server_args};
use crate::deadline::{Deadlines, Field};
use crate::environment::policy;
use crate::x11::display::Display;
use crate::x11::idle::ScreenOff;

/// A key of `startxd.toml`.
#[derive(Clone, Copy, Debug)]
pub struct ConfigKey {
    /// Its full name, `TABLE.KEY`, or only `KEY` above the first table.
    pub name: &'static str,
    /// What it is for, for the manual.
    pub doc: &'static str,
    /// The values that it takes, in a few words.
    pub takes: &'static str,
    access: Access,
}

#[derive(Clone, Copy, Debug)]
enum Access {
    Plain { set: fn(&mut Config, &DeValue<'_>) -> Result<(), String>, show: fn(&Config) -> toml::Value },
    Deadline(&'static Field),
}

/// Returns all keys, in the order of the manual.
pub fn keys() -> impl Iterator<Item = ConfigKey> + Clone {
    let deadline = |field: &'static Field| ConfigKey {
        name: field.key,
        doc: field.doc,
        takes: "seconds, above 0 and at most 3600",
        access: Access::Deadline(field),
    };
    PLAIN.iter().copied().chain(Deadlines::FIELDS.iter().map(deadline))
}

impl ConfigKey {
    /// Takes a configuration and returns the key's value in it.
    pub fn value(&self, config: &Config) -> toml::Value {
        match self.access {
            Access::Plain { show, .. } => show(config),
            Access::Deadline(field) => toml::Value::Float((field.get)(&config.deadlines).as_secs_f64()),
        }
    }

    /// Takes a configuration and returns the key's value in it as TOML, which [`super::load`] would read back.
    pub fn show(&self, config: &Config) -> String {
        self.value(config).to_string()
    }

    /// Takes a configuration and the value from a file, and sets the value.
    ///
    /// # Errors
    /// A text that begins with the key and says what is wrong; then the configuration is unchanged.
    pub(super) fn set(&self, config: &mut Config, value: &DeValue<'_>) -> Result<(), String> {
        let set = match self.access {
            Access::Plain { set, .. } => set(config, value),
            Access::Deadline(field) => {
                seconds(value).map(|deadline| *(field.get_mut)(&mut config.deadlines) = deadline)
            }
        };
        set.map_err(|why| format!("{}: {why}", self.name))
    }
}

/// A command line, the program first.
fn words(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    list(value, |word| match word.contains('\0') {
        true => Err("it cannot hold a NUL".to_owned()),
        false => Ok(()),
    })
}

/// At most a day: a longer time means never.
const LONGEST_IDLE: u32 = 86_400;

/// The values of a key that is a time without input.
const LONG_IDLE: &str = "whole seconds, at most 86400, or 0";

/// The values of a key that says whether something locks the screen.
const LOCK_OR_NO: &str = "\"lock\" or \"no\"";

fn lock_or_no(value: &DeValue<'_>) -> Result<bool, String> {
    match string(value)? {
        "lock" => Ok(true),
        "no" => Ok(false),
        word => Err(format!("write {LOCK_OR_NO} instead of {word:?}")),
    }
}

fn as_lock_or_no(locks: bool) -> toml::Value {
    text(Some(if locks { "lock" } else { "no" }.to_owned()))
}

/// The highest limit: something that crashes more often has another problem.
const MAX_CRASHES: u32 = 100;

const PLAIN: &[ConfigKey] = &[
    ConfigKey {
        name: "display",
        doc: "The display to use. Empty: the first free one from :0 on.",
        takes: "a display such as \":1\", or its number",
        access: Access::Plain {
            set: |config, value| {
                config.display = match value {
                    DeValue::Integer(number) => Some(number.to_string()),
                    _ => optional(value)?,
                }
                .map(|text| Display::parse(&text).map_err(|error| error.to_string()))
                .transpose()?;
                Ok(())
            },
            show: |config| text(config.display.map(|display| display.to_string())),
        },
    },
    ConfigKey {
        name: "server.binary",
        doc: "The X server to run: the real one, not a setuid wrapper. Empty: look where distributions install it.",
        takes: "an absolute path",
        access: Access::Plain {
            set: |config, value| {
                config.server.binary = optional(value)?.map(absolute).transpose()?;
                Ok(())
            },
            show: |config| text(config.server.binary.as_ref().map(|path| path.display().to_string())),
        },
    },
    ConfigKey {
        name: "server.args",
        doc: "Arguments for the X server in addition to those that startxd gives it.",
        takes: "a list of strings",
        access: Access::Plain {
            set: |config, value| {
                config.server.args = list(value, |argument| match server_args::refusal(argument) {
                    Some(why) => Err(format!("{argument:?} is not possible here: {why}")),
                    None => Ok(()),
                })?;
                Ok(())
            },
            show: |config| texts(&config.server.args),
        },
    },
    ConfigKey {
        name: "server.dpi",
        doc: "The resolution that the X server reports, as with its argument -dpi. 0: the server decides.",
        takes: "dots per inch, at most 1000",
        access: Access::Plain {
            set: |config, value| {
                config.server.dpi = number(value, 1000)?;
                Ok(())
            },
            show: |config| integer(config.server.dpi),
        },
    },
    ConfigKey {
        name: "server.ardelay",
        doc: "How long a key is held before it repeats, as with the server's argument -ardelay. 0: the server's default.",
        takes: "milliseconds, at most 10000",
        access: Access::Plain {
            set: |config, value| {
                config.server.ardelay = number(value, 10_000)?;
                Ok(())
            },
            show: |config| integer(config.server.ardelay),
        },
    },
    ConfigKey {
        name: "server.arinterval",
        doc: "The time between two repeats, as with the server's argument -arinterval. 0: the server's default.",
        takes: "milliseconds, at most 10000",
        access: Access::Plain {
            set: |config, value| {
                config.server.arinterval = number(value, 10_000)?;
                Ok(())
            },
            show: |config| integer(config.server.arinterval),
        },
    },
    ConfigKey {
        name: "server.others",
        doc: "Whether other users of the machine who have the cookie can use the display, and displays without a screen.",
        takes: "true or false",
        access: Access::Plain {
            set: |config, value| {
                config.server.others = boolean(value)?;
                Ok(())
            },
            show: |config| toml::Value::Boolean(config.server.others),
        },
    },
    ConfigKey {
        name: "server.xauthority",
        doc: "Whether ~/.Xauthority, where clients without XAUTHORITY look, also has the cookie until the session ends.",
        takes: "true or false",
        access: Access::Plain {
            set: |config, value| {
                config.server.hides_cookie = !boolean(value)?;
                Ok(())
            },
            show: |config| toml::Value::Boolean(!config.server.hides_cookie),
        },
    },
    ConfigKey {
        name: "server.xserverrc",
        doc: "Whether the server gets the arguments in ~/.xserverrc, if no key and no option gives any.",
        takes: "true or false",
        access: Access::Plain {
            set: |config, value| {
                config.server.ignores_xserverrc = !boolean(value)?;
                Ok(())
            },
            show: |config| toml::Value::Boolean(!config.server.ignores_xserverrc),
        },
    },
    ConfigKey {
        name: "session.default",
        doc: "What to start when no session is named, no unit is enabled for wm.target and there is no ~/.xinitrc.",
        takes: "an entry's name, a unit or a command line",
        access: Access::Plain {
            set: |config, value| {
                config.session.default = optional(value)?;
                Ok(())
            },
            show: |config| text(config.session.default.clone()),
        },
    },
    ConfigKey {
        name: "session.ready",
        doc: "When the session counts as up: as soon as a window manager manages the display; as soon as its process is \
              started, for window managers that leave no sign on the display; or only when the session has also reported it, by \
              READY=1 or startxd ready.",
        takes: "\"managed\", \"started\" or \"notified\"",
        access: Access::Plain {
            set: |config, value| {
                let word = string(value)?;
                let all = [Ready::Managed, Ready::Started, Ready::Notified];
                let ready = all.into_iter().find(|ready| ready.as_str() == word);
                let instead = || format!("write \"managed\", \"started\" or \"notified\" instead of {word:?}");
                config.session.ready = ready.ok_or_else(instead)?;
                Ok(())
            },
            show: |config| text(Some(config.session.ready.as_str().to_owned())),
        },
    },
    ConfigKey {
        name: "session.autostart",
        doc: "Whether the user manager starts the autostart programs. With \"auto\" it does unless the session is known to \
              start them itself, as Xfce, openbox-session and a configuration of i3 with dex do.",
        takes: "\"auto\", \"yes\" or \"no\"",
        access: Access::Plain {
            set: |config, value| {
                let word = string(value)?;
                let all = [Autostart::Auto, Autostart::Yes, Autostart::No];
                let autostart = all.into_iter().find(|autostart| autostart.as_str() == word);
                let refused = || format!("write \"auto\", \"yes\" or \"no\" instead of {word:?}");
                config.session.autostart = autostart.ok_or_else(refused)?;
                Ok(())
            },
            show: |config| text(Some(config.session.autostart.as_str().to_owned())),
        },
    },
    ConfigKey {
        name: "session.dotfiles",
        doc: "Whether ~/.Xresources, ~/.Xmodmap, ~/.xprofile and ~/.xsessionrc, and those of the system, are read before \
              the window manager starts.",
        takes: "true or false",
        access: Access::Plain {
            set: |config, value| {
                config.session.ignores_dotfiles = !boolean(value)?;
                Ok(())
            },
            show: |config| toml::Value::Boolean(!config.session.ignores_dotfiles),
        },
    },
    ConfigKey {
        name: "crash.limit",
        doc: "How often the X server, or the window manager, may crash and come back within crash.window seconds; past \
              that the session ends.",
        takes: "a whole number from 0 to 100",
        access: Access::Plain {
            set: |config, value| {
                let number = match value {
                    DeValue::Integer(integer) => u32::from_str_radix(integer.as_str(), integer.radix()).ok(),
                    _ => None,
                };
                let fits = number.filter(|&number| number <= MAX_CRASHES);
                config.crash.limit = fits.ok_or(format!("write a whole number from 0 to {MAX_CRASHES}"))?;
                Ok(())
            },
            show: |config| toml::Value::Integer(config.crash.limit.into()),
        },
    },
    ConfigKey {
        name: "crash.window",
        doc: "How long a crash is remembered.",
        takes: "seconds, above 0 and at most 3600",
        access: Access::Plain {
            set: |config, value| seconds(value).map(|window| config.crash.window = window),
            show: |config| toml::Value::Float(config.crash.window.as_secs_f64()),
        },
    },
    ConfigKey {
        name: "crash.pause",
        doc: "How long the X server waits before it comes back for the second time; for each further time twice as \
              long. The first time it comes back at once.",
        takes: "seconds, above 0 and at most 3600",
        access: Access::Plain {
            set: |config, value| seconds(value).map(|pause| config.crash.pause = pause),
            show: |config| toml::Value::Float(config.crash.pause.as_secs_f64()),
        },
    },
    ConfigKey {
        name: "crash.rescue",
        doc: "What to run in the window manager's place once it has crashed too often, such as [\"xterm\"]. Empty: the session \
              ends then.",
        takes: "a list of strings, the program first",
        access: Access::Plain {
            set: |config, value| {
                config.crash.rescue = words(value)?;
                Ok(())
            },
            show: |config| texts(&config.crash.rescue),
        },
    },
    ConfigKey {
        name: "lock.command",
        doc: "The screen locker to run, such as [\"i3lock\", \"--nofork\"]. Empty: the units of \
              startxd-lock.target lock the screen, or a program that responds to the X server's screen saver.",
        takes: "a list of strings, the program first",
        access: Access::Plain {
            set: |config, value| {
                config.lock.command = words(value)?;
                Ok(())
            },
            show: |config| texts(&config.lock.command),
        },
    },
    ConfigKey {
        name: "lock.sleep",
        doc: "Whether the screen is locked before the machine sleeps, by lock.command or the units of startxd-lock.target.",
        takes: LOCK_OR_NO,
        access: Access::Plain {
            set: |config, value| {
                config.lock.sleeps_open = !lock_or_no(value)?;
                Ok(())
            },
            show: |config| as_lock_or_no(!config.lock.sleeps_open),
        },
    },
    ConfigKey {
        name: "lock.vt_switch",
        doc: "Whether the screen is locked when another virtual terminal comes to the foreground.",
        takes: LOCK_OR_NO,
        access: Access::Plain {
            set: |config, value| {
                config.lock.vt_switch = lock_or_no(value)?;
                Ok(())
            },
            show: |config| as_lock_or_no(config.lock.vt_switch),
        },
    },
    ConfigKey {
        name: "idle.after",
        doc: "After how long without a key or a movement of the pointer startxd-idle.target is started and logind is told. \
              0: never.",
        takes: LONG_IDLE,
        access: Access::Plain {
            set: |config, value| {
                config.idle.after = number(value, LONGEST_IDLE)?;
                Ok(())
            },
            show: |config| integer(config.idle.after),
        },
    },
    ConfigKey {
        name: "idle.lock",
        doc: "After how long without input the screen is locked. 0: never.",
        takes: LONG_IDLE,
        access: Access::Plain {
            set: |config, value| {
                config.idle.lock = number(value, LONGEST_IDLE)?;
                Ok(())
            },
            show: |config| integer(config.idle.lock),
        },
    },
    ConfigKey {
        name: "idle.screen_off",
        doc: "After how long without input the screen goes dark. 0: the X server's default.",
        takes: "seconds, at most 32767, 0, or \"never\"",
        access: Access::Plain {
            set: |config, value| {
                config.idle.screen_off = match value.as_str() {
                    Some("never") => Some(ScreenOff::Never),
                    Some(word) => return Err(format!("write seconds, or \"never\", instead of {word:?}")),
                    None => number(value, i16::MAX as u32)?
                        .and_then(|seconds| u16::try_from(seconds).ok())
                        .map(ScreenOff::After),
                };
                Ok(())
            },
            show: |config| match config.idle.screen_off {
                Some(ScreenOff::Never) => text(Some("never".to_owned())),
                Some(ScreenOff::After(seconds)) => integer(Some(seconds.into())),
                None => integer(None),
            },
        },
    },
    ConfigKey {
        name: "displays.server",
        doc: "The server of displays without a screen.",
        takes: ServerName::TAKES,
        access: Access::Plain {
            set: |config, value| {
                config.displays.server = string(value)?.parse()?;
                Ok(())
            },
            show: |config| text(Some(config.displays.server.to_string())),
        },
    },
    ConfigKey {
        name: "displays.size",
        doc: "Their size in pixels.",
        takes: "width and height, as \"1920x1080\"",
        access: Access::Plain {
            set: |config, value| {
                config.displays.size = string(value)?.parse().map_err(|error: BadSize| error.to_string())?;
                Ok(())
            },
            show: |config| text(Some(config.displays.size.to_string())),
        },
    },
    ConfigKey {
        name: "displays.depth",
        doc: "Their depth.",
        takes: "bits: 1, 4, 8, 15, 16, 24, 30 or 32",
        access: Access::Plain {
            set: |config, value| {
                let DeValue::Integer(integer) = value else {
                    return Err(format!("write a whole number instead of {}", article(value)));
                };
                config.displays.depth = size::depth(integer.as_str()).map_err(|error| error.to_string())?;
                Ok(())
            },
            show: |config| integer(Some(config.displays.depth.into())),
        },
    },
    ConfigKey {
        name: "select.timeout",
        doc: "After how long startxd select takes the choice of last time, if there is one. 0: never.",
        takes: "seconds, at most 3600, or 0",
        access: Access::Plain {
            set: |config, value| {
                config.select.timeout = if is_zero(value) { Duration::ZERO } else { seconds(value)? };
                Ok(())
            },
            show: |config| toml::Value::Float(config.select.timeout.as_secs_f64()),
        },
    },
    ConfigKey {
        name: "environment.never",
        doc: "Variables of the login that do not travel, in addition to those that never do. A name that ends in * stands for \
              all names with that beginning.",
        takes: "a list of names",
        access: Access::Plain {
            set: |config, value| {
                config.environment.never = list(value, |name| {
                    let beginning = name.strip_suffix('*').unwrap_or(name);
                    let fits = name == "*" || policy::is_name(beginning);
                    if fits { Ok(()) } else { Err(format!("{name:?} is not the name of a variable")) }
                })?;
                Ok(())
            },
            show: |config| texts(&config.environment.never),
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Displays;

    #[test]
    fn names_are_unique_and_documented() {
        let mut names: Vec<_> = keys().map(|key| key.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(keys().all(|key| key.doc.ends_with('.') && !key.takes.is_empty()));
    }

    #[test]
    fn what_is_shown_can_be_read_back() {
        let mut config = Config { display: Display::new(3), ..Config::default() };
        config.server.binary = Some("/opt/X \"1\"".into());
        config.server.args = vec!["-dpi".into(), "96".into()];
        (config.server.dpi, config.server.ardelay, config.server.others) = (Some(96), Some(250), true);
        (config.server.ignores_xserverrc, config.server.hides_cookie) = (true, true);
        config.select.timeout = Duration::from_millis(1500);
        config.session.default = Some("é\n".into());
        config.session.ready = Ready::Started;
        config.session.ignores_dotfiles = true;
        config.crash.limit = 0;
        config.crash.window = std::time::Duration::from_secs(5);
        config.crash.pause = std::time::Duration::from_millis(10);
        config.crash.rescue = vec!["xterm".into(), "-ls".into()];
        config.environment.never = vec!["SECRET_*".into()];
        config.lock.command = vec!["i3lock".into(), "--nofork".into()];
        (config.lock.sleeps_open, config.lock.vt_switch) = (true, true);
        (config.idle.after, config.idle.lock, config.idle.screen_off) = (Some(300), Some(600), Some(ScreenOff::Never));
        config.displays =
            Displays { server: ServerName::Path("/opt/Xvfb".into()), size: "800x600".parse().unwrap(), depth: 16 };
        config.deadlines.stop = std::time::Duration::from_millis(2500);
        for given in [config, Config::default()] {
            let mut read = Config { display: Display::new(9), ..Config::default() };
            for key in keys() {
                let shown = key.show(&given);
                key.set(&mut read, DeValue::parse(&shown).unwrap().get_ref()).unwrap();
            }
            assert_eq!(read, given);
        }
    }

    #[test]
    fn refused_values_change_nothing() {
        let cases = [
            ("display", "\":0.7\"", "names a screen"),
            ("display", "99999", "too high"),
            ("display", "-1", "is not a display"),
            ("display", "true", "instead of true or false"),
            ("server.binary", "\"Xorg\"", "an absolute path"),
            ("server.binary", "\"/a\\u0000\"", "NUL"),
            ("server.args", "\"-dpi 96\"", "a list"),
            ("server.args", "[\"-dpi\", 96]", "instead of an integer"),
            ("server.args", "[\"-dpi\", \"-ac\"]", "not possible here"),
            ("server.dpi", "1001", "from 0 to 1000"),
            ("session.dotfiles", "\"no\"", "true or false"),
            ("server.dpi", "-96", "from 0 to 1000"),
            ("server.ardelay", "2.5", "instead of a number with a fraction"),
            ("server.arinterval", "\"25\"", "instead of a string"),
            ("server.others", "\"yes\"", "true or false instead of a string"),
            ("server.others", "1", "instead of an integer"),
            ("displays.server", "\"Xvfb\"", "write \"xvfb\""),
            ("displays.server", "\"\"", "write \"xvfb\""),
            ("displays.size", "\"0x0\"", "from 1 to 32767"),
            ("displays.size", "1920", "instead of an integer"),
            ("displays.depth", "25", "write 24"),
            ("displays.depth", "\"24\"", "instead of a string"),
            ("select.timeout", "-1", "above 0"),
            ("select.timeout", "3601", "at most 3600"),
            ("select.timeout", "\"x\"", "instead of a string"),
            ("session.ready", "\"yes\"", "\"managed\", \"started\" or \"notified\" instead of \"yes\""),
            ("session.ready", "1", "instead of an integer"),
            ("session.autostart", "true", "in quotation marks instead of true"),
            ("session.autostart", "\"maybe\"", "\"auto\", \"yes\" or \"no\" instead of \"maybe\""),
            ("session.default", "[]", "instead of a list"),
            ("crash.limit", "-1", "from 0 to 100"),
            ("crash.limit", "101", "from 0 to 100"),
            ("crash.limit", "3.0", "from 0 to 100"),
            ("crash.window", "0", "above 0"),
            ("crash.pause", "\"1\"", "instead of a string"),
            ("crash.rescue", "\"xterm\"", "a list"),
            ("crash.rescue", "[\"a\\u0000\"]", "NUL"),
            ("lock.command", "\"i3lock\"", "a list"),
            ("lock.command", "[\"a\\u0000\"]", "NUL"),
            ("lock.sleep", "\"yes\"", "\"lock\" or \"no\" instead of \"yes\""),
            ("lock.vt_switch", "\"\"", "\"lock\" or \"no\""),
            ("idle.after", "86401", "from 0 to 86400"),
            ("idle.after", "\"never\"", "a whole number instead of a string"),
            ("idle.lock", "-1", "from 0 to 86400"),
            ("idle.lock", "1.5", "a whole number instead of a number with a fraction"),
            ("idle.screen_off", "32768", "from 0 to 32767"),
            ("idle.screen_off", "\"off\"", "\"never\", instead of \"off\""),
            ("lock.sleep", "true", "in quotation marks instead of true"),
            ("environment.never", "[\"A-B\"]", "not the name of a variable"),
            ("environment.never", "[\"\"]", "not the name of a variable"),
            ("environment.never", "[\"A**\"]", "not the name of a variable"),
            ("deadlines.stop", "0", "above 0"),
            ("deadlines.stop", "nan", "above 0"),
            ("deadlines.stop", "inf", "at most 3600"),
            ("deadlines.stop", "3601", "at most 3600"),
            ("deadlines.stop", "999999999999999999999999999999999999999999", "at most 3600"),
            ("deadlines.stop", "\"90\"", "instead of a string"),
            ("deadlines.stop", "2026-11-21", "instead of a date"),
        ];
        for (name, written, part) in cases {
            let key = keys().find(|key| key.name == name).unwrap();
            let mut config = Config { display: Display::new(9), ..Config::default() };
            let before = config.clone();
            // Recovering, because some of these are not TOML at all.
            let text = format!("a = {written}");
            let (table, _) = toml::de::DeTable::parse_recoverable(&text);
            let value = table.get_ref().values().next().unwrap().get_ref();
            let error = key.set(&mut config, value).unwrap_err();
            assert!(error.starts_with(name) && error.contains(part), "{written}: {error}");
            assert_eq!(config, before, "{written}");
        }
    }
}
