import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { createGoTool } from "../go-tool.js";

const tool = createGoTool("stripe-mock", "github.com/stripe/stripe-mock@v0.203.0");

/** Whether Stripe's own mock is there or can be built here. */
export const stripeMockAvailable = tool.isAvailable;

export interface StripeMock {
  /** http://host:port */
  readonly url: string;
  stop(): Promise<void>;
}

/** Builds it if this is the first time: within GO_BUILD_LIMIT_MS. */
export async function buildStripeMock(): Promise<void> {
  await tool.find();
}

/** Starts Stripe's own mock, which refuses what the published OpenAPI refuses. */
export async function startStripeMock(): Promise<StripeMock> {
  // Without an address of its own HTTPS listens on every interface.
  const args = ["-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0"];
  const child = spawn(await tool.find(), args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  for await (const line of createInterface(child.stdout)) {
    const address = /HTTP at address: (127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (address !== undefined) {
      child.stdout.resume();
      return {
        url: `http://${address}`,
        async stop() {
          child.kill("SIGKILL");
          await exited;
        },
      };
    }
  }
  throw new Error("stripe-mock did not tell its address");
}
