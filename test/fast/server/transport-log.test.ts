import { expect, it } from "vitest";
import { createLogger } from "../../../src/server/log.js";
import { createTransportLog } from "../../../src/server/transport-log.js";

function watched() {
  const lines: unknown[][] = [];
  const log = createLogger("silent");
  const write = (...words: unknown[]) => void lines.push(words);
  let nowMs = 0;
  const transportLog = createTransportLog({
    log: Object.assign(log, { debug: write, info: write, warn: write }),
    now: () => nowMs,
  });
  return { lines, transportLog, pass: (ms: number) => (nowMs += ms) };
}

it("writes the kind of what the transport says, and none of its words", () => {
  const { lines, transportLog, pass } = watched();
  const warn = transportLog("warn");
  warn("Failed to add metadata entry authorization: Bearer sk_secret\t. Bad");
  pass(1_000);
  warn("Something new about sk_secret", { token: "sk_secret" });
  expect(lines).toHaveLength(2);
  expect(JSON.stringify(lines)).not.toContain("sk_secret");
  expect(JSON.stringify(lines[0])).toContain("a header with characters");
});

it("writes a line a second at most, and counts those left out", () => {
  const { lines, transportLog, pass } = watched();
  const warn = transportLog("warn");
  for (let index = 0; index < 300; index += 1) {
    warn("Connection to 127.0.0.1:1 rejected");
  }
  expect(lines).toHaveLength(1);
  pass(1_000);
  warn("Connection to 127.0.0.1:1 rejected");
  expect(lines[1]?.[0]).toEqual({ from: "grpc", omitted: 299 });
});
