/**
 * The types of the API, made from `metrics-api/openapi.json` by `npm run api`. Do not edit.
 */

export interface paths {
    readonly "/api/v1/about": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The service itself
         * @description What a page needs before there is any data.
         */
        readonly get: operations["about"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/breakdown": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The figures of a window, split by one dimension
         * @description One row per value, most requests first.
         */
        readonly get: operations["breakdown"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/facets": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Values to filter by
         * @description What occurs in the window, among the requests that the other filters let pass.
         */
        readonly get: operations["facets"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/live": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * What happens now
         * @description Server-sent events named `live`, once a second, each with one `Live` object as its data. Rates are null in
         *     the first event after nobody watched. When no event comes for some seconds, the ledger cannot be read.
         */
        readonly get: operations["live"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/replicas": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Replicas and proxies
         * @description State and load come from the pulses of the proxies, figures from the requests of the window. A proxy that
         *     has been silent for an hour is no longer listed.
         */
        readonly get: operations["replicas"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/requests": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Requests, newest first
         * @description One page. The next one is asked for with `cursor` set to `next`, and everything else as before. With a
         *     `to` that moves (`now`), later pages are the same: the cursor points behind the last request of this page.
         */
        readonly get: operations["requests"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/requests/{id}": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * One request
         * @description By its id. When a client has used one id for several requests, the newest is answered.
         */
        readonly get: operations["request"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/summary": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * The figures of a window
         * @description Requests, outcomes, tokens, latencies and goodput of the requests that started in the window.
         */
        readonly get: operations["summary"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/api/v1/timeseries": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * One metric over time
         * @description Every series has the same moments: multiples of `step_ms` since 1970. Null is a gap.
         */
        readonly get: operations["timeseries"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/healthz": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Whether the process runs */
        readonly get: operations["healthz"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/metrics": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /**
         * Prometheus metrics of every live proxy
         * @description Text format 0.0.4. Each series has the label `proxy`. A proxy whose pulse is older than 15 s is left out.
         */
        readonly get: operations["metrics"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
    readonly "/readyz": {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        /** Whether the ledger can be read */
        readonly get: operations["readyz"];
        readonly put?: never;
        readonly post?: never;
        readonly delete?: never;
        readonly options?: never;
        readonly head?: never;
        readonly patch?: never;
        readonly trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description What the service says about itself. */
        readonly About: {
            /** @description The server's time, for pages on machines whose clock is off. */
            readonly now: components["schemas"]["Moment"];
            /** @description The address that clients send their requests to, without a path. */
            readonly proxy_url: string;
            /** @description Whether the ledger can be read; false before the first proxy has started. */
            readonly ready: boolean;
            /** @description Version of streamgauge. */
            readonly version: string;
        };
        /**
         * @description How an attempt on a replica ended.
         * @enum {string}
         */
        readonly AttemptEnd: "answered" | "connect" | "tls" | "reset" | "malformed" | "status" | "truncated" | "timeout_connect" | "timeout_first_byte" | "timeout_idle" | "timeout_total" | "client_gone" | "abandoned";
        /** @description One attempt on a replica. */
        readonly AttemptRecord: {
            /** @description How it ended. */
            readonly end: components["schemas"]["AttemptEnd"];
            /** @description The replica that was tried. */
            readonly replica: string;
            /**
             * Format: double
             * @description From the choice of the replica to the end of the attempt.
             */
            readonly span_ms: number;
        };
        /** @description The figures of a window, split by one dimension. */
        readonly Breakdown: {
            /** @description What the rows are split by. */
            readonly by: components["schemas"]["By"];
            /**
             * @description Start of the window that is covered, included: as asked for, or earlier where only coarser figures are
             *     kept.
             */
            readonly from: components["schemas"]["Moment"];
            /** @description One row per value, most requests first. */
            readonly rows: readonly components["schemas"]["BreakdownRow"][];
            /** @description End of the window, not included. */
            readonly to: components["schemas"]["Moment"];
        };
        /** @description The figures of the requests that share one value. */
        readonly BreakdownRow: components["schemas"]["Figures"] & {
            /** @description The shared value; null for the requests where it is unknown. */
            readonly key: string | null;
        };
        /** @description What answers are split by: a dimension, or a tag. Requests without the tag are in no row. */
        readonly By: components["schemas"]["Dimension"] | string;
        /**
         * @description The wire format of an answer.
         * @enum {string}
         */
        readonly Dialect: "openai_chat" | "openai_text" | "openai_responses" | "anthropic" | "ollama" | "audio" | "json" | "other";
        /**
         * @description What answers can be split by.
         * @enum {string}
         */
        readonly Dimension: "model" | "pool" | "replica" | "endpoint" | "outcome" | "stream" | "key" | "user" | "finish_reason" | "error_type";
        /**
         * @description How a figure is spread, in milliseconds. Percentiles are at most 1 % off and never averaged from other
         *     percentiles; `count`, `mean` and `max` are exact.
         */
        readonly Distribution: {
            /**
             * Format: int64
             * @description Number of values: requests for which the figure is known, or gaps.
             */
            readonly count: number;
            /**
             * Format: double
             * @description Largest.
             */
            readonly max: number | null;
            /**
             * Format: double
             * @description Arithmetic mean; null when `count` is 0, as are all that follow.
             */
            readonly mean: number | null;
            /**
             * Format: double
             * @description Median.
             */
            readonly p50: number | null;
            /**
             * Format: double
             * @description 90th percentile.
             */
            readonly p90: number | null;
            /**
             * Format: double
             * @description 95th percentile.
             */
            readonly p95: number | null;
            /**
             * Format: double
             * @description 99th percentile.
             */
            readonly p99: number | null;
        };
        /**
         * @description What a request asked for, by its path.
         * @enum {string}
         */
        readonly Endpoint: "chat" | "completion" | "responses" | "messages" | "embeddings" | "rerank" | "score" | "classify" | "transcription" | "translation" | "ollama_chat" | "ollama_generate" | "tokenize" | "models" | "other";
        /** @description What went wrong. */
        readonly ErrorBody: {
            /**
             * @description A word for programs: `bad_parameter`, `not_found`, `method_not_allowed`, `unauthorized`, `too_slow`,
             *     `unavailable`, `internal`.
             */
            readonly code: string;
            /** @description A sentence for people. */
            readonly message: string;
        };
        /** @description The body of every answer that is not a success. */
        readonly ErrorEnvelope: {
            /** @description What went wrong. */
            readonly error: components["schemas"]["ErrorBody"];
        };
        /** @description The values that occur in a window: what the filters can be set to. */
        readonly Facets: {
            /** @description Endpoints. */
            readonly endpoint: readonly string[];
            /** @description Start of the window, included. */
            readonly from: components["schemas"]["Moment"];
            /** @description API keys, as hashes or configured aliases, the busiest first, at most 500. */
            readonly key: readonly string[];
            /** @description Models, sorted. */
            readonly model: readonly string[];
            /** @description Outcomes. */
            readonly outcome: readonly string[];
            /** @description Pools, sorted. */
            readonly pool: readonly string[];
            /** @description Replicas, sorted. */
            readonly replica: readonly string[];
            /** @description End of the window, not included. */
            readonly to: components["schemas"]["Moment"];
            /** @description End users, as hashes unless configured to be plain, the busiest first, at most 500. */
            readonly user: readonly string[];
        };
        /** @description What a set of requests adds up to. A request belongs to the window in which it started. */
        readonly Figures: {
            /** @description The whole request: to the terminal event of a stream, else to the last byte. */
            readonly e2e_ms: components["schemas"]["Distribution"];
            /**
             * Format: double
             * @description `failures` / `requests`, from 0 to 1; null without requests.
             */
            readonly error_rate: number | null;
            /**
             * Format: int64
             * @description Requests that the serving side failed: every outcome but `success`, `client_error` and
             *     `client_cancelled`.
             */
            readonly failures: number;
            /** @description Requests that met the service goals. */
            readonly goodput: components["schemas"]["Goodput"];
            /**
             * @description Inter-token latency: the gaps between arrivals that carry tokens, each gap on its own. `count` is the
             *     number of gaps, so that long streams weigh more than short ones.
             */
            readonly itl_ms: components["schemas"]["Distribution"];
            /** @description Number of requests by outcome; an outcome that did not occur is left out. */
            readonly outcomes: {
                readonly [key: string]: number;
            };
            /** @description Time spent in streamgauge's own code. */
            readonly overhead_ms: components["schemas"]["Distribution"];
            /**
             * Format: double
             * @description `tokens.prompt` per second of `rate_span_ms`; null when either is null.
             */
            readonly prompt_tokens_per_second: number | null;
            /** @description From the complete request body to the choice of a replica. */
            readonly queue_ms: components["schemas"]["Distribution"];
            /**
             * Format: int64
             * @description The time that the rates below are taken over: from the start of the window, or of the first request in
             *     it when that is later, to the end of the window or to now. The rows of a breakdown share one span, so
             *     that their rates add up. Null when it is shorter than a second.
             */
            readonly rate_span_ms: number | null;
            /**
             * Format: int64
             * @description Requests, however they ended.
             */
            readonly requests: number;
            /**
             * Format: double
             * @description `requests` per second of `rate_span_ms`; null when that is null.
             */
            readonly requests_per_second: number | null;
            /**
             * Format: int64
             * @description Requests that asked for a stream.
             */
            readonly streams: number;
            /** @description Token counts. */
            readonly tokens: components["schemas"]["TokenSums"];
            /**
             * Format: double
             * @description `tokens.completion` per second of `rate_span_ms`; null when either is null.
             */
            readonly tokens_per_second: number | null;
            /** @description Time per output token after the first arrival, per request. */
            readonly tpot_ms: components["schemas"]["Distribution"];
            /** @description Time to first token: from the parsed request head to the first token. Streams only. */
            readonly ttft_ms: components["schemas"]["Distribution"];
        };
        /**
         * @description Why a generation ended, in one vocabulary for all servers.
         * @enum {string}
         */
        readonly FinishReason: "stop" | "length" | "abort" | "error" | "repetition" | "content_filter" | "other";
        /** @description Requests that met the service goals. Failures count against them. */
        readonly Goodput: {
            /**
             * Format: int64
             * @description Requests that are judged; 0 when no goal is set.
             */
            readonly eligible: number;
            /**
             * Format: int64
             * @description Eligible requests that met every goal.
             */
            readonly good: number;
        };
        /** @description Who asked, with what. */
        readonly IdentityRecord: {
            /** @description The client's network, or a keyed hash of its address; null unless configured. */
            readonly client_net: string | null;
            /**
             * Format: int32
             * @description Which secret made the hashes; null without hashes.
             */
            readonly hash_key_id: number | null;
            /** @description The API key: a keyed hash, or its configured alias; null without one. */
            readonly key_id: string | null;
            /** @description The client's library, such as `openai-python/3.54`; null when unknown. */
            readonly sdk: string | null;
            /**
             * Format: int32
             * @description The library's own count of retries; null when it does not say.
             */
            readonly sdk_retry: number | null;
            /** @description The session: a keyed hash; null without one. */
            readonly session_id: string | null;
            /** @description The configured tags that have a value for this request, by name. */
            readonly tags: {
                readonly [key: string]: string;
            };
            /** @description The end user: a keyed hash unless configured to be plain; null without one. */
            readonly user_id: string | null;
        };
        /**
         * @description The way of a proxy's records to the ledger. `finished` is `written` + `queued` + `dropped`, since the
         *     proxy started.
         */
        readonly LedgerRow: {
            /**
             * Format: double
             * @description Share of the memory for waiting records that was taken, from 0 to 1; beyond it rows are dropped.
             */
            readonly backlog: number;
            /** @description Whether its last attempt at a backup failed. */
            readonly backup_failed: boolean;
            /** @description Whether records were at risk. */
            readonly degraded: boolean;
            /**
             * Format: int64
             * @description Records that were given up.
             */
            readonly dropped: number;
            /**
             * Format: int64
             * @description Transactions that failed and were tried again.
             */
            readonly errors: number;
            /**
             * Format: int64
             * @description Bytes of the ledger's file; null where it is no file.
             */
            readonly file_bytes: number | null;
            /**
             * Format: int64
             * @description Requests that ended.
             */
            readonly finished: number;
            /**
             * Format: int64
             * @description Age of the oldest record that waited; null when none did.
             */
            readonly lag_ms: number | null;
            readonly last_backup_at: components["schemas"]["Moment"] | null;
            readonly last_write_at: components["schemas"]["Moment"] | null;
            /**
             * Format: int64
             * @description Records that waited.
             */
            readonly queued: number;
            /**
             * Format: int64
             * @description Bytes of its write-ahead log; null where there is none.
             */
            readonly wal_bytes: number | null;
            /**
             * Format: int64
             * @description Records that are in the ledger.
             */
            readonly written: number;
        };
        /** @description What happens now, over all live proxies. Sent once a second as a server-sent event named `live`. */
        readonly Live: {
            /** @description When this was put together. */
            readonly at: components["schemas"]["Moment"];
            /**
             * Format: int64
             * @description Requests that have begun and not ended; null when no proxy is live.
             */
            readonly in_flight: number | null;
            /**
             * Format: int64
             * @description Proxies whose pulse is fresh.
             */
            readonly proxies_live: number;
            /**
             * Format: int64
             * @description Proxies whose pulse is stale.
             */
            readonly proxies_stale: number;
            /** @description What flows. */
            readonly rates: components["schemas"]["RateSet"];
            /** @description Every replica that a live proxy knows. */
            readonly replicas: readonly components["schemas"]["LiveReplica"][];
            /**
             * Format: int64
             * @description Requests that wait for a replica; null when no proxy is live.
             */
            readonly waiting: number | null;
        };
        /** @description One replica now. */
        readonly LiveReplica: {
            /**
             * Format: int64
             * @description Requests with it now, over all live proxies.
             */
            readonly in_flight: number;
            /** @description Its pool. */
            readonly pool: string;
            /** @description Its name. */
            readonly replica: string;
            /**
             * @description The worst state that a live proxy reports, in the order `down`, `ejected`, `half_open`, `draining`,
             *     `unknown`, `up`.
             */
            readonly state: components["schemas"]["ReplicaState"];
        };
        /**
         * @description What a time series shows.
         * @enum {string}
         */
        readonly Metric: "requests" | "requests_per_second" | "error_rate" | "goodput" | "ttft_p50" | "ttft_p90" | "ttft_p95" | "ttft_p99" | "ttft_mean" | "itl_mean" | "itl_p50" | "itl_p95" | "itl_p99" | "tpot_mean" | "tpot_p50" | "tpot_p90" | "tpot_p95" | "tpot_p99" | "e2e_mean" | "e2e_p50" | "e2e_p90" | "e2e_p95" | "e2e_p99" | "queue_p95" | "overhead_p99" | "prompt_tokens" | "completion_tokens" | "cached_tokens";
        /**
         * Format: date-time
         * @description A moment: RFC 3339 in UTC with milliseconds.
         * @example 2026-11-23T09:00:00.000Z
         */
        readonly Moment: string;
        /**
         * @description How a request ended. Failures are all but `success`, `client_error` and `client_cancelled`.
         * @enum {string}
         */
        readonly Outcome: "success" | "client_error" | "upstream_error" | "stream_error" | "upstream_truncated" | "client_cancelled" | "timeout_connect" | "timeout_first_byte" | "timeout_idle" | "timeout_total" | "rejected" | "no_replica" | "abandoned";
        /** @description A step's start as milliseconds since 1970-01-01T00:00:00Z, and its value. Null is a gap: nothing is known. */
        readonly Point: readonly [
            number,
            number | null
        ];
        /**
         * @description How a replica is chosen.
         * @enum {string}
         */
        readonly Policy: "prefix" | "least-work" | "round-robin" | "random-two" | "session";
        /** @description One proxy process, as its last pulse describes it. */
        readonly ProxyRow: {
            /**
             * Format: int64
             * @description Age of that pulse.
             */
            readonly age_ms: number;
            /** @description When it last wrote a pulse. */
            readonly at: components["schemas"]["Moment"];
            /**
             * Format: int64
             * @description Requests that had begun and not ended at `at`.
             */
            readonly in_flight: number;
            /** @description Its name. */
            readonly instance: string;
            readonly ledger: components["schemas"]["LedgerRow"] | null;
            /** @description Whether the pulse is too old to speak for the present. */
            readonly stale: boolean;
            /** @description When it started. */
            readonly started_at: components["schemas"]["Moment"];
            /** @description Its version. */
            readonly version: string;
            /**
             * Format: int64
             * @description Requests that waited for a replica at `at`.
             */
            readonly waiting: number;
        };
        /** @description Rates over the last ten seconds, from the proxies' counters. Null until two pulses are known. */
        readonly RateSet: {
            /**
             * Format: double
             * @description Failed requests that ended, per second.
             */
            readonly failures_per_second: number | null;
            /**
             * Format: double
             * @description Exact prompt tokens per second. A request's tokens are counted when it ends.
             */
            readonly prompt_tokens_per_second: number | null;
            /**
             * Format: double
             * @description Requests that ended, per second.
             */
            readonly requests_per_second: number | null;
            /**
             * Format: double
             * @description Token events of streams per second, counted as they pass. One event may carry several tokens.
             */
            readonly token_events_per_second: number | null;
            /**
             * Format: double
             * @description Exact completion tokens per second. A request's tokens are counted when it ends.
             */
            readonly tokens_per_second: number | null;
        };
        /** @description One replica, as all proxies together see it. */
        readonly ReplicaRow: {
            /** @description Its requests in the window. A request belongs to the replica of its last attempt. */
            readonly figures: components["schemas"]["Figures"];
            /**
             * Format: int64
             * @description Requests with it now, over all live proxies; null when no live proxy knows the replica.
             */
            readonly in_flight: number | null;
            /** @description Models it serves, as far as live proxies know. */
            readonly models: readonly string[];
            /** @description Its pool; null when only old records name the replica. */
            readonly pool: string | null;
            /** @description Its name in records and labels: `host:port`. */
            readonly replica: string;
            readonly state: components["schemas"]["ReplicaState"] | null;
            /** @description What each proxy says about it. */
            readonly views: readonly components["schemas"]["ReplicaView"][];
        };
        /**
         * @description Whether a replica takes requests. `unknown`: not probed yet, and takes requests.
         * @enum {string}
         */
        readonly ReplicaState: "unknown" | "up" | "ejected" | "half_open" | "down" | "draining";
        /** @description One replica, as one proxy sees it. */
        readonly ReplicaView: {
            readonly changed_at: components["schemas"]["Moment"] | null;
            /**
             * Format: int64
             * @description Attempts on it that failed since the proxy started.
             */
            readonly errors_total: number;
            /**
             * Format: int64
             * @description Requests of that proxy that were with it.
             */
            readonly in_flight: number;
            /** @description The proxy. */
            readonly instance: string;
            /**
             * Format: int64
             * @description Requests that the proxy has sent to it since the proxy started.
             */
            readonly requests_total: number;
            /** @description Whether that proxy's pulse is too old to speak for the present. */
            readonly stale: boolean;
            /** @description Whether the replica takes requests. */
            readonly state: components["schemas"]["ReplicaState"];
        };
        /** @description Every replica and proxy that is known, live or not. */
        readonly Replicas: {
            /** @description Start of the window that `figures` cover, included. */
            readonly from: components["schemas"]["Moment"];
            /** @description One row per proxy that has written a pulse. */
            readonly proxies: readonly components["schemas"]["ProxyRow"][];
            /** @description One row per replica: those of the pulses, and those that had requests in the window. */
            readonly replicas: readonly components["schemas"]["ReplicaRow"][];
            /**
             * Format: int64
             * @description A pulse older than this is stale: its proxy is gone or cannot write.
             */
            readonly stale_after_ms: number;
            /** @description End of the window that `figures` cover, not included. */
            readonly to: components["schemas"]["Moment"];
        };
        /** @description Everything that is known about one request. Null is unknown, or has no meaning for this request. */
        readonly RequestRecord: components["schemas"]["RoutingRecord"] & components["schemas"]["IdentityRecord"] & {
            /**
             * Format: int64
             * @description Reads from the replica that carried tokens; null when the answer was not a stream.
             */
            readonly arrivals: number | null;
            /**
             * Format: double
             * @description Seconds of audio, for transcriptions that bill by time.
             */
            readonly audio_seconds: number | null;
            /**
             * Format: int32
             * @description Number of audio parts in the prompt; null when the body could not be read.
             */
            readonly audios: number | null;
            /**
             * Format: int64
             * @description Prompt tokens that were written to a cache.
             */
            readonly cache_write_tokens: number | null;
            /**
             * Format: int64
             * @description Prompt tokens that were read from a cache.
             */
            readonly cached_tokens: number | null;
            /**
             * Format: double
             * @description When the client closed, after t0; null when it stayed.
             */
            readonly client_gone_at_ms: number | null;
            /**
             * Format: double
             * @description Time blocked on a client that read slowly; null when the answer was not a stream.
             */
            readonly client_stall_ms: number | null;
            /**
             * Format: int64
             * @description Completion tokens over all choices, reasoning included.
             */
            readonly completion_tokens: number | null;
            /**
             * Format: int64
             * @description Estimated completion tokens; null when the exact count is known.
             */
            readonly completion_tokens_est: number | null;
            /**
             * Format: double
             * @description From that choice to a connection; 0 when one was reused, null without an attempt.
             */
            readonly connect_ms: number | null;
            /** @description The wire format of the answer. */
            readonly dialect: components["schemas"]["Dialect"];
            /**
             * Format: double
             * @description From t0 to the terminal event of a stream, else to the last byte of the body.
             */
            readonly e2e_ms: number;
            /** @description What was asked for. */
            readonly endpoint: components["schemas"]["Endpoint"];
            /**
             * Format: double
             * @description Time in the engine's queue, as the engine says; null when it says nothing.
             */
            readonly engine_queue_ms: number | null;
            /**
             * Format: double
             * @description The engine's own output tokens per second; null when it says nothing.
             */
            readonly engine_tps: number | null;
            /**
             * Format: double
             * @description The engine's own time to first token, without its queue; null when it says nothing.
             */
            readonly engine_ttft_ms: number | null;
            /** @description The class of the error, never its message; null without one. */
            readonly error_type: string | null;
            readonly finish_reason: components["schemas"]["FinishReason"] | null;
            /**
             * @description What the parser noticed: `no_done`, `parse_error`, `line_too_long`, `usage_injected`, `slow_client`,
             *     `compressed`, `body_unread`.
             */
            readonly flags: readonly string[];
            /**
             * Format: double
             * @description From the first to the last token event.
             */
            readonly generation_ms: number | null;
            /** @description Whether the service goals were met; null when none is set or the request is not judged. */
            readonly good: boolean | null;
            /** @description The request id: the client's `x-request-id`, else one that was made. */
            readonly id: string;
            /**
             * Format: int32
             * @description Number of images in the prompt; null when the body could not be read.
             */
            readonly images: number | null;
            /**
             * Format: int64
             * @description Number of such gaps; null when the answer was not a stream.
             */
            readonly itl_count: number | null;
            /**
             * Format: double
             * @description Largest such gap; null with fewer than two arrivals.
             */
            readonly itl_max_ms: number | null;
            /**
             * Format: double
             * @description Mean gap between arrivals that carry tokens; null with fewer than two arrivals.
             */
            readonly itl_mean_ms: number | null;
            /**
             * Format: int64
             * @description Limit on completion tokens; null when the request did not say.
             */
            readonly max_tokens: number | null;
            /** @description The model that the answer named; null when it named none. */
            readonly model: string | null;
            /** @description The model that the request named; null when the body could not be read. */
            readonly model_requested: string | null;
            /**
             * Format: int32
             * @description Choices asked for (`n`); null when the request did not say.
             */
            readonly n_choices: number | null;
            /** @description How it ended. */
            readonly outcome: components["schemas"]["Outcome"];
            /**
             * Format: double
             * @description Time spent in streamgauge's own code.
             */
            readonly overhead_ms: number;
            /** @description The pool that took the request; null when it was refused before. */
            readonly pool: string | null;
            /**
             * Format: int64
             * @description vLLM's scheduling priority, lower first; null when the request did not say.
             */
            readonly priority: number | null;
            /**
             * Format: int64
             * @description Prompt tokens, cached ones included.
             */
            readonly prompt_tokens: number | null;
            /**
             * Format: double
             * @description From the complete body to the choice of a replica.
             */
            readonly queue_ms: number | null;
            /**
             * Format: int64
             * @description Completion tokens that were reasoning.
             */
            readonly reasoning_tokens: number | null;
            /** @description The replica of the last attempt; null when none was chosen. */
            readonly replica: string | null;
            /**
             * Format: int64
             * @description Bytes of the request body.
             */
            readonly req_bytes: number;
            /**
             * Format: int64
             * @description Bytes of the answer's body as they went to the client.
             */
            readonly resp_bytes: number;
            readonly response_format: components["schemas"]["ResponseFormat"] | null;
            readonly service_tier: components["schemas"]["ServiceTier"] | null;
            /**
             * Format: double
             * @description Share of speculated tokens that were accepted, 0 to 1; null when it says nothing.
             */
            readonly spec_accept_rate: number | null;
            /**
             * Format: int32
             * @description Gaps longer than a second; null with fewer than two arrivals.
             */
            readonly stalls: number | null;
            /** @description When the request head was parsed: t0, from which the times below count. */
            readonly started_at: components["schemas"]["Moment"];
            /**
             * Format: int32
             * @description HTTP status sent to the client; null when the client left before the head.
             */
            readonly status: number | null;
            /** @description Whether a stream was asked for; null when the body could not be read. */
            readonly stream: boolean | null;
            /** @description Whether the stream's terminal marker was seen; null when the answer was not a stream. */
            readonly terminal: boolean | null;
            /**
             * Format: int64
             * @description Events of the stream that carried tokens; null when the answer was not a stream.
             */
            readonly token_events: number | null;
            /**
             * Format: int32
             * @description Number of tools that the model may call; null when the request did not say.
             */
            readonly tools: number | null;
            /**
             * Format: double
             * @description Time per output token after the first arrival.
             */
            readonly tpot_ms: number | null;
            /** @description W3C trace id, 32 hexadecimal digits; null without a valid `traceparent`. */
            readonly trace_id: string | null;
            /**
             * Format: double
             * @description From t0 to the first byte of the answer's body.
             */
            readonly ttfb_ms: number | null;
            /**
             * Format: double
             * @description From t0 to the first token event that is not reasoning.
             */
            readonly ttfo_ms: number | null;
            /**
             * Format: double
             * @description Time to first token: from t0 to the first token event. Streams only.
             */
            readonly ttft_ms: number | null;
            /**
             * Format: double
             * @description From the first to the second arrival that carries tokens.
             */
            readonly ttst_ms: number | null;
            /**
             * Format: double
             * @description From t0 to the last byte of the request body.
             */
            readonly upload_ms: number | null;
            /**
             * Format: double
             * @description From the last request byte sent to the replica to the first token event.
             */
            readonly upstream_ttft_ms: number | null;
            /** @description Where the token counts come from. */
            readonly usage_source: components["schemas"]["UsageSource"];
        };
        /** @description One page of requests. */
        readonly RequestsPage: {
            /** @description `cursor` of the next page; null on the last one. */
            readonly next: string | null;
            /** @description Newest first. */
            readonly requests: readonly components["schemas"]["RequestRecord"][];
        };
        /**
         * @description The form of answer that a request asked for.
         * @enum {string}
         */
        readonly ResponseFormat: "text" | "json_object" | "json_schema" | "other";
        /** @description How the replica was found. */
        readonly RoutingRecord: {
            /** @description Every attempt in order, when one of them failed; empty when the first one answered or there was none. */
            readonly attempt_log: readonly components["schemas"]["AttemptRecord"][];
            /**
             * Format: int32
             * @description How often a replica was tried.
             */
            readonly attempts: number;
            /**
             * Format: int32
             * @description Leading blocks that the chosen replica was believed to hold; null as before.
             */
            readonly matched_blocks: number | null;
            readonly policy: components["schemas"]["Policy"] | null;
            /**
             * Format: int64
             * @description Prompt tokens that were predicted to come from the replica's cache; `cached_tokens` is the truth.
             */
            readonly predicted_cached_tokens: number | null;
            /**
             * Format: int32
             * @description Blocks of the prompt that were looked up for its prefix; null when the policy looks nothing up.
             */
            readonly prefix_blocks: number | null;
        };
        /** @description One line of a chart. */
        readonly Series: {
            /**
             * @description The dimension and its value, such as `{"replica": "10.0.0.1:8000"}`; empty without `by`. The value is
             *     null for the requests where it is unknown.
             */
            readonly labels: {
                readonly [key: string]: string | null;
            };
            /** @description One point per step, oldest first. */
            readonly points: readonly components["schemas"]["Point"][];
        };
        /**
         * @description The class of service that a request asked for.
         * @enum {string}
         */
        readonly ServiceTier: "auto" | "default" | "flex" | "priority" | "scale" | "other";
        /** @description The figures of a window. */
        readonly Summary: components["schemas"]["Figures"] & {
            /**
             * @description Start of the window that is covered, included: as asked for, or earlier where only coarser figures are
             *     kept.
             */
            readonly from: components["schemas"]["Moment"];
            /** @description End of the window, not included. */
            readonly to: components["schemas"]["Moment"];
        };
        /** @description One metric over time, as one series or one per value of a dimension. */
        readonly Timeseries: {
            /** @description Start of the window, included. */
            readonly from: components["schemas"]["Moment"];
            /** @description What the values are. */
            readonly metric: components["schemas"]["Metric"];
            /** @description One series without `by`, else one for each value. */
            readonly series: readonly components["schemas"]["Series"][];
            /**
             * Format: int64
             * @description Time between two points.
             */
            readonly step_ms: number;
            /** @description End of the window, not included. */
            readonly to: components["schemas"]["Moment"];
            /** @description Their unit. */
            readonly unit: components["schemas"]["Unit"];
        };
        /** @description Exact token counts, from the requests that reported them. An estimate is never part of them. */
        readonly TokenSums: {
            /**
             * Format: int64
             * @description Prompt tokens that were read from a cache; null when no request reported them.
             */
            readonly cached: number | null;
            /**
             * Format: int64
             * @description Completion tokens, reasoning included; null when no request reported them.
             */
            readonly completion: number | null;
            /**
             * Format: int64
             * @description Prompt tokens, cached ones included; null when no request reported them.
             */
            readonly prompt: number | null;
            /**
             * Format: int64
             * @description Completion tokens that were reasoning; null when no request reported them.
             */
            readonly reasoning: number | null;
            /**
             * Format: int64
             * @description Requests with exact token counts: how far these sums can be trusted.
             */
            readonly reported_requests: number;
        };
        /**
         * @description The unit of a series' values: a number of requests, a share from 0 to 1, milliseconds, or something (requests, tokens) per second.
         * @enum {string}
         */
        readonly Unit: "count" | "ratio" | "ms" | "per_second";
        /**
         * @description Where token counts come from, best first. `final`, `continuous` and `timings` are exact.
         * @enum {string}
         */
        readonly UsageSource: "final" | "continuous" | "timings" | "estimated" | "none";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    readonly about: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["About"];
                };
            };
            readonly default: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    readonly breakdown: {
        readonly parameters: {
            readonly query: {
                /** @description The dimension or tag to split by. */
                readonly by: components["schemas"]["By"];
                /** @description Most rows to answer. */
                readonly limit?: number;
                /**
                 * @description Start of the window, included: RFC 3339, `now`, or `now-15m` (units `s`, `m`, `h`, `d`).
                 * @example now-15m
                 */
                readonly from?: string;
                /**
                 * @description End of the window, not included; in the same forms.
                 * @example 2026-11-23T09:00:00Z
                 */
                readonly to?: string;
                /** @description Model: what the answer named, else what the request named. Repeatable. */
                readonly model?: readonly string[];
                /** @description Pool. Repeatable. */
                readonly pool?: readonly string[];
                /** @description Replica of the last attempt. Repeatable. */
                readonly replica?: readonly string[];
                /** @description Endpoint. Repeatable. */
                readonly endpoint?: readonly components["schemas"]["Endpoint"][];
                /** @description Outcome. Repeatable. */
                readonly outcome?: readonly components["schemas"]["Outcome"][];
                /** @description Whether a stream was asked for. */
                readonly stream?: boolean;
                /** @description API key, by its hash or alias. Repeatable. */
                readonly key?: readonly string[];
                /** @description End user, by the stored hash or name. Repeatable. */
                readonly user?: readonly string[];
                /** @description Configured tag: `tag.team=search` for a tag `team`. Repeatable, also with other names. */
                readonly "tag.<name>"?: readonly string[];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Breakdown"];
                };
            };
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            readonly default: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    readonly facets: {
        readonly parameters: {
            readonly query?: {
                /**
                 * @description Start of the window, included: RFC 3339, `now`, or `now-15m` (units `s`, `m`, `h`, `d`).
                 * @example now-15m
                 */
                readonly from?: string;
                /**
                 * @description End of the window, not included; in the same forms.
                 * @example 2026-11-23T09:00:00Z
                 */
                readonly to?: string;
                /** @description Model: what the answer named, else what the request named. Repeatable. */
                readonly model?: readonly string[];
                /** @description Pool. Repeatable. */
                readonly pool?: readonly string[];
                /** @description Replica of the last attempt. Repeatable. */
                readonly replica?: readonly string[];
                /** @description Endpoint. Repeatable. */
                readonly endpoint?: readonly components["schemas"]["Endpoint"][];
                /** @description Outcome. Repeatable. */
                readonly outcome?: readonly components["schemas"]["Outcome"][];
                /** @description Whether a stream was asked for. */
                readonly stream?: boolean;
                /** @description API key, by its hash or alias. Repeatable. */
                readonly key?: readonly string[];
                /** @description End user, by the stored hash or name. Repeatable. */
                readonly user?: readonly string[];
                /** @description Configured tag: `tag.team=search` for a tag `team`. Repeatable, also with other names. */
                readonly "tag.<name>"?: readonly string[];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Facets"];
                };
            };
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            readonly default: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    readonly live: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/event-stream": components["schemas"]["Live"];
                };
            };
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            readonly default: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    readonly replicas: {
        readonly parameters: {
            readonly query?: {
                /**
                 * @description Start of the window, included: RFC 3339, `now`, or `now-15m` (units `s`, `m`, `h`, `d`).
                 * @example now-15m
                 */
                readonly from?: string;
                /**
                 * @description End of the window, not included; in the same forms.
                 * @example 2026-11-23T09:00:00Z
                 */
                readonly to?: string;
                /** @description Model: what the answer named, else what the request named. Repeatable. */
                readonly model?: readonly string[];
                /** @description Pool. Repeatable. */
                readonly pool?: readonly string[];
                /** @description Replica of the last attempt. Repeatable. */
                readonly replica?: readonly string[];
                /** @description Endpoint. Repeatable. */
                readonly endpoint?: readonly components["schemas"]["Endpoint"][];
                /** @description Outcome. Repeatable. */
                readonly outcome?: readonly components["schemas"]["Outcome"][];
                /** @description Whether a stream was asked for. */
                readonly stream?: boolean;
                /** @description API key, by its hash or alias. Repeatable. */
                readonly key?: readonly string[];
                /** @description End user, by the stored hash or name. Repeatable. */
                readonly user?: readonly string[];
                /** @description Configured tag: `tag.team=search` for a tag `team`. Repeatable, also with other names. */
                readonly "tag.<name>"?: readonly string[];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Replicas"];
                };
            };
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            readonly default: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    readonly requests: {
        readonly parameters: {
            readonly query?: {
                /** @description Most requests to answer. */
                readonly limit?: number;
                /** @description `next` of the page before. Keep the other parameters as they were. */
                readonly cursor?: string;
                /**
                 * @description Start of the window, included: RFC 3339, `now`, or `now-15m` (units `s`, `m`, `h`, `d`).
                 * @example now-15m
                 */
                readonly from?: string;
                /**
                 * @description End of the window, not included; in the same forms.
                 * @example 2026-11-23T09:00:00Z
                 */
                readonly to?: string;
                /** @description Model: what the answer named, else what the request named. Repeatable. */
                readonly model?: readonly string[];
                /** @description Pool. Repeatable. */
                readonly pool?: readonly string[];
                /** @description Replica of the last attempt. Repeatable. */
                readonly replica?: readonly string[];
                /** @description Endpoint. Repeatable. */
                readonly endpoint?: readonly components["schemas"]["Endpoint"][];
                /** @description Outcome. Repeatable. */
                readonly outcome?: readonly components["schemas"]["Outcome"][];
                /** @description Whether a stream was asked for. */
                readonly stream?: boolean;
                /** @description API key, by its hash or alias. Repeatable. */
                readonly key?: readonly string[];
                /** @description End user, by the stored hash or name. Repeatable. */
                readonly user?: readonly string[];
                /** @description Configured tag: `tag.team=search` for a tag `team`. Repeatable, also with other names. */
                readonly "tag.<name>"?: readonly string[];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["RequestsPage"];
                };
            };
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            readonly default: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    readonly request: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path: {
                /** @description The request id, as `x-request-id` returned it. */
                readonly id: string;
            };
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["RequestRecord"];
                };
            };
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            readonly 404: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            readonly default: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    readonly summary: {
        readonly parameters: {
            readonly query?: {
                /**
                 * @description Start of the window, included: RFC 3339, `now`, or `now-15m` (units `s`, `m`, `h`, `d`).
                 * @example now-15m
                 */
                readonly from?: string;
                /**
                 * @description End of the window, not included; in the same forms.
                 * @example 2026-11-23T09:00:00Z
                 */
                readonly to?: string;
                /** @description Model: what the answer named, else what the request named. Repeatable. */
                readonly model?: readonly string[];
                /** @description Pool. Repeatable. */
                readonly pool?: readonly string[];
                /** @description Replica of the last attempt. Repeatable. */
                readonly replica?: readonly string[];
                /** @description Endpoint. Repeatable. */
                readonly endpoint?: readonly components["schemas"]["Endpoint"][];
                /** @description Outcome. Repeatable. */
                readonly outcome?: readonly components["schemas"]["Outcome"][];
                /** @description Whether a stream was asked for. */
                readonly stream?: boolean;
                /** @description API key, by its hash or alias. Repeatable. */
                readonly key?: readonly string[];
                /** @description End user, by the stored hash or name. Repeatable. */
                readonly user?: readonly string[];
                /** @description Configured tag: `tag.team=search` for a tag `team`. Repeatable, also with other names. */
                readonly "tag.<name>"?: readonly string[];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Summary"];
                };
            };
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            readonly default: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    readonly timeseries: {
        readonly parameters: {
            readonly query: {
                /** @description The figure to show. */
                readonly metric: components["schemas"]["Metric"];
                /**
                 * @description Time between two points, such as `10s`, `1m` or `1h`; at least one second, and at most 1,500 points
                 *     for the window. Left out, a round step is chosen that gives 60 to 120 points.
                 * @example 1m
                 */
                readonly step?: string;
                /** @description One series for each value of this dimension or tag. */
                readonly by?: components["schemas"]["By"];
                /**
                 * @description Start of the window, included: RFC 3339, `now`, or `now-15m` (units `s`, `m`, `h`, `d`).
                 * @example now-15m
                 */
                readonly from?: string;
                /**
                 * @description End of the window, not included; in the same forms.
                 * @example 2026-11-23T09:00:00Z
                 */
                readonly to?: string;
                /** @description Model: what the answer named, else what the request named. Repeatable. */
                readonly model?: readonly string[];
                /** @description Pool. Repeatable. */
                readonly pool?: readonly string[];
                /** @description Replica of the last attempt. Repeatable. */
                readonly replica?: readonly string[];
                /** @description Endpoint. Repeatable. */
                readonly endpoint?: readonly components["schemas"]["Endpoint"][];
                /** @description Outcome. Repeatable. */
                readonly outcome?: readonly components["schemas"]["Outcome"][];
                /** @description Whether a stream was asked for. */
                readonly stream?: boolean;
                /** @description API key, by its hash or alias. Repeatable. */
                readonly key?: readonly string[];
                /** @description End user, by the stored hash or name. Repeatable. */
                readonly user?: readonly string[];
                /** @description Configured tag: `tag.team=search` for a tag `team`. Repeatable, also with other names. */
                readonly "tag.<name>"?: readonly string[];
            };
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["Timeseries"];
                };
            };
            readonly 400: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
            readonly default: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "application/json": components["schemas"]["ErrorEnvelope"];
                };
            };
        };
    };
    readonly healthz: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/plain": string;
                };
            };
        };
    };
    readonly metrics: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/plain": string;
                };
            };
        };
    };
    readonly readyz: {
        readonly parameters: {
            readonly query?: never;
            readonly header?: never;
            readonly path?: never;
            readonly cookie?: never;
        };
        readonly requestBody?: never;
        readonly responses: {
            readonly 200: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/plain": string;
                };
            };
            readonly 503: {
                headers: {
                    readonly [name: string]: unknown;
                };
                content: {
                    readonly "text/plain": string;
                };
            };
        };
    };
}
type FlattenedDeepRequired<T> = {
    [K in keyof T]-?: FlattenedDeepRequired<T[K] extends unknown[] | undefined | null ? Extract<T[K], unknown[]>[number] : T[K]>;
};
type ReadonlyArray<T> = [
    Exclude<T, undefined>
] extends [
    unknown[]
] ? Readonly<Exclude<T, undefined>> : Readonly<Exclude<T, undefined>[]>;
export const attemptEndValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["AttemptEnd"]> = ["answered", "connect", "tls", "reset", "malformed", "status", "truncated", "timeout_connect", "timeout_first_byte", "timeout_idle", "timeout_total", "client_gone", "abandoned"];
export const dialectValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["Dialect"]> = ["openai_chat", "openai_text", "openai_responses", "anthropic", "ollama", "audio", "json", "other"];
export const dimensionValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["Dimension"]> = ["model", "pool", "replica", "endpoint", "outcome", "stream", "key", "user", "finish_reason", "error_type"];
export const endpointValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["Endpoint"]> = ["chat", "completion", "responses", "messages", "embeddings", "rerank", "score", "classify", "transcription", "translation", "ollama_chat", "ollama_generate", "tokenize", "models", "other"];
export const finishReasonValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["FinishReason"]> = ["stop", "length", "abort", "error", "repetition", "content_filter", "other"];
export const metricValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["Metric"]> = ["requests", "requests_per_second", "error_rate", "goodput", "ttft_p50", "ttft_p90", "ttft_p95", "ttft_p99", "ttft_mean", "itl_mean", "itl_p50", "itl_p95", "itl_p99", "tpot_mean", "tpot_p50", "tpot_p90", "tpot_p95", "tpot_p99", "e2e_mean", "e2e_p50", "e2e_p90", "e2e_p95", "e2e_p99", "queue_p95", "overhead_p99", "prompt_tokens", "completion_tokens", "cached_tokens"];
export const outcomeValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["Outcome"]> = ["success", "client_error", "upstream_error", "stream_error", "upstream_truncated", "client_cancelled", "timeout_connect", "timeout_first_byte", "timeout_idle", "timeout_total", "rejected", "no_replica", "abandoned"];
export const policyValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["Policy"]> = ["prefix", "least-work", "round-robin", "random-two", "session"];
export const replicaStateValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["ReplicaState"]> = ["unknown", "up", "ejected", "half_open", "down", "draining"];
export const responseFormatValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["ResponseFormat"]> = ["text", "json_object", "json_schema", "other"];
export const serviceTierValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["ServiceTier"]> = ["auto", "default", "flex", "priority", "scale", "other"];
export const unitValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["Unit"]> = ["count", "ratio", "ms", "per_second"];
export const usageSourceValues: ReadonlyArray<FlattenedDeepRequired<components>["schemas"]["UsageSource"]> = ["final", "continuous", "timings", "estimated", "none"];
