//! Which translation of a key counts (Desktop Entry Specification, "Localized values for keys").

use std::ffi::OsString;

/// The locale of messages, as the keys that can match it, in the order of precedence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locale {
    keys: Vec<String>,
}

impl Locale {
    /// The one of this process: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set and not empty (locale(7)).
    #[must_use]
    pub fn from_env() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let value = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
        Self::parse(&value.unwrap_or_default().to_string_lossy())
    }

    /// Takes `LANG_COUNTRY.ENCODING@MODIFIER`, of which all but LANG may be missing. `C` and `POSIX` match no key.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (text, modifier) = match text.split_once('@') {
            Some((text, modifier)) => (text, Some(modifier)),
            None => (text, None),
        };
        let text = text.split_once('.').map_or(text, |(text, _encoding)| text);
        if matches!(text, "" | "C" | "POSIX") {
            return Self::default();
        }
        let (lang, country) = match text.split_once('_') {
            Some((lang, country)) => (lang, Some(country)),
            None => (text, None),
        };
        let mut keys = Vec::new();
        if let (Some(country), Some(modifier)) = (country, modifier) {
            keys.push(format!("{lang}_{country}@{modifier}"));
        }
        keys.extend(country.map(|country| format!("{lang}_{country}")));
        keys.extend(modifier.map(|modifier| format!("{lang}@{modifier}")));
        keys.push(lang.to_owned());
        Self { keys }
    }

    /// The locales to look for, in this order; after them, the key without one.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::Locale;

    /// The table of the specification.
    #[test]
    fn the_order_of_matching() {
        let cases: [(&str, &[&str]); 9] = [
            ("sr_YU@Latn", &["sr_YU@Latn", "sr_YU", "sr@Latn", "sr"]),
            ("sr_YU.UTF-8@Latn", &["sr_YU@Latn", "sr_YU", "sr@Latn", "sr"]),
            ("de_AT", &["de_AT", "de"]),
            ("de_AT.ISO-8859-1", &["de_AT", "de"]),
            ("sr@Latn", &["sr@Latn", "sr"]),
            ("de", &["de"]),
            ("C", &[]),
            ("C.UTF-8", &[]),
            ("", &[]),
        ];
        for (text, keys) in cases {
            assert_eq!(Locale::parse(text).keys().collect::<Vec<_>>(), keys, "{text}");
        }
    }
}
