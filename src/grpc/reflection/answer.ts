import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.js";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import * as v1 from "../../gen/grpc/reflection/v1/reflection_pb.js";
import * as v1alpha from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { Code } from "../../idempotency/answers/code.js";
import { indexDescriptors, withImports } from "./descriptor-index.js";

/** Tools ask for the one or the other. */
export const reflectionVersions = [v1.ServerReflection, v1alpha.ServerReflection] as const;

/**
 * The most requests that one stream may send. A tool asks once for each name that
 * it meets, some dozens; a stream that goes on for ever would keep a server
 * from draining.
 */
export const REQUESTS_PER_STREAM = 1_000;

export type ReflectionRequest = v1.ServerReflectionRequest | v1alpha.ServerReflectionRequest;

type Question = ReflectionRequest["messageRequest"];
type Answer =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | {
      case: "allExtensionNumbersResponse";
      value: { baseTypeName: string; extensionNumber: number[] };
    }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: Code; errorMessage: string } };

/**
 * Makes the function that responds to each request of a stream: with the schema
 * of `services`, of health checking and of reflection itself.
 */
export function createReflection(services: readonly DescService[]) {
  const answer = createAnswer([...services, Health, ...reflectionVersions]);
  return <Request extends ReflectionRequest>(request: Request) => ({
    validHost: request.host,
    originalRequest: request,
    messageResponse: answer(request.messageRequest),
  });
}

/** Makes the function that answers questions about the schema of some services. */
function createAnswer(services: readonly DescService[]): (question: Question) => Answer {
  const { fileByPath, fileBySymbol, fileByExtension } = indexDescriptors([
    ...services.map(({ file }) => file),
    // No service imports them, and a tool that shows an error has to decode its details.
    file_google_rpc_error_details,
  ]);
  // Once for all: it takes milliseconds, and anybody may ask.
  const encoded = new Map(
    [...fileByPath.values()].map((file) => [file, toBinary(FileDescriptorProtoSchema, file.proto)]),
  );

  // The imports come along, so that a client needs one question for each name.
  const describe = (file: DescFile | undefined, what: string): Answer =>
    file === undefined
      ? notFound(what)
      : {
          case: "fileDescriptorResponse",
          value: {
            fileDescriptorProto: [...withImports([file])].flatMap((one) => encoded.get(one) ?? []),
          },
        };

  return (question) => {
    switch (question.case) {
      case "listServices":
        return {
          case: "listServicesResponse",
          value: { service: services.map(({ typeName }) => ({ name: typeName })) },
        };
      case "fileByFilename":
        return describe(fileByPath.get(question.value), `file ${question.value}`);
      case "fileContainingSymbol":
        return describe(fileBySymbol.get(question.value), `symbol ${question.value}`);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        return describe(
          fileByExtension.get(containingType)?.get(extensionNumber),
          `extension ${extensionNumber} of ${containingType}`,
        );
      }
      case "allExtensionNumbersOfType": {
        const baseTypeName = question.value;
        const extensionNumber = [...(fileByExtension.get(baseTypeName)?.keys() ?? [])];
        return fileBySymbol.has(baseTypeName)
          ? { case: "allExtensionNumbersResponse", value: { baseTypeName, extensionNumber } }
          : notFound(`message ${baseTypeName}`);
      }
      case undefined:
        return errorAnswer(Code.INVALID_ARGUMENT, "message_request accepts one field, none is set");
    }
  };
}

function notFound(what: string): Answer {
  return errorAnswer(Code.NOT_FOUND, `${what} is not known here`);
}

function errorAnswer(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
