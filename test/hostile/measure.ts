import { readdir, readFile } from "node:fs/promises";
import type { UnaryResult } from "../../src/grpc/client.js";
import { Code } from "../../src/idempotency/answers/code.js";
import { openPayments, paymentOf } from "../support/payments/payments-client.js";
import type { ServiceProcess } from "../support/service/service-process.js";
import { OTHER_CALLER_TOKEN } from "./settings.js";

/** How the service is, at one moment. */
export interface Measured {
  /** The longest since the last look. Milliseconds. */
  readonly loopDelayMs: number;
  readonly residentMb: number;
  readonly openFiles: number;
  /** How long a correct payment of another tenant took. Milliseconds. */
  readonly correctCallMs: number;
  /** What became of it: OK, or what it was told instead. */
  readonly correctCall: string;
}

export interface Meter {
  measure(): Promise<Measured>;
  openFiles(): Promise<number>;
  close(): void;
}

export function openMeter({ pid, grpcAddress, httpAddress }: ServiceProcess, seed: number): Meter {
  const client = openPayments(grpcAddress, { token: OTHER_CALLER_TOKEN });
  let payments = 0;

  async function openFiles(): Promise<number> {
    return (await readdir(`/proc/${pid}/fd`)).length;
  }

  async function residentMb(): Promise<number> {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  }

  /** The histogram of the process itself, which begins anew at each look. */
  async function loopDelayMs(): Promise<number> {
    const metrics = await (await fetch(`http://${httpAddress}/metrics`)).text();
    const seconds = /^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(metrics)?.[1];
    if (seconds === undefined) {
      throw new Error("/metrics does not tell the event loop's delay");
    }
    return Number(seconds) * 1_000;
  }

  return {
    openFiles,
    async measure() {
      const startedAtMs = performance.now();
      payments += 1;
      const result = await client.createPayment(
        paymentOf("tok_visa"),
        `correct-${seed}-${payments}`,
      );
      return {
        correctCallMs: performance.now() - startedAtMs,
        correctCall: nameOf(result),
        loopDelayMs: await loopDelayMs(),
        residentMb: await residentMb(),
        openFiles: await openFiles(),
      };
    },
    close: () => client.close(),
  };
}

function nameOf({ code, message }: Pick<UnaryResult<never>, "code" | "message">): string {
  return code === Code.OK ? "OK" : `${code} ${message}`;
}
