//! How much a prompt holds beside text, and how many prompts there are.
//!
//! Images and audio are counted while the prompt is skipped, by the `type` of its parts: one pass, no depth,
//! no memory.

use crate::json::{Kind, Malformed, Scan};

/// Parts of a prompt that are not text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Parts {
    pub(super) images: u32,
    pub(super) audios: u32,
}

// === impl Parts ===

impl Parts {
    /// Skips a value and counts the parts in it by their type: `image_url` and `input_audio` (OpenAI),
    /// `input_image` (Responses), `image` (Anthropic), `audio_url`, `image_embeds` (vLLM).
    pub(super) fn skip(&mut self, scan: &mut Scan<'_>) -> Result<(), Malformed> {
        // Whether the last string was the key of a part's type.
        let mut typed = false;
        scan.skip_watching(|text, is_value| {
            if !is_value {
                typed = text == b"type";
                return;
            }
            if std::mem::take(&mut typed) {
                match text {
                    b"image_url" | b"input_image" | b"image" | b"image_pil" | b"image_embeds" => {
                        self.images = self.images.saturating_add(1);
                    }
                    b"input_audio" | b"audio_url" | b"audio" | b"audio_embeds" => {
                        self.audios = self.audios.saturating_add(1);
                    }
                    _ => {}
                }
            }
        })
    }

    /// Walks Ollama's messages, whose images stand in an array beside the text.
    pub(super) fn skip_ollama(&mut self, scan: &mut Scan<'_>) -> Result<(), Malformed> {
        if scan.kind()? != Kind::Array {
            return scan.skip();
        }
        scan.array(|scan| {
            if scan.kind()? != Kind::Object {
                return scan.skip();
            }
            scan.object(|key, scan| match key {
                b"images" => {
                    self.images = self.images.saturating_add(count(scan)?.unwrap_or(0));
                    Ok(())
                }
                _ => scan.skip(),
            })
        })
    }
}

/// The number of elements of an array, or `None` for another value.
pub(super) fn count(scan: &mut Scan<'_>) -> Result<Option<u32>, Malformed> {
    if scan.kind()? != Kind::Array {
        return scan.skip().map(|()| None);
    }
    let mut elements = 0_u32;
    scan.array(|scan| {
        elements = elements.saturating_add(1);
        scan.skip()
    })?;
    Ok(Some(elements))
}

/// The number of prompts of a text completion: a string or a list of token numbers is one, a list of those is
/// as many.
pub(super) fn prompts(scan: &mut Scan<'_>) -> Result<u32, Malformed> {
    if scan.kind()? != Kind::Array {
        return scan.skip().map(|()| 1);
    }
    let (mut elements, mut numbers) = (0_u32, false);
    scan.array(|scan| {
        elements = elements.saturating_add(1);
        numbers |= scan.kind()? == Kind::Number;
        scan.skip()
    })?;
    Ok(if numbers { 1 } else { elements.max(1) })
}
