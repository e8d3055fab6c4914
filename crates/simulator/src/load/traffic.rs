//! The fake applications: who asks, what for, and with which words in front.

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};

use crate::load::settings::Traffic;
use crate::words::push_words;

/// One request, ready to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: String,
    pub(crate) bytes: Bytes,
}

/// Makes requests, each different from the last.
#[derive(Debug)]
pub(crate) struct Source {
    rng: SmallRng,
    run: u32,
    count: u64,
    kind: Kind,
    host: String,
}

#[derive(Debug)]
enum Kind {
    Fixed { path: String, body: Bytes },
    Applications(Box<Crowd>),
}

#[derive(Debug)]
struct Crowd {
    models: Vec<String>,
    stream_share: Option<f64>,
    mistake_rate: f64,
    key: Option<String>,
    /// The text in front of every prompt of an application, JSON-escaped: what a prefix cache can find.
    preambles: Vec<String>,
}

/// A fake application. Popular ones come first.
struct Application {
    name: &'static str,
    path: &'static str,
    /// Words in front of every prompt.
    preamble_words: u64,
    /// Words of the user's own part, at most.
    prompt_words: u64,
    stream_share: f64,
    max_tokens: Option<u64>,
    users: u32,
}

const CHAT: &str = "/v1/chat/completions";

const APPLICATIONS: [Application; 6] = [
    Application {
        name: "support-bot",
        path: CHAT,
        preamble_words: 220,
        prompt_words: 80,
        stream_share: 0.98,
        max_tokens: None,
        users: 400,
    },
    Application {
        name: "code-assistant",
        path: CHAT,
        preamble_words: 900,
        prompt_words: 700,
        stream_share: 1.0,
        max_tokens: Some(1_024),
        users: 60,
    },
    Application {
        name: "search-answers",
        path: CHAT,
        preamble_words: 120,
        prompt_words: 1_600,
        stream_share: 0.9,
        max_tokens: Some(256),
        users: 900,
    },
    Application {
        name: "ticket-summaries",
        path: CHAT,
        preamble_words: 160,
        prompt_words: 500,
        stream_share: 0.0,
        max_tokens: Some(120),
        users: 1,
    },
    Application {
        name: "indexer",
        path: "/v1/embeddings",
        preamble_words: 0,
        prompt_words: 300,
        stream_share: 0.0,
        max_tokens: None,
        users: 1,
    },
    Application {
        name: "playground",
        path: "/v1/completions",
        preamble_words: 20,
        prompt_words: 60,
        stream_share: 0.7,
        max_tokens: Some(200),
        users: 12,
    },
];

/// How much more popular the first application is than the next: 1 halves from the first to the second.
const ZIPF_EXPONENT: f64 = 0.9;

// === impl Source ===

impl Source {
    /// A source of `traffic`; `models` stands in for an empty list in the settings. `run` makes ids of two
    /// runs differ.
    pub(crate) fn new(traffic: &Traffic, models: &[String], host: &str, seed: u64, run: u32) -> Self {
        let kind = match traffic {
            Traffic::Fixed { path, body } => Kind::Fixed {
                path: path.clone(),
                body: body.clone(),
            },
            Traffic::Applications {
                models: chosen,
                stream_share,
                mistake_rate,
                key,
            } => {
                let models = if chosen.is_empty() { models } else { chosen };
                Kind::Applications(Box::new(Crowd {
                    models: models.to_vec(),
                    stream_share: *stream_share,
                    mistake_rate: mistake_rate.clamp(0.0, 1.0),
                    key: key.clone(),
                    preambles: (0..)
                        .zip(&APPLICATIONS)
                        .map(|(at, app)| preamble(app, at))
                        .collect(),
                }))
            }
        };
        Self {
            rng: SmallRng::seed_from_u64(seed),
            run,
            count: 0,
            kind,
            host: host.to_owned(),
        }
    }

    /// The next request.
    pub(crate) fn next(&mut self) -> Outgoing {
        self.count += 1;
        let id = format!("load-{:08x}-{}", self.run, self.count);
        let bytes = match &self.kind {
            Kind::Fixed { path, body } => assemble(path, &self.host, &id, "", body),
            Kind::Applications(crowd) => crowd.request(&self.host, &id, &mut self.rng),
        };
        Outgoing { id, bytes }
    }

    /// Whether an event of this rate happens to the next request.
    pub(crate) fn chance(&mut self, rate: f64) -> bool {
        self.rng.random_bool(rate.clamp(0.0, 1.0))
    }

    /// A number from 0 to `max`, both included.
    pub(crate) fn up_to(&mut self, max: u64) -> u64 {
        self.rng.random_range(0..=max)
    }
}

// === impl Crowd ===

