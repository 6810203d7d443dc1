import type { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

/** gRPC health checking (`grpc.health.v1`): whether balancers should send calls here. */
export interface Health {
  addTo(server: Server): void;
  /** From now on calls are welcome. */
  serving(): void;
  /**
   * From now on no new ones are; those under way are finished. Watchers are
   * told at once, but their streams stay open until they hang up.
   */
  draining(): void;
}

/** The empty name stands for the server as a whole (gRPC health checking protocol). */
const WHOLE_SERVER = "";

/** Nothing is served before `serving` is called. */
export function createHealth(serviceNames: readonly string[]): Health {
  const names = [WHOLE_SERVER, ...serviceNames];
  const health = new HealthImplementation(
    Object.fromEntries(names.map((name) => [name, "NOT_SERVING"])),
  );
  const setAll = (status: "SERVING" | "NOT_SERVING") => {
    for (const name of names) {
      health.setStatus(name, status);
    }
  };
  return {
    addTo: (server) => health.addToServer(server),
    serving: () => setAll("SERVING"),
    draining: () => setAll("NOT_SERVING"),
  };
}
