import type { DescService, Message } from "@bufbuild/protobuf";
import { type GenMessage, messageDesc } from "@bufbuild/protobuf/codegenv2";
import { describeService, field, inOneof, repeated } from "./describe.js";

export interface ReflectionRequest extends Message {
  host: string;
  messageRequest:
    | { case: "fileByFilename"; value: string }
    | { case: "fileContainingSymbol"; value: string }
    | { case: "fileContainingExtension"; value: ExtensionRequest }
    | { case: "allExtensionNumbersOfType"; value: string }
    | { case: "listServices"; value: string }
    | { case: undefined; value?: undefined };
}

type ExtensionRequest = Message & { containingType: string; extensionNumber: number };

export interface ReflectionResponse extends Message {
  validHost: string;
  originalRequest?: ReflectionRequest;
  messageResponse:
    | { case: "fileDescriptorResponse"; value: FileDescriptorResponse }
    | { case: "allExtensionNumbersResponse"; value: ExtensionNumberResponse }
    | { case: "listServicesResponse"; value: ListServiceResponse }
    | { case: "errorResponse"; value: ErrorResponse }
    | { case: undefined; value?: undefined };
}

type FileDescriptorResponse = Message & { fileDescriptorProto: Uint8Array[] };
type ExtensionNumberResponse = Message & { baseTypeName: string; extensionNumber: number[] };
type ListServiceResponse = Message & { service: ServiceResponse[] };
type ServiceResponse = Message & { name: string };
type ErrorResponse = Message & { errorCode: number; errorMessage: string };

/** One version of the reflection service. */
export interface ReflectionSchema {
  readonly service: DescService;
  readonly response: GenMessage<ReflectionResponse>;
}

/** Where the file declares the response, among its messages. */
const RESPONSE_INDEX = 0;

/**
 * The schema of gRPC server reflection, as
 * github.com/grpc/grpc/blob/master/src/proto/grpc/reflection/v1/reflection.proto
 * has it. Its versions differ in the package only.
 */
export function reflectionSchema(version: "v1" | "v1alpha"): ReflectionSchema {
  const scope = `grpc.reflection.${version}`;
  const message = (name: string) => ({ message: `.${scope}.${name}` as const });
  const service = describeService({
    name: `grpc/reflection/${version}/reflection.proto`,
    package: scope,
    messageType: [
      {
        name: "ServerReflectionResponse",
        oneofDecl: [{ name: "message_response" }],
        field: [
          field("valid_host", 1, "string"),
          field("original_request", 2, message("ServerReflectionRequest")),
          ...[
            field("file_descriptor_response", 4, message("FileDescriptorResponse")),
            field("all_extension_numbers_response", 5, message("ExtensionNumberResponse")),
            field("list_services_response", 6, message("ListServiceResponse")),
            field("error_response", 7, message("ErrorResponse")),
          ].map(inOneof),
        ],
      },
      {
        name: "ServerReflectionRequest",
        oneofDecl: [{ name: "message_request" }],
        field: [
          field("host", 1, "string"),
          ...[
            field("file_by_filename", 3, "string"),
            field("file_containing_symbol", 4, "string"),
            field("file_containing_extension", 5, message("ExtensionRequest")),
            field("all_extension_numbers_of_type", 6, "string"),
            field("list_services", 7, "string"),
          ].map(inOneof),
        ],
      },
      {
        name: "ExtensionRequest",
        field: [field("containing_type", 1, "string"), field("extension_number", 2, "int32")],
      },
      {
        name: "FileDescriptorResponse",
        field: [repeated(field("file_descriptor_proto", 1, "bytes"))],
      },
      {
        name: "ExtensionNumberResponse",
        field: [
          field("base_type_name", 1, "string"),
          repeated(field("extension_number", 2, "int32")),
        ],
      },
      {
        name: "ListServiceResponse",
        field: [repeated(field("service", 1, message("ServiceResponse")))],
      },
      { name: "ServiceResponse", field: [field("name", 1, "string")] },
      {
        name: "ErrorResponse",
        field: [field("error_code", 1, "int32"), field("error_message", 2, "string")],
      },
    ],
    service: [
      {
        name: "ServerReflection",
        method: [
          {
            name: "ServerReflectionInfo",
            inputType: `.${scope}.ServerReflectionRequest`,
            outputType: `.${scope}.ServerReflectionResponse`,
            clientStreaming: true,
            serverStreaming: true,
          },
        ],
      },
    ],
  });
  return { service, response: messageDesc<ReflectionResponse>(service.file, RESPONSE_INDEX) };
}
