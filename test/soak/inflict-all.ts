import { setTimeout as sleep } from "node:timers/promises";
import { type Backup, takeBackup } from "./backup.js";
import { inflict } from "./faults.js";
import type { PlannedFault } from "./plan.js";
import { type Restored, restore, type Soak } from "./restore.js";

export interface Inflicting {
  readonly soak: Soak;
  readonly plan: readonly PlannedFault[];
  /** Grows with each fault that begins. */
  readonly inflicted: PlannedFault[];
  /** Grows with each restore that has ended. */
  readonly restores: Restored[];
}

/**
 * Faults of one part follow one another; those of different parts overlap. A
 * restore waits until nothing is broken, and what is planned after it comes as
 * much later as it has taken.
 */
export async function inflictAll({ soak, plan, inflicted, restores }: Inflicting): Promise<void> {
  let startedAtMs = performance.now();
  const busy = new Map<string, Promise<void>>();
  let backup: Backup | undefined;

  async function begin(fault: PlannedFault): Promise<void> {
    inflicted.push(fault);
    switch (fault.kind) {
      case "crash of the database, and a backup":
        backup = await takeBackup(soak.cluster.database);
        return;
      case "restore of the database":
        if (backup !== undefined) {
          restores.push(await restore(soak, backup, fault.seed));
        }
        return;
      default:
        return inflict(soak.cluster, fault.kind, fault);
    }
  }

  for (const fault of plan) {
    await sleep(Math.max(0, startedAtMs + fault.atMs - performance.now()));
    const part = fault.part === "service" ? `service ${fault.targets}` : fault.part;
    const isAlone = fault.part === "all";
    const before = isAlone ? Promise.all(busy.values()) : busy.get(part);
    const harm = Promise.resolve(before).then(() =>
      begin(fault).catch((error: unknown) => {
        soak.onProblem(`${fault.kind} could not be carried out: ${String(error)}`);
      }),
    );
    busy.set(part, harm);
    if (isAlone) {
      const pausedAtMs = performance.now();
      await harm;
      startedAtMs += performance.now() - pausedAtMs;
    }
  }
  await Promise.all(busy.values());
}
