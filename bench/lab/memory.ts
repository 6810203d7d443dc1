import { readFileSync } from "node:fs";

/** The memory of a process that is in RAM (proc(5), VmRSS). Bytes. */
export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1]) * 1024;
}
