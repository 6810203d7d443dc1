import { startTcpProxy, type TcpProxy } from "../calls/tcp-proxy.js";
import { type SandboxUnderTest, startSandboxUnderTest } from "../servers/sandbox.js";

/** A sandbox processor that can be killed and comes back at the same address. */
export interface RestartableSandbox {
  readonly address: string;
  readonly proxy: TcpProxy;
  /** kill -9, and a new process over the same journal after the pause. */
  restart(pause: () => Promise<unknown>): Promise<void>;
  stop(): Promise<void>;
}

export async function startRestartableSandbox(dataDir: string): Promise<RestartableSandbox> {
  let running = await startSandboxUnderTest(dataDir);
  const proxy = await startTcpProxy(portOf(running));
  return {
    address: `127.0.0.1:${proxy.port}`,
    proxy,
    async restart(pause) {
      await running.stop();
      await pause();
      running = await startSandboxUnderTest(dataDir);
      proxy.connectTo(portOf(running));
    },
    async stop() {
      await running.stop();
      await proxy.close();
    },
  };
}

function portOf({ address }: SandboxUnderTest): number {
  return Number(new URL(`tcp://${address}`).port);
}
