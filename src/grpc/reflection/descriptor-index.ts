import type {
  DescEnum,
  DescExtension,
  DescFile,
  DescMessage,
  DescService,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";

/** Some files and all their imports, indexed by each name that a client may ask for. */
export interface DescriptorIndex {
  /** By the path that imports name. */
  readonly fileByPath: ReadonlyMap<string, DescFile>;
  /** By the full name of whatever the file declares, members included. */
  readonly fileBySymbol: ReadonlyMap<string, DescFile>;
  /** By the full name of the extended message, then by the extension's number. */
  readonly fileByExtension: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

export function indexDescriptors(files: readonly DescFile[]): DescriptorIndex {
  const fileByPath = new Map<string, DescFile>();
  const fileBySymbol = new Map<string, DescFile>();
  const fileByExtension = new Map<string, Map<number, DescFile>>();
  for (const file of withImports(files)) {
    fileByPath.set(file.proto.name, file);
    for (const type of nestedTypes(file)) {
      for (const symbol of [type.typeName, ...membersOf(type)]) {
        fileBySymbol.set(symbol, file);
      }
      if (type.kind === "extension") {
        const extended = type.extendee.typeName;
        const files = fileByExtension.get(extended) ?? new Map<number, DescFile>();
        fileByExtension.set(extended, files.set(type.number, file));
      }
    }
  }
  return { fileByPath, fileBySymbol, fileByExtension };
}

/** The files, and all that they import at any distance, each once. */
export function withImports(files: readonly DescFile[]): ReadonlySet<DescFile> {
  const found = new Set(files);
  // Iterating over a set visits also what is added meanwhile.
  for (const file of found) {
    for (const imported of file.dependencies) {
      found.add(imported);
    }
  }
  return found;
}

function membersOf(type: DescMessage | DescEnum | DescExtension | DescService): string[] {
  switch (type.kind) {
    case "service":
      return type.methods.map(({ name }) => `${type.typeName}.${name}`);
    case "message":
      return [...type.fields, ...type.oneofs].map(({ name }) => `${type.typeName}.${name}`);
    case "enum": {
      // The values of an enum are its siblings.
      const scope = type.typeName.slice(0, -type.name.length);
      return type.values.map(({ name }) => `${scope}${name}`);
    }
    case "extension":
      return [];
  }
}
