import { optional, toggle, withDefault } from "../config/flags.js";
import { anyText, oneOf, serverAddress } from "../config/schemas.js";
import { serviceCredentials, tlsFlags } from "./client.js";
import { command } from "./command.js";

const TARGET = "127.0.0.1:50051";
const DEFAULT_OPERATION = "payonce.payments.v1.PaymentService/CreatePayment";

export const inspect = command({
  name: "inspect",
  summary: "shows one key's record and its history, or lists records",
  flags: {
    key: optional("records are listed", {
      meaning: "the idempotency key whose record is shown",
      schema: anyText,
    }),
    operation: optional(`${DEFAULT_OPERATION} for one key, all for a list`, {
      meaning: "the operation in the key's scope",
      schema: anyText,
    }),
    state: optional("all", {
      meaning: "lists only records in this state",
      schema: oneOf(["executing", "held", "completed", "expired", "released"]),
    }),
    tenant: optional("the caller's own", {
      meaning: "another tenant; takes the role global_operator",
      schema: anyText,
    }),
    target: withDefault(TARGET, { meaning: "the service to ask", schema: serverAddress(TARGET) }),
    token: optional("none", {
      meaning: "an operator's bearer token, where the service wants one",
      schema: anyText,
    }),
    ...tlsFlags,
    json: toggle("prints JSON"),
  },
  async run(flags) {
    const { key, operation, state, tenant = "", target, token } = flags;
    const credentials = await serviceCredentials(flags);
    const { listRecords, openService, showRecord } = await import("./inspect-records.js");
    const service = openService({ target, credentials, token });
    const print = flags.json ? "JSON" : "text";
    try {
      const shown =
        key === undefined
          ? await listRecords(service, { filter: { tenant, operation, state }, print })
          : await showRecord(service, {
              name: { tenant, operation: operation ?? DEFAULT_OPERATION, idempotencyKey: key },
              print,
            });
      console.log(shown);
      return 0;
    } finally {
      service.close();
    }
  },
});
