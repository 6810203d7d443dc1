import { chmod, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../../src/dev-servers/postgres.js";
import { startTcpProxy, type TcpProxy } from "../calls/tcp-proxy.js";
import { type Guard, guard } from "../servers/guard.js";

/** A Postgres of one test file's own, which it may stop; seen through a proxy. */
export interface OwnPostgres {
  /** The same over restarts, and over a failover if the proxy is told of it. */
  readonly url: string;
  readonly proxy: TcpProxy;
  /** The server's folder, as DATA_DIR. */
  readonly dataDir: string;
  /** Around the proxy; another one after each start. */
  directUrl(): string;
  /** The server's process id; another one after each start. */
  pid(): number;
  /** What the server has printed since its last start. */
  output(): string;
  /** What `pg_ctl stop -m immediate` does: everyone is cut off and nothing is written any more. */
  stopImmediately(): Promise<void>;
  /** A shutdown in order. */
  stopInOrder(): Promise<void>;
  start(): Promise<void>;
  /** Ends all of it for good. */
  close(): Promise<void>;
}

export interface OwnPostgresOptions {
  /** An empty folder that every user may enter, emptied at the end. Default: a temporary one. */
  readonly dataDir?: string;
}

export async function startOwnPostgres(options: OwnPostgresOptions = {}): Promise<OwnPostgres> {
  const dataDir = options.dataDir ?? (await makeDataDir());
  const folder = guard({ directory: dataDir });
  let running = await startGuarded(dataDir);
  const proxy = await startTcpProxy(portOf(running.url));

  const stopInOrder = async () => {
    await running.stop();
    await running.guard.close();
  };
  return {
    url: withPort(running.url, proxy.port),
    proxy,
    dataDir,
    directUrl: () => running.url,
    pid: () => running.pid,
    output: () => running.output.join("\n"),
    async stopImmediately() {
      process.kill(running.pid, "SIGQUIT");
      await stopInOrder();
    },
    stopInOrder,
    async start() {
      running = await startGuarded(dataDir);
      proxy.connectTo(portOf(running.url));
    },
    async close() {
      await proxy.close();
      await stopInOrder();
      await folder.close();
    },
  };
}

async function makeDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "payonce-test-own-postgres-"));
  await chmod(dataDir, 0o755); // started by root, Postgres runs as another user
  return dataDir;
}

interface Guarded extends EmbeddedPostgres {
  readonly guard: Guard;
  readonly output: readonly string[];
}

async function startGuarded(dataDir: string): Promise<Guarded> {
  const output: string[] = [];
  const postgres = await startEmbeddedPostgres({ dataDir, log: (line) => output.push(line) });
  const directory = await mkdtemp(join(dataDir, "guard-"));
  const guarded = guard({ pid: postgres.pid, signal: "QUIT", directory });
  return { ...postgres, guard: guarded, output };
}

export function portOf(url: string): number {
  return Number(new URL(url).port);
}

export function withPort(url: string, port: number): string {
  const moved = new URL(url);
  moved.port = String(port);
  return moved.href;
}
