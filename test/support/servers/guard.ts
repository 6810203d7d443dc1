import { spawn } from "node:child_process";
import { once } from "node:events";

export interface GuardOptions {
  /** A server that must not outlive this process. */
  readonly pid?: number;
  readonly signal?: "KILL" | "QUIT";
  /** A temporary folder, removed once the server has ended. */
  readonly directory: string;
}

export interface Guard {
  /** Does now what would be done at the end of this process. */
  close(): Promise<void>;
}

const SCRIPT = `
  read _
  if [ -n "$2" ]; then kill -s "$2" "$3"; fi
  for i in $(seq 100); do
    if [ -z "$3" ] || ! kill -0 "$3"; then break; fi
    sleep 0.1
  done
  rm -rf "$1"
`;

/**
 * Cleans up however this process ends, also by kill -9: a shell waits for the
 * end of its input, which comes when this process closes it or is no more.
 */
export function guard({ pid, signal, directory }: GuardOptions): Guard {
  const server = pid === undefined ? [] : [signal ?? "KILL", String(pid)];
  const shell = spawn("sh", ["-c", SCRIPT, "guard", directory, ...server], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true, // Ctrl-C reaches this process's group, and the guard has to survive it
  });
  shell.unref();
  const ended = once(shell, "exit");
  return {
    async close() {
      shell.stdin.end();
      shell.ref();
      await ended;
    },
  };
}
