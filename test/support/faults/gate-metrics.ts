import type { ServiceProcess } from "../service/service-process.js";

/** How often the gate of a service has decided so. */
export async function countDecisions(
  { httpAddress }: ServiceProcess,
  decision: "hit" | "held" | "granted" | "undecided" | "stepped_aside",
): Promise<number> {
  const metrics = await (await fetch(`http://${httpAddress}/metrics`)).text();
  const line = new RegExp(`^payonce_gate_decisions_total\\{decision="${decision}"\\} (\\d+)`, "m");
  return Number(line.exec(metrics)?.[1] ?? 0);
}
