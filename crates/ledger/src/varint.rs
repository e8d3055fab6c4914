//! Variable-length integers: seven bits a byte, low bits first. The alphabet of stored cells.

/// Appends a number; small numbers take one byte.
pub(crate) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// Takes a number off the front; `None` when the bytes end early or hold more than 64 bits.
#[inline]
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    match bytes.split_first() {
        // Most stored numbers are small.
        Some((byte, rest)) if byte & 0x80 == 0 => {
            *bytes = rest;
            Some(u64::from(*byte))
        }
        _ => take_long(bytes),
    }
}

fn take_long(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        if shift == 63 && low > 1 {
            return None;
        }
        value |= low << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Appends a number that may be negative; small distances to zero take one byte.
pub(crate) fn put_signed(bytes: &mut Vec<u8>, value: i64) {
    let doubled = value.unsigned_abs() << 1;
    // -1 is 1, 1 is 2, -2 is 3: the lowest bit is the sign.
    put(
        bytes,
        if value < 0 {
            doubled.wrapping_sub(1)
        } else {
            doubled
        },
    );
}

/// Takes a number that [`put_signed`] wrote off the front.
pub(crate) fn take_signed(bytes: &mut &[u8]) -> Option<i64> {
    let folded = take(bytes)?;
    let half = i64::try_from(folded >> 1).ok()?;
    Some(if folded & 1 == 0 { half } else { -1 - half })
}

/// Takes `len` bytes off the front; `None` when there are fewer.
pub(crate) fn take_slice<'b>(bytes: &mut &'b [u8], len: u64) -> Option<&'b [u8]> {
    let len = usize::try_from(len).ok()?;
    let (head, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_from_their_bytes() {
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX];
        let mut bytes = Vec::new();
        for number in numbers {
            put(&mut bytes, number);
        }
        let mut rest = bytes.as_slice();
        for number in numbers {
            assert_eq!(take(&mut rest), Some(number));
        }
        assert!(rest.is_empty(), "nothing is left over");
    }

    #[test]
    fn numbers_of_each_length_end_where_they_end() {
        for shift in 0..64 {
            for number in [(1_u64 << shift) - 1, 1 << shift, (1 << shift) | 0x15] {
                for behind in [&[][..], &[0xff; 9], &[0; 9]] {
                    let mut bytes = Vec::new();
                    put(&mut bytes, number);
                    bytes.extend_from_slice(behind);
                    let mut rest = bytes.as_slice();
                    assert_eq!(take(&mut rest), Some(number), "before {behind:?}");
                    assert_eq!(rest, behind, "behind {number}");
                }
            }
        }
    }

    #[test]
    fn signed_numbers_read_back_and_small_ones_are_one_byte() {
        for number in [0, 1, -1, 63, -64, 1_000_000, -1_000_000, i64::MAX, i64::MIN + 1] {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, number);
            assert_eq!(take_signed(&mut bytes.as_slice()), Some(number));
            assert_eq!(bytes.len() == 1, (-64..64).contains(&number), "{number}");
        }
    }

    #[test]
    fn cut_and_oversized_numbers_are_refused() {
        assert_eq!(take(&mut [0x80_u8].as_slice()), None, "cut in the middle");
        assert_eq!(take(&mut [0xff_u8; 11].as_slice()), None, "more than 64 bits");
        let mut over = [0xff_u8; 10];
        over[9] = 0x02;
        assert_eq!(take(&mut over.as_slice()), None, "bit 65 is set");
        assert_eq!(
            take_slice(&mut [1_u8, 2].as_slice(), 3),
            None,
            "fewer bytes than promised"
        );
    }
}
