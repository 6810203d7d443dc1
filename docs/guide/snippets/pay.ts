import { type CallOptions, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  type CallReport,
  connectInterceptor,
  PaymentService,
} from "../../../clients/typescript/src/index.js";

/** Each call gets a key of its own, a UUIDv4, and is retried with it until its answer is final. */
export function openPayments(baseUrl: string, onReport: (report: CallReport) => void) {
  const interceptors = [connectInterceptor({ onReport })];
  return createClient(PaymentService, createGrpcTransport({ baseUrl, interceptors }));
}

/** One time limit for all attempts. When it passes, the call may have acted: keep the key. */
export const PATIENTLY: CallOptions = { timeoutMs: 60_000 };
