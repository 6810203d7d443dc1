import { create, type DescService } from "@bufbuild/protobuf";
import {
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { serviceDefinition } from "./definition.js";
import { createAnswer } from "./reflection/answer.js";
import { healthService } from "./reflection/health-schema.js";
import {
  type ReflectionRequest,
  type ReflectionResponse,
  reflectionSchema,
} from "./reflection/schema.js";

/**
 * How many requests one stream may send. A tool asks once for each name that
 * it meets, some dozens; a stream that goes on for ever would keep a server
 * from draining.
 */
const REQUESTS_PER_STREAM = 1_000;

/** A service with its implementation, as `Server.addService` takes them. */
export interface ReflectionService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/**
 * gRPC server reflection, in both versions that tools ask for. It tells any
 * client the schema of `services`, of itself and of health checking, with all
 * imports and custom options.
 */
export function reflectionServices(services: readonly DescService[]): readonly ReflectionService[] {
  const schemas = [reflectionSchema("v1"), reflectionSchema("v1alpha")];
  const answer = createAnswer([
    ...services,
    healthService,
    ...schemas.map(({ service }) => service),
  ]);
  return schemas.map(({ service, response }) => ({
    definition: serviceDefinition(service),
    implementation: {
      serverReflectionInfo: (call: ReflectionCall) =>
        answerEach(call, (request) =>
          create(response, {
            validHost: request.host,
            originalRequest: request,
            messageResponse: answer(request.messageRequest),
          }),
        ),
    },
  }));
}

type ReflectionCall = ServerDuplexStream<ReflectionRequest, ReflectionResponse>;

function answerEach(
  call: ReflectionCall,
  respond: (request: ReflectionRequest) => ReflectionResponse,
): void {
  let requests = 0;
  call.on("data", (request: ReflectionRequest) => {
    requests += 1;
    if (requests > REQUESTS_PER_STREAM) {
      call.pause();
      call.emit("error", {
        code: status.RESOURCE_EXHAUSTED,
        details: `a stream accepts ${REQUESTS_PER_STREAM} requests; open another`,
      });
      return;
    }
    // A client that sends and does not read must not fill the memory.
    if (!call.write(respond(request))) {
      call.pause();
      call.once("drain", () => call.resume());
    }
  });
  call.on("end", () => call.end());
}
