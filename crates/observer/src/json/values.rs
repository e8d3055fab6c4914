//! Typed values: numbers, words and texts, each read or skipped.

use std::borrow::Cow;

use super::{KEY_LEN_MAX, Kind, Raw, Scan, Walk};

// === impl Scan ===

impl<'a> Scan<'a> {
    /// Reads a string, or skips another value and gives `None`.
    pub(crate) fn string_or_skip(&mut self) -> Walk<Option<Raw<'a>>> {
        if self.kind()? == Kind::String {
            self.string().map(Some)
        } else {
            self.skip().map(|()| None)
        }
    }

    /// Reads a whole number that is not negative, or skips another value and gives `None`.
    pub(crate) fn count_or_skip(&mut self) -> Walk<Option<u64>> {
        Ok(self
            .number_or_skip()?
            .and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()))
    }

    /// Reads a whole number, or skips another value and gives `None`.
    pub(crate) fn integer_or_skip(&mut self) -> Walk<Option<i64>> {
        Ok(self
            .number_or_skip()?
            .and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()))
    }

    /// Reads any number, or skips another value and gives `None`.
    pub(crate) fn float_or_skip(&mut self) -> Walk<Option<f64>> {
        Ok(self
            .number_or_skip()?
            .and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()))
    }

    /// Reads a whole number that is not negative as lax readers do (pydantic takes `2.0` and `"2"` for 2), or
    /// skips another value and gives `None`.
    pub(crate) fn lax_count_or_skip(&mut self) -> Walk<Option<u64>> {
        let kind = self.kind()?;
        let text = match kind {
            Kind::Number => self.number(),
            Kind::String => self.string()?.0.trim_ascii(),
            _ => return self.skip().map(|()| None),
        };
        let Ok(text) = std::str::from_utf8(text) else {
            return Ok(None);
        };
        let whole = |float: &f64| float.fract() == 0.0 && *float >= 0.0;
        Ok(text.parse().ok().or_else(|| {
            let float = text.parse::<f64>().ok().filter(whole)?;
            format!("{float:.0}").parse().ok()
        }))
    }

    /// Reads `true` or `false` as lax readers do (pydantic takes `1` and `"yes"` for true), or skips another
    /// value and gives `None`.
    pub(crate) fn lax_bool_or_skip(&mut self) -> Walk<Option<bool>> {
        let kind = self.kind()?;
        let text = match kind {
            Kind::Number => self.number(),
            Kind::String => self.string()?.0,
            _ => return self.bool_or_skip(),
        };
        Ok(std::str::from_utf8(text)
            .ok()
            .map(|text| text.strip_suffix(".0").unwrap_or(text))
            .and_then(lax_bool))
    }

    /// Reads `true` or `false`, or skips another value and gives `None`.
    pub(crate) fn bool_or_skip(&mut self) -> Walk<Option<bool>> {
        let kind = self.kind()?;
        self.skip()?;
        Ok(match kind {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        })
    }

    fn number_or_skip(&mut self) -> Walk<Option<&'a [u8]>> {
        if self.kind()? == Kind::Number {
            let start = self.at;
            self.skip()?;
            Ok(self.text.get(start..self.at))
        } else {
            self.skip().map(|()| None)
        }
    }
}

// === impl Raw ===

impl<'a> Raw<'a> {
    /// Whether the string is empty.
    pub(crate) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Whether the string, its escapes undone, is this ASCII word.
    pub(crate) fn is(self, word: &[u8]) -> bool {
        if !self.0.contains(&b'\\') {
            return self.0 == word;
        }
        let mut plain = [0_u8; KEY_LEN_MAX];
        let len = self.unescape_into(&mut plain).unwrap_or(0);
        plain.get(..len) == Some(word)
    }

    /// As [`Self::to_text_at_most`], as a string of its own.
    pub(crate) fn to_text(self, len_max: usize) -> Option<String> {
        self.to_text_at_most(len_max).map(Cow::into_owned)
    }

    /// The text with its escapes undone, when it fits into `len_max` bytes and is UTF-8.
    pub(crate) fn to_text_at_most(self, len_max: usize) -> Option<Cow<'a, str>> {
        if !self.0.contains(&b'\\') {
            let text = std::str::from_utf8(self.0).ok()?;
            return (text.len() <= len_max).then_some(Cow::Borrowed(text));
        }
        if self.0.len() > len_max.saturating_mul(6) {
            return None;
        }
        let mut quoted = Vec::with_capacity(self.0.len() + 2);
        quoted.push(b'"');
        quoted.extend_from_slice(self.0);
        quoted.push(b'"');
        let text: String = serde_json::from_slice(&quoted).ok()?;
        (text.len() <= len_max).then_some(Cow::Owned(text))
    }

    /// Undoes the escapes of an ASCII string into `plain`; `None` when it does not fit or is not ASCII.
    pub(super) fn unescape_into(self, plain: &mut [u8; KEY_LEN_MAX]) -> Option<usize> {
        let text = self.to_text(KEY_LEN_MAX)?;
        plain.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(text.len())
    }
}

/// What lax readers take for yes and no (pydantic's lax mode, which vLLM and SGLang use).
pub(crate) fn lax_bool(text: &str) -> Option<bool> {
    const YES: [&str; 6] = ["true", "1", "on", "t", "y", "yes"];
    const NO: [&str; 6] = ["false", "0", "off", "f", "n", "no"];
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if YES.iter().any(is) {
        return Some(true);
    }
    NO.iter().any(is).then_some(false)
}
