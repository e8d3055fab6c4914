//! Closed sets of labels. The same word stands in Rust, SQL, JSON, Prometheus and on the screen.

/// Makes an enum whose variants have one name everywhere, and a list of all of them. The crate that calls it
/// needs `serde`.
#[macro_export]
macro_rules! labels {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[derive(::serde::Deserialize, ::serde::Serialize)]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The one word for this value in SQL, JSON, Prometheus and on the screen.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value that a word stands for; `None` for a word that is none of ours.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use labels;

labels! {
    /// What a request asked for, by its path.
    Endpoint {
        /// `/v1/chat/completions`.
        Chat = "chat",
        /// `/v1/completions`.
        Completion = "completion",
        /// `/v1/responses`.
        Responses = "responses",
        /// `/v1/messages`.
        Messages = "messages",
        /// `/v1/embeddings` and `/pooling`.
        Embeddings = "embeddings",
        /// `/rerank`, `/v1/rerank`, `/v2/rerank`.
        Rerank = "rerank",
        /// `/score`, `/v1/score`.
        Score = "score",
        /// `/classify`.
        Classify = "classify",
        /// `/v1/audio/transcriptions`.
        Transcription = "transcription",
        /// `/v1/audio/translations`.
        Translation = "translation",
        /// Ollama's `/api/chat`.
        OllamaChat = "ollama_chat",
        /// Ollama's `/api/generate`.
        OllamaGenerate = "ollama_generate",
        /// `/tokenize`, `/detokenize`, `/v1/messages/count_tokens`.
        Tokenize = "tokenize",
        /// `/v1/models`.
        Models = "models",
        /// A path that is not served: our 404.
        Other = "other",
    }
}

labels! {
    /// The wire format of an answer.
    Dialect {
        /// `chat.completion.chunk` events or a `chat.completion` body.
        OpenaiChat = "openai_chat",
        /// `text_completion` events or body.
        OpenaiText = "openai_text",
        /// Typed `response.*` events or a `response` body.
        OpenaiResponses = "openai_responses",
        /// Anthropic messages: typed events or a `message` body.
        Anthropic = "anthropic",
        /// Ollama's newline-delimited JSON.
        Ollama = "ollama",
        /// A `transcription.chunk` stream or a transcription body.
        Audio = "audio",
        /// A plain JSON body that may carry a usage object.
        Json = "json",
        /// Anything else: counted, not read.
        Other = "other",
    }
}

labels! {
    /// Why a generation ended, in one vocabulary for all servers.
    FinishReason {
        /// The model ended by itself, by a stop string or with a tool call.
        Stop = "stop",
        /// The token limit was reached.
        Length = "length",
        /// The engine aborted the request.
        Abort = "abort",
        /// The engine failed.
        Error = "error",
        /// Stopped by the engine's repetition detection.
        Repetition = "repetition",
        /// Stopped by a content filter or a refusal.
        ContentFilter = "content_filter",
        /// A reason that is none of these; the record keeps no free text.
        Other = "other",
    }
}

labels! {
    /// Where a record's token counts come from, best first.
    UsageSource {
        /// The final usage chunk, the terminal event or the JSON body. Exact.
        Final = "final",
        /// The last running usage of each choice, summed. Exact up to the last chunk seen.
        Continuous = "continuous",
        /// llama.cpp's `timings` object. Exact.
        Timings = "timings",
        /// Only an estimate from the number of token events; stands in its own column.
        Estimated = "estimated",
        /// Nothing is known.
        None = "none",
    }
}

labels! {
    /// The form of answer that a request asked for.
    ResponseFormat {
        /// Plain text, asked for by name.
        Text = "text",
        /// Some JSON object.
        JsonObject = "json_object",
        /// JSON of a given schema.
        JsonSchema = "json_schema",
        /// A form that is none of these, such as a grammar.
        Other = "other",
    }
}

labels! {
    /// The class of service that a request asked for.
    ServiceTier {
        /// The server decides.
        Auto = "auto",
        /// The usual class.
        Default = "default",
        /// Cheaper and slower.
        Flex = "flex",
        /// Faster.
        Priority = "priority",
        /// Reserved capacity.
        Scale = "scale",
        /// A word that is none of these; the record keeps no free text.
        Other = "other",
    }
}

// === impl FinishReason ===

impl FinishReason {
    /// The reason behind a server's own word: `tool_calls`, `end_turn` and their like are a [`Self::Stop`].
    #[must_use]
    pub fn normalise(word: &str) -> Self {
        match word {
            "stop" | "tool_calls" | "function_call" | "end_turn" | "tool_use" | "stop_sequence"
            | "completed" | "eos" | "eos_token" | "pause_turn" | "load" | "unload" => Self::Stop,
            "length"
            | "max_tokens"
            | "max_output_tokens"
            | "incomplete"
            | "model_context_window_exceeded" => Self::Length,
            "abort" | "cancelled" => Self::Abort,
            "error" | "failed" => Self::Error,
            "repetition" => Self::Repetition,
            "content_filter" | "refusal" | "safety" => Self::ContentFilter,
            _ => Self::Other,
        }
    }
}

// === impl UsageSource ===

impl UsageSource {
    /// Whether the counts may enter sums that claim to be exact.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::Final | Self::Continuous | Self::Timings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_reads_back() {
        for endpoint in Endpoint::ALL {
            assert_eq!(Endpoint::parse(endpoint.as_str()), Some(*endpoint));
        }
        for source in UsageSource::ALL {
            assert_eq!(UsageSource::parse(source.as_str()), Some(*source));
        }
        assert_eq!(Dialect::parse("smoke_signals"), None);
    }

    #[test]
    fn the_words_of_all_servers_are_normalised() {
        for (word, reason) in [
            ("tool_calls", FinishReason::Stop),
            ("end_turn", FinishReason::Stop),
            ("max_tokens", FinishReason::Length),
            ("incomplete", FinishReason::Length),
            ("abort", FinishReason::Abort),
            ("something-new", FinishReason::Other),
        ] {
            assert_eq!(FinishReason::normalise(word), reason, "{word}");
        }
    }
}
