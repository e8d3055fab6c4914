//! Who asks, by the body's own word: places of identifiers, for the proxy to hash.

use std::ops::Range;

use crate::json::{Kind, Malformed, Scan};

/// Where a body names its user and its session; the values themselves are kept nowhere. Read one with
/// [`crate::RequestFacts::text`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Claims {
    /// The end user: `safety_identifier`, else `user` (its old name), else `metadata.user_id` (Anthropic).
    pub user: Option<Range<usize>>,
    /// The conversation: `session_id` (vLLM), else `metadata.session_id`, else `conversation`, else
    /// `prompt_cache_key`, else `previous_response_id`.
    pub session: Option<Range<usize>>,
    user_rank: u8,
    session_rank: u8,
}

// === impl Claims ===

impl Claims {
    /// Reads the value of a field that may name the user or the session, and keeps the best of each.
    pub(super) fn field(&mut self, key: &[u8], scan: &mut Scan<'_>) -> Result<(), Malformed> {
        match key {
            b"safety_identifier" => {
                let place = identifier(scan)?;
                self.user(3, place);
            }
            b"user" => {
                let place = identifier(scan)?;
                self.user(2, place);
            }
            b"metadata" if scan.kind()? == Kind::Object => scan.object(|key, scan| {
                match key {
                    b"user_id" => {
                        let place = identifier(scan)?;
                        self.user(1, place);
                    }
                    b"session_id" => {
                        let place = identifier(scan)?;
                        self.session(4, place);
                    }
                    _ => scan.skip()?,
                }
                Ok(())
            })?,
            b"conversation" if scan.kind()? == Kind::Object => scan.object(|key, scan| {
                let place = identifier(scan)?;
                if key == b"id" {
                    self.session(3, place);
                }
                Ok(())
            })?,
            _ => {
                let rank = match key {
                    b"session_id" => 5,
                    b"conversation" => 3,
                    b"prompt_cache_key" => 2,
                    b"previous_response_id" => 1,
                    _ => 0,
                };
                let place = identifier(scan)?;
                if rank > 0 {
                    self.session(rank, place);
                }
            }
        }
        Ok(())
    }

    fn user(&mut self, rank: u8, place: Option<Range<usize>>) {
        if place.is_some() && rank >= self.user_rank {
            self.user = place;
            self.user_rank = rank;
        }
    }

    fn session(&mut self, rank: u8, place: Option<Range<usize>>) {
        if place.is_some() && rank >= self.session_rank {
            self.session = place;
            self.session_rank = rank;
        }
    }
}

/// The place of a string that is not empty, or of a number; another value is skipped.
fn identifier(scan: &mut Scan<'_>) -> Result<Option<Range<usize>>, Malformed> {
    let kind = scan.kind()?;
    let place = scan.skip_place()?;
    let names = match kind {
        Kind::String => place.len() > 2,
        Kind::Number => true,
        _ => false,
    };
    Ok(names.then_some(place))
}
