//! Identity of stored rows: the time-ordered row id, and the request id as bytes.

use record::{Name, UnixMillis};

/// Bits below the milliseconds: 5 for the instance, 16 for the sequence.
const BITS_BELOW_MS: u32 = 21;

/// The last moment that a row id can hold, 2^42 ms: the year 2109. Later starts are stored as that one.
const MS_MAX: i64 = (1 << 42) - 1;

/// First byte of a stored id that would otherwise be taken for a UUID. It stands in no request id.
const TEXT_MARK: u8 = 0;

/// `start ms << 21 | instance << 16 | sequence`: time-ordered, so that the table itself is the index.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct RowId(pub(crate) i64);

// === impl RowId ===

impl RowId {
    /// The id of a request. `instance` counts modulo 32.
    pub(crate) fn new(started_at: UnixMillis, instance: u8, sequence: u16) -> Self {
        Self(Self::first_at(started_at).0 | i64::from(instance & 0x1f) << 16 | i64::from(sequence))
    }

    /// The smallest id of a moment.
    pub(crate) fn first_at(moment: UnixMillis) -> Self {
        Self(moment.0.clamp(0, MS_MAX) << BITS_BELOW_MS)
    }

    /// When the request began.
    pub(crate) fn started_at(self) -> UnixMillis {
        UnixMillis(self.0 >> BITS_BELOW_MS)
    }

    /// The sequence number.
    pub(crate) fn sequence(self) -> u16 {
        u16::try_from(self.0 & 0xffff).unwrap_or(0)
    }
}

/// The stored form of a request id: 16 bytes for a UUID in its usual form, else its text.
pub(crate) fn rid_bytes(id: &str) -> Vec<u8> {
    if let Some(uuid) = uuid_bytes(id) {
        return uuid.to_vec();
    }
    let text = id.as_bytes();
    if text.len() == 16 || text.first() == Some(&TEXT_MARK) {
        return [&[TEXT_MARK], text].concat();
    }
    text.to_vec()
}

/// The request id behind its stored form.
pub(crate) fn rid_text(bytes: Vec<u8>) -> Option<Name> {
    if let Ok(uuid) = <[u8; 16]>::try_from(bytes.as_slice()) {
        return Some(uuid_text(uuid).into());
    }
    let text = match bytes.strip_prefix(&[TEXT_MARK]) {
        Some(text) => text.to_vec(),
        None => bytes,
    };
    String::from_utf8(text).ok().map(Name::from)
}

/// When a UUIDv7 was made; `None` for every other id. <https://www.rfc-editor.org/rfc/rfc9562#section-5.7>
pub(crate) fn uuid_v7_moment(id: &str) -> Option<UnixMillis> {
    let [a, b, c, d, e, f, version, ..] = uuid_bytes(id)?;
    (version >> 4 == 7).then(|| UnixMillis(i64::from_be_bytes([0, 0, a, b, c, d, e, f])))
}

/// The bytes of a UUID written in lower case with hyphens: only that form can be restored exactly.
fn uuid_bytes(id: &str) -> Option<[u8; 16]> {
    let text = id.as_bytes();
    if text.len() != 36 {
        return None;
    }
    let mut bytes = [0_u8; 16];
    let mut nibbles = 0_usize;
    for (at, byte) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let nibble = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        bytes[nibbles / 2] = bytes[nibbles / 2] << 4 | nibble;
        nibbles += 1;
    }
    Some(bytes)
}

fn uuid_text(bytes: [u8; 16]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn row_ids_are_ordered_by_time_and_keep_their_parts() {
        let early = RowId::new(UnixMillis(1_795_000_000_000), 31, u16::MAX);
        let late = RowId::new(UnixMillis(1_795_000_000_001), 0, 0);
        assert!(early < late, "a later millisecond is always larger");
        assert_eq!(early.started_at(), UnixMillis(1_795_000_000_000));
        assert_eq!(early.sequence(), u16::MAX);
        assert_eq!(
            RowId::new(UnixMillis(-5), 0, 7).started_at(),
            UnixMillis(0),
            "before 1970 is 1970"
        );
        assert!(
            RowId::new(UnixMillis(i64::MAX), 31, u16::MAX).0 > 0,
            "the far future stays positive"
        );
    }

    #[test]
    fn uuids_take_sixteen_bytes_and_tell_their_time() {
        let id = "019a0b2c-3d4e-7f00-8123-456789abcdef";
        assert_eq!(rid_bytes(id).len(), 16);
        assert_eq!(rid_text(rid_bytes(id)).as_deref(), Some(id));
        assert_eq!(uuid_v7_moment(id), Some(UnixMillis(0x019a_0b2c_3d4e)));
        assert_eq!(
            uuid_v7_moment("019a0b2c-3d4e-4f00-8123-456789abcdef"),
            None,
            "version 4"
        );
    }

    #[test]
    fn upper_case_and_sixteen_letters_read_back_as_they_were() {
        for id in [
            "019A0B2C-3D4E-7F00-8123-456789ABCDEF",
            "sixteen-letters-",
            "fifteen-letters",
            "x",
            "",
        ] {
            assert_eq!(rid_text(rid_bytes(id)).as_deref(), Some(id));
        }
    }

    proptest! {
        #[test]
        fn every_request_id_reads_back(id in "[A-Za-z0-9._-]{0,128}") {
            let stored = rid_text(rid_bytes(&id));
            prop_assert_eq!(stored.as_deref(), Some(id.as_str()));
        }
    }
}
