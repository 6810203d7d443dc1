import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { InspectionService } from "../gen/payonce/idempotency/v1/inspection_pb.js";
import { CallError } from "../idempotency/answers/errors.js";
import type { CallContext, Caller } from "../idempotency/execution/call.js";
import type { ServiceHandlers } from "../idempotency/execution/handlers.js";
import { cutPage, numberIn } from "../runtime/paging.js";
import type { Act, OperatorActs, RecordedAct } from "../stores/postgres/index.js";
import { operatedTenant } from "./identity.js";
import { pageOf } from "./inspection.js";
import type { Logger } from "./log.js";

type Handlers<Transaction> = ServiceHandlers<typeof InspectionService, Transaction>;

/** The subject of an act, apart from who acts. */
type About = Pick<Act, "operation" | "key" | "resolution" | "reason">;

const ABOUT_NO_KEY: About = { operation: "", key: "", resolution: "", reason: "" };

/** The longest text that an act stores. Characters. */
const MAX_TEXT_LENGTH = 1_000;

export interface RecordingOptions {
  readonly acts: OperatorActs;
  readonly log: Logger;
}

/**
 * Writes down what operators ask for before it is carried out, and then what
 * came of it. What cannot be written down is not carried out. Who is no
 * operator, or not of the tenant that it names, writes nothing.
 */
export function recordingActs<Transaction>(
  { acts, log }: RecordingOptions,
  handlers: Omit<Handlers<Transaction>, "listOperatorActs">,
): Handlers<Transaction> {
  type Context = CallContext<Transaction>;

  function recorded<Request, Response>(
    method: string,
    handler: (request: Request, context: Context) => Promise<Response>,
    aboutOf: (request: Request) => Partial<About> & { readonly tenant: string },
  ): (request: Request, context: Context) => Promise<Response> {
    return async (request, context) => {
      const { caller } = context;
      const { tenant, ...about } = aboutOf(request);
      const act = { ...ABOUT_NO_KEY, ...about, method, tenant: operatedTenant(caller, tenant) };
      const id = await acts.begin(storable({ ...act, ...whoIs(caller) }));
      let result = "INTERNAL";
      try {
        const response = await handler(request, context);
        result = "OK";
        return response;
      } catch (error) {
        if (error instanceof CallError) {
          result = error.description.reason;
        }
        throw error;
      } finally {
        await acts.end(id, result).catch((error: unknown) => {
          log.error(
            { error: String(error), act: String(id) },
            "the result of an operator's act was not written down",
          );
        });
      }
    };
  }

  return {
    getRecord: recorded("GetRecord", handlers.getRecord.bind(handlers), ({ name }) => ({
      tenant: name?.tenant ?? "",
      operation: name?.operation ?? "",
      key: name?.idempotencyKey ?? "",
    })),
    listRecords: recorded("ListRecords", handlers.listRecords.bind(handlers), (request) => ({
      tenant: request.tenant,
      operation: request.operation,
    })),
    resolveKey: recorded("ResolveKey", handlers.resolveKey.bind(handlers), (request) => ({
      tenant: request.name?.tenant ?? "",
      operation: request.name?.operation ?? "",
      key: request.name?.idempotencyKey ?? "",
      resolution: request.resolution.case ?? "",
      reason: request.reason,
    })),
    listOperatorActs: recorded(
      "ListOperatorActs",
      async (request, { caller }) => {
        const tenant = operatedTenant(caller, request.tenant);
        const filter = ["operator_acts", tenant];
        const page = pageOf(request, filter, numberIn);
        const found = await acts.list({ tenant, before: page.cursor, limit: page.size + 1 });
        const cut = cutPage(found, page, { filter, cursorOf: ({ id }) => id });
        return { acts: cut.rows.map(toMessage), nextPageToken: cut.nextPageToken };
      },
      ({ tenant }) => ({ tenant }),
    ),
  };
}

function whoIs({ tenant, role, identity = "anybody", peer = "" }: Caller) {
  return { identity, role, operatorTenant: tenant, peer };
}

/** Requests are looked at later; what they hold is written down as far as a database takes it. */
function storable(act: Act): Act {
  const texts = Object.entries(act).map(([name, text]) => [
    name,
    String(text).replaceAll("\0", " ").slice(0, MAX_TEXT_LENGTH).toWellFormed(),
  ]);
  return Object.fromEntries(texts) as Act; // its fields are texts, all of them
}

function toMessage({ timeMs, key, result = "", id: _, ...act }: RecordedAct) {
  return { ...act, time: timestampFromMs(Math.floor(timeMs)), idempotencyKey: key, result };
}
