import { type DescMethod, type DescService, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

/** Makes the grpc-js definition of a service that buf generated. */
export function serviceDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(
    service.methods.map((method): [string, MethodDefinition<unknown, unknown>] => [
      method.localName,
      {
        path: `/${service.typeName}/${method.name}`,
        requestStream:
          method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
        responseStream:
          method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
        ...codec("request", method.input),
        ...codec("response", method.output),
      } as MethodDefinition<unknown, unknown>, // the codecs' names are computed
    ]),
  );
}

/** Views the bytes as a Buffer, without a copy: grpc-js accepts nothing else. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function codec(side: "request" | "response", desc: DescMethod["input"]) {
  return {
    [`${side}Serialize`]: (message: never) => asBuffer(toBinary(desc, message)),
    [`${side}Deserialize`]: (bytes: Buffer) => fromBinary(desc, bytes),
  };
}
