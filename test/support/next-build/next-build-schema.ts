import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FileDescriptorSetSchema,
  OneofDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { NOTE } from "./next-build-note.js";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));
const PROGRAMS = join(PROJECT, "node_modules", ".bin");

/** What callers send, what they are told, and what is stored. */
const EXTENDED: ReadonlySet<string> = new Set(["CreatePaymentRequest", "Payment", "StoredOutcome"]);

/** Generates the code of the next build's schema: this one's with a note in some of its messages. */
export async function generateNextSchema(folder: string): Promise<void> {
  const image = fromBinary(
    FileDescriptorSetSchema,
    await readFile(join(PROJECT, "proto", "image.binpb")),
  );
  for (const message of image.file.flatMap(({ messageType }) => messageType)) {
    if (EXTENDED.has(message.name)) {
      addNote(message);
    }
  }
  const nextImage = join(folder, "image.binpb");
  await writeFile(nextImage, toBinary(FileDescriptorSetSchema, image));
  await promisify(execFile)(
    join(PROGRAMS, "buf"),
    ["generate", nextImage, "--template", "buf.gen.yaml", "--output", folder],
    { cwd: PROJECT, env: { ...process.env, PATH: `${PROGRAMS}${delimiter}${process.env.PATH}` } },
  );
}

function addNote({ field, oneofDecl }: DescriptorProto): void {
  field.push(
    create(FieldDescriptorProtoSchema, {
      ...NOTE,
      label: FieldDescriptorProto_Label.OPTIONAL,
      type: FieldDescriptorProto_Type.STRING,
      proto3Optional: true,
      oneofIndex: oneofDecl.length,
    }),
  );
  // A descriptor keeps an optional field in a oneof of its own.
  oneofDecl.push(create(OneofDescriptorProtoSchema, { name: `_${NOTE.name}` }));
}