impl Crowd {
    fn request(&self, host: &str, id: &str, rng: &mut SmallRng) -> Bytes {
        let popularity = Zipf::new(f64::from(APPLICATIONS_COUNT), ZIPF_EXPONENT);
        let rank = popularity.map_or(1.0, |zipf| zipf.sample(rng));
        let at = (1..=APPLICATIONS_COUNT)
            .position(|place| f64::from(place) >= rank)
            .unwrap_or(0);
        let application = &APPLICATIONS[at];
        let user = rng.random_range(0..application.users);
        let key = match &self.key {
            Some(key) => key.clone(),
            None => format!("sk-sim-{}", application.name),
        };
        let headers = format!(
            "authorization: Bearer {key}\r\nuser-agent: {}/1.0\r\nx-user-id: user-{user}\r\n",
            application.name
        );
        let model = match self.models.len() {
            0 => "",
            len => &self.models[(at + usize::from(rng.random_bool(0.15))) % len],
        };
        let mistake = rng.random_bool(self.mistake_rate);
        let (model, tail) = match mistake {
            true if rng.random_bool(0.6) => ("no-such-model", ""),
            true => (model, ",,"),
            false => (model, ""),
        };
        let mut body = String::with_capacity(4096);
        body.push_str("{\"model\":");
        body.push_str(&serde_json::Value::from(model).to_string());
        self.push_prompt(&mut body, application, at, rng);
        body.push_str(&format!(",\"user\":\"user-{user}\""));
        if let Some(max) = application.max_tokens {
            body.push_str(&format!(",\"max_tokens\":{max}"));
        }
        let share = self
            .stream_share
            .unwrap_or(application.stream_share)
            .clamp(0.0, 1.0);
        if application.path != "/v1/embeddings" && rng.random_bool(share) {
            body.push_str(",\"stream\":true");
            // Half of the clients out there ask for usage themselves.
            if rng.random_bool(0.5) {
                body.push_str(",\"stream_options\":{\"include_usage\":true}");
            }
        }
        body.push_str(tail);
        body.push('}');
        assemble(application.path, host, id, &headers, body.as_bytes())
    }

    fn push_prompt(&self, body: &mut String, application: &Application, at: usize, rng: &mut SmallRng) {
        let preamble = &self.preambles[at];
        let words = rng.random_range(5..=application.prompt_words.max(5));
        match application.path {
            CHAT => {
                body.push_str(",\"messages\":[{\"role\":\"system\",\"content\":\"");
                body.push_str(preamble);
                body.push_str("\"},{\"role\":\"user\",\"content\":\"");
                push_words(body, words, rng);
                body.push_str("\"}]");
            }
            "/v1/embeddings" => {
                body.push_str(",\"input\":[\"");
                push_words(body, words, rng);
                body.push_str("\"]");
            }
            _ => {
                body.push_str(",\"prompt\":\"");
                body.push_str(preamble);
                push_words(body, words, rng);
                body.push('"');
            }
        }
    }
}

/// The number of applications, as the type that converts to a float without loss.
const APPLICATIONS_COUNT: u32 = 6;

fn preamble(application: &Application, at: u64) -> String {
    // Seeded by the application alone, so that two runs share prefixes as two days of one product do.
    let mut rng = SmallRng::seed_from_u64(at);
    let mut text = format!("You are {}.", application.name);
    push_words(&mut text, application.preamble_words, &mut rng);
    text
}

fn assemble(path: &str, host: &str, id: &str, headers: &str, body: &[u8]) -> Bytes {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         x-request-id: {id}\r\n{headers}\r\n",
        body.len()
    );
    let mut bytes = Vec::with_capacity(head.len() + body.len());
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(body);
    Bytes::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn source(mistake_rate: f64, seed: u64) -> Source {
        let traffic = Traffic::Applications {
            models: Vec::new(),
            stream_share: None,
            mistake_rate,
            key: None,
        };
        Source::new(&traffic, &["m\"1".to_owned()], "h:1", seed, 7)
    }

    fn body_of(request: &Outgoing) -> String {
        let text = String::from_utf8(request.bytes.to_vec()).unwrap();
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    #[test]
    fn every_body_is_json_and_popular_applications_come_more_often() {
        assert_eq!(usize::try_from(APPLICATIONS_COUNT).unwrap(), APPLICATIONS.len());
        let mut source = source(0.0, 1);
        let mut paths = BTreeMap::<String, u32>::new();
        for _ in 0..300 {
            let request = source.next();
            let body: serde_json::Value = serde_json::from_str(&body_of(&request)).unwrap();
            assert_eq!(body["model"], "m\"1");
            let text = String::from_utf8(request.bytes.to_vec()).unwrap();
            *paths
                .entry(text.split(' ').nth(1).unwrap().to_owned())
                .or_default() += 1;
        }
        assert_eq!(
            paths.len(),
            3,
            "chat, completions and embeddings all occur: {paths:?}"
        );
        assert!(paths[CHAT] > 200, "the first four applications chat: {paths:?}");
    }

    #[test]
    fn the_same_seed_asks_the_same_and_ids_never_repeat() {
        let ask = |seed: u64| {
            let mut source = source(0.0, seed);
            (0..20).map(|_| source.next()).collect::<Vec<_>>()
        };
        let bodies = |requests: &[Outgoing]| requests.iter().map(body_of).collect::<Vec<_>>();
        assert_eq!(bodies(&ask(1)), bodies(&ask(1)));
        assert_ne!(bodies(&ask(1)), bodies(&ask(2)));
        let ids: std::collections::BTreeSet<_> = ask(1).into_iter().map(|request| request.id).collect();
        assert_eq!(ids.len(), 20);
    }

    #[test]
    fn mistakes_are_of_both_kinds() {
        let mut source = source(1.0, 3);
        let bodies: Vec<String> = (0..40).map(|_| body_of(&source.next())).collect();
        let broken = bodies
            .iter()
            .filter(|body| serde_json::from_str::<serde_json::Value>(body).is_err())
            .count();
        let unknown = bodies
            .iter()
            .filter(|body| body.contains("no-such-model"))
            .count();
        assert!(broken > 0 && unknown > 0, "{broken} broken, {unknown} unknown");
        assert_eq!(broken + unknown, 40);
    }
}
