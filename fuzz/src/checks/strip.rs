//! A server that was asked for usage by us gives the client what a server gives that was not asked.

use observer::{Framing, StreamKind};
use record::Dialect;

use super::{STRIPS, cut, play, single};

/// A server that was asked for usage by us gives the client what a server gives that was not asked.
pub fn strip(input: &[u8]) {
    let Some((&[first, second], rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    let dialect = [Dialect::OpenaiChat, Dialect::OpenaiText, Dialect::Audio][usize::from(first) % 3];
    let strip = STRIPS[usize::from(second) % 4];
    let server = Server {
        dialect,
        end: ["\n", "\r\n", "\r"][usize::from(second / 4) % 3],
        space: ["", " "][usize::from(second / 16) % 2],
        program: [Program::Vllm, Program::Sglang, Program::LlamaCpp][usize::from(second / 32) % 3],
    };
    let (mut asked, mut expected) = (String::new(), String::new());
    let unasked = Asked {
        members: !strip.takes_members(),
        chunk: !strip.takes_chunk(),
    };
    for (number, byte) in rest.iter().take(64).enumerate() {
        server.event(&mut asked, *byte, number, Asked::BOTH);
        server.event(&mut expected, *byte, number, unasked);
    }
    let kind = StreamKind {
        strip,
        ..StreamKind::new(dialect, Framing::Sse)
    };
    for pieces in [
        vec![asked.as_bytes()],
        cut(asked.as_bytes()),
        single(asked.as_bytes()),
    ] {
        let (out, _) = play(kind, &pieces);
        assert_eq!(String::from_utf8_lossy(&out), expected, "{dialect} {strip:?}");
    }
}

/// A server that writes events with and without usage.
struct Server {
    dialect: Dialect,
    program: Program,
    end: &'static str,
    space: &'static str,
}

/// Which server it is, where they differ.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Program {
    Vllm,
    /// Writes all fields of a text completion's chunk.
    Sglang,
    /// Gives timings unasked and no running counts; text completions have usage unasked.
    LlamaCpp,
}

/// What a server was asked for.
#[derive(Clone, Copy)]
struct Asked {
    /// Running counts in events with choices.
    members: bool,
    /// The usage chunk.
    chunk: bool,
}

impl Asked {
    const BOTH: Self = Self {
        members: true,
        chunk: true,
    };
}

/// What llama.cpp's server calls its build.
const BUILD: &str = ",\"system_fingerprint\":\"b7123-4b2f6a0c\"";

impl Server {
    /// Writes the event that `byte` stands for.
    fn event(&self, out: &mut String, byte: u8, number: usize, asked: Asked) {
        let Self { end, space, .. } = self;
        let text = ["a", "\\\"usage\\\":{}", "", "}},"][usize::from(byte / 8) % 4];
        let usage = self.usage(number, asked.members);
        let choice = self.choice(text);
        let event = match byte % 8 {
            0 | 1 => format!("data: {{\"choices\":[{{\"index\":0,{choice}}}]{usage}}}{end}{end}"),
            2 | 4 if self.program == Program::LlamaCpp => {
                self.end_of_llama_cpp(number, byte / 32 % 2 == 1, asked.chunk)
            }
            2 => format!(
                "data:{{\"choices\":[{{{choice},\"finish_reason\":\"stop\"}}]{usage},\"x\":1}}{end}{end}"
            ),
            3 => {
                format!("id: 7{end}data: {{\"id\":\"x\"{usage},{space}\"choices\":[{{{choice}}}]}}{end}{end}")
            }
            4 if !asked.chunk => String::new(),
            4 => format!("data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":{number}}}}}{end}{end}"),
            5 => format!(": ping{end}{end}"),
            6 => format!("data: [DONE]{end}{end}"),
            _ => format!("data: {{\"error\":{{\"message\":\"{text}\"}}}}{end}{end}"),
        };
        out.push_str(&event);
    }

    /// What carries the text in a choice.
    fn choice(&self, text: &str) -> String {
        match (self.dialect, self.program) {
            (Dialect::OpenaiText, Program::Sglang) => format!("\"text\":\"{text}\",\"matched_stop\":null"),
            (Dialect::OpenaiText, _) => format!("\"text\":\"{text}\""),
            _ => format!("\"delta\":{{\"content\":\"{text}\"}}"),
        }
    }

    /// The member that counts a choice so far, or what stands in its place; with llama.cpp its build.
    fn usage(&self, number: usize, asked: bool) -> String {
        let space = self.space;
        let usage = format!("{{\"prompt_tokens\":{space}{number},\"completion_tokens\":{number}}}");
        match (self.program, asked, self.dialect) {
            (Program::LlamaCpp, ..) => BUILD.to_owned(),
            (_, true, _) => format!(",{space}\"usage\":{space}{usage}"),
            (Program::Sglang, false, Dialect::OpenaiText) => format!(",{space}\"usage\":{space}null"),
            (_, false, _) => String::new(),
        }
    }

    /// The last event of a choice and the usage chunk, into which the timings go when there is one; text
    /// completions have none.
    fn end_of_llama_cpp(&self, number: usize, pings: bool, asked: bool) -> String {
        let Self { end, space, .. } = self;
        let choice = self.choice("");
        let ping = if pings {
            format!(": ping{end}")
        } else {
            String::new()
        };
        let usage = format!(",\"usage\":{{\"prompt_tokens\":{number}}}");
        let timings = format!(",\"timings\":{{\"prompt_n\":{space}{number}}}");
        let finish = format!("data: {{\"choices\":[{{\"finish_reason\":\"stop\",{choice}}}]{BUILD}");
        if self.dialect == Dialect::OpenaiText {
            format!("{finish}{usage}{timings}}}{end}{end}{ping}")
        } else if asked {
            format!("{finish}}}{end}{end}{ping}data: {{\"choices\":[]{BUILD}{usage}{timings}}}{end}{end}")
        } else {
            format!("{finish}{timings}}}{end}{end}{ping}")
        }
    }
}
