import { Metadata } from "@grpc/grpc-js";
import type { MetadataEntry } from "../idempotency/outcome.js";

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

/** Views the bytes as a Buffer, without a copy: grpc-js accepts nothing else. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
