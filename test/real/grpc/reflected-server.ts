import { Server, ServerCredentials } from "@grpc/grpc-js";
import { PaymentService } from "../../../src/gen/payonce/payments/v1/payments_pb.js";
import { SandboxProcessorService } from "../../../src/gen/payonce/sandbox/v1/sandbox_pb.js";
import { createHealth, type Health } from "../../../src/grpc/health.js";
import { reflectionServices } from "../../../src/grpc/reflection.js";

/** All that reflection lists there. */
export const SERVICES = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
  "payonce.payments.v1.PaymentService",
  "payonce.sandbox.v1.SandboxProcessorService",
];

export interface ReflectedServer {
  readonly address: string;
  readonly health: Health;
  stop(): void;
}

/** A real server that serves health and reflection, and describes the payment and the sandbox service. */
export async function startReflectedServer(): Promise<ReflectedServer> {
  const server = new Server();
  const described = [PaymentService, SandboxProcessorService];
  for (const { definition, implementation } of reflectionServices(described)) {
    server.addService(definition, implementation);
  }
  const health = createHealth(described.map(({ typeName }) => typeName));
  health.addTo(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { address: `127.0.0.1:${port}`, health, stop: () => server.forceShutdown() };
}
