import { startTcpProxy, type TcpProxy } from "../calls/tcp-proxy.js";
import { type SandboxUnderTest, startSandboxUnderTest } from "../servers/sandbox.js";
import { processorSettings, sandboxSettings, type Wire, wireAddress } from "../servers/wire.js";

/** A sandbox processor that can be killed and comes back at the same address. */
export interface RestartableSandbox {
  /** For a test that arms faults and reads the journal. */
  readonly address: string;
  /** Between services and the processor. */
  readonly proxy: TcpProxy;
  /** The settings of services that use it. */
  readonly settings: Readonly<Record<string, string>>;
  /** kill -9, and a new process over the same journal after the pause. */
  restart(pause: () => Promise<unknown>): Promise<void>;
  stop(): Promise<void>;
}

export async function startRestartableSandbox(
  dataDir: string,
  wire: Wire = "sandbox",
): Promise<RestartableSandbox> {
  const start = () => startSandboxUnderTest(dataDir, sandboxSettings(wire));
  let running = await start();
  const own = await startTcpProxy(portOf(running.address));
  const proxy = wire === "sandbox" ? own : await startTcpProxy(portOf(wireAddress(running, wire)));
  return {
    address: `127.0.0.1:${own.port}`,
    proxy,
    settings: processorSettings(wire, `127.0.0.1:${proxy.port}`),
    async restart(pause) {
      await running.stop();
      await pause();
      running = await start();
      own.connectTo(portOf(running.address));
      proxy.connectTo(portOf(wireAddress(running, wire)));
    },
    async stop() {
      await running.stop();
      await Promise.all([...new Set([own, proxy])].map((each) => each.close()));
    },
  };
}

function portOf(address: SandboxUnderTest["address"]): number {
  return Number(new URL(`tcp://${address}`).port);
}
