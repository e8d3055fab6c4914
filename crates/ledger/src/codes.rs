//! Small stable numbers for the closed sets of labels. A list only ever grows at its end: its order is
//! stored.

use record::{Dialect, Endpoint, FinishReason, Outcome, Policy, ResponseFormat, ServiceTier, UsageSource};

/// A label that is stored as its place in a list.
pub(crate) trait Code: Copy + Eq + 'static {
    /// Every value; the place is the stored number.
    const LIST: &'static [Self];

    /// The stored number; the length of the list for a value that was forgotten there, which a test excludes.
    fn code(self) -> i64 {
        let place = Self::LIST.iter().position(|listed| *listed == self);
        i64::try_from(place.unwrap_or(Self::LIST.len())).unwrap_or(i64::MAX)
    }

    /// The value behind a stored number.
    fn from_code(code: i64) -> Option<Self> {
        Self::LIST.get(usize::try_from(code).ok()?).copied()
    }
}

impl Code for Endpoint {
    const LIST: &'static [Self] = &[
        Self::Chat,
        Self::Completion,
        Self::Responses,
        Self::Messages,
        Self::Embeddings,
        Self::Rerank,
        Self::Score,
        Self::Classify,
        Self::Transcription,
        Self::Translation,
        Self::OllamaChat,
        Self::OllamaGenerate,
        Self::Tokenize,
        Self::Models,
        Self::Other,
    ];
}

impl Code for Dialect {
    const LIST: &'static [Self] = &[
        Self::OpenaiChat,
        Self::OpenaiText,
        Self::OpenaiResponses,
        Self::Anthropic,
        Self::Ollama,
        Self::Audio,
        Self::Json,
        Self::Other,
    ];
}

impl Code for FinishReason {
    const LIST: &'static [Self] = &[
        Self::Stop,
        Self::Length,
        Self::Abort,
        Self::Error,
        Self::Repetition,
        Self::ContentFilter,
        Self::Other,
    ];
}

impl Code for UsageSource {
    const LIST: &'static [Self] = &[
        Self::Final,
        Self::Continuous,
        Self::Timings,
        Self::Estimated,
        Self::None,
    ];
}

impl Code for Outcome {
    const LIST: &'static [Self] = &[
        Self::Success,
        Self::ClientError,
        Self::UpstreamError,
        Self::StreamError,
        Self::UpstreamTruncated,
        Self::ClientCancelled,
        Self::TimeoutConnect,
        Self::TimeoutFirstByte,
        Self::TimeoutIdle,
        Self::TimeoutTotal,
        Self::Rejected,
        Self::NoReplica,
        Self::Abandoned,
    ];
}

impl Code for Policy {
    const LIST: &'static [Self] = &[
        Self::Prefix,
        Self::LeastWork,
        Self::RoundRobin,
        Self::RandomTwo,
        Self::Session,
    ];
}

impl Code for ResponseFormat {
    const LIST: &'static [Self] = &[Self::Text, Self::JsonObject, Self::JsonSchema, Self::Other];
}

impl Code for ServiceTier {
    const LIST: &'static [Self] = &[
        Self::Auto,
        Self::Default,
        Self::Flex,
        Self::Priority,
        Self::Scale,
        Self::Other,
    ];
}

/// What a string of the dictionary names. The numbers are stored.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// A model, asked for or answered.
    Model,
    /// A pool.
    Pool,
    /// A replica.
    Replica,
    /// An API key's hash or alias.
    Key,
    /// An end user's hash.
    User,
    /// The class of an error.
    ErrorType,
    /// A client library and its version.
    Sdk,
    /// A tag and its value, as `name=value`.
    Tag,
}

impl Code for Kind {
    const LIST: &'static [Self] = &[
        Self::Model,
        Self::Pool,
        Self::Replica,
        Self::Key,
        Self::User,
        Self::ErrorType,
        Self::Sdk,
        Self::Tag,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stored form of a list: any change but growth at the end breaks every ledger out there.
    fn words<C: Code>(word: impl Fn(C) -> &'static str) -> String {
        C::LIST
            .iter()
            .map(|value| word(*value))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn every_label_has_its_number() {
        assert!(
            Endpoint::ALL
                .iter()
                .all(|label| Endpoint::from_code(label.code()) == Some(*label))
        );
        assert!(
            Dialect::ALL
                .iter()
                .all(|label| Dialect::from_code(label.code()) == Some(*label))
        );
        assert!(
            FinishReason::ALL
                .iter()
                .all(|label| FinishReason::from_code(label.code()) == Some(*label))
        );
        assert!(
            UsageSource::ALL
                .iter()
                .all(|label| UsageSource::from_code(label.code()) == Some(*label))
        );
        assert!(
            Outcome::ALL
                .iter()
                .all(|label| Outcome::from_code(label.code()) == Some(*label))
        );
        assert!(
            Policy::ALL
                .iter()
                .all(|label| Policy::from_code(label.code()) == Some(*label))
        );
        assert!(
            ResponseFormat::ALL
                .iter()
                .all(|label| ResponseFormat::from_code(label.code()) == Some(*label))
        );
        assert!(
            ServiceTier::ALL
                .iter()
                .all(|label| ServiceTier::from_code(label.code()) == Some(*label))
        );
        assert_eq!(Outcome::from_code(-1), None);
    }

    #[test]
    fn the_stored_order_does_not_change() {
        assert_eq!(
            words(Endpoint::as_str),
            "chat completion responses messages embeddings rerank score classify transcription translation \
             ollama_chat ollama_generate tokenize models other"
        );
        assert_eq!(
            words(Outcome::as_str),
            "success client_error upstream_error stream_error upstream_truncated client_cancelled \
             timeout_connect timeout_first_byte timeout_idle timeout_total rejected no_replica abandoned"
        );
        assert_eq!(
            words(Dialect::as_str),
            "openai_chat openai_text openai_responses anthropic ollama audio json other"
        );
        assert_eq!(
            words(FinishReason::as_str),
            "stop length abort error repetition content_filter other"
        );
        assert_eq!(
            words(UsageSource::as_str),
            "final continuous timings estimated none"
        );
        assert_eq!(
            words(Policy::as_str),
            "prefix least-work round-robin random-two session"
        );
        assert_eq!(
            words(ResponseFormat::as_str),
            "text json_object json_schema other"
        );
        assert_eq!(
            words(ServiceTier::as_str),
            "auto default flex priority scale other"
        );
        assert_eq!(Kind::Model.code(), 0);
        assert_eq!(Kind::Sdk.code(), 6);
        assert_eq!(Kind::Tag.code(), 7);
    }
}
