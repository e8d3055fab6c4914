/** The facts of a request's drawer: what is there is shown, what is unknown says so or is left out. */
import { describe, expect, it } from "vitest";

import { requestsOf, type MockRequest } from "../mocks/scenario";
import { identityFacts, requestFacts, routingFacts, timeFacts } from "./requestFacts";

function record(changes: Partial<MockRequest>): MockRequest {
  const [first] = requestsOf("calm", 1_800_000_000_000, 1_800_000_600_000);
  if (first === undefined) {
    throw new Error("the calm world has requests");
  }
  return { ...first, stream: true, attempt_log: [], tags: {}, flags: [], ...changes };
}

type Facts = ReturnType<typeof timeFacts>;

function value(facts: Facts, name: string) {
  return facts.find((fact) => fact.name === name)?.value;
}

describe("who asked", () => {
  it("is hashes, names and tags, never more than the record has", () => {
    const facts = identityFacts(
      record({
        key_id: "team-a",
        user_id: "5bdcc146bf60754e",
        client_net: "203.0.113.0/24",
        tags: { team: "search", env: "prod" },
      }),
    );
    expect(value(facts, "Key")).toBe("team-a");
    expect(value(facts, "User")).toBe("5bdcc146bf60754e");
    expect(value(facts, "Network")).toBe("203.0.113.0/24");
    expect(value(facts, "Tag team")).toBe("search");
    expect(value(facts, "Tag env")).toBe("prod");
  });

  it("leaves out what nobody said", () => {
    const nobody = record({ user_id: null, session_id: null, client_net: null, sdk_retry: 0 });
    const names = identityFacts(nobody).map((fact) => fact.name);
    expect(names).toEqual(["Key", "Library"]);
  });
});

describe("the times", () => {
  it("say what a slow client did to them", () => {
    const slow = record({ client_stall_ms: 1_500, flags: ["slow_client"], tpot_ms: null });
    const facts = timeFacts(slow);
    expect(value(facts, "Client held us up")).toBe("1.50 s");
    expect(value(facts, "Slow client")).toBe("yes");
  });

  it("judge the goals only where there are any", () => {
    expect(value(timeFacts(record({ good: true })), "Service goals")).toBe("met");
    expect(value(timeFacts(record({ good: false })), "Service goals")).toBe("missed");
    expect(value(timeFacts(record({ good: null })), "Service goals")).toBeUndefined();
  });
});

describe("why this replica", () => {
  it("names the policy, the prefix, prediction and truth, and each attempt", () => {
    const facts = routingFacts(
      record({
        policy: "prefix",
        prefix_blocks: 12,
        matched_blocks: 9,
        predicted_cached_tokens: 2_300,
        cached_tokens: 2_304,
        attempt_log: [
          { replica: "gpu-01:8000", end: "connect", span_ms: 2 },
          { replica: "gpu-02:8000", end: "answered", span_ms: 900 },
        ],
      }),
    );
    expect(value(facts, "Policy")).toBe("prefix");
    expect(value(facts, "Prefix found")).toBe("9 of 12 blocks");
    expect(value(facts, "Cached, predicted and real")).toBe("2,300, 2,304");
    expect(value(facts, "Attempt 1")).toBe("gpu-01:8000: connect, 2.00 ms");
    expect(value(facts, "Attempt 2")).toContain("answered");
  });

  it("is nothing for a request that no policy placed", () => {
    const refused = record({
      policy: null,
      prefix_blocks: null,
      matched_blocks: null,
      predicted_cached_tokens: null,
    });
    expect(routingFacts(refused)).toEqual([]);
  });
});

describe("the request", () => {
  it("shows its shape where it has one", () => {
    const facts = requestFacts(
      record({ tools: 3, response_format: "json_schema", images: 2, audios: 0 }),
    );
    expect(value(facts, "Tools")).toBe(3);
    expect(value(facts, "Answer's form")).toBe("json_schema");
    expect(value(facts, "Images")).toBe(2);
    expect(value(facts, "Audio parts")).toBeUndefined();
  });
});
