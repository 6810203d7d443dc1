import {
  type DescFile,
  type DescService,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.js";
import { Code } from "../../idempotency/code.js";
import { indexDescriptors, withImports } from "./descriptor-index.js";
import type { ReflectionRequest, ReflectionResponse } from "./schema.js";

type Question = ReflectionRequest["messageRequest"];
type Answer = NonNullable<MessageInitShape<GenMessage<ReflectionResponse>>["messageResponse"]>;

/** Makes the function that answers questions about the schema of some services. */
export function createAnswer(services: readonly DescService[]): (question: Question) => Answer {
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
