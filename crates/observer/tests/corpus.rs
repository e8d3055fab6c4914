//! Replays what fuzzing has found: each input of `fuzz/corpus` through the check of its target. The check of
//! what is taken out of a stream runs on inputs of its own as well.

#[expect(
    unreachable_pub,
    reason = "public for the fuzz targets, which are crates of their own"
)]
#[path = "../../../fuzz/src/checks.rs"]
mod checks;

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[test]
fn the_corpus_holds_what_every_input_must_hold() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, check) in checks::ALL {
        let folder = corpus.join(name);
        let inputs = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut replayed = 0;
        for input in inputs {
            let path = input.unwrap().path();
            check(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
            replayed += 1;
        }
        assert!(replayed > 0, "{name} has a corpus");
    }
}

#[test]
fn the_shortest_inputs_hold_it_too() {
    for (_, check) in checks::ALL {
        check(b"");
        for first in 0..=u8::MAX {
            check(&[first]);
            check(&[b'{', first]);
            check(&[first, 0, first]);
        }
    }
}

proptest! {
    #[test]
    fn what_was_asked_for_by_us_leaves_no_trace(script in proptest::collection::vec(any::<u8>(), 2..40)) {
        checks::strip(&script);
    }
}
