//! `startxd config show`.

use std::io::Write;

use super::args::Settings;
use super::exit::Exit;
use crate::config::{Loaded, keys};
use crate::doctor::values::{self, WrongValue};
use crate::json::Json;
use crate::manager::Manager;
use crate::runtime_dir::RuntimeDir;
use crate::session::Surroundings;

/// Prints each key with the value that counts and where it comes from, and reports the values that name nothing.
pub async fn run(json: bool, settings: &Settings) -> Exit {
    let loaded = match settings.configuration() {
        Ok(loaded) => loaded,
        Err(why) => {
            tracing::error!("{why}");
            return Exit::Usage;
        }
    };
    let text = if json { format!("{}\n", as_json(&loaded)) } else { as_text(&loaded) };
    let _ = std::io::stdout().write_all(text.as_bytes());
    let wrong = wrong(&loaded).await;
    for value in &wrong {
        tracing::warn!("{value}");
    }
    exit(&loaded, &wrong)
}

/// The user manager is asked only if a value is one of its units.
async fn wrong(loaded: &Loaded) -> Vec<WrongValue> {
    let around = Surroundings::from_env();
    let manager = match RuntimeDir::find() {
        Ok(runtime) if values::needs_manager(&loaded.config, &around) => {
            Manager::connect(&runtime, loaded.config.deadlines.user_manager).await.ok()
        }
        _ => None,
    };
    values::wrong(loaded, &around, manager.as_ref()).await
}

/// What is wrong was reported; a script sees it in the exit status.
fn exit(loaded: &Loaded, wrong: &[WrongValue]) -> Exit {
    if loaded.complaints.is_empty() && wrong.is_empty() { Exit::Success } else { Exit::Warnings }
}

/// TOML that could stand in a file, each line with its origin as a comment.
fn as_text(loaded: &Loaded) -> String {
    let line = |name: &str, shown: String| match loaded.origins.get(name) {
        Some(origin) => format!("{name} = {shown}  # {origin}\n"),
        None => format!("{name} = {shown}\n"),
    };
    keys().map(|key| line(key.name, key.show(&loaded.config))).collect()
}

fn as_json(loaded: &Loaded) -> Json {
    let one = |key: crate::config::ConfigKey| {
        Json::Object(vec![
            ("key", Json::text(key.name)),
            ("value", json(key.value(&loaded.config))),
            ("origin", Json::optional(loaded.origins.get(key.name).map(ToString::to_string))),
            ("takes", Json::text(key.takes)),
            ("doc", Json::text(key.doc)),
        ])
    };
    Json::List(keys().map(one).collect())
}

fn json(value: toml::Value) -> Json {
    match value {
        toml::Value::String(text) => Json::Text(text),
        #[allow(clippy::cast_precision_loss, reason = "no key takes numbers that large")]
        toml::Value::Integer(number) => Json::Number(number as f64),
        toml::Value::Float(number) => Json::Number(number),
        toml::Value::Boolean(value) => Json::Bool(value),
        toml::Value::Datetime(time) => Json::Text(time.to_string()),
        toml::Value::Array(items) => Json::List(items.into_iter().map(json).collect()),
        toml::Value::Table(_) => Json::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, as_json, as_text, exit};
    use crate::config::{Override, Places, load};

    #[test]
    fn a_mistake_in_a_file_changes_the_exit_status() {
        let directory = crate::test_dir::TestDir::new();
        let places = Places { directories: vec![directory.path("")] };
        for (text, status) in [("server.dpi = 96\n", Exit::Success), ("server.dpi = \"many\"\n", Exit::Warnings)] {
            std::fs::write(directory.path("startxd.toml"), text).unwrap();
            assert_eq!(exit(&load(&places), &[]), status, "{text}");
        }
    }

    #[test]
    fn every_key_with_its_origin() {
        let given = Override { option: "--dpi", key: "server.dpi".into(), value: 96.into() };
        let loaded = load(&Places { directories: Vec::new() }).over(&[given]).unwrap();
        let text = as_text(&loaded);
        assert!(text.starts_with("display = \"\"  # default\n"), "{text}");
        assert!(text.contains("\nserver.dpi = 96  # command line\n"), "{text}");
        assert!(text.parse::<toml::Table>().is_ok(), "{text}");
        let json = as_json(&loaded).to_string();
        assert!(json.contains(r#"{"key":"server.dpi","value":96,"origin":"command line","takes":"#), "{json}");
        assert!(json.contains(r#"{"key":"server.args","value":[],"origin":"default""#), "{json}");
    }
}
