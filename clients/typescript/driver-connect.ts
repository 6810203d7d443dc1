import { ConnectError, createContextValues, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { Code, toCode } from "../../src/idempotency/answers/code.js";
import { type DriverCall, runDriver } from "./driver.js";
import { callReport, connectInterceptor, errorInfoOf, KEY_METADATA } from "./src/index.js";

/** One connection for each target. */
const sessions = new Map<string, Http2SessionManager>();

/** Usually one for all calls; here each call has settings of its own. */
function transportFor({ target, options }: DriverCall): Transport {
  const baseUrl = `http://${target}`;
  const session = sessions.get(target) ?? new Http2SessionManager(baseUrl);
  sessions.set(target, session);
  return createGrpcTransport({
    baseUrl,
    sessionManager: session,
    interceptors: [connectInterceptor(options)],
  });
}

runDriver(async (call) => {
  const { method, request, key, deadlineMs, signal } = call;
  const contextValues = createContextValues();
  const header = key === undefined ? {} : { [KEY_METADATA]: key };
  try {
    const { message } = await transportFor(call).unary(
      method,
      signal,
      deadlineMs,
      header,
      request,
      contextValues,
    );
    const report = contextValues.get(callReport);
    return { code: "OK", reason: "", report, response: message };
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    return {
      code: nameOf(error.code),
      reason: errorInfoOf(error)?.reason ?? "",
      report: contextValues.get(callReport),
    };
  }
});

/** The name that gRPC has for a code. */
function nameOf(number: number): string {
  const code = toCode(number);
  return Object.entries(Code).find(([, value]) => value === code)?.[0] ?? "UNKNOWN";
}
