import { readJournalFile } from "../../src/audit/read-journal.js";
import { processorKeyOf } from "../../src/payments/operation.js";
import type { Attempt } from "./attempt.js";
import { isOk } from "./attempt.js";

/** What was asked for under one key of the processor's, and told. */
interface Asked {
  readonly caseNumber: number;
  /** Whether some call under it may have been meant. */
  mayCharge: boolean;
  /** Minor units, where a call was told of a payment that is not declined. */
  toldUnits: bigint | undefined;
}

export interface Charges {
  add(caseNumber: number, attempt: Attempt): void;
  /** Compares what was told with what the processor did. */
  compare(journalPath: string): Promise<Compared>;
}

export interface Compared {
  readonly effects: number;
  /** Each with the number of its case. */
  readonly problems: readonly (readonly [caseNumber: number, problem: string])[];
}

export function createCharges(): Charges {
  const asked = new Map<string, Asked>();
  return {
    add(caseNumber, { scope, truth, reply }) {
      if (scope === undefined) {
        return;
      }
      const name = processorKeyOf(scope);
      const entry = asked.get(name) ?? { caseNumber, mayCharge: false, toldUnits: undefined };
      asked.set(name, entry);
      entry.mayCharge ||= truth !== "refused";
      if (isOk(reply) && reply.payment?.declineCode === "") {
        entry.toldUnits = reply.payment.amount?.minorUnits;
      }
    },

    async compare(journalPath) {
      const effects = await readJournalFile(journalPath);
      const units = new Map<string, bigint[]>();
      for (const { processorKey, amount } of effects) {
        units.set(processorKey, [...(units.get(processorKey) ?? []), amount?.minorUnits ?? 0n]);
      }
      const problems = [...asked].flatMap(([name, entry]) => {
        const problem = problemOf(entry, units.get(name) ?? []);
        return problem === undefined ? [] : [[entry.caseNumber, problem] as const];
      });
      const doubled = [...units].filter(([name, each]) => each.length > 1 && !asked.has(name));
      return {
        effects: effects.length,
        problems: [
          ...problems,
          ...doubled.map(([name, each]) => [-1, `${each.length} effects of ${name}`] as const),
        ],
      };
    },
  };
}

function problemOf({ mayCharge, toldUnits }: Asked, charged: readonly bigint[]) {
  if (charged.length > 1) {
    return `was charged ${charged.length} times`;
  }
  if (charged.length === 1 && !mayCharge) {
    return "was charged, and had to be refused";
  }
  if (toldUnits !== undefined && charged[0] !== toldUnits) {
    return `was told ${toldUnits} minor units, and ${charged[0] ?? "none"} were charged`;
  }
  return undefined;
}
