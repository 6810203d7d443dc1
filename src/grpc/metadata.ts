import { Metadata } from "@grpc/grpc-js";
import { asBuffer } from "@payonce/client/internal";
import type { MetadataEntry } from "../idempotency/port/outcome.js";

export { asBuffer };

/** The entries of gRPC metadata, in their order; a repeated name gives one entry for each value. */
export function toEntries(metadata: Metadata | null | undefined): MetadataEntry[] {
  const entries: MetadataEntry[] = [];
  for (const name of Object.keys(metadata?.getMap() ?? {})) {
    for (const value of metadata?.get(name) ?? []) {
      entries.push([name, value]);
    }
  }
  return entries;
}

export function toMetadata(entries: readonly MetadataEntry[]): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of entries) {
    metadata.add(name, typeof value === "string" ? value : asBuffer(value));
  }
  return metadata;
}
