//! Framing vectors at every cut, limits, offsets.

use super::*;

type Seen = Vec<(String, String)>;

fn frame(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>, framing: Framing) -> (Seen, u64) {
    let mut framer = Framer::new(framing);
    let mut seen = Vec::new();
    let mut sink = |event: Event<'_>| {
        let name = if event.name.is_empty() {
            b"message"
        } else {
            event.name
        };
        seen.push((
            String::from_utf8_lossy(name).into_owned(),
            String::from_utf8_lossy(event.data).into_owned(),
        ));
    };
    for piece in pieces {
        let piece = piece.as_ref();
        framer.push(piece, &mut sink);
    }
    framer.finish(&mut sink);
    (seen, framer.too_long())
}

#[derive(serde::Deserialize)]
struct Vector {
    name: String,
    input_hex: Option<String>,
    expect: Option<Seen>,
}

fn vectors() -> Vec<(String, Vec<u8>, Seen)> {
    let text = include_str!("../../vectors/sse_framing.json");
    let vectors: Vec<Vector> = serde_json::from_str(text).unwrap();
    assert_eq!(vectors.len(), 31, "the fixture is whole");
    vectors
        .into_iter()
        .map(|vector| match (vector.input_hex, vector.expect) {
            (Some(hex), Some(expect)) => (vector.name, unhex(&hex), expect),
            _ => {
                let big = format!("\"{}\"", "x".repeat(300_000));
                (
                    vector.name,
                    format!("data: {big}\n\n").into_bytes(),
                    vec![("message".to_owned(), big)],
                )
            }
        })
        .collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn every_vector_holds_whole_byte_by_byte_and_at_every_cut() {
    for (name, input, expect) in vectors() {
        assert_eq!(frame([&input[..]], Framing::Sse).0, expect, "{name} whole");
        assert_eq!(
            frame(input.chunks(1), Framing::Sse).0,
            expect,
            "{name} byte by byte"
        );
        let step = (input.len() / 400).max(1);
        for cut in (0..=input.len()).step_by(step) {
            let (left, right) = input.split_at(cut);
            assert_eq!(
                frame([left, right], Framing::Sse).0,
                expect,
                "{name} cut at {cut}"
            );
        }
    }
}

#[test]
fn a_line_beyond_the_limit_is_passed_over_and_the_next_event_is_read() {
    let mut input = b"data: ".to_vec();
    input.resize(EVENT_LEN_MAX + 100, b'x');
    input.extend_from_slice(b"\n\ndata: next\n\n");
    let (seen, too_long) = frame(input.chunks(4_096), Framing::Sse);
    assert_eq!(seen, [("message".to_owned(), "next".to_owned())]);
    assert_eq!(too_long, 1, "and it is counted once");
}

#[test]
fn many_data_lines_cannot_grow_without_bound() {
    let line = format!("data: {}\n", "y".repeat(1_000));
    let input = line.repeat(2_000);
    let mut framer = Framer::new(Framing::Sse);
    for piece in input.as_bytes().chunks(line.len() * 7) {
        framer.push(piece, &mut |_| panic!("no blank line, no event"));
        assert!(
            framer.line.len() + framer.pending.data.len() <= EVENT_LEN_MAX,
            "bounded"
        );
    }
    assert_eq!(framer.too_long(), 1, "the overflow is counted once");
    let mut seen = 0;
    framer.push(b"data: rest of it\n\ndata: next\n\n", &mut |event: Event<'_>| {
        assert_eq!(event.data, b"next", "half an event is not an event");
        seen += 1;
    });
    assert_eq!(seen, 1);
}

#[test]
fn lines_of_json_are_events() {
    let input = b"{\"a\":1}\n{\"b\":2}\r\n\n{\"c\":3}";
    let expect = ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"];
    for cut in 0..=input.len() {
        let (left, right) = input.split_at(cut);
        let (seen, _) = frame([left, right], Framing::Lines);
        assert_eq!(
            seen.iter().map(|(_, data)| data.as_str()).collect::<Vec<_>>(),
            expect,
            "cut at {cut}"
        );
    }
}

#[test]
fn offsets_cover_the_stream_without_gaps_at_every_cut() {
    let input = b"data: a\n\nevent: x\r\ndata: b\r\n\r\n: ping\n\ndata: c\ndata: d\n\nid: 7\ndata: e\n\n";
    for cut in 0..=input.len() {
        let (left, right) = input.split_at(cut);
        let mut framer = Framer::new(Framing::Sse);
        let mut ranges = Vec::new();
        let mut sink = |event: Event<'_>| ranges.push((event.start, event.end));
        framer.push(left, &mut sink);
        framer.push(right, &mut sink);
        framer.finish(&mut sink);
        let texts: Vec<_> = ranges
            .iter()
            .map(|(start, end)| {
                let (start, end) = (usize::try_from(*start).unwrap(), usize::try_from(*end).unwrap());
                String::from_utf8_lossy(&input[start..end]).trim_end().to_owned()
            })
            .collect();
        let expect = [
            "data: a",
            "event: x\r\ndata: b",
            "data: c\ndata: d",
            "id: 7\ndata: e",
        ];
        assert_eq!(texts, expect, "cut at {cut}");
        assert!(framer.at_boundary(), "the stream ended between events");
    }
}
