import { create } from "@bufbuild/protobuf";
import type { sendUnaryData } from "@grpc/grpc-js";
import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  type HealthListRequest,
  type HealthListResponse,
  HealthListResponseSchema,
  Health as HealthService,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../gen/grpc/health/v1/health_pb.js";
import { serviceDefinition } from "./definition.js";

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

/** Nothing is served before `serving` is called. The server and its services have one status. */
export function createHealth(serviceNames: readonly string[]): Health {
  const names = [WHOLE_SERVER, ...serviceNames];
  const watchers = new Set<() => void>();
  let current = ServingStatus.NOT_SERVING;

  function change(next: ServingStatus): void {
    current = next;
    for (const tell of watchers) {
      tell();
    }
  }

  const implementation = {
    check(
      { request: { service } }: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>,
      callback: sendUnaryData<HealthCheckResponse>,
    ) {
      if (names.includes(service)) {
        callback(null, create(HealthCheckResponseSchema, { status: current }));
      } else {
        callback({
          code: status.NOT_FOUND,
          details: `Health status unknown for service ${service}`,
        });
      }
    },
    list(
      _call: ServerUnaryCall<HealthListRequest, HealthListResponse>,
      callback: sendUnaryData<HealthListResponse>,
    ) {
      const statuses = Object.fromEntries(names.map((name) => [name, { status: current }]));
      callback(null, create(HealthListResponseSchema, { statuses }));
    },
    watch(call: ServerWritableStream<HealthCheckRequest, HealthCheckResponse>) {
      const isKnown = names.includes(call.request.service);
      const tell = () => {
        const told = isKnown ? current : ServingStatus.SERVICE_UNKNOWN;
        call.write(create(HealthCheckResponseSchema, { status: told }));
      };
      tell();
      if (isKnown) {
        watchers.add(tell);
        call.on("cancelled", () => watchers.delete(tell));
      }
    },
  };

  return {
    addTo: (server) => server.addService(serviceDefinition(HealthService), implementation),
    serving: () => change(ServingStatus.SERVING),
    draining: () => change(ServingStatus.NOT_SERVING),
  };
}
