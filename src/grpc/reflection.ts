import { create, type DescMessage, type DescService, type MessageShape } from "@bufbuild/protobuf";
import {
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { serviceDefinition } from "./definition.js";
import {
  createReflection,
  REQUESTS_PER_STREAM,
  type ReflectionRequest,
  reflectionVersions,
} from "./reflection/answer.js";

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
  const respond = createReflection(services);
  return reflectionVersions.map((service) => {
    const response: DescMessage = service.method.serverReflectionInfo.output;
    return {
      definition: serviceDefinition(service),
      implementation: {
        serverReflectionInfo: (call: ReflectionCall) =>
          answerEach(call, (request) => create(response, respond(request))),
      },
    };
  });
}

type Response = MessageShape<DescMessage>;
type ReflectionCall = ServerDuplexStream<ReflectionRequest, Response>;

function answerEach(call: ReflectionCall, respond: (request: ReflectionRequest) => Response): void {
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
