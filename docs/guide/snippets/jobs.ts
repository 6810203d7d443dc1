import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import {
  type CreatePaymentRequestSchema,
  isDefinite,
  KEY_METADATA,
  type PaymentService,
} from "../../../clients/typescript/src/index.js";
import { PATIENTLY } from "./pay.js";

export interface Job {
  /** From whoever wrote the message or the file; the same at every delivery. */
  readonly id: string;
  readonly payment: MessageInitShape<typeof CreatePaymentRequestSchema>;
}

/** What becomes of a message, whichever worker got it and however often. */
export async function handle(
  payments: Client<typeof PaymentService>,
  { id, payment }: Job,
): Promise<"acknowledge" | "redeliver" | "dead_letter"> {
  try {
    const headers = { [KEY_METADATA]: `charges/${id}` };
    await payments.createPayment(payment, { ...PATIENTLY, headers });
    return "acknowledge"; // a declined card, too: that is an answer
  } catch (error) {
    // Only a definite error says that redelivering cannot help.
    return isDefinite(error) ? "dead_letter" : "redeliver";
  }
}

/** How many lines are on their way at once: the service's connections to its database are few. */
const AT_ONCE = 10;

/** Pays a file line by line. After a crash, or a doubt, run the whole file again. */
export async function payFile(payments: Client<typeof PaymentService>, file: readonly Job[]) {
  const left: string[] = [];
  for (let start = 0; start < file.length; start += AT_ONCE) {
    const jobs = file.slice(start, start + AT_ONCE);
    const results = await Promise.all(jobs.map((job) => handle(payments, job)));
    left.push(...jobs.flatMap(({ id }, i) => (results[i] === "acknowledge" ? [] : [id])));
  }
  return { left };
}
