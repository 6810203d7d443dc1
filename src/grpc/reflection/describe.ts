import {
  create,
  createFileRegistry,
  type DescService,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { protoCamelCase } from "@bufbuild/protobuf/reflect";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  type FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

// The schemas of gRPC's own services are written down in code, not generated:
// the packages of this project either lack them or carry them in a form that
// tools cannot link.

type FieldInit = MessageInitShape<typeof FieldDescriptorProtoSchema>;
type FileInit = MessageInitShape<typeof FileDescriptorProtoSchema>;

const scalarTypes = {
  string: FieldDescriptorProto_Type.STRING,
  int32: FieldDescriptorProto_Type.INT32,
  bytes: FieldDescriptorProto_Type.BYTES,
};

/** A scalar, or the full name of a message or an enum with a dot before it. */
export type FieldType =
  | keyof typeof scalarTypes
  | { readonly message: `.${string}` }
  | { readonly enum: `.${string}` };

/** A singular field. */
export function field(name: string, number: number, type: FieldType): FieldInit {
  const singular = {
    name,
    jsonName: protoCamelCase(name),
    number,
    label: FieldDescriptorProto_Label.OPTIONAL,
  };
  if (typeof type === "string") {
    return { ...singular, type: scalarTypes[type] };
  }
  return "message" in type
    ? { ...singular, type: FieldDescriptorProto_Type.MESSAGE, typeName: type.message }
    : { ...singular, type: FieldDescriptorProto_Type.ENUM, typeName: type.enum };
}

export function repeated(singular: FieldInit): FieldInit {
  return { ...singular, label: FieldDescriptorProto_Label.REPEATED };
}

/** Puts a field into the first oneof of its message. */
export function inOneof(singular: FieldInit): FieldInit {
  return { ...singular, oneofIndex: 0 };
}

/** Links a proto3 file with one service and no imports. */
export function describeService(file: FileInit & { readonly name: string }): DescService {
  const proto = create(FileDescriptorProtoSchema, { ...file, syntax: "proto3" });
  const [service] = createFileRegistry(proto, () => undefined).getFile(file.name)?.services ?? [];
  if (service === undefined) {
    throw new TypeError(`${file.name} declares no service`);
  }
  return service;
}
