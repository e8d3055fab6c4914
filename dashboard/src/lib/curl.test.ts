/** The first command: for this host and port, and safe to paste whatever a model is called. */
import { describe, expect, it } from "vitest";

import { curlFor } from "./curl";

describe("the first command", () => {
  it("goes to the proxy's address with the model that a replica serves", () => {
    expect(curlFor("http://127.0.0.1:8001", "meta-llama/Llama-3.3-70B-Instruct")).toBe(
      [
        "curl -N http://127.0.0.1:8001/v1/chat/completions \\",
        "  -H 'content-type: application/json' \\",
        `  -d '{"model":"meta-llama/Llama-3.3-70B-Instruct",` +
          `"messages":[{"role":"user","content":"Say hello."}],"stream":true}'`,
      ].join("\n"),
    );
  });

  it("takes an address with a slash at its end", () => {
    expect(curlFor("http://gpu:8001/", "m")).toContain("http://gpu:8001/v1/chat/completions");
  });

  it("says that a model is missing when none is known", () => {
    expect(curlFor("http://gpu:8001", null)).toContain('"model":"MODEL"');
  });

  it("cannot be broken out of by a name with a quote", () => {
    expect(curlFor("http://gpu:8001", "it's")).toContain(String.raw`"model":"it'\''s"`);
    expect(curlFor("http://gpu:8001/$(reboot)", "m")).toContain("'http://gpu:8001/$(reboot)/v1");
  });
});
