import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Client } from "@grpc/grpc-js";
import {
  ListLedgerEntriesRequestSchema,
  ListLedgerEntriesResponseSchema,
  ListPaymentsRequestSchema,
  ListPaymentsResponseSchema,
  PaymentService,
} from "../../src/gen/payonce/payments/v1/payments_pb.js";
import { asIs, createClient } from "./client.js";

/** Readers that page through lists, each a page after the other. */
export interface ReadersPlan {
  readonly target: string;
  readonly readers: number;
  readonly seconds: number;
  readonly pageSize: number;
}

export interface ReadersDone {
  readonly pages: number;
  /** Those that were told to come again. */
  readonly refused: number;
}

/** Where a page is refused. Milliseconds. */
const RETRY_DELAY_MS = 100;

/** One list: its method, and how a page leads to the next one. */
interface List {
  readonly path: string;
  request(pageSize: number, pageToken: string): Uint8Array;
  nextPageToken(response: Buffer): string;
}

const lists: readonly List[] = [
  {
    path: `/${PaymentService.typeName}/ListPayments`,
    request: (pageSize, pageToken) =>
      toBinary(
        ListPaymentsRequestSchema,
        create(ListPaymentsRequestSchema, { pageSize, pageToken }),
      ),
    nextPageToken: (response) => fromBinary(ListPaymentsResponseSchema, response).nextPageToken,
  },
  {
    path: `/${PaymentService.typeName}/ListLedgerEntries`,
    request: (pageSize, pageToken) =>
      toBinary(
        ListLedgerEntriesRequestSchema,
        create(ListLedgerEntriesRequestSchema, { pageSize, pageToken }),
      ),
    nextPageToken: (response) =>
      fromBinary(ListLedgerEntriesResponseSchema, response).nextPageToken,
  },
];

export async function runReaders(plan: ReadersPlan): Promise<ReadersDone> {
  const { target, readers, seconds, pageSize } = plan;
  const endMs = performance.now() + seconds * 1_000;
  let pages = 0;
  let refused = 0;
  await Promise.all(
    Array.from({ length: readers }, async (_, number) => {
      const list = lists[number % lists.length];
      if (list === undefined) {
        return;
      }
      const client = createClient(target);
      let pageToken = "";
      while (performance.now() < endMs) {
        const response = await call(
          client,
          list.path,
          Buffer.from(list.request(pageSize, pageToken)),
        );
        if (response === undefined) {
          refused += 1;
          await sleep(RETRY_DELAY_MS);
        } else {
          pages += 1;
          pageToken = list.nextPageToken(response);
        }
      }
      client.close();
    }),
  );
  return { pages, refused };
}

/** The answer; undefined where the call was refused. */
function call(client: Client, path: string, request: Buffer): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, asIs, asIs, request, (error, response) =>
      resolve(error === null ? response : undefined),
    );
  });
}
