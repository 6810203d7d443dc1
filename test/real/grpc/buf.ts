import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { runCommand } from "../../support/grpcurl.js";

const BUF = fileURLToPath(new URL("../../../node_modules/.bin/buf", import.meta.url));

/** Far more than it needs, also beside other work. */
const BUF_LIMIT_MS = 30_000;

/** What the real buf prints. */
export async function buf(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand({ command: BUF, args, limitMs: BUF_LIMIT_MS });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}
