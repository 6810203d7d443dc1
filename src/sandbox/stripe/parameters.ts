import * as v from "valibot";
import { invalidRequest, type StripeError } from "./errors.js";
import type { Form } from "./form.js";

const METADATA_KEYS = 50;
const METADATA_KEY_CHARACTERS = 40;
const METADATA_VALUE_CHARACTERS = 500;

const integer = v.pipe(
  v.string(),
  v.regex(/^-?\d{1,15}$/, "Invalid integer"),
  v.transform((text) => BigInt(text)),
);
const count = v.pipe(
  v.string(),
  v.regex(/^([1-9]|[1-9]\d|100)$/, "Invalid integer: 1 to 100"),
  v.transform(Number),
);
const flag = v.pipe(
  v.picklist(["true", "false"], "Invalid boolean"),
  v.transform((text) => text === "true"),
);
const list = v.pipe(
  v.record(v.pipe(v.string(), v.regex(/^\d+$/, "Invalid array")), v.string(), "Invalid array"),
  v.transform((entries) => Object.values(entries)),
);
const metadata = v.union(
  [
    v.pipe(
      v.literal(""), // removes every key, of which there are none yet
      v.transform((): Record<string, string> => ({})),
    ),
    v.pipe(
      v.record(
        v.pipe(v.string(), v.maxLength(METADATA_KEY_CHARACTERS)),
        v.pipe(v.string(), v.maxLength(METADATA_VALUE_CHARACTERS)),
      ),
      v.maxEntries(METADATA_KEYS),
    ),
  ],
  `Metadata accepts ${METADATA_KEYS} keys of up to ${METADATA_KEY_CHARACTERS} characters, with values of up to ${METADATA_VALUE_CHARACTERS}`,
);
const seconds = v.pipe(v.string(), v.regex(/^\d{1,12}$/, "Invalid timestamp"), v.transform(Number));
const created = v.union(
  [
    v.pipe(
      seconds,
      v.transform((equal): CreatedRange => ({ gte: equal, lte: equal })),
    ),
    v.partial(v.strictObject({ gt: seconds, gte: seconds, lt: seconds, lte: seconds })),
  ],
  "Invalid timestamp",
);
const text = (characters: number) => v.pipe(v.string(), v.maxLength(characters));
const expand = v.optional(list, {});

/** Which times of creation a list is to have, in seconds. */
export interface CreatedRange {
  readonly gt?: number | undefined;
  readonly gte?: number | undefined;
  readonly lt?: number | undefined;
  readonly lte?: number | undefined;
}

const page = {
  limit: v.optional(count, "10"),
  starting_after: v.optional(text(255)),
  ending_before: v.optional(text(255)),
  created: v.optional(created, {}),
  expand,
};

const createIntent = v.strictObject({
  amount: integer,
  currency: v.pipe(v.string(), v.toLowerCase(), v.regex(/^[a-z]{3}$/, "Invalid currency")),
  confirm: v.optional(flag, "false"),
  capture_method: v.optional(
    v.picklist(["automatic", "automatic_async", "manual"], "Invalid capture_method"),
    "automatic_async",
  ),
  confirmation_method: v.optional(v.picklist(["automatic", "manual"])),
  payment_method: v.optional(text(255)),
  payment_method_data: v.optional(
    v.strictObject({
      type: v.literal("card", "Invalid payment_method_data[type]: the sandbox has cards"),
      card: v.strictObject({ token: text(255) }),
    }),
  ),
  allowed_payment_method_types: v.optional(list),
  automatic_payment_methods: v.optional(
    v.strictObject({
      enabled: flag,
      allow_redirects: v.optional(v.picklist(["always", "never"])),
    }),
  ),
  off_session: v.optional(flag, "false"),
  error_on_requires_action: v.optional(flag, "false"),
  return_url: v.optional(v.pipe(v.string(), v.url("Not a valid URL"))),
  use_stripe_sdk: v.optional(flag),
  description: v.optional(text(1_000), ""),
  statement_descriptor: v.optional(text(22)),
  statement_descriptor_suffix: v.optional(text(22)),
  payment_method_options: v.optional(
    v.strictObject({
      card: v.strictObject({
        capture_method: v.optional(v.literal("manual")),
        request_multicapture: v.optional(v.picklist(["if_available", "never"])),
        request_three_d_secure: v.optional(v.picklist(["any", "automatic", "challenge"])),
      }),
    }),
  ),
  metadata: v.optional(metadata, ""),
  expand,
});

/** The parameters of each endpoint; any other one is refused. */
export const parameters = {
  createIntent,
  /** The same in the versions before 2026-09-30.endive. */
  createIntentBeforeEndive: v.strictObject({
    ...createIntent.entries,
    payment_method_types: v.optional(list),
  }),
  captureIntent: v.strictObject({
    amount_to_capture: v.optional(integer),
    final_capture: v.optional(flag, "true"),
    metadata: v.optional(metadata, ""),
    statement_descriptor_suffix: v.optional(text(22)),
    expand,
  }),
  cancelIntent: v.strictObject({
    cancellation_reason: v.optional(
      v.picklist(
        ["abandoned", "duplicate", "fraudulent", "requested_by_customer"],
        "Invalid cancellation_reason",
      ),
    ),
    expand,
  }),
  createRefund: v.strictObject({
    payment_intent: v.optional(text(255)),
    charge: v.optional(text(255)),
    amount: v.optional(integer),
    reason: v.optional(
      v.picklist(["duplicate", "fraudulent", "requested_by_customer"], "Invalid reason"),
    ),
    metadata: v.optional(metadata, ""),
    expand,
  }),
  authenticate: v.strictObject({
    result: v.picklist(["success", "failure"], "result accepts success or failure"),
  }),
  nothing: v.strictObject({ expand }),
  retrieveIntent: v.strictObject({ client_secret: v.optional(text(255)), expand }),
  listIntents: v.strictObject(page),
  searchIntents: v.strictObject({
    query: text(2_000),
    limit: v.optional(count, "10"),
    page: v.optional(text(255)),
    expand,
  }),
  listOfIntent: v.strictObject({
    ...page,
    payment_intent: v.optional(text(255)),
    charge: v.optional(text(255)),
  }),
};

/** @throws StripeError 400 that names the parameter. */
export function readParameters<Schema extends v.GenericSchema>(
  schema: Schema,
  form: Form,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, form, { abortEarly: true });
  if (result.success) {
    return result.output;
  }
  throw toError(result.issues[0]);
}

function toError(issue: v.BaseIssue<unknown>): StripeError {
  const [first = "", ...rest] = issue.path?.map(({ key }) => String(key)) ?? [];
  const param = `${first}${rest.map((part) => `[${part}]`).join("")}`;
  if (issue.type === "strict_object" && issue.expected === "never") {
    return invalidRequest(`Received unknown parameter: ${param}`, {
      code: "parameter_unknown",
      param,
    });
  }
  if (issue.type === "strict_object" && issue.received === "undefined") {
    return invalidRequest(`Missing required param: ${param}.`, {
      code: "parameter_missing",
      param,
    });
  }
  if (issue.message === "Invalid integer") {
    return invalidRequest(`Invalid integer: ${param}`, {
      code: "parameter_invalid_integer",
      param,
    });
  }
  return invalidRequest(`${issue.message} (${param})`, { param });
}
