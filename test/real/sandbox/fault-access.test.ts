import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Metadata, status } from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished } from "vitest";
import { startConfiguredSandbox } from "../../../src/dev-servers/start-sandbox.js";
import { FaultAction } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import {
  authorization,
  authorize,
  connect,
  failure,
  setFaults,
  temporaryDirectory,
  verdict,
} from "./support.js";

const TOKEN = "of-the-sandbox-0123456789";
const DECLINES = { faults: [{ action: FaultAction.DECLINE }] };

async function start(host: string, token?: string) {
  const dataDir = await temporaryDirectory();
  const tokenFile = join(dataDir, "token");
  if (token !== undefined) {
    await writeFile(tokenFile, `${token}\n`);
  }
  const sandbox = await startConfiguredSandbox({
    listen: { host, port: 0 },
    dataDir,
    tokenFile: token === undefined ? undefined : tokenFile,
  });
  onTestFinished(() => sandbox.close());
  return sandbox.address.replace(/^.*:/, "127.0.0.1:");
}

function withToken(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

describe("arming faults", () => {
  it("takes the token, where there is one, on loopback too", async () => {
    const address = await start("127.0.0.1", TOKEN);
    for (const stranger of [connect(address), connect(address, withToken(`${TOKEN}0`))]) {
      expect(await failure(stranger.call(setFaults, DECLINES))).toMatchObject({
        code: status.UNAUTHENTICATED,
        details: expect.stringContaining("SANDBOX_TOKEN_FILE"),
      });
      expect(verdict(await stranger.call(authorize, authorization()))).toBe("approved");
    }
    const owner = connect(address, withToken(TOKEN));
    await owner.call(setFaults, DECLINES);
    const next = authorization({ processorKey: "key-2", paymentId: "payment-2" });
    expect(verdict(await owner.call(authorize, next))).not.toBe("approved");
  });

  it("is for nobody beyond loopback without a token", async () => {
    const anybody = connect(await start("0.0.0.0"), withToken(TOKEN));
    expect(await failure(anybody.call(setFaults, DECLINES))).toMatchObject({
      code: status.PERMISSION_DENIED,
      details: expect.stringContaining("SANDBOX_TOKEN_FILE"),
    });
    expect(verdict(await anybody.call(authorize, authorization()))).toBe("approved");
  });

  it.each(["short", "", "two words of which neither is a token"])(
    "a file that holds %j stops the start, and is not repeated",
    async (text) => {
      const attempt = start("127.0.0.1", text);
      await expect(attempt).rejects.toThrow(/^SANDBOX_TOKEN_FILE: the file accepts one token/);
      await expect(attempt).rejects.not.toThrow("two words");
    },
  );
});
