import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import {
  RecordState,
  type ResolveKeyRequestSchema,
} from "../../../src/gen/payonce/idempotency/v1/inspection_pb.js";
import { Code } from "../../../src/idempotency/answers/code.js";
import { EchoResponseSchema } from "../../fixtures/echo/gen/payonce/echo/v1/echo_pb.js";
import {
  type ActingCall,
  type ActingServices,
  type Policy,
  startActingServices,
} from "../../support/faults/acting-service.js";
import {
  heldElsewhere,
  nextCalls,
  type Resolution,
  resolutions,
} from "../../support/operators/resolution-table.js";
import {
  openPayments,
  type PaymentsClient,
  refusalOf,
} from "../../support/payments/payments-client.js";
import {
  type ServiceProcess,
  startServiceProcess,
  waitUntil,
} from "../../support/service/service-process.js";
import { expectTold } from "./resolving.js";

/** After as many attempts a claim is held. */
const MAX_ATTEMPTS = 3;

/** Until a busy machine has made them, with recovery's pauses. */
const HELD_LIMIT_MS = 40_000;

const response = toBinary(
  EchoResponseSchema,
  create(EchoResponseSchema, { text: "as found", execution: 1 }),
);
const info = create(ErrorInfoSchema, { domain: "elsewhere", reason: "AS_FOUND" });
const status = create(StatusSchema, {
  code: Code.FAILED_PRECONDITION,
  message: "there was no such thing",
  details: [anyPack(ErrorInfoSchema, info)],
});

/** What an operator says of another service's key. */
const found: Readonly<
  Record<Resolution, MessageInitShape<typeof ResolveKeyRequestSchema>["resolution"] & object>
> = {
  not_executed: { case: "notExecuted", value: {} },
  response: { case: "response", value: response },
  error: { case: "error", value: status },
};

type Acting = Awaited<ReturnType<ActingServices["start"]>>;

let acting: ActingServices;
/** Its handler ends as requests say. */
let broken: Acting;
/** A later build: its handler does its work. */
let mended: Acting;
let inspecting: ServiceProcess;
let operator: PaymentsClient;

beforeAll(async () => {
  acting = await startActingServices();
  // One after the other: the first one makes the tables.
  broken = await acting.start("", { MAX_ATTEMPTS: String(MAX_ATTEMPTS) });
  inspecting = await startServiceProcess({
    env: { DATABASE_URL: acting.databaseUrl, PROCESSOR_URL: "instant:", LOG_LEVEL: "error" },
  });
  operator = openPayments(inspecting.grpcAddress);
});

afterAll(async () => {
  operator?.close();
  await inspecting?.stop();
  await acting?.stop();
});

function nameOf(policy: Policy, key: string) {
  const method = policy === "HOLD" ? "Act" : "ActRepeatably";
  return { operation: `payonce.echo.v1.EchoService/${method}`, idempotencyKey: key };
}

/** Calls, and waits until the key is held. Resolves with its record as an operator reads it. */
async function hold(call: ActingCall) {
  const first = await broken.call(call);
  expect(refusalOf(first).reason).toBe("OUTCOME_UNKNOWN");
  const name = nameOf(call.policy, call.key);
  const read = async () => (await operator.getRecord({ name })).response?.record;
  await waitUntil(async () => (await read())?.state === RecordState.HELD, HELD_LIMIT_MS);
  return { name, record: await read() };
}

async function resolve(name: ReturnType<typeof nameOf>, fencingToken: bigint, what: Resolution) {
  const resolution = found[what];
  const answer = await operator.resolveKey({ name, fencingToken, reason: "asked", resolution });
  expect(answer.code).toBe(Code.OK);
}

// First, since a mended service would recover its calls.
describe("a call under RERUN whose attempts all end without an outcome", () => {
  const ends = Array(20).fill("error").join();

  it.each(resolutions)("is held past the bound, listed, and resolved as %s", async (resolution) => {
    const call = { key: `attempts-${resolution}`, policy: "RERUN", ends } as const;
    const { name, record } = await hold(call);
    expect(record?.attempts).toBe(MAX_ATTEMPTS + 1);
    expect(record?.unknownReason).toBe(`${MAX_ATTEMPTS} attempts have ended without an outcome`);
    const { response: list } = await operator.listRecords({ state: RecordState.HELD });
    expect(list?.records.map(({ idempotencyKey }) => idempotencyKey)).toContain(call.key);

    await resolve(name, record?.fencingToken ?? 0n, resolution);
    if (resolution === "not_executed") {
      expect(await acting.recordOf(call.key)).toMatchObject({ state: "released" });
      const again = await hold(call); // as a first attempt, with as many to follow
      expect(again.record?.attempts).toBe(MAX_ATTEMPTS + 1);
      await resolve(name, again.record?.fencingToken ?? 0n, "response");
    }
    const answer = await broken.call(call);
    expectTold(answer, { says: resolution === "error" ? "AS_FOUND" : "OK", isReplayed: true });
  });
});

describe.each(heldElsewhere)(
  "the key of another service under HOLD, resolved as $resolution",
  ({ resolution, resolved, next }) => {
    beforeAll(async () => {
      mended ??= await acting.start("mended");
    });

    it.each(nextCalls)("then %s", async (nextCall) => {
      const key = `${resolution}-${nextCall}`.replaceAll(" ", "-");
      const call = { key, policy: "HOLD", ends: "error" } as const;
      const { name, record } = await hold(call);
      expect(await acting.countEffects(key)).toBe(1);
      await resolve(name, record?.fencingToken ?? 0n, resolution);
      const state = async () => (await acting.recordOf(key))?.state;
      expect(await state()).toBe(resolved.state);
      expect(await acting.countEffects(key)).toBe(resolved.left.runs);

      const { told, left } = next[nextCall];
      const sent = {
        "the same request": call,
        "another request": { ...call, text: "something else" },
        "another operation": { ...call, key: `${key}-operation` },
      };
      if (nextCall !== "nobody" && told !== undefined) {
        const result = await mended.call(sent[nextCall]);
        expectTold(result, told);
        if (nextCall === "the same request" && resolution === "response") {
          expect(Buffer.compare(result.body, response)).toBe(0);
        }
      }
      expect(await acting.countEffects(key)).toBe(left.runs);
      const isExecuted = nextCall === "the same request" && resolution === "not_executed";
      expect(await state()).toBe(isExecuted ? "completed" : resolved.state);
    });
  },
);

it("a released key whose request is refused once more is still no other request's", async () => {
  const stricter = await acting.start("stricter");
  const call = { key: "refused-once-more", policy: "HOLD", ends: "error" } as const;
  const { name, record } = await hold(call);
  await resolve(name, record?.fencingToken ?? 0n, "not_executed");
  expect((await stricter.call(call)).code).toBe(Code.INVALID_ARGUMENT);
  const other = await mended.call({ ...call, text: "something else" });
  expect(refusalOf(other).reason).toBe("IDEMPOTENCY_KEY_REUSED");
  expect((await mended.call(call)).code).toBe(Code.OK);
  expect(await acting.countEffects(call.key)).toBe(2);
});
