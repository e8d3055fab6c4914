//! A scanner that walks JSON text in place: no tree, no copy, no recursion while skipping.
//!
//! It serves two readers: events of a response stream, hundreds of bytes many times a second, and request
//! bodies of megabytes once. Both want a few fields and skip the rest. The scanner checks the structure it
//! walks through (so that a field inside a prompt's text is never taken for a field of the request) and
//! leaves the grammar of skipped numbers and escapes to the replica.

mod values;

use std::ops::Range;

pub(crate) use values::lax_bool;

/// A position inside JSON text. Every method consumes what it read; `Err(Malformed)` leaves the position
/// anywhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

/// The text is not the JSON that was expected at this place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Malformed;

/// What a value is, by its first byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// The content of a string as it stands in the text, escapes and all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Raw<'a>(pub(crate) &'a [u8]);

/// Longest key that is compared after undoing its escapes. Why this number: our longest field name has 29
/// bytes.
const KEY_LEN_MAX: usize = 64;

type Walk<T> = Result<T, Malformed>;

// === impl Scan ===

impl<'a> Scan<'a> {
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// A scanner over the same text at another position.
    pub(crate) const fn starting_at(self, at: usize) -> Self {
        Self { text: self.text, at }
    }

    /// Bytes consumed so far.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// What the next value is; consumes only white space.
    pub(crate) fn kind(&mut self) -> Walk<Kind> {
        match self.next_token()? {
            b'{' => Ok(Kind::Object),
            b'[' => Ok(Kind::Array),
            b'"' => Ok(Kind::String),
            b't' => Ok(Kind::True),
            b'f' => Ok(Kind::False),
            b'n' => Ok(Kind::Null),
            b'-' | b'0'..=b'9' | b'N' | b'I' => Ok(Kind::Number),
            _ => Err(Malformed),
        }
    }

