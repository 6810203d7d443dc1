import { once } from "node:events";
import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import {
  Health,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../gen/grpc/health/v1/health_pb.js";
import {
  createReflection,
  REQUESTS_PER_STREAM,
  type ReflectionRequest,
  reflectionVersions,
} from "../grpc/reflection/answer.js";

/** Adds the services that tools such as grpcurl ask about a server: its health, and the schema of a service. */
export function addToolServices(
  router: ConnectRouter,
  { service, shutdown }: { readonly service: DescService; readonly shutdown: AbortSignal },
): void {
  const names = ["", service.typeName]; // the empty name: the server as a whole
  const status = () => ({
    status: shutdown.aborted ? ServingStatus.NOT_SERVING : ServingStatus.SERVING,
  });

  router.service(Health, {
    check(request) {
      if (!names.includes(request.service)) {
        throw new ConnectError(
          `Health status unknown for service ${request.service}`,
          Code.NotFound,
        );
      }
      return status();
    },
    list: () => ({ statuses: Object.fromEntries(names.map((name) => [name, status()])) }),
    async *watch(request, { signal }) {
      const told = () =>
        names.includes(request.service) ? status() : { status: ServingStatus.SERVICE_UNKNOWN };
      yield told();
      const ended = AbortSignal.any([signal, shutdown]);
      if (!ended.aborted) {
        await once(ended, "abort");
      }
      yield told();
    },
  });

  const respond = createReflection([service]);
  async function* respondToEach<Request extends ReflectionRequest>(
    requests: AsyncIterable<Request>,
  ) {
    let count = 0;
    for await (const request of requests) {
      count += 1;
      if (count > REQUESTS_PER_STREAM) {
        throw new ConnectError(
          `a stream accepts ${REQUESTS_PER_STREAM} requests; open another`,
          Code.ResourceExhausted,
        );
      }
      yield respond(request);
    }
  }
  const [v1, v1alpha] = reflectionVersions;
  router.service(v1, { serverReflectionInfo: (requests) => respondToEach(requests) });
  router.service(v1alpha, { serverReflectionInfo: (requests) => respondToEach(requests) });
}
