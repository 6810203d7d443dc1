import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Guard, guard } from "../../test/support/servers/guard.js";
import { waitUntil } from "../../test/support/service/service-process.js";
import { startCpuMeter } from "../lab/cpu.js";
import { countPayments } from "../lab/databases.js";
import type { Lab } from "../lab/lab.js";
import { type Side, Unavailable } from "./side.js";

/** Debian keeps the programs of each version in a folder of its own. */
const DEBIAN_FOLDER = "/usr/lib/postgresql";

/** Postgres needs most of the machine; more threads than this gain pgbench nothing. */
const THREADS = 2;

/** Longer than any bench: pgbench is ended when it is no longer needed. */
const DAY_SECONDS = 86_400;

/** What Postgres still commits when pgbench stands still counts for it. */
const SETTLING_MS = 50;

/** More than a hundred backends take seconds to start on a busy machine. */
const START_LIMIT_MS = 120_000;

/**
 * What a payment writes, straight from pgbench: a script of `bench/pgbench`.
 * Its clients stay connected, as those of a service do, and stand still while
 * it is another side's turn. What counts is the payments that are there then.
 */
export async function createPgbenchSide(lab: Lab, script: string): Promise<Side> {
  const { postgres, dataDir, shutdown } = lab;
  const program = findPgbench();
  const file = fileURLToPath(new URL(`../pgbench/${script}`, import.meta.url));
  const url = ofAnyVersion(await postgres.databases.create());
  let running: { pid: number; atOnce: number; guarded: Guard } | undefined;
  shutdown.add(() => running?.guarded.close());

  /** Starts pgbench, unless it runs with so many clients. Returns the id of a stopped process. */
  async function withClients(atOnce: number): Promise<number> {
    if (running?.atOnce === atOnce) {
      return running.pid;
    }
    await running?.guarded.close();
    const paymentsBefore = await countPayments(url);
    const settings = [
      "--no-vacuum",
      "--protocol=prepared",
      `--file=${file}`,
      `--client=${atOnce}`,
      `--jobs=${Math.min(THREADS, atOnce)}`,
      `--time=${DAY_SECONDS}`,
    ];
    const { pid } = spawn(program, [...settings, url], { stdio: ["ignore", "ignore", "inherit"] });
    if (pid === undefined) {
      throw new Error("pgbench did not start");
    }
    const directory = await mkdtemp(join(dataDir, "pgbench-"));
    running = { pid, atOnce, guarded: guard({ pid, directory }) };
    await waitUntil(async () => (await countPayments(url)) > paymentsBefore, START_LIMIT_MS);
    process.kill(pid, "SIGSTOP");
    return pid;
  }

  return {
    async measure({ atOnce, seconds }) {
      const pid = await withClients(atOnce);
      const paymentsBefore = await countPayments(url);
      const readCpu = startCpuMeter({ postgres: [postgres.pid], generator: [pid] });
      const startedAtMs = performance.now();
      process.kill(pid, "SIGCONT");
      await sleep(seconds * 1000);
      process.kill(pid, "SIGSTOP");
      const tookMs = performance.now() - startedAtMs;
      const cpuMs = readCpu();
      await sleep(SETTLING_MS);
      const calls = (await countPayments(url)) - paymentsBefore;
      return { calls, seconds: tookMs / 1000, cpuMs };
    },
  };
}

/** Without what only the clients of newer versions know. */
function ofAnyVersion(url: string): string {
  const known = new URL(url);
  known.searchParams.delete("sslnegotiation");
  return known.href;
}

/** With how many clients pgbench may do most: with more of them, it does less on any machine of today. */
const CLIENTS = [4, 8, 16, 32];

/** Long enough to tell which number is the best one, and done once. */
const TRIAL_SECONDS = 2;

/** The side with as many clients as it does most with, whatever others are asked for. */
export function atItsBest(side: Side): Side {
  let best: Promise<number> | undefined;

  async function findBest(): Promise<number> {
    const trials: { readonly clients: number; readonly calls: number }[] = [];
    for (const clients of CLIENTS) {
      const { calls } = await side.measure({ atOnce: clients, seconds: TRIAL_SECONDS });
      trials.push({ clients, calls });
    }
    return trials.reduce((one, other) => (other.calls > one.calls ? other : one)).clients;
  }

  return {
    async measure({ seconds }) {
      best ??= findBest();
      return side.measure({ atOnce: await best, seconds });
    },
  };
}

function findPgbench(): string {
  const versions = existsSync(DEBIAN_FOLDER) ? readdirSync(DEBIAN_FOLDER) : [];
  const folders = [
    ...(process.env.PATH ?? "").split(delimiter),
    ...versions.map((version) => join(DEBIAN_FOLDER, version, "bin")),
  ];
  const found = folders.map((folder) => join(folder, "pgbench")).find(existsSync);
  if (found === undefined) {
    throw new Unavailable("no pgbench on the PATH: apt-get install postgresql");
  }
  return found;
}
