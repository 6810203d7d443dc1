import { createInterface } from "node:readline";
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  fromJson,
  type JsonValue,
  type MessageShape,
  mergeFromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { type CallReport, PaymentService, type RetrySettings } from "./src/index.js";

/** One line of input: what to call, and how. `clients/conformance/README.md` explains the fields. */
interface Line {
  readonly id: string;
  readonly target: string;
  readonly method: string;
  readonly request: JsonValue;
  readonly requestBytes?: string;
  readonly key?: string;
  readonly deadlineMs: number;
  readonly cancelAfterMs?: number;
  readonly serviceConfig?: string;
  readonly options?: Partial<RetrySettings>;
}

/** A call, read from its line. */
export interface DriverCall extends Omit<Line, "id" | "method" | "request" | "requestBytes"> {
  readonly method: DescMethodUnary;
  readonly request: MessageShape<DescMessage>;
  readonly options: Partial<RetrySettings>;
  /** Ends the call when it aborts, as its caller would. */
  readonly signal: AbortSignal;
}

/** How a call ended. */
export interface DriverAnswer {
  /** Such as `FAILED_PRECONDITION`. */
  readonly code: string;
  /** Of the error's `ErrorInfo`, or empty. */
  readonly reason: string;
  readonly report: CallReport | undefined;
  readonly response?: MessageShape<DescMessage> | undefined;
}

/** Makes the calls that come in and writes how each ended, until the input ends and all have. */
export function runDriver(call: (call: DriverCall) => Promise<DriverAnswer>): void {
  createInterface({ input: process.stdin }).on("line", async (text) => {
    const line: Line = JSON.parse(text);
    const method = PaymentService.methods.filter(isUnary).find(({ name }) => name === line.method);
    if (method === undefined) {
      throw new Error(`${line.method} is no unary method of ${PaymentService.typeName}`);
    }
    const cancellation = new AbortController();
    const timer =
      line.cancelAfterMs === undefined
        ? undefined
        : setTimeout(() => cancellation.abort(), line.cancelAfterMs);
    const { code, reason, report, response } = await call({
      ...line,
      method,
      request: requestOf(method, line),
      options: line.options ?? {},
      signal: cancellation.signal,
    });
    clearTimeout(timer);
    const answer = {
      id: line.id,
      code,
      reason,
      key: report?.key ?? "",
      attempts: report?.attempts ?? 0,
      replayed: report?.replayed ?? false,
      response:
        response === undefined
          ? ""
          : Buffer.from(toBinary(method.output, response)).toString("base64"),
    };
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  });
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

function requestOf(method: DescMethodUnary, { request, requestBytes }: Line) {
  const message = create(method.input, fromJson(method.input, request));
  return requestBytes === undefined
    ? message
    : mergeFromBinary(method.input, message, Buffer.from(requestBytes, "base64"));
}
