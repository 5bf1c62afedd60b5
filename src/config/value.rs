//! Values as they are written in a file and shown: their types, and the sentence for a wrong one.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use crate::deadline::from_seconds;

/// How a string is shown; none as an empty one.
pub(super) fn text(value: Option<String>) -> toml::Value {
    toml::Value::String(value.unwrap_or_default())
}

/// How a list is shown.
pub(super) fn texts(values: &[String]) -> toml::Value {
    toml::Value::Array(values.iter().cloned().map(toml::Value::String).collect())
}

/// A string.
pub(super) fn string<'a>(value: &'a DeValue<'_>) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("write a string in quotation marks instead of {}", article(value)))
}

/// An empty string unsets the value of a file of lower precedence.
pub(super) fn optional(value: &DeValue<'_>) -> Result<Option<String>, String> {
    let text = string(value)?;
    if text.contains('\0') {
        return Err("it cannot hold a NUL".to_owned());
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// An absolute path.
pub(super) fn absolute(path: String) -> Result<PathBuf, String> {
    if path.starts_with('/') {
        Ok(path.into())
    } else {
        Err(format!("write an absolute path, which begins with /, instead of {path:?}"))
    }
}

/// A list of strings that each pass `check`.
pub(super) fn list(value: &DeValue<'_>, check: fn(&str) -> Result<(), String>) -> Result<Vec<String>, String> {
    let items =
        value.as_array().ok_or_else(|| format!("write a list, as in [\"a\", \"b\"], instead of {}", article(value)))?;
    items.iter().map(|item| string(item.get_ref()).and_then(|text| check(text).map(|()| text.to_owned()))).collect()
}

/// How a whole number is shown; none as 0.
pub(super) fn integer(value: Option<u32>) -> toml::Value {
    toml::Value::Integer(i64::from(value.unwrap_or_default()))
}

/// A whole number; 0 unsets the value of a file of lower precedence.
pub(super) fn number(value: &DeValue<'_>, most: u32) -> Result<Option<u32>, String> {
    let DeValue::Integer(integer) = value else {
        return Err(format!("write a whole number instead of {}", article(value)));
    };
    let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| *number <= most);
    let number = number.ok_or_else(|| format!("write a whole number from 0 to {most}"))?;
    Ok(Some(number).filter(|number| *number > 0))
}

/// True or false.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("write true or false instead of {}", article(value)))
}

/// Whether it is a zero of any kind.
pub(super) fn is_zero(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix()) == Ok(0),
        DeValue::Float(float) => float.as_str().parse() == Ok(0.0),
        _ => false,
    }
}

/// A time, in seconds with or without a fraction.
pub(super) fn seconds(value: &DeValue<'_>) -> Result<Duration, String> {
    let number = match value {
        DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix()).ok().map(|n| n as f64),
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => {
            return Err(format!("write a number of seconds instead of {}", article(value)));
        }
    };
    let number = number.ok_or("write a number of seconds, at most 3600")?;
    from_seconds(number).map_err(|error| error.to_string())
}

/// The type of a value, for the sentence that refuses it.
pub(super) fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