    /// Walks an object. `field` gets each key and must consume its value.
    #[inline]
    pub(crate) fn object(&mut self, mut field: impl FnMut(&[u8], &mut Self) -> Walk<()>) -> Walk<()> {
        self.expect(b'{')?;
        if self.next_token()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.next_token()?;
            let key = self.string()?;
            self.expect(b':')?;
            if key.0.contains(&b'\\') {
                let mut plain = [0_u8; KEY_LEN_MAX];
                let len = key.unescape_into(&mut plain).unwrap_or(0);
                field(plain.get(..len).unwrap_or_default(), self)?;
            } else {
                field(key.0, self)?;
            }
            if !self.more(b'}')? {
                return Ok(());
            }
        }
    }

    /// Walks an array. `item` must consume each value.
    #[inline]
    pub(crate) fn array(&mut self, mut item: impl FnMut(&mut Self) -> Walk<()>) -> Walk<()> {
        self.expect(b'[')?;
        if self.next_token()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.more(b']')? {
                return Ok(());
            }
        }
    }

    /// After a value: `true` when a comma says that another follows, `false` at `close`.
    #[inline]
    pub(crate) fn more(&mut self, close: u8) -> Walk<bool> {
        let token = self.next_token()?;
        self.at += 1;
        match token {
            b',' => Ok(true),
            _ if token == close => Ok(false),
            _ => Err(Malformed),
        }
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Walk<Raw<'a>> {
        self.expect(b'"')?;
        let start = self.at;
        let end = string_end(self.text, start).ok_or(Malformed)?;
        self.at = end + 1;
        Ok(Raw(self.text.get(start..end).unwrap_or_default()))
    }

    /// Skips one value of any kind and any depth, in constant memory.
    #[inline]
    pub(crate) fn skip(&mut self) -> Walk<()> {
        match self.next_token()? {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => self.skip_container(|_, _| {}),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            // No JSON, but Python's reader takes them, and so does vLLM.
            b'N' => self.word(b"NaN"),
            b'I' => self.word(b"Infinity"),
            b'-' if self.text.get(self.at + 1) == Some(&b'I') => self.word(b"-Infinity"),
            b'-' | b'0'..=b'9' => {
                self.number();
                Ok(())
            }
            _ => Err(Malformed),
        }
    }

    /// Skips one value and says where it stands.
    pub(crate) fn skip_place(&mut self) -> Walk<Range<usize>> {
        self.kind()?;
        let start = self.at;
        self.skip()?;
        Ok(start..self.at)
    }

    /// Skips one value and shows each string in it, as it stands in the text, to `watch`: keys, and values
    /// (`true`).
    pub(crate) fn skip_watching(&mut self, watch: impl FnMut(&[u8], bool)) -> Walk<()> {
        if matches!(self.kind()?, Kind::Object | Kind::Array) {
            self.skip_container(watch)
        } else {
            self.skip()
        }
    }

    /// Whether only white space is left.
    pub(crate) fn at_end(&mut self) -> bool {
        self.next_token().is_err()
    }

    #[inline]
    fn skip_container(&mut self, mut watch: impl FnMut(&[u8], bool)) -> Walk<()> {
        let mut depth = 0_usize;
        let mut at = self.at;
        while let Some(byte) = self.text.get(at) {
            at += 1;
            match byte {
                b'"' => {
                    let end = string_end(self.text, at).ok_or(Malformed)?;
                    let behind = self.text.get(end + 1..).unwrap_or_default();
                    watch(self.text.get(at..end).unwrap_or_default(), !is_key(behind));
                    at = end + 1;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at = at;
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
        Err(Malformed)
    }

    fn number(&mut self) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    fn word(&mut self, word: &[u8]) -> Walk<()> {
        if self.text.get(self.at..).unwrap_or_default().starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Walk<()> {
        if self.next_token()? == byte {
            self.at += 1;
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// The next byte that is not white space, not consumed.
    #[inline]
    fn next_token(&mut self) -> Walk<u8> {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Ok(*byte);
            }
            self.at += 1;
        }
        Err(Malformed)
    }
}

/// Whether a string is a key, by what stands behind it.
#[inline]
fn is_key(behind: &[u8]) -> bool {
    match behind.first() {
        Some(b':') => true,
        Some(b',' | b'}' | b']') => false,
        _ => behind.trim_ascii_start().first() == Some(&b':'),
    }
}

/// The position of the quote that ends the string whose content begins at `start`.
#[inline]
pub(crate) fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let found = special(text, at)?;
        if text.get(found) == Some(&b'"') {
            return Some(found);
        }
        at = found + 2;
    }
}

/// The next quote or backslash from `at` on. Most strings of an event are shorter than a vector search pays
/// for, so the first words are looked at eight bytes at once.
#[inline]
fn special(text: &[u8], at: usize) -> Option<usize> {
    const WORDS: usize = 6;
    /// Marks (with their top bit) the bytes of `word` that equal `byte`: the classic test for a zero byte.
    /// Marks above the first may be wrong, which does not matter here.
    const fn marks(word: u64, byte: u8) -> u64 {
        let ones = u64::from_le_bytes([1; 8]);
        let differing = word ^ u64::from_le_bytes([byte; 8]);
        differing.wrapping_sub(ones) & !differing & u64::from_le_bytes([0x80; 8])
    }
    let mut from = at;
    for _ in 0..WORDS {
        let Some(word) = text.get(from..).and_then(<[u8]>::first_chunk::<8>) else {
            break;
        };
        let word = u64::from_le_bytes(*word);
        let hits = marks(word, b'"') | marks(word, b'\\');
        if hits != 0 {
            let bytes = hits.trailing_zeros() / 8;
            return Some(from + usize::try_from(bytes).unwrap_or(0));
        }
        from += 8;
    }
    Some(from + memchr::memchr2(b'"', b'\\', text.get(from..)?)?)
}

#[cfg(test)]
mod tests;
