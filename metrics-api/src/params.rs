//! Query strings, read strictly.
//!
//! A handler takes the parameters that it knows, by name, and then calls [`Params::finish`]: what is left
//! over is a mistake of the caller, and is answered with the nearest name. A silent default for a misspelt
//! filter would show figures of something else than was asked for.

mod documented;
mod moment;
mod window;

use std::collections::BTreeMap;
use std::fmt::Display;

use ledger::{By, Dimension};

use crate::error::ApiError;

pub(crate) use documented::{BreakdownParams, FilterParams, PageParams, SeriesParams, WindowParams};
pub(crate) use window::Windowed;

/// Most values of one parameter. Why this number: far above any page's filters, far below SQLite's 32,766
/// binds.
const VALUES_MAX: usize = 200;

/// The parameters of one request that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
}

// === impl Params ===

impl Params {
    /// Reads a query string; `None` is an empty one.
    pub(crate) fn parse(raw: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(raw.unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
        Self {
            pairs,
            known: Vec::new(),
        }
    }

    /// Takes a parameter that may stand once.
    ///
    /// # Errors
    /// When it stands twice or is empty.
    pub(crate) fn one(&mut self, name: &'static str) -> Result<Option<String>, ApiError> {
        let mut values = self.take(name)?;
        match values.len() {
            0 | 1 => Ok(values.pop()),
            count => Err(ApiError::BadParameter(format!(
                "`{name}` is given {count} times; give it once"
            ))),
        }
    }

    /// Takes a parameter that may stand once and reads it with `read`, which says what it wants instead.
    ///
    /// # Errors
    /// When it stands twice, is empty, or `read` refuses it.
    pub(crate) fn read<T, E: Display>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ApiError> {
        self.one(name)?
            .map(|value| read(&value).map_err(|wanted| refusal(name, &value, &wanted)))
            .transpose()
    }

    /// Takes a parameter that may stand several times; several values mean "one of these".
    ///
    /// # Errors
    /// When a value is refused or empty, or there are more than [`VALUES_MAX`].
    pub(crate) fn many<T, E: Display>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Vec<T>, ApiError> {
        self.take(name)?
            .iter()
            .map(|value| read(value).map_err(|wanted| refusal(name, value, &wanted)))
            .collect()
    }

    /// Takes every parameter whose name begins with `prefix`, by the rest of its name; `shown` stands for all
    /// of them in refusals.
    ///
    /// # Errors
    /// When a name or a value is empty, or there are more than [`VALUES_MAX`].
    pub(crate) fn prefixed(
        &mut self,
        prefix: &str,
        shown: &'static str,
    ) -> Result<BTreeMap<String, Vec<String>>, ApiError> {
        self.known.push(shown);
        let (taken, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pairs)
            .into_iter()
            .partition(|(key, _)| key.starts_with(prefix));
        self.pairs = left;
        if taken.len() > VALUES_MAX {
            return Err(ApiError::BadParameter(format!(
                "`{shown}` is given {} times; the most is {VALUES_MAX}",
                taken.len()
            )));
        }
        let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in taken {
            let name = key.strip_prefix(prefix).unwrap_or_default();
            if name.is_empty() || value.is_empty() {
                return Err(ApiError::BadParameter(format!(
                    "`{}={}` is not accepted; write `{shown}=value`",
                    shortened(&key),
                    shortened(&value)
                )));
            }
            named.entry(name.to_owned()).or_default().push(value);
        }
        Ok(named)
    }

    /// Takes a whole number from 1 to `max`.
    ///
    /// # Errors
    /// When it is no such number.
    pub(crate) fn limit(&mut self, name: &'static str, max: usize) -> Result<Option<usize>, ApiError> {
        self.read(name, |value| match value.parse::<usize>() {
            Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
            _ => Err(format!("write a whole number from 1 to {max}")),
        })
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When a parameter is left that nobody took; the message has the nearest name.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let Some((unknown, _)) = self.pairs.first() else {
            return Ok(());
        };
        let unknown = shortened(unknown);
        let nearest = nearest(&unknown, &self.known)
            .map(|name| format!("; did you mean `{name}`?"))
            .unwrap_or_default();
        let known = if self.known.is_empty() {
            "this path takes no parameters".to_owned()
        } else {
            format!("this path takes {}", self.known.join(", "))
        };
        Err(ApiError::BadParameter(format!(
            "unknown parameter `{unknown}`{nearest} ({known})"
        )))
    }

    fn take(&mut self, name: &'static str) -> Result<Vec<String>, ApiError> {
        self.known.push(name);
        let (taken, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pairs)
            .into_iter()
            .partition(|(key, _)| key == name);
        self.pairs = left;
        if taken.len() > VALUES_MAX {
            return Err(ApiError::BadParameter(format!(
                "`{name}` is given {} times; the most is {VALUES_MAX}",
                taken.len()
            )));
        }
        if taken.iter().any(|(_, value)| value.is_empty()) {
            return Err(ApiError::BadParameter(format!(
                "`{name}` is empty; give it a value or leave it out"
            )));
        }
        Ok(taken.into_iter().map(|(_, value)| value).collect())
    }
}

/// Reads one of a closed set of words.
///
/// # Errors
/// The list of the words, with the nearest one first.
pub(crate) fn word<T: Copy>(value: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    let names: Vec<&'static str> = all.iter().map(|word| name(*word)).collect();
    let found = all.iter().zip(&names).find(|(_, name)| **name == value);
    if let Some((word, _)) = found {
        return Ok(*word);
    }
    let hint = nearest(value, &names)
        .map(|name| format!("did you mean `{name}`? "))
        .unwrap_or_default();
    Err(format!("{hint}write one of {}", names.join(", ")))
}

/// Reads what to group by: a dimension, or `tag.` and the name of a tag.
///
/// # Errors
/// The list of the words, with the nearest one first.
pub(crate) fn by(value: &str) -> Result<By, String> {
    match value.strip_prefix("tag.") {
        Some(name) if !name.is_empty() => Ok(By::Tag(name.into())),
        _ => word(value, Dimension::ALL, Dimension::as_str)
            .map(By::from)
            .map_err(|words| format!("{words}, or tag.<name>")),
    }
}

/// The name that is most like `word`, if any is like it at all.
fn nearest(word: &str, names: &[&'static str]) -> Option<&'static str> {
    // Below 0.7 the suggestions are no longer what anyone meant (`q` for `queue`, `limit` for `outcome`).
    const LIKE_ENOUGH: f64 = 0.7;
    names
        .iter()
        .map(|name| (strsim::jaro_winkler(word, name), *name))
        .filter(|(likeness, _)| *likeness >= LIKE_ENOUGH)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, name)| name)
}

fn refusal(name: &str, value: &str, wanted: &dyn Display) -> ApiError {
    ApiError::BadParameter(format!("`{name}={}` is not accepted; {wanted}", shortened(value)))
}

/// What the caller sent, short enough to be repeated, and without characters that could garble a terminal.
fn shortened(text: &str) -> String {
    const SHOWN_MAX: usize = 80;
    let mut shown = String::new();
    for character in text.chars().take(SHOWN_MAX) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests;
