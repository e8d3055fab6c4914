//! An event like the last one, recognised by comparison.

use crate::clock::Carried;
use crate::json::string_end;

use super::choice::Text;

/// Longest event that serves as a template. Why this number: ids, a model name of 256 bytes and one token
/// fit.
const TEMPLATE_LEN_MAX: usize = 1_024;

/// The last event that carried nothing but one text: what stood before the text and behind it.
///
/// The token events of a stream differ in their text alone (same id, model, creation time). An event with the
/// same beginning and the same end, and a whole JSON string in between, means the same: two comparisons
/// replace the walk.
#[derive(Debug)]
pub(super) struct Template {
    before: Vec<u8>,
    behind: Vec<u8>,
    carried: Carried,
}

// === impl Template ===

impl Template {
    /// The template of an event whose only text stands at `text`; `None` when the event is too long for one.
    pub(super) fn new(data: &[u8], text: Text, carried: Carried) -> Option<Self> {
        if data.len() > TEMPLATE_LEN_MAX {
            return None;
        }
        Some(Self {
            before: data.get(..text.start)?.to_vec(),
            behind: data.get(text.end..)?.to_vec(),
            carried,
        })
    }

    /// What an event carries when it is like this one but for a text that is not empty.
    #[inline]
    pub(super) fn fits(&self, data: &[u8]) -> Option<Carried> {
        let text = data.strip_prefix(self.before.as_slice())?;
        let len = text.len().checked_sub(self.behind.len()).filter(|len| *len > 0)?;
        // `behind` begins with the closing quote: the string must end exactly there.
        (text.ends_with(&self.behind) && string_end(text, 0) == Some(len)).then_some(self.carried)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_text_in_the_same_place_fits() {
        let event = br#"{"delta":{"content":"a"},"n":1}"#;
        let text = Text { start: 21, end: 22 };
        let template = Template::new(event, text, Carried::Output).expect("the event is short");
        let fits = |event: &str| template.fits(event.as_bytes());
        assert_eq!(
            fits(r#"{"delta":{"content":"b \" c"},"n":1}"#),
            Some(Carried::Output)
        );
        assert_eq!(fits(r#"{"delta":{"content":""},"n":1}"#), None, "an empty text");
        assert_eq!(fits(r#"{"delta":{"content":"a"},"n":2}"#), None, "another end");
        assert_eq!(
            fits(r#"{"delta":{"content":"a","b":"c"},"n":1}"#),
            None,
            "more than a text"
        );
        let long = [b' '; TEMPLATE_LEN_MAX + 1];
        assert!(Template::new(&long, text, Carried::Output).is_none(), "too long");
    }
}
